# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every kind of change that takes a permission away stops flows at their next packet, and no others lose one."""

import contextlib
import socket

import pytest

import lab
from workloads import Documents, Echo, Stream, Workload, opened

PORT = 1000
ALLOW = {"action": "allow"}
DENY = {"action": "deny"}
NEXT = {"action": "next-tier"}
FRIENDS = {"action": "allow", "src_tag": "friends"}


def rules(inbound, outbound=(ALLOW,), **members):
    return {"inbound_rules": list(inbound), "outbound_rules": list(outbound)} | members


@pytest.fixture(scope="module")
def lan():
    """A machine on etcd with workloads: a server, a client, a keeper whose flows always stay allowed, another
    server of its own, and echo servers on both."""
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(lab.Network())
        etcd = stack.enter_context(network.etcd())
        machine = stack.enter_context(network.machine("host-a", etcd=etcd))
        made = {name: stack.enter_context(Workload(machine, name, number))
                for number, name in enumerate(("server", "client", "keeper", "other"), 1)}
        machine.start_node()
        echoes = [stack.enter_context(Echo(made[name], address, PORT)) for name in ("server", "other")
                  for address in (made[name].address, made[name].address6)]
        yield Documents(network, etcd), made, echoes


@pytest.fixture
def scene(lan):
    documents, made, echoes = lan
    keeper = made["keeper"]
    keepers = [{"action": "allow", "src_net": f"{keeper.address}/32"},
               {"action": "allow", "src_net": f"{keeper.address6}/128"}]
    base = {
        "policy/profile/server/rules": rules(keepers + [FRIENDS]),
        "policy/profile/client/rules": rules([]),
        "policy/profile/client/tags": ["friends"],
        "policy/profile/client/labels": {"role": "friend"},
        "policy/profile/keeper/rules": rules([]),
        "policy/profile/other/rules": rules(keepers),
        "policy/tier/a/metadata": None,
        "policy/tier/b/metadata": None,
        "policy/tier/a/policy": None,
        "policy/tier/b/policy": None,
    } | {one.key: one.document(name) for name, one in made.items()}
    return documents, made, echoes, keepers, base


def changes(made, keepers):
    """Name: (what differs from the base before, what changes, whether the keeper still reaches the server)"""
    client, server = made["client"], made["server"]
    selecting = {"policy/profile/server/rules": rules(keepers + [{"src_selector": "role == 'friend'"}])}
    nets = [{"src_net": f"{client.address}/32"}, {"src_net": f"{client.address6}/128"}]
    ports = [{"protocol": protocol, "src_tag": "friends", "dst_ports": [PORT]} for protocol in ("tcp", "udp")]
    others = [rule | {"dst_ports": [PORT + 1]} for rule in ports]
    closing = rules(keepers + [DENY], selector="has(quarantine)", order=1)
    pair = {"policy/tier/a/metadata": {"order": 1}, "policy/tier/b/metadata": {"order": 2},
            "policy/tier/a/policy/p": rules([ALLOW], selector="all()", order=1),
            "policy/tier/b/policy/p": rules(keepers + [DENY], selector="all()", order=1)}
    both = {"policy/tier/a/metadata": {"order": 1},
            "policy/tier/a/policy/p": rules([NEXT], [NEXT], selector="all()", order=1),
            "policy/tier/a/policy/q": rules(keepers + [DENY], selector="all()", order=2)}

    return {
        "rule removed": ({}, {"policy/profile/server/rules": rules(keepers)}, True),
        "rule put before": ({}, {"policy/profile/server/rules": rules(keepers + [DENY, FRIENDS])}, True),
        "ports changed": ({"policy/profile/server/rules": rules(keepers + ports)},
                          {"policy/profile/server/rules": rules(keepers + others)}, True),
        "nets changed": ({"policy/profile/server/rules": rules(keepers + nets)},
                         {"policy/profile/server/rules": rules(keepers + [{"src_net": "10.66.0.0/16"}])}, True),
        "outbound rules removed": ({}, {"policy/profile/client/rules": rules([], [])}, True),
        "profile deleted": ({}, {"policy/profile/client/rules": None}, True),
        "profile invalid": ({}, {"policy/profile/client/rules": rules([{"action": "perhaps"}])}, True),
        "tag taken off": ({}, {"policy/profile/client/tags": []}, True),
        "tags deleted": ({}, {"policy/profile/client/tags": None}, True),
        "tags invalid": ({}, {"policy/profile/client/tags": {"friends": 1}}, True),
        "member moved": ({}, {client.key: client.document("keeper")}, True),
        "server moved": ({}, {server.key: server.document("other")}, True),
        "label changed": (selecting | {"policy/profile/client/labels": None,
                                       client.key: client.document("client", labels={"role": "friend"})},
                          {client.key: client.document("client", labels={"role": "foe"})}, True),
        "label of a profile changed": (selecting, {"policy/profile/client/labels": {"role": "foe"}}, True),
        "label overridden": (selecting, {client.key: client.document("client", labels={"role": "foe"})}, True),
        "policy added": ({"policy/tier/a/metadata": {}},
                         {"policy/tier/a/policy/p": rules(keepers + [DENY], selector="all()", order=1)}, True),
        "policy begins to match": ({"policy/tier/a/metadata": {"order": 1}, "policy/tier/a/policy/p": closing},
                                   {server.key: server.document("server", labels={"quarantine": ""})}, True),
        "selector changed": ({"policy/tier/a/metadata": {"order": 1}, "policy/tier/a/policy/p": closing},
                             {"policy/tier/a/policy/p": closing | {"selector": "!has(quarantine)"}}, True),
        "tier known": ({"policy/tier/a/policy/p": closing | {"selector": "all()"}},
                       {"policy/tier/a/metadata": {"order": 1}}, True),
        "tiers in another order": (pair, {"policy/tier/a/metadata": {"order": 3}}, True),
        "policies in another order": (both, {"policy/tier/a/policy/p": both["policy/tier/a/policy/p"] | {"order": 3}},
                                      True),
        "sender inactive": ({}, {client.key: client.document("client", state="inactive")}, True),
        "receiver inactive": ({}, {server.key: server.document("server", state="inactive")}, False),
        "sender deleted": ({}, {client.key: None}, True),
        "receiver deleted": ({}, {server.key: None}, False),
        "address taken": ({}, {client.key: client.document("client", ipv4_nets=["10.65.1.1/32"],
                                                           ipv6_nets=["fd65::1:1/128"])}, True),
    }


class Nobody:
    """Stands for a workload where only names matter."""
    key = address = address6 = ""

    @staticmethod
    def document(*_, **__):
        return {}


NAMES = list(changes({"client": Nobody, "server": Nobody}, []))


def ends(client, server):
    return (client.address, server.address), (client.address6, server.address6)


def open_flows(client, server):
    """That the permission has come does not mean that nothing of what was written before is still on its way."""
    def opens(kind, source, address):
        return lab.until(lambda: opened(client, kind, source, address, PORT, 2), what="an answer")

    return [(kind, opens(kind, source, address)) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)
            for source, address in ends(client, server)]


def new_flows_pass(client, server, seconds):
    """How many of the two families."""
    made = [opened(client, socket.SOCK_DGRAM, source, address, PORT, seconds) for source, address in
            ends(client, server)]
    for flow in made:
        if flow:
            flow.close()
    return 2 - made.count(None)


@pytest.mark.parametrize("name", NAMES)
def test_change_stops_what_it_forbids(scene, name):
    documents, made, echoes, keepers, base = scene
    client, server, keeper, other = (made[one] for one in ("client", "server", "keeper", "other"))
    before, change, keeps = changes(made, keepers)[name]
    documents.put(base)
    documents.put(before)
    lab.until(lambda: new_flows_pass(client, server, 1) == 2, what="the permission")
    asking, asked = open_flows(client, server), open_flows(client, server)
    streams = [Stream(keeper, source, address, PORT) for one in [other] + [server] * keeps
               for source, address in ends(keeper, one)]

    documents.put(change)
    lab.until(lambda: new_flows_pass(client, server, 0.2) == 0, what="the end of the permission")
    for _, flow in asking:
        flow.sendall(b"asking")
    for number, (kind, flow) in enumerate(asked):
        with contextlib.suppress(OSError):  # the address may be gone
            echoes[number % 2].say(kind, flow.getsockname(), b"answering")
    for _, flow in asking + asked:
        flow.settimeout(0.1)
        with pytest.raises(TimeoutError):
            flow.recv(100)
        flow.close()

    documents.put(base | before)
    lab.until(lambda: new_flows_pass(client, server, 1) == 2, what="the permission's return")
    counts = [stream.close() for stream in streams]
    assert [lost for _, lost in counts] == [0] * len(counts)
    assert all(sent > 10 for sent, _ in counts)
