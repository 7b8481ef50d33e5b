# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A datastore that loses what containers run by: emptied, replaced, put back to a backup, or in a part; under a daemon
that follows it, or while none runs."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3

import pytest

import lab
from plugin_client import Client
from test_plugin_failures import ENDPOINTS, plugin_status, used_addresses

POLICY = "/calico/v1/policy"
REGISTRATION = ("/calico/v1/Ready", "/calico/v1/host/host-a/bird_ip", "/calico/v1/host/host-a/config/marker",
                "/calico/bgp/v1/host/host-a/ip_addr_v4", "/calico/bgp/v1/global/as_num")


def delete_everything(etcd):
    etcd.etcdctl("rm", "--recursive", "/calico")


def start_without_data(etcd):
    etcd.stop()
    shutil.rmtree(f"{etcd.directory}/data")
    etcd.start()


def back_up(etcd):
    etcd.stop()
    shutil.copytree(f"{etcd.directory}/data", f"{etcd.directory}/backup")
    etcd.start()


def put_back(etcd):
    etcd.stop()
    shutil.rmtree(f"{etcd.directory}/data")
    shutil.move(f"{etcd.directory}/backup", f"{etcd.directory}/data")
    etcd.start()


def status(machine):
    with Client(machine.path("run", "calico-node.sock")) as client:
        client.send(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
        return client.answer().json


def problems(machine):
    return {problem["object"]: problem["text"] for problem in status(machine)["problems"]}


def is_well(machine):
    now = status(machine)
    return now["in_sync"] and now["datastore"]["connected"] and not now["problems"]


def values(etcd, directory):
    return {key: etcd.get(key) for key in etcd.keys(directory)}


def request_address(machine):
    with Client(machine.path("plugins", "calico.sock")) as client:
        answer = client.call("IpamDriver.RequestAddress", {"PoolID": "CalicoPoolIPv4", "Address": "", "Options": None})
    return answer["Address"].partition("/")[0]


def settle(machine):
    """Until the copy in the state directory has everything, and the datastore the word that says so."""
    def settled():
        copy = sqlite3.connect(f"file:{machine.path('state', 'mirror.db')}?mode=ro", uri=True)
        with contextlib.closing(copy):
            witness = copy.execute("SELECT value FROM node WHERE key = '/mirror/witness/0'").fetchone()
            count = copy.execute("SELECT count(*) FROM node WHERE key LIKE ?", (ENDPOINTS + "/%",)).fetchone()
        return witness and count == (2,) and witness[0] == witness_of(machine)

    lab.until(settled, what="the copy of the datastore")


def witness_of(machine):
    key = f"/calico/felix/v1/host/{machine.name}/witness"
    if machine.etcd:
        return machine.etcd.get(key)
    # Not there, or not complete yet.
    with contextlib.suppress(sqlite3.OperationalError):
        path = machine.path("state", "calico.db")
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
            row = store.execute("SELECT value FROM node WHERE key = ?", (key,)).fetchone()
        return row and row[0]
    return None


def start_pair(machine):
    machine.create_network("databases")
    server = machine.start_echo("server", "databases", 3306)
    client = machine.start("client", "databases")
    lab.until(lambda: machine.connects("client", server, 3306), what="the connection")
    settle(machine)
    return client, server


def assert_pair_is_well(machine, client, server):
    """Policy, membership and addresses are what they were, also when policy changes for others."""
    lab.until(lambda: is_well(machine), 30, "a state without problems")
    assert machine.connects("client", server, 3306)
    assert not machine.connects("client", server, 3307)
    machine.calicoctl("profile", "add", "another")
    assert request_address(machine) not in (client, server)
    assert machine.connects("client", server, 3306)


@pytest.mark.parametrize("lose", [delete_everything, start_without_data])
def test_what_the_host_owns_comes_back(cluster_machine, lose):
    machine, etcd = cluster_machine, cluster_machine.etcd
    client, server = start_pair(machine)
    registered = {key: etcd.get(key) for key in REGISTRATION}
    endpoints, policy = values(etcd, ENDPOINTS), values(etcd, POLICY)
    assert None not in registered.values() and len(endpoints) == 2

    lose(etcd)
    lab.until(lambda: {key: etcd.get(key) for key in REGISTRATION} == registered, 60, "the registration")
    assert {key: json.loads(text) for key, text in values(etcd, ENDPOINTS).items()} == \
        {key: json.loads(text) for key, text in endpoints.items()}
    assert {client, server} <= set(used_addresses(etcd))
    assert values(etcd, POLICY) == policy
    assert_pair_is_well(machine, client, server)
    assert plugin_status(machine)["journal"] == 0


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_emptied_while_the_daemon_was_away(cluster_machine, sig):
    machine, etcd = cluster_machine, cluster_machine.etcd
    client, server = start_pair(machine)
    policy = values(etcd, POLICY)
    machine.stop_node(sig)
    start_without_data(etcd)
    machine.start_node()
    # The first question may come before the datastore was read: it has to wait.
    assert request_address(machine) not in (client, server)
    assert {client, server} <= set(used_addresses(etcd))
    lab.until(lambda: values(etcd, POLICY) == policy, what="the policy")
    assert_pair_is_well(machine, client, server)


@pytest.mark.parametrize("away", [False, True])
def test_an_older_backup(cluster_machine, away):
    machine, etcd = cluster_machine, cluster_machine.etcd
    machine.create_network("databases")
    machine.calicoctl("profile", "add", "removed-later")
    server = machine.start_echo("server", "databases", 3306)
    back_up(etcd)
    lab.until(lambda: is_well(machine), 30, "a state without problems")
    machine.calicoctl("profile", "remove", "removed-later")
    machine.calicoctl("profile", "add", "made-later")
    young = machine.start("client", "databases")
    lab.until(lambda: machine.connects("client", server, 3306), what="the connection")
    settle(machine)
    if away:
        machine.stop_node(signal.SIGKILL)
    put_back(etcd)
    if away:
        machine.start_node()
    lab.until(lambda: len(etcd.keys(ENDPOINTS)) == 2, 60, "the young endpoint")
    assert young in used_addresses(etcd)
    assert_pair_is_well(machine, young, server)
    # Policy that nothing here uses is as the backup has it.
    shown = machine.calicoctl("profile", "show")
    assert "removed-later" in shown and "made-later" not in shown


AFFINITIES = "/calico/ipam/v2/host/host-a"
PARTS = {
    "endpoints": "/calico/v1/host/host-a/workload",
    "orchestrator": "/calico/v1/host/host-a/workload/libnetwork",
    "workload": ENDPOINTS.rpartition("/")[0],
    "host": "/calico/v1/host",
    "profiles": "/calico/v1/policy/profile",
    "policy": POLICY,
    "addresses": "/calico/ipam",
    "blocks": "/calico/ipam/v2/assignment",
    "block": "/calico/ipam/v2/assignment/ipv4/block/BLOCK",
    "affinities": AFFINITIES,
    "affinity": f"{AFFINITIES}/ipv4/block/BLOCK",
    "networks": "/calico/libnetwork",
}


@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_lost(cluster_machine, part, away):
    machine, etcd = cluster_machine, cluster_machine.etcd
    client, server = start_pair(machine)
    endpoints, policy, affinities = values(etcd, ENDPOINTS), values(etcd, POLICY), etcd.keys(AFFINITIES)
    block = block_key(server).rpartition("/")[2]
    if away:
        machine.stop_node(signal.SIGKILL)
    etcd.etcdctl("rm", "--recursive", PARTS[part].replace("BLOCK", block))
    if away:
        machine.start_node()
    if part == "networks" and not away:
        # Nothing runs by them. Docker asks for one with its next container.
        machine.start("next", "databases")
    lab.until(lambda: set(etcd.keys(ENDPOINTS)) >= set(endpoints) and policy.items() <= values(etcd, POLICY).items() and
              etcd.keys("/calico/libnetwork"), 30, "the lost part")
    lab.until(lambda: {client, server} <= set(used_addresses(etcd)) and etcd.keys(AFFINITIES) == affinities, 30,
              "the addresses")
    assert request_address(machine) not in (client, server)
    assert_pair_is_well(machine, client, server)


def test_what_is_removed_one_by_one_stays_away(cluster_machine):
    machine, etcd = cluster_machine, cluster_machine.etcd
    client, server = start_pair(machine)
    machine.calicoctl("profile", "add", "extra")
    machine.stop_node()
    machine.calicoctl("profile", "remove", "extra")
    [name] = [key for key in etcd.keys(ENDPOINTS) if client in etcd.get(key)]
    etcd.etcdctl("rm", name)
    machine.start_node()
    # It is a container's: so its loss is told, but whoever removed it has his way.
    lab.until(lambda: "interfaces without endpoint" in problems(machine), 20, "the problem")
    text = problems(machine)["interfaces without endpoint"]
    assert f"cali{name.rpartition('/')[2][:11]}" in text and "restart" in text
    assert len(etcd.keys(ENDPOINTS)) == 1
    assert "extra" not in machine.calicoctl("profile", "show")
    assert not machine.connects("client", server, 3306, 1)
    machine.remove("client")
    lab.until(lambda: is_well(machine), what="the end of the problem")


def test_what_is_removed_meanwhile_stays_away(cluster_machine):
    """Before something else is lost."""
    machine, etcd = cluster_machine, cluster_machine.etcd
    client, server = start_pair(machine)
    machine.calicoctl("profile", "add", "extra")
    machine.calicoctl("profile", "remove", "extra")
    [name] = [key for key in etcd.keys(ENDPOINTS) if client in etcd.get(key)]
    etcd.etcdctl("rm", name)
    lab.until(lambda: "interfaces without endpoint" in problems(machine), 20, "the problem")
    etcd.etcdctl("rm", block_key(server))
    lab.until(lambda: server in used_addresses(etcd), 30, "the address")
    lab.until(lambda: status(machine)["datastore"]["connected"], 30, "the datastore")
    assert len(etcd.keys(ENDPOINTS)) == 1
    assert "extra" not in machine.calicoctl("profile", "show")
    assert "interfaces without endpoint" in problems(machine)


def test_waits_for_an_address_to_become_free(cluster_machine):
    """What an older backup says of another host is wrong until that host has put it right."""
    machine, etcd = cluster_machine, cluster_machine.etcd
    client, server = start_pair(machine)
    block = json.dumps(json.loads(etcd.get(block_key(server)))).replace("host-a", "host-b")
    [endpoint] = [text for text in values(etcd, ENDPOINTS).values() if server in text]
    dead = "/calico/v1/host/host-b/workload/docker/dead/endpoint/dead"
    machine.stop_node(signal.SIGKILL)
    start_without_data(etcd)
    etcd.etcdctl("set", dead, endpoint)
    etcd.etcdctl("set", block_key(server), block)

    def waiting():
        return {text for thing, text in problems(machine).items() if thing.startswith("address of ")}

    for _ in range(2):
        machine.start_node()
        lab.until(lambda: len(waiting()) == 2 and any(dead in text for text in waiting()), 30, "the problems")
        assert not etcd.keys(ENDPOINTS)
        machine.stop_node(signal.SIGKILL)
    machine.start_node()
    lab.until(lambda: len(waiting()) == 2, 30, "the problems")
    etcd.etcdctl("rm", dead)
    lab.until(lambda: all("belongs to host host-b" in text for text in waiting()), 30, "the other reason")
    assert not etcd.keys(ENDPOINTS) and len(waiting()) == 2
    etcd.etcdctl("rm", block_key(server))
    lab.until(lambda: len(etcd.keys(ENDPOINTS)) == 2, 30, "the endpoints")
    assert {client, server} <= set(used_addresses(etcd))
    assert_pair_is_well(machine, client, server)


@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("how", ["deleted", "older"])
def test_the_embedded_store(machine, how, away):
    files = [machine.path("state", f"calico.db{end}") for end in ("", "-wal", "-shm")]
    copy = machine.path("copy.db")
    machine.create_network("databases")
    server = machine.start_echo("server", "databases", 3306)
    with contextlib.closing(sqlite3.connect(files[0])) as store:
        store.execute("VACUUM INTO ?", (copy,))
    client = machine.start("client", "databases")
    lab.until(lambda: machine.connects("client", server, 3306), what="the connection")
    settle(machine)
    before = witness_of(machine)
    if away:
        machine.stop_node(signal.SIGKILL)
    for path in files:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    if how == "older":
        shutil.move(copy, files[0])
    if away:
        machine.start_node()
    lab.until(lambda: witness_of(machine) not in (None, before), 30, "the comparison")
    assert_pair_is_well(machine, client, server)
    # The network is known again, too.
    machine.start("next", "databases")
    assert machine.connects("next", server, 3306)


def test_unrelated_servers_with_equal_ids(cluster_machine):
    """Cluster ids are made of settings; the other server is ahead of the first, too."""
    machine, etcd = cluster_machine, cluster_machine.etcd
    client, server = start_pair(machine)
    endpoints = etcd.keys(ENDPOINTS)
    etcd.stop()
    shutil.rmtree(f"{etcd.directory}/data")
    machine.node_process.send_signal(signal.SIGSTOP)
    etcd.start()
    for number in range(400):
        etcd.etcdctl("set", "/calico/v1/config/LogSeverityScreen", f"{number}")
    etcd.etcdctl("set", "/calico/v1/config/LogSeverityScreen", "info")
    machine.node_process.send_signal(signal.SIGCONT)
    lab.until(lambda: etcd.keys(ENDPOINTS) == endpoints, 30, "the endpoints")
    assert_pair_is_well(machine, client, server)


def test_nothing_is_left_that_proves_an_endpoint(machine):
    client, server = start_pair(machine)
    machine.stop_node(signal.SIGKILL)
    for name in os.listdir(machine.path("state")):
        os.unlink(machine.path("state", name))
    machine.start_node()
    lab.until(lambda: "interfaces without endpoint" in problems(machine), 20, "the problem")
    shown = machine.calicoctl("status", check=False).stdout
    assert "containers are behind them" in " ".join(shown.split())


def test_an_address_that_another_host_has_now(two_machines):
    first, second = two_machines
    etcd = first.etcd
    client, server = start_pair(first)
    lab.until(lambda: "databases" in second.docker("network", "ls"), what="the network")
    first.stop_node(signal.SIGKILL)
    start_without_data(etcd)
    # The other host makes its registration and pools again, and gives out what nobody claims.
    lab.until(lambda: etcd.get("/calico/v1/host/host-b/config/marker"), 60, "the other host")
    with Client(second.path("plugins", "calico.sock")) as plugin:
        plugin.call("IpamDriver.RequestAddress", {"PoolID": "CalicoPoolIPv4", "Address": server, "Options": None})
    before = etcd.get(block_key(server))
    first.start_node()
    lab.until(lambda: any(server in text and "host-b" in text for text in problems(first).values()), 20, "the problem")
    assert json.loads(etcd.get(block_key(server)))["affinity"] == json.loads(before)["affinity"]
    assert client in used_addresses(etcd)
    assert [client in etcd.get(key) for key in etcd.keys(ENDPOINTS)] == [True]
    # The engine lost its records of the network, too, and leaves the interface of what it removes.
    first.remove("server")
    [name] = [thing.removeprefix("address of ") for thing in problems(first) if thing.startswith("address of ")]
    first.run("ip", "link", "delete", name)
    lab.until(lambda: problems(first) == {}, 20, "the end of the problem")


def block_key(address):
    head, _, last = address.rpartition(".")
    return f"/calico/ipam/v2/assignment/ipv4/block/{head}.{int(last) & 192}-26"
