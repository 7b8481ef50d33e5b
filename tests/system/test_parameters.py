# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Parameters that change verdicts, and interfaces without an active endpoint, with real packets."""

import contextlib
import re
import socket

import pytest

import lab
from plugin_client import Client
from workloads import Documents, Echo, Workload, opened

PORT = 1000
DNS = 53
DATAGRAMS, STREAMS = socket.SOCK_DGRAM, socket.SOCK_STREAM
OPEN = {"inbound_rules": [{"action": "allow"}], "outbound_rules": [{"action": "allow"}]}
NO_INBOUND = OPEN | {"inbound_rules": []}
NO_OUTBOUND = OPEN | {"outbound_rules": []}


class Scene:
    def __init__(self, machine, documents, made):
        self.machine, self.documents, self.made = machine, documents, made
        self.client, self.server = made["client"], made["server"]
        documents.put({f"policy/profile/{name}/rules": OPEN for name in made} |
                      {one.key: one.document(name) for name, one in made.items()})
        lab.until(lambda: self.passes(DATAGRAMS), 20, "everything in force")

    def passes(self, kind=DATAGRAMS, address=None, port=PORT, seconds=0.3):
        """Whether a new flow of the client to the server, or to another address, is answered."""
        flow = opened(self.client, kind, self.client.address, address or self.server.address, port, seconds)
        if flow:
            flow.close()
        return bool(flow)

    def reaches_host(self, kind, port):
        return self.passes(kind, self.machine.address, port)


@pytest.fixture
def scene(request):
    """A client and a server that may do everything; the test's mark has the parameters. The host itself answers."""
    settings = {f"FELIX_{name.upper()}": value for name, value in getattr(request, "param", {}).items()}
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(lab.Network())
        etcd = stack.enter_context(network.etcd())
        machine = stack.enter_context(network.machine("host-a", etcd=etcd, environment=settings))
        made = {name: stack.enter_context(Workload(machine, name, number))
                for number, name in enumerate(("client", "server"), 1)}
        for where, address, port in ((made["server"], made["server"].address, PORT), (machine, machine.address, PORT),
                                     (machine, machine.address, DNS)):
            stack.enter_context(Echo(where, address, port))
        machine.start_node()
        yield Scene(machine, Documents(network, etcd), made)


def with_parameters(**parameters):
    return pytest.mark.parametrize("scene", [parameters], indirect=True, ids=[",".join(parameters.values())])


@with_parameters(EstablishedFlows="keep")
def test_established_flows_can_be_kept(scene):
    client, server = scene.client, scene.server
    kept = [opened(client, kind, client.address, server.address, PORT) for kind in (DATAGRAMS, STREAMS)]
    scene.documents.put({"policy/profile/server/rules": NO_INBOUND})
    lab.until(lambda: not scene.passes(), what="the end of the permission")
    assert not scene.passes(STREAMS)
    assert all(lab.echoes(flow) for flow in kept)
    # An address that goes takes its flows with it.
    scene.documents.put({server.key: None})
    lab.until(lambda: not lab.echoes(kept[0]), what="the end of the flow")
    scene.documents.put({server.key: server.document("server")})
    for flow in kept:
        flow.settimeout(0.3)
        assert not lab.echoes(flow)
        flow.close()


@with_parameters(DropActionOverride="ACCEPT")
def test_denied_packets_can_be_accepted(scene):
    scene.documents.put({"policy/profile/server/rules": NO_INBOUND, "policy/profile/client/rules": None})
    lab.until(lambda: "STEP_NO_PROFILE" in scene.machine.run(
        "bpftool", "map", "dump", "pinned", scene.machine.path("bpf", "calico", "v1", "step")).stdout, what="the denial")
    assert scene.passes()
    assert scene.passes(STREAMS)
    assert "WARN packet" not in scene.machine.log("node")


@with_parameters(DropActionOverride="LOG-and-ACCEPT")
def test_denied_packets_can_be_accepted_and_logged(scene):
    scene.documents.put({"policy/profile/server/rules": NO_INBOUND})

    def logged():
        assert scene.passes()
        return re.search(r"WARN packet: calico-drop: caliserver udp 10\.65\.0\.1:\d+ -> 10\.65\.0\.2:1000 ",
                         scene.machine.log("node"))

    lab.until(logged, what="the line in the log")


@with_parameters(DropActionOverride="perhaps")
def test_unknown_action_is_told_and_drops(scene):
    assert "unknown value 'perhaps'" in scene.machine.calicoctl("status", check=False).stdout.replace("\n", " ")
    scene.documents.put({"policy/profile/server/rules": NO_INBOUND})
    lab.until(lambda: not scene.passes(), what="the denial")


@with_parameters(DefaultEndpointToHostAction="DROP")
def test_host_can_be_closed(scene):
    """H1: but for DNS by UDP, whatever the endpoint's own rules say."""
    assert not scene.reaches_host(STREAMS, PORT)
    assert not scene.reaches_host(DATAGRAMS, PORT)
    assert not scene.reaches_host(STREAMS, DNS)
    assert scene.reaches_host(DATAGRAMS, DNS)
    scene.documents.put({"policy/profile/client/rules": NO_OUTBOUND})
    lab.until(lambda: not scene.passes(), what="the denial")
    assert scene.reaches_host(DATAGRAMS, DNS)


@pytest.mark.parametrize("scene", [{"DefaultEndpointToHostAction": action} for action in ("RETURN", "ACCEPT")],
                         indirect=True, ids=["RETURN", "ACCEPT"])
def test_host_is_reached_as_outbound_rules_say(scene):
    """H2, H3, H6."""
    assert scene.reaches_host(STREAMS, PORT)
    assert scene.reaches_host(DATAGRAMS, PORT)
    held = opened(scene.client, STREAMS, scene.client.address, scene.machine.address, PORT)
    scene.documents.put({"policy/profile/client/rules": NO_OUTBOUND, "policy/profile/server/rules": NO_INBOUND})
    lab.until(lambda: not scene.reaches_host(DATAGRAMS, PORT), what="the denial")
    assert not scene.reaches_host(STREAMS, PORT)
    assert scene.reaches_host(DATAGRAMS, DNS)
    held.settimeout(0.3)
    assert not lab.echoes(held)
    held.close()
    # No rule stands between the host and its endpoints.
    flow = opened(scene.machine, STREAMS, scene.machine.address, scene.server.address, PORT)
    assert flow
    flow.close()


def test_interface_without_endpoint_is_dead(scene):
    """E17, and E18: names of which one begins like another."""
    with Workload(scene.machine, "client1", 9) as unknown:
        def passes():
            flow = opened(unknown, DATAGRAMS, unknown.address, scene.server.address, PORT, 0.3)
            if flow:
                flow.close()
            return bool(flow)

        links = scene.machine.path("bpf", "calico", "v1", "links")
        lab.until(lambda: f"{unknown.interface}_in" in scene.machine.run("ls", links).stdout, what="its programs")
        scene.machine.run("ip", "link", "set", unknown.interface, "up")
        scene.machine.run("ip", "route", "add", unknown.address, "dev", unknown.interface)
        assert not passes()
        with Echo(unknown, unknown.address, PORT):
            assert not scene.passes(DATAGRAMS, unknown.address)
            scene.documents.put({unknown.key: unknown.document("client")})
            lab.until(passes, what="the endpoint")
            assert scene.passes(DATAGRAMS, unknown.address)
            scene.documents.put({unknown.key: unknown.document("client", state="inactive")})
            lab.until(lambda: not passes(), what="its end")
            assert not scene.passes(DATAGRAMS, unknown.address)
            scene.documents.put({unknown.key: unknown.document("client")})
            lab.until(passes, what="its return")
            scene.documents.put({unknown.key: None})
            lab.until(lambda: not passes(), what="its removal")
            scene.machine.run("ip", "route", "replace", unknown.address, "dev", unknown.interface)
            assert not scene.passes(DATAGRAMS, unknown.address)
    assert scene.passes()


@with_parameters(UplinksXDP="off")
def test_misspelt_names_are_told(scene):
    def misspelt():
        with Client(scene.machine.path("run", "calico-node.sock")) as client:
            client.send(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
            return {row["object"]: row["text"] for row in client.answer().json["problems"]}

    name = "DropActionOveride"
    assert "did you mean FELIX_UPLINKXDP?" in misspelt()["parameter FELIX_UPLINKSXDP"]
    scene.documents.put({f"config/{name}": "ACCEPT"})
    lab.until(lambda: "did you mean DropActionOverride?" in misspelt().get(f"parameter {name}", ""), what="the problem")
    scene.documents.put({f"config/{name}": None})
    lab.until(lambda: list(misspelt()) == ["parameter FELIX_UPLINKSXDP"], what="the end of the problem")
