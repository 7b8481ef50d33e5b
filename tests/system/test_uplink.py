# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Traffic between containers and other hosts: with and without NAT, past the host's stack, over restarts."""

import contextlib
import errno
import itertools
import json
import os
import signal
import socket
import sqlite3
import time

import pytest

import lab
from outside import addresses, close_forwarding, echo_server, open_forwarding, wait_for_uplink

OPEN = ("inbound", "allow", "tcp", "to", "ports", "80,81")


def dial_from(namespace, address, port, seconds=2):
    return lab.dial(namespace.path, address, port, seconds)


def reaches(namespace, address, port, seconds=2):
    return lab.reaches(namespace.path, address, port, seconds)


def route_to(namespace, address, machine):
    namespace.run("ip", "route", "replace", address, "via", machine.address)


@pytest.fixture
def served(machine):
    """A machine with an echo server on a network that lets anybody to ports 80 and 81; and its address."""
    machine.create_network("web")
    machine.calicoctl("profile", "web", "rule", "add", *OPEN)
    address = machine.start_echo("www", "web", 80, 81, 82)
    wait_for_uplink(machine)
    return machine, address


def test_outside_reaches_what_policy_opens(served, network):
    machine, address = served
    route_to(network.namespace, address, machine)
    lab.until(lambda: reaches(network.namespace, address, 80), what="the opening of the port")
    assert not reaches(network.namespace, address, 82, seconds=1)
    with dial_from(network.namespace, address, 81) as connection:
        assert lab.echoes(connection)
        close_forwarding(machine)
        assert lab.echoes(connection, b"x" * 100000 + b"\n")
        assert reaches(network.namespace, address, 80)  # the whole flow passes by the stack
        machine.calicoctl("profile", "web", "rule", "remove", *OPEN)
        connection.settimeout(1)
        lab.until(lambda: not lab.echoes(connection), what="the end of the connection")


def test_container_reaches_outside_without_nat(served, network):
    machine, address = served
    route_to(network.namespace, address, machine)
    with echo_server(network.namespace, 9000) as clients, machine.dial("www", "172.30.0.1", 9000) as connection:
        assert lab.echoes(connection)
        assert addresses(clients) == [address]
        close_forwarding(machine)
        assert lab.echoes(connection, b"x" * 100000 + b"\n")
        # Only flows that the stack has passed once leave by it.
        assert not machine.connects("www", "172.30.0.1", 9000, seconds=1)
        open_forwarding(machine)
        assert machine.connects("www", "172.30.0.1", 9000)


def test_container_reaches_outside_with_nat(machine, network):
    machine.calicoctl("pool", "add", "10.77.0.0/16", "--nat-outgoing")
    machine.create_network("web", "--subnet", "10.77.0.0/16")
    machine.start("client", "web")
    wait_for_uplink(machine)
    with echo_server(network.namespace, 9000) as clients, machine.dial("client", "172.30.0.1", 9000) as connection:
        assert lab.echoes(connection)
        assert addresses(clients) == [machine.address]
        assert lab.echoes(connection, b"x" * 100000 + b"\n")
        assert machine.connects("client", "172.30.0.1", 9000)


def test_rules_of_the_host_s_nat_work(served, network):
    machine, address = served
    nat = ("iptables", "-w", "-t", "nat", "-A", "PREROUTING", "-p", "tcp")
    machine.run(*nat, "-d", machine.address, "--dport", "8080", "-j", "DNAT", "--to", f"{address}:80")
    machine.run(*nat, "-d", "203.0.113.1", "--dport", "80", "-j", "DNAT", "--to", "172.30.0.1:9000")
    # Into a container, from a host that knows no route to it.
    lab.until(lambda: reaches(network.namespace, machine.address, 8080), what="the opening of the port")
    with dial_from(network.namespace, machine.address, 8080) as connection:
        assert lab.echoes(connection, b"x" * 100000 + b"\n")
    # Out of a container.
    route_to(network.namespace, address, machine)
    with echo_server(network.namespace, 9000) as clients, machine.dial("www", "203.0.113.1", 80) as connection:
        assert lab.echoes(connection, b"x" * 100000 + b"\n")
        assert addresses(clients) == [address]


def test_docker_s_own_containers_keep_working(machine, network):
    wait_for_uplink(machine)
    machine.start_echo("plain", "bridge", 80, options=("-p", "8080:80"))
    assert reaches(network.namespace, machine.address, 8080)
    with echo_server(network.namespace, 9000) as clients:
        assert machine.connects("plain", "172.30.0.1", 9000)
        assert addresses(clients) == [machine.address]


def test_too_large_packets_are_answered(served, network):
    machine, address = served
    machine.run("ip", "route", "replace", "172.30.0.1", "dev", "eth0", "mtu", "1200")
    route_to(network.namespace, address, machine)
    with echo_server(network.namespace, 9000), machine.dial("www", "172.30.0.1", 9000) as connection:
        assert lab.echoes(connection)
        assert lab.echoes(connection, b"x" * 100000 + b"\n")


def test_containers_of_two_hosts_talk(two_machines):
    first, second = two_machines
    first.create_network("web")
    servers = [made.start_echo(f"server-{made.name}", "web", 80) for made in two_machines]
    for made, other, address in ((first, second, servers[1]), (second, first, servers[0])):
        wait_for_uplink(made)
        route_to(made, address, other)
    assert first.connects("server-host-a", servers[1], 80)
    assert second.connects("server-host-b", servers[0], 80)
    with first.dial("server-host-a", servers[1], 80) as connection:
        assert lab.echoes(connection)
        for made in two_machines:
            close_forwarding(made)
        assert lab.echoes(connection, b"x" * 100000 + b"\n")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_connections_outlive_the_daemon(served, network, how):
    machine, address = served
    route_to(network.namespace, address, machine)
    with dial_from(network.namespace, address, 80) as connection:
        assert lab.echoes(connection)
        machine.stop_node(how)
        wait_for_uplink(machine)
        assert lab.echoes(connection)
        assert reaches(network.namespace, address, 81)
        assert not reaches(network.namespace, address, 82, seconds=1)
        machine.start_node()
        assert lab.echoes(connection)
        assert reaches(network.namespace, address, 81)
        assert not reaches(network.namespace, address, 82, seconds=1)


def test_uplinks_come_and_go(cluster_machine):
    machine = cluster_machine
    wait_for_uplink(machine)
    machine.etcd.etcdctl("set", "/calico/v1/config/Uplinks", "eth8,eth9")
    wait_for_uplink(machine, present=False)
    machine.run("ip", "link", "add", "eth9", "type", "veth", "peer", "name", "far9")
    wait_for_uplink(machine, "eth9")
    machine.run("ip", "link", "delete", "eth9")
    wait_for_uplink(machine, "eth9", present=False)
    machine.etcd.etcdctl("set", "/calico/v1/config/Uplinks", "none")
    machine.etcd.etcdctl("rm", "/calico/v1/config/Uplinks")
    wait_for_uplink(machine)
    machine.stop_node()
    machine.run(f"{lab.BUILD}/calico-node", "--teardown")
    wait_for_uplink(machine, present=False)


def test_uplink_that_goes_while_it_is_attached_leaves_nothing(cluster_machine):
    machine = cluster_machine
    machine.etcd.etcdctl("set", "/calico/v1/config/Uplinks", "eth9")
    wait_for_uplink(machine, present=False)
    first = machine.path("bpf", "calico", "v1", "links", "eth9_in")
    for _ in range(8):
        machine.run("ip", "link", "add", "eth9", "type", "veth", "peer", "name", "far9")
        deadline = time.monotonic() + 10
        while not os.path.exists(first) and time.monotonic() < deadline:
            pass
        machine.run("ip", "link", "delete", "eth9")
        wait_for_uplink(machine, "eth9", present=False)


FAR = "203.0.113.5"  # two hosts outside have it: which of them a packet reaches says which way it took


class Far:
    """Another host, on a link of its own or on the underlay, that answers datagrams to FAR and remembers them."""

    def __init__(self, namespace):
        namespace.run("ip", "address", "add", f"{FAR}/32", "dev", "lo")
        self.socket = lab.socket_in(namespace.path, socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((FAR, 9000))
        self.numbers = itertools.count()

    def hears(self, sender, size=64, seconds=2):
        """Whether a datagram that is sent now arrives here. It is answered."""
        data = str(next(self.numbers)).encode().ljust(size)
        self.socket.settimeout(seconds)
        sender.send(data)
        with contextlib.suppress(socket.timeout):
            received = None
            while received != data:
                received, source = self.socket.recvfrom(4096)
            self.socket.sendto(b"", source)
            return True
        return False

    def hears_soon(self, sender):
        lab.until(lambda: self.hears(sender, seconds=0.2), what="packets this way")


@contextlib.contextmanager
def one_cpu():
    """What the programs remember, they remember for the CPU that sends."""
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usable)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)


@pytest.fixture
def ways(served, network):
    """A container's connected socket, and two hosts of the same address behind two uplinks."""
    machine, address = served
    with lab.Namespace("far") as other:
        machine.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", other.name)
        machine.run("ip", "address", "add", "172.29.0.2/24", "dev", "eth1")
        machine.run("ip", "link", "set", "eth1", "up")
        other.run("ip", "address", "add", "172.29.0.1/24", "dev", "eth0")
        other.run("ip", "link", "set", "eth0", "up")
        other.run("ip", "route", "add", address, "via", "172.29.0.2")
        route_to(network.namespace, address, machine)
        machine.calicoctl("config", "felix", "Uplinks", "eth0,eth1", "--force")
        wait_for_uplink(machine, "eth1")
        go_by(machine, "172.30.0.1")
        first, second = Far(network.namespace), Far(other)
        with machine.socket("www", socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect((FAR, 9000))
            # From here on its packets pass by the stack.
            first.hears_soon(sender)
            assert first.hears(sender)
            close_forwarding(machine)
            with one_cpu():
                yield machine, sender, first, second


def go_by(machine, gateway, *options):
    machine.run("ip", "route", "replace", FAR, "via", gateway, *options)


def serial(machine):
    """Of what the programs know about routing."""
    shown = machine.run("bpftool", "-j", "map", "dump", "pinned", machine.path("bpf", "calico", "v1", "routing")).stdout
    return json.loads(shown)[0]["formatted"]["value"]["serial"]


def test_changed_route_is_followed_at_once(ways):
    machine, sender, first, second = ways
    for gateway, there in (("172.29.0.1", second), ("172.30.0.1", first)):
        before = serial(machine)
        go_by(machine, gateway)
        lab.until(lambda before=before: serial(machine) != before, what="the daemon's word that routes have changed")
        assert there.hears(sender)


def test_changed_route_is_followed_without_a_daemon(ways):
    machine, sender, first, second = ways
    machine.stop_node(signal.SIGKILL)
    for gateway, there in (("172.29.0.1", second), ("172.30.0.1", first)):
        go_by(machine, gateway)
        there.hears_soon(sender)


def test_packets_follow_the_neighbour(ways):
    machine, sender, first, second = ways
    go_by(machine, "172.29.0.1")
    second.hears_soon(sender)
    # Nobody has this MAC.
    machine.run("ip", "neigh", "replace", "172.29.0.1", "lladdr", "02:00:00:00:00:01", "dev", "eth1")
    assert not second.hears(sender, seconds=0.5)
    machine.run("ip", "neigh", "delete", "172.29.0.1", "dev", "eth1")
    second.hears_soon(sender)


def test_uplink_that_is_none_any_more_is_left_alone(ways):
    machine, sender, first, second = ways
    go_by(machine, "172.29.0.1")
    second.hears_soon(sender)
    machine.calicoctl("config", "felix", "Uplinks", "eth0", "--force")
    wait_for_uplink(machine, "eth1", present=False)
    # The stack's to send, which may not.
    assert not second.hears(sender, seconds=0.5)
    open_forwarding(machine)
    assert second.hears(sender)
    machine.run("ip", "link", "delete", "eth1")
    go_by(machine, "172.30.0.1")
    first.hears_soon(sender)


def test_lower_mtu_is_told_to_the_sender(ways):
    machine, sender, first, _ = ways
    sender.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
    assert first.hears(sender, 1300)
    open_forwarding(machine)
    go_by(machine, "172.30.0.1", "mtu", "lock", "1200")

    def refused():
        try:
            sender.send(b"x" * 1300)
        except OSError as error:
            return error.errno == errno.EMSGSIZE
        return False

    def arrives():
        # Each answer that is there fails one call.
        with contextlib.suppress(OSError):
            return first.hears(sender, 1100, seconds=0.2)
        return False

    lab.until(refused, what="the answer that a packet is too large")
    lab.until(arrives, what="the arrival of a smaller packet")


def test_networks_of_the_engine_change_neither_address_nor_uplinks(network, image):
    """The engine's bridges have addresses of the host, too, but lead to no other host."""
    with network.machine("host-a", image=image) as machine:
        machine.start_docker()
        machine.start_node()

        def registered():
            state = json.loads(machine.calicoctl("status", "-o", "json", check=False).stdout or "{}").get("daemon", {})
            with contextlib.closing(sqlite3.connect(machine.path("state", "calico.db"))) as store:
                recorded, = store.execute("select value from node where key like '%/host-a/ip_addr_v4'").fetchone()
            return state.get("in_sync") and (recorded, sorted(up["interface"] for up in state["uplinks"]))

        before = lab.until(registered, 20, "the first start")
        assert before == (machine.address, ["eth0"])
        for number in range(3):
            machine.docker("network", "create", f"plain{number}")
        for round in range(10):
            if round == 5:  # nothing but the record tells which address it is
                machine.run("ip", "address", "add", "172.30.0.200/24", "dev", "eth0")
                machine.run("ip", "route", "delete", "default")
            machine.stop_node(signal.SIGKILL if round % 2 else signal.SIGTERM)
            machine.start_node()
            assert lab.until(registered, 20, "the restart") == before
        assert "already in use" not in machine.log("node")
