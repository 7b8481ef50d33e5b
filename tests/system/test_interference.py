# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Other software meddles with what calico-node put on the host."""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import time

import pytest

from lab import until
from workloads import Documents


def filters(machine, interface, direction="ingress"):
    shown = machine.run("tc", "-json", "filter", "show", "dev", interface, direction, check=False).stdout.strip()
    return json.loads(shown or "[]")


def endpoint_interface(machine):
    return next(name for name in machine.links() if name.startswith("cali"))


@pytest.fixture
def clsact_machine(network, image):
    with network.machine("clsact", image=image) as machine:
        machine.start_node("--attach=clsact")
        machine.start_docker()
        yield machine


def test_deleted_qdisc_comes_back_with_its_programs(clsact_machine):
    machine = clsact_machine
    machine.create_network("databases")
    machine.create_network("applications")
    database = machine.start("db", "databases")
    machine.start("peer", "databases")
    machine.start("app", "applications")
    interface = endpoint_interface(machine)
    assert filters(machine, interface)
    # Back so soon that nobody can rely on seeing the gap.
    machine.run("tc", "qdisc", "del", "dev", interface, "clsact")
    until(lambda: filters(machine, interface), 20, "the programs' return")
    assert machine.ping("peer", database)
    assert not machine.ping("app", database)


def test_interface_that_was_down_gets_its_route_back(machine):
    machine.create_network("databases")
    database = machine.start("db", "databases")
    interface = endpoint_interface(machine)
    machine.run("ip", "link", "set", interface, "down")
    assert machine.routes() == set()
    machine.run("ip", "link", "set", interface, "up")
    until(lambda: machine.routes() == {database}, what="the route's return")
    assert machine.run("busybox", "ping", "-q", "-c", "1", "-W", "2", database, check=False).returncode == 0


SETTINGS = ("ipv4/forwarding", "ipv4/rp_filter", "ipv4/proxy_arp", "ipv4/route_localnet", "ipv4/accept_local",
            "ipv4/accept_redirects", "ipv4/accept_source_route", "ipv6/disable_ipv6", "ipv6/forwarding",
            "ipv6/accept_ra", "ipv6/accept_redirects")


def settings(machine, interface):
    names = [f"net/{name.replace('/', f'/conf/{interface}/')}" for name in SETTINGS]
    return dict(zip(SETTINGS, machine.run("sysctl", "-n", *names, check=False).stdout.split()))


def as_made(machine, interface):
    """What calico-node has made of an interface, as far as others can change it."""
    link = next((entry for entry in json.loads(machine.run("ip", "-j", "link").stdout)
                 if entry["ifname"] == interface), {})
    known = {(entry["dst"], entry.get("lladdr"), *entry["state"])
             for entry in json.loads(machine.run("ip", "-j", "neighbour", "show", "nud", "permanent", "dev", interface,
                                                 check=False).stdout or "[]")}
    return {"link": {key: link.get(key) for key in ("address", "mtu", "master")}, "up": "UP" in link.get("flags", []),
            "arp": "NOARP" not in link.get("flags", []), "neighbours": known,
            "routes": (machine.routes(4), machine.routes(6)),
            "settings": settings(machine, interface)}


def repairs(machine):
    return json.loads(machine.calicoctl("status", "-o", "json", check=False).stdout)["daemon"]["repairs"]["settings"]


def problems(machine):
    shown = json.loads(machine.calicoctl("status", "-o", "json", check=False).stdout)
    return {problem["object"]: problem["text"] for problem in shown["daemon"]["problems"]}


@pytest.fixture
def quick_machine(network, image):
    """What the kernel does not tell of is found by looks that come every second."""
    with network.machine("host-a", image=image, environment={"FELIX_DATAPLANEREFRESHSECS": "1"}) as machine:
        machine.start_docker()
        machine.start_node()
        yield machine


def test_what_is_changed_of_an_interface_is_set_back(quick_machine):
    machine = quick_machine
    machine.create_network("databases", "--ipv6")
    database = machine.start("db", "databases")
    database6 = machine.inspect("db")["NetworkSettings"]["Networks"]["databases"]["GlobalIPv6Address"]
    interface = endpoint_interface(machine)
    machine.run("ip", "link", "add", "other", "type", "bridge")
    before = until(lambda: (made := as_made(machine, interface))["neighbours"] and made, what="the neighbours")
    assert before["link"]["address"] == "ee:ee:ee:ee:ee:fe"
    assert len(before["neighbours"]) == 2 and {database, database6} < set.union(*before["routes"])
    assert set(before["settings"].values()) == {"0", "1"}
    link, mac = ("ip", "link", "set", "dev", interface), "02:00:00:00:00:77"
    changes = [("MAC", (*link, "address", mac)), ("MTU", (*link, "mtu", "1280")), ("noarp", (*link, "arp", "off")),
               ("master", (*link, "master", "other"))]
    for address in (database, database6):
        changes += [
            ("neighbour", ("ip", "neighbour", "replace", address, "dev", interface, "lladdr", mac)),
            ("neighbour", ("ip", "neighbour", "replace", address, "dev", interface, "nud", "stale", "lladdr", mac)),
            ("neighbour", ("ip", "neighbour", "delete", address, "dev", interface)),
            ("route", ("ip", "route", "delete", address)),
            ("route", ("ip", "route", "replace", address, "dev", "eth0")),
        ]
    changes += [(name.replace("/", f"/conf/{interface}/"),
                 ("sysctl", "-qw", f"net.{name.replace('/', f'.conf.{interface}.')}={1 - int(value)}"))
                for name, value in before["settings"].items()]
    for number, (what, command) in enumerate(changes, 1):
        machine.run(*command)
        until(lambda: as_made(machine, interface) == before, what=f"the repair after {command}")
        assert repairs(machine) >= number
        assert [line for line in machine.log("node").splitlines() if interface in line and what in line
                and "changed to" in line], command
    assert not problems(machine)


def test_settings_of_many_endpoints_are_looked_at_in_turn(network):
    names = [f"cali{i:04d}" for i in range(130)]
    with network.etcd() as etcd, \
            network.machine("many", etcd=etcd, environment={"FELIX_DATAPLANEREFRESHSECS": "1"}) as host:
        host.run("ip", "-batch", "-", input="".join(f"link add {name} type veth peer name p{name}\n" for name in names))
        Documents(network, etcd).put({
            f"host/many/workload/t/{name}/endpoint/{name}":
            {"state": "active", "name": name, "mac": "ee:ee:ee:ee:ee:ee", "profile_ids": [],
             "ipv4_nets": [f"10.65.0.{number}/32"], "ipv6_nets": []} for number, name in enumerate(names, 1)})
        host.start_node()

        def setting(name, *value):
            return host.run("sysctl", "-n", *value or (f"net.ipv4.conf.{name}.route_localnet",)).stdout.strip()

        def all_up():
            status = json.loads(host.calicoctl("status", "-o", "json", check=False).stdout or "{}").get("daemon") or {}
            states = [endpoint["state"] for endpoint in status.get("endpoints", [])]
            return len(states) == len(names) and set(states) == {"up"}
        until(all_up, 60, "all endpoints up")
        for name in names[::64] + names[-1:]:
            setting(name, "-qw", f"net.ipv4.conf.{name}.route_localnet=1")
            until(lambda name=name: setting(name) == "0", 20, f"the repair of {name}")


def test_a_renamed_interface_gets_its_name_back(machine):
    machine.create_network("databases")
    database = machine.start("db", "databases")
    interface = endpoint_interface(machine)
    before = as_made(machine, interface)
    for name in ("mine", "cali-mine"):
        machine.run("ip", "link", "set", interface, "down")
        machine.run("ip", "link", "set", interface, "name", name)
        until(lambda: as_made(machine, interface) == before, what=f"its return from {name}")
    machine.create_network("others")
    machine.start("other", "others")
    machine.start("client", "databases")
    assert machine.ping("client", database)
    assert not machine.ping("other", database)
    machine.remove("db", "other", "client")
    assert not machine.workload_links()


def test_who_insists_is_not_fought_at_full_speed(machine):
    machine.create_network("databases")
    machine.start("db", "databases")
    interface = endpoint_interface(machine)
    change = f"while true; do ip link set {interface} mtu 1000; ip link set {interface} address 02:00:00:00:00:99; done"
    fighter = machine.namespace.spawn("sh", "-c", change, log=None)
    told = until(lambda: problems(machine).get(f"interface {interface}"), 20, "the problem")
    assert "MAC is changed again and again" in told or "MTU is changed again and again" in told
    fighter.kill()
    fighter.wait()
    assert repairs(machine) < 100
    until(lambda: as_made(machine, interface)["link"] == {"address": "ee:ee:ee:ee:ee:fe", "mtu": 1500, "master": None},
              20, "the last repair")
    assert machine.log("node").count("its MTU was changed") <= 10


def test_an_interface_that_was_set_down_is_told(machine):
    machine.create_network("databases")
    database = machine.start("db", "databases")
    interface = endpoint_interface(machine)
    machine.run("ip", "link", "set", interface, "down")
    until(lambda: f"ip link set {interface} up" in problems(machine).get(f"interface {interface}", ""),
              what="the problem")
    assert "0 of 1 up" in machine.calicoctl("status", check=False).stdout
    machine.run("ip", "link", "set", interface, "up")
    until(lambda: machine.routes() == {database} and not problems(machine), what="the end of it")


def test_an_interface_changed_while_the_daemon_was_away(machine):
    machine.create_network("databases")
    database = machine.start("db", "databases")
    interface = endpoint_interface(machine)
    before = as_made(machine, interface)
    machine.stop_node()
    for arguments in (("link", "set", interface, "address", "02:00:00:00:00:99"), ("link", "set", interface, "mtu", "1000"),
                      ("route", "replace", database, "dev", "eth0")):
        machine.run("ip", *arguments)
    machine.run("sysctl", "-qw", f"net.ipv4.conf.{interface}.forwarding=0", f"net.ipv4.conf.{interface}.rp_filter=0",
                "net.ipv4.ip_forward=0")
    machine.start_node()
    until(lambda: as_made(machine, interface) == before, 20, "the repair")


def test_shaping_that_packets_pass_by_is_told(machine):
    machine.create_network("databases")
    machine.start("db", "databases")
    interface = endpoint_interface(machine)
    machine.run("tc", "qdisc", "add", "dev", interface, "root", "tbf", "rate", "1mbit", "burst", "10k", "latency", "10ms")
    told = until(lambda: problems(machine).get(f"interface {interface}"), what="the problem")
    assert "queueing discipline tbf" in told and f"tc qdisc del dev {interface} root" in told
    machine.run("tc", "qdisc", "del", "dev", interface, "root")
    until(lambda: not problems(machine), what="its end")


FORWARDING = {"net.ipv4.ip_forward": "net/ipv4/ip_forward", "net.ipv6.conf.all.forwarding": "net/ipv6/conf/all/forwarding"}


def test_forwarding_stays_on(machine):
    machine.create_network("databases")
    machine.start("db", "databases")
    interface = endpoint_interface(machine)
    before = as_made(machine, interface)
    for number, (name, path) in enumerate(FORWARDING.items(), 1):
        machine.run("sysctl", "-qw", f"{name}=0")
        until(lambda: machine.run("sysctl", "-n", name).stdout == "1\n", what=f"the return of {name}")
        until(lambda: as_made(machine, interface) == before, what="the interface's settings")
        assert machine.log("node").count(f"{path} was set to 0; set back to 1") == 1
        assert repairs(machine) == number
    assert not problems(machine)
    machine.run("sysctl", "-qw", "net.ipv4.conf.eth0.forwarding=0")
    until(lambda: "sysctl -w net.ipv4.conf.eth0.forwarding=1" in problems(machine).get("forwarding of eth0", ""),
              what="the problem of the uplink")
    machine.run("sysctl", "-qw", "net.ipv4.conf.eth0.forwarding=1")
    until(lambda: not problems(machine), what="its end")


def test_endpoint_without_interface_gives_its_address_no_rights(cluster_machine):
    """As when the datastore tells of a container that is gone, and its address is another's already."""
    machine = cluster_machine
    machine.create_network("databases")
    machine.create_network("applications")
    database = machine.start_echo("db", "databases", 3306, 3307)
    application = machine.start("app", "applications")
    profile = machine.inspect("db")["NetworkSettings"]["Networks"]["databases"]["NetworkID"]
    stale = {"state": "active", "name": "cali0123456789a", "mac": "ee:ee:ee:ee:ee:ee", "profile_ids": [profile],
             "ipv4_nets": [f"{application}/32"], "ipv6_nets": []}
    machine.etcd.etcdctl("set", "/calico/v1/host/host-a/workload/libnetwork/libnetwork/endpoint/0123456789ab",
                         json.dumps(stale))
    machine.calicoctl("profile", "databases", "rule", "add", "inbound", "allow", "tcp", "to", "ports", "3307")
    until(lambda: machine.connects("app", database, 3307, seconds=1), what="the later rule's effect")
    assert not machine.connects("app", database, 3306, seconds=1)


class Scene:
    """A server with a friend of its network and a foe of another one, who never stops sending to it."""

    def __init__(self, machine):
        self.machine = machine
        machine.create_network("one")
        machine.create_network("two")
        self.server = machine.start_echo("server", "one", 3306)
        machine.start("friend", "one")
        before = set(machine.links())
        machine.start("foe", "two")
        self.foe = next(name for name in set(machine.links()) - before if name.startswith("cali"))
        self.receiver = machine.socket("server", socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.bind((self.server, 9000))
        self.sender = machine.socket("foe", socket.AF_INET, socket.SOCK_DGRAM)
        until(self.friend_connects, what="the friend's connection")
        self.passed = 0

    def friend_connects(self):
        return self.machine.connects("friend", self.server, 3306, seconds=1)

    def send(self, seconds=0.005):
        with contextlib.suppress(OSError):  # an ICMP error
            self.sender.sendto(b"denied", (self.server, 9000))
        while select.select([self.receiver], [], [], seconds)[0]:
            self.receiver.recv(100)
            self.passed += 1

    def until(self, condition, seconds=10, what="the repair"):
        """Sends what is denied until the condition holds, and a little longer."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.send()
            assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        for _ in range(20):
            self.send()
        assert self.passed == 0
        assert self.friend_connects()
        assert not self.machine.connects("foe", self.server, 3306, seconds=1)

    def repairs(self):
        return json.loads(self.machine.calicoctl("status", "-o", "json"))["daemon"]["repairs"]


@pytest.fixture(params=["tcx", "clsact"])
def scene(request, network, image):
    with network.machine("host-a", image=image) as machine:
        machine.start_node(f"--attach={request.param}")
        machine.start_docker()
        made = Scene(machine)
        made.attach = request.param
        yield made


def pins(machine):
    return sorted(os.path.join(path, name) for path, _, names in os.walk(machine.path("bpf", "calico", "v1"))
                  for name in names)


def test_removed_pins_open_nothing_and_come_back(scene):
    machine = scene.machine
    top = machine.path("bpf", "calico")
    before = pins(machine)

    def is_whole():
        return pins(machine) == before

    for entry in os.listdir(top):
        shutil.rmtree(os.path.join(top, entry))
    scene.until(is_whole)
    assert scene.repairs()["pins"] >= len(before)
    assert "another program removed" in machine.log("node")
    shutil.rmtree(os.path.join(top, "v1", "programs"))
    scene.until(is_whole)
    os.unlink(os.path.join(top, "v1", "flow4"))
    scene.until(is_whole)
    machine.run("umount", "-l", machine.path("bpf"))
    scene.until(is_whole)
    # The next run finds everything.
    machine.stop_node(signal.SIGKILL)
    scene.send()
    machine.start_node(f"--attach={scene.attach}")
    scene.until(is_whole)
    machine.run("umount", "-l", top)


def detach_links(machine, interface):
    for suffix in ("_in", "_out"):
        machine.run("bpftool", "link", "detach", "pinned", machine.path("bpf", "calico", "v1", "links",
                                                                        interface + suffix))


def take_programs(scene, interface):
    if scene.attach == "tcx":
        detach_links(scene.machine, interface)
    else:
        scene.machine.run("tc", "qdisc", "del", "dev", interface, "clsact")


def test_detached_programs_open_nothing_and_come_back(scene):
    for times in range(1, 4):
        take_programs(scene, scene.foe)
        scene.until(lambda: scene.repairs()["programs"] >= times, 3)


def test_single_filter_opens_nothing_and_comes_back(scene):
    if scene.attach != "clsact":
        pytest.skip("tcx has no filters")
    machine = scene.machine
    for direction in ("ingress", "egress") * 3:
        machine.run("tc", "filter", "del", "dev", scene.foe, direction)
        scene.until(lambda: filters(machine, scene.foe, direction), 3)


def test_programs_lost_without_the_daemon_leave_nothing_open(scene):
    machine = scene.machine
    machine.stop_node(signal.SIGKILL)
    take_programs(scene, scene.foe)
    for _ in range(100):
        scene.send()
    assert scene.passed == 0
    assert not machine.connects("foe", scene.server, 3306, seconds=1)
    machine.start_node(f"--attach={scene.attach}")
    scene.until(scene.friend_connects)


@pytest.mark.parametrize("rule", ["nft delete table inet calico", "nft flush ruleset"])
def test_guard_comes_back(machine, rule):
    def guard():
        return "iifname \"cali*\"" in machine.run("nft", "list", "table", "inet", "calico", check=False).stdout

    machine.create_network("one")
    machine.start("one", "one")
    assert guard()
    machine.run(*rule.split())
    until(guard, what="the guard's return")


def test_programs_of_an_uplink_come_back(machine):
    def repairs():
        return json.loads(machine.calicoctl("status", "-o", "json"))["daemon"]["repairs"]["programs"]

    until(lambda: os.path.exists(machine.path("bpf", "calico", "v1", "links", "eth0_out")), what="the uplink")
    assert repairs() == 0
    detach_links(machine, "eth0")
    until(lambda: repairs() == 1, 3, what="the uplink's programs")
