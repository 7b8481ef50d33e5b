# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The benchmark: measures, prints tables, writes BUILD/bench and (unless --quick) docs/benchmarks.

Started by `sudo make bench`, which installs and builds what it needs. Whatever way it ends, Ctrl-C included, it
leaves no namespace, process, mount or file behind but its results.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))

import daemon  # noqa: E402
import drops  # noqa: E402
import lab  # noqa: E402
import paths  # noqa: E402
import report  # noqa: E402
import stats  # noqa: E402
import traffic  # noqa: E402

STEPS = ("cpu", "paths", "throughput", "drops", "scale", "attach")
SIZES = (10, 1000, 10000, 100000)
# Where in memory tables and code come to lie makes equal variants differ by some percent for as long as they live.
SETUPS = 3
PUBLISHED = os.path.join(ROOT, "docs", "benchmarks")


def arguments():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS", "100")), help="default: ROUNDS, or 100")
    parser.add_argument("--quick", action="store_true", default=bool(os.environ.get("QUICK")),
                        help="a few rounds and small sizes: shows that everything works, not what it costs")
    parser.add_argument("--cpu", type=int, default=os.cpu_count() - 1, help="processor of the measuring process")
    parser.add_argument("steps", nargs="*", help=f"of {' '.join(STEPS)}; default: all")
    chosen = parser.parse_args()
    for step in chosen.steps:
        if step not in STEPS:
            parser.error(f"no step {step}")
    chosen.steps = chosen.steps or STEPS
    chosen.setups = 1 if chosen.quick else SETUPS
    chosen.rounds = min(chosen.rounds, 4) if chosen.quick else -(-chosen.rounds // SETUPS) * SETUPS
    return chosen


def first_line(*command):
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return done.stdout.strip().split("\n")[0]
    return "not installed"


def processor():
    with open("/proc/cpuinfo") as info:
        found = re.search(r"^model name\s*: (.*)$", info.read(), re.M)
    return found.group(1) if found else platform.machine()


def mitigations():
    directory = "/sys/devices/system/cpu/vulnerabilities"
    active = []
    for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
        with open(os.path.join(directory, name)) as file:
            state = file.read().strip()
        if state.startswith("Mitigation"):
            active.append(f"{name} ({state.split(': ', 1)[1]})")
    return ", ".join(active) or "none"


def describe_machine():
    with open("/etc/os-release") as release:
        system = re.search(r'^PRETTY_NAME="(.*)"$', release.read(), re.M).group(1)
    with open("/proc/meminfo") as memory:
        size = int(memory.readline().split()[1]) / 2**20
    return {
        "processor": f"{processor()}, {os.cpu_count()} of them",
        "virtual machine": first_line("systemd-detect-virt", "--vm"),
        "memory": f"{size:.0f} GB",
        "system": system,
        "kernel": f"{platform.release()} ({platform.machine()})",
        "mitigations": mitigations(),
        "iptables": first_line("iptables", "--version"),
        "nftables": first_line("nft", "--version"),
        "load when it began": "%.1f" % os.getloadavg()[0],
    }


def summarize_cpu(rounds, references):
    """references: {name: that of the variant that it is compared with}"""
    tests = [traffic.test_name(test, family) for test in traffic.TESTS for family in traffic.FAMILIES]
    return {name: {test: {"ns": rounds.low(name, test), "ratio": rounds.ratio(name, reference, test),
                          "median_ratio": rounds.median_ratio(name, reference, test),
                          "rounds": [round(value) for value in rounds.of(name, test)]}
                   for test in tests if rounds.of(name, test)} for name, reference in references.items()}


def summarize_streams(streams, latency, names):
    return {name: {"bits": stats.median(streams.of(name, "bits")),
                   "ratio": streams.median_ratio(name, "bare", "bits"),
                   "skb_bytes": stats.median(streams.of(name, "skb")),
                   "round_trip_ns": {test: stats.median(latency.of(name, test)) for test in traffic.LATENCIES}}
            for name in names}


def measure_traffic(network, chosen, results):
    cpu, streams, latency = stats.Rounds(), stats.Rounds(), stats.Rounds()
    for setup in range(chosen.setups):
        with contextlib.ExitStack() as stack:
            found = [stack.enter_context(variant) for variant in traffic.all_variants(network)]
            results["variants"] = {variant.name: variant.title for variant in found}
            results["references"] = {variant.name: variant.reference for variant in found}
            here = [variant for variant in found if variant.local == variant.endpoints]
            if "cpu" in chosen.steps:
                print(f"CPU time per unit: {len(found)} variants, set-up {setup + 1} of {chosen.setups}", flush=True)
                cpu.extend(traffic.cpu_per_unit(found, chosen.rounds // chosen.setups, chosen.cpu))
            if "throughput" in chosen.steps:
                print("Throughput and latency", flush=True)
                streams.extend(traffic.throughput(here, 2 if chosen.quick else 4, 1))
                latency.extend(traffic.latency(here, 2 if chosen.quick else 4, 1000 if chosen.quick else 10000))
    if "cpu" in chosen.steps:
        results["cpu"] = summarize_cpu(cpu, results["references"])
    if "throughput" in chosen.steps:
        results["throughput"] = summarize_streams(streams, latency, [variant.name for variant in here])


def measure_scale(network, chosen, results):
    for size in SIZES[:2] if chosen.quick else SIZES:
        print(f"The daemon with {size:,} remote endpoints", flush=True)
        changes = 0 if size > 10000 else 20 if chosen.quick else 400
        results.setdefault("scale", {})[f"{size:,}"] = daemon.measure_scale(
            network, size, changes, 2 if chosen.quick else 20, chosen.cpu)
    with network.etcd() as etcd:
        size = SIZES[0] if chosen.quick else SIZES[-1]
        print(f"The daemon with {size:,} remote endpoints in etcd", flush=True)
        results["scale"][f"{size:,} (etcd)"] = daemon.measure_scale(network, size, 0, 2 if chosen.quick else 20, chosen.cpu, etcd)


def measure(chosen):
    results = {"machine": describe_machine(), "rounds": chosen.rounds}
    with lab.Network() as network:
        if {"cpu", "throughput"} & set(chosen.steps):
            measure_traffic(network, chosen, results)
        if "paths" in chosen.steps:
            print("The program alone", flush=True)
            results["paths"], results["programs"] = paths.measure(network, chosen.rounds)
        if "drops" in chosen.steps:
            print("Dropping unwanted packets", flush=True)
            results["drops"] = drops.measure(network, min(chosen.rounds, drops.ROUNDS_MAX), chosen.cpu)
        if "scale" in chosen.steps:
            measure_scale(network, chosen, results)
        if "attach" in chosen.steps:
            print("Attaching containers", flush=True)
            results["attach"] = daemon.attach(network, 2 if chosen.quick else 10)
    return results


def write(results, directory):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "results.json"), "w") as file:
        json.dump(results, file)
        file.write("\n")
    images = report.draw(results, directory)
    with open(os.path.join(directory, "README.md"), "w", encoding="utf-8") as file:
        file.write(report.page(results, images))


@contextlib.contextmanager
def workplace():
    """Everything temporary is made in one directory; what an interruption has left there or running goes with it."""
    tempfile.tempdir = tempfile.mkdtemp(prefix="calico-bench-")
    try:
        yield
    finally:
        own = f"calico-test-{os.getpid()}-"
        for name in os.listdir("/run/netns"):
            if name.startswith(own):
                lab.kill_namespace(f"/run/netns/{name}")
                subprocess.run(["ip", "netns", "delete", name], check=True)
        with open("/proc/self/mounts") as mounts:
            for line in reversed(mounts.readlines()):
                if line.split()[1].startswith(tempfile.tempdir + "/"):
                    lab.libc.umount2(line.split()[1].encode(), 2)  # MNT_DETACH
        shutil.rmtree(tempfile.tempdir, ignore_errors=True)


def interrupt(*_):
    # Once is enough: what follows is cleaning up.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    chosen = arguments()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        with workplace():
            results = measure(chosen)
    except KeyboardInterrupt:
        sys.exit("bench: interrupted; everything is cleaned up")
    except lab.Failure as failure:
        sys.exit(f"bench: {failure}")
    directory = os.path.join(lab.BUILD, "bench")
    write(results, directory)
    print("\n" + report.machine_text(results["machine"]) + "\n\n" + report.as_text(results))
    if not chosen.quick and len(chosen.steps) == len(STEPS):
        shutil.copytree(directory, PUBLISHED, dirs_exist_ok=True)


main()
