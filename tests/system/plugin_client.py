# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Speaks to a plugin socket byte for byte as dockerd 20.10 does, or wrongly on purpose."""

import json
import socket
import struct

CONTENT_TYPE = "application/vnd.docker.plugins.v1.1+json"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body!r}>"


class Client:
    """One connection to a plugin socket."""

    def __init__(self, path, seconds=15):
        self.socket = socket.socket(socket.AF_UNIX)
        # Not settimeout(): that would make connect() fail when the server's queue is full, instead of waiting.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@qq", seconds, 0))
        self.socket.connect(path)
        self.socket.settimeout(seconds)
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def until(self, end):
        while end not in self.received:
            part = self.socket.recv(65536)
            if not part:
                raise EOFError(f"the connection ended after {self.received!r}")
            self.received += part
        head, _, self.received = self.received.partition(end)
        return head

    def read(self, length):
        while len(self.received) < length:
            part = self.socket.recv(65536)
            if not part:
                raise EOFError(f"the connection ended after {self.received!r}")
            self.received += part
        data, self.received = self.received[:length], self.received[length:]
        return data

    def answer(self):
        lines = self.until(b"\r\n\r\n").decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        return Answer(int(lines[0].split()[1]), headers, self.read(int(headers["content-length"])))

    def ended(self):
        """Whether the server closed the connection, waiting for that."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def request(self, method, body=None):
        """As dockerd: Host present but empty, no Content-Type, a newline behind the body."""
        data = b"" if body is None else json.dumps(body).encode() + b"\n"
        self.send(f"POST /{method} HTTP/1.1\r\nHost: \r\nUser-Agent: Go-http-client/1.1\r\n"
                  f"Content-Length: {len(data)}\r\nAccept: application/vnd.docker.plugins.v1.2+json\r\n\r\n"
                  .encode() + data)

    def call(self, method, body=None):
        """The JSON of a successful answer."""
        self.request(method, body)
        answer = self.answer()
        assert answer.status == 200, f"{method}: {answer}"
        assert answer.headers["content-type"] == CONTENT_TYPE
        return answer.json

    def refused(self, method, body=None, status=500):
        """The one sentence of a refusal."""
        self.request(method, body)
        answer = self.answer()
        assert answer.status == status, f"{method}: {answer}"
        assert answer.headers["content-type"] == CONTENT_TYPE
        assert list(answer.json) == ["Err"]
        text = answer.json["Err"]
        assert text and "\n" not in text
        return text
