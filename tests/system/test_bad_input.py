# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Whatever somebody writes into the datastore: it is told by its key, denies where it applies, and nothing else
suffers."""

import contextlib
import json
import socket

import pytest

import lab
from workloads import Documents, Echo, Stream, Workload, opened

PORT = 1000
MEMORY_MB = 400  # of the daemon, with all that is here at once; it has 20 MB at the start
FRIENDS = {"action": "allow", "src_tag": "friends"}


def rules(*inbound):
    return {"inbound_rules": inbound, "outbound_rules": [{"action": "allow"}]}


class Scene:
    """A client, and two servers of which one is about to meet bad input."""

    def __init__(self, machine, documents, made):
        self.machine, self.documents, self.made = machine, documents, made
        self.client, self.server, self.victim = (made[name] for name in ("client", "server", "victim"))
        self.base = {"policy/tier": None, "ipam": None, "host/other": None,
                     "policy/profile/client/tags": ["friends"], "policy/profile/victim/tags": None} | {
            f"policy/profile/{name}/rules": rules(FRIENDS) for name in made} | {
            one.key: one.document(name) for name, one in made.items()}

    def problems(self):
        """By key below /calico/v1, or by what else has them."""
        shown = lab.until(lambda: self.machine.calicoctl("status", "-o", "json", check=False).stdout, 30, "an answer")
        return {problem["object"].removeprefix("/calico/v1/"): problem["text"]
                for problem in json.loads(shown)["daemon"]["problems"]}

    def passes(self, server, seconds=0.5):
        flow = opened(self.client, socket.SOCK_DGRAM, self.client.address, server.address, PORT, seconds)
        if flow:
            flow.close()
        return bool(flow)

    def reset(self):
        self.documents.put(self.base)
        lab.until(lambda: not self.problems() and self.passes(self.server) and self.passes(self.victim),
                  30, "everything in force")


@pytest.fixture(scope="module")
def made():
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(lab.Network())
        etcd = stack.enter_context(network.etcd())
        machine = stack.enter_context(network.machine("host-a", etcd=etcd))
        workloads = {name: stack.enter_context(Workload(machine, name, number))
                     for number, name in enumerate(("client", "server", "victim"), 1)}
        machine.start_node()
        for name in ("server", "victim"):
            stack.enter_context(Echo(workloads[name], workloads[name].address, PORT))
        yield Scene(machine, Documents(network, etcd), workloads)


@pytest.fixture
def scene(made):
    """At its end everything is as before, the server never lost a datagram, and the daemon has not grown much."""
    made.reset()
    stream = Stream(made.client, made.client.address, made.server.address, PORT)
    yield made
    made.reset()
    assert stream.close()[1] == 0
    with open(f"/proc/{made.machine.node_process.pid}/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    assert peak < MEMORY_MB * 1024


def bad_rule(**members):
    return rules(FRIENDS, {"action": "allow"} | members)


def negated(member):
    return member | {f"!{name}": value for name, value in member.items()}


ARRAYS = "[" * 100000 + "]" * 100000
# What stands at the victim's rules: its profile denies then.
BAD_RULES = {
    "text": "nonsense", "empty": "", "list": "[]", "null": "null", "cut": '{"inbound_rules": [',
    "one list": {"inbound_rules": [FRIENDS]}, "no list": {"inbound_rules": {}, "outbound_rules": []},
    "no rule": rules("allow"), "unknown member": bad_rule(colour="red"), "action": rules({"action": "perhaps"}),
    "protocol": bad_rule(protocol="bloop"), "protocol 0": bad_rule(protocol=0), "protocol 256": bad_rule(protocol="256"),
    "version": bad_rule(ip_version=5), "icmp 6": bad_rule(protocol="icmp", ip_version=6),
    "icmpv6 4": bad_rule(protocol="icmpv6", ip_version=4), "tag": bad_rule(src_tag="a,b"),
    "selector": bad_rule(src_selector="a!b"), "net": bad_rule(dst_net="nonsense"),
    "net of 6": bad_rule(dst_net="10.0.0.0/8", ip_version=6), "ports": bad_rule(protocol="tcp", dst_ports=["3:1"]),
    "ports of none": bad_rule(dst_ports=[80]), "type": bad_rule(protocol="icmp", icmp_type="8"),
    "code": bad_rule(protocol="icmp", icmp_code=1), "prefix": bad_rule(log_prefix=7),
    "not": bad_rule(**{"!src_tag": "+"}), "deep": '{"inbound_rules": %s, "outbound_rules": []}' % ARRAYS,
    "deep selector": bad_rule(src_selector="(" * 70000 + "all()" + ")" * 70000),
    "large": json.dumps(bad_rule(log_prefix="x" * (5 << 20))),
}


def test_profile_with_bad_rules_denies(scene):
    key = "policy/profile/victim/rules"
    for name, bad in BAD_RULES.items():
        scene.documents.put({key: bad})
        lab.until(lambda: set(scene.problems()) == {key, "profile victim"}, what=f"the complaints about {name}")
        assert not scene.passes(scene.victim, 0.1), name
        scene.documents.put({key: rules(FRIENDS)})
        lab.until(lambda: not scene.problems() and scene.passes(scene.victim), what=f"the end of {name}")


def test_missing_profile_is_named(scene):
    scene.documents.put({"policy/profile/victim/rules": None})
    told = lab.until(scene.problems, what="the complaint")
    assert set(told) == {"profile victim"}
    assert told["profile victim"].startswith("it does not exist or is not valid, so it denies; ")
    assert not scene.passes(scene.victim, 0.1)
    scene.documents.put({"policy/profile/victim/rules": rules(FRIENDS)})
    lab.until(lambda: not scene.problems() and scene.passes(scene.victim), what="the profile's return")


def test_endpoint_that_is_none_is_denied(scene):
    good = scene.victim.document("victim")
    bad = [good | change for change in (
        {"state": "up"}, {"state": None}, {"name": ""}, {"name": "eth7"}, {"name": "cali-name-of-16-"},
        {"mac": "zz"}, {"mac": None}, {"profile_ids": "victim"}, {"profile_ids": ["a b"]}, {"ipv4_nets": "10.0.0.1"},
        {"ipv4_nets": ["fd00::1"]}, {"ipv4_nets": ["10.0.0.256"]}, {"ipv6_gateway": "10.0.0.1"}, {"labels": []},
        {"labels": {"a": 1}}, {"expected_ipv4_addrs": []}, {"ipv4_nat": [{"int_ip": "10.9.9.9", "ext_ip": "1.2.3.4"}]},
        {"ipv4_nets": [f"10.7.{number // 250}.{number % 250}/32" for number in range(1000)]})]
    for document in bad + ["[]", "{", "7", ARRAYS]:
        scene.documents.put({scene.victim.key: document})
        lab.until(lambda: scene.victim.key in scene.problems(), what=f"the complaint about {str(document)[:200]}")
        assert not scene.passes(scene.victim, 0.1)
        scene.documents.put({scene.victim.key: good})
        lab.until(lambda: not scene.problems() and scene.passes(scene.victim), what="the endpoint's return")


def test_other_bad_objects_are_told(scene):
    selectors = ["b == b", "'v' == b", "b", "a b", "!", "+x", "a!b", 7]
    bad = {f"policy/tier/t/policy/p{number}": {"selector": selector, "inbound_rules": [], "outbound_rules": []}
           for number, selector in enumerate(selectors)} | {
        "policy/tier/t/metadata": {"order": "10"}, "policy/tier/bad name/metadata": {},
        "policy/tier/t/policy/a,b": {"selector": "all()", "inbound_rules": [], "outbound_rules": []},
        "policy/profile/a+b/rules": rules(), "policy/profile/victim/labels": {"a": 1},
        "ipam/v4/pool/nonsense": {"cidr": "10.0.0.0/8"}, "ipam/v4/pool/10.0.0.0-8": {"cidr": None},
        "host/other/workload/test/w/endpoint/e": {"state": "active"},
        "host/host-a/workload/test/w/endpoint/a$b": scene.victim.document("victim"),
    }
    scene.documents.put(bad)
    lab.until(lambda: set(scene.problems()) == set(bad), what="all complaints")
    assert scene.passes(scene.victim)
    scene.documents.put({key: None for key in bad})
    lab.until(lambda: not scene.problems(), what="the end of them")


def test_many_tags(scene):
    """In one document, and of a thousand profiles."""
    scene.documents.put({"policy/profile/victim/tags": json.dumps([f"t{number}" for number in range(300000)])})
    scene.documents.put({"policy/profile/server/rules": rules(FRIENDS, {"action": "allow", "src_tag": "t299999"})})
    back = opened_back(scene)
    assert back, "the victim has not got the last of its tags"
    scene.documents.put({f"policy/profile/many{number}/tags": [f"m{number}-{tag}" for tag in range(700)]
                         for number in range(1000)})
    scene.documents.put({"policy/profile/server/rules": rules(FRIENDS, {"action": "allow", "src_tag": "none"})})
    lab.until(lambda: not opened_back(scene, 0.2), 30, "the end of the permission")
    scene.documents.put({f"policy/profile/many{number}": None for number in range(1000)})


def opened_back(scene, seconds=20):
    """Whether a flow from the victim to the server passes in time."""
    def attempt():
        flow = opened(scene.victim, socket.SOCK_DGRAM, scene.victim.address, scene.server.address, PORT, 0.2)
        if flow:
            flow.close()
        return bool(flow)

    if seconds < 1:
        return attempt()
    return lab.until(attempt, seconds, "a flow of the victim")


def test_large_documents_are_in_force(scene):
    """A megabyte of rules, of ports, and selectors as large; the last rule decides."""
    many = [{"action": "deny", "protocol": "tcp", "src_net": f"10.{number >> 8}.{number & 255}.0/24",
             "dst_ports": [number + 1]} for number in range(9000)]
    terms = " || ".join(f"a{number} == 'x'" for number in range(40000))
    values = ", ".join(f"'{number}'" for number in range(60000))
    for large in ([*many, FRIENDS], [{"action": "deny", "src_selector": terms}, FRIENDS],
                  [{"action": "deny", "src_selector": f"a in {{{values}}}"}, FRIENDS],
                  [{"action": "deny", "protocol": "udp", "dst_ports": [1, 3] * 60000}, FRIENDS]):
        scene.documents.put({"policy/profile/victim/rules": rules({"action": "deny"})})
        lab.until(lambda: not scene.passes(scene.victim, 0.1), what="the denial")
        scene.documents.put({"policy/profile/victim/rules": rules(*large)})
        lab.until(lambda: scene.passes(scene.victim), 30, "the large document")
        assert not scene.problems()


def test_address_of_two_endpoints(scene):
    """The last one has it; who lost it is told, and has it again later."""
    victim, server = scene.victim, scene.server
    scene.documents.put({"host/other/workload/test/w/endpoint/e": {
        "state": "active", "name": "eth7", "profile_ids": ["client"], "ipv4_nets": [f"{victim.address}/32"]}})
    assert scene.passes(victim)  # another host's claim moves nothing
    scene.documents.put({server.key: server.document("server", ipv4_nets=[f"{server.address}/32",
                                                                          f"{victim.address}/32"])})
    told = lab.until(scene.problems, what="the complaint")
    assert set(told) == {f"endpoint {victim.interface}"}
    assert "is that of another endpoint" in told[f"endpoint {victim.interface}"]
    assert not scene.passes(victim, 0.1)
    scene.documents.put({server.key: server.document("server")})
    lab.until(lambda: not scene.problems() and scene.passes(victim), what="the address's return")


def test_interface_of_two_endpoints(scene):
    other = f"{scene.victim.key}2"
    scene.documents.put({other: scene.victim.document("client")})
    told = lab.until(scene.problems, what="the complaint")
    assert set(told) == {scene.victim.key}
    assert f"is that of /calico/v1/{other}" in told[scene.victim.key]
    scene.documents.put({other: None})
    lab.until(lambda: not scene.problems() and scene.passes(scene.victim), what="the interface's return")
