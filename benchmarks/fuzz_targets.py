"""Mutated descriptions of targets, read in this process: only messages for the user may come out.

    python3 benchmarks/fuzz_targets.py [--count 2000] [--seed 0]

`CORPUS` holds small good files by kind (TOML, JSON, YAML, texts of --target, chains in CSV, models
of sequences in JSON, counts of n-grams); `mutations` yields them with one to three changes, the
same for the same seed. `attempt` reads one and looks at what it describes: an exception other than
`KstestError`, or more than `PATIENCE` seconds, is a fault.
"""

from __future__ import annotations

import argparse
import collections
import random
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kstest.errors import KstestError
from kstest.sample import Sequences
from kstest.targets import resolve, resolve_discrete
from kstest.targets.sequence_resolve import resolve_sequences

PATIENCE = 2.0
COLUMNS = ("x", "y")

CORPUS: dict[str, tuple[str, ...]] = {
    "toml": (
        'family = "gaussian_mixture"\ncolumns = ["x", "y"]\nweights = [0.3, 0.7]\n'
        "means = [[0, 0], [3, 1]]\ncovariances = [1, [[2, 0.5], [0.5, 1]]]\n",
        '[columns.x]\nfamily = "normal"\nmean = 0.5\nsd = 2\n[columns.y]\nfamily = "gamma"\n'
        "shape = 2\nrate = 0.5\n",
        'logp = "-(x - m)**2 / 2 - log1p(exp(y)) / s"\n[parameters]\nm = 0.0\ns = 2\n[support]\n'
        'y = [0, "inf"]\n',
        '[columns.x]\nfamily = "poisson"\nrate = 3\n[columns.y]\nfamily = "binomial"\nn = 9\n'
        "p = 0.5\n",
    ),
    "json": (
        '{"family": "multivariate_normal", "mean": [0, 1], "covariance": [[1, 0.5], [0.5, 2]]}',
        '{"columns": {"x": {"family": "beta", "a": 2, "b": 3}, "y": {"family": "uniform"}}}',
        '{"logp": "-abs(x) - y**2", "parameters": {}, "support": {"x": "angle"}}',
        '{"family": "categorical", "probabilities": [0.25, 0.25, 0.5]}',
    ),
    "yaml": (
        "columns:\n  x: {family: normal, mean: 0, sd: 1}\n  y:\n    family: student_t\n    df: 5\n",
        "family: negative_binomial\nn: 2\np: 0.25\ncolumns:\n  - x\n",
        "logp: -x**2 / 2\nsupport:\n  x: [-1, 5]\n",
    ),
    "text": (
        "normal(mean=[0, 1], sd=1/2)",
        "product(x=gamma(2, scale=3), y=von_mises(0, 2))",
        "logp: -0.5*x**2 - logsumexp(x, y) + lgamma(3) - min(x, 2)*y/4",
        "gaussian_mixture([0.5, 0.5], means=[[-1, 0], [1, 0]], covariances=[1, 2])",
        "discrete_uniform(0, 9)",
        "categorical(red=0.25, blue=0.75)",
        "negative_binomial(n=1.5, p=0.25)",
        "normal(fit)",
    ),
    "chain": (
        ",a,b,$\n^,0.7,0.3,0\na,0.2,0.5,0.3\nb,0.6,0.2,0.2\n",
        "ngram,count\n^ a,12\na b,7\nb $,9\na $,3\n",
    ),
    "model": (
        '{"model": "markov", "order": 1, "stop": 0.1, "transition": {"": {"a": 0.5, "b": 0.5}, '
        '"a": {"a": 0.5, "b": 0.5}, "b": {"a": 1}}}',
        '{"model": "independent", "symbols": {"a": 0.5, "b": 0.5}, "length": {"poisson": 10}}',
        '{"model": "field", "weights": {"a": 0.1, "a a": 1.5}, "length": {"uniform": [1, 20]}}',
        '{"model": "hidden", "start": {"s": 1}, "transition": {"s": {"s": 1}}, "emission": {"s": '
        '{"a": 0.75, "b": 0.25}}, "stop": 0.25}',
    ),
}
NUMBERS = ("0", "1", "-1", "2.5", "3", "1e-9", "1e9", "1e308", "1e-320", "0.5", "-0.0", "7e22")
SUFFIX = {"chain": ".csv", "model": ".json"}

# What is put in place of a piece, or between two.
PIECES = (
    *("NaN", "nan", "inf", "-inf", "-1", "0", "1e999", "1e308", "1e-320", "9" * 400, "9" * 5000),
    *("[" * 30, "[" * 3000, "{" * 30, "{" * 3000, "(" * 60, "(" * 3000, "- " * 3000, "-" * 3000),
    *("\0", "\x1b[2J", "\u202e", "\ufeff", "\ud800", '"', "'", "\n", "\r\n", "\t", "\\", "#", ":"),
    *(
        "null",
        "true",
        "~",
        "&a *a",
        "!!python/none x",
        "<<: x",
        "---\n",
        "1/0",
        "**1e9",
        "10**10**10",
    ),
    *(
        "x.y.z",
        "a." * 3000,
        "x",
        "exp",
        "fit",
        "product(x=",
        "=",
        ",",
        "[]",
        "{}",
        "[[]]",
        "[1]",
        "",
    ),
)


def mutations(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield kind and content, `count` of them, the same for the same seed."""
    rng = random.Random(seed)
    kinds = list(CORPUS)
    for k in range(count):
        kind = kinds[k % len(kinds)]
        content = rng.choice(CORPUS[kind]).encode()
        for _ in range(rng.randint(1, 3)):
            change = _renumbered if rng.random() < 0.6 else _mutated
            content = change(content, rng)
        yield kind, content


def _renumbered(content: bytes, rng: random.Random) -> bytes:
    """Another number in place of one."""
    found = list(re.finditer(rb"[0-9][0-9.e]*", content))
    if not found:
        return _mutated(content, rng)
    at = rng.choice(found)
    return content[: at.start()] + rng.choice(NUMBERS).encode() + content[at.end() :]


def _mutated(content: bytes, rng: random.Random) -> bytes:
    """One change: a piece put in or in place of a stretch, a stretch doubled or cut, a bit."""
    first = rng.randint(0, len(content))
    last = min(len(content), first + rng.choice((0, 0, 1, 2, 5, 20)))
    piece = rng.choice(PIECES).encode("utf-8", "surrogatepass")
    way = rng.randrange(6)
    if way == 0 and content:
        place = rng.randrange(len(content))
        flipped = content[place] ^ (1 << rng.randrange(8))
        return content[:place] + bytes([flipped]) + content[place + 1 :]
    if way == 1:
        return content[:first] + content[last:]
    if way == 2:  # a line, or a key, twice
        lines = content.splitlines(keepends=True)
        place = rng.randrange(max(len(lines), 1))
        return b"".join([*lines[: place + 1], *lines[place:]])
    if way == 3:
        return content[:first] + content[first:last] * rng.choice((2, 50)) + content[last:]
    return content[:first] + piece + content[last:]


def attempt(kind: str, content: bytes, folder: Path) -> str:
    """Read a description and return how it ended: ``read`` or ``refused``.

    Any exception of another kind than the house's is a fault and is let through.
    """
    if kind == "text":
        given = content.decode("utf-8", "surrogateescape")
        if given.strip().startswith("python:"):
            return "refused"
    else:
        path = folder / ("t" + SUFFIX.get(kind, "." + kind))
        path.write_bytes(content)
        given = str(path)
    try:
        if kind in SUFFIX:
            _look_at_model(given)
        elif resolve_discrete(given, COLUMNS) is None:
            _look_at_density(given)
    except KstestError:
        return "refused"
    return "read"


def _look_at_density(given: str) -> None:
    target = resolve(given, COLUMNS)
    X = np.array([[0.25, 0.5], [0.75, 0.125]])[:, : target.d]
    target.find(X)
    target.unconstrain(X)
    if target.logpdf is not None:
        target.log_density(X)
    if target.sample is not None:
        target.sample(3, np.random.default_rng(0))


def _look_at_model(given: str) -> None:
    data = Sequences("s", np.array([0, 1], np.int32), np.array([0, 1, 2]), ("a", "b"))
    model = resolve_sequences(given, data)
    if model.sample is not None:
        model.sample(3, np.random.default_rng(0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    ends: collections.Counter[tuple[str, str]] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        for kind, content in mutations(given.seed, given.count):
            began = time.process_time()
            try:
                end = attempt(kind, content, Path(folder))
            except Exception as error:
                end = f"{type(error).__name__}: {error}"[:100]
                print(kind, end, content[:300], flush=True)
            took = time.process_time() - began
            if took > PATIENCE:
                print(kind, f"{took:.1f} s", content[:300], flush=True)
            ends[kind, end if end in ("read", "refused") else "fault"] += 1
    for (kind, end), count in sorted(ends.items()):
        print(f"{kind:>6} {end:>8} {count:6}")


if __name__ == "__main__":
    main()
