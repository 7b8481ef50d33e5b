# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What users of a real Docker engine do with networks of ours, beyond the plain story."""

import contextlib
import json
import os
import re
import signal
import threading

import lab
from test_plugin_failures import plugin_status


def refused(machine, *arguments):
    """What Docker prints when it refuses."""
    done = machine.docker(*arguments, check=False)
    assert done.returncode != 0, f"{arguments} succeeded"
    return done.stderr


def container_interfaces(machine, name):
    """Address -> MTU of the container's interfaces."""
    shown = machine.docker("exec", name, "ip", "address")
    found, mtu = {}, None
    for line in shown.splitlines():
        match = re.search(r" mtu (\d+)", line)
        mtu = int(match[1]) if match else mtu
        match = re.search(r"inet6? ([0-9a-f.:]+)/", line)
        if match:
            found[match[1]] = mtu
    return found


def test_scope_follows_the_engine(machine, network, image):
    lab.until(lambda: plugin_status(machine)["cluster_store"] == "no", what="the engine's answer")
    machine.create_network("n1")
    assert json.loads(machine.docker("network", "inspect", "n1"))[0]["Scope"] == "local"
    with network.etcd() as etcd, network.machine("host-b", image=image, etcd=etcd) as other:
        other.start_docker()
        other.start_node()
        lab.until(lambda: plugin_status(other)["cluster_store"] == "yes", what="the engine's answer")
        other.create_network("n1")
        assert json.loads(other.docker("network", "inspect", "n1"))[0]["Scope"] == "global"


def test_both_driver_names(machine):
    machine.docker("network", "create", "--driver", "calico", "--ipam-driver", "calico-ipam", "n1")
    machine.start("c1", "n1")
    machine.remove("c1")
    machine.docker("network", "rm", "n1")


def test_refusals_name_the_option(machine):
    create = ("network", "create", "-d", "calico", "--ipam-driver", "calico")
    pool = ("--subnet", "192.168.0.0/16")
    before = machine.calicoctl("profile", "show")
    assert "--gateway" in refused(machine, *create, *pool, "--gateway", "192.168.0.1", "n1")
    assert "--ip-range" in refused(machine, *create, *pool, "--ip-range", "192.168.1.0/24", "n1")
    assert "--internal" in refused(machine, *create, "--internal", "n1")
    assert "color" in refused(machine, *create, "-o", "color=red", "n1")
    assert "option a" in refused(machine, *create, "--ipam-opt", "a=b", "n1")
    assert "must match" in refused(machine, *create, "--subnet", "10.0.0.0/8", "n1")
    assert machine.calicoctl("profile", "show") == before
    machine.create_network("n1")


def test_a_given_address(machine):
    machine.create_network("n1", "--subnet", "192.168.0.0/16", "--aux-address", "h=192.168.7.9")
    assert machine.start("c1", "n1", options=("--ip", "192.168.7.7")) == "192.168.7.7"
    assert "192.168.7.7 is in use" in refused(machine, "run", "--net", "n1", "--ip", "192.168.7.7", "busybox", "true")
    assert "192.168.7.9" in refused(machine, "run", "--net", "n1", "--ip", "192.168.7.9", "busybox", "true")
    machine.docker("restart", "-t", "0", "c1")
    assert machine.container_address("c1", "n1") == "192.168.7.7"
    machine.remove("c1")
    assert machine.start("c2", "n1", options=("--ip", "192.168.7.7")) == "192.168.7.7"


def test_mac_and_mtu(machine):
    machine.create_network("n1", "-o", "com.docker.network.driver.mtu=1234")
    address = machine.start("c1", "n1")
    assert container_interfaces(machine, "c1")[address] == 1234
    assert machine.inspect("c1")["NetworkSettings"]["Networks"]["n1"]["MacAddress"] == "ee:ee:ee:ee:ee:ee"


def own_addresses(machine, name):
    """Network -> addresses of the container there, IPv4 first."""
    networks = machine.inspect(name)["NetworkSettings"]["Networks"]
    return {network: [entry[key] for key in ("IPAddress", "GlobalIPv6Address") if entry[key]]
            for network, entry in networks.items()}


def test_two_networks_of_one_container(machine):
    """As compose files have it: members of either reach it under its address there, and it reaches them."""
    for network in ("back", "front"):
        machine.create_network(network, "--ipv6")
    machine.start_echo("app", "front", 80)
    machine.start_echo("db", "back", 80)
    machine.start_echo("web", "front", 80)
    db, web = own_addresses(machine, "db")["back"], own_addresses(machine, "web")["front"]

    def reached(name, addresses):
        # busybox' server knows IPv4 only.
        return [machine.ping(name, address, seconds=1) if ":" in address else
                machine.connects(name, address, 80, seconds=1) for address in addresses]

    def check():
        lab.until(lambda: machine.docker("exec", "app", "netstat", "-ltn").count(":80 "), what="app's server")
        # A new interface first looks for duplicates of its link-local address.
        lab.until(lambda: all(reached("app", db + web)), what="IPv6 of app's interfaces")
        own = own_addresses(machine, "app")
        assert own["front"] + own["back"] and set(own["front"] + own["back"]) <= set(container_interfaces(machine, "app"))
        assert reached("web", own["front"]) == [True, True]
        assert reached("db", own["back"]) == [True, True]
        assert reached("app", web) == [True, True]
        assert reached("app", db) == [True, True]
        # The host gets answers as well, whose stack filters by reverse path.
        for strictness in (2, 1, 0):
            machine.run("sysctl", "-qw", f"net.ipv4.conf.all.rp_filter={strictness}")
            for address in (own["front"][0], own["back"][0]):
                assert lab.reaches(machine.namespace.path, address, 80)
        # Each address is only open to its own network, and members of different ones are strangers.
        assert reached("web", own["back"][:1] + db[:1]) == [False, False]
        assert reached("db", own["front"][:1] + web[:1]) == [False, False]
        return own

    machine.docker("network", "connect", "back", "app")
    own = check()
    app = machine.container_namespace("app")
    assert lab.reaches(app, web[0], 80, source=own["back"][0])
    assert lab.reaches(app, db[0], 80, source=own["front"][0])
    # The addresses of others stay forged.
    machine.run("nsenter", f"--net={app}", "--", "ip", "address", "add", f"{web[0]}/32", "dev", "lo")
    assert not lab.reaches(app, db[0], 80, seconds=1, source=web[0])
    assert "source address is not the endpoint's" in machine.calicoctl("status")
    machine.docker("restart", "-t", "0", "app")
    check()
    machine.stop_node()
    machine.start_node()
    check()
    machine.docker("network", "disconnect", "back", "app")
    own = own_addresses(machine, "app")
    assert reached("web", own["front"]) == [True, True]
    assert reached("app", web + db[:1]) == [True, True, False]
    machine.remove("app", "web", "db")
    assert machine.workload_links() == set()


def test_a_published_port_is_told_to_have_no_effect(machine):
    machine.create_network("n1")
    machine.start("plain", "n1", options=("--expose", "81"))
    assert "not published" not in machine.calicoctl("status")
    address = machine.start_echo("web", "n1", 80, options=("-p", "8080:80", "-p", "5353:53/udp"))
    for restarts in range(2):
        shown = " ".join(lab.until(lambda: "8080->80/tcp and others are not published" in
                                   " ".join(machine.calicoctl("status").split()) and machine.calicoctl("status"),
                                   what="the problem").split())
        assert address in shown and "allow tcp to ports 80" in shown
        if not restarts:
            machine.stop_node()
            machine.start_node()
    assert "not published" in machine.log("node")
    machine.remove("web")
    assert "not published" not in machine.calicoctl("status")


def test_dockers_own_ipam(machine):
    machine.docker("network", "create", "-d", "calico", "--subnet", "10.99.0.0/24", "n1")
    address = machine.start("c1", "n1")
    assert address.startswith("10.99.0.")
    other = machine.start("c2", "n1")
    assert machine.ping("c1", other)
    assert "10.99.0.0/24" in machine.calicoctl("pool", "show")
    # No second way out on docker_gwbridge, which no policy would apply to.
    for own, name in ((address, "c1"), (other, "c2")):
        assert set(container_interfaces(machine, name)) - {"127.0.0.1", "::1"} == {own}
        assert "default via 169.254.1.1 dev cali0" in machine.docker("exec", name, "ip", "route")
    assert "docker_gwbridge" not in machine.links()
    machine.create_network("elsewhere")
    stranger = machine.start("c3", "elsewhere")
    assert not machine.ping("c1", stranger, seconds=1)
    machine.calicoctl("profile", "elsewhere", "rule", "add", "inbound", "allow", "from", "tag", "n1")
    lab.until(lambda: machine.ping("c1", stranger, seconds=1), what="the new rule's effect")
    machine.remove("c1", "c2", "c3")
    machine.docker("network", "rm", "n1")
    assert "10.99.0.0/24" not in machine.calicoctl("pool", "show")


def kill_engine(machine):
    """dockerd, containerd and all containers at once, as a reset of the machine would."""
    inode = os.stat(machine.namespace.path).st_ino
    node = {machine.node_process.pid} if machine.node_process else set()

    def engine():
        table = list(lab.processes())
        found = {pid for pid, _, namespace in table if namespace == inode} - node
        grown = True
        while grown:
            children = {pid for pid, parent, _ in table if parent in found} - found - node
            found |= children
            grown = bool(children)
        return found

    def none_left():
        for pid in engine():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not engine()

    lab.until(none_left, 20, what="the end of the engine")
    machine.docker_process.wait()
    machine.docker_process = None
    for name in ("docker.pid", "exec/containerd/containerd.pid"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(machine.path(name))


def test_an_engine_that_was_killed(cluster_machine):
    """With our daemon, among starts: the engine then keeps endpoints of its own for ever, which no container has."""
    machine = cluster_machine
    machine.create_network("n1")
    for name in ("c1", "c2"):
        machine.start(name, "n1")
    starts = [threading.Thread(target=machine.docker, args=("run", "-d", "--name", f"gone{number}", "--net", "n1",
                                                            "busybox", "sleep", "1000"), kwargs={"check": False})
              for number in range(6)]
    for start in starts:
        start.start()

    def endpoints():
        return machine.etcd.keys("/calico/v1/host/host-a/workload")

    lab.until(lambda: len(endpoints()) >= 5, what="some starts that have come far")
    machine.stop_node(signal.SIGKILL)
    kill_engine(machine)
    for start in starts:
        start.join()
    machine.start_node()
    machine.start_docker()
    machine.docker("rm", "-f", *machine.docker("ps", "-aq").split(), check=False)
    address = machine.start("c3", "n1")
    lab.until(lambda: len(endpoints()) == 1, 120, "the collection of lost endpoints")
    assert machine.routes() == {address}
    assert len(machine.workload_links()) == 1
    machine.remove("c3")
    lab.until(lambda: machine.docker("network", "rm", "n1", check=False).returncode == 0, 60, "the network's end")
    assert endpoints() == []
