"""Sequential kernelized independence test (SKIT): are two blocks of columns independent?

Null hypothesis: the two blocks are independent of each other given the past, and the rows of at
least one of them are exchangeable within short blocks. The evidence may be looked at after every
row. `init`, `step` and `result` are the test; `run` does all rows at once. The bets are those of
`kstest.betting`; what is common to streams is in `stream_rows` and `streams`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..betting import STEP_ROWS, bets, blocks, pairs, payoffs, symmetric
from ..engine import Work
from ..errors import UsageError
from ..params import alpha, check_common, option, option_name, seed
from ..picture import Picture
from ..result import Result
from ..sample import Sample
from . import detection
from .column_blocks import named_blocks, used_blocks
from .common import one_bandwidth
from .detection import check_given as check_given
from .skit_core import Bets, Core, advance, begin
from .skit_report import draw, report
from .stream_rows import (
    Columns,
    levels_of,
    no_rows,
    residual_rows,
    rows_of,
)

SAMPLES = ("data",)
ACCEPTS = frozenset({"categorical", "missing"})
BLOCKS = ("x", "y")
EXAMPLE = "kstest skit stream.parquet --x temp --y rate"
DESCRIPTION = (
    "Rows are taken in the order of the file, as a stream: the test may be looked at after every "
    "row and ends as soon as it rejects. A rejection is a false alarm with probability at most "
    "alpha, over the whole stream, however often one looks. - reads a pipe, which may be endless."
)
REFERENCES = """\
@inproceedings{podkopaev2023skit,
  title     = {Sequential Kernelized Independence Testing},
  author    = {Podkopaev, Aleksandr and Bl{\\"o}baum, Patrick and Kasiviswanathan, Shiva and
               Ramdas, Aaditya},
  booktitle = {International Conference on Machine Learning},
  year      = {2023}, note = {arXiv:2212.07383}
}
@misc{koning2023online,
  title  = {Post-hoc and Anytime Valid Permutation and Group Invariance Testing},
  author = {Koning, Nick W.},
  year   = {2023}, note = {arXiv:2310.01153}
}
@article{ramdas2023game,
  title   = {Game-Theoretic Statistics and Safe Anytime-Valid Inference},
  author  = {Ramdas, Aaditya and Gr{\\"u}nwald, Peter and Vovk, Vladimir and Shafer, Glenn},
  journal = {Statistical Science}, volume = {38}, year = {2023}
}
"""


@dataclass(frozen=True)
class Params:
    """Options of `run`; see the help of each field."""

    x: str = option("", "First block of columns, such as a,b,3-5,'x*'.", metavar="LIST")
    y: str = option("", "Second block of columns.", metavar="LIST")
    alpha: float = alpha()
    seed: int = seed()
    mode: str = option(
        "blocks",
        "Bet on blocks of rows, by permuting them; or on pairs of rows, as published.",
        choices=("blocks", "pairs"),
    )
    block: int = option(16, "Rows of a block, within which one of both sides is exchangeable.")
    kernel: str = option(
        "gaussian",
        "Kernel; linear only with --mode pairs and --symmetric.",
        choices=tuple(payoffs.KERNELS),
    )
    bandwidth: str = option(
        "median",
        "The median distance of the first 20 rows, or a number in units of the scaled columns. "
        "With --mode blocks four bandwidths from twice to a quarter of it are used.",
        metavar="median|NUMBER",
    )
    bandwidth_x: str = option("", "The same for the first block only.", metavar="median|NUMBER")
    bandwidth_y: str = option("", "The same for the second block only.", metavar="median|NUMBER")
    scale: str = option(
        "robust",
        "Unit of each column, from the first 20 rows: median absolute deviation, standard "
        "deviation, or as it is.",
        choices=("robust", "standard", "none"),
    )
    payoff: str = option("hsic", "With --mode pairs: the witness.", choices=payoffs.PAYOFFS)
    bet: str = option("mixture", "With --mode pairs: how much is bet.", choices=bets.BETS)
    symmetric: str = option(
        "none",
        "With --mode pairs: bet on sign and size of the witness difference, for laws that drift.",
        choices=symmetric.TRANSFORMS,
    )
    witness_rows: int = option(2000, "With --mode pairs: rows that the witness keeps.")
    guard: str = option(
        "on",
        "Watch whether both sides depend on the time of the row, and give no verdict if they do.",
        choices=("on", "off"),
    )
    thin: int = option(1, "Use every N-th row only.", metavar="N")
    strided: int = option(
        1,
        "Blocks of every N-th row, N of them side by side, whose evidence is averaged: for rows "
        "that depend on their neighbours.",
        metavar="N",
    )
    detect: bool = detection.detect()
    run_length: int = detection.run_length()
    on_alarm: str = detection.on_alarm()
    detector: str = detection.detector()
    residualise: str = option(
        "",
        "A calendar column, such as the hour: subtract from every number the mean of the earlier "
        "rows with the same value. Not tested itself.",
        metavar="COLUMN",
    )

    def __post_init__(self) -> None:
        check_common(self)
        detection.check_detection(self)
        if bool(self.x) != bool(self.y):
            given, other = ("--x", "--y") if self.x else ("--y", "--x")
            raise UsageError(
                f"{given} {self.x or self.y!r}: give {other} too, the block to test it against"
            )
        for name, least, most in (("block", 2, 64), ("thin", 1, 10**6), ("strided", 1, 1000)):
            if not least <= getattr(self, name) <= most:
                raise UsageError(
                    f"--{name} {getattr(self, name)}: give a whole number from {least} to {most}"
                )
        if not 2 <= self.witness_rows <= 20_000:
            raise UsageError(
                f"--witness-rows {self.witness_rows}: give a whole number from 2 to 20000"
            )
        for name in ("bandwidth", "bandwidth_x", "bandwidth_y"):
            if getattr(self, name) or name == "bandwidth":
                one_bandwidth(getattr(self, name), option_name(name))
        self._check_mode()

    def _check_mode(self) -> None:
        pairs_only = {"payoff": "hsic", "bet": "mixture", "symmetric": "none"}
        for name, default in pairs_only.items():
            if self.mode == "blocks" and getattr(self, name) != default:
                raise UsageError(f"--{name} {getattr(self, name)}: is for --mode pairs")
        if self.mode == "pairs" and self.strided > 1:
            raise UsageError("--strided is for --mode blocks; with --mode pairs use --thin")
        if self.mode == "pairs" and self.detect:
            raise UsageError("--detect is for --mode blocks, whose evidence comes block by block")
        if self.kernel == "linear" and (self.mode == "blocks" or self.symmetric == "none"):
            raise UsageError(
                "--kernel linear: is not bounded; use it with --mode pairs and --symmetric tanh, "
                "sign, rank or predictive"
            )


@dataclass(frozen=True)
class State:
    """A stream under test: options, columns, and what is kept of the rows."""

    params: Params
    columns: Columns
    x: tuple[str, ...]
    y: tuple[str, ...]
    core: Core


def columns(params: Params) -> Callable[[Sequence[str]], Sequence[str]] | None:
    """Return how the columns are chosen, where the options name blocks."""
    if not params.x:
        return None
    return lambda names: [n for block in _lists(params, names) for n in block]


def with_blocks(params: Params, lists: Sequence[str]) -> Params:
    """Return the options for blocks that came as one object each."""
    if params.x:
        raise UsageError("two arrays are the blocks already: leave out x and y, or give one table")
    return replace(params, x=lists[0], y=lists[1])


def init(params: Params, columns: Columns) -> State:
    """Return the state before the first row."""
    x, y = _sides(params, columns)
    rows = [no_rows(columns, names) for names in (x, y)]
    core = begin(_bets(params), *rows)
    return State(params, columns, x, y, core)


def step(state: State, chunk: Sample) -> State:
    """Take more rows, in their order; after a decision they are not looked at."""
    if state.core.verdict:
        return state
    params, core = state.params, state.core
    rows = np.arange((-core.rows) % params.thin, chunk.n, params.thin)
    x, y = (rows_of(chunk, state.columns, names)[rows] for names in (state.x, state.y))
    core = replace(core, rows=core.rows + chunk.n)
    if core.season is not None:
        name = _lists(params, state.columns.all)[2][0]
        levels = levels_of(chunk, state.columns, name)[rows]
        season, x, y = residual_rows(core.season, levels, x, y, name)
        core = replace(core, season=season)
    how = _bets(state.params)
    for first in range(0, len(x), STEP_ROWS):
        part = slice(first, first + STEP_ROWS)
        core = advance(how, core, x[part], y[part])
        if core.verdict:
            break
    return replace(state, core=core)


def restore(params: Params, columns: Columns, core: Core, header: Mapping[str, Any]) -> State:
    """Return the state of a stream from what a file kept of it."""
    return State(params, columns, *_sides(params, columns), core)


def extra(state: State) -> dict[str, Any]:
    """What a file keeps besides options, columns and core."""
    return {}


def decided(state: State) -> bool:
    """Whether later rows are not looked at."""
    return bool(state.core.verdict)


def result(state: State) -> Result:
    """Return what is known so far."""
    return report(state)


def drawing(state: State) -> Picture:
    """Return what there is to draw about a stream so far."""
    return draw(state)


def picture(samples: Sequence[Sample], params: Params, result: Result) -> Picture:
    """Return what there is to draw about the result of `run`."""
    return draw(step(init(params, Columns.of(samples[0])), samples[0]))


def run(samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test, row by row, whether two blocks of columns are independent.

    Parameters
    ----------
    samples : one Sample
        Its rows in order of time.
    params : Params
    rng : numpy.random.Generator
        Not used: everything random comes from `params.seed` and the number of a block, so that a
        stream can be continued.
    work : Work

    Returns
    -------
    Result
        ``e_value`` is the wealth K at the end, or at the row of the decision: a bet against
        independence that started with 1. ``p_value`` is 1 / max K, valid at every time. Rejected
        where max K >= 1 / alpha; rows after that are not looked at. No verdict where `guard` flags
        both blocks, or where no bet was settled.

    Notes
    -----
    Blocks of rows (the default): K is the mean, over 4 bandwidths and 5 strengths c, of the
    product over blocks of exp(c z_0) / mean_m exp(c z_m), z the standardised sums of the witness
    over the block with y as it is (z_0) and permuted 99 times. The witness, empirical joint less
    product of marginal characteristic functions, comes from earlier rows. Exact: probability of a
    rejection at any time at most alpha, at every d, if the blocks of columns are independent given
    the past and *one* of them is exchangeable within every block of rows; the proof is in
    `kstest.betting.blocks`.

    Pairs of rows: as published; see `kstest.betting.payoffs`, `bets` and `symmetric`.

    Rows that depend on their time in both blocks of columns (a season in both, memory in both) are
    not independent in this sense. The guard looks for that; a flag of both outranks a rejection.
    It can miss what it has no time to see: a pattern that is weak, or that came a moment ago.

    References
    ----------
    Podkopaev, Bloebaum, Kasiviswanathan, Ramdas (2023), ICML, arXiv 2212.07383; permutation
    e-values of Koning (2023), arXiv 2310.01153; Ville's inequality in Ramdas, Gruenwald, Vovk,
    Shafer (2023), Statistical Science 38.

    Examples
    --------
    >>> import kstest, numpy
    >>> rng = numpy.random.default_rng(1)
    >>> x = rng.normal(size=2000)
    >>> y = x**2 + rng.normal(size=2000)
    >>> kstest.skit(x, y).verdict
    'rejected'
    """
    state = init(params, Columns.of(samples[0]))
    return result(step(state, samples[0]))


def _bets(params: Params) -> Bets:
    return Bets(
        _design(params),
        math.log(1 / params.alpha),
        params.seed,
        params.strided,
        params.guard == "on",
        bool(params.residualise),
        alarm=params if params.detect else None,
    )


def _design(params: Params) -> blocks.Design | pairs.Design:
    widths = tuple(
        one_bandwidth(getattr(params, name) or params.bandwidth, option_name(name))
        for name in ("bandwidth_x", "bandwidth_y")
    )
    both = (widths[0], widths[1])
    if params.mode == "pairs":
        return pairs.Design(
            params.payoff,
            params.bet,
            params.symmetric,
            params.kernel,
            params.scale,
            both,
            params.witness_rows,
        )
    return blocks.Design(
        size=params.block,
        stride=params.strided,
        half_lives=(64.0, 512.0, math.inf) if params.detect else (math.inf,),
        kernel=params.kernel,
        scale=params.scale,
        bandwidths=both,
        seed=params.seed,
    )


def _lists(params: Params, names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    lists = [("--x", params.x), ("--y", params.y)]
    calendar = [("--residualise", params.residualise)] if params.residualise else []
    found = named_blocks([*lists, *calendar], names)
    if calendar and len(found[2]) != 1:
        raise UsageError(f"--residualise {params.residualise!r}: name one column")
    return found


def _sides(params: Params, columns: Columns) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of both blocks."""
    if params.x:
        lists = [("--x", params.x), ("--y", params.y)]
        lists += [("--residualise", params.residualise)] * bool(params.residualise)
        found = used_blocks(lists, columns.sample())
        return found[0], found[1]
    if params.residualise:
        raise UsageError("--residualise: give --x and --y too, the blocks to test")
    names = [name for name in columns.all if name in columns.names]
    if len(names) != 2:
        raise UsageError(
            f"{len(names)} columns: say which to test against which with --x LIST --y LIST"
        )
    return (names[0],), (names[1],)
