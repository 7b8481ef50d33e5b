# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Time of the BPF program alone, for each way that a packet can take through it; and the sizes of all programs."""

import lab
import rulesets
import stats
import variants

USUAL_RULES = 10
OTHER_RULES = (1, 100, 1000, 10000)
ROUNDS_MAX = 40  # each has many runs, and they vary little
NEW = ("new UDP flow", "new TCP flow")


class Paths(variants.Ours):
    """Endpoints whose profile gets as many rules for UDP as wanted, and one for TCP."""

    def __init__(self, network):
        super().__init__("paths", network, "", rules=USUAL_RULES, udp_only=True)

    def set_rules(self, rules):
        self.rules = rules
        before = self.status()["policy"]["writes"]
        self.fill(list(self.documents())[:1])
        lab.until(lambda: self.status()["policy"]["writes"] != before, 60, f"{rules} rules in force")
        lab.until(self.settled, 60, "the end of the change")

    def settled(self):
        """Nothing is written any more for a while."""
        before = self.status()["policy"]["writes"]
        try:
            lab.until(lambda: self.status()["policy"]["writes"] != before, 0.3)
        except lab.Failure:
            return True
        return False

    def measure(self, rounds, *paths):
        """Lists of nanoseconds by path."""
        a, b = self.endpoints
        denied = rulesets.port_of(max(self.rules - 2, 0))
        done = self.machine.run(variants.tool("paths_bench"), self.router.path, self.maps, a.interface, b.interface,
                                a.address[4], b.address[4], a.address[6], b.address[6], denied, rounds, *paths,
                                timeout=600)
        found = {}
        for line in done.stdout.splitlines():
            _, path, value = line.split("\t")
            found.setdefault(path, []).append(float(value))
        return found

    def sizes(self):
        done = self.machine.run(variants.tool("programs_bench"), f"{self.maps}/programs")
        rows = [line.split() for line in done.stdout.splitlines()]
        return {name: {"verified_instructions": int(verified), "translated_bytes": int(translated),
                       "native_bytes": int(native)} for name, verified, translated, native in sorted(rows)}


def measure(network, rounds):
    """({path: {rules: {"p10", "median"}}}, sizes of the programs)"""
    result = {}

    def keep(rules, found):
        for path, values in found.items():
            result.setdefault(path, {})[rules] = {"p10": stats.p10(values), "median": stats.median(values)}

    rounds = min(rounds, ROUNDS_MAX)
    with Paths(network) as ours:
        keep(USUAL_RULES, ours.measure(rounds))
        for rules in OTHER_RULES:
            ours.set_rules(rules)
            # Only rules for UDP: for TCP there is but the last one, whatever their number.
            keep(rules, ours.measure(rounds, NEW[0], "denied by policy") if rules > 1 else ours.measure(rounds, *NEW))
        return result, ours.sizes()
