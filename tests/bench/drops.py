# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What dropping a packet costs that nobody wants: by XDP, by TC, by iptables and by nftables; and what a packet
costs that is delivered, where others are dropped by XDP or by TC."""

import json
import subprocess

import lab
import stats
import variants

BLOCKED, DENIED = "198.51.100.9", "203.0.113.9"
MEMBER = "10.66.0.0"  # of the tag whose members are let in, on another host
LIST = 10000  # networks on the block list beside the one that matters
PORT = 9
BATCHES = 2  # of each variant in a round
ROUNDS_MAX = 40  # they vary little


class Dropper:
    """A namespace with eth0 where `packet` (source, protocol) is dropped."""

    program = None  # the kernel's stack gets it

    def __init__(self, name, title, packet):
        self.name, self.title, self.packet = name, title, packet

    def measure(self, cpu):
        """CPU nanoseconds per packet: {"flood": with making it, "drop": without, "alone": of the program}"""
        source, protocol = self.packet
        command = [variants.tool("drop_bench"), self.namespace.path, "eth0", source, self.destination, protocol, PORT, cpu,
                   BATCHES, *([self.program] if self.program else [])]
        done = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True, timeout=60)
        found = {}
        for line in done.stdout.splitlines():
            what, value = line.split("\t")
            found.setdefault(what, []).append(float(value))
        least = {what: min(values) for what, values in found.items()}
        least["drop"] = least["flood"] - least.pop("frames")
        return least


class Ruled(Dropper):
    """Bare routing to the destination, and one rule."""

    destination = "10.65.0.2"

    def __init__(self, name, title, packet, *commands):
        super().__init__(name, title, packet)
        self.commands = commands

    def __enter__(self):
        self.namespace = lab.Namespace(self.name)
        self.namespace.__enter__()
        run = self.namespace.run
        run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far")
        for link in ("eth0", "far"):
            run("ip", "link", "set", link, "up")
        run("ip", "address", "add", "172.30.9.2/24", "dev", "eth0")
        for command in self.commands:
            run(*command.split())
        return self

    def __exit__(self, *_):
        self.namespace.__exit__()


class Ours(Dropper):
    def __init__(self, host, name, title, packet, xdp):
        super().__init__(name, title, packet)
        self.host, self.namespace = host, host.router
        self.destination = host.endpoints[0].address[4]
        if xdp:
            self.program = f"{host.maps}/programs/screen_uplink"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Host(variants.Ours):
    """Endpoints that let nobody in but members, and a long block list."""

    def __init__(self, network, name, xdp):
        super().__init__(name, network, "", rules=10, members=1)
        self.xdp = xdp

    def documents(self):
        yield "/calico/v1/config/UplinkXDP", "on" if self.xdp else "off"
        yield from super().documents()
        networks = [f"100.{64 + number // 256}.{number % 256}.0/24" for number in range(LIST)] + ["198.51.100.0/24"]
        for network in networks:
            yield f"/calico/v1/blocklist/v4/{network.replace('/', '-')}", {"cidr": network}

    def enforced(self):
        status = self.status()
        wanted = [("eth0", "xdp" if self.xdp else "tc")]
        return super().enforced() and status["blocked"] == LIST + 1 and \
            [(uplink["interface"], uplink["screening"]) for uplink in status["uplinks"]] == wanted

    def dropped(self):
        return sum(drop["packets"] for drop in self.status()["drops"] if drop["interface"] == "total")


def droppers(xdp, tc):
    blocked, denied, welcome = (BLOCKED, "udp"), (DENIED, "syn"), (MEMBER, "udp")
    return [
        Ours(xdp, "xdp-blocked", "ours by XDP: on the block list", blocked, True),
        Ours(xdp, "xdp-denied", "ours by XDP: new flow that policy denies", denied, True),
        Ours(tc, "tc-blocked", "ours by TC: on the block list", blocked, False),
        Ours(tc, "tc-denied", "ours by TC: new flow that policy denies", denied, False),
        Ruled("raw-legacy", "iptables (legacy), table raw", blocked,
              f"iptables-legacy -t raw -A PREROUTING -s {BLOCKED} -j DROP"),
        Ruled("raw-nft", "iptables (nf_tables), table raw", blocked,
              f"iptables-nft -t raw -A PREROUTING -s {BLOCKED} -j DROP"),
        Ruled("nft-ingress", "nftables, ingress of the device", blocked, "nft add table netdev bench",
              "nft add chain netdev bench ingress { type filter hook ingress device eth0 priority 0; }",
              f"nft add rule netdev bench ingress ip saddr {BLOCKED} drop"),
        Ours(xdp, "xdp-delivered", "delivered to an endpoint, screened by XDP", welcome, True),
        Ours(tc, "tc-delivered", "delivered to an endpoint, screened by TC", welcome, False),
    ]


def usable(dropper):
    """Some kernels have one of the two backends of iptables only."""
    try:
        dropper.__enter__()
    except lab.Failure:
        dropper.__exit__()
        return False
    return True


def measure(network, rounds, cpu):
    """{name: {"title", "flood", "drop", "drop_median", "alone"}}"""
    found = stats.Rounds()
    with Host(network, "drop-xdp", True) as xdp, Host(network, "drop-tc", False) as tc:
        before = [host.dropped() for host in (xdp, tc)]
        there = [dropper for dropper in droppers(xdp, tc) if usable(dropper)]
        try:
            for number in range(rounds):
                for dropper in there:
                    for what, value in dropper.measure(cpu).items():
                        found.add(dropper.name, what, number, value)
        finally:
            for dropper in there:
                dropper.__exit__()
        for host, count in zip((xdp, tc), before):
            if host.dropped() - count < rounds * 65536:
                raise lab.Failure(f"{host.name} did not drop: {json.dumps(host.status()['drops'])}")
    return {dropper.name: {"title": dropper.title, "flood": found.low(dropper.name, "flood"),
                           "drop": found.low(dropper.name, "drop"),
                           "drop_median": stats.median(found.of(dropper.name, "drop")),
                           "alone": found.low(dropper.name, "alone")} for dropper in there}
