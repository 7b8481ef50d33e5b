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
