"""Sequential goodness of fit by the kernel Stein discrepancy: is a stream drawn from a density?

Null hypothesis: each row has the target's density given all earlier rows. The evidence may be
looked at after every row. The bets need a bound of the Stein kernel that is proved, so the target
must have a certificate (`kstest.targets.certificate`); the others are refused with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..betting import STEP_ROWS, guard, stein
from ..betting.rows import Rows
from ..betting.wealth import Wealth, settle
from ..betting.wealth import begin as begin_wealth
from ..engine import Work
from ..errors import DataError, UsageError
from ..params import alpha, check_common, option, seed
from ..picture import Picture
from ..result import Notice, Result, Verdict
from ..sample import Sample
from ..targets import FAMILIES, Certificate, Target, chosen_columns, resolve
from .detection import MOST_LOG, evidence
from .stream_picture import evidence_panel, evidence_picture
from .stream_rows import Columns

SAMPLES = ("data",)
EXAMPLE = "kstest sksd draws.csv --target 'normal(mean=0, sd=1)' --columns x"
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
"""
_FITS = "the stream does not fit the target: its rows are not drawn from it"
_SUMMARIES = {
    "rejected": _FITS,
    "not rejected": "not enough evidence so far against the target",
    "no verdict": "too few rows to decide",
}


@dataclass(frozen=True)
class Params:
    """Options of `run`; see the help of each field."""

    target: str = option(
        "",
        f"The density: a family ({', '.join(FAMILIES)}, multivariate_normal, gaussian_mixture, "
        "product) such as 'normal(mean=0, sd=2)', or a YAML, TOML or JSON file. Its score must be "
        "provably tame; where it is not, the message says why.",
        metavar="TARGET",
    )
    alpha: float = alpha()
    seed: int = seed()

    def __post_init__(self) -> None:
        check_common(self)
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


@dataclass(frozen=True)
class Core:
    """What is kept of the rows so far.

    Attributes
    ----------
    rows, used : int
        Rows that arrived, and that were tested.
    verdict : {'', 'rejected'}
    row : int
        Rows when that was decided.
    impossible : str
        What a row had that the target gives probability 0.
    """

    rows: int
    used: int
    verdict: str
    row: int
    impossible: str
    stein: stein.State
    wealth: Wealth
    guard: guard.State
    guard_wealth: Wealth


@dataclass(frozen=True)
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


def check_given(params: Params, given: Set[str]) -> None:
    """There are no options that exclude each other."""


def require(params: Params, columns: Columns) -> None:
    """Refuse a target without a certificate; see `init`."""
    _certified(params, columns)


def init(params: Params, columns: Columns) -> State:
    """Return the state before the first row.

    Raises
    ------
    UsageError
        If the target has no certificate; the message says why.
    """
    target, certificate = _certified(params, columns)
    nothing = Rows.numbers(np.empty((0, target.d)))
    core = Core(
        0,
        0,
        "",
        0,
        "",
        stein.begin(target.d),
        begin_wealth(stein.EXPERTS),
        guard.begin(nothing),
        begin_wealth(guard.EXPERTS),
    )
    return State(params, columns, target, certificate, core)


def restore(params: Params, columns: Columns, core: Core, header: Mapping[str, Any]) -> State:
    """Return the state of a stream from what a file kept of it."""
    return State(params, columns, *_certified(params, columns), core)


def extra(state: State) -> dict[str, Any]:
    """What a file keeps besides options, columns and core."""
    return {}


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
    core = state.core
    level = math.log(1 / state.params.alpha)
    words, marks = f"rejects from {level:.3g} on", [core.row] * (core.row > 0)
    panels = [evidence_panel("misfit", core.wealth, words, marks, level)]
    words = "above 0: rows depend on their time"
    return evidence_picture([*panels, evidence_panel("guard", core.guard_wealth, words, [])])


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
        at every time; rejected where max K >= 1 / alpha.

    Notes
    -----
    K is the mean, over three bandwidths of the inverse multiquadric kernel, of the products of
    1 + lambda g, g the Stein kernel of a row with earlier rows over a bound that is proved of it;
    see `kstest.betting.stein`. Exact: the probability of a rejection at any time is at most alpha,
    at every d, if each row has the target's density given the earlier ones. Draws of a sampler
    that depend on each other do not: thin them first.

    Coordinates with a bounded support are mapped to the line. A row outside the support has
    probability 0 under the target, and rejects at once. As every Stein test it is blind to the
    weights of well separated modes.

    References
    ----------
    Martinez-Taboada and Ramdas (2025), Sequential Kernelized Stein Discrepancy, AISTATS, arXiv
    2409.17505.

    Examples
    --------
    >>> import kstest, numpy
    >>> X = numpy.random.default_rng(1).normal(0.5, 1, size=1000)
    >>> kstest.sksd(X, target="normal(mean=0, sd=1)").verdict
    'rejected'
    """
    state = init(params, Columns.of(samples[0]))
    return result(step(state, samples[0]))


def result(state: State) -> Result:
    """Return what is known so far."""
    core, params = state.core, state.params
    found: Verdict = "not rejected" if core.wealth.rounds else "no verdict"
    if core.verdict:
        found = "rejected"
    summary = _SUMMARIES[found]
    if core.verdict:
        summary += f"; decided after {core.row:,} rows"
    # Probability 0 is beyond any number; the largest that can be written stands in.
    now, most = core.wealth.log_e, core.wealth.largest
    if core.impossible:
        now = most = MOST_LOG
    return Result(
        method="sksd",
        verdict=found,
        alpha=params.alpha,
        p_value=math.exp(-most),
        e_value=math.exp(min(now, MOST_LOG)),
        threshold=1 / params.alpha,
        n={"data": core.used},
        d=state.target.d,
        columns=state.target.columns,
        kernel={"name": "imq", "bandwidths": list(stein.BANDWIDTHS)},
        null={"scheme": "Stein's identity", "replicates": None, "exact": True},
        explanation={
            "summary": summary,
            "target": params.target,
            "evidence": evidence(core.wealth, params.alpha, core.used, core.row),
        },
        warnings=tuple(_notices(state)),
    )


def _certified(params: Params, columns: Columns) -> tuple[Target, Certificate]:
    target = resolve(params.target, columns.numeric)
    if isinstance(target.certificate, str):
        raise UsageError(
            f"--target {params.target}: {target.certificate}, so no bound of the Stein kernel is "
            "known, and without it a bet could lose more than it has. For a fixed number of rows "
            "use kstest ksd"
        )
    return target, target.certificate


def _advance(state: State, core: Core, X: Any) -> Core:
    """Take rows up to the decision."""
    target, certificate = state.target, state.certificate
    outside = target.find(X)
    edge = target.find(X, edge=True)
    if edge and (outside is None or edge[0] < outside[0]):
        row, c = edge
        raise DataError(
            f"row {core.used + row + 1:,} of the stream has {target.columns[c]} = "
            f"{X[row, c]:.6g}, on the edge of the target's support {target.charts[c]}, where its "
            "coordinate is infinite. If values are rounded, add random digits below the rounding, "
            "or leave such rows out"
        )
    inside = X if outside is None else X[: outside[0]]
    Y, S = target.unconstrain(np.ascontiguousarray(inside))
    # A score that overflows says how far away a row is; the bet needs a finite number.
    S = np.clip(np.nan_to_num(S, nan=0.0), -1e100, 1e100)
    z, scores = Y @ certificate.units, S @ np.linalg.inv(certificate.units).T
    learned, ends, factors = stein.step(
        core.stein, z, scores, certificate.lipschitz, certificate.bound
    )
    seen, looked, serial = guard.step(core.guard, Rows.numbers(z), 4 * state.params.seed + 1)
    wealth, path = settle(core.wealth, ends, factors)
    crossed = np.flatnonzero(path >= math.log(1 / state.params.alpha))
    used, verdict, impossible = core.used + len(inside), "", ""
    if len(crossed):
        n = int(crossed[0]) + 1
        wealth, _ = settle(core.wealth, ends[:n], factors[:n])
        used, verdict = int(ends[n - 1]), "rejected"
    elif outside is not None:
        row, c = outside
        used, verdict = used + 1, "rejected"
        impossible = f"{target.columns[c]} = {X[row, c]:.6g}, support {target.charts[c]}"
    within = looked <= used
    return replace(
        core,
        used=used,
        verdict=verdict,
        row=used if verdict else 0,
        impossible=impossible,
        stein=learned,
        wealth=wealth,
        guard=seen,
        guard_wealth=settle(core.guard_wealth, looked[within], serial[within])[0],
    )


def _notices(state: State) -> list[Notice]:
    core = state.core
    found = []
    if not core.wealth.rounds and not core.verdict:
        found.append(Notice("too-few-rows", "no row was tested"))
    if core.impossible:
        found.append(
            Notice(
                "outside-support",
                f"row {core.row:,} of the stream lies outside the target's support "
                f"({core.impossible}): its probability is 0",
            )
        )
    if core.guard_wealth.largest >= math.log(guard.FLAG):
        found.append(
            Notice(
                "serial-dependence",
                "the rows depend on their time or on their neighbours (noticed by row "
                f"{core.guard_wealth.largest_row:,}): the test is for rows that have the target's "
                "density given the earlier ones; draws of a sampler have to be thinned first",
            )
        )
    return found
