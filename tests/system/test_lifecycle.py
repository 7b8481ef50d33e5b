# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Whatever ends a container, nothing of it stays; whatever ends the daemon, everything stays."""

import json
import os
import signal

import lab

ENDPOINTS = "/calico/v1/host/host-a/workload"
BLOCKS = "/calico/ipam/v2/assignment"


def assigned(etcd):
    """Number of addresses that IPAM has given out."""
    count = 0
    for key in etcd.keys(BLOCKS):
        block = json.loads(etcd.get(key))
        count += sum(1 for owner in block["allocations"] if owner is not None)
    return count


def assert_nothing_is_left(host):
    lab.until(lambda: not host.workload_links(), what="the end of the workload interfaces")
    assert host.routes() == set()
    assert host.etcd.keys(ENDPOINTS) == []
    assert assigned(host.etcd) == 0


def test_every_end_of_a_container_leaves_nothing(cluster_machine):
    host = cluster_machine
    host.create_network("databases")
    ends = {
        "removed": lambda name: host.docker("rm", "-f", name),
        "stopped": lambda name: host.docker("stop", "-t", "0", name),
        "killed": lambda name: host.docker("kill", name),
        "disconnected": lambda name: host.docker("network", "disconnect", "databases", name),
    }
    for name, end in ends.items():
        address = host.start(name, "databases")
        assert host.routes() == {address}
        assert len(host.etcd.keys(ENDPOINTS)) == 1
        assert assigned(host.etcd) == 1
        end(name)
        assert_nothing_is_left(host)


def test_restarted_container_gets_on(any_machine):
    host = any_machine
    host.create_network("databases")
    host.start("peer", "databases")
    host.start_echo("db", "databases", 3306)
    host.docker("restart", "-t", "0", "db")
    address = host.container_address("db", "databases")
    lab.until(lambda: host.connects("peer", address, 3306), what="the restarted server's answer")
    assert len(host.routes()) == 2


def test_many_containers_come_and_go(cluster_machine):
    host = cluster_machine
    host.create_network("databases")
    for _ in range(3):
        names = [f"c{number}" for number in range(8)]
        script = " & ".join(f"{lab.DOCKER} run -d --name {name} --net databases busybox sleep 1000" for name in names)
        host.run("sh", "-c", script + " & wait")
        addresses = {host.container_address(name, "databases") for name in names}
        assert len(addresses) == len(names)
        assert host.routes() == addresses
        host.remove(*names)
        assert_nothing_is_left(host)


def test_killed_daemon_keeps_policy_in_force(any_machine):
    host = any_machine
    host.create_network("databases")
    host.create_network("applications")
    database = host.start_echo("db", "databases", 3306)
    host.start("replica", "databases")
    host.start("app", "applications")

    def policy_holds(connection):
        assert lab.echoes(connection)
        assert host.connects("replica", database, 3306)
        assert not host.connects("app", database, 3306, seconds=1)

    with host.dial("replica", database, 3306) as connection:
        policy_holds(connection)
        links = host.workload_links()
        host.stop_node(signal.SIGKILL)
        policy_holds(connection)
        host.start_node()
        policy_holds(connection)
        assert host.workload_links() == links

    host.calicoctl("profile", "databases", "rule", "add", "inbound", "allow", "from", "tag", "applications")
    lab.until(lambda: host.connects("app", database, 3306, seconds=1), what="the new rule's effect")
    address = host.start("late", "databases")
    assert host.ping("replica", address)


def test_terminated_daemon_ends_well_and_keeps_policy(machine):
    machine.create_network("databases")
    database = machine.start_echo("db", "databases", 3306)
    machine.start("replica", "databases")
    assert machine.stop_node() == 0
    assert machine.connects("replica", database, 3306)
    machine.start_node()
    assert machine.connects("replica", database, 3306)


def test_container_removed_while_the_daemon_is_away(cluster_machine):
    host = cluster_machine
    host.create_network("databases")
    host.start("db", "databases")
    host.stop_node(signal.SIGKILL)
    host.docker("rm", "-f", "db", timeout=180)
    host.start_node()
    lab.until(lambda: not host.workload_links() and not host.etcd.keys(ENDPOINTS) and assigned(host.etcd) == 0,
              150, "the removal of what the container left")  # the collector waits a minute before it believes


def test_teardown_leaves_the_kernel_clean(machine):
    machine.create_network("databases")
    machine.start("db", "databases")
    machine.remove("db")
    machine.stop_node()
    machine.run(f"{lab.BUILD}/calico-node", "--teardown")
    assert machine.workload_links() == set()
    assert machine.routes() == set()
    assert "calico" not in machine.run("nft", "list", "ruleset").stdout
    assert not os.path.exists(machine.path("bpf", "calico"))
