"""Test a batch against a private sketch of a reference.

    delta = sum / n - mean v(y).

Under the null hypothesis, that the batch's rows are draws from the distribution of the reference,
delta is nearly normal with covariance C + s^2 I, C = S (1 / n + 1 / m), S the covariance of v(y) in
the batch and s the noise of the sketch. In the coordinates of the eigenvectors u_l of C, of
eigenvalues c_l, two sums are taken,

    T_w = sum_l w_l (u_l . delta)^2,   w_l = 1,  and  w_l = c_l / (c_l + s^2):

the squared distance of mean features, and the same without coordinates that are nothing but noise
(Wiener's filter). The second finds more where noise is large, the first a batch that hardly varies.
The statistic is the larger one of both in units of its spread,

    (T_w - sum_l t_l) / sqrt(2 sum_l t_l^2),   t_l = w_l (c_l + s^2),

compared with the same of draws from N(0, C + s^2 I) in place of delta. The noise is inside the
null, and the level holds at every epsilon.

A small batch may lack what is rare in the reference, and its S is then too small where delta
points. The trace of the reference's S is known, 1 - |mean v(x)|^2, since |v| is 1: by what it
exceeds that of the batch, the S of the draws is made larger in the direction of delta.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kstest.frozen import frozen

from ..contract import Inputs, Test
from ..diagnostics.dependence import serial_dependence
from ..engine import Work
from ..errors import UsageError
from ..findings import Facts, Finding, Line, number, summary
from ..params import alpha, check_common, option, permutations, seed
from ..result import Notice, Result
from ..sample import Sample
from ..wording import listed
from .features import AMPLITUDE, BANDWIDTHS, PAIRS, WIDTH, Array, features
from .release import REFERENCES
from .sketch import REVIEW, Sketch
from .units import Placed, placed, used
from .witness import witness_found

# Fewer rows say too little of their own covariance.
LEAST_ROWS = 20
# The null rests on the batch's covariance alone, which is enough where the reference is far larger.
MOST_OF_REFERENCE = 0.1
DRAWN_AT_ONCE = 1 << 13
SENTENCES = {
    True: "the rows are no draws from the distribution of the reference",
    False: "no difference from the reference was found, which does not show that there is none",
}
UNIT = AMPLITUDE * PAIRS**0.5  # the length of the features of a row


@frozen
class Params:
    """Options of a test against a sketch: those of `kstest mmd` that need no rows."""

    alpha: float = alpha()
    permutations: int = permutations()
    seed: int = seed()
    explain: str = option("columns", "What to explain a rejection by.", metavar="columns|none")
    categorical: str | None = option(None, "Columns with levels.", hidden=True)

    def __post_init__(self) -> None:
        check_common(self)
        if self.explain not in ("columns", "none"):
            raise UsageError(
                f"--explain {self.explain}: a sketch has no rows to explain by; accepted: columns, "
                "none"
            )


@frozen
class _Moments:
    """Mean and covariance of features of length 1, of m rows."""

    mean: Array
    covariance: Array
    rows: int

    @classmethod
    def of(cls, rows: Placed, sketch: Sketch) -> _Moments:
        m, sums, products = len(rows.values), np.zeros(WIDTH), np.zeros((WIDTH, WIDTH))
        for block in features(rows.values, rows.codes, sketch.frequencies):
            v = block / UNIT
            sums += v.sum(axis=0)
            products += v.T @ v
        mean = sums / m
        return cls(mean, (products - m * np.outer(mean, mean)) / (m - 1), m)


def test_of(sketch: Sketch) -> Test[Params]:
    """The test against one sketch; `run` of it has the words."""

    def tested(
        samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work
    ) -> Result:
        return run(sketch, samples, params, rng)

    return Test(
        inputs=Inputs(
            roles=("sample",),
            accepts=frozenset({"categorical"}),
            params=Params,
            example="kstest mmd ref.sketch batch.csv",
        ),
        references=REFERENCES,
        run=tested,
    )


def run(
    sketch: Sketch, samples: Sequence[Sample], params: Params, rng: np.random.Generator
) -> Result:
    """Test whether a batch's rows are draws from the distribution behind a sketch.

    Parameters
    ----------
    sketch : Sketch
        Of n rows.
    samples : one Sample
        m independent rows of the columns of the sketch.
    params : Params
        `permutations` is the number of draws from the null distribution.
    rng : numpy.random.Generator

    Returns
    -------
    Result
        The statistic has no unit; ``explanation["sketch"]["mmd2"]`` estimates MMD^2, without bias
        from noise. No verdict below `LEAST_ROWS` rows on either side.

    Notes
    -----
    Asymptotic in m and n (`exact` is false): it rests on independent rows, on means of features
    that are nearly normal, and on S, which is that of the batch alone. Where the reference is not
    far larger than the batch, a warning says so: levels of .05 are up to .08 in truth. Of a sketch
    of users with at most g rows each, 1 / n becomes g / n, which no dependence within users
    exceeds. Dividing by C in place of the weights finds less, and its level does not hold; levels
    and power: ``benchmarks/release.py``.

    References
    ----------
    Harder, Adamczewski and Park (2021), DP-MERF, arXiv 2002.11603 (the sketch); Balog, Tolstikhin
    and Schoelkopf (2018), arXiv 1710.01641.
    """
    (sample,) = samples
    base = Result(
        method="mmd",
        verdict="no verdict",
        alpha=params.alpha,
        n={"reference": sketch.n, "sample": sample.n},
        d=len(sketch.columns),
        columns=tuple(column.name for column in sketch.columns),
    )
    if min(sample.n, sketch.n) < LEAST_ROWS:
        side = "sample" if sample.n < LEAST_ROWS else "reference"
        why = (
            f"{min(sample.n, sketch.n)} rows in the {side}: a test against a sketch takes at least "
            f"{LEAST_ROWS}, since its null distribution is a limit"
        )
        return base.told(summary("too few rows to decide"), warnings=(Notice("too-few-rows", why),))
    used(sketch.columns, sample, "the sketch")
    rows = placed(sample, sketch.columns)
    batch = _Moments.of(rows, sketch)
    delta = np.array([s / sketch.n for s in sketch.sums]) / UNIT - batch.mean
    sampling, noise = _variances(sketch, batch)
    c, U = np.linalg.eigh(batch.covariance * sampling)
    c, turned = np.maximum(c, 0), U.T @ delta
    weights = np.array([np.ones(WIDTH), c / (c + noise)])
    sizes = weights * (c + noise)
    statistic = float(_larger(turned**2, weights, sizes))
    lack = _lack(batch, delta, noise) * sampling / max(float(delta @ delta), 1e-300)
    null = _draws(weights, sizes, c + noise, turned * lack**0.5, params.permutations, rng)
    p = float((1 + (null >= statistic).sum()) / (1 + len(null)))
    rejected = p <= params.alpha
    share = WIDTH * noise / float(sizes[0].sum())
    mmd2 = float(delta @ delta - sizes[0].sum())
    found: list[Finding] = [
        summary(SENTENCES[rejected]),
        _sketch_found(sketch, share, mmd2, sample.n),
    ]
    if rejected and params.explain == "columns":
        found += witness_found(sample, rows, sketch, delta / UNIT)
    return base.told(
        *found,
        verdict="rejected" if rejected else "not rejected",
        statistic=statistic,
        p_value=p,
        threshold=float(np.quantile(null, 1 - params.alpha, method="higher")),
        kernel={
            "name": "gaussian",
            "bandwidths": [h * len(sketch.columns) ** 0.5 for h in BANDWIDTHS],
            "aggregate": None,
            "scale": "declared",
        },
        null={
            "scheme": "normal limit with the noise of the sketch (approximate)",
            "replicates": params.permutations,
            "exact": False,
        },
        warnings=_warnings(sketch, sample, rows),
    )


def _variances(sketch: Sketch, batch: _Moments) -> tuple[float, float]:
    """1 / n + 1 / m, and the variance of the noise of a coordinate."""
    together = sketch.privacy.rows_per_group or 1
    sampling = min(together / sketch.n, 1.0) + 1 / batch.rows
    return sampling, sketch.privacy.noise(sketch.n) ** 2


def _draws(
    weights: Array, sizes: Array, variances: Array, more: Array, draws: int,
    rng: np.random.Generator,
) -> Array:  # fmt: skip
    """Draws of the statistic under N(0, diag(variances) + more more')."""
    found = []
    for first in range(0, draws, DRAWN_AT_ONCE):
        k = min(DRAWN_AT_ONCE, draws - first)
        z = rng.normal(size=(k, WIDTH)) * np.sqrt(variances) + rng.normal(size=(k, 1)) * more
        found.append(_larger(z**2, weights, sizes))
    return np.concatenate(found)


def _lack(batch: _Moments, delta: Array, noise: float) -> float:
    """By how much the trace of the reference's covariance exceeds the batch's, if it does."""
    reference = delta + batch.mean
    lack = float(batch.mean @ batch.mean - reference @ reference) + WIDTH * noise
    return max(lack, 0.0)


def _larger(squares: Array, weights: Array, sizes: Array) -> Array:
    """The larger one of both sums of squares (..., D) in units of its spread.

    The second is left out where the batch does not vary at all, so that it sees nothing.
    """
    spread = np.sqrt(2 * (sizes**2).sum(axis=1))
    kept = spread > 0
    sums = squares @ weights[kept].T - sizes[kept].sum(axis=1)
    return np.asarray((sums / spread[kept]).max(axis=-1))


def _sketch_found(sketch: Sketch, share: float, mmd2: float, m: int) -> Facts:
    privacy = sketch.privacy
    free = privacy.rows_free(m)
    value = {
        "sha256": sketch.digest,
        "review": REVIEW,
        "epsilon": privacy.epsilon,
        "delta": privacy.delta,
        "rho": float(privacy.rho),
        "neighbours": "row" if privacy.rows_per_group is None else "group",
        "mmd2": mmd2,
        "noise_share": share,
        "rows_free": free,
    }
    cost = f"{100 * share:.2g} % of the null's variance is noise of privacy"
    if sketch.n < free:
        cost += f"; it costs nearly nothing from {free:,} reference rows on"
    promise = f"epsilon {number(privacy.epsilon)}, delta {number(privacy.delta)}"
    lines = (
        Line("sketch", f"{promise} (experimental)", "data"),
        Line("noise", cost, "data"),
    )
    return Facts("sketch", value, lines)


def _warnings(sketch: Sketch, sample: Sample, rows: Placed) -> tuple[Notice, ...]:
    found = list(serial_dependence([sample], "every k-th row"))
    if sample.n > MOST_OF_REFERENCE * sketch.n:
        found.append(
            Notice(
                "large-batch",
                f"the batch has more than a tenth of the {sketch.n:,} rows of the reference, of "
                "which no covariance is known: a level of 0.05 may be 0.08 to 0.09 in truth. Test "
                "fewer rows, or take --alpha 0.025",
            )
        )
    for name, levels in rows.other.items():
        found.append(
            Notice(
                "undeclared-levels",
                f"{name} has levels that were not declared and count as one: {listed(levels)}",
            )
        )
    for name, count in rows.far.items():
        found.append(
            Notice(
                "far-values",
                f"{count:,} rows have {name} beyond 2^20 units from its centre and count as being "
                "there",
            )
        )
    return tuple(found)
