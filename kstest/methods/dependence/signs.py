"""Random signs: the null of a conditional test where values of the given columns hardly repeat.

Given z, let A_i and B_i be what smoothing (`leftover`) leaves of two blocks' kernel features in row
i. If the blocks are independent given z, E[A_i x B_i | z] is the product of the errors of both
regressions, and if that is negligible, a random sign per row and block changes nothing that
matters. So the draws are A*_i = e_i A+_i and B*_i = f_i B+_i, smoothed again by the same smoothers:
residuals of one smoother are not independent of each other, on both sides in the same way, which
plain signs would not know. No equal spread is asked of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...engine import Work, single_blas
from ...engine.smoothers import Smoothed, smooth_features
from ...engine.tensors import joint_sums, pair_sums, within
from ...engine.work import run_tasks
from ...errors import UsageError
from ...kernels import KERNELS
from ...nulls import independent_signs
from ...result import Notice
from .. import common
from . import smoothing
from .arrangement import BINS, ROWS, Arranged
from .column_blocks import Block
from .combinations import Combination, Statistics, joined
from .learners import MOST_LEVELS
from .leftover import Targets, block_features, factor_features, smoother_bases
from .neighbourhoods import EQUAL_BINS

Array = NDArray[np.float64]

# Rows, or groups or blocks of rows, without which there is no verdict; and how many per column.
LEAST_UNITS, LEAST_GROUPS, UNITS_PER_LINE = 50, 20, 3
# With more given columns than this, rows for each of them: with 25 a chain of eight columns is
# called dependent too often (benchmarks/conditional.py).
FEW_COLUMNS, UNITS_PER_COLUMN = 4, 40
# Rows (or units) of a given level that can be learned, and the share of rows that may have fewer.
LEVEL_ROWS, THIN_SHARE = 10, 0.1
# With fewer rows than this share at ease all of them are kept: no part of the table is smooth.
LEAST_KEPT = 0.5
# Numbers that the features of all blocks have in one batch of draws.
BATCH_NUMBERS = 400_000
# Components of each block in the product of three blocks or more, by the number of blocks.
JOINT_COMPONENTS = {3: 6, 4: 4, 5: 3}


@frozen
class Leftover:
    """Smoothed features of every block under one kernel.

    Attributes
    ----------
    kernel : str
    blocks : list of Smoothed
    slices : list of list of slice
        Per block and bandwidth, which features.
    widths : list of list of (float or None)
    factors : ndarray (n, w)
        Features of a kernel of the given columns.
    width : float
        Its bandwidth.
    size : int
        Rows of a unit.
    steep : ndarray of bool (L, n)
        Rows where a block's prediction changes fast.
    """

    kernel: str
    blocks: list[Smoothed]
    slices: list[list[slice]]
    widths: list[list[float | None]]
    factors: Array
    width: float
    size: int
    steep: NDArray[np.bool_]

    @property
    def pairs(self) -> int:
        """Ordered pairs of rows of different units."""
        n = len(self.factors)
        units, rest = divmod(n, self.size)
        return int(n**2 - units * self.size**2 - rest**2)

    def kept(self, some: Sequence[int]) -> NDArray[np.bool_]:
        """Rows that count in a test of these blocks; shape (n,)."""
        return kept_rows(self.steep[list(some)])

    def drawn(self, draws: int, rng: np.random.Generator) -> list[Array]:
        """Features of every block under random signs, (draws, n, p) each."""
        n = len(self.factors)
        found = []
        for block in self.blocks:
            signs = independent_signs(-(-n // self.size), draws, rng)[:, 1:].T
            found.append(block.again(np.repeat(signs, self.size, axis=1)[:, :n].astype(np.float64)))
        return found


def too_few(data: Arranged) -> Notice | None:
    """Say why signs would copy the sums' distribution badly, or levels could not be learned."""
    given = data.given
    assert given is not None
    least = LEAST_UNITS if data.unit == 1 else LEAST_GROUPS
    columns = given.rows.values.shape[1]
    least = max(least, UNITS_PER_LINE * (1 + columns))
    if columns > FEW_COLUMNS:
        least = max(least, UNITS_PER_COLUMN * columns)
    if data.units < least:
        why = (
            f"{data.units:,} {ROWS if data.how.unit == BINS else data.how.unit} whose values of "
            f"--given hardly repeat: the approximate test needs at least {least}. Rounded values "
            f"of --given, {EQUAL_BINS} rows or more to each, make it exact"
        )
        return Notice("too-few-rows", why)
    for codes in given.block.codes.T:
        counts = np.unique(codes, return_inverse=True, return_counts=True)[1:]
        thin = counts[1][counts[0]] < LEVEL_ROWS * data.unit
        if thin.mean() > THIN_SHARE or len(counts[1]) > MOST_LEVELS:
            why = (
                f"a category of --given {' '.join(given.block.names)} has {len(counts[1]):,} "
                f"levels, {thin.mean():.0%} of the rows in levels of fewer than "
                f"{LEVEL_ROWS * data.unit}: what such levels explain is not learned. At most "
                f"{MOST_LEVELS} levels, nearly all of them larger, are accepted; merge levels, or "
                "leave the column out"
            )
            return Notice("too-few-rows", why)
    return None


def targets_of(
    data: Arranged, columns: Sequence[Block], params: Any, rng: np.random.Generator
) -> Targets:
    """Learn the tested columns, a block of its own each.

    Raises
    ------
    UsageError
        For options of permutations, as there are none.
    """
    if params.permute != "auto":
        raise UsageError(
            f"--permute {params.permute}: values of --given hardly repeat, so random signs take "
            "the place of permutations; leave it out"
        )
    assert data.given is not None
    with single_blas():
        rows = data.cut.order
        return Targets.of(columns, data.given, rows, data.unit, params.scale, rng)


def kept_rows(steep: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows at which no block's prediction changes fast; all of them if there are few such rows."""
    out = np.asarray(~steep.any(axis=0))
    return out if out.mean() >= LEAST_KEPT else np.ones(len(out), np.bool_)


def leftovers(
    data: Arranged, rules: Sequence[str], params: Any, rng: np.random.Generator
) -> list[Leftover]:
    """Smooth the features of every block, per kernel of --kernel."""
    given, targets = data.given, data.targets
    assert given is not None
    assert targets is not None
    wholes = given.unit > 1
    steep = targets.rows_of(targets.steep, data.blocks)
    with single_blas():
        bases = smoother_bases(given, targets)
        factors = factor_features(given, targets.rows)
        found = []
        for name in common.kernel_names(params.kernel):
            blocks, slices, widths = [], [], []
            for block, rule in zip(data.blocks, rules, strict=True):
                city = KERNELS[name].geometry == "cityblock"
                rows = targets.residuals(block.names, params.scale, city)
                parts, some = block_features(rows, name, rule, rng)
                edges = np.cumsum([0, *(part.shape[1] for part in parts)])
                slices.append([slice(a, b) for a, b in pairwise(edges)])
                widths.append(some)
                features = np.hstack(parts)
                blocks.append(
                    smooth_features(features, bases, smoothing.PENALTIES, targets.size, wholes)
                )
            found.append(
                Leftover(
                    name,
                    blocks,
                    slices,
                    widths,
                    factors,
                    given.width,
                    targets.size,
                    steep,
                )
            )
    return found


def signed_pairs(
    made: Sequence[Leftover],
    pairs: Sequence[tuple[int, int]],
    draws: int,
    rng: np.random.Generator,
    work: Work,
) -> list[Statistics]:
    """HSIC of pairs of blocks, observed and under random signs, which all pairs share."""
    every = [_replicated(one, _pairs_of, pairs, draws, rng, work) for one in made]
    found = []
    for k, (x, y) in enumerate(pairs):
        parts = []
        for one, T in zip(made, every, strict=True):
            combinations: list[Combination] = [
                (one.kernel, (a, b, third))
                for a in one.widths[x]
                for b in one.widths[y]
                for third in (None, one.width)
            ]
            square = np.multiply.outer(_squares(one, x), _squares(one, y)).ravel()
            size = np.repeat(np.sqrt(square), 2) / one.pairs
            parts.append(Statistics(T[k] / one.pairs, size, combinations))
        found.append(joined(parts))
    return found


def _pairs_of(
    one: Leftover, features: Sequence[Array], pairs: Sequence[tuple[int, int]]
) -> list[Array]:
    found = []
    for x, y in pairs:
        left = features[x] * one.kept((x, y))[:, None]
        some = (one.slices[x], one.slices[y])
        T = pair_sums(left, features[y], some, one.factors, one.size)
        found.append(T.reshape(-1, T.shape[-1]))
    return found


def signed_joint(
    made: Sequence[Leftover], draws: int, rng: np.random.Generator, work: Work
) -> Statistics:
    """Statistics of more than two blocks, the l-th bandwidth of one with the l-th of the others.

    Per bandwidth the products of pairs of blocks, summed over the pairs; the same of triples, and
    of all blocks, by their largest components: the parts of the total multivariance (Boettcher,
    Keller-Ressel, Schilling 2019, arXiv 1711.07775), each a statistic of its own.
    """
    count = len(made[0].blocks)
    orders = sorted({2, 3, count})
    parts = []
    for one in made:
        (T,) = _replicated(one, _joint_of, orders, draws, rng, work)
        combinations: list[Combination] = [
            (one.kernel, widths) for widths in zip(*one.widths, strict=True) for _ in orders
        ]
        squares = np.prod([_squares(one, l) / one.pairs for l in range(count)], axis=0)
        parts.append(
            Statistics(T / one.pairs, np.repeat(np.sqrt(squares), len(orders)), combinations)
        )
    return joined(parts)


def _joint_of(one: Leftover, features: Sequence[Array], orders: Sequence[int]) -> list[Array]:
    blocks = range(len(one.blocks))
    kept = one.kept(blocks)[:, None]
    features = [part * kept for part in features]
    rows = []
    for slices in zip(*one.slices, strict=True):
        for order in orders:
            most = JOINT_COMPONENTS.get(order, 2)
            total = np.zeros(len(features[0]))
            for some in combinations(blocks, order):
                parts = [features[l][:, :, slices[l]] for l in some]
                if order > 2:
                    parts = [part[:, :, :most] for part in parts]
                total += joint_sums(parts, one.size)
            rows.append(total)
    return [np.array(rows)]


def _replicated(
    one: Leftover,
    sums: Callable[[Leftover, Sequence[Array], Any], list[Array]],
    what: Sequence[Any],
    draws: int,
    rng: np.random.Generator,
    work: Work,
) -> list[Array]:
    """Statistics (K, draws + 1) of the observed features and of draws, in batches by task.

    `what` says which: the pairs, or the numbers of blocks. Every batch has a generator of its own,
    so that threads change nothing.
    """
    width = sum(block.left.size for block in one.blocks)
    step = max(1, min(draws, BATCH_NUMBERS // max(width, 1)))
    starts = range(0, draws, step)
    tasks = [
        (one, sums, what, min(step, draws - first), source)
        for first, source in zip(starts, rng.spawn(len(starts)), strict=True)
    ]
    with single_blas():
        observed = sums(one, [block.left[None] for block in one.blocks], what)
        found = list(run_tasks(_batch, tasks, work))
    return [np.concatenate(parts, axis=1) for parts in zip(observed, *found, strict=True)]


def _batch(
    one: Leftover,
    sums: Callable[[Leftover, Sequence[Array], Any], list[Array]],
    what: Sequence[Any],
    draws: int,
    source: np.random.Generator,
) -> list[Array]:
    return sums(one, one.drawn(draws, source), what)


def _squares(one: Leftover, block: int) -> Array:
    """Sum of squared kernel values over pairs of rows of different units, per bandwidth."""
    A, found = one.blocks[block].left, []
    for some in one.slices[block]:
        gram = A[:, some].T @ A[:, some]
        own = within(A[None], some, one.size)
        found.append(max(float((gram * gram).sum() - (own * own).sum()), 0.0))
    return np.array(found)
