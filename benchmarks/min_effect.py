"""Levels of --min-effect where every column is exactly as different as allowed, and its power.

    python3 benchmarks/min_effect.py [--sets 400] [--seed 0]

Printed for every law and number of rows: the share of rejections by `ks` where the null hypothesis
holds with equality (at most .05 is promised), that without verdict, and the share of rejections
where the effect is twice as large. Laws are drawn, then the sample is moved: by a share of a
standard deviation; by a share of its rows to a value of their own; by a share of its levels.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
import pandas as pd

import kstest

LAWS = {
    "normal": (lambda rng, n: rng.normal(size=n), 1.0),
    "exponential": (lambda rng, n: rng.exponential(size=n), 1.0),
    "gamma .3": (lambda rng, n: rng.gamma(0.3, size=n), math.sqrt(0.3)),
    "t, 5 df": (lambda rng, n: rng.standard_t(5, n), math.sqrt(5 / 3)),
    "lognormal": (lambda rng, n: np.exp(rng.normal(size=n)), math.sqrt((math.e - 1) * math.e)),
    "poisson": (lambda rng, n: rng.poisson(2, n).astype(float), math.sqrt(2)),
}
SIZES = ((100, 100), (1000, 1000), (100, 3000), (3000, 100))
SETTINGS = [("sd", law, 0.2) for law in LAWS]
SETTINGS += [("%", law, 0.1) for law in ("normal", "poisson")]
SETTINGS += [("%-points", 3, 0.1), ("%-points", 30, 0.1), ("%", 3, 0.1), ("%", 30, 0.1)]
SETTINGS += [("r", "line", 0.2), ("r", "U", 0.2)]


def moved(unit, law, n, size, rng):
    """Rows of the sample."""
    if isinstance(law, str):
        draw, sd = LAWS[law]
        x = draw(rng, n)
        return x + size * sd if unit == "sd" else np.where(rng.random(n) < size, 1e3, x)
    first = rng.random(n) < size / (1 - 1 / law)  # so that the level gains just this share
    return np.where(first, "l0", levels(law, n, rng))


def levels(count, n, rng):
    """Levels of equal shares."""
    return np.char.add("l", rng.integers(0, count, n).astype(str))


def two_samples(unit, law, m, n, size, rng):
    """Both sides of three columns alike: what is promised is for all of them together."""
    draw = LAWS[law][0] if isinstance(law, str) else lambda rng, k: levels(law, k, rng)
    reference = pd.DataFrame({f"c{k}": draw(rng, m) for k in range(3)})
    return reference, pd.DataFrame({f"c{k}": moved(unit, law, n, size, rng) for k in range(3)})


# what makes a rank correlation, straight or folded, of .2 and of .4, found by simulation
SLOPES = {"line": (0.217, 0.460), "U": (0.197, 0.458)}


def pair(law, n, size, rng):
    """Two columns with a rank correlation."""
    x, noise = rng.normal(size=(2, n))
    slope = SLOPES[law][size > 0.3]
    return x, noise + slope * (x if law == "line" else x**2 - 1)


def tested(unit, law, m, n, most, size, rng):
    """The verdict on one draw."""
    text = f"{most}{unit}" if unit in ("sd", "r") else f"{100 * most:g}{unit}"
    if unit == "r":
        return kstest.hsic(*pair(law, n, size, rng), min_effect=text, permutations=99).verdict
    both = two_samples(unit, law, m, n, size, rng)
    return kstest.ks(*both, min_effect=text, permutations=99).verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    clock = time.process_time()
    print(f"{'unit':<10}{'law':<14}{'rows':<14}{'level':>8}{'no verdict':>12}{'twice':>8}")
    for unit, law, most in SETTINGS:
        for m, n in SIZES if unit != "r" else ((100, 100), (1000, 1000)):
            rng = np.random.default_rng([given.seed, m, n])
            null = [tested(unit, law, m, n, most, most, rng) for _ in range(given.sets)]
            power = [tested(unit, law, m, n, most, 2 * most, rng) for _ in range(given.sets // 4)]
            rows = f"{m} {n}" if unit != "r" else f"{n}"
            print(
                f"{unit:<10}{law!s:<14}{rows:<14}{null.count('rejected') / given.sets:>8.3f}"
                f"{null.count('no verdict') / given.sets:>12.2f}"
                f"{power.count('rejected') / len(power):>8.2f}",
                flush=True,
            )
    print(
        f"{given.sets} sets each, {given.sets // 4} of twice; {time.process_time() - clock:.0f} s"
    )


if __name__ == "__main__":
    main()
