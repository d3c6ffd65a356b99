"""What the two-sample tests share: pooled rows in an order that tells nothing, and the null.

A test here gets its rows from `pool`, its blocks from `design`, and one of several refusals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kstest.frozen import frozen

from ...diagnostics.dependence import LEAST_AUTO, block_length, serial_dependence
from ...diagnostics.digests import fingerprint
from ...errors import UsageError
from ...findings import summary
from ...kernels import Rows, scale_columns
from ...nulls import (
    BINS,
    CORRECTIONS,
    Partition,
    bin_size,
    group_partition,
    partition,
    time_partition,
)
from ...params import NULL, option
from ...result import Notice, Result, unvarying
from ...sample import Sample
from ..common import check_block_length
from .arranged import Arranged, arrange

Rng = np.random.Generator

# A test that does not reject has not shown that the distributions are the same.
SENTENCES = {
    True: "the samples differ: they are not draws from one distribution",
    False: "no evidence at this level that the samples' distributions differ",
}


@frozen
class Pooled(Arranged):
    """Rows of both samples, arranged and scaled.

    Attributes
    ----------
    rows : Rows
        m rows of one sample, then n of the other.
    scale : str
        One of `kstest.kernels.SCALES`: how `rows` were scaled.
    """

    rows: Rows
    scale: str

    def mark(self, samples: Sequence[Sample]) -> int:
        """A number of the pooled rows that knows neither labels nor order, for the seed."""
        return fingerprint(self.rows, robust=self.scale == "robust")


def pool(samples: Sequence[Sample], scale: str, sort: bool) -> Pooled:
    """Return the pooled rows, scaled; sorted within each sample unless their order matters."""
    arranged = arrange(samples, sort)
    values = arranged.table(samples)
    rows = Rows(scale_columns(values, scale, arranged.missing, out=values), arranged.codes)
    return Pooled(**arranged.parts, rows=rows, scale=scale)


def design(
    samples: Sequence[Sample],
    pooled: Arranged,
    params: Any,
    rng: Rng,
    fixed: tuple[int, int] = (0, 0),
) -> tuple[Partition, Rng, tuple[Notice, ...]]:
    """Choose what is permuted; return it, the generator to go on with, and what to warn of.

    Where bins of rows are permuted, at least `fixed` rows of each sample keep their label.

    Sorted data would meet the same shuffles in every data set, and the level would be that of
    one set of permutations; so the pooled rows, which know no labels, enter the seed.
    """
    rng = np.random.default_rng([int(rng.integers(2**63)), pooled.mark(samples)])
    if pooled.groups is not None:
        other = "--block-length" if params.block_length else f"--permute {params.permute}"
        if other != "--permute auto":
            raise UsageError(f"--group and {other}: groups are permuted; leave out one of the two")
        return group_partition(pooled.groups, pooled.m, rng), rng, ()
    if params.block_length is not None:
        length = block_length(params.block_length, samples)
        return time_partition(pooled.m, pooled.n, length, rng), rng, ()
    smaller = min(pooled.m, pooled.n)
    if params.permute == "rows":
        cut = partition(pooled.m, pooled.n, 1, rng, most=None)
    else:
        cut = partition(pooled.m, pooled.n, bin_size(smaller, params.bins), rng, fixed=fixed)
    return cut, rng, serial_dependence(samples)


def correction() -> Any:
    return option(
        "holm",
        "How p-values of columns are corrected: holm never names a column that does not differ "
        "more often than alpha, and draws the permutations it needs; westfall-young finds a little "
        "more, where columns depend on each other alike in both samples.",
        choices=tuple(CORRECTIONS),
    )


def bins() -> Any:
    text = "Bins of the smaller sample, at least, when bins are permuted."
    return option(BINS, text, section=NULL)


def check_design(params: Any) -> None:
    """Check what says how rows are permuted."""
    check_block_length(params)
    if not 2 <= params.bins <= BINS * 4:
        raise UsageError(f"--bins {params.bins}: give a whole number from 2 to {BINS * 4}")


def undecided(method: str, samples: Sequence[Sample], alpha: float) -> Result:
    """The result as it stands before the test has run."""
    return Result(
        method=method,
        verdict="no verdict",
        alpha=alpha,
        n={s.name: s.n for s in samples},
        d=len(samples[0].columns) + len(samples[0].categorical),
        columns=(*samples[0].columns, *samples[0].categorical),
    )


def null_block(cut: Partition, replicates: int, exact: bool = True) -> dict[str, object]:
    """`Result.null` of a test that permutes the blocks of a partition."""
    return {
        "scheme": cut.scheme,
        "replicates": replicates,
        "exact": cut.exact and exact,
        "bins": cut.movable,
        "rows_per_bin": cut.size or None,
    }


def refusal(samples: Sequence[Sample], base: Result) -> Result | None:
    """No verdict, if a sample is too small for any."""
    small = [s for s in samples if s.n < 2]
    if not small or samples[0].counted:  # of a histogram the entries count, not the bins
        return None
    found = " and ".join(f"{s.n} row{'s' * (s.n != 1)} in the {s.name}" for s in small)
    other = max(s.n for s in samples)
    return refused(
        base,
        f"{found}: the test needs at least 2, and {_enough(other, base.alpha)} to reject at "
        f"level {base.alpha}",
    )


def refused_for_permutations(
    cut: Partition, pooled: Arranged, base: Result, chosen: str | None = None
) -> Result | None:
    """No verdict, if too few permutations exist to reach p <= alpha.

    Nor if the blocks of time that were `chosen` by their memory (``auto``) are too few.
    """
    if chosen == "auto" and cut.movable < LEAST_AUTO:
        return refused(
            base,
            f"the memory of the series asks for {cut.unit}, and "
            f"{pooled.m:,} against {pooled.n:,} rows have {cut.movable} of them: at least "
            f"{LEAST_AUTO} are needed to tell a difference from what neighbouring rows share. Use "
            "more rows, or a shorter --block-length if you know that the series forgets sooner",
        )
    if cut.distinct >= 1 / base.alpha:
        return None
    what = f"{cut.movable // 2 if cut.paired else cut.movable} {cut.unit}"
    text = (
        f"{pooled.m} against {pooled.n} rows: only {cut.distinct} different permutations of the "
        f"{what} exist, so no p-value can reach {base.alpha}"
    )
    advice = {
        "rows": f"; it takes {_enough(max(pooled.m, pooled.n), base.alpha)}",
        "bins of rows": "; raise --bins or use --permute rows",
        "groups": "; more groups are needed",
    }
    return refused(base, text + advice.get(cut.unit, "; more rows or a smaller --block-length"))


def _enough(other: int, level: float) -> str:
    """How many rows a side must have, against `other` rows, for 1 / level permutations."""
    if other >= 2:
        for k in range(2, other):
            if math.comb(other + k, k) >= 1 / level:
                return f"{k} rows against {other}"
    return f"{balanced_rows(level)} rows on both sides"


def balanced_rows(level: float) -> int:
    """Smallest number of rows a side, the same on both, with 1 / level permutations."""
    k = 2
    while math.comb(2 * k, k) // 2 < 1 / level:
        k += 1
    return k


def refused(base: Result, why: str, code: str = "too-few-rows") -> Result:
    text = "too few rows to decide" if code.startswith("too-few") else "no decision is possible"
    return base.told(summary(text), warnings=(Notice(code, why),))


def constant(base: Result, why: str) -> Result:
    """No permutation differs from another: no verdict."""
    return unvarying(base, "permutation of the rows", why)
