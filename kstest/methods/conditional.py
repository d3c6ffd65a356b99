"""Conditional independence of two blocks given a third: smooth it out, permute among neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import Basis, Residual, Work, bare, residuals
from ..kernels import KERNELS, Bank, Rows
from ..nulls import p_value, threshold
from ..result import Notice, Result
from ..sample import Sample
from . import common, smoothing
from .arrangement import Plan, seeded
from .column_blocks import Block, named_blocks
from .dependence import centred_ranks, describe, kernel_block, serial_notice, strongest
from .independence import Rung, Statistics, banks, combined, crossed, draw, joined
from .neighbourhoods import Cells, form_cells

Array = NDArray[np.float64]

# Residuals this many standard errors more alike among neighbours than chance has it.
UNEXPLAINED = 3.0
# Degrees of freedom per row from which on cross-validation leaves a bias that the test sees.
MOST_FREEDOM = 0.08
MOST_DESCRIBED = 400

_SENTENCES = {
    True: "the blocks depend on each other given {given}",
    False: "no evidence at this level that the blocks depend on each other given {given}",
}


@dataclass(frozen=True)
class Sides:
    """Both blocks ready for permutation, with the rows of the third in the order of each."""

    cells: Cells
    blocks: tuple[Rows, Rows]
    given: tuple[Rows, Rows]
    bases: tuple[tuple[Basis, ...], tuple[Basis, ...]]
    width: float


def test_given(
    base: Result,
    data: Sample,
    names: Sequence[tuple[str, ...]],
    params: Any,
    rng: np.random.Generator,
    work: Work,
) -> Result:
    """Test the first two blocks of columns for independence given the third; see `hsic.run`."""
    x, y, z = (Block.of(data, block) for block in names)
    rng = seeded([x, y, z], params.scale, rng)
    sides = _sides(x, y, z, params, rng)
    cut, equal = sides.cells.cut, sides.cells.equal
    if data.n < 4 or cut.distinct < 1 / params.alpha:
        return _refused(base, cut.distinct, params)
    found, margins = _statistics(sides, params, rng, work)
    T = combined(found, params.aggregate, data.n)
    given = " ".join(names[2])
    shares = [float(margin.explained[len(margin.bank) // 2]) for margin in margins]
    explanation: dict[str, Any] = {
        "summary": _SENTENCES[False].format(given=given),
        "blocks": [list(block) for block in names[:2]],
        "given": list(names[2]),
        "explained": shares if params.conditional == "residuals" else None,
    }
    warnings = serial_notice(data, [x, y], Plan(cut.size), "every k-th row, with --where")
    warnings += () if equal else _unexplained(sides, margins, given, params)
    base = replace(
        base,
        null=_null(cut.size, sides, params),
        kernel=kernel_block(found, params),
        warnings=warnings,
        explanation=explanation,
    )
    if T is None:
        return replace(base, verdict="not rejected", statistic=0.0, p_value=1.0)
    p = p_value(T)
    explanation |= strongest(found)
    if p <= params.alpha:
        explanation["summary"] = _SENTENCES[True].format(given=given)
        explanation["dependence"] = _columns(data, names, sides)
    return replace(
        base,
        verdict="rejected" if p <= params.alpha else "not rejected",
        statistic=float(T[0]),
        p_value=p,
        threshold=threshold(T, params.alpha),
        explanation=explanation,
    )


def _sides(x: Block, y: Block, z: Block, params: Any, rng: np.random.Generator) -> Sides:
    """Scale, form cells, and store each block's rows in an order of its own within the cells."""
    keys = [key for block in (x, y, z) for key in block.keys]
    order = np.lexsort(keys[::-1])[rng.permutation(len(x))]
    rows = z.scaled(params.scale)
    cells = form_cells(z, rows, order, params.permute, rng)
    cut = cells.cut
    (bank,) = common.banks(rows.take(order), "gaussian", "median", "octaves", rng)
    width = float(bank.bandwidths[0])
    bases: tuple[Basis, ...] = (smoothing.constant(len(x)),)
    if params.conditional == "residuals":
        count = min(smoothing.LANDMARKS, len(x))
        landmarks = cut.order[np.linspace(0, len(x) - 1, count).astype(np.int64)]
        bases = tuple(smoothing.bases(rows, width, landmarks))
    left, right = cut.rows(0), cut.rows(1)
    return Sides(
        cells,
        (x.scaled(params.scale).take(left), y.scaled(params.scale).take(right)),
        (rows.take(left), rows.take(right)),
        (tuple(b.take(left) for b in bases), tuple(b.take(right) for b in bases)),
        width,
    )


def _statistics(
    sides: Sides, params: Any, rng: np.random.Generator, work: Work
) -> tuple[Statistics, tuple[Residual, Residual]]:
    """Statistics of all kernels, without and with a kernel of the third block as a factor.

    Also returns the residuals of the first kernel.
    """
    chosen = banks(sides.blocks, params, rng)
    cut = sides.cells.cut
    drawn = draw(cut, params.permutations, rng)
    factor = bare(sides.given[0], Bank(KERNELS["gaussian"], (sides.width,)))
    parts, first = [], None
    for bank_x, bank_y in chosen:
        lefts = residuals(
            sides.blocks[0], bank_x, sides.bases[0], smoothing.PENALTIES, [None, factor], work
        )
        (right,) = residuals(
            sides.blocks[1], bank_y, sides.bases[1], smoothing.PENALTIES, [None], work
        )
        for left, width in zip(lefts, (None, sides.width), strict=True):
            products = crossed(left, right, cut.size, drawn, work)
            parts.append(_scaled(left, right, width, products))
        first = first or (lefts[0], right)
    assert first is not None
    return joined(parts), first


def _scaled(left: Residual, right: Residual, width: float | None, products: Array) -> Statistics:
    n = len(left)
    pairs = n * (n - 1)
    size = np.sqrt(np.outer(left.centred_square, right.centred_square)).ravel() / pairs
    rungs: list[Rung] = [
        (left.bank.kernel.name, (a, b, width)) for a in _widths(left) for b in _widths(right)
    ]
    return Statistics(products.reshape(len(rungs), -1) / pairs, size, rungs)


def _widths(margin: Residual) -> list[float | None]:
    return [h if margin.bank.kernel.has_bandwidth else None for h in margin.bank.bandwidths]


def _null(size: int, sides: Sides, params: Any) -> dict[str, Any]:
    cut, equal = sides.cells.cut, sides.cells.equal
    assert cut.cells is not None
    what = "rows" if size == 1 else "bins of rows"
    where = "with equal values" if equal else "among neighbours"
    return {
        "scheme": f"permutation of {what} {where} of the given columns",
        "replicates": params.permutations,
        "exact": equal,
        "bins": cut.bins,
        "rows_per_bin": size,
        "cells": int(cut.cells[-1]) + 1,
    }


def _unexplained(
    sides: Sides, margins: tuple[Residual, Residual], given: str, params: Any
) -> tuple[Notice, ...]:
    """Warn when both blocks may still vary with the third among what is permuted.

    One block is enough to be free of it: then products of residuals have mean 0.
    """
    if params.conditional == "residuals":
        share = float(np.min([margin.freedom for margin in margins], axis=0).max())
        found = share > MOST_FREEDOM
        how = f"to smooth {given} out of them takes {100 * share:.0f} parameters per 100 rows"
    else:
        found = min(_likeness(margin, sides.cells) for margin in margins) > UNEXPLAINED
        how = f"they still vary with {given} among the rows that are permuted with each other"
    if not found:
        return ()
    why = (
        f"both blocks depend on {given} so closely that false alarms are likely: {how}. More rows, "
        "or fewer columns in --given, help; repeated values (rounded ones) make the test exact"
    )
    return (Notice("given-not-taken-out", why),)


def _likeness(margin: Residual, cells: Cells) -> float:
    """Largest mean residual kernel value within cells, in standard errors, over the rungs."""
    cut = cells.cut
    assert cut.cells is not None
    edges = np.flatnonzero(np.diff(np.repeat(cut.cells, cut.size), prepend=-1, append=-1))
    total, squares = np.zeros((2, len(margin.bank)))
    for first, stop in pairwise(edges):
        i = np.arange(first, stop)[None]
        out = np.empty((len(total), 1, i.size, i.size), margin.rows.dtype)
        margin.values(i, i, True, out)
        total += out.sum(axis=(1, 2, 3), dtype=np.float64)
        squares += np.einsum("rpij,rpij->r", out, out, dtype=np.float64)
    ratio = np.divide(total, np.sqrt(2 * squares), out=np.zeros_like(total), where=squares > 0)
    return float(ratio.max())


def _columns(data: Sample, names: Sequence[tuple[str, ...]], sides: Sides) -> list[dict[str, Any]]:
    """Describe pairs of columns by their ranks within cells; two categories are left out."""
    rows = []
    for a in names[0]:
        for b in names[1]:
            one, two = (_ranks_within(Block.of(data, (name,)), sides.cells) for name in (a, b))
            if one.values.size or two.values.size:
                rows.append({"x": a, "y": b, "z": None, **describe(one, two).to_dict()})
    return sorted(rows[:MOST_DESCRIBED], key=lambda row: -abs(row["strength"]))


def ranks_given(data: Sample, blocks: Sequence[Block], params: Any) -> list[Block]:
    """Return single columns with numbers replaced by ranks among rows alike in `params.given`."""
    (names,) = named_blocks([("--given", params.given)], data.file_columns or data.columns)
    z = Block.of(data, names)
    rng = np.random.default_rng(params.seed)
    order = rng.permutation(data.n)
    cells = form_cells(z, z.scaled(params.scale), order, params.permute, rng)
    return [_ranks_within(block, cells) for block in blocks]


def _ranks_within(block: Block, cells: Cells) -> Block:
    """A numeric column's ranks less their mean in each cell."""
    if not block.values.size:
        return block
    cut = cells.cut
    assert cut.cells is not None
    label = np.full(len(block), int(cut.cells[-1]) + 1)
    label[cut.order[: cut.bins * cut.size]] = np.repeat(cut.cells, cut.size)
    ranks = centred_ranks(block.values[:, 0])
    means = np.bincount(label, ranks) / np.maximum(np.bincount(label), 1)
    return replace(block, values=(ranks - means[label])[:, None])


def _refused(base: Result, distinct: int, params: Any) -> Result:
    """No verdict: so few pairings could be told apart that none would be rejected."""
    why = (
        f"rows that are alike in --given can be paired in {distinct} ways: the test needs at least "
        f"{int(np.ceil(1 / params.alpha))} to reject at level {params.alpha}"
    )
    explanation = {"summary": "too few rows to decide"}
    return replace(base, explanation=explanation, warnings=(Notice("too-few-rows", why),))
