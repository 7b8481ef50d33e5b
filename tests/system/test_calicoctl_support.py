# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""calicoctl checksystem and diags."""

import contextlib
import http.server
import json
import os
import re
import signal
import socketserver
import subprocess
import tarfile
import threading

import pytest

import lab

NO_DOCKER = "--runtime=rkt"


@contextlib.contextmanager
def answering(server, handler_body):
    """A server of one fixed answer to every GET."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(handler_body.encode())

        def log_message(self, *_):
            pass

    with server(Handler) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def engine(directory):
    """Sets the environment to a Docker engine that speaks the given API version."""
    with contextlib.ExitStack() as stack:
        def start(version):
            path = f"{directory}/docker-{version}.sock"
            stack.enter_context(answering(lambda handler: socketserver.ThreadingUnixStreamServer(path, handler),
                                          json.dumps({"Version": "x", "ApiVersion": version})))
            return {"DOCKER_HOST": f"unix://{path}"}
        yield start


def check(ctl, *options, **more):
    done = ctl.run("checksystem", *options, **more)
    return done.returncode, done.stdout, done.stderr


def test_a_good_host_is_silent(network):
    with network.etcd() as etcd, network.machine("host-a", etcd=etcd) as machine:
        machine.start_docker()
        done = machine.calicoctl("checksystem", "--libnetwork", check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert not machine.workload_links()


def test_docker(sqlite_ctl, engine):
    assert check(sqlite_ctl, NO_DOCKER) == (0, "", "")
    assert check(sqlite_ctl) == (1, "", "ERROR: Docker daemon not running.\n")
    too_old = "ERROR: Docker server must support Docker Remote API v{} or greater.\n"
    assert check(sqlite_ctl, environment=engine("1.15")) == (1, "", too_old.format("1.16"))
    assert check(sqlite_ctl, environment=engine("1.16")) == (0, "", "")
    assert check(sqlite_ctl, "--libnetwork", environment=engine("1.20")) == \
        (1, "", "ERROR: Docker Version does not support Libnetwork.\n" + too_old.format("1.21"))
    assert check(sqlite_ctl, "--libnetwork", environment=engine("1.21")) == (0, "", "")
    assert check(sqlite_ctl, "--libnetwork", environment=engine("2.0")) == (0, "", "")
    assert check(sqlite_ctl, environment=engine("nonsense")) == (1, "", too_old.format("1.16"))


def in_namespace(ctl, body):
    """A TCP server in the namespace that calicoctl runs in; yields its port."""
    program = ("import http.server, sys\n"
               "class Handler(http.server.BaseHTTPRequestHandler):\n"
               "    def do_GET(self):\n"
               f"        self.send_response(200); self.end_headers(); self.wfile.write({body.encode()!r})\n"
               "server = http.server.HTTPServer(('127.0.0.1', 0), Handler)\n"
               "print(server.server_port, flush=True)\n"
               "server.serve_forever()\n")
    return subprocess.Popen(ctl.namespace.command("/usr/bin/python3", "-c", program), stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)


def test_etcd(etcd_ctl):
    assert check(etcd_ctl, NO_DOCKER) == (0, "", "")
    assert check(etcd_ctl, NO_DOCKER, environment={"ETCD_AUTHORITY": "127.0.0.1:9"}) == \
        (1, "", "ERROR: Could not connect to etcd at http://127.0.0.1:9\n")
    answers = {
        "etcd 2.0.9": "ERROR: etcd must be at least version 2.0.10 (Detected version: 2.0.9)\n",
        "etcd 2.0.10": "",
        '{"etcdserver":"13.4.5","etcdcluster":"1.0.0"}': "",
        "2.0": "ERROR: What answers at http://127.0.0.1:",
        "": "ERROR: What answers at http://127.0.0.1:",
    }
    for answer, message in answers.items():
        with in_namespace(etcd_ctl, answer) as server:
            try:
                port = server.stdout.readline().strip()
                status, output, errors = check(etcd_ctl, NO_DOCKER, environment={"ETCD_AUTHORITY": f"127.0.0.1:{port}"})
            finally:
                server.kill()
        assert (status, output) == (1 if message else 0, ""), answer
        assert errors.startswith(message) and bool(errors) == bool(message), answer


@pytest.mark.parametrize("path", ["ipv4/ip_forward", "ipv6/conf/all/forwarding"])
def test_forwarding(network, path):
    """Off beside a daemon that cannot set it back, and off where no daemon could."""
    with network.machine("host-a") as machine:
        def found():
            done = machine.run("unshare", "--mount", "sh", "-c",
                               "mount --bind -o ro /proc/sys /proc/sys && exec \"$@\"", "sh",
                               f"{lab.BUILD}/calicoctl", "checksystem", NO_DOCKER, check=False)
            return done.returncode, done.stdout, path in done.stderr
        name = f"net.{path.replace('/', '.')}"
        machine.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        assert found() == (0, "", False)
        machine.run("sysctl", "-qw", f"{name}=0")
        assert found() == (1, "", True)
        assert machine.calicoctl("checksystem", NO_DOCKER, check=False).returncode == 0, "the daemon switches it on"
        machine.start_node()
        lab.until(lambda: machine.run("sysctl", "-n", name).stdout.strip() == "1", what="its return")
        lab.stop(machine.node_process.pid)
        machine.run("sysctl", "-qw", f"{name}=0")
        done = machine.calicoctl("checksystem", NO_DOCKER, check=False)
        assert (done.returncode, done.stdout) == (1, "") and path in done.stderr
        machine.node_process.send_signal(signal.SIGCONT)


def test_kernel(sqlite_ctl):
    done = sqlite_ctl.namespace.run("setarch", os.uname().machine, "--uname-2.6", f"{lab.BUILD}/calicoctl",
                                    "checksystem", NO_DOCKER, check=False, env=sqlite_ctl.environment)
    assert done.returncode == 1
    assert re.fullmatch(r"Minimum kernel version to run Calico is 6\.1\.\nDetected kernel version: 2\.6\..*\n",
                        done.stdout)


def test_what_the_kernel_refuses_is_told(sqlite_ctl):
    """Without the right to load programs."""
    done = sqlite_ctl.namespace.run("setpriv", "--bounding-set=-bpf,-sys_admin", "--inh-caps=-bpf,-sys_admin",
                                    f"{lab.BUILD}/calicoctl", "checksystem", NO_DOCKER, check=False,
                                    env=sqlite_ctl.environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ERROR: Policy cannot be enforced: ")


def test_embedded_store(sqlite_ctl):
    assert check(sqlite_ctl, NO_DOCKER) == (0, "", "")
    assert not os.path.exists(sqlite_ctl.path)
    with open(sqlite_ctl.path, "w") as file:
        file.write("no database, but long enough to be looked at as one. " * 100)
    assert check(sqlite_ctl, NO_DOCKER) == \
        (1, "", f"ERROR: Could not read the embedded datastore {sqlite_ctl.path}\n")


def test_options(sqlite_ctl):
    assert check(sqlite_ctl, NO_DOCKER, "--fix") == (0, "", "WARNING: --fix is deprecated and ignored.\n")
    assert check(sqlite_ctl, "--runtime=none") == (1, "Invalid runtime specified: 'none'\n", "")


# diags

@contextlib.contextmanager
def bundle(output):
    """The archive that diags has made, which is removed afterwards."""
    path = re.search(r"\nDiags saved to (\S+/diags-\d{6}_\d{6}\.tar\.gz)\n", output).group(1)
    directory_name = re.search(r"^Using temp dir: (\S+)$", output, re.MULTILINE).group(1)
    assert os.path.dirname(path) == directory_name
    try:
        with tarfile.open(path) as archive:
            yield archive
    finally:
        subprocess.run(["rm", "-rf", directory_name], check=True)


def text(archive, name):
    return archive.extractfile(f"diagnostics/{name}").read().decode()


def test_diags_without_anything(sqlite_ctl, tmp_path):
    (tmp_path / "felix.log").write_text("one line\n")
    (tmp_path / "lock").write_text("")
    output = sqlite_ctl("diags", f"--log-dir={tmp_path}")
    assert output.startswith("Collecting diagnostics\nUsing temp dir: /tmp/")
    with bundle(output) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        assert {"date", "hostname", "ip_-4_route", "ip_-6_addr", "iptables-save", "bpftool_prog_show",
                "journalctl_-u_calico-nodeservice_--no-pager", "netstat_--all_--numeric", "etcd_calico",
                "calico-node_status", "logs/felix.log"} <= names
        assert "logs/lock" not in names
        assert text(archive, "logs/felix.log") == "one line\n"
        assert "no answer on" in text(archive, "calico-node_status")
    assert not os.path.exists(sqlite_ctl.path)


def test_diags_names_what_does_not_run(sqlite_ctl):
    output = sqlite_ctl("diags", "--log-dir=/nowhere", environment={"PATH": "/nowhere:/usr/bin"})
    assert "Problem running command: ipset list\n" in output
    assert "No logs found in /nowhere; skipping log copying\n" in output
    with bundle(output) as archive:
        assert "No such file or directory" in text(archive, "ipset_list")


def test_diags_dumps_the_datastore(etcd_ctl):
    etcd_ctl("profile", "add", "A")
    with bundle(etcd_ctl("diags")) as archive:
        lines = text(archive, "etcd_calico").splitlines()
    assert lines[:4] == ["dir?, key, value", "DIR,  /calico,", "DIR,  /calico/v1,", "DIR,  /calico/v1/policy,"]
    assert 'FILE, /calico/v1/policy/profile/A/tags, ["A"]' in lines
    assert len([line for line in lines if line.startswith("DIR,  /calico/v1/policy/profile/A,")]) == 1
    output = etcd_ctl("diags", environment={"ETCD_AUTHORITY": "127.0.0.1:9"})
    assert "Dumping datastore\nUnable to dump etcd datastore\n" in output
    with bundle(output):
        pass


def test_diags_of_a_node_that_runs(network, image):
    with network.machine("host-a", image=image) as machine:
        machine.start_node()
        lab.until(lambda: "In sync: yes" in machine.calicoctl("status", check=False).stdout, what="the first sync")
        with bundle(machine.calicoctl("diags")) as archive:
            assert json.loads(text(archive, "calico-node_status"))["in_sync"] is True
            dumps = {name for name in archive.getnames() if "bpftool_map_dump_pinned" in name}
            assert any(name.endswith("v1address4") for name in dumps)
            assert not any(name.endswith("v1events") for name in dumps)


def test_root_is_needed(sqlite_ctl):
    for command in ("checksystem", "diags"):
        done = sqlite_ctl.unprivileged(command)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", "This command must be run as root.\n")
