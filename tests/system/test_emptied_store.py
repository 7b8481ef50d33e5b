# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A datastore that loses everything under running containers: by a mistake, or because etcd came up without its data."""

import json
import shutil

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


def status(machine):
    with Client(machine.path("run", "calico-node.sock")) as client:
        client.send(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
        return json.dumps(client.answer().json)


def values(etcd, directory):
    return {key: etcd.get(key) for key in etcd.keys(directory)}


def request_address(machine):
    with Client(machine.path("plugins", "calico.sock")) as client:
        answer = client.call("IpamDriver.RequestAddress", {"PoolID": "CalicoPoolIPv4", "Address": "", "Options": None})
    return answer["Address"].partition("/")[0]


@pytest.mark.parametrize("lose", [delete_everything, start_without_data])
def test_what_the_host_owns_comes_back(cluster_machine, lose):
    machine, etcd = cluster_machine, cluster_machine.etcd
    machine.create_network("databases")
    client = machine.start("client", "databases")
    server = machine.start_echo("server", "databases", 3306)
    registered = {key: etcd.get(key) for key in REGISTRATION}
    endpoints, policy = values(etcd, ENDPOINTS), values(etcd, POLICY)
    assert None not in registered.values() and len(endpoints) == 2

    lose(etcd)
    lab.until(lambda: {key: etcd.get(key) for key in REGISTRATION} == registered, 60, "the registration")
    assert {key: json.loads(text) for key, text in values(etcd, ENDPOINTS).items()} == \
        {key: json.loads(text) for key, text in endpoints.items()}
    assert {client, server} <= set(used_addresses(etcd))
    assert request_address(machine) not in (client, server)

    # The network's profile is not the host's: it is kept in force, and not written.
    lab.until(lambda: "was emptied" in status(machine), what="the status")
    assert etcd.keys(POLICY) == []
    assert machine.connects("client", server, 3306)
    assert not machine.connects("client", server, 3307)

    for key, text in policy.items():
        etcd.etcdctl("set", key, text)
    lab.until(lambda: "was emptied" not in status(machine), 20, "the policy's return")
    assert machine.connects("client", server, 3306)
    assert plugin_status(machine)["journal"] == 0
