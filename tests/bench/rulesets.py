# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One policy, as the documents of a datastore and as what people load into iptables and nftables for it.

Endpoint B lets in what comes from members of a tag; both may send anything. In front of that rule stand others
that do not match: they deny single ports. Every system gets as many of them as it looks at for one packet: ours
skips rules of other protocols, so it gets them for UDP and again for TCP.
"""

PORT = 20000
DISPATCH = 20  # interfaces of other endpoints that iptables goes through before ours
MARK = "0x1000000"


def port_of(number):
    return PORT + number


def documents(rules, udp_only=False):
    """(rules, tags) of the profile, with `rules` rules for a packet of UDP and as many for one of TCP."""
    protocols = ("udp",) if udp_only else ("udp", "tcp")
    inbound = [{"action": "deny", "protocol": protocol, "dst_ports": [port_of(number)]}
               for number in range(rules - 1) for protocol in protocols]
    inbound.append({"action": "allow", "src_tag": "bench"})
    return {"id": "bench", "inbound_rules": inbound, "outbound_rules": [{"action": "allow"}]}, ["bench"]


def ports(rules):
    return [("udp" if number % 2 else "tcp", port_of(number)) for number in range(rules - 1)]


def ipset(family, members):
    lines = [f"create bench{family} hash:ip family {'inet' if family == 4 else 'inet6'}"]
    return "\n".join(lines + [f"add bench{family} {member}" for member in members]) + "\n"


def iptables(family, rules, endpoints):
    """Input of iptables-restore: the chains that Calico's agent of the time made (felix, iptables backend)."""
    chains, lines = ["felix-FROM-ENDPOINT", "felix-TO-ENDPOINT", "felix-p-bench-i", "felix-p-bench-o"], []
    add = lines.append
    for direction in ("i", "o"):
        add(f"-A FORWARD -{direction} cali+ -m conntrack --ctstate INVALID -j DROP")
    for direction in ("i", "o"):
        add(f"-A FORWARD -{direction} cali+ -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
    add("-A FORWARD -i cali+ -j felix-FROM-ENDPOINT")
    add("-A FORWARD -o cali+ -j felix-TO-ENDPOINT")
    add("-A FORWARD -i cali+ -j ACCEPT")
    add("-A FORWARD -o cali+ -j ACCEPT")
    for number in range(DISPATCH):
        chains += [f"felix-from-{number}", f"felix-to-{number}"]
        add(f"-A felix-FROM-ENDPOINT -i caliother{number} -g felix-from-{number}")
        add(f"-A felix-TO-ENDPOINT -o caliother{number} -g felix-to-{number}")
    for endpoint in endpoints:
        name = endpoint.interface
        chains += [f"felix-from-{name}", f"felix-to-{name}"]
        add(f"-A felix-FROM-ENDPOINT -i {name} -g felix-from-{name}")
        add(f"-A felix-TO-ENDPOINT -o {name} -g felix-to-{name}")
        add(f"-A felix-from-{name} -m mac ! --mac-source {endpoint.mac} -j DROP")
        add(f"-A felix-from-{name} ! -s {endpoint.address[family]} -j DROP")
        for direction, short in (("from", "o"), ("to", "i")):
            chain = f"felix-{direction}-{name}"
            add(f"-A {chain} -j MARK --set-xmark 0/{MARK}")
            add(f"-A {chain} -j felix-p-bench-{short}")
            add(f"-A {chain} -m mark --mark {MARK}/{MARK} -j RETURN")
            add(f"-A {chain} -j DROP")
    add("-A felix-FROM-ENDPOINT -j DROP")
    add("-A felix-TO-ENDPOINT -j DROP")
    for protocol, port in ports(rules):
        add(f"-A felix-p-bench-i -p {protocol} -m {protocol} --dport {port} -j DROP")
    add(f"-A felix-p-bench-i -m set --match-set bench{family} src -j MARK --set-xmark {MARK}/{MARK}")
    add(f"-A felix-p-bench-i -m mark --mark {MARK}/{MARK} -j RETURN")
    add(f"-A felix-p-bench-o -j MARK --set-xmark {MARK}/{MARK}")
    add(f"-A felix-p-bench-o -m mark --mark {MARK}/{MARK} -j RETURN")
    return "\n".join(["*filter"] + [f":{chain} - [0:0]" for chain in chains] + lines + ["COMMIT"]) + "\n"


def nftables(rules, endpoints, members):
    """Input of nft -f: what one would write today, with sets, verdict maps and connection tracking."""
    lines = ["table inet bench {"]
    add = lines.append
    for family, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
        add(f"set members{family} {{ type {kind}; elements = {{ {', '.join(members[family])} }} }}")
    add("chain inbound {")
    for protocol, port in ports(rules):
        add(f"{protocol} dport {port} drop")
    add("ip saddr @members4 accept")
    add("ip6 saddr @members6 accept")
    add("drop")
    add("}")
    for endpoint in endpoints:
        add(f"chain from-{endpoint.interface} {{")
        add(f"ether saddr != {endpoint.mac} drop")
        add(f"ip saddr != {endpoint.address[4]} drop")
        add(f"ip6 saddr != {endpoint.address[6]} drop")
        add("}")
    names = [endpoint.interface for endpoint in endpoints]
    add("chain forward {")
    add("type filter hook forward priority filter; policy drop;")
    add("ct state vmap { established : accept, related : accept, invalid : drop }")
    add(f"iifname vmap {{ {', '.join(f'{name} : jump from-{name}' for name in names)} }}")
    add(f"oifname vmap {{ {', '.join(f'{name} : goto inbound' for name in names)} }}")
    add(f"iifname {{ {', '.join(names)} }} accept")
    add("}")
    return "\n".join(lines + ["}"]) + "\n"


def masquerade(address, interface):
    return f"""\
table ip nat {{
    chain postrouting {{
        type nat hook postrouting priority 100;
        ip saddr {address} oifname "{interface}" masquerade
    }}
}}
"""
