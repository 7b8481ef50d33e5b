# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""calicoctl endpoint and ipam, on endpoints and blocks as other writers left them."""

import json

import pytest

from calicoctl import HOST, endpoint_key

SUMMARY_EMPTY = """\
+----------+-----------------+---------------------+---------------------+
| Hostname | Orchestrator ID | Number of Workloads | Number of Endpoints |
+----------+-----------------+---------------------+---------------------+
+----------+-----------------+---------------------+---------------------+

"""


@pytest.fixture
def endpoints(etcd_ctl):
    """Two hosts, two orchestrators, several workloads."""
    for name in ("e1", "e2", "e3", "e4"):
        etcd_ctl.put_endpoint(name, host="node-a")
    for name, workload in (("d1", "w1"), ("d2", "w1"), ("d3", "w2")):
        etcd_ctl.put_endpoint(name, host="node-bb", orchestrator="docker", workload=workload)
    return etcd_ctl


@pytest.fixture
def one(etcd_ctl):
    """An endpoint e with profiles A and B, and a profile C."""
    for name in ("A", "B", "C"):
        etcd_ctl("profile", "add", name)
    etcd_ctl.put_endpoint("e", profile_ids=["A", "B"], unknown={"kept": True})
    return etcd_ctl


def profiles(ctl):
    return ctl.get_endpoint("e")["profile_ids"]


def test_summary(endpoints):
    assert endpoints("endpoint", "show") == """\
+----------+-----------------+---------------------+---------------------+
| Hostname | Orchestrator ID | Number of Workloads | Number of Endpoints |
+----------+-----------------+---------------------+---------------------+
|  node-a  |    libnetwork   |          1          |          4          |
| node-bb  |      docker     |          2          |          3          |
+----------+-----------------+---------------------+---------------------+

"""
    assert endpoints.json("endpoint", "show")["endpoints"][1] == \
        {"host": "node-bb", "orchestrator": "docker", "workloads": 2, "endpoints": 3}


def test_no_endpoints(ctl):
    assert ctl("endpoint", "show") == SUMMARY_EMPTY
    assert ctl.json("endpoint", "show", "--detailed") == {"endpoints": []}


@pytest.mark.parametrize("options, count", [
    (["--host=node-a"], "4"), (["--orchestrator=docker"], "3"), (["--workload", "w1"], "2"),
    (["--endpoint=d3"], "1"), (["--host=node-bb", "--workload=w2", "--endpoint=d3"], "1"),
])
def test_filters(endpoints, options, count):
    assert endpoints.rows("endpoint", "show", *options, column=4) == [count]


@pytest.mark.parametrize("options", [["--host=node"], ["--endpoint=d"], ["--host=node-a", "--endpoint=d1"],
                                     ["--host=a/b"], ["--host="], ["--workload=.."]])
def test_filters_are_exact(endpoints, options):
    assert endpoints("endpoint", "show", *options) == SUMMARY_EMPTY


def test_detailed(etcd_ctl):
    etcd_ctl.put_endpoint("e2", state="inactive", profile_ids=["b", "a"], ipv6_nets=["fd80::1/128"],
                          ipv4_nets=["10.0.0.1/32", "10.0.0.2/32"])
    etcd_ctl.put_endpoint("e1")
    assert etcd_ctl("endpoint", "show", "--detailed") == """\
+----------+-----------------+-------------+-------------+-----------------+-------------------+----------+----------+
| Hostname | Orchestrator ID | Workload ID | Endpoint ID |    Addresses    |        MAC        | Profiles |  State   |
+----------+-----------------+-------------+-------------+-----------------+-------------------+----------+----------+
|  host-a  |    libnetwork   |  libnetwork |      e1     | 192.168.7.64/32 | ee:ee:ee:ee:ee:ee |          |  active  |
|  host-a  |    libnetwork   |  libnetwork |      e2     |   10.0.0.1/32   | ee:ee:ee:ee:ee:ee |   b,a    | inactive |
|          |                 |             |             |   10.0.0.2/32   |                   |          |          |
|          |                 |             |             |   fd80::1/128   |                   |          |          |
+----------+-----------------+-------------+-------------+-----------------+-------------------+----------+----------+

"""
    assert etcd_ctl.json("endpoint", "show", "--detailed", "--endpoint=e2")["endpoints"] == [
        {"host": HOST, "orchestrator": "libnetwork", "workload": "libnetwork", "endpoint": "e2",
         "addresses": ["10.0.0.1/32", "10.0.0.2/32", "fd80::1/128"], "mac": "ee:ee:ee:ee:ee:ee",
         "profiles": ["b", "a"], "state": "inactive"}]


def test_invalid_endpoint_is_shown_as_such(etcd_ctl):
    etcd_ctl.put(endpoint_key("bad"), "not JSON")
    etcd_ctl.put_endpoint("e1")
    assert etcd_ctl.rows("endpoint", "show", "--detailed", column=8) == ["invalid", "active"]
    assert etcd_ctl.rows("endpoint", "show", column=4) == ["2"]


def test_append(one):
    assert one("endpoint", "e", "profile", "append", "C") == "Profile(s) C appended.\n\n"
    assert profiles(one) == ["A", "B", "C"]
    assert one("endpoint", "e", "profile", "append", "C") == "Profile C is already in endpoint profile list\n"
    assert one("endpoint", "e", "profile", "append") == "No profile specified.\n"
    assert profiles(one) == ["A", "B", "C"]


def test_append_several_keeps_their_order_and_other_members(one):
    one("endpoint", "e", "profile", "set")
    assert one("endpoint", "e", "profile", "append", "C", "A") == "Profile(s) C, A appended.\n\n"
    stored = one.get_endpoint("e")
    assert stored["profile_ids"] == ["C", "A"]
    assert (stored["unknown"], stored["ipv4_gateway"]) == ({"kept": True}, "172.30.0.11")


def test_remove(one):
    assert one("endpoint", "e", "profile", "remove", "A", "B") == "Profile(s) A,B removed.\n\n"
    assert profiles(one) == []
    assert one("endpoint", "e", "profile", "remove", "A") == "Profile A is not in endpoint profile list.\n"
    assert one("endpoint", "e", "profile", "remove") == "No profile specified.\n"


def test_partly_refused_changes_nothing(one):
    one("endpoint", "e", "profile", "append", "C", "B")
    one("endpoint", "e", "profile", "remove", "A", "C")
    assert profiles(one) == ["A", "B"]


def test_set(one):
    assert one("endpoint", "e", "profile", "set", "C", "A") == "Profile(s) set to C, A.\n\n"
    assert profiles(one) == ["C", "A"]
    assert one("endpoint", "e", "profile", "set") == "Removed all profiles from endpoint.\n\n"
    assert profiles(one) == []


def test_show(one):
    one("endpoint", "e", "profile", "set", "C", "A")
    assert one("endpoint", "e", "profile", "show") == \
        "+------+\n| Name |\n+------+\n|  A   |\n|  C   |\n+------+\n\n"
    one("endpoint", "e", "profile", "set")
    assert one("endpoint", "e", "profile", "show") == "Endpoint has no profiles associated with it.\n"


def test_legacy_single_profile(one):
    value = one.get_endpoint("e")
    del value["profile_ids"]
    one.put(endpoint_key("e"), value | {"profile_id": "A"})
    one("endpoint", "e", "profile", "append", "C")
    stored = one.get_endpoint("e")
    assert stored["profile_ids"] == ["A", "C"]


@pytest.mark.parametrize("names, message", [
    (["A~", "A"], "Profile names must be < 40 character long and can only contain numbers, letters,\n"
                  "dots, dashes and underscores.\n\n"),
    (["C", "X"], "Profile with name X was not found.\n"),
    (["C", "C"], "Profile with name C was specified more than once.\n"),
])
@pytest.mark.parametrize("verb", ["append", "remove", "set"])
def test_refused_names(one, verb, names, message):
    assert one.fails("endpoint", "e", "profile", verb, *names) == message
    assert profiles(one) == ["A", "B"]


@pytest.mark.parametrize("verb, message", [
    ("append", "Failed to append profiles to endpoint.\n\nEndpoint x is unknown to Calico.\n\n"),
    ("remove", "Failed to remove profiles from endpoint.\n\nEndpoint could not be found.\n\n"),
    ("set", "Failed to set profiles for endpoint.\n\nEndpoint could not be found.\n\n"),
    ("show", "Failed to list profiles in endpoint.\n\nEndpoint x is unknown to Calico.\n\n"),
])
def test_unknown_endpoint(one, verb, message):
    names = [] if verb == "show" else ["A"]
    assert one.fails("endpoint", "x", "profile", verb, *names) == message
    assert one.fails("endpoint", "e", "profile", verb, "--host=other", *names) == message.replace(" x ", " e ")


def test_more_than_one(one):
    one.put_endpoint("e", host="other")
    for verb, names in (("append", ["C"]), ("remove", ["A"]), ("set", []), ("show", [])):
        shown = one.fails("endpoint", "e", "profile", verb, *names)
        assert shown.startswith("More than 1 endpoint matches the provided criteria.")
    one("endpoint", "e", "profile", "set", f"--host={HOST}", "C")
    assert profiles(one) == ["C"]
    assert json.loads(one.get(endpoint_key("e", host="other")))["profile_ids"] == []


BLOCK = "/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-26"


@pytest.fixture
def block(etcd_ctl):
    """A block of this host with 10.0.0.0 and .1 assigned without, and .2 with attributes."""
    etcd_ctl.put(BLOCK, {
        "cidr": "10.0.0.0/26", "affinity": f"host:{HOST}", "strict_affinity": False,
        "allocations": [0, 0, 1] + [None] * 61, "unallocated": list(range(3, 64)),
        "attributes": [{"handle_id": None, "secondary": {}}, {"handle_id": None, "secondary": {"node": "n"}}]})
    return etcd_ctl


def test_ipam_info(block):
    assert block("ipam", "info", "10.0.0.0") == "No attributes defined for 10.0.0.0\n"
    assert json.loads(block("ipam", "info", "10.0.0.2")) == {"node": "n"}
    assert block.json("ipam", "info", "10.0.0.2") == {"attributes": {"node": "n"}}
    assert block("ipam", "info", "10.0.0.3") == "IP 10.0.0.3 is not currently assigned\n"
    assert block("ipam", "info", "FD80:0::0:1") == "IP fd80::1 is not currently assigned\n"


def test_ipam_release(block):
    assert block("ipam", "release", "10.0.0.0") == "Address successfully released\n"
    assert block("ipam", "release", "10.0.0.0") == "Failed to release address\n"
    stored = json.loads(block.get(BLOCK))
    assert stored["allocations"][:3] == [None, 0, 1]
    assert stored["unallocated"][-1] == 0
    assert block("ipam", "release", "10.9.9.9") == "Failed to release address\n"


@pytest.mark.parametrize("address", ["10.0.0.0", "fd80::5"])
def test_ipam_release_of_an_address_in_use(block, address):
    """Not without --force; the user is named, on whatever host."""
    family = 6 if ":" in address else 4
    nets = {"ipv4_nets": [], "ipv6_nets": []} | {f"ipv{family}_nets": [f"{address}/{128 if family == 6 else 32}"]}
    block.put_endpoint("db", host="other", workload="w", **nets)
    block.put_endpoint("bad", host="other", workload="w")
    block.put(endpoint_key("bad", host="other", workload="w"), "{")
    shown = " ".join(block.fails("ipam", "release", address).split())
    assert f"Address {address} is in use by endpoint db (host other, orchestrator libnetwork, workload w)" in shown
    assert "--force" in shown
    assert json.loads(block.get(BLOCK))["allocations"][0] == 0
    done = block("ipam", "release", address, "--force")
    assert done == ("Address successfully released\n" if family == 4 else "Failed to release address\n")


def test_ipam_release_of_a_tunnel_address(block):
    block.put("/calico/v1/host/other/config/IpInIpTunnelAddr", "10.0.0.1")
    assert "the IP-in-IP tunnel of host other" in " ".join(block.fails("ipam", "release", "10.0.0.1").split())
    assert block("ipam", "release", "10.0.0.2") == "Address successfully released\n"


def test_ipam_release_of_the_last_address(block):
    """With an affinity the empty block stays; its attributes are gone."""
    for address in ("10.0.0.0", "10.0.0.2", "10.0.0.1"):
        block("ipam", "release", address)
    stored = json.loads(block.get(BLOCK))
    assert (set(stored["allocations"]), stored["attributes"]) == ({None}, [])
    assert stored["unallocated"][-3:] == [0, 2, 1]


@pytest.mark.parametrize("address", ["10.0.0", "10.0.0.256", "x", "fd80::g", "10.0.0.1/32", ""])
def test_ipam_bad_address(ctl, address):
    for verb in ("info", "release"):
        assert ctl.fails("ipam", verb, address) == "Invalid IP address specified.\n"
