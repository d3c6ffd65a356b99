"""Sequential goodness of fit by the kernel Stein discrepancy: is a stream drawn from a density?

Null hypothesis: each row has the target's density given all earlier rows. The evidence may be
looked at after every row. The bets need a bound of the Stein kernel that is proved, so the target
must have a certificate (`kstest.targets.certificate`); the others are refused with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kstest.frozen import frozen

from ..betting import STEP_ROWS, stein
from ..betting.detector import HALF_LIVES
from ..betting.rows import Rows
from ..contract import Inputs, StreamTest
from ..engine import Work
from ..errors import DataError, UsageError
from ..findings import target as named
from ..params import alpha, check_common, option, seed
from ..picture import Picture
from ..result import Notice, Result
from ..sample import Columns, Sample
from ..targets import FAMILIES, Certificate, Target, chosen_columns, resolve
from .stein.data import unused_scores
from .stream import course, detection, kept
from .stream.course import Course
from .stream.detection import MOST_LOG, check_given

DESCRIPTION = (
    "Rows are taken in the order of the file, as a stream: the test may be looked at after every "
    "row and ends as soon as it rejects. A rejection is a false alarm with probability at most "
    "alpha, over the whole stream, however often one looks."
)
REFERENCES = """\
@inproceedings{martineztaboada2025sequential,
  title     = {Sequential Kernelized {Stein} Discrepancy},
  author    = {Martinez-Taboada, Diego and Ramdas, Aaditya},
  booktitle = {International Conference on Artificial Intelligence and Statistics},
  year      = {2025}, note = {arXiv:2409.17505}
}
@article{shin2023edetectors,
  title   = {E-detectors: a nonparametric framework for sequential change detection},
  author  = {Shin, Jaehyeok and Ramdas, Aaditya and Rinaldo, Alessandro},
  journal = {New England Journal of Statistics in Data Science}, year = {2023},
  note    = {arXiv:2203.03532}
}
"""
_SUMMARIES = {
    "rejected": "the stream does not fit the target: its rows are not drawn from it",
    "alarm": "the stream does not fit the target any more",
    "not rejected": "not enough evidence so far against the target",
    "no verdict": "too few rows to decide",
}


@frozen
class Params:
    """Options of `run`; see the help of each field."""

    target: str = option(
        "",
        f"The density: a family ({', '.join(FAMILIES)}, multivariate_normal, gaussian_mixture, "
        "product) such as 'normal(mean=0, sd=2)', or a YAML, TOML or JSON file. Its score must be "
        "provably tame; where it is not, the message says why.",
        metavar="TARGET",
        brief="The density, such as 'normal(mean=0, sd=1)'.",
    )
    alpha: float = alpha()
    seed: int = seed()
    detect: bool = detection.detect("rows")
    run_length: int = detection.run_length("rows")
    on_alarm: str = detection.on_alarm()
    detector: str = detection.detector()

    def __post_init__(self) -> None:
        check_common(self)
        detection.check_detection(self)
        if not isinstance(self.target, str) or not self.target.strip():
            raise UsageError(
                "--target: give a density by name, for example --target 'normal(mean=0, sd=1)'"
            )
        start = self.target.strip()
        if start.startswith(("logp:", "python:", "fit:")):
            raise UsageError(
                f"--target {start}: nothing is proved of the score of such a target; a sequential "
                "test takes families and mixtures of equal covariance. For a fixed number of rows "
                "use kstest ksd"
            )


# Rows taken at a time where an alarm may make the rest be taken anew.
_FEW = 512


@frozen(kw_only=True)
class Core(Course):
    """What is kept of the rows so far.

    Attributes
    ----------
    stein : stein.State
    impossible : str
        What a row had that the target gives probability 0.
    impossible_row : int
        The last such row.
    """

    stein: stein.State
    impossible: str = ""
    impossible_row: int = 0


@frozen
class State:
    """A stream under test."""

    params: Params
    columns: Columns
    target: Target
    certificate: Certificate
    core: Core


def columns(params: Params) -> Callable[[Sequence[str]], Sequence[str]] | None:
    """Which columns of a file are worth reading when --columns does not say."""
    return chosen_columns(params.target, "")


def require(params: Params, columns: Columns) -> None:
    """Refuse a target without a certificate; see `init`."""
    certified(params, columns)


def init(params: Params, columns: Columns, reference: Iterable[Sample] = ()) -> State:
    """Return the state before the first row.

    Raises
    ------
    UsageError
        If the target has no certificate; the message says why.
    """
    target, certificate = certified(params, columns)
    nothing = Rows.numbers(np.empty((0, target.d)))
    begun = course.opening(params, design_of(params, certificate).experts, nothing)
    core = Core(**begun, stein=stein.begin(target.d))
    return State(params, columns, target, certificate, core)


def declared(params: Params, columns: Columns) -> kept.Found:
    """What a file may hold of such a stream."""
    target, certificate = certified(params, columns)
    return kept.sksd(Core, target.d, design_of(params, certificate))


def restore(params: Params, columns: Columns, core: Core) -> State:
    """Return the state of a stream from what a file kept of it."""
    return State(params, columns, *certified(params, columns), core)


def step(state: State, chunk: Sample) -> State:
    """Take more rows, in their order; after a decision they are not looked at."""
    core = state.core
    if core.verdict:
        return state
    place = [chunk.columns.index(name) for name in state.target.columns]
    X = np.ascontiguousarray(chunk.values[:, place])
    core = replace(core, rows=core.rows + chunk.n)
    for first in range(0, len(X), STEP_ROWS):
        core = _advance(state, core, X[first : first + STEP_ROWS])
        if core.verdict:
            break
    return replace(state, core=core)


def decided(state: State) -> bool:
    """Whether later rows are not looked at."""
    return bool(state.core.verdict)


def drawing(state: State) -> Picture:
    """Return what there is to draw about a stream so far."""
    return course.drawing(state.core, state.params, "misfit")


def picture(samples: Sequence[Sample], params: Params, result: Result) -> Picture:
    """Return what there is to draw about the result of `run`."""
    return drawing(step(init(params, Columns.of(samples[0])), samples[0]))


def run(samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test, row by row, whether a stream is drawn from a given density.

    Parameters
    ----------
    samples : one Sample
        Its rows in order of time.
    params : Params
    rng : numpy.random.Generator
        Not used: nothing here is random.
    work : Work

    Returns
    -------
    Result
        ``e_value`` is the wealth K at the end or at the decision, ``p_value`` is 1 / max K, valid
        at every time; rejected where max K >= 1 / alpha. With `detect`, ``statistic`` is that of
        the e-detector, and "rejected" means an alarm.

    Notes
    -----
    K is the mixture over all starts (`kstest.betting.starts`) of the mean, over three bandwidths of
    the inverse multiquadric kernel, witnesses of the last 32, 128, 512 and of more rows, and three
    bets lambda, of the products of 1 + lambda g, g the tilted Stein kernel of a row with earlier
    rows over a bound that is proved of it; see `kstest.betting.stein`.

    Exact: the probability of a rejection at any time is at most alpha, at every d, if each row
    has the target's density given the earlier ones. Draws of a sampler that depend on each
    other do not: thin them first.

    With `detect` every row is a round of an e-detector, so the average run length to a false alarm
    is at least `run_length` rows; after an alarm with restart witnesses begin anew.

    Coordinates with a bounded support are mapped to the line. A row outside the support has
    probability 0 under the target, and rejects at once. As every Stein test it is blind to the
    weights of well separated modes.

    References
    ----------
    Martinez-Taboada and Ramdas (2025), Sequential Kernelized Stein Discrepancy, AISTATS, arXiv
    2409.17505; the tilt of Liu and Briol (2024), arXiv 2408.05854; e-detectors of Shin, Ramdas,
    Rinaldo (2023), arXiv 2203.03532.

    Examples
    --------
    >>> import kstest, numpy
    >>> X = numpy.random.default_rng(1).normal(0.5, 1, size=1000)
    >>> kstest.sksd(X, target="normal(mean=0, sd=1)").verdict
    'rejected'
    """
    state = init(params, Columns.of(samples[0]))
    return result(step(state, samples[0]))


def result(state: State, since: int = 0) -> Result:
    """Return what is known so far; `since` rows came before this run."""
    core, params = state.core, state.params
    null = {"scheme": "Stein's identity", "replicates": None, "exact": True}
    scheme = detection.scheme_of(null)
    found, findings = course.finding(core, params, True, _SUMMARIES, scheme, "rows", stein.TAU)
    d = state.target.d
    so_far = Result(
        method="sksd",
        verdict=found,
        alpha=params.alpha,
        **detection.numbers(core.wealth, core.detector, params),
        n={"data": core.used},
        d=d,
        columns=state.target.columns,
        kernel={"name": "imq", "bandwidths": [h * math.sqrt(d) for h in stein.BANDWIDTHS]},
        null=null,
        findings=(*findings, named(params.target)),
        warnings=tuple(_notices(state)),
    )
    return detection.of_this_run(detection.decisive(so_far, core.wealth), state, since)


def certified(params: Params, columns: Columns) -> tuple[Target, Certificate]:
    target = resolve(params.target, columns.numeric)
    if isinstance(target.certificate, str):
        raise UsageError(
            f"--target {params.target}: {target.certificate}, so no bound of the Stein kernel is "
            "known, and without it a bet could lose more than it has. For a fixed number of rows "
            "use kstest ksd"
        )
    return target, target.certificate


def design_of(params: Params, certificate: Certificate) -> stein.Design:
    return stein.Design.of(certificate, HALF_LIVES)


def _advance(state: State, core: Core, X: Any) -> Core:
    """Take rows up to the decision."""
    all_rows = X
    while len(X) and not core.verdict:
        outside, edge = state.target.find(X), state.target.find(X, edge=True)
        upto = min(place[0] for place in (outside, edge, (len(X), 0)) if place is not None)
        core = _bet(state, core, np.ascontiguousarray(X[:upto]))
        if core.verdict or upto == len(X):
            break
        if edge is not None and edge[0] == upto:
            raise _on_edge(state.target, core.used + 1, X[upto], edge[1])
        core, X = _rule_out(state, core, X[upto]), X[upto + 1 :]
    return course.guarded(core, state.params, Rows.numbers(all_rows))


def _bet(state: State, core: Core, X: Any) -> Core:
    """Take rows within the support."""
    target, certificate, params = state.target, state.certificate, state.params
    anew = params.detect and params.on_alarm == "restart"
    Y, S = target.unconstrain(X)
    z, scores = Y @ certificate.units, np.nan_to_num(S) @ np.linalg.inv(certificate.units).T
    while len(z) and not core.verdict:
        n = min(len(z), _FEW) if anew else len(z)
        design = design_of(params, certificate)
        learned, factors = stein.step(design, core.stein, z[:n], scores[:n])
        ends = core.used + np.arange(1, n + 1, dtype=np.int64)
        if anew:
            n = course.until_alarm(core, params, ends, factors)
        core = replace(core, stein=learned)
        core = course.settled(core, params, ends[:n], factors[:n], core.used + n, stein.TAU)
        if anew and core.detector is not None and core.used in core.detector.alarms[-1:]:
            core = replace(core, stein=stein.begin(target.d))
        z, scores = z[n:], scores[n:]
    return core


def _rule_out(state: State, core: Core, row: Any) -> Core:
    """Take a row that the target gives probability 0: beyond any evidence, so as much as can be."""
    target, row_number = state.target, core.used + 1
    c = next(
        c for c, transform in enumerate(target.transforms) if transform.outside(row[c : c + 1])[0]
    )
    why = f"{target.columns[c]} = {row[c]:.6g}, support {target.transforms[c]}"
    factors = np.full((1, design_of(state.params, state.certificate).experts), MOST_LOG)
    ends = np.array([row_number], np.int64)
    core = replace(core, impossible=why, impossible_row=row_number)
    core = course.settled(core, state.params, ends, factors, row_number, stein.TAU)
    if state.params.detect and state.params.on_alarm == "restart":
        core = replace(core, stein=stein.begin(target.d))
    return core


def _on_edge(target: Target, row_number: int, row: Any, c: int) -> DataError:
    return DataError(
        f"row {row_number:,} of the stream has {target.columns[c]} = {row[c]:.6g}, on the edge of "
        f"the target's support {target.transforms[c]}, where its coordinate is infinite. If values "
        "are rounded, add random digits below the rounding, or leave such rows out"
    )


def _notices(state: State) -> list[Notice]:
    core = state.core
    found = [*unused_scores(state.columns.sample(), state.params)]
    if not core.rounds:
        found.append(Notice("too-few-rows", "no row was tested"))
    if core.impossible:
        found.append(
            Notice(
                "outside-support",
                f"row {core.impossible_row:,} of the stream lies outside the target's support "
                f"({core.impossible}): its probability is 0",
            )
        )
    if course.flagged(core):
        found.append(
            Notice(
                "serial-dependence",
                "the rows depend on their time or on their neighbours (noticed by row "
                f"{core.guard_wealth.largest_row:,}): the test is for rows that have the target's "
                "density given the earlier ones; draws of a sampler have to be thinned first",
            )
        )
    return found


TEST = StreamTest(
    inputs=Inputs(
        roles=("data",),
        params=Params,
        columns=columns,
        check_given=check_given,
        example="kstest sksd draws.csv --target 'normal(mean=0, sd=1)' --columns x",
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
    require=require,
)
