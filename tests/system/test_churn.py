# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Containers come and go by the thousand under traffic, each with an address that others had just before.

Every datagram says who sent it to whom, and everything that arrives in a container is looked at: none ever gets what
is for another, or what its own profile does not let in. Some are made through the plugin, called as dockerd calls it,
with an interface each; others by endpoints in the datastore, that take over an interface or its number from the one
before. A container is a namespace that the interface is moved into, with a packet socket in place of an IP stack.
"""

import collections
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import os
import random
import select
import socket
import struct
import subprocess
import threading
import time
import urllib.parse

import pytest

import lab
from plugin_client import Client
from test_plugin_protocol import OPTIONS, network_request, wait_for_registration

SECONDS = int(os.environ.get("CHURN_SECONDS", "25"))
NETWORKS = {name: name * 64 for name in "abc"}
OPEN = "c"  # the network that lets the underlay in
OUTSIDE, OUTSIDE_ADDRESS = "outside", "172.31.0.1"
ADDRESSES = [f"192.168.9.{number}" for number in range(1, 8)]
SENDERS = {name: f"192.168.9.{40 + number}" for number, name in enumerate(NETWORKS)}  # of the same block
PORT = 7000
ETH_P_IP = 0x0800
CONTAINER_MAC, GATEWAY_MAC = bytes.fromhex("eeeeeeeeeeee"), bytes.fromhex("eeeeeeeeeefe")


def packet_socket(namespace):
    return lab.socket_in(namespace.path, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))


class Stopped(Exception):
    """Another thread failed, and says why."""


def frame(source, destination, payload):
    """A UDP datagram as a container sends it; without UDP checksum."""
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0, 64, socket.IPPROTO_UDP, 0,
                         socket.inet_aton(source), socket.inet_aton(destination))
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xffff) + (total >> 16)
    return (GATEWAY_MAC + CONTAINER_MAC + struct.pack("!H", ETH_P_IP) + header[:10] +
            struct.pack("!H", ~total & 0xffff) + header[12:] + struct.pack("!4H", PORT, PORT, 8 + len(payload), 0) +
            payload)


class Churn:
    """What all threads share: the machine, its plugin socket, who lives where."""

    def __init__(self, machine, outside):
        self.machine, self.outside = machine, outside
        self.stop, self.failed = threading.Event(), threading.Event()
        self.connections = threading.local()
        self.lock = threading.Lock()
        self.free = set(ADDRESSES)
        self.indexes = itertools.count(1000)
        self.lives = self.heard_outside = self.end = 0
        self.batch = subprocess.Popen(machine.namespace.command("ip", "-force", "-batch", "-"), text=True, bufsize=1,
                                      stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def close(self):
        self.batch.stdin.close()
        self.batch.wait()

    def ip(self, command):
        """Without waiting for its end."""
        self.batch.stdin.write(f"{command}\n")

    def call(self, method, body):
        if not hasattr(self.connections, "plugin"):
            self.connections.plugin = Client(self.machine.path("plugins", "calico.sock"), 60)
        return self.connections.plugin.call(method, body)

    def write(self, verb, key, value=None):
        if not hasattr(self.connections, "etcd"):
            server = lab.socket_in(self.outside.path, socket.AF_INET, socket.SOCK_STREAM)
            server.connect(("172.30.0.1", self.machine.etcd.port))
            self.connections.etcd = http.client.HTTPConnection("172.30.0.1")
            self.connections.etcd.sock = server
        body = urllib.parse.urlencode({"value": json.dumps(value)}) if value else None
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self.connections.etcd.request(verb, f"/v2/keys{key}", body, form)
        answer = self.connections.etcd.getresponse()
        assert answer.status in (200, 201), answer.read()
        answer.read()

    def routes(self):
        """Addresses that the machine has a route to an interface for."""
        with open(f"/proc/{self.machine.node_process.pid}/net/route") as table:
            return {socket.inet_ntoa(struct.pack("=I", int(line.split()[1], 16))) for line in table.readlines()[1:]}

    def guard(self, task, *arguments):
        """Runs one thread's task; its failure ends the others."""
        try:
            task(*arguments)
        except Stopped:
            pass
        except BaseException:
            self.failed.set()
            raise
        finally:
            for connection in vars(self.connections).values():
                connection.close()

    @contextlib.contextmanager
    def address(self):
        with self.lock:
            address = random.choice(sorted(self.free))
            self.free.remove(address)
        yield address
        with self.lock:
            self.free.add(address)


class Container:
    """One life: an address, the network it is in, and a packet socket that sees all that arrives."""

    def __init__(self, churn, network, address):
        self.churn, self.network, self.address = churn, network, address
        self.id = f"{random.getrandbits(256):064x}"
        self.socket = None

    def send(self, kind, address):
        with contextlib.suppress(OSError):  # the interface is not there yet, or down for a moment
            self.socket.sendto(frame(self.address, address, f"{kind} {self.network} {address}".encode()), ("cali0", 0))

    def receive(self):
        """Takes one packet from the socket: None if there is none, else the sender if it is one of ours, or ""."""
        try:
            packet, origin = self.socket.recvfrom(2048, socket.MSG_DONTWAIT)
        except OSError:
            return None
        if origin[2] == socket.PACKET_OUTGOING:
            return ""
        destination = socket.inet_ntoa(packet[30:34])
        assert destination == self.address, f"{self.address} got {packet} for {destination}"
        if packet[23] != socket.IPPROTO_UDP:
            return ""
        kind, sender, receiver = packet[42:].decode().split()
        assert receiver == self.address, f"{self.address} got {packet}"
        assert sender == self.network or (sender, self.network) == (OUTSIDE, OPEN), \
            f"{self.address} of network {self.network} got {packet}"
        if kind == "ask":
            self.send("answer", socket.inet_ntoa(packet[26:30]))
        return sender

    def expect_route(self, there=True):
        """The daemon adds it last, and removes it after policy."""
        lab.until(lambda: (self.address in self.churn.routes()) == there, 60,
                  f"the change of the route to {self.address}")

    def drain(self):
        while self.receive() is not None:
            pass

    def expect(self, sender):
        """Waits until this sender's traffic arrives."""
        def arrived():
            if self.churn.failed.is_set():
                raise Stopped
            select.select([self.socket], [], [], 0.1)
            return self.receive() == sender

        lab.until(arrived, 60, f"traffic from {sender} to {self.address} of network {self.network}")


class Plugged(Container):
    """As dockerd makes it, from RequestAddress to ReleaseAddress, with an interface of its own."""

    def __init__(self, churn, slot, network, address):
        super().__init__(churn, network, address)
        self.namespace = slot.namespace
        self.ids = {"NetworkID": NETWORKS[network], "EndpointID": self.id}
        self.interface = f"cali{self.id[:11]}"

    def __enter__(self):
        call = self.churn.call
        call("IpamDriver.RequestAddress", {"PoolID": "CalicoPoolIPv4", "Address": self.address, "Options": None})
        call("NetworkDriver.CreateEndpoint", self.ids | {"Options": OPTIONS, "Interface": {
            "Address": f"{self.address}/32", "AddressIPv6": "", "MacAddress": ""}})
        joined = call("NetworkDriver.Join", self.ids | {"SandboxKey": f"/{self.interface}", "Options": OPTIONS})
        # Before the interface is there, so that nothing is missed.
        self.socket = packet_socket(self.namespace)
        self.churn.ip(f"link set {joined['InterfaceName']['SrcName']} netns {self.namespace.name} name cali0 up")
        return self

    def __exit__(self, *exception):
        self.churn.call("NetworkDriver.Leave", self.ids)
        self.churn.call("NetworkDriver.DeleteEndpoint", self.ids)
        self.churn.call("IpamDriver.ReleaseAddress", {"PoolID": "CalicoPoolIPv4", "Address": self.address})
        with self.socket:
            if exception[0] is None:
                self.drain()


class Written(Container):
    """As other programs make it: an endpoint in the datastore that names an interface, which its slot keeps."""

    def __init__(self, churn, slot, network, address):
        super().__init__(churn, network, address)
        self.interface, self.socket = slot.interface, slot.socket
        self.key = f"/calico/v1/host/host-a/workload/mesos/{slot.namespace.name}/endpoint/{self.id}"

    def __enter__(self):
        self.churn.write("PUT", self.key, {
            "state": "active", "name": self.interface, "mac": "ee:ee:ee:ee:ee:ee",
            "profile_ids": [NETWORKS[self.network]], "ipv4_nets": [f"{self.address}/32"], "ipv6_nets": []})
        self.expect_route()
        return self

    def __exit__(self, *exception):
        self.churn.write("DELETE", self.key)
        self.expect_route(False)  # what arrives from here on is for the next
        if exception[0] is None:
            self.drain()


class Slot:
    """A namespace for one container after the other."""

    def __init__(self, churn, namespace, kind):
        self.churn, self.namespace, self.kind = churn, namespace, kind
        self.index = next(churn.indexes)
        self.interface = self.socket = None
        if kind is Written:
            self.make_interface()

    def make_interface(self):
        """An interface with the same number as before, and another name."""
        if self.interface:
            self.churn.machine.run("ip", "link", "delete", self.interface)
        self.interface = f"cali{random.getrandbits(32):08x}"
        self.churn.machine.run("ip", "link", "add", self.interface, "index", self.index, "address", "ee:ee:ee:ee:ee:fe",
                               "type", "veth", "peer", "name", "cali0", "address", "ee:ee:ee:ee:ee:ee", "netns",
                               self.namespace.name)
        self.namespace.run("ip", "link", "set", "cali0", "up")
        self.socket = packet_socket(self.namespace)

    def live(self):
        while time.monotonic() < self.churn.end:
            self.churn.lives += 1
            if self.kind is Written and random.random() < 0.1:
                self.make_interface()
            network = random.choice(list(NETWORKS))
            with self.churn.address() as address, self.kind(self.churn, self, network, address) as container:
                self.use(container)

    def use(self, container):
        container.expect(container.network)
        for other in ADDRESSES:
            container.send("ask", other)
        if random.random() < 0.1:
            self.churn.machine.run("ip", "-batch", "-", input=f"link set {container.interface} down\n"
                                                              f"link set {container.interface} up\n")
            container.expect_route()
            container.drain()
            container.expect(container.network)
        if container.network == OPEN:
            container.expect(OUTSIDE)
            self.churn.heard_outside += 1


def send(churn, slot, network):
    """A container that stays, and asks all the others without end."""
    with Plugged(churn, slot, network, SENDERS[network]) as container:
        while not churn.stop.is_set() and not churn.failed.is_set():
            for address in ADDRESSES:
                container.send("ask", address)
            select.select([container.socket], [], [], 0.02)
            container.drain()


def send_from_outside(churn):
    """The same from the other end of the machine's uplink."""
    with lab.socket_in(churn.outside.path, socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((OUTSIDE_ADDRESS, PORT))
        while not churn.stop.is_set() and not churn.failed.is_set():
            for address in ADDRESSES:
                with contextlib.suppress(OSError):  # no uplink at this moment
                    sender.sendto(f"ask {OUTSIDE} {address}".encode(), (address, PORT))
            while select.select([sender], [], [], 0.02)[0]:
                answer = sender.recv(2048).decode()
                assert answer == f"answer {OPEN} {OUTSIDE_ADDRESS}"


def plug_uplink(churn):
    """The uplink of the traffic from outside; the datastore is behind eth0, which stays."""
    outside, machine = churn.outside, churn.machine
    outside.run("ip", "link", "add", "far", "address", "02:00:00:00:00:01", "type", "veth", "peer", "name", "eth9",
                "address", "02:00:00:00:00:02", "netns", machine.namespace.name)
    outside.run("ip", "address", "add", f"{OUTSIDE_ADDRESS}/24", "dev", "far")
    machine.run("ip", "address", "add", "172.31.0.2/24", "dev", "eth9")
    machine.run("ip", "link", "set", "eth9", "up")
    outside.run("ip", "link", "set", "far", "up")
    outside.run("ip", "route", "add", "192.168.9.0/24", "via", "172.31.0.2")


def change_uplink(churn):
    """It goes down and up, or is replaced by another, whenever ten containers have had traffic through it."""
    for replace in itertools.cycle((False, True)):
        heard = churn.heard_outside
        lab.until(lambda: churn.heard_outside >= heard + 10 or churn.stop.is_set() or churn.failed.is_set(), 120,
                  "traffic through the uplink")
        if churn.stop.is_set() or churn.failed.is_set():
            return
        if replace:
            churn.machine.run("ip", "link", "delete", "eth9")
            plug_uplink(churn)
        else:
            churn.machine.run("ip", "-batch", "-", input="link set eth9 down\nlink set eth9 up\n")


def pins(machine):
    return os.listdir(machine.path("bpf", "calico", "v1", "links"))


def open_files(machine):
    """What the daemon has open besides sockets, of which its client of the datastore keeps some for later use."""
    descriptors = f"/proc/{machine.node_process.pid}/fd"
    for descriptor in os.listdir(descriptors):
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink(os.path.join(descriptors, descriptor))
            if not target.startswith("socket:"):
                yield target


def held(machine):
    """What grows with containers, and shrinks with them if nothing is forgotten."""
    def entries(name):
        path = machine.path("bpf", "calico", "v1", name)
        return len(json.loads(machine.run("bpftool", "-j", "map", "dump", "pinned", path).stdout))

    state = machine.path("state")
    return {
        "links": len(machine.workload_links()), "routes": machine.routes(),
        "interface": entries("interface"), "address4": entries("address4"), "prefix4": entries("prefix4"),
        "pins": len(pins(machine)),
        "descriptors": collections.Counter(open_files(machine)),
        "files": sorted(os.path.join(where, name) for where, _, names in os.walk(state) for name in names),
        "endpoints": machine.calicoctl("endpoint", "show", "--detailed"),
        "addresses": {address: machine.calicoctl("ipam", "info", address) for address in ADDRESSES},
    }


def grown(before, after):
    different = {name: (before[name], after[name]) for name in before if before[name] != after[name]}
    if different:
        print("before and after:", different)
    return different


@pytest.fixture
def churn(network):
    with network.etcd() as etcd, network.machine("host-a", etcd=etcd) as machine:
        machine.start_node()
        wait_for_registration(machine)
        etcd.etcdctl("set", "/calico/v1/config/Uplinks", "eth9")
        with contextlib.closing(Churn(machine, network.namespace)) as made:
            plug_uplink(made)
            yield made


def test_nothing_reaches_the_wrong_container(churn):
    for identifier in NETWORKS.values():
        churn.call("NetworkDriver.CreateNetwork", network_request(identifier))
    churn.machine.calicoctl("profile", NETWORKS[OPEN], "rule", "add", "inbound", "allow", "from", "cidr",
                            OUTSIDE_ADDRESS)
    with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(10) as pool:
        def slot(kind):
            return Slot(churn, stack.enter_context(lab.Namespace("slot")), kind)

        slots = [slot(kind) for kind in (Plugged, Plugged, Written, Written, Written)]
        try:
            senders = [pool.submit(churn.guard, send, churn, slot(Plugged), network) for network in NETWORKS]
            senders += [pool.submit(churn.guard, task, churn) for task in (send_from_outside, change_uplink)]
            # The senders' interfaces, and those that wait for an endpoint; with programs, and these on the uplink, too.
            lab.until(lambda: len(churn.machine.workload_links()) == 6 and len(pins(churn.machine)) == 2 * 7, 60,
                      "the start")
            before = held(churn.machine)
            churn.end = time.monotonic() + SECONDS
            living = [pool.submit(churn.guard, each.live) for each in slots]
            concurrent.futures.wait(living)
            if not churn.failed.is_set():
                lab.until(lambda: not grown(before, held(churn.machine)), 60, "the return to what there was before")
        finally:
            churn.stop.set()
        for started in living + senders:
            started.result()
    print(f"{churn.lives} lives")
