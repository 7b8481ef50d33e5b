# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Workloads without an engine: a namespace on a veth each, and documents written straight into etcd."""

import contextlib
import http.client
import json
import socket
import threading
import urllib.parse

import lab

MAC = "ee:ee:ee:ee:ee:ee"
LOST_SECONDS = 5  # for an answer that must come; nothing here takes that long
PACE_SECONDS = 0.001  # between two datagrams of a stream


class Documents:
    """Writes below /calico/v1; a value that is no text is written as JSON, None deletes."""

    def __init__(self, network, etcd):
        self.server = http.client.HTTPConnection("172.30.0.1", etcd.port, timeout=30)
        self.server.sock = lab.socket_in(network.namespace.path, socket.AF_INET, socket.SOCK_STREAM)
        self.server.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.sock.connect(("172.30.0.1", etcd.port))

    def put(self, values):
        for key, value in values.items():
            path = f"/v2/keys/calico/v1/{urllib.parse.quote(key)}"
            if value is None:
                self.server.request("DELETE", path + "?recursive=true")
            else:
                text = value if isinstance(value, str) else json.dumps(value)
                self.server.request("PUT", path, "value=" + urllib.parse.quote(text, safe='",[]{}:'),
                                    {"Content-Type": "application/x-www-form-urlencoded"})
            answer = self.server.getresponse()
            answer.read()
            if answer.status not in (200, 201) and not (value is None and answer.status == 404):
                raise lab.Failure(f"{key}: etcd answers {answer.status}")


class Workload:
    """A namespace whose eth0 is the other end of cali<name>, with an address of each family."""

    def __init__(self, machine, name, number):
        self.machine, self.name = machine, name
        self.interface = f"cali{name}"
        self.key = f"host/{machine.name}/workload/test/{name}/endpoint/{name}"
        self.address, self.address6 = f"10.65.0.{number}", f"fd65::{number}"
        self.namespace = lab.Namespace(name)

    def __enter__(self):
        self.namespace.__enter__()
        self.machine.run("ip", "link", "add", self.interface, "type", "veth", "peer", "name", "eth0",
                         "netns", self.namespace.name)
        run = self.namespace.run
        run("ip", "link", "set", "eth0", "address", MAC, "up")
        run("ip", "address", "add", self.address, "dev", "eth0")
        run("ip", "address", "add", self.address6, "dev", "eth0", "nodad")
        run("ip", "route", "add", "default", "via", "169.254.1.1", "dev", "eth0", "onlink")
        run("ip", "-6", "route", "add", "default", "via", "fe80::1", "dev", "eth0")
        return self

    def __exit__(self, *exception):
        self.namespace.__exit__(*exception)

    def document(self, *profiles, **members):
        return {"state": "active", "name": self.interface, "mac": MAC, "profile_ids": list(profiles),
                "ipv4_nets": [f"{self.address}/32"], "ipv6_nets": [f"{self.address6}/128"]} | members

    def socket(self, *arguments):
        return lab.socket_in(self.namespace.path, *arguments)


def bound(where, kind, address, port=0):
    """A socket of a workload, or of whatever else has a namespace, at an address of its own."""
    made = lab.socket_in(where.namespace.path, lab.family_of(address), kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    return made


class Echo:
    """Datagrams and connections to one port of one address come back as they are."""

    def __init__(self, where, address, port):
        self.datagrams = bound(where, socket.SOCK_DGRAM, address, port)
        self.listener = bound(where, socket.SOCK_STREAM, address, port)
        self.listener.listen()
        self.connections = {}  # by the client's address and port
        for serve in (self.answer, self.accept):
            threading.Thread(target=serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for made in (self.datagrams, self.listener):
            with contextlib.suppress(OSError):
                made.shutdown(socket.SHUT_RDWR)
            made.close()

    def say(self, kind, client, data):
        """Sends to a client that has been here, unasked."""
        if kind == socket.SOCK_DGRAM:
            self.datagrams.sendto(data, client)
        else:
            self.connections[client[:2]].sendall(data)

    def answer(self):
        with contextlib.suppress(OSError):
            while True:
                data, client = self.datagrams.recvfrom(2048)
                if not client:  # shut down
                    return
                self.datagrams.sendto(data, client)

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, client = self.listener.accept()
                self.connections[client[:2]] = connection
                threading.Thread(target=self.echo, args=(connection,), daemon=True).start()

    @staticmethod
    def echo(connection):
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(4096):
                connection.sendall(data)


def opened(where, kind, source, address, port, seconds=LOST_SECONDS):
    """A socket with an open flow to an echo server, or None when nothing comes back in time."""
    made = bound(where, kind, source)
    made.settimeout(seconds)
    with contextlib.suppress(OSError):
        made.connect((address, port))
        if lab.echoes(made, b"opened"):
            return made
    made.close()
    return None


class Stream:
    """Sends a datagram after the other, each when the one before has come back; counts those that did not."""

    def __init__(self, where, source, address, port):
        self.socket = opened(where, socket.SOCK_DGRAM, source, address, port)
        assert self.socket, f"{address} does not answer {source}"
        self.socket.settimeout(LOST_SECONDS)
        self.sent = self.lost = 0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ending.wait(PACE_SECONDS):
            self.sent += 1
            if not lab.echoes(self.socket, b"%09d" % self.sent):
                self.lost += 1

    def close(self):
        """(sent, lost)"""
        self.ending.set()
        self.thread.join()
        self.socket.close()
        return self.sent, self.lost
