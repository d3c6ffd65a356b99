"""False alarms of ksd and pksd on draws of samplers that are right: chains of many kinds.

    python3 benchmarks/chains.py [--sets 100] [--test ksd pksd] [--only WORD ...] [--seed 0]

Every chain starts at a draw of the target and keeps it, so that each of its rows is one. Printed:
the share of rejections at level 0.05 and of sets without a verdict, how many sets warn that chains
have not mixed, and of the rejections those that come without that warning. A cell holds its level
if its rejections, out of all sets, are at most the upper end of the central 99.9 % of the binomial
distribution at 0.05: no verdict is no false alarm. For pksd rows also change between two modes, in
one of ten, since it says nothing of a single one.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binom

import kstest

ALPHA = 0.05
NORMAL = "normal(mean=0, sd=1)"
APART = 8.0  # between the two modes
EVEN, UNEVEN, TWO, ONE = (250,) * 4, (900, 400, 100), (500, 500), (1000,)


def ar(rng, m, phi, d=1):
    """x_t = phi x_{t-1} + e_t, of variance one."""
    x = np.empty((m, d))
    x[0] = rng.normal(size=d)
    for t, step in enumerate(rng.normal(size=(m, d))[1:] * np.sqrt(1 - phi**2), 1):
        x[t] = phi * x[t - 1] + step
    return x


def metropolis(rng, m, step):
    """Random walk Metropolis: a move that is refused repeats the row."""
    x = np.empty((m, 1))
    x[0] = rng.normal()
    moves, limits = rng.normal(size=m) * step, np.log(rng.random(m))
    for t in range(1, m):
        new = x[t - 1] + moves[t]
        x[t] = new if limits[t] < (x[t - 1, 0] ** 2 - new[0] ** 2) / 2 else x[t - 1]
    return x


def volatile(rng, m, phi=0.98):
    """Signs are fair, sizes remember: the chain forgets its place at once, and not its spread."""
    return np.abs(ar(rng, m, phi)) * rng.choice([-1.0, 1.0], (m, 1))


def modes(rng, m, phi=0.5, leave=0.0):
    """One of two modes, drawn at the beginning, and left with a small probability in every row."""
    return ar(rng, m, phi) + sides(rng, m, leave)


def sides(rng, m, leave):
    """Where one of two modes is; (m, 1)."""
    side = (rng.integers(2) + np.cumsum(rng.random(m) < leave)) % 2
    return APART * (side[:, None] - 0.5)


def chains(make, lengths):
    return lambda rng: [make(rng, m) for m in lengths]


def stuck(rng, lengths=EVEN):
    """One of the chains never moves."""
    found = [ar(rng, m, 0.5) for m in lengths]
    found[0][:] = found[0][0]
    return found


CELLS = {
    "independent": chains(partial(ar, phi=0.0), EVEN),
    "ar .5": chains(partial(ar, phi=0.5), EVEN),
    "ar .9": chains(partial(ar, phi=0.9), EVEN),
    "ar .95": chains(partial(ar, phi=0.95), EVEN),
    "ar .99": chains(partial(ar, phi=0.99), EVEN),
    "ar .9 uneven": chains(partial(ar, phi=0.9), UNEVEN),
    "ar .95 uneven": chains(partial(ar, phi=0.95), UNEVEN),
    "ar .9 very uneven": chains(partial(ar, phi=0.9), (1500, 40, 40, 40)),
    "ar .9 two": chains(partial(ar, phi=0.9), TWO),
    "ar .95 two": chains(partial(ar, phi=0.95), TWO),
    "ar .9 one": chains(partial(ar, phi=0.9), ONE),
    "ar .9 five columns": chains(partial(ar, phi=0.9, d=5), EVEN),  # of ksd alone
    "antithetic -.5": chains(partial(ar, phi=-0.5), EVEN),
    "antithetic -.9": chains(partial(ar, phi=-0.9), EVEN),
    "metropolis wide": chains(partial(metropolis, step=6.0), EVEN),
    "metropolis narrow": chains(partial(metropolis, step=0.8), EVEN),
    "volatile": chains(volatile, EVEN),
    "stuck": stuck,
    "many short": chains(partial(ar, phi=0.95), (10,) * 60),
    "modes": chains(modes, EVEN),
    "modes two": chains(modes, TWO),
    "modes left rarely": chains(partial(modes, leave=0.004), EVEN),
    "modes left often": chains(partial(modes, leave=0.05), EVEN),
}


def mixture(folder):
    """The target of two modes, as a file."""
    path = Path(folder) / "modes.json"
    path.write_text(
        json.dumps(
            {
                "family": "gaussian_mixture",
                "weights": [0.5, 0.5],
                "means": [[-APART / 2], [APART / 2]],
                "covariances": [[[1.0]], [[1.0]]],
            }
        )
    )
    return str(path)


def one(test, name, seed, number, target):
    """One set: the verdict, and the codes of the warnings."""
    rng = np.random.default_rng([seed, number, *map(ord, name)])
    some = CELLS[name](rng)
    if test == "pksd" and not name.startswith("modes"):  # it has no verdict on a single mode
        some = [x + sides(rng, len(x), 0.0 if len(np.unique(x)) == 1 else 0.1) for x in some]
    frame = pd.DataFrame(np.concatenate(some))
    frame.columns = [f"x{c}" for c in range(frame.shape[1])]
    frame["chain"] = np.repeat(np.arange(len(some)), [len(x) for x in some])
    how = {"draws": 199, "threads": 1, "seed": number, "chain": "chain"}
    if test == "ksd":
        how["explain"] = "none"
    found = getattr(kstest, test)(frame, target=target, **how)
    return found.verdict, {w.code for w in found.warnings}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=100)
    parser.add_argument("--test", nargs="+", default=["ksd", "pksd"])
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    high = int(binom.ppf(0.9995, given.sets, ALPHA))
    print(f"{given.sets} sets a cell; a level is held with at most {high} rejections", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        modal = mixture(folder)
        for test in given.test:
            for name in CELLS:
                if test == "pksd" and "columns" in name:
                    continue
                if given.only and not any(word in name for word in given.only):
                    continue
                target = modal if test == "pksd" or name.startswith("modes") else NORMAL
                begun = time.process_time()
                all_found = [one(test, name, given.seed, k, target) for k in range(given.sets)]
                rejected = [codes for verdict, codes in all_found if verdict == "rejected"]
                silent = sum("not-mixed" not in codes for codes in rejected)
                none = sum(verdict == "no verdict" for verdict, _ in all_found)
                apart = sum("not-mixed" in codes for _, codes in all_found)
                print(
                    f"{test:5} {name:20} rejected {len(rejected) / given.sets:.3f}"
                    f"  no verdict {none / given.sets:.3f}  not mixed {apart / given.sets:.3f}"
                    f"  rejected unwarned {silent / given.sets:.3f}"
                    f"  {'held' if len(rejected) <= high else 'NOT HELD'}"
                    f"  {(time.process_time() - begun) / given.sets:.2f} s a set",
                    flush=True,
                )


if __name__ == "__main__":
    main()
