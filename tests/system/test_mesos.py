# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the Mesos 0.28 Docker containerizer does with its command lines, and what Marathon relaunches."""

import json
import os
import re
import signal

import lab


class Task:
    """One task: the containerizer's `docker run` with attached output, and its polling of `docker inspect`."""

    def __init__(self, host, name, network, command, options=()):
        self.host, self.name, self.network = host, name, network
        sandbox = host.path(f"sandbox-{name}")
        os.makedirs(sandbox, exist_ok=True)
        self.output = open(host.path(f"{name}.out"), "w+")
        self.process = host.namespace.spawn(
            lab.DOCKER, "-H", f"unix://{host.path('docker.sock')}", "run", "--cpu-shares", "102", "--memory", "67108864",
            "-e", "PORT=31000", "-e", "MESOS_SANDBOX=/mnt/mesos/sandbox", "-e", f"MESOS_CONTAINER_NAME={name}",
            "-v", f"{sandbox}:/mnt/mesos/sandbox", "--net", network, *options,
            "--entrypoint", "/bin/sh", "--name", name, "busybox", "-c", command,
            log=self.output, env=host.environment | {"HOME": sandbox})

    def first_inspect(self):
        """The first inspect that says the task runs: what the executor reports."""
        def running():
            done = self.host.docker("inspect", self.name, check=False)
            shown = json.loads(done.stdout or "[]") if done.returncode == 0 else []
            return shown and shown[0]["State"]["StartedAt"] != "0001-01-01T00:00:00Z" and shown[0]

        return lab.until(running, 20, f"the start of {self.name}")

    @staticmethod
    def address(inspect):
        """The containerizer's rule: Networks.<NetworkMode>.IPAddress."""
        mode = inspect["HostConfig"]["NetworkMode"]
        return inspect["NetworkSettings"]["Networks"][mode]["IPAddress"]

    def text(self):
        self.output.flush()
        with open(self.output.name) as output:
            return output.read()

    def finish(self):
        self.process.wait(60)
        self.output.close()
        return self.process.returncode


def printed_address(text):
    return re.search(r"inet (\S+)/32 .*cali0", text).group(1)


def test_task_prints_the_address_that_is_reported(cluster_machine):
    host = cluster_machine
    host.create_network("databases")
    task = Task(host, "mesos-s0.one", "databases", "ip addr && sleep 30")
    inspect = task.first_inspect()
    address = Task.address(inspect)
    settings = inspect["NetworkSettings"]["Networks"]["databases"]
    assert settings["IPPrefixLen"] == 32
    assert settings["MacAddress"] == "ee:ee:ee:ee:ee:ee"
    lab.until(lambda: "cali0" in task.text(), what="the task's output")
    assert printed_address(task.text()) == address
    host.docker("stop", "-t", "0", "mesos-s0.one")
    assert task.finish() != 0
    assert host.routes() == set()
    host.docker("rm", "-f", "-v", "mesos-s0.one")


def test_exit_status_is_passed_through(machine):
    machine.create_network("databases")
    task = Task(machine, "mesos-s0.exit", "databases", "exit 42")
    assert task.finish() == 42
    lab.until(lambda: machine.routes() == set(), what="the end of its route")


def test_relaunched_task_gets_a_new_address(machine):
    """Marathon starts the next task under another name at once; an address is not reused while others are free."""
    machine.create_network("databases")
    seen = []
    for launch in range(3):
        name = f"mesos-s0.launch{launch}"
        task = Task(machine, name, "databases", "sleep 30")
        seen.append(Task.address(task.first_inspect()))
        machine.docker("stop", "-t", "0", name)
        task.finish()
    assert len(set(seen)) == len(seen)


def test_eight_tasks_in_parallel(cluster_machine):
    host = cluster_machine
    host.create_network("databases")
    tasks = [Task(host, f"mesos-s0.p{number}", "databases", "ip addr && sleep 60") for number in range(8)]
    addresses = [Task.address(task.first_inspect()) for task in tasks]
    assert all(addresses) and len(set(addresses)) == 8
    for task, address in zip(tasks, addresses):
        lab.until(lambda task=task: "cali0" in task.text(), what="the task's output")
        assert printed_address(task.text()) == address
    assert host.ping("mesos-s0.p0", addresses[7])
    for task in tasks:
        # As the containerizer: the client first, then the container.
        task.process.send_signal(signal.SIGKILL)
        task.finish()
        host.docker("stop", "-t", "0", task.name)
    lab.until(lambda: not host.workload_links(), what="the end of the interfaces")
    assert host.etcd.keys("/calico/v1/host/host-a/workload") == []
