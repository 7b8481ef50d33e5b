# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The main job, as a user does it: networks, containers, and one port opened and closed again."""

import lab

DEFAULT_RULES = """\
Inbound rules:
   1 allow from tag databases
Outbound rules:
   1 allow
"""

OPENED_RULES = """\
Inbound rules:
   1 allow from tag databases
   2 allow tcp from tag applications to ports 3306
Outbound rules:
   1 allow
"""

RULE = ("inbound", "allow", "tcp", "from", "tag", "applications", "to", "ports", "3306")


def test_networks_isolate_and_rules_open(any_machine):
    host = any_machine
    host.create_network("databases")
    host.create_network("applications")
    database = host.start_echo("db", "databases", 3306, 3307)
    host.start("replica", "databases")
    host.start("app", "applications")

    assert host.ping("replica", database)
    assert host.connects("replica", database, 3306)
    assert not host.ping("app", database, seconds=1)
    assert not host.connects("app", database, 3306, seconds=1)
    assert host.calicoctl("profile", "databases", "rule", "show") == DEFAULT_RULES

    host.calicoctl("profile", "databases", "rule", "add", *RULE)
    assert host.calicoctl("profile", "databases", "rule", "show") == OPENED_RULES
    lab.until(lambda: host.connects("app", database, 3306, seconds=1), what="the opening of the port")
    assert not host.connects("app", database, 3307, seconds=1)
    assert not host.ping("app", database, seconds=1)

    host.calicoctl("profile", "databases", "rule", "remove", *RULE)
    assert host.calicoctl("profile", "databases", "rule", "show") == DEFAULT_RULES
    lab.until(lambda: not host.connects("app", database, 3306, seconds=1), what="the closing of the port")
    assert host.connects("replica", database, 3306)


def test_container_sees_one_address_behind_the_gateway(any_machine):
    host = any_machine
    host.create_network("databases")
    address = host.start("db", "databases")
    shown = host.docker("exec", "db", "ip", "address", "show", "dev", "cali0")
    assert f"inet {address}/32" in shown
    assert "ee:ee:ee:ee:ee:ee" in shown
    routes = host.docker("exec", "db", "ip", "route")
    assert "default via 169.254.1.1 dev cali0" in routes
    assert address in host.routes()


def test_closing_a_port_cuts_the_connection_that_used_it(machine):
    machine.create_network("databases")
    machine.create_network("applications")
    database = machine.start_echo("db", "databases", 3306)
    machine.start("app", "applications")
    machine.start("replica", "databases")
    machine.calicoctl("profile", "databases", "rule", "add", *RULE)
    lab.until(lambda: machine.connects("app", database, 3306, seconds=1), what="the opening of the port")
    with machine.dial("app", database, 3306) as connection:
        connection.settimeout(1)
        assert lab.echoes(connection)
        machine.calicoctl("profile", "databases", "rule", "remove", *RULE)
        lab.until(lambda: not lab.echoes(connection), what="the end of the connection")
    assert machine.connects("replica", database, 3306)


def test_container_reaches_its_host_and_the_host_reaches_it(machine):
    machine.create_network("databases")
    database = machine.start_echo("db", "databases", 3306)
    assert machine.ping("db", machine.address)
    assert machine.run("busybox", "ping", "-q", "-c", "1", "-W", "2", database, check=False).returncode == 0
