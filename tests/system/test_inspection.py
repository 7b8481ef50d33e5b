# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Policy seen from outside: readable maps, the policy in force with its hits, packets in the log."""

import json
import os
import re
import signal
import socket

import pytest

import lab


PROFILE = {
    "id": "databases",
    "inbound_rules": [{"action": "allow", "src_tag": "databases"},
                      {"action": "allow", "protocol": "tcp", "src_tag": "applications", "dst_ports": [3306]}],
    "outbound_rules": [{"action": "allow"}],
}


@pytest.fixture(scope="module")
def made(image):
    """A machine with a database and an application, and the database's address."""
    with lab.Network() as network, network.machine("host-a", image=image) as machine:
        machine.start_docker()
        machine.start_node()
        machine.create_network("databases")
        machine.create_network("applications")
        address = machine.start_echo("db", "databases", 3306, 3307)
        machine.start("app", "applications")
        yield machine, address


@pytest.fixture
def opened(made):
    """The same; one port of the database is open to applications."""
    set_inbound(*made, PROFILE["inbound_rules"])
    return made


def set_inbound(machine, address, rules):
    machine.calicoctl("profile", "databases", "rule", "update",
                      input=json.dumps(PROFILE | {"inbound_rules": rules}))
    actions = [rule["action"] for rule in rules]
    lab.until(lambda: [rule["rule"].split()[0] for rule in policy(machine, address)["inbound"]] == actions,
              what="the new rules")


def endpoint(machine, container):
    """Id and host side interface of a container's endpoint."""
    network = next(iter(machine.inspect(container)["NetworkSettings"]["Networks"].values()))
    return network["EndpointID"], f"cali{network['EndpointID'][:11]}"


def policy(machine, name):
    return json.loads(machine.calicoctl("policy", "show", name, "-o", "json"))


def packet_lines(machine):
    return [line for line in machine.log("node").splitlines() if re.match(r"(NOTICE|WARN) packet: ", line)]


def test_policy_in_force_is_shown_with_hits(opened):
    machine, address = opened
    identifier, interface = endpoint(machine, "db")
    shown = policy(machine, identifier)
    assert (shown["interface"], shown["state"]) == (interface, "active")
    assert [(rule["rule"], rule["object"], rule["position"]) for rule in shown["inbound"]] == [
        ("allow from tag databases", "profile databases", 1),
        ("allow tcp from tag applications to ports 3306", "profile databases", 2)]
    assert [(rule["rule"], rule["position"]) for rule in shown["outbound"]] == [("allow", 1)]

    before = shown["inbound"][1]["packets"]
    assert machine.connects("app", address, 3306)
    assert not machine.connects("app", address, 3307, seconds=1)
    for name in (identifier, interface, address):
        inbound = policy(machine, name)["inbound"]
        assert [rule["packets"] for rule in inbound] == [0, before + 1]
        assert inbound[1]["bytes"] > inbound[1]["packets"] * 54

    text = machine.calicoctl("policy", "show", address)
    assert text.startswith(f"Endpoint {interface} is active.\n\nInbound rules:\n+")
    assert re.search(rf"\| allow tcp from tag applications to ports 3306 +\| profile databases \| 2 +\| {before + 1} ",
                     text)
    assert text.count("What none of them allows is dropped.\n") == 2


def test_policy_of_what_is_not_enforced_is_an_error(opened):
    machine, _ = opened
    for name, answer in (("192.0.2.1", "No policy is in force for 192.0.2.1 on this host.\n\n"),
                         ("nonsense", "Endpoint nonsense is unknown on host host-a.\n\n")):
        done = machine.calicoctl("policy", "show", name, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (1, answer, "")


def test_log_rules_write_into_the_log(opened):
    machine, address = opened
    _, interface = endpoint(machine, "db")
    source = machine.container_address("app", "applications")
    set_inbound(machine, address, [
        {"action": "log", "protocol": "tcp", "dst_ports": [3306], "log_prefix": "opened"}, {"action": "log"},
        *PROFILE["inbound_rules"]])

    before = len(packet_lines(machine))
    assert machine.connects("app", address, 3306)
    lines = lab.until(lambda: packet_lines(machine)[before:][1:] and packet_lines(machine)[before:],
                      what="two lines in the log")
    port = re.search(rf"{re.escape(source)}:(\d+) ", lines[0]).group(1)
    start = f"{interface} tcp {source}:{port} -> {address}:3306 length 74, inbound rule"
    profile = json.loads(machine.docker("network", "inspect", "databases"))[0]["Id"]
    assert lines == [
        f"NOTICE packet: opened: {start} 1 of profile {profile}: log tcp to ports 3306 prefix opened",
        f"NOTICE packet: calico-packet: {start} 2 of profile {profile}: log"]
    assert policy(machine, address)["inbound"][0]["packets"] == 1


def test_one_container_cannot_fill_the_log(opened):
    machine, address = opened
    _, interface = endpoint(machine, "db")
    set_inbound(machine, address, [{"action": "log"}, {"action": "deny"}])
    before = len(packet_lines(machine))
    with machine.socket("app", socket.AF_INET, socket.SOCK_DGRAM) as flood:
        for _ in range(500):
            flood.sendto(b"x", (address, 9))
    assert policy(machine, address)["inbound"][0]["packets"] == 500

    def counted():
        lines = packet_lines(machine)[before:]
        left_out = re.findall(rf"NOTICE packet: {interface}: (\d+) more packets in this second", "\n".join(lines))
        return len(left_out), len(lines) - len(left_out) + sum(map(int, left_out))

    lab.until(lambda: counted()[1] == 500, what="the count of what was left out")
    assert counted()[0] >= 1


def test_drops_are_logged_when_asked_for(opened):
    machine, address = opened
    _, interface = endpoint(machine, "db")
    machine.calicoctl("config", "felix", "DropActionOverride", "LOG-and-DROP", "--force")
    lab.until(lambda: "policy is enforced" in machine.log("node").partition("a parameter changed")[2],
              what="the new setting")
    assert not machine.connects("app", address, 3307, seconds=1)
    line = lab.until(lambda: [line for line in packet_lines(machine) if line.startswith("WARN")],
                     what="a line in the log")[0]
    assert line.startswith(f"WARN packet: calico-drop: {interface} tcp ")
    assert line.endswith(f"-> {address}:3307 length 74, no inbound rule of the receiver allows it")


def dump(machine, name):
    done = machine.run("bpftool", "-j", "map", "dump", "pinned", f"{machine.path('bpf')}/calico/v1/{name}")
    return [entry["formatted"] for entry in json.loads(done.stdout)]


def test_maps_read_like_what_they_hold(opened):
    machine, address = opened
    interface = endpoint(machine, "db")[1]
    octets = [int(part) for part in address.split(".")]
    endpoints = {entry["key"]: entry["value"] for entry in dump(machine, "endpoint")}
    slot = next(key for key, value in endpoints.items() if value["name"] == interface)
    assert endpoints[slot]["state"] == "ENDPOINT_ACTIVE"
    known = {tuple(entry["key"]["address"]): entry["value"] for entry in dump(machine, "address4")}
    assert known[tuple(octets)]["endpoint"] == slot
    assert machine.connects("app", address, 3306)
    flows = [entry["key"] for entry in dump(machine, "flow4")]
    assert any(octets in flow["address"] and flow["port"][flow["address"].index(octets)] == 3306 for flow in flows)
    assert "allow tcp from tag" in {entry["value"]["text"][:18] for entry in dump(machine, "rule_info")}
    assert not machine.connects("app", address, 3307, seconds=1)
    assert {"ifindex": endpoints[slot]["ifindex"], "reason": "DROP_REASON_POLICY_INBOUND"} in \
        [entry["key"] for entry in dump(machine, "drops")]


SHELL_FUNCTIONS = re.compile(r"^    (?:dump\(\)|at\(\) ).*(?:\n             .*)?", re.MULTILINE)


def test_documentation_of_the_maps(opened):
    """It names every map, and its way to follow a packet ends at the rule that decides."""
    machine, address = opened
    with open(f"{lab.ROOT}/docs/maps.md") as file:
        documentation = file.read()
    pins = f"{machine.path('bpf')}/calico/v1"
    for name in set(os.listdir(pins)) - {"links", "programs"}:
        assert f"`{name}`" in documentation, name
    functions = "\n".join(SHELL_FUNCTIONS.findall(documentation))

    def at(name, index):
        script = f"cd {pins}\n{functions}\nat {name} {index}"
        return json.loads(machine.run("bash", "-euc", script).stdout)

    looked_up = json.loads(machine.run("bpftool", "-j", "map", "lookup", "pinned", f"{pins}/address4", "key",
                                       *address.split(".")).stdout)
    inbound = at("list", at("endpoint_policy", looked_up["formatted"]["value"]["endpoint"])["inbound"])
    step = at("step", inbound["classes"][0]["first"])
    assert (step["kind"], step["rules"]) == ("STEP_RULES", 2)
    rule = at("rule", step["rule"] + 1)
    assert (rule["action"], rule["dport_first"], rule["dport_last"]) == ("ACTION_ALLOW", 3306, 3306)
    hits = sum(cpu["value"]["packets"] for cpu in at("rule_hits", rule["rule_id"]))
    assert hits == policy(machine, address)["inbound"][1]["packets"]


def test_what_is_in_force_is_shown_without_the_daemon(opened):
    machine, address = opened
    shown = policy(machine, address)
    machine.stop_node(signal.SIGKILL)
    assert policy(machine, address) == shown
    machine.calicoctl("profile", "databases", "rule", "remove", "inbound", "--at=2")
    assert policy(machine, address) == shown
    machine.run(f"{lab.BUILD}/calico-node", "--teardown")
    done = machine.calicoctl("policy", "show", address, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "start calico-node" in done.stderr
    machine.start_node()  # which removes what is left
