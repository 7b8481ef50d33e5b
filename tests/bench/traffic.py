# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""CPU time per unit of traffic, and throughput, for each variant of what is between two endpoints."""

import json
import subprocess

import lab
import stats
import variants

TESTS = {
    "udp": "UDP packet, established",
    "rr": "TCP round trip",
    "64k": "TCP 64 KB",
    "connect": "TCP connect, round trip, close",
    "fresh": "UDP packet, new flow each",
}
FAMILIES = (4, 6)
LATENCIES = ("p50", "p99", "p99.9")
IPERF_PORT = 5201
LIVE_FLOWS = 100000
MEMBERS = 10000


def test_name(test, family):
    return f"{test}/{family}"


def all_variants(network):
    """What is measured. On one host "bare" is what everything is compared with, and "bare2" shows how far equals differ."""
    ours = variants.Ours
    found = [
        variants.Direct("direct"),
        variants.Floor("floor", "only bpf_redirect_peer, no policy"),
        variants.Routed("bare"),
        variants.Routed("bare2", "bare routing again (control)"),
    ]
    backends = [backend for backend in ("legacy", "nft") if variants.Iptables.usable(backend)]
    for rules in (6, 1000):
        found += [variants.Iptables(f"iptables-{backend}-{rules}", backend, rules) for backend in backends]
        found.append(variants.Nftables(f"nftables-{rules}", rules))
    return found + [
        ours("ours", network, "ours, default profile"),
        ours("ours-6", network, "ours, 6 rules", rules=6),
        ours("ours-1000", network, "ours, 1,000 rules", rules=1000),
        ours("ours-10000", network, "ours, 10,000 rules", rules=10000, udp_only=True, tests="udp,fresh"),
        ours("ours-members", network, "ours, 10,000 tag members", members=MEMBERS),
        variants.OursWithFlows("ours-flows", network, LIVE_FLOWS),
    ] + by_uplink(network, backends)


def by_uplink(network, backends):
    """The same to another host: by an uplink and back."""
    found = [
        variants.Routed("uplink-bare"),
        variants.Floor("uplink-floor", "only bpf_redirect_neigh and bpf_redirect_peer"),
        *(variants.Iptables(f"uplink-iptables-{backend}", backend, 6) for backend in backends),
        variants.Nftables("uplink-nftables", 6),
        variants.Ours("uplink-ours", network, "ours, 6 rules", rules=6),
        variants.Masquerade("uplink-masquerade"),
        variants.OursOutgoing("uplink-ours-nat", network, "kernel"),
        variants.OursOutgoing("uplink-ours-nat-bpf", network, "bpf"),
    ]
    return [variant.by_uplink() for variant in found]


def cpu_per_unit(all_of_them, rounds, cpu):
    """Rounds of nanoseconds, tests named like "udp/4"."""
    lines = "".join(variant.line() + "\n" for variant in all_of_them)
    measured = stats.Rounds()
    command = [variants.tool("pair_bench"), str(cpu), str(rounds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            process.stdin.write(lines)
            process.stdin.close()
            for line in process.stdout:
                number, variant, family, test, value = line.split()
                measured.add(variant, test_name(test, family), int(number), float(value))
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise lab.Failure(f"pair_bench ended with status {process.returncode}")
    return measured


def received(endpoint):
    """What its interface has received: (packets, bytes). A super-packet is one packet."""
    link = json.loads(endpoint.namespace.run("ip", "-j", "-s", "link", "show", "dev", "eth0").stdout)[0]
    return link["stats64"]["rx"]["packets"], link["stats64"]["rx"]["bytes"]


def iperf(variant, seconds):
    """Bits per second, and the average size of what arrived at the receiver."""
    a, b = variant.endpoints
    before = received(b)
    done = a.namespace.run("iperf3", "-J", "-c", b.address[4], "-p", str(IPERF_PORT), "-t", str(seconds), "-A", "0,1")
    packets, size = (after - was for after, was in zip(received(b), before))
    return json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"], size / packets


def throughput(all_of_them, rounds, seconds):
    """Rounds of one TCP stream, sender and receiver on processors of their own: "bits" per second, "skb" in bytes."""
    measured = stats.Rounds()
    servers = []
    with open("/dev/null", "w") as null:
        for variant in all_of_them:
            b = variant.endpoints[1].namespace
            servers.append(b.spawn("iperf3", "-s", "-p", str(IPERF_PORT), log=null))
            lab.until(lambda b=b: f":{IPERF_PORT} " in b.run("ss", "-Hltn").stdout, what="iperf3's start")
    try:
        for number in range(rounds):
            for variant in all_of_them:
                for test, value in zip(("bits", "skb"), iperf(variant, seconds)):
                    measured.add(variant.name, test, number, value)
    finally:
        for server in servers:
            server.kill()
            server.wait()
    return measured


def latency(all_of_them, rounds, trips):
    """Rounds of nanoseconds of a TCP round trip: "p50", "p99", "p99.9"."""
    measured = stats.Rounds()
    for number in range(rounds):
        for variant in all_of_them:
            _, *where = variant.line().split()[:-1]
            done = subprocess.run([variants.tool("latency_bench"), str(trips), *where], check=True,
                                  stdout=subprocess.PIPE, text=True)
            for test, value in zip(LATENCIES, done.stdout.split()):
                measured.add(variant.name, test, number, int(value))
    return measured
