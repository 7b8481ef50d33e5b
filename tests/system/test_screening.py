# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What uplinks drop before anybody looks at it, by XDP and by TC: block list, addresses of nobody, denied openers."""

import json
import os
import signal
import socket

import pytest

import lab

OPEN = ("inbound", "allow", "tcp", "to", "ports", "80")
SUSPECT, INNOCENT = "198.51.100.7", "203.0.113.7"
REASONS = {"blocked": "source is on the block list", "nobody": "address in a pool that no endpoint has",
           "denied": "no inbound rule of the receiver allows it", "flood": "too many new flows from one source"}


@pytest.fixture(params=["xdp", "tc"])
def made(request, network, image):
    """A machine whose uplink is screened by XDP or by TC, with a server that opens port 80; and its address."""
    # A veth is no place for XDP unless told so.
    settings = {"FELIX_UPLINKXDP": "on"} if request.param == "xdp" else {}
    with network.machine("host-a", image=image, environment=settings) as machine:
        machine.start_docker()
        machine.start_node()
        machine.screening = request.param
        for address in (SUSPECT, INNOCENT):
            network.namespace.run("ip", "address", "add", f"{address}/32", "dev", "lan")
        machine.calicoctl("pool", "add", "10.77.0.0/16")
        machine.create_network("web", "--subnet", "10.77.0.0/16")
        machine.calicoctl("profile", "web", "rule", "add", *OPEN)
        address = machine.start_echo("www", "web", 80, 82)
        network.namespace.run("ip", "route", "replace", "10.77.0.0/16", "via", machine.address)
        lab.until(lambda: uplink(machine).get("screening") == request.param, what="the screening")
        lab.until(lambda: reaches(network, INNOCENT, address), what="the opening of the port")
        yield machine, address


def status(machine):
    return json.loads(machine.calicoctl("status", "-o", "json"))["daemon"]


def uplink(machine):
    return next(iter(status(machine)["uplinks"]), {})


def drops(machine, reason):
    return sum(drop["packets"] for drop in status(machine)["drops"]
               if drop["interface"] == "total" and drop["reason"] == REASONS[reason])


def dial(network, source, address, port=80, seconds=1):
    return lab.dial(network.namespace.path, address, port, seconds, source)


def reaches(network, source, address, port=80):
    return lab.reaches(network.namespace.path, address, port, 1, source)


def send(network, source, address, port=9, count=1):
    with lab.socket_in(network.namespace.path, socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((source, 0))
        for _ in range(count):
            sender.sendto(b"x", (address, port))


def refuses(network, address, size=1):
    """Whether a datagram to a port where nobody listens gets the host's answer."""
    with lab.socket_in(network.namespace.path, socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(2)
        sender.connect((address, 9))
        sender.send(b"x" * size)
        try:
            sender.recv(1)
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            return False


def test_block_list(made, network):
    machine, address = made
    with dial(network, SUSPECT, address) as connection:
        assert lab.echoes(connection)
        machine.calicoctl("blocklist", "add", "198.51.100.0/24")
        connection.settimeout(0.5)
        lab.until(lambda: not lab.echoes(connection), what="the end of the connection")
    assert not reaches(network, SUSPECT, address)
    assert drops(machine, "blocked") > 0
    assert reaches(network, INNOCENT, address)
    # The host itself stays within reach, whatever somebody blocks.
    machine.calicoctl("blocklist", "add", "0.0.0.0/0", "::/0")
    lab.until(lambda: not reaches(network, INNOCENT, address), what="a block list of everything")
    assert "3 networks" in machine.calicoctl("status")
    assert refuses(network, machine.address)
    machine.calicoctl("blocklist", "remove", "0.0.0.0/0", "::/0", "198.51.100.0/24")
    lab.until(lambda: reaches(network, SUSPECT, address), what="the end of the block")


def test_addresses_of_nobody(made, network):
    machine, address = made
    start, _, last = address.rpartition(".")
    nobody = f"{start}.{int(last) ^ 1}"  # in the same block
    before = drops(machine, "nobody")

    def dropped():
        send(network, INNOCENT, nobody)
        return drops(machine, "nobody") > before

    lab.until(dropped, what="the block of the host")
    # Whoever gets the address is reached at once.
    machine.docker("run", "-d", "--name", "late", "--net", "web", "--ip", nobody, "busybox", "nc", "-ll", "-p", "80",
                   "-e", "cat")
    lab.until(lambda: reaches(network, INNOCENT, nobody), what="the late container")
    before = drops(machine, "nobody")
    assert reaches(network, INNOCENT, nobody)
    assert drops(machine, "nobody") == before


def test_denied_openers(made, network):
    machine, address = made
    before = drops(machine, "denied")
    assert not reaches(network, INNOCENT, address, 82)
    assert drops(machine, "denied") > before
    with dial(network, INNOCENT, address) as connection:
        assert lab.echoes(connection, b"x" * 200000 + b"\n")


def test_large_frames(made, network):
    machine, address = made
    machine.run("ip", "link", "set", "eth0", "mtu", "9000")
    for port in json.loads(network.namespace.run("ip", "-json", "link", "show").stdout):
        if port["ifname"] != "lo":
            network.namespace.run("ip", "link", "set", port["ifname"], "mtu", "9000")
    with dial(network, INNOCENT, address) as connection:
        assert lab.echoes(connection, b"x" * 200000 + b"\n")
    assert refuses(network, machine.address, 8000)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_screening_outlives_the_daemon(made, network, how):
    machine, address = made
    machine.calicoctl("blocklist", "add", "198.51.100.0/24")
    lab.until(lambda: not reaches(network, SUSPECT, address), what="the block")
    pin = machine.path("bpf", "calico", "v1", "links", "eth0_xdp")
    with dial(network, INNOCENT, address) as connection:
        machine.stop_node(how)
        assert os.path.exists(pin) == (machine.screening == "xdp")
        assert not reaches(network, SUSPECT, address)
        assert lab.echoes(connection)
        machine.start_node()
        lab.until(lambda: uplink(machine).get("screening") == machine.screening, what="the screening")
        assert not reaches(network, SUSPECT, address)
        assert lab.echoes(connection)
    machine.remove("www")  # while there is a daemon to ask
    machine.stop_node()
    machine.run(f"{lab.BUILD}/calico-node", "--teardown")
    assert not os.path.exists(pin)
    assert "xdp" not in machine.run("ip", "link", "show", "eth0").stdout


def test_flood_of_one_source(network, image):
    settings = {"FELIX_UPLINKXDP": "on", "FELIX_NEWFLOWSPERSOURCE": "50"}
    with network.machine("host-a", image=image, environment=settings) as machine:
        machine.start_docker()
        machine.start_node()
        for address in (SUSPECT, INNOCENT):
            network.namespace.run("ip", "address", "add", f"{address}/32", "dev", "lan")
        machine.create_network("web")
        machine.calicoctl("profile", "web", "rule", "add", *OPEN)
        address = machine.start_echo("www", "web", 80)
        network.namespace.run("ip", "route", "replace", address, "via", machine.address)
        lab.until(lambda: reaches(network, SUSPECT, address), what="the opening of the port")
        with dial(network, SUSPECT, address) as connection:
            def flooded():
                for port in range(1000, 1100):
                    send(network, SUSPECT, address, port)
                return drops(machine, "flood") > 0

            lab.until(flooded, what="the end of the source's budget")
            assert lab.echoes(connection)  # what it has already is not touched
            assert reaches(network, INNOCENT, address)


def test_status_says_who_screens(machine):
    lab.until(lambda: uplink(machine), what="the uplink")
    assert uplink(machine)["screening"] == "tc"
    assert "Uplink eth0: screened by TC (XDP would make packets through a veth smaller and copy them)" \
        in machine.calicoctl("status")
    machine.calicoctl("config", "felix", "UplinkXDP", "on", "--force")
    lab.until(lambda: uplink(machine)["screening"] == "xdp", what="XDP")
    assert "Uplink eth0: screened by XDP" in machine.calicoctl("status")
    machine.calicoctl("config", "felix", "UplinkXDP", "off", "--force")
    lab.until(lambda: uplink(machine)["screening"] == "tc", what="the end of XDP")
    assert "screened by TC (UplinkXDP is off)" in machine.calicoctl("status")


def test_long_list_and_invalid_entries(cluster_machine):
    machine = cluster_machine
    networks = [f"198.{18 + number // 65536}.{number // 256 % 256}.{number % 256}/32" for number in range(10000)]
    machine.calicoctl("blocklist", "add", *networks)
    put = machine.etcd.etcdctl
    put("set", "/calico/v1/blocklist/v4/nonsense", "{}")
    put("set", "/calico/v1/blocklist/v4/192.0.2.1-24", '{"cidr": "192.0.2.1/24"}')
    put("set", "/calico/v1/blocklist/v6/192.0.2.0-24", '{"cidr": "192.0.2.0/24"}')
    put("set", "/calico/v1/blocklist/v4/192.0.3.0-24", '{"cidr": "192.0.4.0/24"}')
    put("set", "/calico/v1/blocklist/v4/192.0.5.0-24", '{"cidr": "192.0.5.0/24"}')

    def problems():
        return {problem["object"].rpartition("/")[2] for problem in status(machine)["problems"]}

    lab.until(lambda: status(machine)["blocked"] == 10001, 60, "the whole block list")
    lab.until(lambda: problems() == {"nonsense", "192.0.2.1-24", "192.0.2.0-24", "192.0.3.0-24"}, what="the problems")
    # An entry that becomes invalid blocks no more; one that goes is no problem any more.
    put("set", "/calico/v1/blocklist/v4/192.0.5.0-24", "{}")
    put("rm", "/calico/v1/blocklist/v4/nonsense")
    lab.until(lambda: status(machine)["blocked"] == 10000, what="the end of the entry")
    lab.until(lambda: "nonsense" not in problems() and "192.0.5.0-24" in problems(), what="the problems")
    machine.stop_node()
    machine.start_node()
    lab.until(lambda: status(machine)["blocked"] == 10000, what="the block list after a restart")


def test_command(ctl):
    assert ctl("blocklist", "add", "198.51.100.9/24", "192.0.2.1", "2001:DB8::1/32") == ""
    assert json.loads(ctl.get("/calico/v1/blocklist/v4/198.51.100.0-24")) == {"cidr": "198.51.100.0/24"}
    assert json.loads(ctl.get("/calico/v1/blocklist/v4/192.0.2.1-32")) == {"cidr": "192.0.2.1/32"}
    assert json.loads(ctl.get("/calico/v1/blocklist/v6/2001:db8::-32")) == {"cidr": "2001:db8::/32"}
    assert ctl.rows("blocklist", "show", "--ipv4") == ["192.0.2.1/32", "198.51.100.0/24"]
    assert ctl.rows("blocklist", "show", "--ipv6") == ["2001:db8::/32"]
    assert ctl.fails("blocklist", "add", "10.0.0.0/8", "x") == "Invalid CIDR specified x\n"
    assert ctl.get("/calico/v1/blocklist/v4/10.0.0.0-8") is None
    assert ctl.fails("blocklist", "remove", "10.0.0.0/8", "192.0.2.1") == "10.0.0.0/8 is not on the block list.\n"
    assert ctl.rows("blocklist", "show", "--ipv4") == ["198.51.100.0/24"]


def test_invalid_entries_are_shown(etcd_ctl):
    etcd_ctl.put("/calico/v1/blocklist/v4/nonsense", {})
    etcd_ctl.put("/calico/v1/blocklist/v4/192.0.3.0-24", {"cidr": "192.0.4.0/24"})
    etcd_ctl.put("/calico/v1/blocklist/v4/192.0.5.0-24", {"cidr": "192.0.5.0/24"})
    shown = {row["cidr"]: row["problem"] for row in etcd_ctl.json("blocklist", "show")["ipv4"]}
    assert shown == {"nonsense": "the key does not name a network", "192.0.5.0/24": "",
                     "192.0.3.0/24": "cidr: is not the network that the key names"}
