# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Other software meddles with what calico-node put on the host."""

import json

import pytest

from lab import until


def filters(machine, interface):
    shown = machine.run("tc", "-json", "filter", "show", "dev", interface, "ingress").stdout.strip()
    return json.loads(shown or "[]")


def endpoint_interface(machine):
    return next(name for name in machine.links() if name.startswith("cali"))


@pytest.fixture
def clsact_machine(network, image):
    with network.machine("clsact", image=image) as machine:
        machine.start_node("--attach=clsact")
        machine.start_docker()
        yield machine


def test_deleted_qdisc_comes_back_with_its_programs(clsact_machine):
    machine = clsact_machine
    machine.create_network("databases")
    machine.create_network("applications")
    database = machine.start("db", "databases")
    machine.start("peer", "databases")
    machine.start("app", "applications")
    interface = endpoint_interface(machine)
    assert filters(machine, interface)
    machine.run("tc", "qdisc", "del", "dev", interface, "clsact")
    assert not filters(machine, interface)
    until(lambda: filters(machine, interface), 20, "the programs' return")
    assert machine.ping("peer", database)
    assert not machine.ping("app", database)


def test_interface_that_was_down_gets_its_route_back(machine):
    machine.create_network("databases")
    database = machine.start("db", "databases")
    interface = endpoint_interface(machine)
    machine.run("ip", "link", "set", interface, "down")
    assert machine.routes() == set()
    machine.run("ip", "link", "set", interface, "up")
    until(lambda: machine.routes() == {database}, what="the route's return")
    assert machine.run("busybox", "ping", "-q", "-c", "1", "-W", "2", database, check=False).returncode == 0


def test_deleted_route_comes_back(machine):
    machine.create_network("databases")
    database = machine.start("db", "databases")
    machine.run("ip", "route", "delete", database)
    until(lambda: machine.routes() == {database}, 20, "the route's return")


def test_endpoint_without_interface_gives_its_address_no_rights(cluster_machine):
    """As when the datastore tells of a container that is gone, and its address is another's already."""
    machine = cluster_machine
    machine.create_network("databases")
    machine.create_network("applications")
    database = machine.start_echo("db", "databases", 3306, 3307)
    application = machine.start("app", "applications")
    profile = machine.inspect("db")["NetworkSettings"]["Networks"]["databases"]["NetworkID"]
    stale = {"state": "active", "name": "cali0123456789a", "mac": "ee:ee:ee:ee:ee:ee", "profile_ids": [profile],
             "ipv4_nets": [f"{application}/32"], "ipv6_nets": []}
    machine.etcd.etcdctl("set", "/calico/v1/host/host-a/workload/libnetwork/libnetwork/endpoint/0123456789ab",
                         json.dumps(stale))
    machine.calicoctl("profile", "databases", "rule", "add", "inbound", "allow", "tcp", "to", "ports", "3307")
    until(lambda: machine.connects("app", database, 3307, seconds=1), what="the later rule's effect")
    assert not machine.connects("app", database, 3306, seconds=1)
