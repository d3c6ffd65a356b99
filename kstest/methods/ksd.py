"""Goodness-of-fit test by the kernel Stein discrepancy (KSD) over many bandwidths.

Null hypothesis: the rows are independent draws from a given density, known up to its constant.
`run` reads like the method: target and scores, support, whitening, bandwidths, sums of the Stein
kernel once, signs or simulated samples, one statistic out of all bandwidths, calibrate, explain.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import SteinPoints, Work, signed_sums, stein_sums, stein_totals
from ..errors import DataError, UsageError
from ..kernels import KERNELS, Bank, stein_bandwidths, whitening
from ..nulls import (
    aggregate,
    independent_signs,
    informative,
    markov_signs,
    p_value,
    sign_bins,
    threshold,
)
from ..params import alpha, check_common, draws, option, seed
from ..result import Notice, Result
from ..sample import Sample
from ..targets import FAMILIES, Chart, Target, chosen_columns, paired, resolve
from .common import bandwidth_numbers, fingerprint, strongest_lag
from .stein_explanation import explain

Array = NDArray[np.float64]

SAMPLES = ("data",)
EXAMPLE = "kstest ksd data.csv --target 'normal(mean=0, sd=1)' --columns x"
REFERENCES = """\
@inproceedings{liu2016kernelized,
  title     = {A Kernelized {Stein} Discrepancy for Goodness-of-fit Tests},
  author    = {Liu, Qiang and Lee, Jason D. and Jordan, Michael},
  booktitle = {International Conference on Machine Learning}, pages = {276--284},
  year      = {2016}, note = {arXiv:1602.03253}
}
@inproceedings{chwialkowski2016kernel,
  title     = {A Kernel Test of Goodness of Fit},
  author    = {Chwialkowski, Kacper and Strathmann, Heiko and Gretton, Arthur},
  booktitle = {International Conference on Machine Learning}, pages = {2606--2615},
  year      = {2016}, note = {arXiv:1602.02964}
}
@inproceedings{gorham2017measuring,
  title     = {Measuring Sample Quality with Kernels},
  author    = {Gorham, Jackson and Mackey, Lester},
  booktitle = {International Conference on Machine Learning}, pages = {1292--1301},
  year      = {2017}, note = {arXiv:1703.01717}
}
@inproceedings{schrab2022ksd,
  title     = {{KSD} Aggregated Goodness-of-fit Test},
  author    = {Schrab, Antonin and Guedj, Benjamin and Gretton, Arthur},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {35},
  year      = {2022}, note = {arXiv:2202.00824}
}
"""

_SENTENCES = {
    True: "the data do not fit the target: they are not independent draws from it",
    False: "no evidence at this level against the target",
}
STEIN_KERNELS = tuple(k.name for k in KERNELS.values() if k.jet and k.name in ("imq", "gaussian"))
# Rows whose pairwise distances give the bandwidths.
DISTANCE_ROWS = 100
# Below this the wild bootstrap's shape is off by a little, and simulating costs little.
PARAMETRIC_ROWS = 200
# Correlations of fewer rows than this many per column are noise; then columns are only scaled.
ROWS_PER_COLUMN = 5
# Share of rows with an equal row before them from which on a warning is given.
TIES = 0.01


@dataclass(frozen=True)
class Params:
    """Options of `run`; see the help of each field."""

    target: Any = option(  # noqa: RUF009
        "",
        f"The density: a family ({', '.join(FAMILIES)}, multivariate_normal, gaussian_mixture, "
        "product) such as 'gamma(shape=2, scale=3)'; a TOML or JSON file; or 'logp: EXPRESSION' "
        "in column names.",
        metavar="TARGET",
    )
    score_prefix: str = option(
        "",
        "In place of --target: columns PREFIX + NAME hold the score (gradient of the log "
        "density) with respect to x_NAME, or else NAME.",
        metavar="PREFIX",
    )
    param: Any = option(  # noqa: RUF009
        (),
        "A parameter of 'logp: EXPRESSION'; may be repeated.",
        metavar="NAME=NUMBER",
    )
    alpha: float = alpha()
    draws: int = draws()
    seed: int = seed()
    kernel: str = option(
        "imq",
        "Kernel: inverse multiquadric, which also controls the tails, or Gaussian.",
        choices=STEIN_KERNELS,
    )
    bandwidth: str = option(
        "aggregate",
        "Bandwidths: ten of them, combined (aggregate); one, the median distance (median); or "
        "numbers, in units of the scaled coordinates.",
        metavar="aggregate|median|NUMBER[,NUMBER...]",
    )
    aggregate: str = option(
        "studentised",
        "How several bandwidths become one statistic.",
        choices=("studentised", "minp", "fuse"),
    )
    statistic: str = option(
        "u", "U-statistic (unbiased) or V-statistic (with the diagonal).", choices=("u", "v")
    )
    scale: str = option(
        "whiten",
        "Coordinates: unit variance without correlation, unit variance, or as they are.",
        choices=("whiten", "standard", "none"),
    )
    null: str = option(
        "auto",
        "Null law: samples simulated from the target (parametric), random signs for independent "
        "rows (wild), or signs that persist (markov) for rows that depend on their neighbours. "
        f"auto simulates below {PARAMETRIC_ROWS} rows where the target can, else takes wild.",
        choices=("auto", "wild", "markov", "parametric"),
    )
    flip: float = option(
        0.1,
        "With --null markov: probability that the sign changes from one row to the next; about "
        "one over the length of the dependence.",
    )

    def __post_init__(self) -> None:
        check_common(self)
        if bool(self.score_prefix) == (not isinstance(self.target, str) or bool(self.target)):
            raise UsageError(
                "give either --target, for example --target 'normal(mean=0, sd=1)', or "
                "--score-prefix, for example --score-prefix score_"
            )
        if not 0 < self.flip <= 0.5:
            raise UsageError(f"--flip {self.flip}: give a number above 0 and at most 0.5")
        bandwidth_numbers(self.bandwidth)


def columns(params: Params) -> Callable[[Sequence[str]], Sequence[str]] | None:
    """Which columns of a file are worth reading when --columns does not say."""
    return chosen_columns(params.target, params.score_prefix, params.param)


def run(samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test whether a sample consists of independent draws from a given density.

    Parameters
    ----------
    samples : one Sample
        n rows.
    params : Params
        `target` is a text as on the command line, or in Python an object with a method
        `score(X)`, (n, d) to (n, d), and optionally `logpdf(X)` and `sample(n, rng)`.
    rng : numpy.random.Generator
    work : Work

    Returns
    -------
    Result
        With one bandwidth the statistic is the U-statistic sum_{i != j} u(x_i, x_j) / (n (n - 1))
        of the Stein kernel u (see `kstest.engine.stein`), an unbiased estimate of the squared
        kernel Stein discrepancy, which is negative half of the time under the null; with
        several it is their aggregate, without a unit. From 512 rows on, rows share signs in bins
        formed at random, and pairs within a bin are left out. No verdict with fewer than 2 rows,
        or too few for signs to reach p <= alpha.

    Notes
    -----
    ``parametric`` is exact: p <= alpha has probability at most alpha at every n and d, over data
    and seed, because whitening, bandwidths and statistic of the data and of each simulated
    sample are made alike. ``wild`` and ``markov`` are asymptotic in n: the signs copy the null
    law of a degenerate statistic. Measured levels are printed by ``benchmarks/stein.py``.

    Coordinates with a bounded support are mapped to the line with their log-Jacobian; a row
    outside the support rejects at once, since under the null it has probability 0. The test is
    blind to the weights of well separated modes and loses power as d grows.

    References
    ----------
    Liu, Lee, Jordan (2016), arXiv 1602.03253; Chwialkowski, Strathmann, Gretton (2016), arXiv
    1602.02964; kernel choice: Gorham, Mackey (2017), arXiv 1703.01717; aggregation: Schrab,
    Guedj, Gretton (2022), arXiv 2202.00824, and `kstest.nulls.aggregate`.

    Examples
    --------
    >>> import kstest, numpy
    >>> X = numpy.random.default_rng(1).normal(size=(300, 2))
    >>> kstest.ksd(X, target="normal(mean=0, sd=1)").verdict
    'not rejected'
    >>> kstest.ksd(X, target="student_t(df=3)").verdict
    'rejected'
    """
    sample = samples[0]
    given = _given(sample, params)
    base = Result(
        method="ksd",
        verdict="no verdict",
        alpha=params.alpha,
        n={"data": sample.n},
        d=len(given.columns),
        columns=given.columns,
    )
    outside = _outside(given)
    if outside:
        return _impossible(base, outside, params)
    law = _null(params, given.target, sample.n)
    if sample.n < 2 or (law != "parametric" and 2.0 ** (1 - sample.n) > params.alpha):
        return _too_few(base, params)

    Y, S = _scores(given)
    notices = _notices(Y, S, given, law)
    order = np.arange(len(Y))
    if law != "markov":
        # Sorted: the answer does not depend on the order in the file, see kstest.methods.mmd.
        order = np.lexsort(np.concatenate([Y, S], axis=1).T[::-1])
        drawn = int(rng.integers(2**63))
        rng = np.random.default_rng([drawn, fingerprint(Y[order])])
        order = order[rng.permutation(len(order))]
    charts = given.charts
    points = stein_points(Y[order], S[order], charts, params.scale)
    bank = _bank(points, params, rng)

    if law == "parametric":
        assert given.target is not None
        T, size = _parametric(points, bank, given.target, params, rng, work)
        bins = sample.n
    else:
        T, size, bins = _wild(points, bank, law, params, rng, work)
    keep = informative(T, size)
    combined = np.zeros(2)
    if keep.any():
        several = len(bank) > 1
        combined = (
            aggregate(T[keep], size[keep], params.aggregate, sample.n) if several else T[keep][0]
        )
    p = p_value(combined)
    best = _strongest(T, keep)
    summary = {"summary": _SENTENCES[p <= params.alpha], **_per_bandwidth(T, keep, bank)}
    if p <= params.alpha:
        narrow = Bank(bank.kernel, (bank.bandwidths[best],))
        summary |= explain(points, order, narrow, given.X, given.columns)
    return replace(
        base,
        verdict="rejected" if p <= params.alpha else "not rejected",
        statistic=float(combined[0]),
        p_value=p,
        threshold=threshold(combined, params.alpha),
        kernel={
            "name": params.kernel,
            "bandwidths": bank.bandwidths,
            "aggregate": params.aggregate if len(bank) > 1 else None,
            "scale": params.scale,
        },
        null=_null_block(law, bins, params),
        explanation={**summary, "target": given.name},
        warnings=notices,
    )


# --- data and target -------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """The tested columns in the data's units, with the target or the scores that came along."""

    name: str
    columns: tuple[str, ...]
    X: Array
    target: Target | None
    scores: Array | None = None

    @property
    def charts(self) -> tuple[Chart, ...]:
        return self.target.charts if self.target else (Chart(),) * len(self.columns)


def _given(sample: Sample, params: Params) -> Given:
    place = {name: c for c, name in enumerate(sample.columns)}
    if params.score_prefix:
        pairs = paired(sample.columns, params.score_prefix)
        X = sample.values[:, [place[x] for x, _ in pairs]]
        S = sample.values[:, [place[s] for _, s in pairs]]
        names = tuple(x for x, _ in pairs)
        return Given(f"scores in {params.score_prefix}*", names, X, None, S)
    target = resolve(params.target, sample.columns, params.param)
    X = np.ascontiguousarray(sample.values[:, [place[c] for c in target.columns]])
    return Given(target.name, target.columns, X, target)


def _outside(given: Given) -> str:
    """Say where a value lies outside the support; empty if none does."""
    if given.target is None:
        return ""
    found = given.target.find(given.X)
    if found:
        row, c = found
        return (
            f"row {row + 1} has {given.columns[c]} = {given.X[row, c]:.6g}, outside the target's "
            f"support {given.charts[c]}"
        )
    edge = given.target.find(given.X, edge=True)
    if edge:
        row, c = edge
        raise DataError(
            f"data: row {row + 1} has {given.columns[c]} = {given.X[row, c]:.6g}, on the edge of "
            f"the target's support {given.charts[c]}, where its coordinate is infinite. If values "
            "are rounded, add random digits below the rounding, or leave such rows out"
        )
    return ""


def _scores(given: Given) -> tuple[Array, Array]:
    """Coordinates on the line or circle and finite scores."""
    if given.target is None:
        assert given.scores is not None
        Y, S = given.X, given.scores
    else:
        Y, S = given.target.unconstrain(given.X)
    bad = ~(np.isfinite(S) & np.isfinite(Y)).all(axis=1)
    # A square beyond this overflows when n^2 of them are added.
    bad |= (np.abs(S) > 1e100).any(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        c = int(np.argmax(~np.isfinite(S[row]) | (np.abs(S[row]) > 1e100)))
        raise DataError(
            f"data: the score of row {row + 1} is {S[row, c]:g} in column {given.columns[c]} "
            f"(value {given.X[row, c]:.6g}); {int(bad.sum()):,} rows have no finite score. The "
            "target's density vanishes or has no derivative there"
        )
    return Y, S


def _notices(Y: Array, S: Array, given: Given, law: str) -> tuple[Notice, ...]:
    out = []
    found = strongest_lag(S)
    if found and law != "markov":
        out.append(
            Notice(
                "serial-dependence",
                f"neighbouring rows have alike scores (lag-1 autocorrelation {found[0]:.2f} for "
                f"column {given.columns[found[1]]!r}). If the file is in order of time, false "
                "alarms are likely: use --null markov; if it is only sorted, ignore this",
            )
        )
    ties = 1 - len(np.unique(Y, axis=0)) / len(Y)
    if ties > TIES:
        out.append(
            Notice(
                "ties",
                f"{ties:.0%} of the rows equal another row, which has probability 0 under a "
                "density: repeated or rounded values can cause a rejection by themselves",
            )
        )
    whole = [c for c in range(Y.shape[1]) if len(Y) >= 20 and (given.X[:, c] % 1 == 0).all()]
    if whole and ties <= TIES:
        out.append(
            Notice(
                "whole-numbers",
                f"column {given.columns[whole[0]]!r} holds whole numbers only; a density says "
                "that this has probability 0",
            )
        )
    return tuple(out)


# --- statistic -------------------------------------------------------------------------------


def stein_points(Y: Array, S: Array, charts: Sequence[Chart], scale: str) -> SteinPoints:
    """Whiten the coordinates and map the scores along.

    Any invertible linear map leaves Stein's identity intact. Angles become arcs of a circle
    whose radius is one over their spread.
    """
    angle = np.array([chart.angle for chart in charts])
    rows, scores, radius = Y.copy(), S.copy(), np.full(Y.shape[1], np.inf)
    line = np.flatnonzero(~angle)
    if scale != "none" and len(line):
        full = scale == "whiten" and len(Y) >= ROWS_PER_COLUMN * len(line)
        map_ = whitening(Y[:, line], correlated=full)
        rows[:, line] = (Y[:, line] - map_.centre) @ map_.forward
        scores[:, line] = S[:, line] @ map_.backward
    for c in np.flatnonzero(angle):
        unit = 1.0
        if scale != "none":
            resultant = abs(np.mean(np.exp(1j * Y[:, c])))
            unit = math.sqrt(max(2 * (1 - resultant), 1e-12))
        radius[c] = 1 / unit
        rows[:, c] = np.mod(Y[:, c], 2 * math.pi) / unit
        scores[:, c] = S[:, c] * unit
    return SteinPoints.of(rows, scores, radius)


def _bank(points: SteinPoints, params: Params, rng: np.random.Generator) -> Bank:
    kernel = KERNELS[params.kernel]
    given = bandwidth_numbers(params.bandwidth)
    if given:
        return Bank(kernel, given)
    index = np.arange(len(points))
    if len(points) > DISTANCE_ROWS:
        index = np.sort(rng.choice(index, DISTANCE_ROWS, replace=False))
    return stein_bandwidths(kernel, points.embedded(index), params.bandwidth)


def _wild(
    points: SteinPoints,
    bank: Bank,
    law: str,
    params: Params,
    rng: np.random.Generator,
    work: Work,
) -> tuple[Array, Array, int]:
    """Statistics (L, B + 1) under random signs, sizes (L,), number of bins."""
    n = len(points)
    starts = sign_bins(n)
    sums = stein_sums(points, starts, bank, work)
    groups = len(starts) - 1
    signs = (
        markov_signs(starts, params.draws, params.flip, rng)
        if law == "markov"
        else independent_signs(groups, params.draws, rng)
    )
    within = np.arange(groups)
    sums.blocks[:, within, within] = 0  # pairs within a bin see no sign
    pairs = n**2 - float((np.diff(starts) ** 2).sum())
    T = signed_sums(sums.blocks, signs)
    size = np.sqrt(2 * sums.squares / (n * (n - 1)))
    return _normalised(T, points, bank, pairs, params), size, groups


def _parametric(
    points: SteinPoints,
    bank: Bank,
    target: Target,
    params: Params,
    rng: np.random.Generator,
    work: Work,
) -> tuple[Array, Array]:
    """Statistics (L, B + 1) of the data and of samples simulated from the target, sizes (L,)."""
    n, everything = len(points), params.draws + 1
    made: list[tuple[SteinPoints, Bank]] = []

    def samples() -> Iterator[tuple[SteinPoints, Bank]]:
        yield points, bank
        assert target.sample is not None
        for _ in range(params.draws):
            Y, S = target.unconstrain(target.sample(n, rng))
            simulated = stein_points(Y, S, target.charts, params.scale)
            made[:] = [(simulated, _bank(simulated, params, rng))]
            yield made[0]

    made.append((points, bank))
    T, squares = np.empty((len(bank), everything)), np.zeros(len(bank))
    for b, sums in enumerate(stein_totals(samples(), everything, work)):
        T[:, b] = _normalised(sums.blocks[:, :, 0], *made[0], n * (n - 1.0), params)[:, 0]
        squares += sums.squares
    # The mean over all samples, the observed one among them, treats all alike.
    return T, np.sqrt(2 * squares / everything / (n * (n - 1)))


def _normalised(
    totals: Array, points: SteinPoints, bank: Bank, pairs: float, params: Params
) -> Array:
    """Sums over pairs to U-statistics, or with the diagonal to V-statistics."""
    if params.statistic == "u":
        return totals / pairs
    diagonal = np.array([points.diagonal(bank, l).sum() for l in range(len(bank))])
    return np.asarray((totals + diagonal[:, None]) / (pairs + len(points)))


# --- the answer in words ---------------------------------------------------------------------


def _null(params: Params, target: Target | None, n: int) -> str:
    able = target is not None and target.sample is not None
    if params.null == "parametric" and not able:
        raise UsageError(
            "--null parametric: this target cannot be sampled from; use --null wild or markov"
        )
    if params.null != "auto":
        return params.null
    return "parametric" if able and n < PARAMETRIC_ROWS else "wild"


def _null_block(law: str, bins: int, params: Params) -> dict[str, object]:
    schemes = {
        "parametric": "samples simulated from the target",
        "wild": "random signs of rows" if law == "wild" else "",
        "markov": f"persistent signs of rows (flip {params.flip:g})",
    }
    return {
        "scheme": schemes[law],
        "replicates": params.draws,
        "exact": law == "parametric",
        "bins": bins,
    }


def _impossible(base: Result, outside: str, params: Params) -> Result:
    """A value that the target cannot give: probability 0 under the null, whatever the rest."""
    return replace(
        base,
        verdict="rejected",
        p_value=1 / (1 + params.draws),
        null={"scheme": "support of the target", "replicates": params.draws, "exact": True},
        explanation={"summary": f"the data do not fit the target: {outside}"},
    )


def _too_few(base: Result, params: Params) -> Result:
    n = base.n["data"]
    enough = max(2, 1 + math.ceil(-math.log2(params.alpha)))
    why = Notice(
        "too-few-rows",
        f"{n} row{'s' * (n != 1)}: the test needs at least 2, and {enough} where the null law "
        f"comes from random signs, to reject at level {params.alpha}",
    )
    explanation = {"summary": "too few rows to decide"}
    return replace(base, explanation=explanation, warnings=(why,))


def _z(T: Array, keep: NDArray[np.bool_]) -> Array:
    z = np.full(len(T), -np.inf)
    z[keep] = (T[keep, 0] - T[keep].mean(axis=1)) / T[keep].std(axis=1)
    return z


def _strongest(T: Array, keep: NDArray[np.bool_]) -> int:
    return int(np.argmax(_z(T, keep)))


def _per_bandwidth(T: Array, keep: NDArray[np.bool_], bank: Bank) -> dict[str, object]:
    """Squared discrepancy per bandwidth, also in units of its null's spread."""
    z = _z(T, keep)
    rows = [
        {"bandwidth": h, "ksd2": float(T[l, 0]), "z": float(z[l]) if keep[l] else None}
        for l, h in enumerate(bank.bandwidths)
    ]
    return {"strongest": rows[_strongest(T, keep)], "kernels": rows}
