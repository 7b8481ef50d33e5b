# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Containers reach other hosts under their own host's address, translated by the BPF programs (NatOutgoing=bpf)."""

import contextlib
import errno
import json
import signal
import socket
import threading

import pytest

import lab
from outside import addresses, close_forwarding, echo_server, open_forwarding, wait_for_uplink

PORTS = range(61000, 65536)
IP_RECVERR, IP_MTU = 11, 14
FAR = "198.51.100.2"


@contextlib.contextmanager
def udp_echo(namespace, port):
    """A UDP server that echoes; yields the list of where its packets came from."""
    server = lab.socket_in(namespace.path, socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("0.0.0.0", port))
    clients = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                data, client = server.recvfrom(65536)
                if not data:
                    return
                clients.append(client)
                server.sendto(data, client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield clients
    finally:
        with lab.socket_in(namespace.path, socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", ("127.0.0.1", port))
        thread.join()
        server.close()


def udp_from(machine, container, address, port, own_port=0):
    client = machine.socket(container, socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(2)
    client.bind(("0.0.0.0", own_port))
    client.connect((address, port))
    return client


def flows(machine):
    """How many ports are in use."""
    return len(json.loads(machine.run("bpftool", "-j", "map", "dump", "pinned",
                                          machine.path("bpf", "calico", "v1", "nat4")).stdout))


@pytest.fixture
def client(network, image):
    """A machine that translates by BPF, with a container `client` in a pool with nat-outgoing."""
    with network.machine("host-a", image=image, environment={"FELIX_NATOUTGOING": "bpf"}) as machine:
        machine.run("sysctl", "-qw", "net.ipv4.ip_local_reserved_ports=8080,9000-9010")
        machine.start_docker()
        machine.start_node()
        machine.calicoctl("pool", "add", "10.77.0.0/16", "--nat-outgoing")
        machine.create_network("web", "--subnet", "10.77.0.0/16")
        machine.start("client", "web")
        wait_for_uplink(machine)
        yield machine


@pytest.fixture
def far(network):
    """A host behind a router, which thinks the way there is narrow."""
    with lab.Namespace("far") as made:
        router = network.namespace.run
        router("ip", "link", "add", "far", "type", "veth", "peer", "name", "eth0", "netns", made.name)
        router("ip", "address", "add", "198.51.100.1/24", "dev", "far")
        router("ip", "link", "set", "far", "up")
        router("ip", "route", "replace", FAR, "dev", "far", "mtu", "1300")
        router("sysctl", "-qw", "net.ipv4.ip_forward=1")
        made.run("ip", "address", "add", f"{FAR}/24", "dev", "eth0")
        made.run("ip", "link", "set", "eth0", "up")
        made.run("ip", "route", "add", "default", "via", "198.51.100.1")
        yield made


def test_tcp_passes_by_the_stack(client, network):
    with echo_server(network.namespace, 9000) as clients, client.dial("client", "172.30.0.1", 9000) as connection:
        assert lab.echoes(connection)
        assert addresses(clients) == [client.address]
        assert clients[0][1] in PORTS
        close_forwarding(client)
        for _ in range(10):
            assert lab.echoes(connection, bytes(range(256)) * 4000)
        assert not client.connects("client", "172.30.0.1", 9000, seconds=1)  # but not a flow's first packet
        open_forwarding(client)
        assert client.connects("client", "172.30.0.1", 9000)


def test_equal_ports_of_two_containers(client, network):
    client.start("other", "web")
    with udp_echo(network.namespace, 9000) as clients, \
            udp_from(client, "client", "172.30.0.1", 9000, 5000) as one, \
            udp_from(client, "other", "172.30.0.1", 9000, 5000) as other:
        for number in range(5):
            for text, connection in ((b"one", one), (b"other", other)):
                assert lab.echoes(connection, text + str(number).encode())
        assert len(set(clients)) == 2
        assert addresses(set(clients)) == [client.address] * 2
        assert all(port in PORTS for _, port in clients)


def test_ping_is_the_kernel_s(client):
    assert client.ping("client", "172.30.0.1")
    assert flows(client) == 0


def test_fragments(client, network):
    with udp_echo(network.namespace, 9000), udp_from(client, "client", "172.30.0.1", 9000) as connection:
        for _ in range(3):
            assert lab.echoes(connection, b"x" * 5000)


def test_closed_port_is_told(client, network):
    with udp_from(client, "client", "172.30.0.1", 9999) as connection:
        with pytest.raises(ConnectionRefusedError):
            connection.send(b"x")
            connection.recv(1)


def test_expired_packet_is_told(client, far):
    with udp_echo(far, 9000), udp_from(client, "client", FAR, 9000) as connection:
        assert lab.echoes(connection)
        connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 2)
        connection.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        connection.send(b"x")
        with pytest.raises(OSError) as told:
            connection.recv(1)
        assert told.value.errno == errno.EHOSTUNREACH
        connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 3)
        assert lab.echoes(connection)


def test_too_large_packet_is_told(client, far):
    with echo_server(far, 9000) as clients, client.dial("client", FAR, 9000) as connection:
        assert lab.echoes(connection, b"x" * 200000 + b"\n")
        assert addresses(clients) == [client.address]
        assert connection.getsockopt(socket.IPPROTO_IP, IP_MTU) == 1300


def test_endpoint_tells_a_closed_port(client, network):
    """An answer to a port that is closed by now: the ICMP error reaches the server."""
    server = lab.socket_in(network.namespace.path, socket.AF_INET, socket.SOCK_DGRAM)
    with server:
        server.bind(("0.0.0.0", 9000))
        server.settimeout(2)
        with udp_from(client, "client", "172.30.0.1", 9000) as connection:
            connection.send(b"x")
            _, seen = server.recvfrom(1)
            server.connect(seen)
            server.send(b"x")
            assert connection.recv(1) == b"x"
        server.send(b"x")
        with pytest.raises(ConnectionRefusedError):
            server.recv(1)


def test_policy_ends_a_connection(client, network):
    with echo_server(network.namespace, 9000), client.dial("client", "172.30.0.1", 9000) as connection:
        assert lab.echoes(connection)
        client.calicoctl("profile", "web", "rule", "remove", "outbound", "allow")
        connection.settimeout(1)
        lab.until(lambda: not lab.echoes(connection), what="the end of the connection")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_connections_outlive_the_daemon(client, network, how):
    with echo_server(network.namespace, 9000) as clients, client.dial("client", "172.30.0.1", 9000) as connection:
        assert lab.echoes(connection)
        client.stop_node(how)
        assert lab.echoes(connection)
        assert client.connects("client", "172.30.0.1", 9000)
        client.start_node()
        wait_for_uplink(client)
        assert lab.echoes(connection, b"x" * 1000000 + b"\n")
        assert client.connects("client", "172.30.0.1", 9000)
        assert addresses(clients) == [client.address] * 3
        close_forwarding(client)
        assert lab.echoes(connection)


def test_removed_container_gives_its_ports_back(client, network):
    with udp_echo(network.namespace, 9000), udp_from(client, "client", "172.30.0.1", 9000) as connection:
        assert lab.echoes(connection)
        assert flows(client) == 1
    client.remove("client")
    lab.until(lambda: flows(client) == 0, what="the end of the flow")


def test_ports_are_reserved_beside_others(client):
    shown = client.run("sysctl", "-n", "net.ipv4.ip_local_reserved_ports").stdout.strip()
    assert shown == "8080,9000-9010,61000-65535"
