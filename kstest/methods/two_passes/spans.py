"""The two passes over spans of files: tasks, their rows and numbers, and what is added up.

A task reads one span and returns its part. Spans, and the batches in them, follow from the files
alone, and parts are added in the order of the spans: the answer depends neither on how many threads
or workers read, nor on which of them is first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...contract import SpanReader, Spans
from ...engine import Work
from ...engine.work import run_tasks
from ...errors import DataError
from ...result import Notice
from ...sample import Sample
from .sketch import Sketch, merged, sketched

Whole = NDArray[np.int64]

# Rows that are scaled and summed at a time: blocks then hold a hundred rows each.
BATCH_ROWS = 1 << 16
# Rows of a side below which there is nothing to spend.
LEAST_ROWS = 400
# Spans that are handed over at a time, per thread: their sums are large.
AHEAD = 1


class Additive(Protocol):
    """Sums over rows."""

    def add(self, more: Any) -> None:
        """Take the sums over the rows after those that were summed."""


S = TypeVar("S", bound=Additive)


def first_pass(spans: Spans, key: int, work: Work) -> tuple[list[Sketch], list[int]]:
    """Count all rows and draw a few.

    Returns
    -------
    sketches : list of Sketch
        By side, in the order of `spans.paths`.
    rows : list of int
        Used rows of every span.
    """
    names, shape = list(spans.paths), (len(spans.columns), len(spans.categorical))
    sides = [names.index(span.side) for span in spans.spans]
    tasks = [
        (spans.files, span, side, key, shape) for span, side in zip(spans.spans, sides, strict=True)
    ]
    costs = [float(span.rows) for span in spans.spans]
    results = run_tasks(sketched, tasks, work, costs, AHEAD)
    return merged(zip(sides, results, strict=True), len(names), shape)


def second_pass(
    task: Callable[..., S],
    spans: Spans,
    rows: Sequence[int],
    more: Callable[[int], tuple[Any, ...]],
    out: S,
    work: Work,
) -> S:
    """Add up what a task finds in every span.

    Parameters
    ----------
    task : callable
        Of a module: reader, span, used rows of the side in the spans before, used rows of this one,
        and `more` -> its part of the sums.
    spans : Spans
    rows : sequence of int
        Used rows of every span, as the first pass counted them.
    more : callable
        The other arguments of a span of a side, by the number of the side.
    out : Additive
        Sums over no row.
    work : Work
    """
    names, seen, tasks = list(spans.paths), [0] * len(spans.paths), []
    for span, count in zip(spans.spans, rows, strict=True):
        side = names.index(span.side)
        tasks.append((spans.files, span, seen[side], count, *more(side)))
        seen[side] += count
    for part in run_tasks(task, tasks, work, [float(count) for count in rows], AHEAD):
        out.add(part)
    return out


def batches(
    reader: SpanReader, span: Any, first: int, rows: int
) -> Iterator[tuple[Any, int, Sample, int]]:
    """Read a span for the second time.

    Parameters
    ----------
    reader : SpanReader
    span
        One of its spans.
    first, rows : int
        Used rows of the side in the spans before, and of this one, as the first pass counted them.

    Yields
    ------
    piece
        Part of a file.
    place : int
        Number of the first row of the batch among the used ones of the file.
    batch : Sample
    number : int
        The same among the used rows of the side.
    """
    number, used = first, dict[tuple[int, int], int]()
    for piece, sample in reader.samples(span):
        at = piece.number, piece.first
        place = piece.first + used.get(at, 0)
        used[at] = used.get(at, 0) + sample.n
        for start in range(0, sample.n, BATCH_ROWS):
            batch = sample.part(start, min(start + BATCH_ROWS, sample.n))
            yield piece, place + start, batch, number
            number += batch.n
    if number - first != rows:
        raise DataError(
            f"{span.words}: {rows:,} rows in the first pass and {number - first:,} in the second; "
            "run again when nobody writes to the files"
        )


def spent_rows(spans: Spans, sketches: Sequence[Sketch]) -> tuple[Sample, ...]:
    """The spent rows of every side as a Sample, so that all that describes rows can describe these.

    Their inputs are those of all rows, and the codes of categories hold for all sides.
    """
    levels = [
        sorted(set().union(*some)) for some in zip(*(s.levels for s in sketches), strict=True)
    ]
    samples = []
    for name, sketch in zip(spans.paths, sketches, strict=True):
        codes = np.zeros((len(sketch.values), len(levels)), np.int32)
        for c, every in enumerate(levels):
            place = {text: k for k, text in enumerate(every)}
            codes[:, c] = [place[text] for text in sketch.texts[c]]
        counts = [sketch.files.get(k, (0,) * 4) for k in range(len(spans.paths[name]))]
        samples.append(
            Sample(
                name, sketch.values, tuple(spans.columns), spans.inputs(name, counts),
                categorical=tuple(spans.categorical), codes=codes,
                levels=tuple(map(tuple, levels)), kinds=spans.kinds,
            )
        )  # fmt: skip
    return tuple(samples)


def coded(sample: Sample, levels: Sequence[Mapping[str, int]]) -> NDArray[np.int32]:
    """Codes of the categories of a batch, in which they hold for it alone, as all files have them.

    `levels` : code of every level, by categorical column.
    """
    codes = np.empty((sample.n, len(levels)), np.int32)
    for c, known in enumerate(levels):
        table = np.array([known[text] for text in sample.levels[c]], np.int32)
        codes[:, c] = table[sample.codes[:, c]]
    return codes


def unspent(spent: Whole, first: int, n: int) -> tuple[Whole, Whole]:
    """Which of n rows, of which the first has a number, are summed, and their numbers among such.

    `spent` : numbers of those that are not, in order.
    """
    number = np.arange(first, first + n, dtype=np.int64)
    before = np.searchsorted(spent, number)
    if not len(spent):
        return np.arange(n, dtype=np.int64), number
    keep = np.flatnonzero(spent[np.minimum(before, len(spent) - 1)] != number)
    return keep, number[keep] - before[keep]


def too_few(totals: Sequence[int]) -> str:
    """Why rows of the sides cannot be tested in two passes; empty if they can."""
    if min(totals) >= LEAST_ROWS:
        return ""
    sizes = " against ".join(f"{rows:,}" for rows in totals)
    sides = " on both sides" * (len(totals) > 1)
    return (
        f"{sizes} rows: two passes need {LEAST_ROWS} rows{sides}, of which some are spent; leave "
        "--scheduler out"
    )


def dropped(samples: Iterable[Sample]) -> Iterator[Notice]:
    """Rows with missing cells, which are in no sum."""
    for sample in samples:
        lost, read = (
            sum(getattr(i, name) for i in sample.inputs) for name in ("rows_dropped", "rows_read")
        )
        if lost:
            text = f"Missing or infinite values, {sample.name}: {lost:,} of {read:,} rows."
            yield Notice("missing-values", text)


def digest(parts: Iterable[NDArray[Any]]) -> str:
    """Of all sums: equal digests, equal answers."""
    found = hashlib.sha256()
    for part in parts:
        found.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
    return found.hexdigest()
