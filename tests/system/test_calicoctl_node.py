# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""calicoctl node, node stop and status, with the real daemon on a machine of its own."""

import contextlib
import json
import os
import re
import signal
import socket

import pytest

import lab

STARTED = "Calico node started successfully\n"


class Host(lab.Machine):
    """A machine whose daemon is started by calicoctl, which finds it beside itself."""

    def __exit__(self, *exception):
        self.calicoctl("node", "stop", "--force", check=False)
        super().__exit__(*exception)

    def node(self, *options, **more):
        return self.calicoctl("node", f"--log-dir={self.path('log')}", *options, **more)

    def pid(self):
        """Of the running daemon; None: there is none."""
        try:
            with open(self.path("run", "calico-node.pid")) as file:
                pid = int(file.read())
            return pid if os.readlink(f"/proc/{pid}/exe").endswith("/calico-node") else None
        except (OSError, ValueError):
            return None

    def fails(self, *arguments, status=1):
        done = self.calicoctl(*arguments, check=False)
        assert done.returncode == status, (done.stdout, done.stderr)
        return done

    def node_log(self):
        with open(self.path("log", "calico-node.log")) as file:
            return file.read()


def lives(pid):
    return pid in {found for found, _, _ in lab.processes()}


@pytest.fixture
def host(network):
    with Host(network, "host-a") as made:
        yield made


@pytest.fixture
def etcd_host(network):
    with network.etcd() as etcd, Host(network, "host-a", etcd=etcd) as made:
        yield made


def test_not_running(host):
    done = host.fails("status")
    assert (done.stdout, done.stderr) == ("calico-node container not running\n", "")
    assert host.calicoctl("node", "stop") == "Node stopped\n"


def test_start_and_stop(host):
    shown = host.node("--libnetwork")
    pid = host.pid()
    assert shown.splitlines() == [
        f"Calico node is running with id: {pid}", "Waiting for successful startup", STARTED.strip(),
        f"Calico libnetwork driver is running with id: {pid}"]
    # In a session of its own, with nothing of calicoctl's left open, its words in the log.
    assert os.getsid(pid) == pid
    assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (1, 2)} == {host.path("log", "calico-node.log")}
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
    assert host.node_log()
    # It is really ready: the plugin answers.
    with socket.socket(socket.AF_UNIX) as plugin:
        plugin.connect(host.path("plugins", "calico.sock"))
    assert host.run("cat", "/proc/sys/net/ipv4/ip_forward").stdout == "1\n"
    assert host.calicoctl("node", "stop") == "Node stopped\n"
    assert host.pid() is None and not lives(pid)
    host.fails("status")


def test_restart_applies_options(etcd_host):
    etcd_host.node("--ip=172.30.0.11", "--as=1.2")
    first = etcd_host.pid()
    key = "/calico/bgp/v1/host/host-a"
    assert etcd_host.etcd.get(f"{key}/ip_addr_v4") == "172.30.0.11"
    assert etcd_host.etcd.get(f"{key}/as_num") == "65538"
    assert STARTED in etcd_host.node("--ip=", "--ip6=fd30::11")
    assert etcd_host.pid() not in (None, first) and not lives(first)
    assert etcd_host.etcd.get(f"{key}/ip_addr_v6") == "fd30::11"
    assert etcd_host.etcd.get(f"{key}/as_num") is None


def test_docker_options_are_accepted(host):
    done = host.node("--node-image=calico/node:v0.20.0", "--no-pull", "--runtime=docker", "--detach=true", check=False)
    assert (done.returncode, done.stdout[-len(STARTED):]) == (0, STARTED)
    assert [line.split()[1] for line in done.stderr.splitlines()] == ["--node-image", "--no-pull"]


def test_runtime_none_only_prepares(etcd_host):
    assert etcd_host.node("--runtime=none") == ""
    assert etcd_host.pid() is None
    assert etcd_host.etcd.keys("/calico") == []
    assert os.path.isdir(etcd_host.path("log"))
    assert etcd_host.run("cat", "/proc/sys/net/ipv6/conf/all/forwarding").stdout == "1\n"


@pytest.mark.parametrize("options, message", [
    (["--ip=10.0.0"], "Invalid IPv4 address specified with --ip argument.\n"),
    (["--ip=fd30::1"], "Invalid IPv4 address specified with --ip argument.\n"),
    (["--ip6=10.0.0.1"], "Invalid IPv6 address specified with --ip6 argument.\n"),
    (["--as=65536.0"], "Invalid AS Number specified.\n"),
    (["--detach=no"], "Valid values for --detach are 'true' and 'false'\n"),
    (["--detach=false", "--libnetwork"], "The only valid value for --detach is 'true' when using libnetwork\n"),
    (["--runtime=lxc"], "Runtime must be 'docker', 'rkt' or 'none'.\n"),
    (["--ip=x", "--as=y"], "Invalid IPv4 address specified with --ip argument.\nInvalid AS Number specified.\n"),
])
def test_bad_options(host, options, message):
    done = host.fails("node", *options)
    assert (done.stdout, done.stderr) == (message, "")
    assert host.pid() is None


def test_no_datastore_no_start(network):
    with Host(network, "host-a", environment={"ETCD_AUTHORITY": "127.0.0.1:9", "CALICO_DATASTORE": "etcd"}) as host:
        done = host.fails("node", f"--log-dir={host.path('log')}")
        assert done.stderr == "ERROR: Could not connect to etcd at http://127.0.0.1:9\n"
        assert host.pid() is None


def test_daemon_that_ends_says_why(network):
    with Host(network, "host-a") as host:
        host.settings["CALICO_PLUGIN_SOCKET"] = f"{host.path('state')}/{'x' * 200}/calico.sock"
        done = host.fails("node", f"--log-dir={host.path('log')}")
        assert STARTED not in done.stdout
        assert "xxxx" in done.stderr and "Calico node failed to start" in done.stderr.splitlines()[-1]
        assert host.pid() is None


def test_attached(host):
    """--detach=false becomes the daemon, with its log on standard error; SIGTERM ends it with 0."""
    with open(host.path("attached.log"), "w") as log:
        process = host.namespace.spawn(f"{lab.BUILD}/calicoctl", "node", "--detach=false", log=log,
                                       env=host.environment)
    lab.until(lambda: host.calicoctl("status", check=False).returncode == 0, 20, "the daemon's start")
    assert host.pid() == process.pid
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_stop_needs_force_when_there_are_endpoints(etcd_host):
    etcd_host.node()
    etcd_host.etcd.etcdctl("set", "/calico/v1/host/host-a/workload/o/w/endpoint/e", json.dumps(
        {"state": "active", "name": "calie", "mac": "ee:ee:ee:ee:ee:ee"}))
    done = etcd_host.fails("node", "stop")
    assert done.stdout.startswith("Current host has active endpoints so can't be stopped.  Force with --force\n\n")
    assert etcd_host.pid()
    assert etcd_host.fails("node", "remove").stdout.startswith("The node cannot be removed while it is running.")
    assert etcd_host.calicoctl("node", "stop", "--force").endswith("\n\nNode stopped\n")
    assert etcd_host.pid() is None


def test_stop_by_force_without_datastore(etcd_host):
    etcd_host.node()
    etcd_host.etcd.stop()
    assert "Error accessing etcd" in etcd_host.fails("node", "stop").stdout.replace("\n", " ")
    assert etcd_host.pid()
    assert etcd_host.calicoctl("node", "stop", "--force").endswith("Node stopped\n")
    assert etcd_host.pid() is None


def test_stop_of_a_stopped_process(host):
    """A daemon that does not listen to SIGTERM is killed."""
    host.node()
    lab.stop(host.pid())
    assert host.calicoctl("node", "stop") == "Node stopped\n"
    assert host.pid() is None


def test_foreign_process_in_the_pid_file(host):
    """A number that a killed daemon left behind may belong to anybody by now."""
    process = host.namespace.spawn("/bin/sleep", "100", log=None)
    with open(host.path("run", "calico-node.pid"), "w") as file:
        file.write(f"{process.pid}\n")
    assert host.fails("status").stdout == "calico-node container not running\n"
    assert host.calicoctl("node", "stop") == "Node stopped\n"
    assert process.poll() is None
    process.kill()
    process.wait()


@pytest.mark.parametrize("text", ["", "x", "-5\n", "1\n", "99999999999999999999\n"])
def test_garbage_in_the_pid_file(host, text):
    with open(host.path("run", "calico-node.pid"), "w") as file:
        file.write(text)
    assert host.fails("status").stdout == "calico-node container not running\n"


def test_node_remove_after_stop(etcd_host):
    etcd_host.node()
    etcd_host.calicoctl("node", "stop")
    assert etcd_host.calicoctl("node", "remove") == "Node configuration removed\n"
    assert etcd_host.etcd.keys("/calico/v1/host") == [] and etcd_host.etcd.keys("/calico/bgp/v1/host") == []


@contextlib.contextmanager
def bird(namespace, directory, config):
    """A real BIRD with its control socket in the directory."""
    with open(f"{directory}/bird.conf", "w") as file:
        file.write(config)
    with open(f"{directory}/bird.log", "w") as log:
        process = namespace.spawn("/usr/sbin/bird", "-f", "-c", f"{directory}/bird.conf", "-s",
                                  f"{directory}/bird.ctl", log=log)
    try:
        lab.until(lambda: os.path.exists(f"{directory}/bird.ctl"), what="BIRD's start")
        yield
    finally:
        process.kill()
        process.wait()


def session(name, local, peer, channel, options=""):
    return f"""protocol bgp {name} {{
        local {local} as 64511; neighbor {peer} as 64511; connect delay time 1; {options}
        {channel} {{ import none; export none; }};
    }}\n"""


def peers(shown):
    """Rows of the peer tables: address, type, state, since, info."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in shown.splitlines() if line.startswith("|")]
    return [row for row in rows if len(row) == 5 and row[0] != "Peer address"]


def test_status(etcd_host, tmp_path):
    etcd_host.settings["CALICO_NETWORKING"] = "false"  # leaves BIRD to this test
    etcd_host.node("--ip=172.30.0.11", "--ip6=fd30::11")
    assert etcd_host.calicoctl("status").splitlines()[5] == "Couldn't connect to bird."
    here = "router id 172.30.0.11;\nprotocol device {}\n"
    here += session("Mesh_172_30_0_1", "172.30.0.11", "172.30.0.1", "ipv4")
    here += session("Global_172_30_0_99", "172.30.0.11", "172.30.0.99", "ipv4")
    here += session("Node_fd30__1", "fd30::11", "fd30::1", "ipv6")
    there = "router id 172.30.0.1;\nprotocol device {}\n"
    there += session("a", "172.30.0.1", "172.30.0.11", "ipv4") + session("b", "fd30::1", "fd30::11", "ipv6")
    with bird(etcd_host.namespace, etcd_host.path("run"), here), \
            bird(etcd_host.network.namespace, str(tmp_path), there):
        lab.until(lambda: etcd_host.calicoctl("status").count("Established") == 2, 20, "the BGP sessions")
        shown = etcd_host.calicoctl("status")
    lines = shown.splitlines()
    assert lines[0].startswith("calico-node container is running. Status: Up ")
    assert re.fullmatch(r"Running felix version \d+\.\d+\.\d+ \(commit \S+, data model of Calico v0\.20\)", lines[1])
    assert lines[2:5] == ["", "IPv4 BGP status", "IP: 172.30.0.11    AS Number: 64511 (inherited)"]
    assert "\n\nIPv6 BGP status\nIP: fd30::11    AS Number: 64511 (inherited)\n+--" in shown
    mesh, specific, node = peers(shown)
    assert mesh[:3] == ["172.30.0.1", "node-to-node mesh", "up"] and mesh[4] == "Established"
    assert re.fullmatch(r"\d\d:\d\d:\d\d", mesh[3])
    assert specific[:3] == ["172.30.0.99", "global", "start"]
    assert specific[4].startswith(("Active", "Connect", "Idle"))
    assert node[:3] == ["fd30::1", "node specific", "up"] and node[4] == "Established"
    assert f"+\n\nPolicy status\nDatastore: etcd {etcd_host.etcd.url} (connected)\nIn sync: yes\n" in shown


def test_status_without_ipv6(host):
    host.node("--ip=172.30.0.11", "--as=5")
    shown = host.calicoctl("status")
    assert "\nIP: 172.30.0.11    AS Number: 5\n" in shown
    assert "\nIPv6 BGP status\nNo IPv6 address configured.\n\nPolicy status\n" in shown


def test_status_as_json(etcd_host):
    etcd_host.node("--ip=172.30.0.11")
    document = json.loads(etcd_host.run(f"{lab.BUILD}/calicoctl", "status", "-o", "json").stdout)
    assert document["daemon"]["in_sync"] is True
    assert document["daemon"]["datastore"]["connected"] is True


def test_status_without_datastore(etcd_host):
    etcd_host.node("--ip=172.30.0.11")
    etcd_host.etcd.stop()
    lab.until(lambda: "(no contact: " in etcd_host.calicoctl("status"), what="the daemon's loss of contact")
    done = etcd_host.calicoctl("status", check=False)
    shown = done.stdout
    assert done.returncode == 3
    assert "Error connecting to etcd.  Ensure ETCD_ENDPOINTS or ETCD_AUTHORITY is set properly.\n" in shown
    assert shown.count("IP: unknown    AS Number: unknown\n") == 2


def status_is(host, status, text):
    """Waits until `status` ends with this status and shows the text."""
    def looks():
        done = host.calicoctl("status", check=False)
        return done.returncode == status and text in done.stdout
    try:
        lab.until(looks, what=f"status {status} and '{text}'")
    except lab.Failure as failure:
        done = host.calicoctl("status", check=False)
        raise lab.Failure(f"{failure}: status {done.returncode}\n{done.stdout}") from failure


def test_exit_status_of_status(etcd_host):
    """0: all is well; 1: no daemon; 3: it runs, and something is wrong, which is named with the reason."""
    assert etcd_host.calicoctl("status", check=False).returncode == 1
    etcd_host.node("--ip=172.30.0.11")
    status_is(etcd_host, 0, "Problems: none")
    put = etcd_host.etcd.etcdctl  # v2: "set", "rm"
    key = f"/calico/v1/host/{etcd_host.name}/workload/o/w/endpoint/one"
    endpoint = {"state": "active", "name": "calione", "mac": "ee:ee:ee:ee:ee:ee", "profile_ids": [],
                "ipv4_nets": ["10.65.0.1/32"], "ipv6_nets": []}
    put("set", key, json.dumps(endpoint))
    status_is(etcd_host, 3, "| o/w/one                 | calione   | waiting for its interface | "
                            "there is no interface calione")
    etcd_host.run("ip", "link", "add", "calione", "type", "veth", "peer", "name", "other")
    status_is(etcd_host, 0, "Endpoints: 1 of 1 up")
    etcd_host.run("ip", "link", "set", "calione", "down")
    status_is(etcd_host, 3, "'ip link set calione up' ends that")
    etcd_host.run("ip", "link", "set", "calione", "up")
    status_is(etcd_host, 0, "Endpoints: 1 of 1 up")
    put("set", key, json.dumps(endpoint | {"state": "inactive"}))
    status_is(etcd_host, 0, "its state in the datastore is not 'active'")  # as it shall be
    put("rm", key)
    put("set", "/calico/v1/policy/profile/web/tags", "{")
    status_is(etcd_host, 3, "| /calico/v1/policy/profile/web/tags")
    put("rm", "/calico/v1/policy/profile/web/tags")
    status_is(etcd_host, 0, "Problems: none")
    etcd_host.calicoctl("node", "stop")
    assert etcd_host.calicoctl("status", check=False).returncode == 1


def test_status_of_a_daemon_that_hangs(host):
    host.node()
    lab.stop(host.pid())
    done = host.fails("status")
    shown = host.fails("status", "-o", "json")
    os.kill(host.pid(), signal.SIGCONT)
    assert json.loads(shown.stdout)["daemon"] is None
    assert done.stdout.startswith("calico-node container is running. Status: Up ")
    assert "does not say how it is" in done.stderr


def test_bytes_that_are_no_text_do_not_take_the_status_away(network):
    """Names of interfaces and paths may be any bytes."""
    with network.machine("host-a") as machine:
        odd = os.fsdecode(b"\xff")
        os.mkdir(machine.path(f"state{odd}"))
        machine.settings = {"CALICO_STATE_DIR": machine.path(f"state{odd}"),
                            "CALICO_DATASTORE": f"sqlite:{machine.path(f'state{odd}', 'calico.db')}"}
        machine.run("ip", "link", "set", "eth0", "down")
        machine.run("ip", "link", "set", "eth0", "name", f"eth{odd}", "up")
        machine.run("ip", "route", "add", "default", "via", "172.30.0.1")
        machine.start_node()

        def shown():
            answer = machine.run(f"{lab.BUILD}/calicoctl", "status", "-o", "json", check=False)
            state = json.loads(answer.stdout)["daemon"]
            return state["in_sync"] and state
        state = lab.until(shown, what="an answer")
        assert state["datastore"]["where"].endswith("state?/calico.db")
        assert [uplink["interface"] for uplink in state["uplinks"]] == ["eth?"]


def test_status_options(host):
    assert host.fails("status", "--runtime=lxc").stdout == "Invalid runtime specified: 'lxc'\n"
    assert host.fails("status", "--runtime=rkt").stdout == "calico-node container not running\n"
