"""The rows of a study: who was treated, outcomes, and covariates, as features of kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, UsageError
from ...kernels import KERNELS, Rows
from ...kernels.bandwidths import pair_distances
from ...sample import Sample
from ...wording import listed, shown
from ..dependence.column_blocks import Block
from ..dependence.landmarks import kernel_features, median_distance, spread_rows
from ..dependence.learners import additive, indicators
from .options import Named, Params

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Bandwidths of the outcome kernel, in median distances; landmark rows of one column and of several.
BANDWIDTHS = (4.0, 2.0, 1.0, 0.5, 0.25)
LANDMARKS, MANY_LANDMARKS = 40, 60
# Landmark rows of the covariates: a tenth of the rows, at most so many; of fewer rows, none.
COVARIATE_LANDMARKS, FEW_ROWS = 100, 50
# Covariates beyond so many spreads are compressed logarithmically, which keeps their order.
FAR = 5.0
# Columns at most that have features of their own.
MOST_SINGLE = 20
GAUSSIAN = KERNELS["gaussian"]


@dataclass(frozen=True)
class Study:
    """Rows in an order that does not depend on the order in the file.

    Attributes
    ----------
    treated : ndarray of bool (n,)
    arms : (str, str)
        What the untreated and the treated are called.
    outcomes, covariates : Block
    strata : ndarray of int (n,)
        0 throughout where none are given.
    """

    treated: NDArray[np.bool_]
    arms: tuple[str, str]
    outcomes: Block
    covariates: Block
    strata: Index

    @property
    def sizes(self) -> tuple[int, int]:
        """Rows of the untreated and of the treated."""
        treated = int(self.treated.sum())
        return len(self.treated) - treated, treated


def study(samples: Sequence[Sample], params: Params) -> Study:
    """Take the columns that the options name.

    Raises
    ------
    UsageError, DataError
        For a treatment that has not two values, a missing treatment or outcome, and a treatment
        beside two files.
    """
    if (len(samples) == 2) == bool(params.treatment):
        found = "two files" if len(samples) == 2 else "one file"
        raise UsageError(
            f"--treatment {params.treatment!r} and {found}: give one file and --treatment, the "
            "column that says who was treated, or two files without it: the second is the treated "
            "arm"
        )
    data = samples[0] if len(samples) == 1 else _joined(samples)
    used = (*data.columns, *data.categorical)
    named = Named.of(params, data.file_columns or used)
    absent = [name for name in named.all if name not in used]
    if absent:
        raise UsageError(
            f"{listed(absent)} not read, because of --columns, --exclude or --group. The options "
            "of the test choose the columns; leave those out"
        )
    _require_present(data, (*named.treatment, *named.outcome))
    if named.treatment:
        treated, arms = _arms(data, named.treatment[0], params.treated)
    else:
        treated = np.arange(data.n) >= samples[0].n
        arms = samples[0].name, samples[1].name
    numbers_first = sorted(named.covariates, key=lambda name: name in data.categorical)
    y, x = Block.of(data, named.outcome), Block.of(data, numbers_first)
    strata = _strata(Block.of(data, named.strata))
    # The covariates come first, so that landmarks taken evenly have nothing to do with outcomes.
    order = np.lexsort([treated, strata, *y.keys[::-1], *x.keys[::-1]])
    return Study(treated[order], arms, _taken(y, order), _taken(x, order), strata[order])


def _joined(samples: Sequence[Sample]) -> Sample:
    """All rows as one sample: of the first, then of the second."""
    first, second = samples
    holes = None
    if first.missing is not None or second.missing is not None:
        parts = [
            np.zeros(s.values.shape, bool) if s.missing is None else s.missing for s in samples
        ]
        holes = np.concatenate(parts)
    return replace(
        first,
        values=np.concatenate([first.values, second.values]),
        codes=np.concatenate([first.codes, second.codes]),
        missing=holes,
        kept=(),
        n_missing={},
    )


def _taken(block: Block, order: Index) -> Block:
    missing = None if block.missing is None else block.missing[order]
    return Block(block.names, block.values[order], block.codes[order], missing)


def _require_present(data: Sample, names: Sequence[str]) -> None:
    for name in names:
        if name in data.columns:
            place = data.columns.index(name)
            holes = None if data.missing is None else data.missing[:, place]
        else:
            holes = data.codes[:, data.categorical.index(name)] < 0
        if holes is not None and holes.any():
            raise DataError(
                f"column {shown(name)}: {int(holes.sum()):,} of {data.n:,} rows have no value, and "
                "an outcome or treatment that is missing says nothing of the effect (that it is "
                "missing may itself be one). Use --missing drop, or choose rows with --where"
            )


def _arms(data: Sample, name: str, wanted: str | None) -> tuple[NDArray[np.bool_], tuple[str, str]]:
    """Who was treated, and the names of both arms."""
    if name in data.columns:
        column: NDArray[np.generic] = data.values[:, data.columns.index(name)]
        levels, place = np.unique(column, return_inverse=True)
        texts = [f"{float(v):.15g}" for v in levels]
    else:
        at = data.categorical.index(name)
        levels, place = np.unique(data.codes[:, at], return_inverse=True)
        texts = [data.level_name(at, int(code)) for code in levels]
    if len(texts) != 2:
        found = f"{len(texts):,} values ({listed(texts)})"
        raise DataError(
            f"--treatment {name}: found {found}; accepted: a column with two values. Choose the "
            "rows of two arms with --where"
        )
    treated = 1 if wanted is None else _place(wanted, texts)
    arms = f"{name} = {texts[1 - treated]}", f"{name} = {texts[treated]}"
    return np.asarray(place == treated), arms


def _place(wanted: str, texts: Sequence[str]) -> int:
    """Which of two values is meant; 1 and 1.0 are one number."""
    for place, text in enumerate(texts):
        if text == wanted:
            return place
    try:
        numbers = [float(text) for text in texts]
        return numbers.index(float(wanted))
    except ValueError:
        raise UsageError(
            f"--treated {wanted!r}: no such value of --treatment; it has {listed(texts)}"
        ) from None


def _strata(block: Block) -> Index:
    """A number for every combination of values."""
    out = np.zeros(len(block), np.int64)
    for column in block.keys:
        _, place = np.unique(column, return_inverse=True)
        _, out = np.unique(out * (place.max(initial=0) + 1) + place, return_inverse=True)
    return out


@dataclass(frozen=True)
class OutcomeFeatures:
    """Features of the outcome kernel, all bandwidths side by side, then the outcomes themselves.

    Attributes
    ----------
    values : ndarray (n, D + k)
        The k numeric outcomes, for mean differences, in the units of `units`.
    blocks : tuple of slice
        Columns of each bandwidth.
    bandwidths : tuple of float
        In units of the scaled outcomes.
    sizes : ndarray
        Root mean square of each kernel between different rows.
    means : slice
        Columns of the outcomes.
    units : ndarray (k,)
    """

    values: Array
    blocks: tuple[slice, ...]
    bandwidths: tuple[float, ...]
    sizes: Array
    means: slice
    units: Array


def outcome_features(block: Block) -> OutcomeFeatures:
    """Nystrom features of Gaussian kernels of several bandwidths around the median distance."""
    rows, everything = block.scaled("robust"), np.arange(len(block))
    single = rows.values.shape[1] + rows.codes.shape[1] == 1
    marks = spread_rows(rows, everything, LANDMARKS if single else MANY_LANDMARKS)
    median = _distance(rows, everything)
    parts, blocks, start = [], [], 0
    for factor in BANDWIDTHS:
        part = kernel_features(rows, GAUSSIAN, factor * median, marks)
        parts.append(part)
        blocks.append(slice(start, start + part.shape[1]))
        start += part.shape[1]
    units = np.abs(block.values).max(axis=0, initial=0.0)
    units[units == 0] = 1.0
    values = np.hstack([*parts, block.values / units])
    return OutcomeFeatures(
        values,
        tuple(blocks),
        tuple(factor * median for factor in BANDWIDTHS),
        np.array([_size(part) for part in parts]),
        slice(start, values.shape[1]),
        units,
    )


def _distance(rows: Rows, some: Index) -> float:
    """Median distance; of the pairs that differ, where more than half are ties; 1 if all are."""
    median = median_distance(rows, some)
    if median > 0:
        return median
    step = max(1, len(some) // 500)
    distances = np.asarray(pair_distances(rows.take(some[::step]), "euclidean"))
    return float(np.median(distances[distances > 0])) if (distances > 0).any() else 1.0


def _size(features: Array, most: int = 300) -> float:
    few = features[:: max(1, len(features) // most)]
    table = few @ few.T
    off = table[~np.eye(len(few), dtype=bool)]
    return float(np.sqrt(np.mean(off**2))) if len(off) else 0.0


@dataclass(frozen=True)
class CovariateFeatures:
    """What outcomes and treatment are predicted from.

    Attributes
    ----------
    values : ndarray (n, p)
        Straight lines (numbers, an indicator per level), then features of a Gaussian kernel, then
        of kernels of single columns.
    joint : int
        Features before the last part: the treatment is predicted from these.
    names : tuple of str
        Of the straight lines.
    """

    values: Array
    joint: int
    names: tuple[str, ...]


def covariate_features(block: Block) -> CovariateFeatures:
    """Scaled columns, an indicator per level and for missing cells, and Nystrom features."""
    rows = block.scaled("robust")
    size = np.abs(rows.values)
    bounded = np.where(
        size > FAR, np.sign(rows.values) * (FAR + np.log1p(np.maximum(size - FAR, 0))), rows.values
    )
    rows = Rows(np.ascontiguousarray(bounded), rows.codes)
    levels = [indicators(column) for column in rows.codes.T]
    lines = np.hstack([rows.values, *levels])
    n, everything = len(rows), np.arange(len(rows))
    names = _names(block, [part.shape[1] for part in levels])
    width = median_distance(rows, everything) if n >= FEW_ROWS and lines.shape[1] else 0.0
    if not width > 0:
        return CovariateFeatures(lines, lines.shape[1], names)
    marks = spread_rows(rows, everything, min(COVARIATE_LANDMARKS, n // 10))
    joint = np.hstack([lines, kernel_features(rows, GAUSSIAN, width, marks)])
    return CovariateFeatures(np.hstack([joint, *_single(rows)]), joint.shape[1], names)


def _single(rows: Rows) -> list[Array]:
    """Features of every column by itself, where several columns have more than a few values."""
    everything = np.arange(len(rows))
    parts = [Rows.of(np.ascontiguousarray(column[:, None])) for column in rows.values.T]
    varied = [k for k, part in enumerate(parts) if median_distance(part, everything) > 0]
    if not 1 < len(varied) <= MOST_SINGLE:
        return []
    return [additive(Rows.of(np.ascontiguousarray(rows.values[:, varied])), everything)]


def _names(block: Block, counts: Sequence[int]) -> tuple[str, ...]:
    """The column of every straight line, numbers first; `counts` has the lines of every code."""
    numeric = block.values.shape[1]
    holes = [] if block.missing is None else list(np.flatnonzero(block.missing.any(axis=0)))
    coded = [*block.names[numeric:], *(block.names[h] for h in holes)]
    more = (name for name, count in zip(coded, counts, strict=True) for _ in range(count))
    return (*block.names[:numeric], *more)
