# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""calicoctl on an empty datastore of each kind, and a look at the keys beneath it."""

import json
import signal
import sqlite3
import subprocess

import lab

HOST = "host-a"
PROGRAM = f"{lab.BUILD}/calicoctl"
# As the reference's tests do: the TLS variables are exported, and empty.
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": HOST, "ETCD_CA_CERT_FILE": "", "ETCD_CERT_FILE": "",
    "ETCD_KEY_FILE": "", "DOCKER_HOST": "unix:///nonexistent/docker.sock", "CALICO_CONFIG": "/dev/null",
}


class Calicoctl:
    """Runs the real program in a namespace of its own."""

    def __init__(self, namespace, directory, settings):
        self.namespace, self.directory = namespace, directory
        self.environment = ENVIRONMENT | {"CALICO_RUN_DIR": f"{directory}/run"} | settings

    def run(self, *arguments, environment=None, **options):
        """The completed process, whatever its status."""
        return self.namespace.run(PROGRAM, *arguments, check=False, env=self.environment | (environment or {}),
                                  **options)

    def __call__(self, *arguments, **options):
        """Standard output of a command that must succeed and have nothing to say on standard error."""
        done = self.run(*arguments, **options)
        assert (done.returncode, done.stderr) == (0, ""), (arguments, done.stdout, done.stderr)
        return done.stdout

    def fails(self, *arguments, status=1, **options):
        """What a command that must fail prints on standard output."""
        done = self.run(*arguments, **options)
        assert done.returncode == status, (arguments, done.stdout, done.stderr)
        assert "Usage:" not in done.stderr, done.stderr
        return done.stdout

    def usage(self, *arguments, **options):
        """A command line that is of no form: usage on standard error, nothing else, status 1."""
        done = self.run(*arguments, **options)
        assert (done.returncode, done.stdout) == (1, ""), (arguments, done.stdout, done.stderr)
        assert done.stderr.startswith("Usage:\n  calicoctl "), done.stderr

    def rows(self, *arguments, column=1):
        """A column of the rows of the tables that a command prints, as the reference's tests split them."""
        lines = [line for line in self(*arguments).splitlines() if line.startswith("|")]
        return [line.split("|")[column].strip() for line in lines[1:]]

    def json(self, *arguments):
        return json.loads(self(*arguments, "-o", "json"))

    def unprivileged(self, *arguments):
        """The same as a user who is not root; the program is copied to where that user may read it."""
        program = f"{self.directory}/calicoctl"
        subprocess.run(["install", "-m", "755", PROGRAM, program], check=True)
        return self.namespace.run("setpriv", "--reuid=65534", "--clear-groups", program, *arguments, check=False,
                                  env=self.environment)

    def interrupted(self, *arguments, after):
        """Status and output of a command that gets SIGINT once it has printed `after`."""
        process = subprocess.Popen(self.namespace.command(PROGRAM, *arguments), stdout=subprocess.PIPE, text=True,
                                   env=self.environment)
        output = ""
        for line in process.stdout:
            output += line
            if after in line:
                process.send_signal(signal.SIGINT)
        return process.wait(10), output


class SqliteCalicoctl(Calicoctl):
    def __init__(self, namespace, directory):
        self.path = f"{directory}/calico.db"
        super().__init__(namespace, directory, {"CALICO_DATASTORE": f"sqlite:{self.path}"})

    def get(self, key):
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True) as database:
            row = database.execute("SELECT value FROM node WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None


class EtcdCalicoctl(Calicoctl):
    def __init__(self, namespace, directory, etcd):
        self.etcd = etcd
        super().__init__(namespace, directory, {"ETCD_AUTHORITY": etcd.authority})

    def get(self, key):
        return self.etcd.get(key)

    def put(self, key, value):
        self.etcd.etcdctl("set", key, value if isinstance(value, str) else json.dumps(value))

    def put_endpoint(self, endpoint, host=HOST, orchestrator="libnetwork", workload="libnetwork", **members):
        self.put(endpoint_key(endpoint, host, orchestrator, workload), endpoint_value(endpoint) | members)

    def get_endpoint(self, endpoint):
        return json.loads(self.get(endpoint_key(endpoint)))


def endpoint_key(endpoint, host=HOST, orchestrator="libnetwork", workload="libnetwork"):
    return f"/calico/v1/host/{host}/workload/{orchestrator}/{workload}/endpoint/{endpoint}"


def endpoint_value(endpoint):
    """As the v0.8.0 plugin wrote it."""
    return {"state": "active", "name": f"cali{endpoint[:11]}", "mac": "ee:ee:ee:ee:ee:ee", "profile_ids": [],
            "ipv4_nets": ["192.168.7.64/32"], "ipv6_nets": [], "ipv4_gateway": "172.30.0.11", "ipv6_gateway": None}
