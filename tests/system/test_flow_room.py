# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The flow table belongs to all: whatever one endpoint, or somebody outside, does to fill it, all others go on.

FLOW_ROOM=full is the size of a large machine: its own table (262,144 flows from 8 GB of memory on) and 50 others.
"""

import contextlib
import glob
import json
import os
import socket
import struct
import threading
import time

import pytest

import lab
from test_limits import scene_with
from workloads import Echo, Workload, opened

FULL = os.environ.get("FLOW_ROOM") == "full"
TABLE = 262144 if FULL else 4096
OTHERS = 50 if FULL else 5
CONNECTIONS = 60000 if FULL else 4000
DATAGRAMS = 100000 if FULL else 10000  # in SECONDS
SECONDS = 20 if FULL else 2
PORT, SILENT = 1000, 1001
OPEN = {"inbound_rules": [{"action": "allow"}], "outbound_rules": [{"action": "allow"}]}
SYN = 2
SO_RCVBUFFORCE = 33  # Linux


class Crowd:
    """Endpoints that open a connection each second, as long as it is entered."""

    def __init__(self, others, server):
        self.others, self.server = others, server
        self.tried, self.failed = 0, []
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.connect, args=(other,), daemon=True) for other in others]

    def connect(self, other):
        while not self.ending.is_set():
            started = time.monotonic()
            self.tried += 1
            made = opened(other, socket.SOCK_STREAM, other.address, self.server.address, PORT)
            if made:
                made.close()
            else:
                self.failed.append(other.name)
            self.ending.wait(max(0, started + 1 - time.monotonic()))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join()

    def check(self, rounds=2):
        """After what was done to the table, too."""
        wanted = self.tried + rounds * len(self.others)
        lab.until(lambda: self.tried >= wanted, 60, "more connections")
        assert not self.failed, f"{len(self.failed)} of {self.tried} failed"


@pytest.fixture(scope="module")
def scene():
    """client is the greedy one, large answers it; the others connect to small."""
    settings = {} if FULL else {"FlowTableSize": TABLE}
    with scene_with(settings) as made, contextlib.ExitStack() as stack:
        made.others = [stack.enter_context(Workload(made.machine, f"other{number}", 10 + number))
                       for number in range(OTHERS)]
        made.documents.put(
            {f"policy/profile/{name}/rules": OPEN for name in ("client", "small", "large", "others")} |
            {one.key: one.document(name) for name, one in made.made.items()} |
            {one.key: one.document("others") for one in made.others})
        made.large.namespace.run("sysctl", "-qw", "net.ipv4.icmp_ratemask=0")
        lab.until(lambda: made.passes(made.small) and made.passes(made.large), what="everything in force")
        lab.until(lambda: all(opened(other, socket.SOCK_STREAM, other.address, made.small.address, PORT, 0.5)
                              for other in made.others), 60, "the others in force")
        yield made


@pytest.fixture
def crowd(scene):
    with Crowd(scene.others, scene.small) as made:
        yield made


def raw(namespace, protocol):
    made = lab.socket_in(namespace.path, socket.AF_INET, socket.SOCK_RAW, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    return made


def datagrams(source, destination, count, port, seconds=0):
    """UDP without a socket: each from another port, then to another port (from `port` on), spread over the time."""
    started = time.monotonic()
    with raw(source.namespace, socket.IPPROTO_UDP) as made:
        for number in range(count):
            made.sendto(struct.pack("!4H", 1024 + number % 64000, port + number // 64000, 8, 0), (destination, 0))
            ahead = started + seconds * number / count - time.monotonic()
            if ahead > 0.01:
                time.sleep(ahead)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def syn_flood(namespace, source, destination, count):
    """Connections to two ports, one open, that nobody goes on with."""
    pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!HH", socket.IPPROTO_TCP, 20)
    with raw(namespace, socket.IPPROTO_TCP) as made:
        for number in range(count):
            header = struct.pack("!HHIIBBHHH", 1024 + number % 64000, PORT + number // 64000, number, 0, 0x50, SYN,
                                 1024, 0, 0)
            made.sendto(header[:16] + struct.pack("!H", checksum(pseudo + header)) + header[18:], (destination, 0))


class Answering:
    """Answers every datagram at some ports, and counts."""

    def __init__(self, where, ports):
        self.answered = 0
        self.sockets = []
        for port in ports:
            made = where.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            made.bind((where.address, port))
            self.sockets.append(made)

    def serve(self, made):
        with contextlib.suppress(OSError):
            while True:
                data, peer = made.recvfrom(16)
                if not peer:  # shut down
                    return
                made.sendto(data, peer)
                self.answered += 1

    def __enter__(self):
        for made in self.sockets:
            threading.Thread(target=self.serve, args=(made,), daemon=True).start()
        return self

    def __exit__(self, *_):
        for made in self.sockets:
            with contextlib.suppress(OSError):
                made.shutdown(socket.SHUT_RDWR)
            made.close()


def problems(scene):
    return {name: text for name, text in scene.problems().items() if name.startswith("flow table")}


def test_datagrams_that_nobody_answers_all_arrive(scene, crowd):
    with scene.large.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
        silent.bind((scene.large.address, SILENT))
        second = scene.large.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with second:
            second.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
            second.bind((scene.large.address, SILENT + 1))
            datagrams(scene.client, scene.large.address, DATAGRAMS, SILENT, SECONDS)
            arrived = 0
            for made in (silent, second):
                made.settimeout(1)
                with contextlib.suppress(TimeoutError):
                    while True:
                        made.recv(16)
                        arrived += 1
    assert arrived == DATAGRAMS
    crowd.check()


def test_answered_questions_shut_nobody_out(scene, crowd):
    count = 262144 if FULL else 2 * TABLE
    ports = range(2000, 2000 + count // 64000 + 1)
    with Answering(scene.large, ports) as answering:
        datagrams(scene.client, scene.large.address, count, ports[0])
        lab.until(lambda: answering.answered >= count * 0.9, 60, "the answers")
    warned = lab.until(lambda: problems(scene), 20, "the warning")
    assert "flow table, IPv4" in warned
    assert "caliclient" in warned["flow table, IPv4"], warned
    assert "FlowTableSize" in warned["flow table, IPv4"]
    crowd.check(4)


def test_idle_connections_shut_nobody_out(scene, crowd):
    """Handshakes by hand: the sockets would need as many descriptors and ports as there are connections."""
    count, port = CONNECTIONS, 3000
    source, destination = scene.client, scene.large
    there = socket.inet_aton(source.address) + socket.inet_aton(destination.address)
    back = there[4:] + there[:4]

    def segment(addresses, source_port, destination_port, flags):
        pseudo = addresses + struct.pack("!HH", socket.IPPROTO_TCP, 20)
        header = struct.pack("!HHIIBBHHH", source_port, destination_port, 1, 1, 0x50, flags, 1024, 0, 0)
        return header[:16] + struct.pack("!H", checksum(pseudo + header)) + header[18:]

    for one in (source, destination):  # neither kernel knows of them, and none resets them
        one.namespace.run("nft", "add table ip quiet; add chain ip quiet out { type filter hook output priority 0; }; "
                          "add rule ip quiet out tcp flags rst drop")
    try:
        with raw(source.namespace, socket.IPPROTO_TCP) as here, raw(destination.namespace, socket.IPPROTO_TCP) as far:
            for number in range(count):
                own, other = 1024 + number % 64000, port + number // 64000
                here.sendto(segment(there, own, other, 0x02), (destination.address, 0))
                far.sendto(segment(back, other, own, 0x12), (source.address, 0))
                here.sendto(segment(there, own, other, 0x10), (destination.address, 0))
    finally:
        for one in (source, destination):
            one.namespace.run("nft", "delete table ip quiet")
    crowd.check(4)


def test_syn_flood_of_an_endpoint_shuts_nobody_out(scene, crowd):
    syn_flood(scene.client.namespace, scene.client.address, scene.large.address, 2 * TABLE)
    crowd.check()


def test_syn_flood_from_outside_shuts_nobody_out(scene, crowd):
    outside = scene.machine.network.namespace
    outside.run("ip", "route", "replace", "10.65.0.0/24", "via", scene.machine.address)
    syn_flood(outside, "172.30.0.1", scene.large.address, 2 * TABLE)
    crowd.check()


def table_size(machine):
    pin, = glob.glob(machine.path("bpf", "calico", "v*", "flow4"))
    return json.loads(machine.run("bpftool", "-j", "map", "show", "pinned", pin).stdout)["max_entries"]


@pytest.mark.parametrize("size", [512, 4096])
def test_connections_survive_another_size_of_the_table(size):
    with scene_with({"FlowTableSize": 1024}) as scene:
        scene.reset()
        client, server = scene.client, scene.small
        with Echo(server, server.address, PORT + 1) as echo:
            made = opened(client, socket.SOCK_STREAM, client.address, server.address, PORT + 1)
            assert made
            with made:
                scene.machine.stop_node()
                assert table_size(scene.machine) == 1024
                scene.machine.settings["FELIX_FLOWTABLESIZE"] = str(size)
                scene.machine.start_node()
                lab.until(lambda: table_size(scene.machine) == size, 20, "the new table")
                # The server opens nothing, so it is heard only as part of the connection.
                echo.say(socket.SOCK_STREAM, made.getsockname(), b"unasked")
                assert made.recv(7) == b"unasked"
                assert lab.echoes(made)
