# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""calicoctl pool: additions all or none, overlap, ranges, removal with its blocks."""

import json

import pytest

from calicoctl import HOST

EMPTY4 = "+-----------+---------+\n| IPv4 CIDR | Options |\n+-----------+---------+\n+-----------+---------+\n"
EMPTY6 = EMPTY4.replace("v4", "v6")


def pools(ctl):
    shown = ctl.json("pool", "show")
    return [pool["cidr"] for pool in shown["ipv4"] + shown["ipv6"]]


def test_pool_crud(ctl):
    """The reference's own test."""
    ctl("pool", "add", "10.0.1.0/24")
    shown = ctl("pool", "show")
    assert "10.0.1.0/24" in shown and "fed0:8001::/64" not in shown
    ctl("pool", "add", "fed0:8001::/64")
    shown = ctl("pool", "show")
    assert "10.0.1.0/24" in shown and "fed0:8001::/64" in shown
    done = "Disabling IP Pool\nRemoving IPAM configuration for pool\nDeleted IP Pool\n"
    assert ctl("pool", "remove", "10.0.1.0/24", "fed0:8001::/64") == done + done
    assert ctl("pool", "show") == EMPTY4 + EMPTY6
    assert ctl.fails("pool", "remove", "10.0.1.0/24") == "10.0.1.0/24 is not a configured pool.\n"


def test_tables(ctl):
    assert ctl("pool", "show") == EMPTY4 + EMPTY6
    assert ctl("pool", "show", "--ipv4") == EMPTY4
    assert ctl("pool", "show", "--ipv6") == EMPTY6
    assert ctl("pool", "add", "10.0.1.0/24") == ""
    assert ctl("pool", "add", "172.25.0.0/16", "--ipip", "--nat-outgoing") == ""
    assert ctl("pool", "show") == """\
+---------------+-------------------+
|   IPv4 CIDR   |      Options      |
+---------------+-------------------+
|  10.0.1.0/24  |                   |
| 172.25.0.0/16 | ipip,nat-outgoing |
+---------------+-------------------+
""" + EMPTY6


def test_order_is_that_of_text(ctl):
    ctl("pool", "add", "9.0.0.0/24", "10.0.0.0/24", "100.0.0.0/24")
    assert ctl.rows("pool", "show", "--ipv4") == ["10.0.0.0/24", "100.0.0.0/24", "9.0.0.0/24"]


def test_stored_form(ctl):
    ctl("pool", "add", "10.1.1.1/8")
    assert json.loads(ctl.get("/calico/v1/ipam/v4/pool/10.0.0.0-8")) == {"cidr": "10.0.0.0/8"}
    assert ctl.get("/calico/v1/config/IpInIpEnabled") is None
    ctl("pool", "add", "10.0.0.0/8", "--ipip", "--nat-outgoing")
    assert json.loads(ctl.get("/calico/v1/ipam/v4/pool/10.0.0.0-8")) == \
        {"cidr": "10.0.0.0/8", "ipip": "tunl0", "masquerade": True}
    assert ctl.get("/calico/v1/config/IpInIpEnabled") == "true"
    # Adding it again gives exactly the options given.
    ctl("pool", "add", "10.0.0.0/8")
    assert json.loads(ctl.get("/calico/v1/ipam/v4/pool/10.0.0.0-8")) == {"cidr": "10.0.0.0/8"}
    assert ctl.get("/calico/v1/config/IpInIpEnabled") == "true"
    ctl("pool", "add", "FED0:8001:0::1/64", "--nat-outgoing")
    assert json.loads(ctl.get("/calico/v1/ipam/v6/pool/fed0:8001::-64")) == \
        {"cidr": "fed0:8001::/64", "masquerade": True}
    assert ctl.rows("pool", "show", "--ipv6", column=2) == [""]


def test_each_family_under_its_own_tree(ctl):
    ctl("pool", "add", "10.0.0.0/24", "fed0:8001::/64")
    assert ctl.rows("pool", "show", "--ipv4") == ["10.0.0.0/24"]
    assert ctl.rows("pool", "show", "--ipv6") == ["fed0:8001::/64"]


def test_adding_enables_a_disabled_pool(etcd_ctl):
    key = "/calico/v1/ipam/v4/pool/10.0.0.0-16"
    etcd_ctl.put(key, {"cidr": "10.0.0.0/16", "disabled": True, "ipam": False})
    assert etcd_ctl.rows("pool", "show", "--ipv4") == ["10.0.0.0/16"]
    etcd_ctl("pool", "add", "10.0.0.0/16")
    assert json.loads(etcd_ctl.get(key)) == {"cidr": "10.0.0.0/16"}


@pytest.mark.parametrize("arguments, message", [
    (["300.0.0.0/8"], "Invalid CIDR specified 300.0.0.0/8\n"),
    (["10.0.0.0/8", "127.a.0.1"], "Invalid CIDR specified 127.a.0.1\n"),
    (["fed0::/64", "--ipip"], "IP in IP not supported for IPv6 pools\n"),
    (["1.2.3.4"], "An IPv4 pool must have a prefix length of 26 or lower.\nGiven: 1.2.3.4/32.\nNo pools added.\n"),
    (["10.0.0.0/8", "10.0.0.0/27"],
     "An IPv4 pool must have a prefix length of 26 or lower.\nGiven: 10.0.0.0/27.\nNo pools added.\n"),
    (["fed0::/123"],
     "An IPv6 pool must have a prefix length of 122 or lower.\nGiven: fed0::/123.\nNo pools added.\n"),
    (["10.9.0.0/16"], "Cannot add IP pool 10.9.0.0/16 - pool overlaps with an existing pool 10.9.8.0/24\n"),
    (["11.0.0.0/24", "10.9.8.64/26"],
     "Cannot add IP pool 10.9.8.64/26 - pool overlaps with an existing pool 10.9.8.0/24\n"),
    (["11.0.0.0/16", "11.0.1.0/24"],
     "Cannot add IP pool 11.0.0.0/16 - pool overlaps with another new pool 11.0.1.0/24\n"),
])
def test_refused(ctl, arguments, message):
    ctl("pool", "add", "10.9.8.0/24")
    assert ctl.fails("pool", "add", *arguments) == message
    assert pools(ctl) == ["10.9.8.0/24"]


def test_same_pool_twice(ctl):
    ctl("pool", "add", "10.0.0.0/24", "10.0.0.5/24")
    assert pools(ctl) == ["10.0.0.0/24"]


def test_range(ctl):
    assert ctl("pool", "range", "add", "172.24.0.0", "172.24.25.255", "--nat-outgoing") == ""
    assert ctl.json("pool", "show")["ipv4"] == [
        {"cidr": cidr, "options": ["nat-outgoing"]} for cidr in ("172.24.0.0/20", "172.24.16.0/21", "172.24.24.0/23")]
    ctl("pool", "range", "add", "fd80::", "fd80::ffff")
    assert ctl.rows("pool", "show", "--ipv6") == ["fd80::/112"]


@pytest.mark.parametrize("arguments, message", [
    (["x", "1.2.3.255"], "Invalid START_IP specified.\n"),
    (["1.2.3.0", "1.2.3"], "Invalid END_IP specified.\n"),
    (["x", "y"], "Invalid START_IP specified.\nInvalid END_IP specified.\n"),
    (["1.2.3.0", "fd80::"], "START_IP and END_IP must be the same ip version\n"),
    (["1.2.3.255", "1.2.3.0"], "START_IP must be a smaller ip address than END_IP\n"),
    (["1.2.3.0", "1.2.3.0"], "START_IP must be a smaller ip address than END_IP\n"),
    (["fd80::", "fd80::ffff", "--ipip"], "IP in IP not supported for IPv6 pools\n"),
    (["10.9.0.0", "10.9.255.255"], "Cannot add range - range conflicts with pool 10.9.8.0/24\n"),
    (["10.9.8.128", "10.9.9.255"], "Cannot add range - range conflicts with pool 10.9.8.0/24\n"),
    (["10.9.7.0", "10.9.8.63"], "Cannot add range - range conflicts with pool 10.9.8.0/24\n"),
])
def test_range_refused(ctl, arguments, message):
    ctl("pool", "add", "10.9.8.0/24")
    assert ctl.fails("pool", "range", "add", *arguments) == message
    assert pools(ctl) == ["10.9.8.0/24"]


def test_range_of_small_pieces(ctl):
    shown = ctl.fails("pool", "range", "add", "10.0.0.0", "10.0.0.96")
    assert "26" in shown and "Range given: 10.0.0.0 - 10.0.0.96\n" in shown
    assert "Pools: 10.0.0.0/26, 10.0.0.64/27, 10.0.0.96/32\n" in shown and shown.endswith("No pools added.\n")
    assert pools(ctl) == []


def test_remove_in_turn(ctl):
    """What comes before the pool that is not there stays removed, what comes after stays."""
    ctl("pool", "add", "10.0.0.0/24", "10.0.2.0/24")
    shown = ctl.fails("pool", "remove", "10.0.0.0/24", "10.0.1.1/24", "10.0.2.0/24")
    assert shown.endswith("Deleted IP Pool\n10.0.1.1/24 is not a configured pool.\n")
    assert pools(ctl) == ["10.0.2.0/24"]
    assert ctl.fails("pool", "remove", "10.0.2") == "Invalid CIDR specified 10.0.2\n"


def block(cidr, host, used):
    """An IPAM block with this many addresses assigned."""
    return {"cidr": cidr, "affinity": f"host:{host}", "strict_affinity": False,
            "allocations": [0] * used + [None] * (64 - used),
            "attributes": [{"handle_id": None, "secondary": {}}] if used else [],
            "unallocated": list(range(used, 64))}


def test_remove_ends_affinities(etcd_ctl):
    """Empty blocks of any host go; others lose their affinity and keep their addresses."""
    blocks = "/calico/ipam/v2/assignment/ipv4/block"
    affinities = "/calico/ipam/v2/host/{}/ipv4/block/{}"
    etcd_ctl("pool", "add", "10.0.0.0/16", "10.1.0.0/16")
    for cidr, host, used in (("10.0.0.0/26", HOST, 2), ("10.0.0.64/26", "other", 0), ("10.1.0.0/26", HOST, 0)):
        key = cidr.replace("/", "-")
        etcd_ctl.put(f"{blocks}/{key}", block(cidr, host, used))
        etcd_ctl.put(affinities.format(host, key), "")
    etcd_ctl("pool", "remove", "10.0.0.0/16")
    kept = json.loads(etcd_ctl.get(f"{blocks}/10.0.0.0-26"))
    assert not kept["affinity"] and kept["allocations"][:3] == [0, 0, None]
    assert etcd_ctl.etcd.keys(blocks) == [f"{blocks}/10.0.0.0-26", f"{blocks}/10.1.0.0-26"]
    assert etcd_ctl.etcd.keys("/calico/ipam/v2/host") == [affinities.format(HOST, "10.1.0.0-26")]
