# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Starting and ending calico-node itself: what it refuses, in which words, and what it leaves alone."""

import json
import os
import shutil
import signal
import subprocess

import pytest

import lab

NOT_ROOT = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.fixture
def host(network):
    """A machine without Docker, on the embedded store."""
    with network.machine("host-a") as made:
        yield made


def refused(host, *options, status=1):
    """Runs a daemon that must not start; returns what it wrote."""
    done = host.run(f"{lab.BUILD}/calico-node", *options, check=False, timeout=20)
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    return done.stderr


def pins(host):
    return sorted(os.path.join(folder, name) for folder, _, names in os.walk(host.path("bpf")) for name in names)


def tcp_counter(host, name):
    return json.loads(host.run("nstat", "-asj", name).stdout)["kernel"][name]


def in_sync(host):
    return host.calicoctl("status", check=False).stdout.count("In sync: yes") == 1


def elsewhere(host, *kept):
    """Options for a daemon with directories of its own, but for those to keep."""
    own = {"run-dir": ("run2",), "state-dir": ("state2",), "bpffs": ("bpf2", "calico"),
           "plugin-socket": ("plugins2", "calico.sock")}
    return [f"--{name}={host.path(*parts)}" for name, parts in own.items() if name not in kept]


@pytest.fixture
def other_namespace(host):
    """Runs a daemon with the host's settings in another network namespace."""
    with lab.Namespace("other") as namespace:
        def run(*options):
            done = namespace.run(f"{lab.BUILD}/calico-node", *options, env=host.environment, check=False, timeout=20)
            assert done.returncode == 1, done.stderr
            return done.stderr

        run.namespace = namespace
        yield run


def test_a_second_daemon_is_refused_and_changes_nothing(host):
    host.start_node()
    lab.until(lambda: in_sync(host), what="the first daemon's readiness")
    before = pins(host)
    text = (f"another calico-node uses this network namespace (process {host.node_process.pid}); stop it first "
            "(calicoctl node stop), or run this one in a network namespace of its own")
    for options in ([], elsewhere(host), ["--teardown"], ["--teardown", *elsewhere(host)]):
        assert text in refused(host, *options)
    assert not [name for name in os.listdir(host.directory) if name.endswith("2")]
    host.settings["CALICO_RUN_DIR"] = host.path("run2")
    done = host.calicoctl("node", f"--log-dir={host.path('log')}", check=False)
    del host.settings["CALICO_RUN_DIR"]
    assert done.returncode == 1 and text in done.stderr and "Calico node failed to start: it ended." in done.stderr
    assert pins(host) == before
    assert in_sync(host)
    assert host.stop_node() == 0


def test_directories_of_a_daemon_in_another_namespace(host, other_namespace):
    host.start_node()
    lab.until(lambda: in_sync(host), what="the first daemon's readiness")
    before = pins(host)
    assert "another calico-node holds" in other_namespace()
    assert "another calico-node uses" in other_namespace(*elsewhere(host, "bpffs"))
    assert pins(host) == before
    assert in_sync(host)


def test_daemons_of_two_namespaces_do_not_hinder_one_another(network):
    with network.machine("host-a") as first, network.machine("host-b") as second:
        for _ in range(2):
            for host in (first, second):
                host.start_node()
            for host in (first, second):
                lab.until(lambda made=host: in_sync(made), what="readiness")
            assert first.stop_node(signal.SIGKILL) == -signal.SIGKILL  # leaves nothing that refuses the next
            assert second.stop_node() == 0


def test_a_stranger_cannot_keep_the_daemon_from_starting(host):
    script = ("import os, socket, time; s = socket.socket(socket.AF_UNIX); os.setuid(65534); "
              "s.bind('\\0calico-node'); s.listen() if {} else None; time.sleep(100000)")
    for listens in (True, False):
        with open(host.path("stranger.log"), "w") as log:
            stranger = host.namespace.spawn("/usr/bin/python3", "-c", script.format(listens), log=log)
        lab.until(lambda: "@calico-node" in host.run("cat", "/proc/net/unix").stdout, what="the stranger's socket")
        host.start_node()
        lab.until(lambda: in_sync(host), what="the daemon's readiness")
        assert "the socket @calico-node belongs to" in host.log("node")
        assert host.stop_node() == 0
        stranger.kill()
        stranger.wait()


def heap_mib(host):
    with open(f"/proc/{host.node_process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) // 1024


def test_memory_of_a_change_is_given_back(host):
    host.start_node()
    lab.until(lambda: in_sync(host), what="the daemon's readiness")
    before = heap_mib(host)
    rules = [{"action": "allow", "protocol": "tcp", "dst_ports": [port]} for port in range(1, 8000)]
    host.calicoctl("profile", "add", "web")
    for _ in range(2):  # the old and the new rules at once
        host.calicoctl("profile", "web", "rule", "update",
                       input=json.dumps({"id": "web", "inbound_rules": rules, "outbound_rules": []}))
    lab.until(lambda: heap_mib(host) > before + 4, what="memory for the rules")
    host.calicoctl("profile", "remove", "web")
    lab.until(lambda: heap_mib(host) <= before + 1, 30, "the return of the memory")


def test_standard_descriptors_that_are_closed_stay_unused(host):
    """Output would be written into whatever has their numbers: the datastore, for one."""
    host.node_process = subprocess.Popen(
        host.namespace.command("sh", "-c", f"exec {lab.BUILD}/calico-node <&- >&- 2>&-"), stdin=subprocess.DEVNULL,
        env=host.environment, start_new_session=True)
    lab.until(host.node_ready, 20, "the daemon's start")
    for number in range(3):
        assert os.readlink(f"/proc/{host.node_process.pid}/fd/{number}") == "/dev/null"
    lab.until(lambda: in_sync(host), what="the daemon's readiness")
    done = host.run("sh", "-c", f"exec {lab.BUILD}/calicoctl pool add 10.9.0.0/16 <&- >&- 2>&-", check=False)
    assert (done.stdout, done.stderr) == ("", "")
    assert "10.9.0.0/16" in host.calicoctl("pool", "show")
    assert host.stop_node() == 0


@pytest.mark.parametrize("limit, reason", [
    (("setpriv", "--bounding-set=-perfmon,-sys_admin"), "calico-node lacks CAP_PERFMON; start it as root with"),
    (("setpriv", "--bounding-set=-bpf,-sys_admin"), "calico-node lacks CAP_BPF;"),
    (("setpriv", "--bounding-set=-net_admin"), "calico-node lacks CAP_NET_ADMIN;"),
    (("setpriv", "--bounding-set=-perfmon,-bpf,-sys_admin"), "calico-node lacks CAP_BPF and CAP_PERFMON;"),
    (("prlimit", "--nofile=56:56"), "no file descriptor left, its limit is 56; raise LimitNOFILE="),
], ids=["perfmon", "bpf", "net_admin", "both", "descriptors"])
def test_what_the_process_lacks_is_not_the_kernels_fault(host, limit, reason):
    host.start_node(wrapper=limit)
    lab.until(lambda: reason in host.log("node"), 20, f"the message that {reason}")
    shown = " ".join(host.calicoctl("status", check=False).stdout.split())
    assert reason.partition(";")[0] in shown
    assert "kernel 6" not in host.log("node") and "datastore:" not in host.log("node")
    assert host.stop_node() == 0


def test_a_taken_name_is_told_once(network):
    """A machine is cloned: it keeps trying, and says why once."""
    with network.etcd() as etcd, network.machine("host-a", etcd=etcd) as first, \
            network.machine("host-b", etcd=etcd) as second:
        for one in (first, second):
            one.start_node()
            lab.until(lambda: etcd.get(f"/calico/v1/host/{one.name}/bird_ip") == one.address, what="registration")
        second.stop_node()
        second.settings["HOSTNAME"] = "host-a"
        second.start_node()
        lab.until(lambda: "is already in use by host host-b" in second.log("node"), 20, "the refusal")
        sent = tcp_counter(second, "TcpOutSegs")
        lab.until(lambda: tcp_counter(second, "TcpOutSegs") > sent + 50, 30, "some more tries")
        assert second.log("node").count("already in use with IP address") == 1
        assert second.log("node").count("is already in use by host host-b") == 1
        assert etcd.get("/calico/v1/host/host-a/bird_ip") == first.address


def test_teardown_takes_everything_out_of_the_kernel(host):
    host.settings["CALICO_BPFFS"] = host.path("own")  # no BPF file system yet: the daemon mounts one
    host.start_node()
    lab.until(lambda: in_sync(host), what="the daemon's readiness")
    assert os.path.ismount(host.path("own"))
    host.calicoctl("pool", "add", "192.168.0.0/16", "--nat-outgoing")
    lab.until(lambda: "masquerade" in host.run("nft", "list", "ruleset").stdout, what="the masquerade rule")
    assert host.stop_node() == 0
    for _ in range(2):  # nothing to do is no error
        assert refused(host, "--teardown", status=0) == ""
    assert not os.path.exists(host.path("own"))
    assert "cali" not in host.run("nft", "list", "ruleset").stdout


def test_not_root(host):
    for name in ("calico-node", "calicoctl"):
        shutil.copy(f"{lab.BUILD}/{name}", host.directory)
    os.chmod(host.directory, 0o755)
    for command in (["calico-node"], ["calico-node", "--teardown"], ["calicoctl", "node"]):
        done = host.run(*NOT_ROOT, host.path(command[0]), *command[1:], check=False)
        assert (done.returncode, done.stderr or done.stdout) == (2, "This command must be run as root.\n")


@pytest.mark.parametrize("option, value, reason", [
    ("--state-dir", "file", "file is not a directory"),
    ("--state-dir", "file/state", "cannot create directory"),
    ("--run-dir", "file", "file is not a directory"),
    ("--plugin-socket", "file", "file is no socket"),
    ("--plugin-socket", "file/calico.sock", "file is not a directory"),
    ("--bpffs", "file", "cannot mount a bpffs for"),
])
def test_paths_that_cannot_be_used(host, option, value, reason):
    with open(host.path("file"), "w") as file:
        file.write("precious")
    said = refused(host, f"{option}={host.path(value)}")
    assert reason in said.splitlines()[-1]
    with open(host.path("file")) as file:
        assert file.read() == "precious"


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"SQLite format 3\0" + bytes(range(256)) * 100],
                         ids=["empty", "zeros", "garbage"])
def test_a_damaged_datastore_is_named_and_kept(host, content):
    """The daemon runs on without it, and goes on when it is repaired."""
    database = host.path("state", "calico.db")
    with open(database, "wb") as file:
        file.write(content)
    host.start_node()
    if content:
        lab.until(lambda: "calico.db is damaged" in host.log("node"), what="the complaint")
        assert "calico.db is damaged" in host.calicoctl("status", check=False).stdout.replace("\n", " ")
        assert "damaged" in host.calicoctl("pool", "show", check=False).stdout
        with open(database, "rb") as file:
            assert file.read() == content
        os.unlink(database)
    lab.until(lambda: in_sync(host), what="the daemon's readiness")
    assert host.stop_node() == 0


def test_a_datastore_that_stays_away_is_reported_once(network):
    with network.machine("host-a", environment={"ETCD_AUTHORITY": "127.0.0.1:9", "CALICO_DATASTORE": "etcd"}) as host:
        host.start_node()
        lab.until(lambda: tcp_counter(host, "TcpActiveOpens") >= 3, 20, "the daemon's attempts")
        assert host.log("node").count("Connection refused") == 1
        assert host.stop_node() == 0
