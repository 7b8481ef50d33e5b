# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Turns results into tables, plots and the page in docs/benchmarks."""

import os

import plots
import traffic

NOT_OURS = {"direct": "reference", "floor": "reference", "bare": "reference", "bare2": "reference",
            "uplink-floor": "reference", "uplink-bare": "reference"}
# What is compared with what, how that is called, and what the plots' names end in.
PLACES = (("bare", "", ""), ("uplink-bare", ", to another host", "-uplink"))
PATH_REFERENCE = 10  # rules


def number(value, form="{:.2f}"):
    return "–" if value is None else form.format(value)


def table(header, rows):
    """Markdown that also reads well on a terminal."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]

    def line(row):
        return "| " + " | ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                                 for i, (cell, width) in enumerate(zip(row, widths))) + " |"

    rule = "|" + "|".join("-" * (width + 2) if i == 0 else "-" * (width + 1) + ":"
                          for i, width in enumerate(widths)) + "|"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])])


def compared_with(results, reference):
    """(name, title) of variants."""
    return [(name, title) for name, title in results["variants"].items() if results["references"][name] == reference]


def cpu_table(results, family, reference, place):
    rows = []
    for name, title in compared_with(results, reference):
        cells = [results["cpu"][name].get(traffic.test_name(test, family)) for test in traffic.TESTS]
        rows.append([title] + [f"{cell['ratio']:.2f} ({cell['median_ratio']:.2f})" if cell else "–" for cell in cells])
    bare = [results["cpu"][reference][traffic.test_name(test, family)]["ns"] for test in traffic.TESTS]
    rows.append(["nanoseconds of bare routing"] + [f"{value:,.0f}" for value in bare])
    return table([f"IPv{family}{place}", *traffic.TESTS.values()], rows)


def paths_table(results):
    rows = [[path, f"{rules:,}", number(value["p10"], "{:.0f}"), number(value["median"], "{:.0f}")]
            for path, by_rules in results["paths"].items() for rules, value in sorted(by_rules.items())]
    return table(["path", "rules", "ns, 10th percentile", "ns, median"], rows)


def sizes_table(results):
    return table(["program", "instructions verified", "bytes, translated", "bytes, native"],
                 [[name, f"{size['verified_instructions']:,}", f"{size['translated_bytes']:,}",
                   f"{size['native_bytes']:,}"] for name, size in results["programs"].items()])


def throughput_table(results):
    rows = [[results["variants"][name], number(value["bits"] / 1e9, "{:.1f}"), number(value["ratio"]),
             number(value["skb_bytes"] / 1024, "{:.1f}")] +
            [number(value["round_trip_ns"][test] / 1000, "{:.1f}") for test in traffic.LATENCIES]
            for name, value in results["throughput"].items()]
    return table(["one TCP stream; one byte there and back", "Gbit/s, median", "to bare routing", "average skb, KB",
                  *(f"round trip {test}, µs" for test in traffic.LATENCIES)], rows)


def drops_table(results):
    raw = results["drops"].get("raw-legacy") or results["drops"].get("raw-nft")
    rows = [[value["title"], number(value["flood"], "{:.0f}"), number(value["drop"], "{:.0f}"),
             number(value["drop_median"], "{:.0f}"), number(raw and raw["drop"] / value["drop"], "{:.1f}"),
             number(raw and raw["flood"] / value["flood"], "{:.1f}"), number(value["alone"], "{:.0f}")]
            for value in results["drops"].values()]
    return table(["one packet from outside", "ns, making it included", "ns without", "median",
                  "packets per CPU second, to iptables raw", "making them included", "ns of the program"], rows)


def scale_table(results):
    rows = []
    for name, value in results["scale"].items():
        propagation = value.get("propagation_ms", {})
        rows.append([name, number(value["in_sync_seconds"]), number(value["memory_in_sync_bytes"] / 2**20, "{:.1f}"),
                     number(value["memory_bytes"] / 2**20, "{:.1f}"), number(value["idle_cpu"] * 100, "{:.3f}")] +
                    [number(propagation.get(kind, {}).get(share)) for kind in ("deny", "allow")
                     for share in ("p50", "p99")])
    return table(["remote endpoints", "in sync, s", "RSS then, MB", "RSS idle, MB", "idle CPU, %", "deny p50, ms",
                  "deny p99", "allow p50", "allow p99"], rows)


def attach_table(results):
    times = results["attach"]
    return table(["docker run --rm busybox true", "s, median", "s, least"],
                 [[name, number(value["median"]), number(value["least"])] for name, value in times.items()])


# Targets: what is measured, how it reads, the limit. A function returns None where nothing was measured.


def ratio(name, test, reference="bare"):
    def get(results):
        cells = [results.get("cpu", {}).get(variant, {}).get(traffic.test_name(test, 4)) for variant in (name, reference)]
        return cells[0]["ns"] / cells[1]["ns"] if all(cells) else None
    return get


def path(name, rules=PATH_REFERENCE):
    return lambda results: results.get("paths", {}).get(name, {}).get(rules, {}).get("p10")


def drop(name, key="drop"):
    return lambda results: results.get("drops", {}).get(name, {}).get(key)


def drop_ratio(name, reference):
    def get(results):
        values = [drop(variant)(results) for variant in (name, reference)]
        return values[0] / values[1] if all(values) else None
    return get


def scale(size, *keys, factor=1.0):
    def get(results):
        value = results.get("scale", {}).get(size)
        for key in keys:
            value = value.get(key) if value else None
        return None if value is None else value * factor
    return get


def targets():
    for test in ("udp", "rr", "64k"):
        name = traffic.TESTS[test]
        yield f"{name}: ours to bare routing", ratio("ours-6", test), 0.88
        yield f"{name}: ours to the direct veth pair", ratio("ours-6", test, "direct"), 1.09
        yield f"{name}: ours to iptables (nf_tables)", ratio("ours-6", test, "iptables-nft-6"), 0.74
        yield f"{name}: ours to iptables (legacy)", ratio("ours-6", test, "iptables-legacy-6"), 0.78
        yield f"{name}: ours to nftables", ratio("ours-6", test, "nftables-6"), 0.80
        for big in ("ours-1000", "ours-members", "ours-flows"):
            yield f"{name}: {big} to ours", ratio(big, test, "ours"), 1.05
    yield "connect, 6 rules, to bare routing", ratio("ours-6", "connect"), 0.95
    yield "connect, 1,000 rules, to bare routing", ratio("ours-1000", "connect"), 0.98
    yield "new UDP flow, 6 rules, to bare routing", ratio("ours-6", "fresh"), 1.10
    yield "new UDP flow, 1,000 rules, to bare routing", ratio("ours-1000", "fresh"), 1.20
    yield "new UDP flow, 10,000 rules, to bare routing", ratio("ours-10000", "fresh"), 1.40
    yield "BPF time, established, ns", path("established UDP"), 70
    yield "BPF time, new flow, 10 rules, ns", path("new UDP flow"), 600
    yield "BPF time, drop by XDP, ns", drop("xdp-blocked", "alone"), 40
    yield "drop by XDP to iptables raw (legacy), CPU per packet", drop_ratio("xdp-blocked", "raw-legacy"), 0.25
    yield "drop by XDP to iptables raw (nf_tables), CPU per packet", drop_ratio("xdp-blocked", "raw-nft"), 0.25
    yield "propagation at 10,000 endpoints, p50, ms", scale("10,000", "propagation_ms", "p50"), 2
    yield "propagation at 10,000 endpoints, p99, ms", scale("10,000", "propagation_ms", "p99"), 10
    yield "RSS at 10,000 endpoints, MB", scale("10,000", "memory_bytes", factor=2**-20), 24
    yield "idle CPU at 10,000 endpoints, %", scale("10,000", "idle_cpu", factor=100), 0.1
    yield "in sync from etcd with 100,000 endpoints, s", scale("100,000 (etcd)", "in_sync_seconds"), 10


def targets_table(results):
    rows = []
    for title, get, limit in targets():
        value = get(results)
        if value is not None:
            rows.append([title, number(value), f"{limit:g}", "met" if value <= limit else "missed"])
    return table(["figure", "measured", "at most", ""], rows)


SECTIONS = (
    ("cpu", "CPU time per unit, to bare routing",
     "Ratio of the 10th percentiles, and in parentheses the median of the ratios of single rounds.",
     lambda results: "\n\n".join(cpu_table(results, family, reference, place) for reference, place, _ in PLACES
                                 for family in traffic.FAMILIES)),
    ("paths", "The program alone", "Nanoseconds of `from_endpoint` more than an empty program.", paths_table),
    ("programs", "Programs", "", sizes_table),
    ("throughput", "Throughput and latency",
     "The average size of the packets that the receiver's interface gets shows whether super-packets stay whole.",
     throughput_table),
    ("drops", "Dropping unwanted packets",
     "The kernel makes frames as a driver does, 64 at a time, on the measuring processor. An XDP program that drops all of "
     "them and does nothing else measures the cost of that, which is taken off. 10,001 networks are on the block list.",
     drops_table),
    ("scale", "The daemon",
     "Propagation: from the write into the datastore to the first packet of a flow that is refused, or let through.",
     scale_table),
    ("attach", "Attaching a container", "", attach_table),
)


def as_text(results):
    parts = []
    for key, title, note, show in SECTIONS:
        if results.get(key):
            parts += [f"## {title}", note, show(results)]
    parts += ["## Targets", "", targets_table(results)]
    return "\n\n".join(part for part in parts if part)


PAGE = """\
# Benchmarks

Written by `sudo make bench`; the raw numbers are in [results.json](results.json).

{machine}

One process, pinned to one processor, holds the sockets of both endpoints, so the whole way of a packet is charged to
its thread (`CLOCK_THREAD_CPUTIME_ID`). Each round measures one batch of each test for each variant, in an order that
is shuffled each time. There were {rounds} rounds. After a third and two thirds of them everything was set up from scratch.
Each variant has its own namespaces. Differences below 0.02 (0.04 where connections are opened) are noise: "bare
routing again" shows how far equals differ.

"N rules": N - 1 rules that deny a port each and do not match, then one that allows members of a tag. Ours skips
rules of other protocols, so it has N of them for UDP and N for TCP. The others look at all N for each packet. The
10,000 rules are for UDP only.

"To another host": endpoint B is outside, at the other end of a link that leads out of the host of endpoint A. A opens
all connections. So A's outbound policy decides about them. It is one rule that allows everything.

{body}

{plots}
"""


def machine_text(machine):
    return "\n".join(f"* {name}: {value}" for name, value in machine.items())


def page(results, images):
    return PAGE.format(machine=machine_text(results["machine"]), rounds=results["rounds"], body=as_text(results),
                       plots="\n\n".join(f"![{title}]({name})" for name, title in images))


def kind(name):
    return NOT_OURS.get(name) or ("ours" if name.startswith(("ours", "uplink-ours")) else "other")


def cpu_plot(results, family, reference, file):
    found = compared_with(results, reference)
    rows = [(title, kind(name)) for name, title in found]
    columns = []
    for test, title in traffic.TESTS.items():
        cells = [results["cpu"][name].get(traffic.test_name(test, family)) for name, _ in found]
        columns.append({"title": title, "values": [cell["ratio"] if cell else None for cell in cells],
                        "format": "{:.2f}", "reference": 1})
    place = next(place for other, place, _ in PLACES if other == reference)
    plots.chart(file, f"CPU time per unit, IPv{family}{place}, to bare routing (less is better)", rows, columns)


def paths_plot(results, file):
    found = [(path, rules, value["p10"]) for path, by_rules in results["paths"].items()
             for rules, value in sorted(by_rules.items())]
    rows = [(f"{path}, {rules:,} rules", "ours") for path, rules, _ in found]
    values = [value for _, _, value in found]
    plots.chart(file, "Time of the program alone", rows,
                [{"title": "nanoseconds", "values": values, "format": "{:.0f}"}])


def scale_plot(results, file):
    values = list(results["scale"].values())
    columns = [
        {"title": "in sync, s", "values": [value["in_sync_seconds"] for value in values], "format": "{:.2f}"},
        {"title": "RSS idle, MB", "values": [value["memory_bytes"] / 2**20 for value in values], "format": "{:.0f}"},
    ]
    for name in ("p50", "p99"):
        columns.append({"title": f"propagation {name}, ms", "format": "{:.2f}",
                        "values": [value.get("propagation_ms", {}).get(name) for value in values]})
    plots.chart(file, "The daemon with remote endpoints", [(f"{name} endpoints", "ours") for name in results["scale"]],
                columns)


def draw(results, directory):
    """Writes the plots; returns [(file, title)]."""
    images = []
    for key, name, title, make in (
            *(("cpu", f"cpu-ipv{family}{suffix}.svg", f"CPU time per unit, IPv{family}{place}",
               lambda file, family=family, reference=reference: cpu_plot(results, family, reference, file))
              for reference, place, suffix in PLACES for family in traffic.FAMILIES),
            ("paths", "paths.svg", "Time of the program alone", lambda file: paths_plot(results, file)),
            ("scale", "daemon.svg", "The daemon", lambda file: scale_plot(results, file))):
        if results.get(key):
            make(os.path.join(directory, name))
            images.append((name, title))
    return images
