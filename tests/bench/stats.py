# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Quantiles, and ratios of measurements that were taken in the same rounds."""


def quantile(values, share):
    """By linear interpolation; None of nothing."""
    values = sorted(values)
    if not values:
        return None
    place = (len(values) - 1) * share
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def median(values):
    return quantile(values, 0.5)


def p10(values):
    return quantile(values, 0.1)


class Rounds:
    """Measurements by round, variant and test."""

    def __init__(self):
        self.values = {}

    def add(self, variant, test, number, value):
        self.values.setdefault((variant, test), {})[number] = value

    def extend(self, other):
        """Further rounds, numbered on from those that are here."""
        first = 1 + max((number for rounds in self.values.values() for number in rounds), default=-1)
        for (variant, test), rounds in other.values.items():
            for number, value in rounds.items():
                self.add(variant, test, first + number, value)

    def of(self, variant, test):
        return list(self.values.get((variant, test), {}).values())

    def low(self, variant, test):
        """The 10th percentile: the minimum is sometimes one lucky batch, the mean is the neighbours' load."""
        return p10(self.of(variant, test))

    def ratio(self, variant, reference, test):
        """Of the 10th percentiles."""
        one, other = self.low(variant, test), self.low(reference, test)
        return one / other if one and other else None

    def median_ratio(self, variant, reference, test):
        """Median over the rounds in which both were measured."""
        one, other = (self.values.get((name, test), {}) for name in (variant, reference))
        return median([one[number] / other[number] for number in one if number in other])
