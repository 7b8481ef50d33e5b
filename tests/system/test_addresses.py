# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Addresses that no container may have are never given out, and one pool goes on serving whoever it served."""

import contextlib
import ipaddress
import json

import pytest

import lab
from plugin_client import Client

NETWORK = "ab" * 32
ENDPOINT = "cd" * 32
GLOBAL = {"AddressSpace": "CalicoGlobalAddressSpace"}


class Host:
    """A machine in a network that its pools overlap, as dockerd sees its plugin."""

    def __init__(self, machine, etcd):
        self.machine, self.etcd = machine, etcd

    def call(self, method, **body):
        with Client(self.machine.path("plugins", "calico.sock")) as client:
            client.request(method, body)
            return client.answer().json

    def take(self, pool, address=""):
        """An address of the pool, or the reason why there is none."""
        answer = self.call("IpamDriver.RequestAddress", PoolID=pool, Address=address, Options={})
        return answer["Address"].partition("/")[0] if "Address" in answer else answer["Err"]

    def give_back(self, pool, address):
        assert self.call("IpamDriver.ReleaseAddress", PoolID=pool, Address=address) == {}

    def take_all(self, pool):
        """How many there are in a pool of one block, as last numbers."""
        taken = set()
        while (answer := self.take(pool)).startswith(("172.", "fd30:")):
            taken.add(int(ipaddress.ip_address(answer)) & 63)
        assert "no available IP addresses" in answer
        for number in taken:
            self.give_back(pool, str(ipaddress.ip_network(pool)[number]))
        return taken

    def problems(self):
        shown = lab.until(lambda: self.machine.calicoctl("status", "-o", "json", check=False).stdout, 30, "an answer")
        return {problem["object"]: problem["text"] for problem in json.loads(shown)["daemon"]["problems"]}


@pytest.fixture(scope="module")
def host():
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(lab.Network())
        etcd = stack.enter_context(network.etcd())
        for key, value in {
                "/calico/bgp/v1/host/other/ip_addr_v4": "172.30.0.20",
                "/calico/bgp/v1/host/other/ip_addr_v6": "fd30::20",
                "/calico/v1/host/other/config/IpInIpTunnelAddr": "172.30.0.21",
                "/calico/v1/host/other/bird_ip": "172.30.0.22"}.items():
            etcd.etcdctl("set", key, value)
        machine = stack.enter_context(network.machine("host-a", etcd=etcd, environment={"NO_DEFAULT_POOLS": "true"}))
        for command in ("address add 172.30.0.30/32 dev lo", "address add fd30::30/128 dev lo",
                        "route add 203.0.113.0/28 via 172.30.0.31",
                        "route add 203.0.113.16/28 nexthop via 172.30.0.32 nexthop via 172.30.0.33",
                        "route add 203.0.113.32/28 via 172.30.0.34 table 100",
                        "-6 route add 2001:db8::/32 via fd30::31"):
            machine.run("ip", *command.split())
        machine.start_node()
        lab.until(lambda: "In sync: yes" in machine.calicoctl("status", check=False).stdout, what="the first sync")
        machine.calicoctl("pool", "add", "172.30.0.0/26", "fd30::/122")
        yield Host(machine, etcd)


def test_reserved_addresses_are_not_given_out(host):
    """The edge of the network, the gateway and datastore, the host, other hosts, and every next hop."""
    assert host.take_all("172.30.0.0/26") == set(range(64)) - {0, 1, 11, 20, 21, 22, 30, 31, 32, 33, 34}
    assert host.take_all("fd30::/122") == set(range(64)) - {0, 0x11, 0x20, 0x30, 0x31}


@pytest.mark.parametrize("address, whose", [
    ("172.30.0.0", "the first address of a network of this host (eth0)"),
    ("172.30.0.1", "the address of the datastore"),
    ("172.30.0.11", "an address of this host (eth0)"),
    ("172.30.0.20", "the registered address of a host"),
    ("172.30.0.21", "the tunnel address of host other"),
    ("172.30.0.22", "the address of host other"),
    ("172.30.0.30", "an address of this host (lo)"),
    ("172.30.0.33", "a gateway of this host"),
    ("fd30::11", "an address of this host (eth0)"),
    ("fd30::31", "a gateway of this host"),
])
def test_reserved_addresses_asked_for_by_name(host, address, whose):
    pool = "fd30::/122" if ":" in address else "172.30.0.0/26"
    assert host.take(pool, address) == f"address {address} is {whose}; no container can have it"


def test_what_comes_later(host):
    """An address of the host or of another, and a gateway, that appear while the daemon runs; and go again."""
    machine, pool = host.machine, "172.30.0.0/26"
    for address, come, go in (
            ("172.30.0.40", ["address", "add", "172.30.0.40/32", "dev", "lo"],
             ["address", "delete", "172.30.0.40/32", "dev", "lo"]),
            ("172.30.0.41", ["route", "add", "203.0.113.48/28", "via", "172.30.0.41"],
             ["route", "delete", "203.0.113.48/28"])):
        machine.run("ip", *come)
        lab.until(lambda: host.take(pool, address).startswith("address ") or host.give_back(pool, address),
                  what="the notification")
        assert "no container can have it" in host.take(pool, address)
        machine.run("ip", *go)
        lab.until(lambda: host.take(pool, address) == address, what="the notification")
        host.give_back(pool, address)


def test_an_address_that_became_the_hosts(host):
    """It is too late to refuse it, so it is listed; and so is another host's."""
    machine, address = host.machine, "172.30.0.45"
    host.call("NetworkDriver.CreateNetwork", NetworkID=NETWORK, Options={}, IPv6Data=[],
              IPv4Data=[GLOBAL | {"Pool": "0.0.0.0/0", "Gateway": "0.0.0.0/0"}])
    assert host.take("CalicoPoolIPv4", address) == address
    host.call("NetworkDriver.CreateEndpoint", NetworkID=NETWORK, EndpointID=ENDPOINT, Options={},
              Interface={"Address": address + "/32"})
    row = f"address {address}"
    machine.run("ip", "address", "add", address, "dev", "lo")
    text = lab.until(lambda: host.problems().get(row), what="the problem")
    assert ENDPOINT in text and "an address of this host (lo)" in text
    machine.run("ip", "address", "delete", address + "/32", "dev", "lo")
    lab.until(lambda: row not in host.problems(), what="the problem's end")

    host.etcd.etcdctl("set", "/calico/v1/host/late/bird_ip", address)
    assert "the address of host late" in lab.until(lambda: host.problems().get(row), what="the problem")
    host.call("NetworkDriver.DeleteEndpoint", NetworkID=NETWORK, EndpointID=ENDPOINT)
    lab.until(lambda: row not in host.problems(), what="the problem's end")
    host.etcd.etcdctl("rm", "/calico/v1/host/late/bird_ip")
    host.give_back("CalicoPoolIPv4", address)
    host.call("NetworkDriver.DeleteNetwork", NetworkID=NETWORK)


def test_docker_ipam_gives_out_the_hosts_address(host):
    """Docker's own IPAM knows nothing of hosts: the endpoint is refused."""
    data = {"AddressSpace": "LocalDefault", "Pool": "172.30.0.0/24", "Gateway": "172.30.0.1/24"}
    network = {"NetworkID": NETWORK, "Options": {}, "IPv6Data": []}
    host.call("NetworkDriver.CreateNetwork", **network, IPv4Data=[data])
    answer = host.call("NetworkDriver.CreateEndpoint", NetworkID=NETWORK, EndpointID=ENDPOINT, Options={},
                       Interface={"Address": "172.30.0.11/24"})
    host.call("NetworkDriver.DeleteNetwork", NetworkID=NETWORK)
    assert "172.30.0.11 is an address of this host (eth0)" in answer.get("Err", "")
    answer = host.call("NetworkDriver.CreateNetwork", **network, IPv4Data=[data | {"Pool": "127.1.0.0/24"}])
    assert "has loopback addresses" in answer.get("Err", "")


@pytest.mark.parametrize("pool", ["127.0.0.0/8", "0.0.0.0/0", "224.0.0.0/24", "255.255.255.0/24", "169.254.0.0/16",
                                  "::/64", "fe80::/64", "ff05::/64"])
def test_pools_that_cannot_work(host, pool):
    """Refused by command and plugin; one that is there already is listed, and gives nothing."""
    done = host.machine.calicoctl("pool", "add", "10.20.0.0/16", pool, check=False)
    assert done.returncode == 1 and f"Cannot add IP pool {pool} - it has " in done.stdout
    assert "10.20.0.0" not in host.machine.calicoctl("pool", "show")

    family = 6 if ":" in pool else 4
    key = f"/calico/v1/ipam/v{family}/pool/{pool.replace('/', '-')}"
    host.etcd.etcdctl("set", key, json.dumps({"cidr": pool, "ipip": "tunl0"} if family == 4 else {"cidr": pool}))
    text = lab.until(lambda: host.problems().get(key), what="the problem")
    assert "no address is given out of it" in text
    answer = host.call("IpamDriver.RequestPool", **GLOBAL, Pool=pool, SubPool="", Options={}, V6=family == 6)
    assert "which no container can have" in answer.get("Err", "")
    assert "no address is given out of it" in host.take(pool)
    host.machine.calicoctl("pool", "remove", pool)
    lab.until(lambda: key not in host.problems(), what="the problem's end")


def test_range_of_pools_that_cannot_work(host):
    done = host.machine.calicoctl("pool", "range", "add", "223.255.255.0", "224.0.0.255", check=False)
    assert done.returncode == 1 and "group addresses" in done.stdout


def test_a_new_pool_moves_nobody(host):
    """Networks without --subnet go on with their pool, though another sorts before it and has blocks here."""
    first = host.take("CalicoPoolIPv4")
    assert first.startswith("172.30.0.")
    host.machine.calicoctl("pool", "add", "10.20.0.0/24")
    other = host.take("10.20.0.0/24")
    assert other.startswith("10.20.0.")
    second = host.take("CalicoPoolIPv4")
    host.machine.stop_node()
    host.machine.start_node()
    third = host.take("CalicoPoolIPv4")
    assert second.startswith("172.30.0.") and third.startswith("172.30.0.")
    for address in (first, second, third, other):
        host.give_back("CalicoPoolIPv4", address)


def test_ipv6_is_off(host):
    """Requests that need it say so, and how it is switched on; IPv4 goes on, also of endpoints with both."""
    machine, remedy = host.machine, "sysctl -w net.ipv6.conf.all.disable_ipv6=0"
    name, key = "caliboth", f"/calico/v1/host/{host.machine.name}/workload/o/w/endpoint/both"
    document = {"state": "active", "name": name, "mac": "ee:ee:ee:ee:ee:ee", "profile_ids": [],
                "ipv4_nets": ["172.30.1.1/32"], "ipv6_nets": ["fd31::1/128"]}
    machine.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
    try:
        assert remedy in host.take("CalicoPoolIPv6")
        assert remedy in host.take("fd30::/122", "fd30::5")
        assert host.take("172.30.0.0/26", "172.30.0.50") == "172.30.0.50"
        host.give_back("172.30.0.0/26", "172.30.0.50")
        host.call("NetworkDriver.CreateNetwork", NetworkID=NETWORK, Options={}, IPv6Data=[],
                  IPv4Data=[GLOBAL | {"Pool": "0.0.0.0/0", "Gateway": "0.0.0.0/0"}])
        answer = host.call("NetworkDriver.CreateEndpoint", NetworkID=NETWORK, EndpointID=ENDPOINT, Options={},
                           Interface={"Address": "172.30.0.51/32", "AddressIPv6": "fd30::7/128"})
        assert remedy in answer.get("Err", "")
        done = machine.calicoctl("node", "--ip6=fd30::11", check=False)
        assert done.returncode == 1 and remedy in done.stderr
        machine.run("ip", "link", "add", name, "type", "veth", "peer", "name", "both")
        host.etcd.etcdctl("set", key, json.dumps(document))
        lab.until(lambda: remedy in host.problems().get(f"IPv6 of {name}", ""), what="the problem")
        assert "172.30.1.1" in machine.routes()
        assert "Endpoints: 1 of 1 up" in machine.calicoctl("status")
    finally:
        machine.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0")
        host.call("NetworkDriver.DeleteNetwork", NetworkID=NETWORK)
        host.etcd.etcdctl("rm", key, check=False)
        machine.run("ip", "link", "delete", name, check=False)
