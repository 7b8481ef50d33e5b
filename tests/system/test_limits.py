# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What does not fit into a map denies those that need it, `calicoctl status` says so, and it comes into force when
there is room."""

import contextlib
import json
import socket

import pytest

import lab
from workloads import Documents, Echo, Stream, Workload, opened

PORT = 1000
RULES = 2048  # entries of the map `rule`, and of `step`; a quarter of it lists and rule ids
ADDRESSES = 64
ENDPOINTS = 16  # slots, of which the first is none
FRIENDS = {"action": "allow", "src_tag": "friends"}


def rules(*inbound):
    return {"inbound_rules": inbound, "outbound_rules": [{"action": "allow"}]}


def many(count, **members):
    """Rules that never match, all different."""
    return [{"action": "deny", "src_net": f"198.51.{number // 250}.{number % 250}"} | members
            for number in range(count)]


class Scene:
    """A client, a server of profile `small`, a second one of profile `large`, which is for filling the maps."""

    def __init__(self, machine, documents, made):
        self.machine, self.documents, self.made = machine, documents, made
        self.client, self.small, self.large = (made[name] for name in ("client", "small", "large"))

    def status(self):
        """What the daemon says of itself."""
        shown = lab.until(lambda: self.machine.calicoctl("status", "-o", "json", check=False).stdout, 30, "an answer")
        return json.loads(shown)["daemon"]

    def problems(self):
        return {problem["object"]: problem["text"] for problem in self.status()["problems"]}

    def passes(self, server, seconds=0.5):
        made = [opened(self.client, socket.SOCK_DGRAM, source, address, PORT, seconds) for source, address in
                ((self.client.address, server.address), (self.client.address6, server.address6))]
        for flow in made:
            if flow:
                flow.close()
        return None not in made

    def reset(self):
        self.documents.put({"policy/tier/t": None, "host/other": None} | {
            f"policy/profile/{name}/rules": rules(FRIENDS) for name in ("client", "small", "large")} | {
            "policy/profile/client/tags": ["friends"], "policy/profile/crowd/tags": ["crowd"]} | {
            one.key: one.document(name) for name, one in self.made.items()})
        lab.until(lambda: not self.problems() and self.passes(self.small) and self.passes(self.large),
                  what="everything in force")


@contextlib.contextmanager
def scene_with(settings):
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(lab.Network())
        etcd = stack.enter_context(network.etcd())
        machine = stack.enter_context(network.machine("host-a", etcd=etcd, environment={
            f"FELIX_{name.upper()}": str(value) for name, value in (settings | {"DataplaneRefreshSecs": 1}).items()}))
        workloads = {name: stack.enter_context(Workload(machine, name, number))
                     for number, name in enumerate(("client", "small", "large"), 1)}
        machine.start_node()
        for name in ("small", "large"):
            for address in (workloads[name].address, workloads[name].address6):
                stack.enter_context(Echo(workloads[name], address, PORT))
        yield Scene(machine, Documents(network, etcd), workloads)


@pytest.fixture(scope="module")
def made():
    with scene_with({"MaxRules": RULES, "MaxAddresses": ADDRESSES, "MaxEndpoints": ENDPOINTS}) as scene:
        yield scene


@pytest.fixture
def scene(made):
    made.reset()
    return made


def spread(number, count):
    """Ports that are no range, another list for each number."""
    return [number + 1] + [1000 + 2 * port for port in range(count - 1)]


def crowd(count, **members):
    """Endpoints on another host; members: functions of their number."""
    return {f"host/other/workload/test/w/endpoint/e{number}":
            {"state": "active", "name": f"eth{number}", "profile_ids": ["crowd"]} |
            {name: make(number) for name, make in members.items()} for number in range(count)}


FROM_CROWD = {"policy/profile/large/rules": rules({"action": "allow", "src_tag": "crowd"}, FRIENDS)}
FULL = {  # documents that fill the map
    "rule": {"policy/profile/large/rules": rules(
        *({"action": "deny", "protocol": "udp", "dst_ports": spread(number, 8)} for number in range(300)), FRIENDS)},
    "rule_info": {"policy/profile/large/rules": rules(*many(RULES // 4), FRIENDS)},
    "portset": {"policy/profile/large/rules": rules(
        *({"action": "deny", "protocol": "udp", "dst_ports": spread(number, 40)} for number in range(256)), FRIENDS)},
    "identity": crowd(30, ipv4_nets=lambda number: [f"10.66.0.{number}/32"], labels=lambda number: {f"l{number}": ""}) |
    {"policy/profile/large/rules": rules(
        *({"action": "deny", "src_selector": f"has(l{number % 30}) || has(n{number})"} for number in range(400)),
        FRIENDS)},
    "address4": FROM_CROWD | crowd(ADDRESSES, ipv4_nets=lambda number: [f"10.66.0.{number}/32"]),
    "address6": FROM_CROWD | crowd(ADDRESSES // 2, ipv6_nets=lambda number: [f"fd66::{number + 1:x}/128"]),
}


@pytest.mark.parametrize("full", FULL)
def test_who_needs_a_full_map_is_denied(scene, full):
    stream = Stream(scene.client, scene.client.address, scene.small.address, PORT)
    scene.documents.put(FULL[full])
    said = lab.until(lambda: scene.problems().get("policy maps"), what="the report")
    assert f"{full} (" in said, said
    assert "profile large" in scene.problems()
    lab.until(lambda: not scene.passes(scene.large, 0.2), what="the denial")
    assert scene.passes(scene.small)
    scene.documents.put({"policy/profile/large/rules": rules(FRIENDS), "host/other": None})
    lab.until(lambda: not scene.problems() and scene.passes(scene.large), what="the recovery")
    assert stream.close()[1] == 0


def test_endpoint_without_a_slot_waits_for_one(scene):
    names = [f"more{number}" for number in range(ENDPOINTS)]
    for name in names:
        scene.machine.run("ip", "link", "add", f"cali{name}", "type", "veth", "peer", "name", f"far{name}")
    more = {f"host/host-a/workload/test/{name}/endpoint/{name}":
            {"state": "active", "name": f"cali{name}", "profile_ids": ["client"]} for name in names}

    def waiting():
        found = scene.problems()
        assert all("all 15 endpoint slots of this host are in use" in text for text in found.values()), found
        return {key.removeprefix("/calico/v1/") for key in found}

    try:
        scene.documents.put(more)
        lab.until(lambda: len(waiting()) == 3 + ENDPOINTS - 15, what="the report")
        assert waiting() < set(more)
        assert scene.passes(scene.small)
        first = sorted(set(more) - waiting())[0]
        scene.documents.put({first: None})
        lab.until(lambda: len(waiting()) == 3 + ENDPOINTS - 15 - 1, what="the use of the free slot")
    finally:
        scene.documents.put({key: None for key in more})
        for name in names:
            scene.machine.run("ip", "link", "delete", f"cali{name}")


def test_raised_limit_makes_room():
    with scene_with({}) as scene:
        scene.documents.put({"config/MaxRules": "256"})
        scene.reset()
        stream = Stream(scene.client, scene.client.address, scene.small.address, PORT)
        scene.documents.put({"policy/profile/large/rules": rules(*many(300), FRIENDS)})
        lab.until(lambda: "profile large" in scene.problems() and not scene.passes(scene.large, 0.2), what="the denial")
        assert scene.passes(scene.small)
        scene.documents.put({"config/MaxRules": "4096"})
        lab.until(lambda: not scene.problems() and scene.passes(scene.large), what="the recovery")
        assert stream.close()[1] == 0
