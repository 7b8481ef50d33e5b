# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One cluster of two hosts on one etcd: networks span it, addresses are unique in it, policy holds across it.

Routes between the hosts are set by the tests themselves, as a router would from the hosts' address blocks.
"""

import pytest

import lab


def blocks(host):
    """CIDRs of the blocks that a host's addresses come from."""
    keys = host.etcd.keys(f"/calico/ipam/v2/host/{host.name}/ipv4/block")
    return [key.rsplit("/", 1)[1].replace("-", "/") for key in keys]


def route_between(*hosts):
    for here in hosts:
        for there in hosts:
            for block in blocks(there) if there is not here else []:
                here.run("ip", "route", "replace", block, "via", there.address)


@pytest.fixture
def cluster(two_machines):
    """(first, second), with `databases` and `applications` made on the first, and both seen on the second."""
    first, second = two_machines
    for network in ("databases", "applications"):
        first.create_network(network)
        lab.until(lambda: second.docker("network", "inspect", network, check=False).returncode == 0,
                  what=f"{network} on the other host")
    return first, second


def test_members_reach_each_other_across_hosts(cluster):
    first, second = cluster
    database = first.start_echo("db", "databases", 3306)
    replica = second.start("replica", "databases")
    second.start("app", "applications")
    route_between(first, second)
    assert database != replica
    assert second.connects("replica", database, 3306)
    assert second.ping("replica", database)
    assert first.ping("db", replica)
    assert not second.connects("app", database, 3306, seconds=1)
    assert not second.ping("app", database, seconds=1)


def test_rule_opens_and_closes_a_port_for_the_other_host(cluster):
    first, second = cluster
    rule = ("inbound", "allow", "tcp", "from", "tag", "applications", "to", "ports", "3306")
    database = first.start_echo("db", "databases", 3306, 3307)
    second.start("app", "applications")
    route_between(first, second)
    second.calicoctl("profile", "databases", "rule", "add", *rule)
    lab.until(lambda: second.connects("app", database, 3306, seconds=1), what="the opening of the port")
    assert not second.connects("app", database, 3307, seconds=1)
    with second.dial("app", database, 3306) as connection:
        connection.settimeout(1)
        first.calicoctl("profile", "databases", "rule", "remove", *rule)
        lab.until(lambda: not lab.echoes(connection), what="the end of the connection")
    assert not second.connects("app", database, 3306, seconds=1)


def test_addresses_are_unique_in_the_cluster(cluster):
    first, second = cluster
    addresses = [host.start(f"{host.name}-{number}", "databases") for host in cluster for number in range(4)]
    assert len(set(addresses)) == len(addresses)
    assert not set(blocks(first)) & set(blocks(second))


def test_policy_survives_the_datastore(cluster):
    """While etcd is away: what was in force stays, and a change made afterwards arrives."""
    first, second = cluster
    etcd = first.etcd
    database = first.start_echo("db", "databases", 3306)
    second.start("replica", "databases")
    second.start("app", "applications")
    route_between(first, second)
    assert second.connects("replica", database, 3306)
    etcd.stop()
    assert second.connects("replica", database, 3306)
    assert not second.connects("app", database, 3306, seconds=1)
    etcd.start()
    second.calicoctl("profile", "databases", "rule", "add", "inbound", "allow", "from", "tag", "applications")
    lab.until(lambda: second.connects("app", database, 3306, seconds=1), 30, "the new rule's effect")
