"""Sequential two-sample test: does a stream follow the distribution of a reference?

Null hypothesis: the rows of reference and stream are exchangeable, as independent draws of one
distribution are. The evidence may be looked at after every row. Two ways to bet, see
`kstest.betting`: `wings` (the default) makes a finite reference last for an endless stream;
`two_samples` uses a fresh row of the reference for every row of the stream. The reference is taken
in random order, so a file that is sorted or drifts is a reference like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kstest.frozen import frozen

from ..betting import STEP_ROWS, blocks, conformal, relay, two_samples
from ..betting.detector import HALF_LIVES
from ..betting.features import BANDWIDTHS, WIDEST
from ..betting.rows import Rows, no_rows, row_bytes, rows_of, shuffled
from ..betting.scores import Scores
from ..contract import Inputs, StreamTest
from ..engine import Work
from ..errors import DataError, UsageError
from ..findings import joined, summary
from ..kernels import lacking, serving
from ..params import alpha, check_common, option, seed
from ..picture import Picture
from ..result import Notice, Result
from ..sample import Columns, Sample
from .common import one_bandwidth
from .stream import course, detection, kept, smmd_wings
from .stream.detection import check_given
from .stream.picture import E_VALUE, WEIGHTED
from .stream.smmd_wings import Winged

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


# What is a round of a detector.
UNIT = "rows (blocks with --mode blocks)"


@frozen
class Params:
    """Options of `run`; see the help of each field."""

    alpha: float = alpha()
    seed: int = seed()
    mode: str = option(
        "conformal",
        "Conformal p-values of every column and of novelty, and blocks of rows beside rows put "
        "aside unread, for which a finite reference lasts for ever; or blocks of rows beside as "
        "many rows of the reference, each used once.",
        choices=("conformal", "blocks"),
    )
    block: int = option(12, "With --mode blocks: rows of a block, of either side.")
    kernel: str = option(
        "gaussian", "Kernel.", choices=serving("spectrum"), refused=lacking("spectrum")
    )
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
    thin: int = option(
        1,
        "Use every N-th row of the stream only.",
        metavar="N",
        brief="Use every N-th row of the stream only.",
    )
    detect: bool = detection.detect(UNIT)
    run_length: int = detection.run_length(UNIT)
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
        one_bandwidth(self.bandwidth, "--bandwidth")


@frozen(kw_only=True)
class Core(Winged):
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

    @property
    def begun(self) -> bool:
        """Whether the reference has rows enough for a bet."""
        return self.wings is not None or self.blocks is not None


@frozen
class State:
    """A stream under test.

    `reference`, in its random order, is None where only what was found is to be shown; `scores` is
    what its first rows fix.
    """

    params: Params
    columns: Columns
    reference: Rows | None
    core: Core
    scores: Scores | None = None


def init(params: Params, columns: Columns, reference: Iterable[Sample] = ()) -> State:
    """Return the state before the first row of the stream."""
    rows, digest = _read(params, columns, reference)
    design = design_of(params, rows.marks.shape[1], digest)
    opened = course.opening(params, design.experts, rows)
    core = Core(**opened, reference_rows=len(rows), reference_digest=digest)
    scores = _scores(params, rows, digest)
    if params.mode == "blocks" and len(rows) > two_samples.WARM_UP:
        core = replace(core, blocks=two_samples.begin(design, rows))
    if scores is not None:
        core = smmd_wings.begun(core, design, scores, rows)
    return State(params, columns, rows, core, scores)


def declared(params: Params, columns: Columns) -> kept.Found:
    """What a file may hold of such a stream."""
    rows = no_rows(columns, columns.names)
    return kept.smmd(Core, rows, design_of(params, rows.marks.shape[1]), params)


def restore(params: Params, columns: Columns, core: Core) -> State:
    """Return the state of a stream from what a file kept of it, without the reference."""
    return State(params, columns, None, core)


def attach(state: State, reference: Iterable[Sample]) -> State:
    """Give a restored state its reference again.

    Raises
    ------
    DataError
        If it is another one.
    """
    rows, digest = _read(state.params, state.columns, reference)
    if digest != state.core.reference_digest:
        raise DataError(
            f"reference: its {len(rows):,} rows are not the {state.core.reference_rows:,} rows "
            "that the stream was begun with. Give that reference, with its rows in their order, or "
            "begin a new --state file"
        )
    return replace(state, reference=rows, scores=_scores(state.params, rows, digest))


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
        core = _advance(state, core, rows[first : first + STEP_ROWS])
        if core.verdict:
            break
    return replace(state, core=core)


def decided(state: State) -> bool:
    """Whether later rows are not looked at."""
    return bool(state.core.verdict)


def drawing(state: State) -> Picture:
    """Return what there is to draw about a stream so far."""
    label = E_VALUE if state.core.wings is None else WEIGHTED
    return course.drawing(state.core, state.params, "difference", label)


def picture(samples: Sequence[Sample], params: Params, result: Result) -> Picture:
    """Return what there is to draw about the result of `run`."""
    reference, stream = samples
    missing = reference.missing is not None or stream.missing is not None
    return drawing(step(init(params, Columns.of(stream, missing), [reference]), stream))


def run(samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test, row by row, whether a stream follows the distribution of a reference.

    Parameters
    ----------
    samples : two Samples
        The reference, and the stream in order of time.
    params : Params
    rng : numpy.random.Generator
        Not used: everything random comes from `params.seed`, the reference and the number of a row
        or block.
    work : Work

    Returns
    -------
    Result
        Blocks: ``e_value`` is the wealth K at the end or at the decision, ``p_value`` is
        1 / max K, valid at every time; rejected where max K >= 1 / alpha. Conformal: the same with
        the largest weighted wealth of the wings as ``statistic``; that is no e-value at a time
        of one's choice, so ``e_value`` is p^(-1/2) / 2, which is. With `detect`, ``statistic`` is
        that of the e-detector, and "rejected" means an alarm.

    Notes
    -----
    Conformal: three wings (`kstest.betting.wings`). The rank of each row's novelty, and of its
    value in each column, among those of reference rows and all earlier rows is a uniform p-value,
    which is bet on (`kstest.betting.conformal`); blocks of rows meet rows that were put aside
    unread, so the reference never runs out (`kstest.betting.relay`). Blocks: labels are permuted
    within blocks of b rows of either side (`kstest.betting.two_samples`); m rows of reference test
    m rows of the stream, and later rows are not tested: no verdict.

    Every wealth is the mixture over all rows at which a change may begin (`kstest.betting.starts`),
    so a change late in a long stream is found nearly as soon as one at its start.

    Exact: the probability of a rejection at any time is at most alpha, at every d, if all rows are
    exchangeable. Rows of the stream that depend on their neighbours are not; a warning says so.

    With `detect` the average run length to a false alarm is at least `run_length` rows (blocks
    with ``mode="blocks"``).

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


def result(state: State, since: int = 0) -> Result:
    """Return what is known so far; `since` rows came before this run."""
    core, params = state.core, state.params
    unit = "rows" if params.mode == "conformal" else "blocks"
    scheme = detection.scheme_of(_null(params))
    found, findings = course.finding(core, params, core.begun, _SUMMARIES, scheme, unit)
    numbers = detection.numbers(core.wealth, core.detector, params)
    if core.evidence is not None and core.wealth is not None:
        numbers |= smmd_wings.numbers(core.wealth)
        won = smmd_wings.evidence(core, params, scheme, state.columns)
        findings = list(joined(findings, [won]))
        if core.verdict:
            text = f"{findings[0].value}, by {won.value['strongest']}"
            findings = list(joined(findings, [summary(text)]))
    if _untested(core) and found == "not rejected":
        found = "no verdict"
        text = f"the reference is used up: the last {_untested(core):,} rows were not tested"
        findings = list(joined(findings, [summary(text)]))
    so_far = Result(
        method="smmd",
        verdict=found,
        alpha=params.alpha,
        **numbers,
        n={"reference": core.reference_rows, "sample": core.used},
        d=len(state.columns.names),
        columns=state.columns.names,
        kernel=_kernel(state),
        null=_null(params),
        findings=tuple(findings),
        warnings=tuple(_notices(state)),
    )
    return detection.of_this_run(detection.decisive(so_far, core.wealth), state, since)


def _advance(state: State, core: Core, rows: Rows) -> Core:
    params, reference = state.params, state.reference
    assert reference is not None
    design = design_of(params, rows.marks.shape[1], core.reference_digest)
    if core.blocks is not None:
        some, ends, factors = two_samples.step(design, core.blocks, rows, reference)
        core = replace(core, blocks=some)
        core = course.settled(core, params, ends, factors, core.used + len(rows), design.tau)
    elif state.scores is not None:
        core = smmd_wings.advanced(core, params, design, state.scores, rows, reference)
    else:
        return replace(core, used=core.used + len(rows))
    return course.guarded(core, params, rows)


def _read(params: Params, columns: Columns, reference: Iterable[Sample]) -> tuple[Rows, str]:
    """All rows of the reference, in random order, and their digest, in that of the file."""
    digest, parts = hashlib.sha256(), []
    for sample in reference:
        digest.update(row_bytes(sample, columns))
        parts.append(rows_of(sample, columns, columns.names))
    empty = rows_of(columns.sample(), columns, columns.names)
    values = np.concatenate([empty.values, *(p.values for p in parts)])
    marks = np.concatenate([empty.marks, *(p.marks for p in parts)])
    found = digest.hexdigest()
    return shuffled(Rows(values, marks), _seed(params, found)), found


def _seed(params: Params, digest: str) -> int:
    """The seed of a stream: of the option and of the reference.

    By the option alone all streams of a user would share their random numbers, and false alarms
    of one would go with those of the others. 40 bits, so that products with it fit in 64.
    """
    return int(hashlib.sha256(f"{params.seed} {digest}".encode()).hexdigest()[:10], 16)


def _scores(params: Params, reference: Rows, digest: str) -> Scores | None:
    """What the reference fixes for conformal p-values; None without them."""
    if params.mode != "conformal" or len(reference) < conformal.LEAST_REFERENCE:
        return None
    return conformal.learn(design_of(params, reference.marks.shape[1], digest), reference)


def design_of(params: Params, marks: int, digest: str = "") -> blocks.Design:
    """The design of the bets; without the digest of a reference, for its sizes only."""
    return blocks.Design(
        size=params.block,
        half_lives=HALF_LIVES,
        kernel=params.kernel,
        scale=params.scale,
        bandwidths=(one_bandwidth(params.bandwidth, "--bandwidth"), None),
        seed=_seed(params, digest),
        marks=marks,
    )


def _kernel(state: State) -> dict[str, Any]:
    core = state.core
    some = core.blocks if core.wings is None else core.wings.relay
    if some is None:
        return {"name": state.params.kernel, "bandwidths": []}
    widths = [WIDEST * some.scale.bandwidth / 2**r for r in range(BANDWIDTHS)]
    return {"name": state.params.kernel, "bandwidths": widths}


def _null(params: Params) -> dict[str, Any]:
    if params.mode == "conformal":
        scheme = f"conformal p-values, permutations of blocks of 2 x {relay.SIZE} rows"
        return {"scheme": scheme, "replicates": None, "exact": True}
    scheme = f"permutations of blocks of 2 x {params.block} rows"
    return {"scheme": scheme, "replicates": blocks.ARRANGEMENTS, "exact": True}


def _untested(core: Core) -> int:
    """Rows of the stream that came after the reference was used up by blocks."""
    if core.blocks is None or not core.blocks.exhausted:
        return 0
    return core.used - (core.blocks.taken - two_samples.WARM_UP)


def _notices(state: State) -> list[Notice]:
    core, params = state.core, state.params
    found = []
    if not core.begun:
        least = conformal.LEAST_REFERENCE
        if params.mode == "blocks":
            least = two_samples.WARM_UP + 1
        why = f"the reference has {core.reference_rows} rows; at least {least} are needed"
        found.append(Notice("too-few-rows", why))
    elif not core.rounds:
        found.append(Notice("too-few-rows", f"{core.used} rows of the stream make no block yet"))
    if _untested(core) and not core.verdict:
        found.append(
            Notice(
                "reference-used-up",
                f"the {core.reference_rows:,} rows of the reference are used up, so rows of the "
                f"stream after row {core.used - _untested(core):,} are not tested; give a longer "
                "reference, or use --mode conformal, for which it lasts",
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


TEST = StreamTest(
    inputs=Inputs(
        roles=("reference", "sample"),
        accepts=frozenset({"categorical", "missing", "streamed records"}),
        params=Params,
        check_given=check_given,
        example="kstest smmd reference.parquet today.csv --state drift.kst",
        description=DESCRIPTION,
    ),
    references=REFERENCES,
    run=run,
    picture=picture,
    init=init,
    step=step,
    decided=decided,
    result=result,
    drawing=drawing,
    core=Core,
    declared=declared,
    restore=restore,
    later=kept.LATER,
    attach=attach,
)
