# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the daemon costs and how fast it is: start, memory, idle time, propagation, attaching containers."""

import glob
import time

import lab
import stats
import variants

SETTLE_SECONDS = 5  # after the start, before it counts as idle


def memory_bytes(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def cpu_seconds(pid):
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path) as statistics:
            total += int(statistics.read().split()[0])
    return total / 1e9


class Scale(variants.Ours):
    """A host with two endpoints of its own, and others elsewhere; the daemon's start is timed."""

    def __init__(self, network, remote, etcd=None):
        super().__init__(f"scale-{remote}", network, "", members=remote)
        self.etcd = etcd

    def connect(self):
        self.machine = self.use(self.network.machine(self.name, etcd=self.etcd))
        self.router = self.machine.namespace
        for endpoint in self.endpoints:
            self.plug(endpoint)
        self.fill(self.documents())

    def start(self):
        """Seconds from the daemon's start until both endpoints obey the whole datastore."""
        begin = time.monotonic()
        self.machine.start_node()
        while not self.enforced():
            if time.monotonic() - begin > 120:
                raise lab.Failure(f"{self.name} does not get in sync:\n{self.machine.log('node')}")
            time.sleep(0.002)
        return time.monotonic() - begin

    def propagate(self, changes, cpu):
        """Milliseconds from a write to the first packet that obeys: {"deny": [...], "allow": [...]}."""
        for endpoint in self.endpoints:
            endpoint.configure(resolve=False)
        a, b = self.endpoints
        done = self.machine.run(variants.tool("propagation_bench"), cpu, a.namespace.path, b.namespace.path,
                                a.address[4], b.address[4], changes, timeout=600)
        times = {"deny": [], "allow": []}
        for line in done.stdout.splitlines():
            kind, since_write, _ = line.split()
            times[kind].append(int(since_write) / 1e6)
        return times


def quantiles(values):
    return {"p50": stats.median(values), "p99": stats.quantile(values, 0.99)}


def measure_scale(network, remote, changes, idle_seconds, cpu, etcd=None):
    with Scale(network, remote, etcd) as ours:
        seconds = ours.start()
        pid = ours.machine.node_process.pid
        result = {"in_sync_seconds": seconds, "memory_in_sync_bytes": memory_bytes(pid)}
        time.sleep(SETTLE_SECONDS)
        before = cpu_seconds(pid)
        time.sleep(idle_seconds)
        result["idle_cpu"] = (cpu_seconds(pid) - before) / idle_seconds
        result["memory_bytes"] = memory_bytes(pid)
        if changes:
            times = ours.propagate(changes, cpu)
            result["propagation_ms"] = quantiles(times["deny"] + times["allow"]) | {
                kind: quantiles(values) for kind, values in times.items()}
        return result


# Networks that users make have a DNS server in each container, which takes time; the default bridge has none.
ATTACH_NETWORKS = {"none": "none", "default bridge": "bridge", "bridge": "users", "calico": "bench"}


def attach(network, rounds):
    """Seconds of `docker run --rm busybox true`, by network: each in turn. None where no engine starts."""
    with lab.busybox_image() as image, network.machine("attach", image=image) as machine:
        try:
            machine.start_docker()
        except (lab.Failure, OSError):
            return None
        machine.start_node()
        machine.create_network("bench")
        machine.docker("network", "create", "--driver", "bridge", "users")
        times = {name: [] for name in ATTACH_NETWORKS}
        for _ in range(rounds + 1):
            for name, taken in times.items():
                begin = time.monotonic()
                machine.docker("run", "--rm", "--net", ATTACH_NETWORKS[name], "busybox", "true")
                taken.append(time.monotonic() - begin)
        # The first run of each fills caches.
        return {name: {"median": stats.median(taken[1:]), "least": min(taken[1:])} for name, taken in times.items()}
