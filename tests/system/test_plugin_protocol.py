# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The plugin socket of a real calico-node, with raw requests as dockerd sends them, and with wrong ones."""

import contextlib
import json
import os
import socket
import stat
import threading

import pytest

import lab
from plugin_client import Client

NETWORK = "56a2" + 60 * "0"
ENDPOINT = "11fec705239" + 53 * "0"
SANDBOX = "/var/run/docker/netns/06011fcac3a2"
GLOBAL = "CalicoGlobalAddressSpace"
ANY_POOL = {"PoolID": "CalicoPoolIPv4", "Pool": "0.0.0.0/0", "Data": {"com.docker.network.gateway": "0.0.0.0/0"}}
OPTIONS = {"com.docker.network.endpoint.exposedports": [], "com.docker.network.portmap": []}


def network_request(network=NETWORK, generic=None, **options):
    return {"NetworkID": network,
            "Options": {"com.docker.network.enable_ipv6": False, "com.docker.network.generic": generic or {}, **options},
            "IPv4Data": [{"AddressSpace": GLOBAL, "Gateway": "0.0.0.0/0", "Pool": "0.0.0.0/0"}], "IPv6Data": []}


def pool_request(**members):
    return {"AddressSpace": GLOBAL, "Pool": "", "SubPool": "", "Options": {}, "V6": False} | members


def endpoint_request(address, endpoint=ENDPOINT, address6="", mac=""):
    return {"NetworkID": NETWORK, "EndpointID": endpoint, "Options": OPTIONS,
            "Interface": {"Address": address, "AddressIPv6": address6, "MacAddress": mac}}


def join_request(endpoint=ENDPOINT, sandbox=SANDBOX):
    return {"NetworkID": NETWORK, "EndpointID": endpoint, "SandboxKey": sandbox, "Options": OPTIONS}


def of_endpoint(endpoint=ENDPOINT):
    return {"NetworkID": NETWORK, "EndpointID": endpoint}


def wait_for_registration(machine):
    """At the first start the daemon makes the default pools a moment after its socket."""
    lab.until(lambda: "192.168.0.0/16" in machine.calicoctl("pool", "show"), 20, "the default pool")


@pytest.fixture(scope="module")
def node():
    """A machine with calico-node on the embedded store, and no Docker; networks of global scope."""
    with lab.Network() as network:
        with network.machine("host-a", environment={"CALICO_LIBNETWORK_SCOPE": "global"}) as machine:
            machine.start_node()
            wait_for_registration(machine)
            yield machine


@pytest.fixture
def client(node):
    with Client(node.path("plugins", "calico.sock")) as made:
        yield made


def start_endpoint(client, endpoint=ENDPOINT, sandbox=SANDBOX):
    """All that dockerd calls at `docker run`; returns the address and the answer to Join."""
    address = client.call("IpamDriver.RequestAddress", {"PoolID": "CalicoPoolIPv4", "Address": "", "Options": None})
    client.call("NetworkDriver.CreateEndpoint", endpoint_request(address["Address"], endpoint))
    joined = client.call("NetworkDriver.Join", join_request(endpoint, sandbox))
    client.call("NetworkDriver.ProgramExternalConnectivity", of_endpoint(endpoint) | {"Options": OPTIONS})
    for _ in range(2):
        assert client.call("NetworkDriver.EndpointOperInfo", of_endpoint(endpoint)) == {"Value": {}}
    return address["Address"].partition("/")[0], joined


def stop_endpoint(client, address, endpoint=ENDPOINT):
    """All that dockerd calls when a container ends."""
    client.call("NetworkDriver.RevokeExternalConnectivity", of_endpoint(endpoint))
    client.call("NetworkDriver.Leave", of_endpoint(endpoint))
    client.call("NetworkDriver.DeleteEndpoint", of_endpoint(endpoint))
    client.call("IpamDriver.ReleaseAddress", {"PoolID": "CalicoPoolIPv4", "Address": address})


# The recorded life of a container


def test_a_container_comes_and_goes(node, client):
    assert client.call("Plugin.Activate") == {"Implements": ["NetworkDriver", "IpamDriver"]}
    assert client.call("NetworkDriver.GetCapabilities") == {"Scope": "global"}
    assert client.call("NetworkDriver.DiscoverNew", {
        "DiscoveryType": 1, "DiscoveryData": {"Address": "127.0.0.1", "BindAddress": "", "Self": True}}) == {}
    assert client.call("IpamDriver.GetCapabilities") == {"RequiresMACAddress": False, "RequiresRequestReplay": False}
    assert client.call("IpamDriver.GetDefaultAddressSpaces") == {
        "LocalDefaultAddressSpace": "CalicoLocalAddressSpace", "GlobalDefaultAddressSpace": GLOBAL}
    assert client.call("IpamDriver.RequestPool", pool_request()) == ANY_POOL
    assert client.call("NetworkDriver.CreateNetwork", network_request()) == {}

    address, joined = start_endpoint(client)
    assert joined == {"InterfaceName": {"SrcName": "tmp11fec705239", "DstPrefix": "cali"},
                      "Gateway": "169.254.1.1", "GatewayIPv6": "",
                      "StaticRoutes": [{"Destination": "169.254.1.1/32", "RouteType": 1, "NextHop": ""}],
                      "DisableGatewayService": True}
    assert interface(node, "tmp11fec705239")["address"] == "ee:ee:ee:ee:ee:ee"
    assert interface(node, "cali11fec705239")["address"] == "ee:ee:ee:ee:ee:fe"
    assert "UP" in interface(node, "cali11fec705239")["flags"]
    assert node.routes() == {address}

    stop_endpoint(client, address)
    assert node.workload_links() == set()
    assert node.routes() == set()
    assert client.call("IpamDriver.ReleaseAddress", {"PoolID": "CalicoPoolIPv4", "Address": "0.0.0.0"}) == {}
    assert client.call("IpamDriver.ReleasePool", {"PoolID": "CalicoPoolIPv4"}) == {}
    assert client.call("NetworkDriver.DeleteNetwork", {"NetworkID": NETWORK}) == {}
    assert NETWORK not in node.calicoctl("profile", "show")


@pytest.fixture
def network_of_tests(client):
    client.call("NetworkDriver.CreateNetwork", network_request())
    yield
    client.call("NetworkDriver.DeleteNetwork", {"NetworkID": NETWORK})


def interface(node, name):
    return json.loads(node.run("ip", "-json", "link", "show", name).stdout)[0]


def pinned_links(node):
    return sorted(name for _, _, names in os.walk(node.path("bpf")) for name in names if name.startswith("cali"))


def test_join_twice_makes_the_interface_anew(node, client, network_of_tests):
    address, first = start_endpoint(client)
    before, pins = interface(node, "cali11fec705239"), pinned_links(node)
    assert client.call("NetworkDriver.Join", join_request()) == first
    assert interface(node, "cali11fec705239")["ifindex"] != before["ifindex"]
    lab.until(lambda: pinned_links(node) == pins, what="programs on the new interface")
    assert node.routes() == {address}
    stop_endpoint(client, address)
    assert node.workload_links() == set()


def test_a_failed_join_leaves_no_interface(node, client, network_of_tests):
    # The other end's name is taken, so the pair cannot be made.
    node.run("ip", "link", "add", "tmp11fec705239", "type", "bridge")
    client.call("NetworkDriver.CreateEndpoint", endpoint_request("192.168.1.1/32"))
    assert "tmp11fec705239" in client.refused("NetworkDriver.Join", join_request())
    assert "cali11fec705239" not in node.links()
    node.run("ip", "link", "delete", "tmp11fec705239")
    assert "does not exist" in client.refused("NetworkDriver.Join", join_request("22fec705239" + 53 * "0"))
    client.call("NetworkDriver.DeleteEndpoint", of_endpoint())


def test_everything_may_be_undone_twice(node, client, network_of_tests):
    address, _ = start_endpoint(client)
    for _ in range(2):
        stop_endpoint(client, address)
    client.call("NetworkDriver.Leave", of_endpoint("never" + 59 * "0"))
    client.call("NetworkDriver.DeleteNetwork", {"NetworkID": "77"})


def test_networks_of_one_sandbox_have_different_next_hops(node, client, network_of_tests):
    second = "22fec705239" + 53 * "0"
    address, joined = start_endpoint(client)
    other, other_joined = start_endpoint(client, second)
    assert joined["Gateway"] == "169.254.1.1"
    assert other_joined["Gateway"] == "169.254.1.2"
    assert other_joined["StaticRoutes"][0]["Destination"] == "169.254.1.2/32"
    stop_endpoint(client, address)
    stop_endpoint(client, other, second)


def test_an_ipv6_next_hop_only_with_an_ipv6_address(node, client, network_of_tests):
    client.call("NetworkDriver.CreateEndpoint", endpoint_request("192.168.1.1/32", address6="fd80::1/128"))
    joined = client.call("NetworkDriver.Join", join_request())
    assert joined["GatewayIPv6"] == "fe80::1"
    assert {"Destination": "fe80::1/128", "RouteType": 1, "NextHop": ""} in joined["StaticRoutes"]
    assert "fd80::1" in node.routes(6)
    client.call("NetworkDriver.Leave", of_endpoint())
    client.call("NetworkDriver.DeleteEndpoint", of_endpoint())


def test_mtu_of_the_network(node, client):
    client.call("NetworkDriver.CreateNetwork", network_request(generic={"com.docker.network.driver.mtu": "1234"}))
    address, _ = start_endpoint(client)
    assert interface(node, "tmp11fec705239")["mtu"] == interface(node, "cali11fec705239")["mtu"] == 1234
    stop_endpoint(client, address)
    client.call("NetworkDriver.DeleteNetwork", {"NetworkID": NETWORK})


def test_a_mac_of_the_user(node, client, network_of_tests):
    answer = client.call("NetworkDriver.CreateEndpoint",
                         endpoint_request("192.168.1.1/32", mac="02:11:22:33:44:55"))
    assert answer == {"Interface": {}}
    client.call("NetworkDriver.Join", join_request())
    assert interface(node, "tmp11fec705239")["address"] == "02:11:22:33:44:55"
    client.call("NetworkDriver.Leave", of_endpoint())
    client.call("NetworkDriver.DeleteEndpoint", of_endpoint())


def test_clear_refusals(client):
    assert "--ip-range" in client.refused("IpamDriver.RequestPool", pool_request(SubPool="192.168.1.0/24"))
    assert "must match" in client.refused("IpamDriver.RequestPool", pool_request(Pool="10.0.0.0/8"))
    assert "calico network driver" in client.refused("IpamDriver.RequestPool",
                                                     pool_request(AddressSpace="CalicoLocalAddressSpace"))
    assert "option a" in client.refused("IpamDriver.RequestPool", pool_request(Options={"a": "b"}))
    assert "--gateway" in client.refused("IpamDriver.RequestAddress", {
        "PoolID": "CalicoPoolIPv4", "Address": "192.168.77.1",
        "Options": {"RequestAddressType": "com.docker.network.gateway"}})
    assert "--internal" in client.refused("NetworkDriver.CreateNetwork",
                                          network_request(**{"com.docker.network.internal": True}))
    assert "color" in client.refused("NetworkDriver.CreateNetwork", network_request(generic={"color": "red"}))
    assert "--cluster-store" in client.refused("NetworkDriver.CreateEndpoint",
                                               endpoint_request("192.168.1.1/32") | {"NetworkID": "unknown"})


# HTTP


def test_both_sockets_serve(node):
    for name in ("calico.sock", "calico-ipam.sock"):
        path = node.path("plugins", name)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with Client(path) as client:
            assert client.call("IpamDriver.RequestPool", pool_request()) == ANY_POOL
    assert stat.S_IMODE(os.stat(node.path("plugins")).st_mode) == 0o700
    assert sorted(os.listdir(node.path("plugins"))) == ["calico-ipam.sock", "calico.sock"]


@pytest.mark.parametrize("method", [
    "NetworkDriver.CreateNetwork", "NetworkDriver.DeleteNetwork", "NetworkDriver.CreateEndpoint",
    "NetworkDriver.DeleteEndpoint", "NetworkDriver.Join", "NetworkDriver.Leave", "IpamDriver.RequestPool",
    "IpamDriver.RequestAddress", "IpamDriver.ReleaseAddress"])
def test_an_empty_body_is_an_error(client, method):
    assert "empty request body" in client.refused(method, status=400)


def test_a_body_in_chunks(client):
    body = json.dumps(pool_request()).encode()
    client.send(b"POST /IpamDriver.RequestPool HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for part in (body[:10], body[10:]):
        client.send(b"%x\r\n%s\r\n" % (len(part), part))
    client.send(b"0\r\n\r\n")
    assert client.answer().json == ANY_POOL


def test_a_body_in_single_bytes(client):
    body = json.dumps(pool_request()).encode()
    for byte in b"POST /IpamDriver.RequestPool HTTP/1.1\r\nHost:\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body):
        client.send(bytes([byte]))
    assert client.answer().json == ANY_POOL


def test_requests_in_one_piece_are_answered_in_order(client):
    for _ in range(5):
        client.request("Plugin.Activate")
        client.request("IpamDriver.RequestPool", pool_request())
    for _ in range(5):
        assert "Implements" in client.answer().json
        assert client.answer().json == ANY_POOL


@pytest.mark.parametrize("line", ["GET /Plugin.Activate", "PUT /Plugin.Activate", "DELETE /Plugin.Activate"])
def test_other_verbs(client, line):
    client.send(f"{line} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = client.answer()
    assert answer.status == 405
    assert "POST" in answer.json["Err"]


@pytest.mark.parametrize("path", ["/", "/Nothing", "/NetworkDriver.Join/x", "/../Plugin.Activate", "/%00", "/\xff"])
def test_unknown_paths(client, path):
    client.send(b"POST " + path.encode("latin-1") + b" HTTP/1.1\r\nHost:\r\nContent-Length: 2\r\n\r\n{}")
    answer = client.answer()
    assert answer.status in (400, 404)


@pytest.mark.parametrize("body", [b"{", b"null", b"[]", b"\x00", b"{\"a\":\"\xff\"}", b"[" * 100000, b"{}" + b"\x00"])
def test_bodies_that_are_no_json_object(client, body):
    client.send(b"POST /IpamDriver.RequestPool HTTP/1.1\r\nHost:\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    answer = client.answer()
    assert answer.status == 400
    assert "JSON" in answer.json["Err"]


@pytest.mark.parametrize("garbage", [
    b"\x16\x03\x01\x02\x00\x01\x00", b"GARBAGE\r\n\r\n", b"\r\n\r\n\r\n", b"POST\r\n\r\n",
    b"POST /Plugin.Activate HTTP/9.9\r\n\r\n", b"POST /Plugin.Activate HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /Plugin.Activate HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /IpamDriver.RequestPool HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"])
def test_garbage_is_survived(node, client, garbage):
    client.send(garbage)
    client.socket.shutdown(socket.SHUT_WR)
    while not client.ended():
        pass
    with Client(node.path("plugins", "calico.sock")) as other:
        assert "Implements" in other.call("Plugin.Activate")


def test_a_body_that_is_too_large(node, client):
    size = 1024 * 1024 + 1
    client.send(b"POST /IpamDriver.RequestPool HTTP/1.1\r\nHost:\r\nContent-Length: %d\r\n\r\n" % size)
    client.send(b" " * size)
    answer = client.answer()
    assert answer.status == 400
    assert "larger than 1048576 bytes" in answer.json["Err"]


def test_headers_that_are_too_large(node, client):
    with pytest.raises((BrokenPipeError, ConnectionResetError, EOFError)):
        client.send(b"POST /Plugin.Activate HTTP/1.1\r\nX: " + 100000 * b"x")
        client.send(100000 * b"x" + b"\r\n\r\n")
        assert client.answer().status != 200
        raise EOFError
    with Client(node.path("plugins", "calico.sock")) as other:
        assert "Implements" in other.call("Plugin.Activate")


def test_clients_that_go_away(node):
    """In the middle of a request, and before the answer."""
    for data in (b"POST /Ipam", b"POST /IpamDriver.RequestPool HTTP/1.1\r\nContent-Length: 100\r\n\r\n{",
                 b"POST /IpamDriver.RequestPool HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"):
        for _ in range(20):
            with Client(node.path("plugins", "calico.sock")) as client:
                client.send(data)
    with Client(node.path("plugins", "calico.sock")) as client:
        assert "Implements" in client.call("Plugin.Activate")


def test_slow_clients_are_cut_off_and_idle_ones_are_not(node):
    """A request must arrive within 10 s of its first byte, however steadily it drips; silence before it is free."""
    path = node.path("plugins", "calico.sock")
    with Client(path, 30) as slow, Client(path, 30) as silent, Client(path) as idle:
        idle.call("Plugin.Activate")
        slow.send(b"POST /IpamDriver.RequestPool HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")
        stop = threading.Event()

        def drip():
            while not stop.wait(0.5):
                try:
                    slow.send(b" ")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        assert slow.ended()  # or its socket's 30 s are over
        stop.set()
        dripping.join()
        assert silent.ended()  # it never sent a request
        assert "Implements" in idle.call("Plugin.Activate")


def test_concurrent_requests(node, network_of_tests):
    """Forty containers start and stop on forty connections at once."""
    failures, addresses = [], []

    def life(number):
        endpoint = f"{number:011x}" + 53 * "0"
        try:
            with Client(node.path("plugins", "calico.sock"), 60) as client:
                address, _ = start_endpoint(client, endpoint, f"{SANDBOX}-{number}")
                addresses.append(address)
                barrier.wait(60)
                stop_endpoint(client, address, endpoint)
        except BaseException as failure:
            failures.append(failure)
            barrier.abort()

    barrier = threading.Barrier(40)
    threads = [threading.Thread(target=life, args=(number,)) for number in range(1, 41)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(set(addresses)) == 40
    assert node.workload_links() == set()


def test_idle_connections_make_room_for_new_ones(node):
    path, descriptors = node.path("plugins", "calico.sock"), f"/proc/{node.node_process.pid}/fd"
    before = len(os.listdir(descriptors))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(path))]  # silent: it has not sent its request yet
        for _ in range(200):
            clients.append(stack.enter_context(Client(path)))
            assert "Implements" in clients[-1].call("Plugin.Activate")
        assert clients[1].ended()
        assert "Implements" in clients[100].call("Plugin.Activate")
        assert len(os.listdir(descriptors)) < before + 140


def test_silent_connections_do_not_keep_others_out_for_long(node):
    path = node.path("plugins", "calico.sock")
    with contextlib.ExitStack() as stack:
        for _ in range(150):
            stack.enter_context(Client(path, 60))
        with Client(path, 60) as late:
            assert "Implements" in late.call("Plugin.Activate")
