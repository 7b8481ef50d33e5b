# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Host endpoints: policy for what a host itself receives and sends, on uplinks and other interfaces."""

import contextlib
import json
import os
import signal
import socket
import threading

import pytest

import lab

KEY = "/calico/v1/host/host-a/endpoint"
ALLOW = {"inbound_rules": [{}], "outbound_rules": [{}]}
NOTHING = {"inbound_rules": [], "outbound_rules": []}
LAN = {4: "172.30.0.1", 6: "fd30::1"}


@contextlib.contextmanager
def servers(namespace, *ports):
    """TCP servers of both families that echo, on each of the ports."""
    listeners = []

    def serve(connection):
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(4096):
                connection.sendall(data)

    def accept(listener):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    for port in ports:
        listener = lab.socket_in(namespace.path, socket.AF_INET6, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("::", port))
        listener.listen()
        listeners.append(listener)
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
    try:
        yield
    finally:
        for listener in listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


def refuses(namespace, address, port):
    return not lab.reaches(namespace.path, address, port, seconds=0.5)


def address6(machine):
    return f"fd30::{machine.address.rpartition('.')[2]}"


def put(machine, key, value):
    machine.etcd.etcdctl("set", key, json.dumps(value))


def set_endpoint(machine, identity, **members):
    put(machine, f"{KEY}/{identity}", members)


def set_rules(machine, profile, rules):
    put(machine, f"/calico/v1/policy/profile/{profile}/rules", rules)


def host_endpoint(machine, name):
    shown = json.loads(machine.calicoctl("status", "-o", "json")).get("daemon") or {}
    found = [made for made in shown.get("host_endpoints", []) if made["key"] == f"{KEY}/{name}"]
    return found[0] if found else None


def interfaces(machine, name):
    found = host_endpoint(machine, name)
    return sorted(found["interfaces"]) if found else None


def wait_for(machine, name, *names):
    lab.until(lambda: interfaces(machine, name) == sorted(names), what=f"{name} on {names}")


def problems(machine):
    return {problem["object"]: problem["text"]
            for problem in json.loads(machine.calicoctl("status", "-o", "json"))["daemon"]["problems"]}


@pytest.fixture
def host(network):
    """A machine without containers; etcd has a port that is failsafe, so its own connection outlives all."""
    with network.etcd() as etcd:
        with network.machine("host-a", etcd=etcd) as made:
            etcd.etcdctl("set", "/calico/v1/config/FailsafeOutboundHostPorts", str(etcd.port))
            made.start_node()
            lab.until(lambda: made.calicoctl("status", check=False).returncode == 0, what="the host's registration")
            yield made


def test_failsafe_ports_need_no_policy(host, network):
    lan = network.namespace
    with servers(host.namespace, 22, 23), servers(lan, 2379, 2380):
        host.etcd.etcdctl("set", "/calico/v1/config/FailsafeOutboundHostPorts", f"{host.etcd.port},2379")
        for address in (host.address, address6(host)):
            assert lab.reaches(lan.path, address, 23)
        with lab.dial(lan.path, host.address, 22) as ssh, lab.dial(lan.path, host.address, 23) as other:
            assert lab.echoes(ssh) and lab.echoes(other)
            set_endpoint(host, "eth", name="eth0")
            wait_for(host, "eth", "eth0")
            assert lab.echoes(ssh)
            other.settimeout(0.5)
            assert not lab.echoes(other)
        for address, outside in ((host.address, LAN[4]), (address6(host), LAN[6])):
            assert lab.reaches(lan.path, address, 22)
            assert refuses(lan, address, 23)
            assert lab.reaches(host.namespace.path, outside, 2379)
            assert refuses(host.namespace, outside, 2380)
        # The daemon still hears the datastore, which is beyond that interface.
        host.etcd.etcdctl("set", "/calico/v1/host/host-a/config/FailsafeInboundHostPorts", "23")
        lab.until(lambda: lab.reaches(lan.path, host.address, 23, seconds=0.5), what="the other failsafe port")
        assert refuses(lan, host.address, 22)
        # A value that means nothing leaves the default open.
        host.etcd.etcdctl("set", "/calico/v1/host/host-a/config/FailsafeInboundHostPorts", "ssh")
        lab.until(lambda: lab.reaches(lan.path, host.address, 22, seconds=0.5), what="the default")
        assert "parameter FailsafeInboundHostPorts" in problems(host)
        host.etcd.etcdctl("rm", f"{KEY}/eth")
        lab.until(lambda: lab.reaches(lan.path, host.address, 23, seconds=0.5), what="the end of the host endpoint")


def test_policy_of_a_host(host, network):
    lan = network.namespace
    with servers(host.namespace, 80, 81), servers(lan, 90, 91):
        set_rules(host, "metal", {"inbound_rules": [{"protocol": "tcp", "dst_ports": [80]},
                                                    {"protocol": "icmp", "icmp_type": 8}],
                                  "outbound_rules": [{"protocol": "tcp", "dst_ports": [90]}]})
        set_endpoint(host, "eth", expected_ipv4_addrs=[host.address], expected_ipv6_addrs=[address6(host)],
                     profile_ids=["metal"])
        wait_for(host, "eth", "eth0")
        for address, outside in ((host.address, LAN[4]), (address6(host), LAN[6])):
            assert lab.reaches(lan.path, address, 80)
            assert refuses(lan, address, 81)
            assert lab.reaches(host.namespace.path, outside, 90)
            assert refuses(host.namespace, outside, 91)
        assert lan.run("busybox", "ping", "-c", "1", "-W", "2", host.address).returncode == 0
        assert host.run("busybox", "ping", "-c", "1", "-W", "1", LAN[4], check=False).returncode != 0
        shown = host.calicoctl("policy", "show", "eth0")
        assert "allow tcp to ports 80" in shown and shown == host.calicoctl("policy", "show", "eth")
        assert "Host endpoint eth: up on eth0" in host.calicoctl("status")
        # What is revoked ends at its next packet.
        with lab.dial(lan.path, host.address, 80) as connection:
            assert lab.echoes(connection)
            set_rules(host, "metal", NOTHING)
            connection.settimeout(0.5)
            lab.until(lambda: not lab.echoes(connection), what="the end of the connection")
        assert refuses(lan, host.address, 80)
        # Another profile, chosen at run time.
        set_rules(host, "open", ALLOW)
        set_endpoint(host, "eth", name="eth0", profile_ids=["open"])
        lab.until(lambda: lab.reaches(lan.path, host.address, 81, seconds=0.5), what="the other profile")


def test_addresses_are_members_of_tags(host, network):
    lan = network.namespace
    put(host, "/calico/v1/policy/profile/lan/tags", ["LAN"])
    set_rules(host, "metal", {"inbound_rules": [{"src_tag": "LAN"}], "outbound_rules": []})
    set_endpoint(host, "eth", name="eth0", profile_ids=["metal"])
    wait_for(host, "eth", "eth0")
    with servers(host.namespace, 80):
        assert refuses(lan, host.address, 80)
        put(host, "/calico/v1/host/elsewhere/endpoint/lan", {"expected_ipv4_addrs": [LAN[4]],
                                                             "profile_ids": ["lan"]})
        lab.until(lambda: lab.reaches(lan.path, host.address, 80, seconds=0.5), what="the membership")
        assert refuses(lan, address6(host), 80)


def test_tiers_select_host_endpoints(host, network):
    lan = network.namespace
    put(host, "/calico/v1/policy/tier/t/metadata", {"order": 1})
    put(host, "/calico/v1/policy/tier/t/policy/p", {
        "selector": "role == 'metal'", "order": 1,
        "inbound_rules": [{"protocol": "tcp", "dst_ports": [80]}], "outbound_rules": []})
    set_rules(host, "open", ALLOW)
    set_endpoint(host, "eth", name="eth0", profile_ids=["open"], labels={"role": "metal"})
    wait_for(host, "eth", "eth0")
    with servers(host.namespace, 80, 81):
        assert lab.reaches(lan.path, host.address, 80)
        assert refuses(lan, host.address, 81)
        set_endpoint(host, "eth", name="eth0", profile_ids=["open"], labels={"role": "other"})
        lab.until(lambda: lab.reaches(lan.path, host.address, 81, seconds=0.5), what="the selector's change")


@pytest.fixture
def second_nic(host):
    """eth1 of the host, which is no uplink, and who is behind it."""
    with lab.Namespace("behind") as behind:
        def plug():
            host.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", behind.name)
            host.run("ip", "address", "add", "10.99.0.1/24", "dev", "eth1")
            host.run("ip", "address", "add", "fd99::1/64", "dev", "eth1", "nodad")
            host.run("ip", "link", "set", "eth1", "up")
            behind.run("ip", "address", "add", "10.99.0.2/24", "dev", "eth0")
            behind.run("ip", "address", "add", "fd99::2/64", "dev", "eth0", "nodad")
            behind.run("ip", "link", "set", "eth0", "up")
            behind.run("ip", "route", "add", "default", "via", "10.99.0.1")
        yield behind, plug


def test_interface_that_comes_and_goes(host, network, second_nic):
    behind, plug = second_nic
    set_endpoint(host, "second", name="eth1")
    set_endpoint(host, "by-address", expected_ipv4_addrs=["10.99.0.7"])
    lab.until(lambda: host_endpoint(host, "second"), what="the host endpoint")
    assert host_endpoint(host, "second")["state"] == "waiting for its interface"
    with servers(host.namespace, 22, 80), servers(network.namespace, 80):
        plug()
        wait_for(host, "second", "eth1")
        for address in ("10.99.0.1", "fd99::1"):
            lab.until(lambda to=address: lab.reaches(behind.path, to, 22, seconds=0.5), what="the interface's start")
            assert refuses(behind, address, 80)
        # What the host forwards there is no matter of it, and other interfaces neither.
        network.namespace.run("ip", "route", "add", "10.99.0.0/24", "via", host.address)
        assert lab.reaches(behind.path, LAN[4], 80)
        assert lab.reaches(network.namespace.path, host.address, 80)
        # An address comes and goes; then the object with the name has precedence.
        host.etcd.etcdctl("rm", f"{KEY}/second")
        lab.until(lambda: lab.reaches(behind.path, "10.99.0.1", 80, seconds=0.5), what="the end of the host endpoint")
        host.run("ip", "address", "add", "10.99.0.7/32", "dev", "eth1")
        wait_for(host, "by-address", "eth1")
        assert refuses(behind, "10.99.0.1", 80)
        assert lab.reaches(behind.path, "fd99::1", 80)  # it expects no address of that family
        host.run("ip", "address", "delete", "10.99.0.7/32", "dev", "eth1")
        wait_for(host, "by-address")
        assert lab.reaches(behind.path, "10.99.0.1", 80)
        set_endpoint(host, "by-address", name="eth1")
        wait_for(host, "by-address", "eth1")
        assert refuses(behind, "10.99.0.1", 80)
        host.run("ip", "link", "delete", "eth1")
        wait_for(host, "by-address")
        plug()
        wait_for(host, "by-address", "eth1")
        lab.until(lambda: lab.reaches(behind.path, "10.99.0.1", 22, seconds=0.5), what="the interface's start")
        assert refuses(behind, "10.99.0.1", 80)


def test_conflicts_are_reported(host):
    set_endpoint(host, "b", name="eth0")
    set_endpoint(host, "a", name="eth0")
    set_endpoint(host, "c", name="eth0", state="active")
    wait_for(host, "a", "eth0")
    lab.until(lambda: f"{KEY}/c" in problems(host), what="the report of the invalid one")
    assert interfaces(host, "b") == [] and interfaces(host, "c") is None
    assert "a already" in problems(host)["interfaces of host endpoint b"]
    host.etcd.etcdctl("rm", f"{KEY}/a")
    wait_for(host, "b", "eth0")
    assert "interfaces of host endpoint b" not in problems(host)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_policy_outlives_the_daemon(host, network, how):
    lan = network.namespace
    set_rules(host, "metal", {"inbound_rules": [{"protocol": "tcp", "dst_ports": [80]}], "outbound_rules": []})
    set_endpoint(host, "eth", name="eth0", profile_ids=["metal"])
    wait_for(host, "eth", "eth0")
    with servers(host.namespace, 22, 80, 81), lab.dial(lan.path, host.address, 80) as connection:
        assert lab.echoes(connection)
        host.stop_node(how)
        for port, expected in ((22, True), (80, True), (81, False)):
            assert lab.reaches(lan.path, host.address, port, seconds=0.5) == expected
        host.start_node()
        wait_for(host, "eth", "eth0")
        assert lab.echoes(connection)
        for port, expected in ((22, True), (80, True), (81, False)):
            assert lab.reaches(lan.path, host.address, port, seconds=0.5) == expected
        host.stop_node()
        host.run(f"{lab.BUILD}/calico-node", "--teardown")
        assert not os.path.exists(host.path("bpf", "calico"))
        assert lab.reaches(lan.path, host.address, 81)


def test_containers_pass_by_it(cluster_machine, network):
    machine, lan = cluster_machine, network.namespace
    machine.etcd.etcdctl("set", "/calico/v1/config/FailsafeOutboundHostPorts", str(machine.etcd.port))
    machine.calicoctl("pool", "add", "10.77.0.0/16", "--nat-outgoing")
    machine.create_network("web")
    machine.create_network("out", "--subnet", "10.77.0.0/16")
    machine.calicoctl("profile", "web", "rule", "add", "inbound", "allow", "tcp", "to", "ports", "80")
    address = machine.start_echo("www", "web", 80)
    machine.start("client", "out")
    lan.run("ip", "route", "replace", address, "via", machine.address)
    machine.start_echo("plain", "bridge", 80, options=("-p", "8080:80"))
    set_endpoint(machine, "eth", name="eth0")
    wait_for(machine, "eth", "eth0")
    with servers(lan, 9000), servers(machine.namespace, 80):
        assert refuses(lan, machine.address, 80)
        assert lab.reaches(lan.path, address, 80)
        assert machine.connects("www", LAN[4], 9000)
        # Under the host's own address, which its answers come back to.
        assert machine.connects("client", LAN[4], 9000)
        assert machine.connects("plain", LAN[4], 9000)
        assert refuses(machine.namespace, LAN[4], 9000)
        # A published port is one of the host.
        assert refuses(lan, machine.address, 8080)
        set_rules(machine, "metal", {"inbound_rules": [{"protocol": "tcp", "dst_ports": [8080]}],
                                     "outbound_rules": []})
        set_endpoint(machine, "eth", name="eth0", profile_ids=["metal"])
        lab.until(lambda: lab.reaches(lan.path, machine.address, 8080, seconds=0.5), what="the published port")
