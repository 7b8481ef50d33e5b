# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Clients of every kind on the daemon's sockets, while the engine's calls go on: none of them keeps others from an
answer, and none leaves anything behind.

CLIENTS=10000 (or any number) in the environment makes the soak longer.
"""

import calendar
import contextlib
import itertools
import os
import random
import socket
import threading
import time

import pytest

import lab
from plugin_client import Client
from test_plugin_protocol import (NETWORK, SANDBOX, endpoint_request, join_request, network_request, of_endpoint,
                                  wait_for_registration)

CLIENTS = int(os.environ.get("CLIENTS", 1200))
DEADLINE = 10  # of each of the engine's calls
PATIENCE = 30  # of a client of another kind: it may have to wait for room

PLUGIN = b"POST /Plugin.Activate HTTP/1.%d\r\nHost: x\r\n%sContent-Length: 2\r\n\r\n{}"
CONTROL = b"GET /status HTTP/1.%d\r\nHost: x\r\n%s\r\n"


@pytest.fixture(scope="module")
def node():
    with lab.Network() as network:
        with network.machine("host-a", environment={"CALICO_LIBNETWORK_SCOPE": "global"}) as machine:
            machine.start_node()
            wait_for_registration(machine)
            yield machine


class Connection:
    """A connection that may end at any time."""

    def __init__(self, path):
        self.client = Client(path, PATIENCE)
        self.socket = self.client.socket

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def send(self, data):
        """False when the server has hung up."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def rest(self):
        """All until the server closes; a client that is not answered in time fails here."""
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while part := self.socket.recv(65536):
                received += part
        return received

    def answers(self, count):
        with contextlib.suppress(EOFError, ConnectionResetError):
            return [self.client.answer().status for _ in range(count)]
        return []


def closing(path, request):
    with Connection(path) as connection:
        connection.send(request % (1, b"Connection: close\r\n"))
        assert b" 200 OK" in connection.rest()


def http_1_0(path, request):
    with Connection(path) as connection:
        connection.send(request % (0, b""))
        assert b" 200 OK" in connection.rest()


def keeping(path, request):
    with Connection(path) as connection:
        connection.send(request % (1, b""))
        assert connection.answers(1) == [200]


def reset(path, request):
    """Ends with an answer unread."""
    with Connection(path) as connection:
        connection.send(request % (1, b""))


def half_closed(path, request):
    with Connection(path) as connection:
        connection.send(request % (1, b""))
        connection.socket.shutdown(socket.SHUT_WR)
        connection.rest()


def half_a_request(path, request):
    with Connection(path) as connection:
        connection.send((request % (1, b""))[:random.randrange(1, 40)])


def silent(path, request):
    with Connection(path):
        pass


def slow(path, request):
    with Connection(path) as connection:
        for byte in request % (1, b"Connection: close\r\n"):
            connection.send(bytes([byte]))
        assert b" 200 OK" in connection.rest()


def pipelined(path, request):
    with Connection(path) as connection:
        connection.send((request % (1, b"")) * 5)
        assert connection.answers(5) == [200] * 5


def garbage(path, request):
    with Connection(path) as connection:
        connection.send(random.randbytes(random.randrange(1, 2000)) + b"\r\n\r\n")


def enormous_headers(path, request):
    with Connection(path) as connection:
        connection.send(b"POST / HTTP/1.1\r\n" + b"X-A: " + b"a" * 200000 + b"\r\n\r\n")
        assert b" 200 " not in connection.rest()


def enormous_body(path, request):
    with Connection(path) as connection:
        connection.send(b"POST /Plugin.Activate HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n" + b"a" * 100000)
        assert b" 200 " not in connection.rest()


KINDS = (closing, http_1_0, keeping, reset, half_closed, half_a_request, silent, slow, pipelined, garbage,
         enormous_headers, enormous_body)


def descriptors(node):
    return len(os.listdir(f"/proc/{node.node_process.pid}/fd"))


def memory_kib(node):
    with open(f"/proc/{node.node_process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))


class Engine(threading.Thread):
    """Makes and removes endpoints, and a network of its own, as dockerd does, until it is told to stop."""

    def __init__(self, node, number):
        super().__init__()
        self.path, self.number = node.path("plugins", "calico.sock"), number
        self.stopping, self.failure, self.calls, self.longest = threading.Event(), None, 0, 0

    def call(self, client, method, body):
        begin = time.monotonic()
        answer = client.call(method, body)
        self.calls += 1
        self.longest = max(self.longest, time.monotonic() - begin)
        return answer

    def life(self, client, number):
        endpoint, network = f"{self.number}{number:010x}" + 53 * "0", f"{self.number}{number:03x}" + 60 * "1"
        self.call(client, "NetworkDriver.CreateNetwork", network_request(network))
        address = self.call(client, "IpamDriver.RequestAddress",
                            {"PoolID": "CalicoPoolIPv4", "Address": "", "Options": None})["Address"]
        self.call(client, "NetworkDriver.CreateEndpoint", endpoint_request(address, endpoint))
        self.call(client, "NetworkDriver.Join", join_request(endpoint, f"{SANDBOX}-{self.number}"))
        self.call(client, "NetworkDriver.Leave", of_endpoint(endpoint))
        self.call(client, "NetworkDriver.DeleteEndpoint", of_endpoint(endpoint))
        self.call(client, "IpamDriver.ReleaseAddress",
                  {"PoolID": "CalicoPoolIPv4", "Address": address.partition("/")[0]})
        self.call(client, "NetworkDriver.DeleteNetwork", {"NetworkID": network})

    def run(self):
        try:
            with Client(self.path, DEADLINE) as client:
                for number in itertools.count():
                    if self.stopping.is_set():
                        return
                    self.life(client, number)
        except BaseException as failure:
            self.failure = failure


@contextlib.contextmanager
def engine_at_work(node, threads=2):
    with Client(node.path("plugins", "calico.sock")) as client:
        client.call("NetworkDriver.CreateNetwork", network_request())
        engines = [Engine(node, number) for number in range(threads)]
        for engine in engines:
            engine.start()
        try:
            yield engines
        finally:
            for engine in engines:
                engine.stopping.set()
            for engine in engines:
                engine.join()
        client.call("NetworkDriver.DeleteNetwork", {"NetworkID": NETWORK})
    for engine in engines:
        if engine.failure:
            raise engine.failure


def crowd(node, numbers, failures):
    sockets = ((node.path("plugins", "calico.sock"), PLUGIN), (node.path("run", "calico-node.sock"), CONTROL))
    try:
        for number in numbers:
            KINDS[number % len(KINDS)](*sockets[number // len(KINDS) % len(sockets)])
    except BaseException as failure:
        failures.append(failure)


def visit(node, count, threads=4):
    """So many clients, of each kind in turn, some at a time."""
    failures, numbers = [], iter(range(count))
    lock = threading.Lock()

    def next_numbers():
        while True:
            with lock:
                number = next(numbers, None)
            if number is None or failures:
                return
            yield number

    visitors = [threading.Thread(target=crowd, args=(node, next_numbers(), failures)) for _ in range(threads)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    if failures:
        raise failures[0]


def test_soak_with_every_kind_of_client_while_the_engine_works(node):
    with engine_at_work(node):
        visit(node, 20 * len(KINDS))  # until memory that is kept for later use has been taken
    before, memory = descriptors(node), memory_kib(node)
    with engine_at_work(node) as engines:
        with contextlib.ExitStack() as stack:
            for _ in range(20):  # idle for as long as all the others come and go
                stack.enter_context(Client(node.path("plugins", "calico.sock")))
            visit(node, CLIENTS)
    print(f"{CLIENTS} clients; {sum(engine.calls for engine in engines)} calls of the engine, "
          f"the longest {max(engine.longest for engine in engines):.3f} s; memory {memory} to {memory_kib(node)} KiB")
    assert all(engine.calls for engine in engines)
    lab.until(lambda: descriptors(node) <= before, 15, f"the return of all but {before} descriptors")
    lab.until(lambda: memory_kib(node) < memory + 4096, 15, f"the return to {memory} KiB")
    assert node.workload_links() == set()
    assert "this is a fault" not in node.log("node")


def test_a_connection_that_the_server_closed_holds_nobody_up(node):
    """Its descriptor goes to what is opened next: the removal of an interface, for one, waits for such."""
    path = node.path("plugins", "calico.sock")
    with engine_at_work(node, 1) as engines:
        for _ in range(30):
            closing(path, PLUGIN)
            http_1_0(path, PLUGIN)
            calls = engines[0].calls
            lab.until(lambda: engines[0].calls > calls + 2 or engines[0].failure, DEADLINE, "the engine's next calls")


# Fills all places and a good part of the queue, so that whoever comes next has to wait.
CROWD = """
import socket, sys, time
crowd = [socket.socket(socket.AF_UNIX) for _ in range(170)]
for one in crowd:
    one.connect(sys.argv[1])
print("here", flush=True)
time.sleep(1000)
"""


def silent_crowd(node, path, log):
    """A process with many connections that send nothing."""
    return node.namespace.spawn("/usr/bin/python3", "-c", CROWD, path, log=log)


@pytest.mark.parametrize("name", [("plugins", "calico.sock"), ("run", "calico-node.sock")], ids=["plugin", "control"])
def test_a_crowd_of_one_process_does_not_shut_out_another(node, name):
    """Well before the time after which silent connections are closed."""
    path, request = node.path(*name), PLUGIN if name[0] == "plugins" else CONTROL
    with open(node.path("crowd.log"), "w") as log:
        other = silent_crowd(node, path, log)
    try:
        lab.until(lambda: os.path.getsize(node.path("crowd.log")), DEADLINE, "the crowd's connections")
        begin = time.monotonic()
        with Connection(path) as late:
            late.send(request % (1, b""))
            assert late.answers(1) == [200]
        assert time.monotonic() - begin < DEADLINE / 2
    finally:
        other.kill()
        other.wait()


def test_refusals_do_not_fill_the_log(node):
    before = len(node.log("node").splitlines())
    with Client(node.path("plugins", "calico.sock")) as client:
        for number in range(500):
            client.refused("NetworkDriver.Join", {"NetworkID": f"bad {number}"}, status=400)
    assert 20 <= len(node.log("node").splitlines()) - before < 40
    lab.until(lambda: "NetworkDriver.Join: 4" in node.log("node") and "more lines were left out" in node.log("node"),
              20, "the count of the others")


def test_the_log_file_tells_the_time(node):
    with open(node.path("node.log")) as log:
        line = log.readline()
    moment, level, _ = line.split(" ", 2)
    assert abs(time.time() - calendar.timegm(time.strptime(moment.partition(".")[0], "%Y-%m-%dT%H:%M:%S"))) < 600
    assert level in ("INFO", "WARN", "ERR")
