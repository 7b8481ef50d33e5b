# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Machines for system tests: network namespaces on one underlay, each with real dockerd, etcd and calico-node.

Nothing outside is touched: namespaces, directories, mounts and processes carry this process's id, and leaving a
`with` block removes them, whatever happened inside. Several test runs can share a computer.
"""

import contextlib
import ctypes
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
DOCKER = os.environ.get("DOCKER_CLI", "/usr/bin/docker")
PLUGIN_DRIVER = "calico"

numbers = itertools.count(1)
libc = ctypes.CDLL(None, use_errno=True)


class Failure(AssertionError):
    """A command failed that should not have; shows all it said."""


def until(condition, seconds=10, what="the condition"):
    """Polls until `condition()` is true and returns its value; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"{what} did not happen within {seconds} s; last value: {value!r}")
        time.sleep(0.02)


def threads_stand_still(pid):
    states = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/task/{thread}/stat") as file:
            states.append(file.read().rpartition(")")[2].split()[0])
    return all(state == "T" for state in states)


def stop(pid):
    """SIGSTOP, and until it has reached all threads: one that still runs might answer a request."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: threads_stand_still(pid), what=f"process {pid} stopping")


def echoes(connection, line=b"hello\n"):
    """Whether the other end of a connection sends the line back in time."""
    try:
        connection.sendall(line)
        received = b""
        while len(received) < len(line):
            part = connection.recv(len(line) - len(received))
            if not part:
                return False
            received += part
    except OSError:
        return False
    return received == line


@contextlib.contextmanager
def busybox_image():
    with tempfile.NamedTemporaryFile(prefix="calico-busybox-", suffix=".tar") as archive:
        subprocess.run([f"{ROOT}/tools/busybox-image"], stdout=archive, check=True)
        yield archive.name


def socket_in(namespace, *arguments):
    """A socket of another network namespace (a path), usable from here."""
    made = []

    def make():
        with open(namespace) as handle:
            if libc.setns(handle.fileno(), 0x40000000) != 0:  # CLONE_NEWNET, of this thread only
                raise OSError(ctypes.get_errno(), f"setns({namespace})")
        made.append(socket.socket(*arguments))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def dial(namespace, address, port, seconds=2, source=None):
    """A TCP connection from a network namespace (a path), or None when it is not answered in time."""
    connection = socket_in(namespace, family_of(address), socket.SOCK_STREAM)
    connection.settimeout(seconds)
    try:
        if source:
            connection.bind((source, 0))
        connection.connect((address, port))
    except OSError:
        connection.close()
        return None
    return connection


def reaches(namespace, address, port, seconds=2, source=None):
    """Whether a TCP connection from there to an echo server brings its line back."""
    connection = dial(namespace, address, port, seconds, source)
    if not connection:
        return False
    with connection:
        return echoes(connection)


def processes():
    """(pid, parent, network namespace) of every process."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
            if fields[0] != "Z":
                yield int(entry), int(fields[1]), os.stat(f"/proc/{entry}/ns/net").st_ino
        except OSError:
            continue  # it ended meanwhile, or is none of our business


def kill_namespace(path):
    """Ends every process in a network namespace of ours, and what descends from those (containers)."""
    inode = os.stat(path).st_ino

    def ours():
        table = list(processes())
        found = {pid for pid, _, namespace in table if namespace == inode}
        grown = True
        while grown:
            children = {pid for pid, parent, _ in table if parent in found} - found
            found |= children
            grown = bool(children)
        return found

    def none_left():
        for pid in ours():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not ours()

    until(none_left, what=f"the end of all processes in {path}")


class Namespace:
    def __init__(self, name):
        self.name = f"calico-test-{os.getpid()}-{next(numbers)}-{name}"
        self.path = f"/run/netns/{self.name}"

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.run("ip", "link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        kill_namespace(self.path)
        subprocess.run(["ip", "netns", "delete", self.name], check=True)

    def command(self, *arguments):
        # Not `ip netns exec`: that hides the cgroup mounts from dockerd.
        return ["nsenter", f"--net={self.path}", "--", *map(str, arguments)]

    def run(self, *arguments, check=True, **options):
        """Completed process with text output; a failure shows the output."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "timeout": 120,
                   "stdin": subprocess.DEVNULL} | options
        if "input" in options:
            del options["stdin"]
        done = subprocess.run(self.command(*arguments), **options)
        if check and done.returncode != 0:
            raise Failure(f"{' '.join(map(str, arguments))}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def spawn(self, *arguments, log, **options):
        return subprocess.Popen(self.command(*arguments), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                start_new_session=True, **options)


class Network:
    """The underlay: a bridge in a namespace of its own, 172.30.0.0/24; the bridge is 172.30.0.1."""

    def __init__(self):
        self.namespace = Namespace("lan")
        self.addresses = itertools.count(11)

    def __enter__(self):
        self.namespace.__enter__()
        run = self.namespace.run
        run("ip", "link", "add", "lan", "type", "bridge")
        run("ip", "address", "add", "172.30.0.1/24", "dev", "lan")
        run("ip", "address", "add", "fd30::1/64", "dev", "lan", "nodad")
        run("ip", "link", "set", "lan", "up")
        return self

    def __exit__(self, *exception):
        self.namespace.__exit__(*exception)

    def plug(self, namespace):
        """Gives the namespace an eth0 on the underlay with a default route; returns its IPv4 address."""
        number = next(self.addresses)
        port = f"port{number}"
        self.namespace.run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace.name)
        self.namespace.run("ip", "link", "set", port, "master", "lan", "up")
        namespace.run("ip", "address", "add", f"172.30.0.{number}/24", "dev", "eth0")
        namespace.run("ip", "address", "add", f"fd30::{number}/64", "dev", "eth0", "nodad")
        namespace.run("ip", "link", "set", "eth0", "up")
        namespace.run("ip", "route", "add", "default", "via", "172.30.0.1")
        return f"172.30.0.{number}"

    def machine(self, name, **options):
        return Machine(self, name, **options)

    def etcd(self):
        return Etcd(self)


class Etcd:
    """An etcd server (v2 API on) in the underlay's namespace, reachable from all machines."""

    def __init__(self, network):
        self.network = network
        self.directory = tempfile.mkdtemp(prefix="calico-etcd-")
        self.process = None
        self.port = 20000 + next(numbers) * 2
        self.url = f"http://172.30.0.1:{self.port}"
        self.authority = f"172.30.0.1:{self.port}"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory)

    def start(self):
        peer = f"http://127.0.0.1:{self.port + 1}"
        with open(f"{self.directory}/log", "a") as log:
            self.process = self.network.namespace.spawn(
                "/usr/bin/etcd", "--enable-v2", "--data-dir", f"{self.directory}/data",
                "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", f"default={peer}", "--unsafe-no-fsync", log=log)
        until(self.healthy, what="etcd's start")

    def healthy(self):
        if self.process.poll() is not None:
            raise Failure("etcd ended:\n" + open(f"{self.directory}/log").read())
        return self.etcdctl("cluster-health", check=False).returncode == 0

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def etcdctl(self, *arguments, **options):
        environment = dict(os.environ, ETCDCTL_API="2")
        return self.network.namespace.run("/usr/bin/etcdctl", "--endpoints", self.url, *arguments, env=environment,
                                          **options)

    def get(self, key):
        done = self.etcdctl("get", key, check=False)
        return done.stdout.rstrip("\n") if done.returncode == 0 else None

    def keys(self, directory):
        done = self.etcdctl("ls", "--recursive", "-p", directory, check=False)
        return sorted(line for line in done.stdout.splitlines() if not line.endswith("/"))


class Machine:
    """One host of a cluster: namespace, uplink eth0, directories, Docker engine, calico-node."""

    def __init__(self, network, name, image=None, etcd=None, environment=None):
        self.network, self.name, self.image, self.etcd = network, name, image, etcd
        self.namespace = Namespace(name)
        self.directory = tempfile.mkdtemp(prefix=f"calico-{name}-")
        self.address = None
        self.docker_process = self.node_process = None
        self.settings = environment or {}

    def __enter__(self):
        self.namespace.__enter__()
        self.address = self.network.plug(self.namespace)
        for part in ("run", "state", "bpf"):
            os.mkdir(self.path(part))
        # A BPF file system of its own: unmounting it drops every pin.
        subprocess.run(["mount", "-t", "bpf", "calico-test", self.path("bpf")], check=True)
        return self

    def __exit__(self, *_):
        # In this order: removing containers asks the plugin, and Docker waits a minute for one that is gone.
        with contextlib.suppress(Exception):
            self.stop_docker()
        with contextlib.suppress(Exception):
            self.stop_node()
        self.namespace.__exit__()
        libc.umount2(self.path("bpf").encode(), 2)  # MNT_DETACH
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    @property
    def environment(self):
        """What calico-node, calicoctl and docker run with."""
        ours = {
            "HOSTNAME": self.name,
            "DOCKER_HOST": f"unix://{self.path('docker.sock')}",
            "CALICO_PLUGIN_SOCKET": self.path("plugins", "calico.sock"),
            "CALICO_RUN_DIR": self.path("run"),
            "CALICO_STATE_DIR": self.path("state"),
            "CALICO_BPFFS": self.path("bpf", "calico"),
        }
        if self.etcd:
            ours["ETCD_ENDPOINTS"] = self.etcd.url
        else:
            ours["CALICO_DATASTORE"] = f"sqlite:{self.path('state', 'calico.db')}"
        return {"PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"} | ours | self.settings

    def run(self, *arguments, **options):
        return self.namespace.run(*arguments, env=self.environment, **options)

    def log(self, name):
        """What dockerd ("docker") or calico-node ("node") wrote so far; the latter's without the times."""
        with contextlib.suppress(FileNotFoundError):
            with open(self.path(f"{name}.log")) as log:
                return re.sub(r"(?m)^\d{4}-\d\d-\d\dT[\d:.]+Z (?=[A-Z]+ )", "", log.read())
        return ""

    # Docker

    def start_docker(self, *options):
        if self.etcd:
            options += (f"--cluster-store=etcd://{self.etcd.authority}", f"--cluster-advertise={self.address}:2376")
        with open(self.path("docker.log"), "a") as log:
            self.docker_process = self.namespace.spawn(f"{ROOT}/tools/private-dockerd", self.directory, *options,
                                                       log=log, env=self.environment)

        def ready():
            if self.docker_process.poll() is not None:
                raise Failure("dockerd ended:\n" + self.log("docker"))
            return self.docker("version", check=False).returncode == 0

        until(ready, 30, "dockerd's start")
        if self.image and not self.docker("images", "-q", "busybox").strip():
            self.docker("import", self.image, "busybox")

    def stop_docker(self, sig=signal.SIGTERM):
        """Stops the engine with its containers (SIGKILL: leaves them running)."""
        if not self.docker_process:
            return
        if sig == signal.SIGTERM and self.docker_process.poll() is None:
            containers = self.docker("ps", "-aq", timeout=30).split()
            if containers:
                self.docker("rm", "-f", *containers, timeout=90)
        self.docker_process.send_signal(sig)
        self.docker_process.wait(60)
        self.docker_process = None

    def docker(self, *arguments, check=True, **options):
        """Standard output, stripped; with check=False the completed process."""
        done = self.run(DOCKER, *arguments, check=check, **options)
        return done.stdout.strip() if check else done

    def create_network(self, name, *options):
        return self.docker("network", "create", "--driver", PLUGIN_DRIVER, "--ipam-driver", PLUGIN_DRIVER, *options,
                           name)

    def start(self, name, network, *command, options=()):
        """A detached busybox container; sleeps unless told otherwise. Returns its address."""
        command = command or ("sleep", "100000")
        self.docker("run", "-d", "--name", name, "--net", network, *options, "busybox", *command)
        return self.container_address(name, network)

    def inspect(self, name):
        return json.loads(self.docker("inspect", name))[0]

    def container_address(self, name, network):
        return self.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"]

    def container_namespace(self, name):
        """Path of the container's network namespace, for socket_in()."""
        return f"/proc/{self.inspect(name)['State']['Pid']}/ns/net"

    def remove(self, *names):
        self.docker("rm", "-f", *names)

    # calico-node and calicoctl

    def start_node(self, *options, wrapper=()):
        """`wrapper`: a command that starts the daemon with less than it should have."""
        with open(self.path("node.log"), "a") as log:
            self.node_process = self.namespace.spawn(*wrapper, f"{BUILD}/calico-node", *options, log=log, env=self.environment)
        until(self.node_ready, 20, "calico-node's start")

    def node_ready(self):
        if self.node_process.poll() is not None:
            raise Failure(f"calico-node ended with status {self.node_process.returncode}:\n{self.log('node')}")
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(self.path("plugins", "calico.sock"))
            except (FileNotFoundError, ConnectionRefusedError):
                return False
        return True

    def stop_node(self, sig=signal.SIGTERM):
        """Stops the daemon and returns its exit status."""
        if not self.node_process:
            return None
        self.node_process.send_signal(sig)
        status = self.node_process.wait(20)
        self.node_process = None
        return status

    def calicoctl(self, *arguments, check=True, **options):
        """Standard output as printed; with check=False the completed process. `status` may have found problems."""
        done = self.run(f"{BUILD}/calicoctl", *arguments, check=False, **options)
        accepted = (0, 3) if arguments[0] == "status" else (0,)
        if check and done.returncode not in accepted:
            raise Failure(f"calicoctl {' '.join(map(str, arguments))}: status {done.returncode}\n"
                          f"{done.stdout}{done.stderr}")
        return done.stdout if check else done

    def cut_power(self):
        """What is left is what a reset leaves: disks, and the wire to the network."""
        kill_namespace(self.namespace.path)
        for process in (self.docker_process, self.node_process):
            process.wait(20)
        self.docker_process = self.node_process = None
        for name in self.links() - {"lo", "eth0"}:
            self.run("ip", "link", "delete", name, check=False)  # with the other end of a pair
        self.run("tc", "qdisc", "delete", "dev", "eth0", "clsact", check=False)
        self.run("nft", "flush", "ruleset")
        self.run("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
        libc.umount2(self.path("bpf").encode(), 2)  # MNT_DETACH
        subprocess.run(["mount", "-t", "bpf", "calico-test", self.path("bpf")], check=True)
        for part in ("run", "plugins", "exec"):
            shutil.rmtree(self.path(part), ignore_errors=True)
            os.mkdir(self.path(part))
        for name in ("docker.sock", "docker.pid"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path(name))

    # What the kernel holds

    def links(self):
        """Names of the interfaces in the machine's own namespace."""
        return {link["ifname"] for link in json.loads(self.run("ip", "-json", "link", "show").stdout)}

    def workload_links(self):
        return {name for name in self.links() if name.startswith(("cali", "tmp"))}

    def routes(self, family=4):
        """Destinations of the routes to workloads."""
        shown = json.loads(self.run("ip", "-json", f"-{family}", "route", "show").stdout or "[]")
        return {route["dst"] for route in shown if route.get("dev", "").startswith("cali")}

    # Traffic

    def ping(self, container, address, seconds=2):
        command = ("exec", container, "ping", "-q", "-c", "1", "-W", str(seconds), address)
        return self.docker(*command, check=False).returncode == 0

    def socket(self, container, *arguments):
        return socket_in(self.container_namespace(container), *arguments)

    def dial(self, container, address, port, seconds=2):
        """A TCP connection from inside the container, or None."""
        return dial(self.container_namespace(container), address, port, seconds)

    def connects(self, container, address, port, seconds=2):
        """Whether the container reaches an echo server."""
        return reaches(self.container_namespace(container), address, port, seconds)

    def start_echo(self, name, network, *ports, options=()):
        """A container that echoes on these TCP ports; returns its address when all of them listen."""
        address = self.start(name, network, "sh", "-c",
                             " ".join(f"nc -ll -p {port} -e cat &" for port in ports) + " wait", options=options)

        def listening():
            shown = self.docker("exec", name, "netstat", "-ltn")
            return all(f":{port} " in shown for port in ports)

        until(listening, what=f"{name}'s servers")
        return address
