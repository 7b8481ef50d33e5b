# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What can be between two endpoints. Each variant has namespaces of its own: hooks of connection tracking, once
registered, stay and would burden what is measured next in the same namespace.
"""

import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile

import lab
import rulesets

CONTAINER_MAC = "ee:ee:ee:ee:ee:ee"
HOST_MAC = "ee:ee:ee:ee:ee:fe"
GATEWAY = {4: "169.254.1.1", 6: "fe80::1"}
PREFIX = {4: 32, 6: 128}
UPLINK = "wan0"
PROGRAMS = os.path.join(lab.BUILD, "tests", "bench")


def tool(name):
    return os.path.join(PROGRAMS, name)


class Endpoint:
    """A container's network: namespace, eth0, default route by the gateway that every container has."""

    def __init__(self, name, number):
        self.namespace = lab.Namespace(name)
        self.interface = f"cali0{'ab'[number]}"
        self.ifindex = 10 + number  # in the router; see floor.bpf.c
        self.mac = CONTAINER_MAC
        self.address = {4: f"10.65.0.{2 + number}", 6: f"fd65::{2 + number}"}
        self.is_here = True

    def move_away(self):
        """Becomes another host, on a link of its own; the router's interface there is an uplink."""
        self.interface = UPLINK
        self.address = {4: "172.31.0.2", 6: "fd31::2"}
        self.is_here = False

    def configure(self, resolve):
        """Addresses and routes; resolve: the gateway's address is known, not asked for."""
        run = self.namespace.run
        run("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65000")
        run("ip", "link", "set", "eth0", "up")
        for family in (4, 6):
            run("ip", f"-{family}", "address", "add", f"{self.address[family]}/{PREFIX[family]}", "dev", "eth0",
                *(["nodad"] if family == 6 else []))
            if family == 4:
                run("ip", "route", "add", GATEWAY[4], "dev", "eth0")
            run("ip", f"-{family}", "route", "add", "default", "via", GATEWAY[family], "dev", "eth0")
            if resolve:
                run("ip", f"-{family}", "neigh", "replace", GATEWAY[family], "lladdr", HOST_MAC, "dev", "eth0")


class Variant:
    """Enter it, and two endpoints can talk."""

    title = ""
    tests = "all"
    reference = "bare"  # name of the variant that it is compared with

    def __init__(self, name):
        self.name = name
        self.endpoints = [Endpoint(f"{name}-{letter}", number) for number, letter in enumerate("ab")]

    def by_uplink(self):
        """The same with endpoint B on another host."""
        self.endpoints[1].move_away()
        self.reference = "uplink-bare"
        return self

    @property
    def local(self):
        return [endpoint for endpoint in self.endpoints if endpoint.is_here]

    def __enter__(self):
        self.entered = []
        try:
            self.enter()
        except BaseException:
            self.__exit__()
            raise
        return self

    def use(self, context):
        context.__enter__()
        self.entered.append(context)
        return context

    def __exit__(self, *_):
        while self.entered:
            self.entered.pop().__exit__(None, None, None)

    def enter(self):
        for endpoint in self.endpoints:
            self.use(endpoint.namespace)
        self.connect()

    def connect(self):
        raise NotImplementedError

    def line(self):
        """How pair_bench is told about the variant."""
        a, b = self.endpoints
        return " ".join([self.name, a.namespace.path, b.namespace.path, a.address[4], b.address[4], a.address[6],
                         b.address[6], self.tests])


class Direct(Variant):
    title = "direct veth pair"

    def connect(self):
        a, b = self.endpoints
        a.namespace.run("ip", "link", "add", "eth0", "address", CONTAINER_MAC, "type", "veth", "peer", "name", "eth0",
                        "netns", b.namespace.name, "address", HOST_MAC)
        for endpoint, other, mac in ((a, b, HOST_MAC), (b, a, CONTAINER_MAC)):
            run = endpoint.namespace.run
            run("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65000")
            run("ip", "link", "set", "eth0", "up")
            for family in (4, 6):
                run("ip", f"-{family}", "address", "add", f"{endpoint.address[family]}/{PREFIX[family]}", "dev", "eth0",
                    *(["nodad"] if family == 6 else []))
                run("ip", f"-{family}", "route", "add", other.address[family], "dev", "eth0")
                run("ip", f"-{family}", "neigh", "replace", other.address[family], "lladdr", mac, "dev", "eth0")


class Routed(Variant):
    """Bare routing: what the kernel does when nobody wants any policy."""

    def __init__(self, name, title="bare routing"):
        super().__init__(name)
        self.title = title

    def connect(self):
        self.router = self.use(lab.Namespace(f"{self.name}-r"))
        run = self.router.run
        run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for endpoint in self.endpoints:
            self.plug(endpoint)
            self.route(endpoint)
        self.police()

    def plug(self, endpoint):
        self.router.run("ip", "link", "add", endpoint.interface, "index", str(endpoint.ifindex), "address", HOST_MAC,
                        "type", "veth", "peer", "name", "eth0", "netns", endpoint.namespace.name, "address",
                        CONTAINER_MAC)

    def route(self, endpoint):
        run = self.router.run
        run("ip", "link", "set", endpoint.interface, "up")
        for family in (4, 6):
            address = endpoint.address[family]
            run("ip", f"-{family}", "route", "add", address, "dev", endpoint.interface)
            run("ip", f"-{family}", "neigh", "replace", address, "lladdr", CONTAINER_MAC, "dev", endpoint.interface)
        endpoint.configure(resolve=True)

    def police(self):
        pass


class Floor(Routed):
    def police(self):
        self.use(BpfFileSystem(self))
        for endpoint, other in (self.endpoints, self.endpoints[::-1]):
            program = "pass_to_other" if other.is_here else "pass_to_uplink"
            subprocess.run([tool("floor_bench"), self.router.path, self.bpffs, program, endpoint.interface], check=True)


class BpfFileSystem:
    def __init__(self, owner):
        self.owner = owner

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="calico-bench-")
        subprocess.run(["mount", "-t", "bpf", "calico-bench", self.directory], check=True)
        self.owner.bpffs = os.path.join(self.directory, "calico")

    def __exit__(self, *_):
        lab.libc.umount2(self.directory.encode(), 2)  # MNT_DETACH
        shutil.rmtree(self.directory, ignore_errors=True)


class Iptables(Routed):
    def __init__(self, name, backend, rules):
        super().__init__(name, f"iptables ({'nf_tables' if backend == 'nft' else backend}), {rules:,} rules")
        self.backend, self.rules = backend, rules

    def police(self):
        for family, command in ((4, "iptables"), (6, "ip6tables")):
            members = [endpoint.address[family] for endpoint in self.endpoints]
            self.router.run("ipset", "restore", input=rulesets.ipset(family, members))
            self.router.run(f"{command}-{self.backend}-restore",
                            input=rulesets.iptables(family, self.rules, self.local))

    @staticmethod
    def usable(backend):
        """Some kernels have one of the two only."""
        with lab.Namespace(f"probe-{backend}") as namespace:
            return all(shutil.which(f"{command}-{backend}-restore") and
                       namespace.run(f"{command}-{backend}", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID",
                                     "-j", "DROP", check=False).returncode == 0
                       for command in ("iptables", "ip6tables"))


class Nftables(Routed):
    def __init__(self, name, rules):
        super().__init__(name, f"nftables, {rules:,} rules")
        self.rules = rules

    def police(self):
        members = {family: [endpoint.address[family] for endpoint in self.endpoints] for family in (4, 6)}
        self.router.run("nft", "-f", "-", input=rulesets.nftables(self.rules, self.local, members))


class Ours(Routed):
    """The daemon in the router's namespace, with the endpoints' documents in its datastore."""

    def __init__(self, name, network, title, rules=1, udp_only=False, members=0, tests="all"):
        super().__init__(name, title)
        self.network, self.rules, self.udp_only, self.members, self.tests = network, rules, udp_only, members, tests

    def connect(self):
        self.machine = self.use(self.network.machine(self.name))
        self.router = self.machine.namespace
        for endpoint in self.endpoints:
            self.plug(endpoint)
            if not endpoint.is_here:
                self.route(endpoint)
        self.fill(self.documents())
        self.machine.start_node()
        lab.until(self.enforced, 120, f"{self.name}: all endpoints in force")
        for endpoint in self.local:
            endpoint.configure(resolve=False)

    @property
    def maps(self):
        return os.path.join(self.machine.environment["CALICO_BPFFS"], "v1")

    def documents(self):
        """(key, value) of everything that the daemon is to find."""
        rules, tags = rulesets.documents(self.rules, self.udp_only)
        yield "/calico/v1/policy/profile/bench/rules", rules
        yield "/calico/v1/policy/profile/bench/tags", tags
        yield "/calico/v1/ipam/v4/pool/10.64.0.0-14", {"cidr": "10.64.0.0/14"}
        yield "/calico/v1/ipam/v6/pool/fd65::-64", {"cidr": "fd65::/64"}
        if self.local != self.endpoints:
            yield "/calico/v1/config/Uplinks", UPLINK
        for number, endpoint in enumerate(self.local):
            yield (f"/calico/v1/host/{self.name}/workload/libnetwork/libnetwork/endpoint/local{number}",
                   {"state": "active", "name": endpoint.interface, "mac": endpoint.mac, "profile_ids": ["bench"],
                    "ipv4_nets": [f"{endpoint.address[4]}/32"], "ipv6_nets": [f"{endpoint.address[6]}/128"]})
        yield from remote_endpoints(self.members)

    def fill(self, documents):
        """Writes documents, or texts, into the datastore."""
        lines = "".join(f"{key}\t{value if isinstance(value, str) else json.dumps(value)}\n" for key, value in documents)
        self.machine.run(tool("fill_bench"), input=lines, timeout=600)

    def status(self):
        return daemon_status(self.machine)

    def enforced(self):
        if self.machine.node_process.poll() is not None:
            raise lab.Failure(f"calico-node ended:\n{self.machine.log('node')}")
        status = self.status()
        return status and status["in_sync"] and [e["state"] for e in status["endpoints"]] == ["up"] * len(self.local) and \
            (self.local == self.endpoints or [uplink["interface"] for uplink in status["uplinks"]] == [UPLINK])


OUTGOING_ADDRESS = "10.99.0.1"  # of the uplink
OUTGOING_TESTS = "udp,rr,64k,connect"  # where nobody has to know the address that B sees


class Masquerade(Routed):
    """Bare routing, and B sees the router's address."""

    tests = OUTGOING_TESTS

    def __init__(self, name):
        super().__init__(name, "bare routing, nftables masquerade")

    def police(self):
        self.router.run("ip", "address", "add", f"{OUTGOING_ADDRESS}/32", "dev", UPLINK)
        self.router.run("nft", "-f", "-", input=rulesets.masquerade(self.endpoints[0].address[4], UPLINK))


class OursOutgoing(Ours):
    """Endpoint A in a pool with nat-outgoing."""

    def __init__(self, name, network, how):
        super().__init__(name, network, f"ours, 6 rules, NatOutgoing={how}", rules=6, tests=OUTGOING_TESTS)
        self.how = how

    def documents(self):
        yield "/calico/v1/config/NatOutgoing", self.how
        yield from super().documents()
        yield "/calico/v1/ipam/v4/pool/10.65.0.0-16", {"cidr": "10.65.0.0/16", "masquerade": True}

    def route(self, endpoint):
        self.router.run("ip", "address", "add", f"{OUTGOING_ADDRESS}/32", "dev", UPLINK)
        super().route(endpoint)


class OursWithFlows(Ours):
    """With other connections in a flow table that has room for them and as many again."""

    def __init__(self, name, network, wanted):
        super().__init__(name, network, f"ours, {wanted:,} live flows")
        self.wanted = wanted

    def documents(self):
        yield "/calico/v1/config/FlowTableSize", str(2 * self.wanted)
        yield from super().documents()

    def connect(self):
        super().connect()
        a, b = self.endpoints
        with lab.socket_in(a.namespace.path, socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.sendto(b"", (b.address[4], 9))
        self.machine.run(tool("flows_bench"), self.maps, self.wanted)


def remote_endpoints(count):
    """Documents of endpoints on other hosts, all members of the tag."""
    for number in range(count):
        address = f"10.{66 + number // 65536}.{number // 256 % 256}.{number % 256}"
        yield (f"/calico/v1/host/other{number // 100}/workload/libnetwork/libnetwork/endpoint/remote{number}",
               {"state": "active", "name": f"cali{number:x}", "mac": CONTAINER_MAC, "profile_ids": ["bench"],
                "ipv4_nets": [f"{address}/32"], "ipv6_nets": []})


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=5)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def daemon_status(machine):
    """What `calicoctl status` asks the daemon, or None while nobody answers."""
    connection = UnixConnection(machine.path("run", "calico-node.sock"))
    try:
        connection.request("GET", "/status")
        return json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
