# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""calicoctl bgp, node bgp, node show, node remove and config: settings in the datastore."""

import json

import pytest

from calicoctl import HOST

SCOPES = {
    ("bgp",): {
        "key": "/calico/bgp/v1/global", "heading": "Global {} BGP Peer", "none": "No global {} BGP Peers defined.\n\n",
        "removed": "BGP peer removed from global configuration\n", "unknown": " is not a globally configured peer.\n"},
    ("node", "bgp"): {
        "key": f"/calico/bgp/v1/host/{HOST}", "heading": "Node specific {} BGP Peer",
        "none": "No {} BGP Peers defined for this node.\n\n", "removed": "BGP peer removed from node configuration\n",
        "unknown": " is not a configured peer for this node.\n"},
}


@pytest.fixture(params=list(SCOPES), ids="-".join)
def scope(request):
    return request.param, SCOPES[request.param]


def test_defaults(ctl):
    """The reference's own test."""
    assert ctl("bgp", "default-node-as") == "64511\n"
    assert ctl("bgp", "default-node-as", "12345") == ""
    assert ctl("bgp", "default-node-as") == "12345\n"
    for number in ("99999999999999999999999", "abcde"):
        assert ctl.fails("bgp", "default-node-as", number) == "Invalid AS Number specified.\n"
    assert ctl("bgp", "default-node-as") == "12345\n"
    assert ctl("bgp", "node-mesh") == "on\n"
    assert ctl("bgp", "node-mesh", "off") == ""
    assert ctl("bgp", "node-mesh") == "off\n"
    assert ctl("bgp", "node-mesh", "on") == ""
    assert ctl("bgp", "node-mesh") == "on\n"


def test_stored_form(ctl):
    ctl("bgp", "default-node-as", "4294.566")
    assert ctl.get("/calico/bgp/v1/global/as_num") == "281412150"
    ctl("bgp", "node-mesh", "off")
    assert json.loads(ctl.get("/calico/bgp/v1/global/node_mesh")) == {"enabled": False}
    ctl("bgp", "node-mesh", "on")
    assert json.loads(ctl.get("/calico/bgp/v1/global/node_mesh")) == {"enabled": True}


def test_peers(ctl, scope):
    command, texts = scope
    assert ctl(*command, "peer", "show") == texts["none"].format("IPv4") + texts["none"].format("IPv6")
    assert ctl(*command, "peer", "add", "10.9.9.10", "as", "64567") == ""
    assert ctl(*command, "peer", "add", "10.9.9.9", "as", "1") == ""
    assert ctl(*command, "peer", "add", "10.9.9.9", "as", "1.2") == ""
    assert ctl(*command, "peer", "add", "FD80::0:1", "as", "5") == ""
    assert json.loads(ctl.get(f"{texts['key']}/peer_v4/10.9.9.9")) == {"ip": "10.9.9.9", "as_num": "65538"}
    assert json.loads(ctl.get(f"{texts['key']}/peer_v6/fd80::1")) == {"ip": "fd80::1", "as_num": "5"}
    assert ctl.rows(*command, "peer", "show", "--ipv4") == ["10.9.9.9", "10.9.9.10"]
    assert ctl(*command, "peer", "show", "--ipv6").splitlines()[1] == f"| {texts['heading'].format('IPv6')} | AS Num |"
    assert ctl.json(*command, "peer", "show")["ipv6"] == [{"ip": "fd80::1", "as_num": "5"}]
    assert ctl(*command, "peer", "remove", "fd80:0::1") == texts["removed"]
    assert ctl.fails(*command, "peer", "remove", "fd80::1") == "fd80::1" + texts["unknown"]
    assert ctl(*command, "peer", "show", "--ipv6") == texts["none"].format("IPv6")
    assert ctl.rows(*command, "peer", "show", "--ipv4", column=2) == ["65538", "64567"]


def test_peer_table(ctl):
    ctl("bgp", "peer", "add", "10.9.9.9", "as", "64567")
    assert ctl("bgp", "peer", "show", "--ipv4") == """\
+----------------------+--------+
| Global IPv4 BGP Peer | AS Num |
+----------------------+--------+
| 10.9.9.9             | 64567  |
+----------------------+--------+
"""


@pytest.mark.parametrize("words, message", [
    (["add", "10.9.9", "as", "1"], "Invalid IP address specified.\n"),
    (["add", "10.9.9.9", "as", "65536.0"], "Invalid AS Number specified.\n"),
    (["add", "x", "as", "y"], "Invalid IP address specified.\nInvalid AS Number specified.\n"),
    (["remove", "10.9.9.9/32"], "Invalid IP address specified.\n"),
])
def test_bad_peers(ctl, scope, words, message):
    command, texts = scope
    assert ctl.fails(*command, "peer", *words) == message
    assert ctl(*command, "peer", "show", "--ipv4") == texts["none"].format("IPv4")


def test_node_show(etcd_ctl):
    for host, last in (("node-b", 12), ("node-a", 11)):
        etcd_ctl.put(f"/calico/bgp/v1/host/{host}/ip_addr_v4", f"10.0.0.{last}")
        etcd_ctl.put(f"/calico/bgp/v1/host/{host}/ip_addr_v6", "")
    etcd_ctl.put("/calico/bgp/v1/host/node-b/as_num", "63333")
    for peer in ("10.9.9.10", "10.9.9.9"):
        etcd_ctl("node", "bgp", "peer", "add", peer, "as", "63333", environment={"HOSTNAME": "node-b"})
    assert etcd_ctl("node", "show") == """\
+----------+-----------+-----------+-------------------+--------------------+--------------+
| Hostname | Bird IPv4 | Bird IPv6 |       AS Num      |    BGP Peers v4    | BGP Peers v6 |
+----------+-----------+-----------+-------------------+--------------------+--------------+
|  node-a  | 10.0.0.11 |           | 64511 (inherited) |                    |              |
|  node-b  | 10.0.0.12 |           |       63333       | 10.9.9.9 as 63333  |              |
|          |           |           |                   | 10.9.9.10 as 63333 |              |
+----------+-----------+-----------+-------------------+--------------------+--------------+

"""
    etcd_ctl("bgp", "default-node-as", "5")
    assert etcd_ctl.rows("node", "show", column=4) == ["5 (inherited)", "63333", ""]


BLOCKS = "/calico/ipam/v2/assignment/ipv4/block"


def register(ctl, host):
    """A host with one block of four assigned addresses, of which .2 is its tunnel's."""
    ctl.put(f"{BLOCKS}/10.0.0.0-26", {
        "cidr": "10.0.0.0/26", "affinity": f"host:{host}", "strict_affinity": False,
        "allocations": [0] * 4 + [None] * 60, "unallocated": list(range(4, 64)),
        "attributes": [{"handle_id": None, "secondary": {}}]})
    ctl.put(f"/calico/ipam/v2/host/{host}/ipv4/block/10.0.0.0-26", "")
    ctl.put(f"/calico/v1/host/{host}/config/IpInIpTunnelAddr", "10.0.0.2")
    ctl.put(f"/calico/v1/host/{host}/bird_ip", "172.30.0.11")
    ctl.put(f"/calico/bgp/v1/host/{host}/ip_addr_v4", "172.30.0.11")


@pytest.mark.parametrize("host", [HOST, "another"])
def test_node_remove(etcd_ctl, host):
    register(etcd_ctl, host)
    register(etcd_ctl, "stays")
    etcd_ctl.put(f"{BLOCKS}/10.0.0.0-26", json.loads(etcd_ctl.get(f"{BLOCKS}/10.0.0.0-26"))
                 | {"affinity": f"host:{host}"})
    option = [] if host == HOST else [f"--hostname={host}"]
    etcd_ctl.put_endpoint("e", host=host, ipv4_nets=["10.0.0.1/32", "10.0.0.3/32"])
    shown = etcd_ctl.fails("node", "remove", *option).replace("\n", " ")
    assert shown.startswith("The node has active Calico endpoints so can't be deleted. Force with --remove-endpoints")
    assert etcd_ctl.get(f"/calico/v1/host/{host}/bird_ip") == "172.30.0.11"
    assert etcd_ctl("node", "remove", "--remove-endpoints", *option) == "Node configuration removed\n"
    kept = json.loads(etcd_ctl.get(f"{BLOCKS}/10.0.0.0-26"))
    assert kept["allocations"] == [0] + [None] * 63 and not kept["affinity"]
    for tree in (f"/calico/v1/host/{host}", f"/calico/bgp/v1/host/{host}", f"/calico/ipam/v2/host/{host}"):
        assert etcd_ctl.etcd.keys(tree) == []
    assert etcd_ctl.get("/calico/v1/host/stays/bird_ip") == "172.30.0.11"


def test_node_remove_unknown_host(ctl):
    assert ctl("node", "remove", "--hostname=nobody") == "Node configuration removed\n"
    assert ctl.run("node", "remove", "--hostname=a/b").returncode == 1


def test_node_remove_deletes_interfaces(etcd_ctl):
    run = etcd_ctl.namespace.run
    run("ip", "link", "add", "calie", "type", "veth", "peer", "name", "tmpe")
    run("ip", "link", "add", "calid", "type", "bridge")  # the same name on another machine
    etcd_ctl.put_endpoint("e")
    etcd_ctl.put_endpoint("d")
    done = etcd_ctl.unprivileged("node", "remove", "--remove-endpoints")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "This command must be run as root.\n")
    assert etcd_ctl.rows("endpoint", "show", column=4) == ["2"]
    etcd_ctl("node", "remove", "--remove-endpoints")
    links = run("ip", "-o", "link", "show").stdout
    run("ip", "link", "delete", "calid")
    assert "calid" in links and "calie" not in links


@pytest.mark.parametrize("words, key, values", [
    (["felix"], "/calico/v1/config/LogSeverityScreen", ["none", "debug", "info", "warning", "error", "critical"]),
    (["bgp"], "/calico/bgp/v1/global/loglevel", ["none", "debug", "info"]),
    (["node", "bgp"], f"/calico/bgp/v1/host/{HOST}/loglevel", ["none", "debug", "info"]),
])
def test_config(ctl, words, key, values):
    assert ctl("config", *words, "loglevel") == "No value configured\n"
    assert ctl("config", *words, "loglevel", "--remove") == "No value configured\n"
    for value in values:
        assert ctl("config", *words, "loglevel", value) == ""
        assert ctl.get(key) == value
    assert ctl("config", *words, "loglevel") == f"{values[-1]}\n"
    for value in ("debugfoo", "DEBUG", "deb", ""):
        assert "--force" in ctl.fails("config", *words, "loglevel", value)
    assert ctl.get(key) == values[-1]
    assert ctl("config", *words, "loglevel", "odd", "--force").endswith("The --force option is set.\n\n")
    assert ctl.get(key) == "odd"
    assert ctl("config", *words, "loglevel", "--remove") == "Value removed\n"
    assert ctl.get(key) is None


@pytest.mark.parametrize("words, path", [
    (["felix"], "/calico/v1/config"), (["bgp"], "/calico/bgp/v1/global"),
    (["node", "bgp"], f"/calico/bgp/v1/host/{HOST}"),
])
def test_config_of_other_names(ctl, words, path):
    for more in ([], ["5"], ["--remove"]):
        shown = ctl.fails("config", *words, "Other", *more)
        assert "not recognized as a valid option" in shown and "--force" in shown
    ctl("config", *words, "Other", "5", "--force")
    assert ctl.get(f"{path}/Other") == "5"
    assert ctl("config", *words, "Other", "--force").endswith("The --force option is set.\n\n5\n")
    assert ctl("config", *words, "Other", "--force", "--remove").endswith("Value removed\n")
    for name in ("a/b", "..", ""):
        assert ctl.run("config", *words, name, "5", "--force").returncode == 1
