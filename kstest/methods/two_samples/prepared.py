"""Two samples of rows that nobody keeps: what `mmd` and `ks` do alike in both passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...contract import Spans
from ...engine import Work
from ...nulls import Partition, bin_size
from ...nulls.places import Places, placed
from ...result import Result
from ...sample import Sample
from ..two_passes.sketch import Sketch
from ..two_passes.spans import dropped, first_pass, second_pass, spent_rows
from .columns import ColumnTest, Evidence, ordered
from .passes import Setting, Sums, cells_of_levels, summed
from .pooled import pool, undecided


@frozen
class Prepared:
    """What the first pass has found.

    Attributes
    ----------
    samples : tuple of Sample
        The spent rows of the sides, as they were given; their inputs tell of all rows.
    totals : (int, int)
        All used rows.
    swapped : bool
        Whether the second side is the smaller one, which comes first in the test.
    sketches : (Sketch, Sketch)
    span_rows : list of int
        Used rows of every span.
    constant : bool
        Whether all rows of both sides are equal.
    """

    samples: tuple[Sample, Sample]
    totals: tuple[int, int]
    swapped: bool
    sketches: tuple[Sketch, Sketch]
    span_rows: list[int]
    constant: bool

    @property
    def mark(self) -> int:
        """A number of the pooled rows that knows neither labels nor order, for the seed."""
        return (self.sketches[0].mark + self.sketches[1].mark) % 2**64

    @property
    def in_order(self) -> tuple[Sample, Sample]:
        """The spent rows, those of the smaller side first, as the test has the sides."""
        return self.samples[::-1] if self.swapped else self.samples

    @property
    def spent(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Their numbers, in order."""
        first, second = (np.sort(sketch.numbers) for sketch in self.sketches)
        return (second, first) if self.swapped else (first, second)

    @property
    def codes(self) -> tuple[dict[str, int], ...]:
        """Code of every level, by categorical column."""
        return tuple({text: k for k, text in enumerate(some)} for some in self.samples[0].levels)

    def cells_of_levels(self) -> tuple[NDArray[np.int32], ...]:
        """Cell of every code, by categorical column."""
        counts = [a + b for a, b in zip(*(s.levels for s in self.sketches), strict=True)]
        return tuple(
            cells_of_levels([some[text] for text in levels])
            for some, levels in zip(counts, self.samples[0].levels, strict=True)
        )

    def placed(self, bins: int, rng: np.random.Generator) -> tuple[Places, Partition]:
        """Bins for all rows that are not spent."""
        left = [total - len(s.values) for total, s in zip(self.totals, self.samples, strict=True)]
        first, second = left[::-1] if self.swapped else left
        return placed(first, second, bin_size(min(left), bins), rng)

    def beginning(self, method: str, spans: Spans, alpha: float) -> Result:
        """A result without a verdict, with what there is to say of the columns."""
        sides = [(s.name, k) for s, k in zip(self.samples, self.sketches, strict=True)]
        levels = [{n: k.levels[c] for n, k in sides} for c in range(len(spans.categorical))]
        ranges = {n: (k.rows, k.low, k.high) for n, k in sides}
        return replace(
            undecided(method, self.samples, alpha),
            n={n: k.rows for n, k in sides},
            warnings=(*spans.notices(levels, ranges), *dropped(self.samples)),
        )


def prepared(spans: Spans, key: int, work: Work) -> Prepared:
    """The first pass over two sides."""
    (first, second), rows = first_pass(spans, key, work)
    low, high = np.minimum(first.low, second.low), np.maximum(first.high, second.high)
    samples = spent_rows(spans, (first, second))
    several = [len({t for t, k in (a + b).items() if k}) > 1
               for a, b in zip(first.levels, second.levels, strict=True)]  # fmt: skip
    return Prepared(
        (samples[0], samples[1]),
        (first.rows, second.rows),
        (second.rows, second.mark) < (first.rows, first.mark),
        (first, second),
        rows,
        not (bool((high > low).any()) or any(several)),
    )


def added_up(spans: Spans, found: Prepared, how: Setting, work: Work) -> Sums:
    """The second pass."""
    return second_pass(
        summed, spans, found.span_rows, lambda side: (side ^ found.swapped, how),
        Sums.empty(how), work,
    )  # fmt: skip


def found_in_order(
    found: Prepared, evidence: Sequence[Evidence], params: Any, unit: str = "robust"
) -> list[ColumnTest]:
    """Tests of the columns from the evidence of each, with words from the spent rows."""
    pooled = pool(found.samples, unit, sort=False)
    # Columns as `pooled` has them: in order of their names.
    names = [*found.samples[0].columns, *found.samples[0].categorical]
    by_name = dict(zip(names, evidence, strict=True))
    evidence = [by_name[name] for name in pooled.names]
    return ordered(found.samples, pooled, evidence, params.correction, params.alpha)
