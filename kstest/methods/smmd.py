"""Sequential two-sample test: does a stream follow the law of a reference?

Null hypothesis: the rows of reference and stream are exchangeable, as independent draws of one law
are. The evidence may be looked at after every row. Two ways to bet, see `kstest.betting`:
`conformal` (the default) makes a finite reference last for an endless stream; `two_samples` uses a
fresh row of the reference for every row of the stream, and sees small changes sooner.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..betting import STEP_ROWS, blocks, conformal, two_samples
from ..betting.detector import HALF_LIVES
from ..betting.features import KERNELS, RUNGS, WIDEST
from ..betting.rows import Rows
from ..engine import Work
from ..errors import DataError, UsageError
from ..params import alpha, check_common, option, seed
from ..picture import Picture
from ..result import Notice, Result
from ..sample import Sample
from .common import one_bandwidth
from .stream import course, detection
from .stream.course import Course
from .stream.detection import check_given as check_given
from .stream.rows import Columns, row_bytes, rows_of

SAMPLES = ("reference", "sample")
ACCEPTS = frozenset({"categorical", "missing"})
EXAMPLE = "kstest smmd reference.parquet today.csv --state drift.kst"
DESCRIPTION = (
    "The rows of the sample are taken in the order of the file, as a stream: the test may be "
    "looked at after every row and ends as soon as it rejects. A rejection is a false alarm with "
    "probability at most alpha, over the whole stream, however often one looks."
)
REFERENCES = """\
@article{shekhar2023nonparametric,
  title   = {Nonparametric Two-Sample Testing by Betting},
  author  = {Shekhar, Shubhanshu and Ramdas, Aaditya},
  journal = {IEEE Transactions on Information Theory}, year = {2023}, note = {arXiv:2112.09162}
}
@book{vovk2005algorithmic,
  title     = {Algorithmic Learning in a Random World},
  author    = {Vovk, Vladimir and Gammerman, Alexander and Shafer, Glenn},
  publisher = {Springer}, year = {2005}
}
@misc{koning2023online,
  title  = {Post-hoc and Anytime Valid Permutation and Group Invariance Testing},
  author = {Koning, Nick W.},
  year   = {2023}, note = {arXiv:2310.01153}
}
@article{shin2023edetectors,
  title   = {E-detectors: a nonparametric framework for sequential change detection},
  author  = {Shin, Jaehyeok and Ramdas, Aaditya and Rinaldo, Alessandro},
  journal = {New England Journal of Statistics in Data Science}, year = {2023},
  note    = {arXiv:2203.03532}
}
"""
_SUMMARIES = {
    "rejected": "the stream differs from the reference",
    "alarm": "the stream differs from the reference",
    "not rejected": "not enough evidence so far that the stream differs from the reference",
    "no verdict": "too few rows to decide",
}


@dataclass(frozen=True)
class Params:
    """Options of `run`; see the help of each field."""

    alpha: float = alpha()
    seed: int = seed()
    mode: str = option(
        "conformal",
        "Conformal p-values, for which a finite reference lasts for ever; or blocks of rows beside "
        "as many rows of the reference, each used once.",
        choices=("conformal", "blocks"),
    )
    block: int = option(12, "With --mode blocks: rows of a block, of either side.")
    kernel: str = option("gaussian", "Kernel.", choices=KERNELS)
    bandwidth: str = option(
        "median",
        "The median distance of the first rows of the reference, or a number in units of the "
        "scaled columns; four bandwidths from twice to a quarter of it are used.",
        metavar="median|NUMBER",
    )
    scale: str = option(
        "robust",
        "Unit of each column, from the first rows of the reference: median absolute deviation, "
        "standard deviation, or as it is.",
        choices=("robust", "standard", "none"),
    )
    thin: int = option(1, "Use every N-th row of the stream only.", metavar="N")
    detect: bool = detection.detect()
    run_length: int = detection.run_length()
    on_alarm: str = detection.on_alarm()
    detector: str = detection.detector()

    def __post_init__(self) -> None:
        check_common(self)
        detection.check_detection(self)
        for name, least, most in (("block", 2, 64), ("thin", 1, 10**6)):
            if not least <= getattr(self, name) <= most:
                raise UsageError(
                    f"--{name} {getattr(self, name)}: give a whole number from {least} to {most}"
                )
        if self.detect and self.mode == "conformal":
            raise UsageError(
                "--detect: is for --mode blocks, whose evidence comes block by block; give "
                "--mode blocks, and a reference with as many rows as the stream will have"
            )
        one_bandwidth(self.bandwidth, "--bandwidth")


@dataclass(frozen=True, kw_only=True)
class Core(Course):
    """What is kept of the rows so far.

    Attributes
    ----------
    reference_rows : int
    reference_digest : str
        Of the rows of the reference, which must not change.
    """

    reference_rows: int
    reference_digest: str
    blocks: two_samples.State | None = None
    conformal: conformal.State | None = None


@dataclass(frozen=True)
class State:
    """A stream under test. `reference` is None where only what was found is to be shown."""

    params: Params
    columns: Columns
    reference: Rows | None
    core: Core


def init(params: Params, columns: Columns, reference: Iterable[Sample]) -> State:
    """Return the state before the first row of the stream."""
    rows, digest = _read(columns, reference)
    design = _design(params, rows.marks.shape[1])
    experts = design.experts if params.mode == "blocks" else conformal.EXPERTS
    begun = course.opening(params, experts, rows)
    core = Core(**begun, reference_rows=len(rows), reference_digest=digest)
    if params.mode == "blocks" and len(rows) > two_samples.WARM_UP:
        core = replace(core, blocks=two_samples.begin(design, rows))
    if params.mode == "conformal" and len(rows) >= conformal.LEAST_REFERENCE:
        core = replace(core, conformal=conformal.begin(design, rows))
    return State(params, columns, rows, core)


def restore(params: Params, columns: Columns, core: Core, header: Mapping[str, Any]) -> State:
    """Return the state of a stream from what a file kept of it, without the reference."""
    return State(params, columns, None, core)


def extra(state: State) -> dict[str, Any]:
    """What a file keeps besides options, columns and core."""
    return {}


def attach(state: State, reference: Iterable[Sample]) -> State:
    """Give a restored state its reference again.

    Raises
    ------
    DataError
        If it is another one.
    """
    rows, digest = _read(state.columns, reference)
    if digest != state.core.reference_digest:
        raise DataError(
            f"reference: its {len(rows):,} rows are not the {state.core.reference_rows:,} rows "
            "that the stream was begun with. Give that reference, with its rows in their order, or "
            "begin a new --state file"
        )
    return replace(state, reference=rows)


def step(state: State, chunk: Sample) -> State:
    """Take more rows of the stream, in their order; after a decision they are not looked at."""
    if state.core.verdict:
        return state
    assert state.reference is not None
    params, core = state.params, state.core
    rows = rows_of(chunk, state.columns, state.columns.names)
    rows = rows[np.arange((-core.rows) % params.thin, chunk.n, params.thin)]
    core = replace(core, rows=core.rows + chunk.n)
    for first in range(0, len(rows), STEP_ROWS):
        core = _advance(params, core, rows[first : first + STEP_ROWS], state.reference)
        if core.verdict:
            break
    return replace(state, core=core)


def decided(state: State) -> bool:
    """Whether later rows are not looked at."""
    return bool(state.core.verdict)


def drawing(state: State) -> Picture:
    """Return what there is to draw about a stream so far."""
    return course.drawing(state.core, state.params, "difference")


def picture(samples: Sequence[Sample], params: Params, result: Result) -> Picture:
    """Return what there is to draw about the result of `run`."""
    reference, stream = samples
    missing = reference.missing is not None or stream.missing is not None
    return drawing(step(init(params, Columns.of(stream, missing), [reference]), stream))


def run(samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test, row by row, whether a stream follows the law of a reference.

    Parameters
    ----------
    samples : two Samples
        The reference, and the stream in order of time.
    params : Params
    rng : numpy.random.Generator
        Not used: everything random comes from `params.seed` and the number of a row or block.
    work : Work

    Returns
    -------
    Result
        ``e_value`` is the wealth K at the end or at the decision, ``p_value`` is 1 / max K, valid
        at every time; rejected where max K >= 1 / alpha. With `detect`, ``statistic`` is that of
        the e-detector, and "rejected" means an alarm.

    Notes
    -----
    Conformal: the rank of each row's score among those of reference rows and earlier rows of its
    stage, a uniform p-value, is bet on; scores are learned from earlier stages only
    (`kstest.betting.conformal`). Blocks: labels are permuted within blocks of b rows of either side
    (`kstest.betting.two_samples`); m rows of reference test m rows of the stream.

    Exact: the probability of a rejection at any time is at most alpha, at every d, if all rows are
    exchangeable. Rows of the stream that depend on their neighbours are not; a warning says so.

    With `detect` the average run length to a false alarm is at least `run_length` blocks.

    References
    ----------
    Shekhar and Ramdas (2023), arXiv 2112.09162; Vovk, Gammerman, Shafer (2005); Koning (2023),
    arXiv 2310.01153; e-detectors of Shin, Ramdas, Rinaldo (2023), arXiv 2203.03532.

    Examples
    --------
    >>> import kstest, numpy
    >>> rng = numpy.random.default_rng(1)
    >>> kstest.smmd(rng.normal(size=1000), rng.normal(0.5, 1, size=1000)).verdict
    'rejected'
    """
    reference, stream = samples
    missing = reference.missing is not None or stream.missing is not None
    state = init(params, Columns.of(stream, missing), [reference])
    return result(step(state, stream))


def result(state: State) -> Result:
    """Return what is known so far."""
    core, params = state.core, state.params
    begun = (core.conformal or core.blocks) is not None
    found, explanation = course.finding(core, params, begun, _SUMMARIES)
    return Result(
        method="smmd",
        verdict=found,
        alpha=params.alpha,
        **detection.numbers(core.wealth, core.detector, params),
        n={"reference": core.reference_rows, "sample": core.used},
        d=len(state.columns.names),
        columns=state.columns.names,
        kernel=_kernel(state),
        null=_null(params),
        explanation=explanation,
        warnings=tuple(_notices(state)),
    )


def _advance(params: Params, core: Core, rows: Rows, reference: Rows) -> Core:
    design = _design(params, rows.marks.shape[1])
    if core.blocks is not None:
        some, ends, factors = two_samples.step(design, core.blocks, rows, reference)
        core = replace(core, blocks=some)
    elif core.conformal is not None:
        more, ends, factors = conformal.step(design, core.conformal, rows, reference)
        core = replace(core, conformal=more)
    else:
        return replace(core, used=core.used + len(rows))
    tau = conformal.TAU if core.blocks is None else design.tau
    core = course.settled(core, params, ends, factors, core.used + len(rows), tau)
    return course.guarded(core, params, rows)


def _read(columns: Columns, reference: Iterable[Sample]) -> tuple[Rows, str]:
    """All rows of the reference, and their digest."""
    digest, parts = hashlib.sha256(), []
    for sample in reference:
        digest.update(row_bytes(sample, columns))
        parts.append(rows_of(sample, columns, columns.names))
    empty = rows_of(columns.sample(), columns, columns.names)
    values = np.concatenate([empty.values, *(p.values for p in parts)])
    marks = np.concatenate([empty.marks, *(p.marks for p in parts)])
    return Rows(np.ascontiguousarray(values), np.ascontiguousarray(marks)), digest.hexdigest()


def _design(params: Params, marks: int) -> blocks.Design:
    return blocks.Design(
        size=params.block,
        half_lives=HALF_LIVES if params.detect else (math.inf,),
        kernel=params.kernel,
        scale=params.scale,
        bandwidths=(one_bandwidth(params.bandwidth, "--bandwidth"), None),
        seed=params.seed,
        marks=marks,
    )


def _kernel(state: State) -> dict[str, Any]:
    some = state.core.conformal or state.core.blocks
    if some is None:
        return {"name": state.params.kernel, "bandwidths": []}
    widths = [WIDEST * some.scale.bandwidth / 2**r for r in range(RUNGS)]
    return {"name": state.params.kernel, "bandwidths": widths}


def _null(params: Params) -> dict[str, Any]:
    if params.mode == "conformal":
        return {"scheme": "conformal p-values", "replicates": None, "exact": True}
    scheme = f"permutations of blocks of 2 x {params.block} rows"
    return {"scheme": scheme, "replicates": blocks.ARRANGEMENTS, "exact": True}


def _notices(state: State) -> list[Notice]:
    core, params = state.core, state.params
    found = []
    if (core.conformal or core.blocks) is None:
        least = conformal.LEAST_REFERENCE
        if params.mode == "blocks":
            least = two_samples.WARM_UP + 1
        why = f"the reference has {core.reference_rows} rows; at least {least} are needed"
        found.append(Notice("too-few-rows", why))
    elif not core.rounds:
        found.append(Notice("too-few-rows", f"{core.used} rows of the stream make no block yet"))
    if core.blocks is not None and core.blocks.taken + params.block > core.reference_rows:
        found.append(
            Notice(
                "reference-used-up",
                f"the {core.reference_rows:,} rows of the reference are used up, so rows of the "
                f"stream after row {core.blocks.start:,} are not tested; give a longer reference, "
                "or use --mode conformal",
            )
        )
    if course.flagged(core):
        found.append(
            Notice(
                "serial-dependence",
                "the rows of the stream depend on their time or on their neighbours (noticed by "
                f"row {core.guard_wealth.largest_row:,}). If that is not the change that is looked "
                "for, false alarms are likely: use every N-th row (--thin N)",
            )
        )
    return found
