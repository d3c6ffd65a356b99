"""Power, level and time of `kstest seqksd`.

    python3 benchmarks/sequences.py walk [--runs 300]
    python3 benchmarks/sequences.py order | memory | length | field | level [--runs 300]
    python3 benchmarks/sequences.py time [--sequences 20000]

The experiments of Baum, Kanagawa and Gretton (2023, arXiv 2210.10741); rates of rejection at level
0.05, with a standard error of sqrt(r (1 - r) / runs).

- `walk`: 30 random walks on a cycle of 8 states, of mean length 20; in one state the data hold
  with probability h. Barker, subsequences of length 2; all edits and numbers of symbols (our
  default), or substitution as in the paper, there with random signs too. Beside it the maximum mean
  discrepancy of the same kernel to 100 sequences drawn from the model, its null distribution
  simulated alike, and the rates of an earlier program of our own at the paper's setting.
- `order`: 8 or 30 sequences of a random chain of second order with 4 states (Dirichlet rows), of
  mean length 5 to 20, against the chain of first order that has its frequencies of pairs.
- `memory`: the same walk, but after a step up from any state the next one goes up again with
  probability m: a chain of second order against a model of first order, which has its pairs right
  for m = 0.5. Subsequences of length 2 and 3.
- `length`: 30 sequences of a random chain of 10 states, mean length 8 in the model, up to 20 in the
  data; with the kernel of numbers of symbols (our default), or shares of subsequences alone.
- `field`: 200 sequences of a Markov random field of 3 states and up to 20 symbols, whose
  neighbours agree with weight exp(1) in the model and exp(c) in the data; 999 random signs.
- `level`: false alarms of all nulls.
- `time`: process seconds of the whole command, start-up included, and peak memory.
"""

from __future__ import annotations

import argparse
import itertools
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import kstest
from kstest.engine import Work
from kstest.methods.seqksd import Params
from kstest.nulls import p_value
from kstest.run import execute
from kstest.sample import Sample, Sequences
from kstest.targets import SequenceModel, Windows
from kstest.targets.markov import chain
from kstest.targets.sequence_sampling import window_sampler

ALPHA = 0.05
EARLIER = {0: 0.053, 0.0625: 0.367, 0.125: 0.813, 0.1875: 0.957, 0.25: 0.990}
EARLIER_MMD = {0: 0.030, 0.0625: 0.033, 0.125: 0.063, 0.1875: 0.080, 0.25: 0.177}
ONLY = None  # row of the table that --only asks for
LEAST = 1e-3  # no transition of the paper's models is rarer, before rows are normalised


def sequences(drawn, alphabet):
    return Sequences("sequence", *drawn, tuple(alphabet))


def rejected(model, drawn, seed, **options):
    """Whether the test rejects draws, given as codes and offsets."""
    found = sequences(drawn, model.alphabet)
    sample = Sample("data", np.empty((len(found), 0)), (), sequences=found)
    params = Params(target=model, seed=seed, **options)
    return bool(execute("seqksd", [sample], params, work=Work(threads=1)).reject)


def chain_of(kernel, mean_length, begin=None):
    """A chain with the same stop probability everywhere; kernel (S, ..., S), next symbol last."""
    kernel = np.maximum(kernel, LEAST)
    kernel /= kernel.sum(axis=-1, keepdims=True)
    order, S = kernel.ndim - 1, kernel.shape[-1]
    names = [str(s) for s in range(S)]
    begin = np.full(S, 1 / S) if begin is None else begin
    rows = {(): dict(zip(names, begin, strict=True))}
    stop = 1 / mean_length
    for size in range(1, order + 1):
        for context in itertools.product(range(S), repeat=size):
            full = (0,) * (order - size) + context if size < order else context
            row = kernel[full] if size == order else kernel[full].copy()
            p = dict(zip(names, row * (1 - stop), strict=True)) | {None: stop}
            rows[tuple(str(c) for c in context)] = p
    return chain("made", tuple(names), order, rows)


def cycle(S=8):
    return (np.roll(np.eye(S), -1, 0) + np.roll(np.eye(S), 1, 0)) / 2


def holding(h, S=8):
    kernel = cycle(S)
    kernel[0] *= 1 - h
    kernel[0, 0] = h
    return kernel


def shares(drawn, sets, S, length=2):
    """Feature maps of the subsequence kernel, (sets, sequences, S^length)."""
    codes, offsets = drawn
    n = len(offsets) - 1
    left = np.repeat(offsets[1:], np.diff(offsets)) - np.arange(len(codes))
    start = np.flatnonzero(left >= length)
    owner = np.repeat(np.arange(n), np.diff(offsets))[start]
    index = np.zeros(len(start), np.int64)
    for j in range(length):
        index = index * S + codes[start + j]
    counts = np.bincount(owner * S**length + index, minlength=n * S**length).reshape(n, -1)
    windows = np.maximum(np.diff(offsets) - length + 1, 1)
    return np.sqrt(counts / windows[:, None]).reshape(sets, n // sets, -1)


def mmd_rejects(model, drawn, rng, draws, many=100):
    """MMD to `many` sequences of the model, with a simulated null distribution."""
    S, n = len(model.alphabet), len(drawn[1]) - 1
    X = np.concatenate([shares(drawn, 1, S), shares(model.sample(n * draws, rng), draws, S)])
    Y = shares(model.sample(many * (draws + 1), rng), draws + 1, S)

    def inner(Z):
        total = Z.sum(axis=1)
        k = Z.shape[1]
        own = np.einsum("bnd,bnd->b", Z, Z)
        return (np.einsum("bd,bd->b", total, total) - own) / (k * (k - 1))

    cross = np.einsum("bd,bd->b", X.mean(axis=1), Y.mean(axis=1))
    return p_value(inner(X) + inner(Y) - 2 * cross) <= ALPHA


def rates(model, truth, n, runs, options, mmd=True, draws=199, seed=0):
    """Rates of rejection of the test under each set of options, and of MMD."""
    found = np.zeros(len(options) + mmd)
    for run in runs:
        rng = np.random.default_rng([seed, run])
        drawn = truth.sample(n, rng)
        for k, some in enumerate(options):
            found[k] += rejected(model, drawn, run, **{"draws": draws, **some})
        if mmd:
            found[-1] += mmd_rejects(model, drawn, rng, draws)
    return found / len(runs)


def chosen(values):
    return [v for v in values if ONLY is None or math.isclose(v, ONLY)]


def show(label, values):
    print(f"{label:>10}" + "".join(f"{value:12.3f}" for value in values), flush=True)


def walk(runs):
    model = chain_of(cycle(), 20)
    plain = {"edits": "substitution", "lengths": "2"}
    options = [{"null": "parametric"}, {**plain, "null": "parametric"}, {**plain, "null": "wild"}]
    names = ["default", "substitution", "wild", "MMD 100", "earlier", "earlier MMD"]
    print(f"{'h':>10}" + "".join(f"{name:>12}" for name in names))
    for h in chosen(EARLIER):
        found = rates(model, chain_of(holding(h), 20), 30, runs, options, seed=1)
        show(f"{h:g}", [*found, EARLIER[h], EARLIER_MMD[h]])


def memory(runs):
    model = chain_of(cycle(), 20)
    options = [{"lengths": length, "null": "parametric"} for length in ("auto", "2", "3")]
    names = ("default", "length 2", "length 3", "MMD 100")
    print(f"{'m':>10}" + "".join(f"{name:>12}" for name in names))
    for m in chosen((0.5, 0.6, 0.7, 0.8)):
        kernel = np.tile(cycle(), (8, 1, 1))
        for s in range(8):
            up = (s + 1) % 8
            kernel[s, up] = 0
            kernel[s, up, s], kernel[s, up, (s + 2) % 8] = 1 - m, m
        truth = chain_of(kernel, 20)
        show(f"{m:g}", rates(model, first_step(truth), 30, runs, options, seed=2))


def order(runs):
    """Without its own pairs wrong, the model of first order errs in triples only."""
    kernel = np.random.default_rng(6).dirichlet(np.ones(4), (4, 4))
    pairs = np.full((4, 4), 1 / 16)
    for _ in range(500):
        pairs = np.einsum("ab,abc->bc", pairs, kernel)
    first = pairs / pairs.sum(axis=1, keepdims=True)
    options = [{"lengths": length, "null": "parametric"} for length in ("auto", "2", "3")]
    names = ("default", "length 2", "length 3", "MMD 100")
    print(f"{'n, length':>10}" + "".join(f"{name:>13}" for name in names))
    for n in (8, 30):
        for mean in chosen((5, 10, 20)):
            truth = chain_of(kernel, mean, begin=pairs.sum(axis=1))
            model = chain_of(first, mean, begin=pairs.sum(axis=1))
            show(f"{n}, {mean:g}", rates(model, truth, n, runs, options, seed=9))


def first_step(truth):
    """The second symbol of a walk with memory has none: it steps up or down evenly."""
    table = truth.distribution.table.reshape(9, 9, 9).copy()
    step = np.maximum(cycle(), LEAST)
    step /= step.sum(axis=1, keepdims=True)
    table[8, :8, :8] = np.log(step * (1 - 1 / 20))
    distribution = Windows(8, 3, table.ravel())
    return SequenceModel(
        "walk", truth.alphabet, 2, distribution, sample=window_sampler(distribution, "walk")
    )


def length(runs):
    kernel = np.random.default_rng(5).dirichlet(np.ones(10), 10)
    model = chain_of(kernel, 8)
    options = [{"null": "parametric"}, {"null": "parametric", "length_kernel": "none"}]
    print(f"{'length':>10}" + "".join(f"{n:>12}" for n in ("default", "shares", "MMD 100")))
    for mean in chosen((8, 9.5, 11, 14, 20)):
        show(f"{mean:g}", rates(model, chain_of(kernel, mean), 30, runs, options, seed=3))


def agreement(c, S=3, most=20):
    """Neighbours agree with weight exp(c); every length is as probable as any other."""
    table = np.zeros((S + 1, S + 1))
    table[:S, :S] = c * np.eye(S)
    lengths = np.r_[-np.inf, -np.arange(most) * np.log(math.exp(c) + S - 1)]
    distribution = Windows(S, 2, table.ravel(), lengths)
    names = tuple(str(s) for s in range(S))
    return SequenceModel(
        "field", names, 1, distribution, sample=window_sampler(distribution, "field")
    )


def field(runs):
    model = agreement(1.0)
    options = [{"null": "wild"}, {"null": "wild", "balancing": "root"}, {"null": "parametric"}]
    names = ("barker", "root", "parametric", "MMD 100")
    print(f"{'c':>10}" + "".join(f"{n:>12}" for n in names))
    for c in chosen((0.75, 0.875, 1.0, 1.125, 1.25)):
        show(f"{c:g}", rates(model, agreement(c), 200, runs, options, draws=199, seed=4))


def level(runs):
    model = chain_of(np.random.default_rng(8).dirichlet(np.ones(4), 4), 6)
    print(f"{'n':>10}{'parametric':>12}{'wild':>12}{'fitted':>12}")
    for n in chosen((10, 30, 100, 300, 600)):
        options = [{"null": "parametric"}, {"null": "wild"}, {"target": "fit:order=1"}]
        found = np.zeros(3)
        for run in runs:
            drawn = model.sample(n, np.random.default_rng([7, n, run]))
            for k, some in enumerate(options):
                if some.get("target"):
                    data = sequences(drawn, model.alphabet)
                    found[k] += kstest.seqksd(
                        [data[i] for i in range(n)], draws=99, seed=run, threads=1, **some
                    ).reject
                else:
                    found[k] += rejected(model, drawn, run, draws=99, **some)
        show(str(n), found / len(runs))


TIMED = """
import resource, sys, time
from kstest.cli import run
code = run(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
print(f"exit {code}, process {used.ru_utime + used.ru_stime:.2f} s, {used.ru_maxrss / 1024:.0f} MB")
"""


def seconds(count):
    model = chain_of(np.random.default_rng(1).dirichlet(np.ones(8), 8), 20)
    with tempfile.TemporaryDirectory() as folder:
        data, target = Path(folder) / "data.txt", Path(folder) / "model.csv"
        table = np.exp(model.distribution.table.reshape(9, 9))
        lines = [",".join(["", *model.alphabet, "$"])]
        for label, row in zip(["^", *model.alphabet], table[[8, *range(8)]], strict=True):
            lines.append(",".join([label, *(repr(float(p)) for p in row)]))
        target.write_text("\n".join(lines) + "\n")
        with open(data, "w") as stream:
            for part in range(0, count, 100_000):
                drawn = model.sample(min(100_000, count - part), np.random.default_rng([3, part]))
                found = sequences(drawn, model.alphabet)
                stream.writelines("".join(found[i]) + "\n" for i in range(len(found)))
        for name, more in (
            ("nothing but --version", ["--version"]),
            ("substitution", ["--edits", "substitution"]),
            ("all edits", []),
        ):
            arguments = more if "--version" in more else [
                "seqksd", str(data), "--target", str(target), "--quiet", *more
            ]  # fmt: skip
            done = subprocess.run(
                [sys.executable, "-c", TIMED, *arguments], capture_output=True, text=True
            )
            print(f"{name:25}{done.stdout.splitlines()[-1]}{done.stderr}", flush=True)


EXPERIMENTS = {
    "walk": walk,
    "order": order,
    "memory": memory,
    "length": length,
    "field": field,
    "level": level,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=[*EXPERIMENTS, "time"])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--sequences", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first run")
    parser.add_argument("--only", type=float, help="one row of the table")
    options = parser.parse_args()
    global ONLY
    ONLY = options.only
    if options.what == "time":
        seconds(options.sequences)
    else:
        EXPERIMENTS[options.what](range(options.first, options.first + options.runs))


if __name__ == "__main__":
    main()
