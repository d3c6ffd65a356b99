"""Search for the number of rows at which a test finds a change with a given power.

What is simulated is the test itself, on rows of the reference: a draw splits off two disjoint
parts of n rows at random and changes one of them. For independent rows of one distribution the two
parts are exactly two independent samples of it, at every n up to half of the reference. Rows are
not drawn with replacement: narrow kernels would find the rows that occur twice within a sample and
never in both. (`mmd`, normal distribution, shift 0.1, 200 rows a side, 120 runs: power 0.09 for
fresh samples, 0.13 for splits of 400 rows, but 0.46 for draws with replacement from 400 rows and
0.94 from 200.)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from kstest.frozen import frozen

from ..contract import Inputs
from ..diagnostics.dependence import serial_dependence
from ..engine import Work
from ..errors import DataError, UsageError
from ..methods.two_samples.pooled import balanced_rows
from ..nulls import bin_size, partition
from ..params import NULL, alpha, check_common, option, permutations, seed
from ..registry import METHODS
from ..result import SCHEMA_VERSION, Notice, document
from ..run import origin, require_accepted
from ..sample import Sample
from .alternative import Change

TESTS = ("mmd", "ks")

# Neighbouring sizes of the answer differ by at most this factor.
RESOLUTION = 1.1
# The first size that is tried.
SMALLEST = 8


@frozen
class Params:
    """Options of `plan`; see the help of each field."""

    shift: float = option(
        0.0,
        "Added to the columns that change, in units of each column's robust spread.",
        brief="Shift of the columns that change, in spreads.",
    )
    scale_by: float = option(
        1.0,
        "Factor on the distance of values from the column's median.",
        brief="Factor on their spread.",
    )
    mix: float = option(
        1.0, "Share of the rows that change, 0 to 1.", brief="Share of the rows that change."
    )
    change: str | None = option(
        None,
        "Numeric columns that change, written as for --columns. Default: all.",
        metavar="LIST",
        brief="Columns that change; all by default.",
    )
    power: float = option(
        0.9,
        "Probability of rejection to reach.",
        section=NULL,
        brief="Probability of rejection to reach; 0.9.",
    )
    test: str = option(
        "mmd", "Test to plan for.", choices=TESTS, brief="Test to plan for: mmd or ks."
    )
    alpha: float = alpha()
    permutations: int = permutations()
    seed: int = seed()
    draws: int = option(100, "Simulated tests per number of rows.", section=NULL)
    most_rows: int = option(
        10_000, "Rows of a side at most, whatever the power there.", section=NULL
    )

    def __post_init__(self) -> None:
        check_common(self)
        if not math.isfinite(self.shift):
            raise UsageError(f"--shift {self.shift}: give a number, such as 0.2")
        if not 0 < self.scale_by < math.inf:
            raise UsageError(f"--scale-by {self.scale_by}: give a positive number, such as 1.2")
        if not 0 < self.mix <= 1:
            raise UsageError(f"--mix {self.mix}: give a share above 0, up to 1, such as 0.05")
        if self.shift == 0 and self.scale_by == 1:
            raise UsageError("nothing would change: give --shift or --scale-by (with --mix, too)")
        if not self.alpha < self.power < 1:
            raise UsageError(
                f"--power {self.power}: give a number above --alpha {self.alpha} and below 1"
            )
        if not 20 <= self.draws <= 100_000:
            raise UsageError(f"--draws {self.draws}: give a whole number from 20 to 100000")
        if self.most_rows < SMALLEST:
            raise UsageError(
                f"--most-rows {self.most_rows}: give a whole number, {SMALLEST} or larger"
            )


INPUTS = Inputs(
    roles=("reference",),
    accepts=frozenset({"categorical", "missing"}),
    params=Params,
    example="kstest plan reference.parquet --shift 0.2 --change temp",
    description="""\
Looks for the number of rows on each side at which a test finds a given change of the reference
with a given power, by running the test on random splits of the reference with one part changed.""",
)


@frozen
class Size:
    """What `draws` simulated tests at one number of rows a side say.

    Attributes
    ----------
    rows : int
        Of each side.
    power : float
        Share of rejections.
    standard_error : float
        Of `power`, binomial, one rejection and one other added so that it is never 0.
    smallest_p_value : float
        The larger of 1 / (1 + B) and 1 / number of permutations that differ.
    """

    rows: int
    power: float
    standard_error: float
    smallest_p_value: float


@frozen
class Plan:
    """The answer; the attributes are the keys of the JSON object.

    Attributes
    ----------
    rows : int or None
        Smallest size tried with the power asked for; None if none has it.
    between : tuple of (int or None)
        Sizes tried whose power is two standard errors below and above the one asked for.
    power, alpha : float
    sizes : tuple of Size
        In increasing order.
    smallest_rows : int
        Rows a side from which on a p-value can reach alpha at all.
    change, test : mapping
    n : mapping
    warnings, inputs, params, provenance
        As in `kstest.result.Result`.
    """

    rows: int | None
    between: tuple[int | None, int | None]
    power: float
    alpha: float
    sizes: tuple[Size, ...]
    smallest_rows: int
    change: dict[str, Any]
    test: dict[str, Any]
    n: dict[str, int]
    warnings: tuple[Notice, ...]
    inputs: tuple[Any, ...]
    params: dict[str, Any]
    provenance: dict[str, Any]
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object as plain Python values."""
        return document("plan", self, "schema_version")


def plan(
    reference: Sample, params: Params, notices: Sequence[Notice] = (), work: Work | None = None
) -> Plan:
    """Find the number of rows a side that gives the power asked for.

    Parameters
    ----------
    reference : Sample
        Independent rows of the distribution that is changed; N rows.
    params : Params
    notices : sequence of Notice
        What the reading of the data had to say.
    work : Work, optional

    Returns
    -------
    Plan

    Raises
    ------
    UsageError, DataError
        If nothing can change, or the reference is too small to be split.

    Notes
    -----
    Sizes are doubled until the power is reached, or half of the reference or `most_rows` is, then
    bisected. All sizes use the same splits and draws, larger parts holding the smaller ones, so
    the estimates rise more evenly than their standard errors suggest. Near half of the reference
    all draws use nearly the same rows, and the standard error does not count what another
    reference would change. The test runs with its default options.

    Examples
    --------
    >>> import numpy
    >>> from kstest.power import Params, plan
    >>> from kstest.sample import Sample
    >>> values = numpy.random.default_rng(0).normal(size=(400, 1))
    >>> found = plan(Sample("reference", values, ("x",)), Params(shift=1.5, draws=20))
    >>> 8 <= found.rows <= 32
    True
    """
    work = work or Work()
    started, clock = datetime.now(UTC), time.perf_counter()
    require_accepted("plan", INPUTS.accepts, [reference])
    smallest = balanced_rows(params.alpha)
    start = max(SMALLEST, smallest)
    most = min(reference.n // 2, params.most_rows)
    if most < start:
        raise _too_few(reference, start, params)
    change = Change.of(reference, params.change, params.shift, params.scale_by, params.mix)
    sizes = _search(start, most, params.power, _simulation(reference, change, params, work))
    reached = [s for s in sizes if s.power >= params.power]
    warnings = [*notices]
    if serial_dependence([reference]):
        warnings.append(
            Notice(
                "serial-dependence",
                "neighbouring rows of the reference are alike. If the file is in order of time, "
                "its rows are not independent, and a real sample needs more rows than this",
            )
        )
    return Plan(
        rows=reached[0].rows if reached else None,
        between=_between(sizes, params.power),
        power=params.power,
        alpha=params.alpha,
        sizes=tuple(sizes),
        smallest_rows=smallest,
        change={
            "columns": list(change.columns),
            "shift": params.shift,
            "scale_by": params.scale_by,
            "mix": params.mix,
        },
        test={"method": params.test, "permutations": params.permutations, "draws": params.draws},
        n={reference.name: reference.n},
        warnings=tuple(warnings),
        **origin([reference], params, started, time.perf_counter() - clock, work),
    )


def _too_few(reference: Sample, start: int, params: Params) -> DataError | UsageError:
    if reference.n < 2 * start:
        return DataError(
            f"the reference has {reference.n:,} rows: a plan splits them into two sides of at "
            f"least {start}, so give at least {2 * start} (--reference may be repeated)"
        )
    return UsageError(
        f"--most-rows {params.most_rows}: it takes {start} rows a side to reach "
        f"--alpha {params.alpha}; give more"
    )


def _search(
    start: int, most: int, power: float, simulate: Callable[[int, float, float], Size]
) -> list[Size]:
    """Double the size until it has the power, then bisect; sizes in increasing order."""
    doublings = math.ceil(math.log2(most / start)) + 1
    steps = doublings + math.ceil(math.log2(math.log(2) / math.log(RESOLUTION)))
    found: list[Size] = []

    def look(rows: int) -> Size:
        # Later sizes cost more: shares of progress grow.
        shares = [(k / steps) ** 2 for k in (len(found), len(found) + 1)]
        found.append(simulate(rows, *shares))
        return found[-1]

    rows = start
    while look(rows).power < power and rows < most:
        rows = min(2 * rows, most)
    if found[-1].power >= power and len(found) > 1:
        low, high = found[-2].rows, found[-1].rows
        while high > RESOLUTION * low and high - low > 1:
            middle = min(max(round(math.sqrt(low * high)), low + 1), high - 1)
            low, high = (low, middle) if look(middle).power >= power else (middle, high)
    return sorted(found, key=lambda size: size.rows)


def _simulation(
    reference: Sample, change: Change, params: Params, work: Work
) -> Callable[[int, float, float], Size]:
    test = METHODS[params.test].load()
    given: dict[str, Any] = {
        "alpha": params.alpha,
        "permutations": params.permutations,
        "seed": params.seed,
    }
    if any(f.name == "explain" and not f.metadata["choices"] for f in fields(test.inputs.params)):
        given["explain"] = "none"
    options = test.inputs.params(**given)
    quiet = replace(work, progress=lambda share: None)

    def simulate(rows: int, begin: float, end: float) -> Size:
        rejected = 0
        for draw in range(params.draws):
            split, moved = (np.random.default_rng([params.seed, draw, k]) for k in (0, 1))
            order = split.permutation(reference.n)
            sample = change.apply(_rows(reference, order[reference.n - rows :], "sample"), moved)
            rng = np.random.default_rng([params.seed, draw, 2])
            pair = (_rows(reference, order[:rows], reference.name), sample)
            rejected += test.run(pair, options, rng, quiet).verdict == "rejected"
            work.progress(begin + (end - begin) * (draw + 1) / params.draws)
        guess = (rejected + 1) / (params.draws + 2)
        return Size(
            rows,
            rejected / params.draws,
            math.sqrt(guess * (1 - guess) / params.draws),
            _smallest_p_value(rows, params.permutations),
        )

    return simulate


def _rows(sample: Sample, index: np.ndarray[Any, np.dtype[np.int64]], name: str) -> Sample:
    """Some rows of a sample, as a sample that says nothing about files."""
    return Sample(
        name=name,
        values=np.ascontiguousarray(sample.values[index]),
        columns=sample.columns,
        missing=None if sample.missing is None else sample.missing[index],
        categorical=sample.categorical,
        codes=np.ascontiguousarray(sample.codes[index]),
        levels=sample.levels,
    )


def _smallest_p_value(rows: int, permutations: int) -> float:
    cut = partition(rows, rows, bin_size(rows), np.random.default_rng(0))
    return max(1 / (1 + permutations), 1 / cut.distinct)


def _between(sizes: Sequence[Size], power: float) -> tuple[int | None, int | None]:
    below = [s.rows for s in sizes if s.power + 2 * s.standard_error < power]
    above = [s.rows for s in sizes if s.power - 2 * s.standard_error > power]
    return max(below, default=None), min(above, default=None)
