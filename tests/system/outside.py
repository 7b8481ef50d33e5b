# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What is beyond a machine's uplink: servers, and whether packets there pass the machine's network stack."""

import contextlib
import os
import socket
import threading

import lab


@contextlib.contextmanager
def echo_server(namespace, port):
    """A TCP server outside that echoes; yields the list of its clients' addresses and ports."""
    listener = lab.socket_in(namespace.path, socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen()
    clients = []

    def serve(connection):
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(4096):
                connection.sendall(data)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                connection, client = listener.accept()
                clients.append(client)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield clients
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def addresses(clients):
    return [address for address, _ in clients]


def wait_for_uplink(machine, name="eth0", present=True):
    paths = [machine.path("bpf", "calico", "v1", "links", f"{name}_{side}") for side in ("in", "out")]
    lab.until(lambda: all(os.path.exists(path) == present for path in paths), what=f"{name} as an uplink")


def close_forwarding(machine):
    """From here on the host's netfilter drops whatever the host forwards."""
    machine.run("nft", "add table inet closed; add chain inet closed forward "
                       "{ type filter hook forward priority -500; policy drop; }")


def open_forwarding(machine):
    machine.run("nft", "delete table inet closed")
