"""Settings: what may be said about a calibration, and what the words of it mean."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kstest.frozen import frozen

from ..errors import UsageError
from ..likelihood_ratio import DRAWS
from ..likelihood_ratio.combine import COMBINATIONS
from ..likelihood_ratio.features import SCALES
from ..likelihood_ratio.reference import STATISTICS
from ..params import INPUT, NULL, check_choices, option, seed

# Per unit of data weight: Falkon's lambda 1e-7 where the reference is four times the batch.
RIDGE = 2.5e-7
FALKON_LAMBDA = 1e-6
MOST_TOYS = 10_000_000
# Neighbouring sizes of a range such as 100..1000 differ by at most this factor.
STEP = 1.25


def scale() -> Any:
    return option(
        "auto",
        "How distances are measured: between the columns as they are (standard), along axes "
        "without correlation (whiten), or both, for every width. auto: of the widths that are "
        "chosen half each way; those that are given, standard.",
        choices=("auto", "both", *SCALES),
    )


@frozen
class Params:
    """Options of `calibrate`; see the help of each field."""

    batch_size: str = option(
        "",
        "Events of a batch: a number, several, or a range such as 100..1000. A batch of another "
        "size is cut to the next smaller one.",
        metavar="N[,N...]",
        brief="Events of a batch, such as 500 or 100..1000.",
    )
    count: str = option(
        "fixed",
        "Whether the number of events tells something: fixed, only their distribution counts; "
        "poisson, it fluctuates around --batch-size and a change of rate counts too.",
        choices=("fixed", "poisson"),
        brief="Whether the number of events tells something.",
    )
    toys: int = option(
        1000,
        "Toy batches per size; p is at least 1 / (1 + toys).",
        section=NULL,
        brief="Toy batches per size; 1000 by default.",
    )
    draw: str = option(
        "subsets",
        "How toys are drawn from the pool: without or with replacement; disjoint, which is exact "
        "and takes a pool of toys x size; or consecutive rows, for data in order of time.",
        choices=DRAWS,
        section=NULL,
        brief="How toys are drawn from the pool.",
    )
    tolerance: bool = option(
        False,
        "Draw every toy from one good run of several, so that the usual differences between runs "
        "raise no alarm; p is at least 1 / (1 + runs).",
        section=NULL,
        brief="Allow for the usual differences between runs.",
    )
    widths: str = option(
        "auto",
        "Kernel widths in units of the reference's standard deviations; auto takes four from the "
        "distances in the reference.",
        metavar="auto|NUMBER[,NUMBER...]",
        brief="Kernel widths; four by default.",
    )
    scale: str = scale()
    aggregate: str = option(
        "minimum",
        "How the p-values of several widths become one statistic.",
        choices=COMBINATIONS,
    )
    statistic: str = option(
        "extended",
        "Likelihood ratio with the normalisation of the reference (extended), or the data term "
        "alone, as in earlier publications.",
        choices=STATISTICS,
    )
    ridge: str = option(
        "auto",
        "Penalty per unit of data weight; auto is 2.5e-7. With --compat falkon it is lambda, and "
        "auto is 1e-6.",
        metavar="auto|NUMBER",
    )
    compat: str = option(
        "none",
        "Convention of --ridge: that of Falkon is divided by all rows, so it weakens the fit as "
        "the reference grows.",
        choices=("none", "falkon"),
    )
    centres: int = option(200, "Kernel centres, rows of the reference.")
    centre_rule: str = option(
        "kmeans++",
        "How centres are chosen: far from each other, or at random.",
        choices=("kmeans++", "uniform"),
    )
    cut: float = option(
        1e-12, "Eigenvalues of the centres' kernel matrix below this share are left out."
    )
    fit: str = option(
        "one-step",
        "One Newton step, as published, or converged, which costs several times as much.",
        choices=("one-step", "converged"),
    )
    pivot: str | None = option(
        None,
        "Column with the event that a row, a hit, belongs to: hits become events with columns such "
        "as t_1, t_2, ... for a column t, and hits, their number. Missing hits are marked.",
        metavar="COLUMN",
        section=INPUT,
        brief="Column with the event, if rows are hits.",
    )
    hit_order: str | None = option(
        None,
        "With --pivot: column that puts the hits of an event in order. Default: as in the file.",
        metavar="COLUMN",
        section=INPUT,
    )
    hits: int = option(
        4, "With --pivot: hits of an event that get columns; all are counted.", section=INPUT
    )
    channels: str | None = option(
        None,
        "With --pivot: column with the channel of a hit, and its values, such as layer=1-4: the "
        "columns are t_1, ..., t_4 for the first hit of each channel.",
        metavar="COLUMN=LIST",
        section=INPUT,
    )
    per_event: str | None = option(
        None,
        "With --pivot: columns that say the same of all hits of an event, and stay one column.",
        metavar="LIST",
        section=INPUT,
    )
    reference_weights: str | None = option(
        None,
        "Column with the weights of the reference; some may be negative.",
        metavar="COLUMN",
        section=INPUT,
    )
    seed: int = seed()

    def __post_init__(self) -> None:
        check_choices(self)
        sizes(self.batch_size)
        numbers(self.widths, "--widths")
        numbers(self.ridge, "--ridge", single=True)
        if not 1 <= self.toys <= MOST_TOYS:
            raise UsageError(f"--toys {self.toys}: give a whole number from 1 to {MOST_TOYS}")
        if not 1 <= self.centres <= 10_000:
            raise UsageError(f"--centres {self.centres}: give a whole number from 1 to 10000")
        if not 0 < self.cut < 1:
            raise UsageError(f"--cut {self.cut}: give a number between 0 and 1, such as 1e-12")
        if self.tolerance and self.draw == "disjoint":
            raise UsageError("--tolerance and --draw disjoint: leave out one of the two")
        self._require_pivot()

    def _require_pivot(self) -> None:
        others = {"--hit-order": self.hit_order, "--channels": self.channels}
        others["--per-event"] = self.per_event
        alone = [name for name, value in others.items() if value is not None]
        if self.pivot is None and alone:
            raise UsageError(f"{alone[0]}: needs --pivot, the column with the event of a hit")


def sizes(text: str) -> tuple[int, ...]:
    """Return the sizes that --batch-size names, increasing."""
    found: set[int] = set()
    for part in text.split(","):
        low, mark, high = part.partition("..")
        try:
            ends = int(low), int(high if mark else low)
        except ValueError:
            ends = 0, 0
        if not 1 <= ends[0] <= ends[1]:
            raise UsageError(
                f"--batch-size {text!r}: give the number of events of a batch, such as 500, "
                "250,500 or 100..1000"
            )
        steps = max(1, math.ceil(math.log(ends[1] / ends[0]) / math.log(STEP)))
        found |= {round(x) for x in np.geomspace(*ends, steps + 1)}
    return tuple(sorted(found))


def numbers(text: str, name: str, single: bool = False) -> tuple[float, ...]:
    """Return positive numbers of an option, largest first; empty for `auto`."""
    if text == "auto":
        return ()
    try:
        found = tuple(sorted({float(part) for part in text.split(",")}, reverse=True))
    except ValueError:
        found = (math.nan,)
    if not all(0 < x < 1e12 for x in found) or (single and len(found) > 1):
        what = "a positive number" if single else "positive numbers separated by commas"
        raise UsageError(f"{name} {text!r}: give auto or {what}")
    return found


def ridge_of(params: Params, reference_rows: int, size: int) -> float:
    """Penalty per unit of data weight; Falkon's lambda times all rows is rho = 2 N ridge."""
    given = numbers(params.ridge, "--ridge", single=True)
    if params.compat == "falkon":
        value = given[0] if given else FALKON_LAMBDA
        return value * (reference_rows + size) / (2 * size)
    return given[0] if given else RIDGE
