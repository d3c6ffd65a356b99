"""Power of `kstest mmd` on six alternatives, and its level, next to MMD-FUSE and MMDAgg.

    python3 benchmarks/power.py [--draws 500] [--permutations 999]

Every rule sees the same draws: 500 rows a side, level 0.05. `mahalanobis` is the default; `fuse`
and `mmdagg` use Gaussian and Laplace kernels at the bandwidths of their papers; `median` is one
Gaussian kernel at the median distance. Prints rejection rates with their standard errors, and
the ratio of the default's power to the better of `fuse` and `mmdagg`; its standard error is that
of a ratio of paired rates (delta method).
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

import kstest

N = 500
RULES = {
    "default": {},
    "mahalanobis": {"scale": "robust"},
    "studentised": {"aggregate": "studentised"},
    "fuse": {"aggregate": "fuse", "kernel": "gaussian,laplace", "scale": "none"},
    "mmdagg": {"aggregate": "mmdagg", "kernel": "gaussian,laplace", "scale": "none"},
    "median": {"bandwidth": "median", "scale": "none"},
}


def bump(u):
    out = np.zeros_like(u)
    left, right = (u > -1) & (u < -0.5), (u > -0.5) & (u < 0)
    out[left] = np.exp(-1 / (1 - (4 * u[left] + 3) ** 2))
    out[right] = -np.exp(-1 / (1 - (4 * u[right] + 1) ** 2))
    return out


def perturbed_uniform(rng, d, bumps, amplitude):
    signs = 2 * rng.integers(0, 2, bumps**d) - 1
    axes = np.meshgrid(*[np.arange(1, bumps + 1)] * d, indexing="ij")
    places = np.stack(axes, axis=-1).reshape(-1, d)
    kept = np.empty((0, d))
    while len(kept) < N:
        c, u = rng.random((2048, d)), rng.random(2048) * (1 + amplitude)
        terms = [s * bump(bumps * c - j).prod(axis=1) for s, j in zip(signs, places, strict=True)]
        kept = np.concatenate([kept, c[u <= 1 + amplitude * np.e**d * np.sum(terms, axis=0)]])
    return kept[:N], rng.random((N, d))


def mixture(rng, spread):
    labels = rng.integers(0, 4, N)
    Z = rng.standard_normal((N, 2))
    Z[labels == 3] *= spread
    return np.array([[20, 20], [-20, 20], [20, -20], [-20, -20]])[labels] + Z


def shifted(rng):
    X, Y = rng.standard_normal((N, 10)), rng.standard_normal((N, 10))
    Y[:, 0] += 0.25
    return X, Y


# The numbers seed the draws: case k, repetition r uses default_rng([77, k, r]).
CASES = {
    "null": (0, lambda rng: (rng.standard_normal((N, 5)), rng.standard_normal((N, 5)))),
    "2 bumps, d=1": (2, lambda rng: perturbed_uniform(rng, 1, 2, 0.3)),
    "2 bumps, d=2": (4, lambda rng: perturbed_uniform(rng, 2, 2, 0.6)),
    "mixture": (7, lambda rng: (mixture(rng, 1.0), mixture(rng, 1.4))),
    "shift, d=10": (5, shifted),
    "scale, d=10": (
        6,
        lambda rng: (rng.standard_normal((N, 10)), 1.06 * rng.standard_normal((N, 10))),
    ),
    "tails, d=1": (
        9,
        lambda rng: (rng.standard_normal((N, 1)), rng.standard_t(5, (N, 1)) * np.sqrt(0.6)),
    ),
}


def decisions(name, permutations, rules, repetition):
    """Rejections of all rules on one draw."""
    number, draw = CASES[name]
    X, Y = draw(np.random.default_rng([77, number, repetition]))
    return [
        kstest.mmd(X, Y, permutations=permutations, threads=1, **RULES[rule]).reject
        for rule in rules
    ]


def paired_ratio(a, b):
    """Ratio of two paired rejection rates, and its standard error."""
    ratio = a.mean() / b.mean()
    return ratio, np.std(a - ratio * b) / b.mean() / np.sqrt(len(a))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--permutations", type=int, default=999)
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    options = parser.parse_args()
    rules = options.rules
    peers = [rule for rule in ("fuse", "mmdagg") if rule in rules]
    print(f"{'case':13}" + "".join(f"{rule:>16}" for rule in rules) + "  default / better peer")
    every = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for name in CASES:
            work = partial(decisions, name, options.permutations, rules)
            found = np.array(list(pool.map(work, range(options.draws), chunksize=10)), dtype=float)
            rates = found.mean(axis=0)
            errors = np.sqrt(rates * (1 - rates) / len(found))
            line = "".join(f"{r:9.3f} +-{e:5.3f}" for r, e in zip(rates, errors, strict=True))
            if name != "null":
                every.append(found)
                if peers:
                    best = max((rules.index(peer) for peer in peers), key=rates.__getitem__)
                    ratio, error = paired_ratio(found[:, 0], found[:, best])
                    line += f"  {ratio:.2f} +- {error:.2f} ({rules[best]})"
            print(f"{name:13}{line}", flush=True)
    mean = np.mean(every, axis=0)
    errors = mean.std(axis=0) / np.sqrt(len(mean))
    line = zip(mean.mean(axis=0), errors, strict=True)
    print(f"{'mean power':13}" + "".join(f"{r:9.3f} +-{e:5.3f}" for r, e in line))


if __name__ == "__main__":
    main()
