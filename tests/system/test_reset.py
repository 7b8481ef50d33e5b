# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A host whose power was cut: no link, program or process is left; containers come back by their restart policy."""

import contextlib
import json
import os
import sqlite3

import pytest

import lab
from test_emptied_store import back_up, delete_everything, is_well, problems, put_back, request_address
from test_plugin_failures import ENDPOINTS, used_addresses

ALWAYS = ("--restart", "always")


def keep(machine):
    pass


def lose(machine):
    if machine.etcd:
        delete_everything(machine.etcd)
        return
    for end in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(machine.path("state", f"calico.db{end}"))


def older(machine):
    put_back(machine.etcd)


def start_pair(machine, backup):
    machine.create_network("databases")
    machine.start_echo("server", "databases", 3306, options=ALWAYS)
    if backup:
        back_up(machine.etcd)
        lab.until(lambda: is_well(machine), 30, "a state without problems")
    machine.start("client", "databases", options=ALWAYS)
    machine.start("other", "databases")
    lab.until(lambda: connected(machine), what="the connection")


def connected(machine):
    return machine.connects("client", machine.container_address("server", "databases"), 3306)


def running(machine):
    return set(machine.docker("ps", "--format", "{{.Names}}").split())


def endpoints(machine):
    """Address -> interface of each endpoint of this host."""
    if machine.etcd:
        texts = filter(None, [machine.etcd.get(key) for key in machine.etcd.keys(ENDPOINTS)])
    else:
        path = machine.path("state", "calico.db")
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
            texts = [row[0] for row in store.execute("SELECT value FROM node WHERE key LIKE ? AND value IS NOT NULL",
                                                     (ENDPOINTS + "/%",))]
    return {json.loads(text)["ipv4_nets"][0].partition("/")[0]: json.loads(text)["name"] for text in texts}


def assert_all_is_back(machine):
    def settled():
        addresses = {machine.container_address(name, "databases") for name in ("client", "server")}
        now = endpoints(machine)
        return len(addresses) == 2 and now.keys() == addresses and machine.workload_links() == set(now.values())

    lab.until(lambda: running(machine) == {"client", "server"}, 60, "the containers")
    # Records of the engine that its end left behind are believed for a minute.
    lab.until(settled, 120, "one endpoint and interface for each container")
    lab.until(lambda: connected(machine), 30, "the connection")
    lab.until(lambda: problems(machine) == {}, 30, "a state without problems")
    assert request_address(machine) not in endpoints(machine)
    # What did not come back by itself can be started, and whatever is new.
    machine.docker("start", "other")
    machine.start("new", "databases")
    assert len(endpoints(machine)) == 4
    for name in ("other", "new"):
        assert machine.connects(name, machine.container_address("server", "databases"), 3306)


@pytest.mark.parametrize("happens", [keep, lose, older])
def test_with_a_cluster_store(cluster_machine, happens):
    machine = cluster_machine
    start_pair(machine, happens is older)
    machine.cut_power()
    happens(machine)
    machine.start_node()
    machine.start_docker()
    assert_all_is_back(machine)
    in_use = set(endpoints(machine))
    lab.until(lambda: in_use <= set(used_addresses(machine.etcd)), 30, "the addresses")


@pytest.mark.parametrize("happens", [keep, lose])
def test_with_the_embedded_store(machine, happens):
    start_pair(machine, False)
    machine.cut_power()
    happens(machine)
    machine.start_node()
    machine.start_docker()
    assert_all_is_back(machine)
