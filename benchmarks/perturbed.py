"""Level, power and speed of `kstest pksd` on densities with separated modes.

    python3 benchmarks/perturbed.py [level] [power] [modes] [speed] [--repeats 100] [--only TEXT]
                                    [--tests sp os ksd ksdagg fssd]

`level` and `power` print rejection rates at level 0.05 of pksd (sp, os) beside KSD (one
bandwidth), aggregated KSD (ten), and FSSD (`fssd.py`), on the settings of Liu, Duncan,
Gandy (2023, arXiv 2304.14762): two normal distributions, rows of one of them or with other weights;
a Gauss-Bernoulli restricted Boltzmann machine with 50 visible units; mixtures of t and
banana-shaped distributions (their curvature is ours). Beside a level stands the central 99.9 %
binomial band. `modes` prints how many of the modes the search finds. `speed` prints CPU and wall
seconds.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any

import fssd
import numpy as np
from scipy.special import expit, gammaln
from scipy.stats import binom
from stein import Boltzmann

import kstest

TESTS = {
    "sp": ("pksd", {}),
    "os": ("pksd", {"variant": "os"}),
    "ksd": ("ksd", {"bandwidth": "median"}),
    "ksdagg": ("ksd", {}),
}
NAMES = (*TESTS, "fssd")


@dataclass(frozen=True)
class Case:
    """A target, draws from it, and draws from something else, all as functions of a seed."""

    n: int
    target: Any
    score: Any
    true: Any
    other: Any


def two_bumps(n, d, delta, weight):
    """0.5 N(0, I) + 0.5 N(delta e_1, I); rows of the first with another probability."""
    means = [[0.0] * d, [float(delta)] + [0.0] * (d - 1)]

    def draw(rng, share):
        X = rng.normal(size=(n, d))
        X[:, 0] += delta * (rng.random(n) >= share)
        return X

    def score(X):
        S = -X
        S[:, 0] += delta * expit(delta * (X[:, 0] - delta / 2))
        return S

    target = f"gaussian_mixture([0.5, 0.5], means={means}, covariances=1)"
    return Case(n, target, score, lambda rng: draw(rng, 0.5), lambda rng: draw(rng, weight))


class Machine(Boltzmann):
    """50 visible units and a few hidden ones of their own: 2^m modes, 6 apart.

    Columns of B are orthogonal, so hidden units are independent and can be drawn exactly.
    """

    def __init__(self, hidden, shift):
        B, c = np.zeros((50, hidden)), np.zeros(hidden)
        B[np.arange(hidden), np.arange(hidden)] = 6.0
        c[:2] = shift
        super().__init__(B, np.zeros(50), c)

    def logpdf(self, X):
        field = X @ self.B / 2 + self.c
        return X @ self.b - (X**2).sum(axis=1) / 2 + np.logaddexp(field, -field).sum(axis=1)

    def sample(self, n, rng):
        up = rng.random((n, len(self.c))) < 1 / (1 + np.exp(-2 * self.c))
        return np.where(up, 1.0, -1.0) @ self.B.T / 2 + rng.normal(size=(n, 50))


def machine(hidden):
    target, other = Machine(hidden, 0.0), Machine(hidden, 1.0)
    draws = [
        lambda rng, distribution=distribution: distribution.sample(1000, rng)
        for distribution in (target, other)
    ]
    return Case(1000, target, target.score, *draws)


class Islands:
    """Ten banana-shaped distributions and ten multivariate t distributions (7 degrees of freedom)
    in [-20, 20]^d."""

    DF, BEND = 7, 0.3

    def __init__(self, d, weights, seed=0):
        self.centres = np.random.default_rng(seed).uniform(-20, 20, (20, d))
        self.weights = weights / weights.sum()

    def _parts(self, X):
        """log of weight times density, and its gradient, per island."""
        n, d = X.shape
        logs, slopes = np.empty((n, 20)), np.empty((20, n, d))
        t = gammaln((self.DF + d) / 2) - gammaln(self.DF / 2) - d / 2 * np.log(self.DF * np.pi)
        for k, centre in enumerate(self.centres):
            z = X - centre
            if k < 10:
                z[:, 1] += self.BEND * (z[:, 0] ** 2 - 1)
                logs[:, k] = -0.5 * (z**2).sum(axis=1) - d / 2 * np.log(2 * np.pi)
                slopes[k] = -z
                slopes[k, :, 0] -= 2 * self.BEND * (X[:, 0] - centre[0]) * z[:, 1]
            else:
                r2 = (z**2).sum(axis=1)
                logs[:, k] = t - (self.DF + d) / 2 * np.log1p(r2 / self.DF)
                slopes[k] = -(self.DF + d) * z / (self.DF + r2)[:, None]
        return logs + np.log(self.weights), slopes

    def logpdf(self, X):
        return np.logaddexp.reduce(self._parts(X)[0], axis=1)

    def score(self, X):
        logs, slopes = self._parts(X)
        share = np.exp(logs - np.logaddexp.reduce(logs, axis=1)[:, None])
        return np.einsum("nk,knd->nd", share, slopes)

    def sample(self, n, rng):
        which = rng.choice(20, n, p=self.weights)
        z = rng.normal(size=(n, self.centres.shape[1]))
        banana = which < 10
        z[~banana] /= np.sqrt(rng.chisquare(self.DF, ((~banana).sum(), 1)) / self.DF)
        z[banana, 1] -= self.BEND * (z[banana, 0] ** 2 - 1)
        return self.centres[which] + z


def islands(d):
    target = Islands(d, np.ones(20))

    def other(rng):
        return Islands(d, np.exp(rng.normal(size=20))).sample(1000, rng)

    return Case(1000, target, target.score, lambda rng: target.sample(1000, rng), other)


CASES = {
    **{f"delta {s}, one component": two_bumps(200, 1, s, 1.0) for s in (6, 8, 12)},
    "weight .6 for .5": two_bumps(1000, 1, 6, 0.6),
    **{f"d = {d}, one component": two_bumps(1000, d, 6, 1.0) for d in (10, 20, 50)},
    **{f"machine, {m} hidden": machine(m) for m in (2, 4, 8)},
    **{f"t and banana, d = {d}": islands(d) for d in (2, 10, 50)},
}


def verdict(test, X, case, options):
    """ "rejected", "not rejected" or "no verdict" of one of the tests."""
    if test == "fssd":
        return "rejected" if fssd.p_value(X, case.score(X)) <= 0.05 else "not rejected"
    method, given = TESTS[test]
    call = getattr(kstest, method)
    found = call(X, target=case.target, draws=options.draws, threads=options.threads, **given)
    return found.verdict


def rates(what, options):
    """Rejection rates on draws of the target (level) or of something else (power)."""
    low, high = binom.ppf([0.0005, 0.9995], options.repeats, 0.05) / options.repeats
    print(f"\n{what}: share of rejections, {options.repeats} data sets, {options.draws} draws")
    if what == "level":
        print(f"band of a true level of 0.05: {low:.3f} to {high:.3f}")
    head = "".join(f"{name:>9}" for name in options.tests)
    print(f"{'':26}{'n':>6}{head}{'no verdict':>12}")
    for number, (name, case) in enumerate(CASES.items()):
        if options.only not in name:
            continue
        found, open_ = dict.fromkeys(options.tests, 0), 0
        for repeat in range(options.repeats):
            rng = np.random.default_rng([23, number, repeat, what == "level"])
            X = (case.true if what == "level" else case.other)(rng)
            for test in options.tests:
                said = verdict(test, X, case, options)
                found[test] += said == "rejected"
                open_ += said == "no verdict"
        shares = "".join(f"{count / options.repeats:9.3f}" for count in found.values())
        print(f"{name:26}{case.n:6d}{shares}{open_:12d}", flush=True)


def modes(options):
    """How many modes the search finds, and how many there are."""
    print(f"\n{'':26}{'modes':>6}{'found':>7}{'CPU s':>8}")
    for name, case in CASES.items():
        if options.only not in name:
            continue
        X = case.true(np.random.default_rng(1))[:50]
        began = time.process_time()
        found = kstest.pksd(X, target=case.target, draws=19, scales="1", steps="1", threads=1)
        took = time.process_time() - began
        there = 2 if "component" in name or "weight" in name else 20
        if isinstance(case.target, Machine):
            there = 2 ** len(case.target.c)
        print(f"{name:26}{there:6d}{len(found.explanation['modes']):7d}{took:8.2f}", flush=True)


SPEED = ((1_000, 1, "sp"), (1_000, 1, "os"), (1_000, 50, "sp"), (10_000, 10, "sp"))


def speed(options):
    """CPU and wall seconds of a test, 999 draws, 21 scales."""
    small = two_bumps(500, 1, 6, 0.5)
    kstest.pksd(small.true(np.random.default_rng(0)), target=small.target)
    print(f"\n{options.threads} threads\n{'n':>8} {'d':>3} {'test':>5} {'CPU s':>8} {'wall s':>8}")
    for n, d, variant in SPEED:
        case, times = two_bumps(n, d, 6, 0.6), []
        X = case.other(np.random.default_rng(1))
        for _ in range(3 if n < 5000 else 1):
            cpu, wall = time.process_time(), time.perf_counter()
            kstest.pksd(X, target=case.target, variant=variant, threads=options.threads)
            times.append((time.process_time() - cpu, time.perf_counter() - wall))
        cpu, wall = min(times)
        print(f"{n:8,d} {d:3d} {variant:>5} {cpu:8.2f} {wall:8.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="level, power, modes, speed; default: power")
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--draws", type=int, default=199)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tests", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--only", default="", help="cases whose name has this text")
    options = parser.parse_args()
    for what in options.what or ["power"]:
        if what in ("level", "power"):
            rates(what, options)
        else:
            {"modes": modes, "speed": speed}[what](options)


if __name__ == "__main__":
    main()
