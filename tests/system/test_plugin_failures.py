# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The plugin while its datastore is away or stuck, and what it makes up for afterwards."""

import concurrent.futures
import json
import os
import signal
import time

import pytest

import lab
from plugin_client import Client
from test_plugin_protocol import (ENDPOINT, NETWORK, OPTIONS, endpoint_request, join_request, network_request,
                                  of_endpoint, pool_request, start_endpoint, stop_endpoint, wait_for_registration)

ENDPOINTS = "/calico/v1/host/host-a/workload/libnetwork/libnetwork/endpoint"
NEEDS_STORE = {
    "NetworkDriver.CreateNetwork": network_request(),
    "NetworkDriver.CreateEndpoint": endpoint_request("192.168.1.1/32"),
    "NetworkDriver.Join": join_request(),
    "IpamDriver.RequestPool": pool_request(),
    "IpamDriver.RequestAddress": {"PoolID": "CalicoPoolIPv4", "Address": "", "Options": None},
}
NEVER_FAILS = {
    "NetworkDriver.Leave": of_endpoint(),
    "NetworkDriver.DeleteEndpoint": of_endpoint(),
    "NetworkDriver.DeleteNetwork": {"NetworkID": NETWORK},
    "NetworkDriver.EndpointOperInfo": of_endpoint(),
    "NetworkDriver.ProgramExternalConnectivity": of_endpoint() | {"Options": OPTIONS},
    "NetworkDriver.RevokeExternalConnectivity": of_endpoint(),
    "IpamDriver.ReleaseAddress": {"PoolID": "CalicoPoolIPv4", "Address": "192.168.1.1"},
    "IpamDriver.ReleasePool": {"PoolID": "CalicoPoolIPv4"},
}


@pytest.fixture
def cluster(network):
    """An etcd, and a machine with calico-node on it but no Docker."""
    with network.etcd() as etcd, network.machine("host-a", etcd=etcd,
                                                 environment={"CALICO_LIBNETWORK_SCOPE": "global"}) as machine:
        machine.start_node()
        wait_for_registration(machine)
        yield machine


@pytest.fixture
def client(cluster):
    with Client(cluster.path("plugins", "calico.sock")) as made:
        yield made


def plugin_status(machine):
    """What the daemon says about its plugin on the control socket."""
    with Client(machine.path("run", "calico-node.sock")) as client:
        client.send(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
        return client.answer().json["plugin"]


def used_addresses(etcd):
    """Address -> attribute of all that are assigned."""
    found = {}
    for key in etcd.keys("/calico/ipam/v2/assignment/ipv4/block"):
        block = json.loads(etcd.get(key))
        base, _, _ = block["cidr"].partition("/")
        head, _, last = base.rpartition(".")
        for ordinal, index in enumerate(block["allocations"]):
            if index is not None:
                found[f"{head}.{int(last) + ordinal}"] = block["attributes"][index]
    return found


def age(etcd, seconds=1000):
    """Makes all addresses look as if they had been assigned long ago."""
    for key in etcd.keys("/calico/ipam/v2/assignment/ipv4/block"):
        block = json.loads(etcd.get(key))
        for attribute in block["attributes"]:
            if attribute["secondary"]:
                attribute["secondary"]["since"] = str(int(time.time()) - seconds)
        etcd.etcdctl("set", key, json.dumps(block))


def assert_nothing_is_left(cluster):
    etcd = cluster.etcd
    assert etcd.keys(ENDPOINTS) == []
    assert etcd.keys("/calico/libnetwork") == []
    assert etcd.keys("/calico/v1/policy/profile") == []
    assert used_addresses(etcd) == {}
    assert cluster.workload_links() == set()


def check_without_store(machine):
    """Each method on a connection of its own, all at once. A client gives up after 15 s; dockerd never does."""
    def check(method, body):
        with Client(machine.path("plugins", "calico.sock")) as client:
            if method in NEEDS_STORE:
                assert client.refused(method, body)
            else:
                client.call(method, body)

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        started = [pool.submit(check, *item) for item in (NEEDS_STORE | NEVER_FAILS).items()]
        with Client(machine.path("plugins", "calico.sock")) as client:
            assert "Implements" in client.call("Plugin.Activate")
        for one in started:
            one.result()


def test_with_etcd_gone(cluster, client):
    client.call("NetworkDriver.CreateNetwork", network_request())
    cluster.etcd.stop()
    check_without_store(cluster)
    cluster.etcd.start()
    lab.until(lambda: plugin_status(cluster)["journal"] == 0, 90, "the end of the journal")
    assert_nothing_is_left(cluster)


def test_with_etcd_stuck(cluster, client):
    client.call("NetworkDriver.CreateNetwork", network_request())
    lab.stop(cluster.etcd.process.pid)
    try:
        check_without_store(cluster)
    finally:
        os.kill(cluster.etcd.process.pid, signal.SIGCONT)
    lab.until(lambda: plugin_status(cluster)["journal"] == 0, 90, "the end of the journal")
    age(cluster.etcd)  # what etcd did after we had given up is the collector's to find
    cluster.stop_node()
    cluster.start_node()
    lab.until(lambda: not used_addresses(cluster.etcd), 30, "the collection of addresses")
    assert_nothing_is_left(cluster)


def test_activate_while_etcd_was_never_there(network):
    with network.etcd() as etcd, network.machine("host-a", etcd=etcd) as machine:
        etcd.stop()
        machine.start_node()
        with Client(machine.path("plugins", "calico.sock")) as client:
            assert "Implements" in client.call("Plugin.Activate")
            client.call("NetworkDriver.GetCapabilities")
            check_without_store(machine)
            etcd.start()
            lab.until(lambda: plugin_status(machine)["journal"] == 0, 90, "the end of the journal")
            wait_for_registration(machine)
            client.call("NetworkDriver.CreateNetwork", network_request())
            address, _ = start_endpoint(client)
            stop_endpoint(client, address)


def test_removals_outlive_a_killed_daemon(cluster, client):
    client.call("NetworkDriver.CreateNetwork", network_request())
    address, _ = start_endpoint(client)
    cluster.etcd.stop()
    stop_endpoint(client, address)
    client.call("NetworkDriver.DeleteNetwork", {"NetworkID": NETWORK})
    assert cluster.workload_links() == set()
    cluster.stop_node(signal.SIGKILL)
    cluster.etcd.start()
    assert address in used_addresses(cluster.etcd)
    assert cluster.etcd.keys(ENDPOINTS) != []
    cluster.start_node()
    lab.until(lambda: plugin_status(cluster)["journal"] == 0, 30, "the end of the journal")
    assert_nothing_is_left(cluster)


def test_a_daemon_takes_the_socket_of_a_killed_one(cluster):
    cluster.stop_node(signal.SIGKILL)
    assert os.path.exists(cluster.path("plugins", "calico.sock"))
    cluster.start_node()
    with Client(cluster.path("plugins", "calico.sock")) as client:
        assert "Implements" in client.call("Plugin.Activate")
    cluster.stop_node()
    assert os.listdir(cluster.path("plugins")) == []


def test_requests_in_flight_are_answered_before_the_end(cluster):
    with Client(cluster.path("plugins", "calico.sock")) as client:
        lab.stop(cluster.etcd.process.pid)
        try:
            client.request("IpamDriver.RequestPool", pool_request())
            lab.until(lambda: plugin_status(cluster)["requests"] == 1, what="the request's arrival")
            cluster.node_process.send_signal(signal.SIGTERM)
            assert client.answer().json["Err"]
        finally:
            os.kill(cluster.etcd.process.pid, signal.SIGCONT)
    assert cluster.node_process.wait(20) == 0
    cluster.node_process = None


# Addresses that lost calls left behind


def test_a_lost_address_is_taken_over_on_demand(cluster, client):
    given = {"PoolID": "CalicoPoolIPv4", "Address": "192.168.7.7", "Options": None}
    client.call("IpamDriver.RequestAddress", given)
    assert "less than a minute ago" in client.refused("IpamDriver.RequestAddress", given)
    age(cluster.etcd)
    assert client.call("IpamDriver.RequestAddress", given)["Address"] == "192.168.7.7/32"


def test_a_dead_endpoint_gives_way_on_demand(cluster, client):
    """As after a host's reset: the endpoint is in the datastore, its interface is gone."""
    client.call("NetworkDriver.CreateNetwork", network_request())
    given = {"PoolID": "CalicoPoolIPv4", "Address": "192.168.7.7", "Options": None}
    client.call("IpamDriver.RequestAddress", given)
    client.call("NetworkDriver.CreateEndpoint", endpoint_request("192.168.7.7/32"))
    age(cluster.etcd)
    assert client.call("IpamDriver.RequestAddress", given)["Address"] == "192.168.7.7/32"
    assert cluster.etcd.keys(ENDPOINTS) == []


def test_a_living_endpoint_keeps_its_address(cluster, client, network):
    client.call("NetworkDriver.CreateNetwork", network_request())
    address, joined = start_endpoint(client)
    with lab.Namespace("container") as container:
        cluster.run("ip", "link", "set", joined["InterfaceName"]["SrcName"], "netns", container.name)
        age(cluster.etcd)
        given = {"PoolID": "CalicoPoolIPv4", "Address": address, "Options": None}
        assert ENDPOINT[:12] in client.refused("IpamDriver.RequestAddress", given)
        assert len(cluster.etcd.keys(ENDPOINTS)) == 1
        stop_endpoint(client, address)


def test_addresses_of_other_hosts_stay(cluster, client):
    given = {"PoolID": "CalicoPoolIPv4", "Address": "192.168.7.7", "Options": None}
    client.call("IpamDriver.RequestAddress", given)
    key = "/calico/ipam/v2/assignment/ipv4/block/192.168.7.0-26"
    cluster.etcd.etcdctl("set", key, cluster.etcd.get(key).replace('"node":"host-a"', '"node":"host-b"'))
    age(cluster.etcd)
    assert "on host host-b" in client.refused("IpamDriver.RequestAddress", given)
    client.call("IpamDriver.ReleaseAddress", {"PoolID": "CalicoPoolIPv4", "Address": "192.168.7.7"})
    assert "192.168.7.7" in used_addresses(cluster.etcd)


def test_reserved_addresses_are_not_collected(cluster, client):
    """--aux-address takes addresses that no endpoint ever has."""
    request = network_request()
    request["IPv4Data"][0]["AuxAddresses"] = {"h": "192.168.7.7/32"}
    for address in ("192.168.7.7", "192.168.7.8"):
        client.call("IpamDriver.RequestAddress", {"PoolID": "CalicoPoolIPv4", "Address": address, "Options": None})
    client.call("NetworkDriver.CreateNetwork", request)
    age(cluster.etcd)
    cluster.stop_node()
    cluster.start_node()
    lab.until(lambda: list(used_addresses(cluster.etcd)) == ["192.168.7.7"], what="the collection")
    with Client(cluster.path("plugins", "calico.sock")) as other:
        assert "--aux-address" in other.refused("IpamDriver.RequestAddress", {
            "PoolID": "CalicoPoolIPv4", "Address": "192.168.7.7", "Options": None})
