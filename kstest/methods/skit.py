"""Sequential kernelized independence test (SKIT): are two blocks of columns independent?

Null hypothesis: the two blocks are independent of each other given the past, and the rows of at
least one of them are exchangeable within short blocks. The evidence may be looked at after every
row. `init`, `step` and `result` are the test; `run` does all rows at once. The bets are those of
`kstest.betting`; what is common to streams is in `stream`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..betting import STEP_ROWS, blocks, pairs
from ..betting.detector import HALF_LIVES
from ..betting.rows import no_rows, rows_of
from ..columns import ByOption
from ..contract import Inputs, StreamTest
from ..engine import Work
from ..errors import UsageError
from ..params import option_name
from ..result import Result
from ..sample import Columns, Sample
from .common import one_bandwidth
from .dependence.column_blocks import named_blocks, used_blocks
from .stream import detection, kept, skit_pairs, skit_report
from .stream.detection import check_given
from .stream.season import levels_of, residual_rows
from .stream.skit_core import Bets, Core, advance, advance_pairs, begin, begin_pairs
from .stream.skit_options import Params
from .stream.skit_state import State

if TYPE_CHECKING:
    from ..picture import Picture

# Rows after which a witness of --detect has half forgotten.
DETECTOR_HALF_LIVES = (64.0, 512.0, math.inf)
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
@article{wang2022ebh,
  title   = {False Discovery Rate Control with E-values},
  author  = {Wang, Ruodu and Ramdas, Aaditya},
  journal = {Journal of the Royal Statistical Society: Series B},
  volume  = {84}, number = {3}, pages = {822--852}, year = {2022}, note = {arXiv:2009.02824}
}
@article{ramdas2023game,
  title   = {Game-Theoretic Statistics and Safe Anytime-Valid Inference},
  author  = {Ramdas, Aaditya and Gr{\\"u}nwald, Peter and Vovk, Vladimir and Shafer, Glenn},
  journal = {Statistical Science}, volume = {38}, year = {2023}
}
"""


def columns(params: Params) -> ByOption | None:
    """Return how the columns are chosen, where the options name blocks."""
    if not params.x:
        return None
    options = [option for option, _ in _named(params)]
    return ByOption(lambda names: zip(options, _lists(params, names), strict=True))


def with_blocks(params: Params, lists: Sequence[str]) -> Params:
    """Return the options for blocks that came as one object each."""
    if params.x or params.all_pairs:
        raise UsageError(
            "two arrays are the blocks already: leave out x, y and all_pairs, or give one table"
        )
    return replace(params, x=lists[0], y=lists[1])


def init(params: Params, columns: Columns, reference: Iterable[Sample] = ()) -> State:
    """Return the state before the first row."""
    sides = sides_of(params, columns)
    rows = [no_rows(columns, names) for names in sides]
    how = _bets(params)
    core = begin_pairs(how, rows) if params.all_pairs else begin(how, rows[0], rows[1])
    return State(params, columns, sides, core)


def step(state: State, chunk: Sample) -> State:
    """Take more rows, in their order; after a decision they are not looked at."""
    if state.core.verdict:
        return state
    params, core = state.params, state.core
    rows = np.arange((-core.rows) % params.thin, chunk.n, params.thin)
    sides = [rows_of(chunk, state.columns, names)[rows] for names in state.sides]
    core = replace(core, rows=core.rows + chunk.n)
    if core.season is not None:
        name = _calendar(params, state.columns)
        levels = levels_of(chunk, state.columns, name)[rows]
        season, sides = residual_rows(core.season, levels, sides, name)
        core = replace(core, season=season)
    how = _bets(state.params)
    for first in range(0, len(sides[0]), STEP_ROWS):
        part = slice(first, first + STEP_ROWS)
        if params.all_pairs:
            core = advance_pairs(how, core, [side[part] for side in sides])
        else:
            core = advance(how, core, sides[0][part], sides[1][part])
        if core.verdict:
            break
    return replace(state, core=core)


def declared(params: Params, columns: Columns) -> kept.Found:
    """What a file may hold of such a stream."""
    sides = [no_rows(columns, names) for names in sides_of(params, columns)]
    return kept.skit(sides, design_of(params), params)


def restore(params: Params, columns: Columns, core: Core) -> State:
    """Return the state of a stream from what a file kept of it."""
    return State(params, columns, sides_of(params, columns), core)


def decided(state: State) -> bool:
    """Whether later rows are not looked at."""
    return bool(state.core.verdict)


def result(state: State, since: int = 0) -> Result:
    """Return what is known so far; `since` rows came before this run."""
    report = skit_pairs.report if state.params.all_pairs else skit_report.report
    return detection.of_this_run(report(state), state, since)


def drawing(state: State) -> Picture:
    """Return what there is to draw about a stream so far."""
    return skit_pairs.draw(state) if state.params.all_pairs else skit_report.draw(state)


def picture(samples: Sequence[Sample], params: Params, result: Result) -> Picture:
    """Return what there is to draw about the result of `run`."""
    return drawing(step(init(params, Columns.of(samples[0])), samples[0]))


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
        both blocks, where max K >= 1 / alpha waits for it, or where no bet was settled.

    Notes
    -----
    Blocks of rows (the default): K is the mixture over all starts (`kstest.betting.starts`) of the
    mean, over 4 half-lives of the witness, 4 bandwidths and 5 strengths c, of the product over
    blocks of exp(c z_0) / mean_m exp(c z_m), z the standardised sums of the witness over the block
    with y as it is (z_0) and permuted 99 times. The witness, empirical joint less
    product of marginal characteristic functions, comes from earlier rows. Exact: probability of a
    rejection at any time at most alpha, at every d, if the blocks of columns are independent given
    the past and *one* of them is exchangeable within every block of rows; the proof is in
    `kstest.betting.blocks`.

    All pairs of columns (`all_pairs`): e-BH over the wealths of the pairs keeps the expected share
    of false ones among the rejected pairs (the false discovery rate) at most alpha, at every time
    at which one likes to look and over the whole stream, however the pairs depend on each other, if
    what is said above of a pair holds given the earlier rows of all columns. The wealths of now are
    used, and a pair that was rejected is stopped at its wealth, so that no rejection is taken back;
    running maxima would not do, see `kstest.betting.ebh`. ``e_value`` is then max_k k e_(k) / m of
    the m pairs' evidence sorted downwards, ``p_value`` 1 / its maximum over time.

    Pairs of rows: as published; see `kstest.betting.payoffs`, `bets` and `symmetric`.

    Rows that depend on their time in both blocks of columns (a season in both, memory in both) are
    not independent in this sense. The guard looks for that, in values and in their spread; a flag
    of both outranks a rejection, which also waits while rows near each other look as dependent as
    the same rows do (`kstest.betting.lagged`).
    It can miss what it has no time to see: a pattern that is weak, or that came a moment ago.

    References
    ----------
    Podkopaev, Bloebaum, Kasiviswanathan, Ramdas (2023), ICML, arXiv 2212.07383; permutation
    e-values of Koning (2023), arXiv 2310.01153; Ville's inequality in Ramdas, Gruenwald, Vovk,
    Shafer (2023), Statistical Science 38; e-BH of Wang and Ramdas (2022), JRSS B 84, arXiv
    2009.02824.

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
        design_of(params),
        math.log(1 / params.alpha),
        params.seed,
        params.strided,
        params.guard == "on",
        bool(params.residualise),
        alarm=params if params.detect else None,
    )


def design_of(params: Params) -> blocks.Design | pairs.Design:
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
        half_lives=DETECTOR_HALF_LIVES if params.detect else HALF_LIVES,
        kernel=params.kernel,
        scale=params.scale,
        bandwidths=both,
        seed=params.seed,
        lagged=params.guard == "on" and not params.detect,
    )


def _lists(params: Params, names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    found = named_blocks(_named(params), names)
    if params.residualise and len(found[-1]) != 1:
        raise UsageError(f"--residualise {params.residualise!r}: name one column")
    return found


def _named(params: Params) -> list[tuple[str, str]]:
    """Options that name columns, and what they say."""
    lists = [("--x", params.x), ("--y", params.y)] if params.x else []
    return lists + [("--residualise", params.residualise)] * bool(params.residualise)


def _calendar(params: Params, columns: Columns) -> str:
    return _lists(params, columns.all)[-1][0]


def sides_of(params: Params, columns: Columns) -> tuple[tuple[str, ...], ...]:
    """Names of both blocks, or of every column."""
    if params.x:
        return used_blocks(_named(params), columns.sample())[:2]
    names = [name for name in columns.all if name in columns.names]
    if params.all_pairs:
        if params.residualise:
            calendar = _calendar(params, columns)
            if calendar not in names:
                raise UsageError(
                    f"--residualise {params.residualise!r}: --columns or --exclude leave it out; "
                    "it has to be read, and is not tested"
                )
            names.remove(calendar)
        if len(names) < 2:
            raise UsageError(f"--all-pairs: needs at least 2 columns, found {len(names)}")
        return tuple((name,) for name in names)
    if params.residualise:
        raise UsageError("--residualise: give --x and --y too, the blocks to test")
    if len(names) != 2:
        raise UsageError(
            f"{len(names)} columns: say which to test against which with --x LIST --y LIST, or "
            "--all-pairs"
        )
    return (names[0],), (names[1],)


TEST = StreamTest(
    inputs=Inputs(
        roles=("data",),
        accepts=frozenset({"categorical", "missing"}),
        params=Params,
        blocks=("x", "y"),
        columns=columns,
        with_blocks=with_blocks,
        check_given=check_given,
        example="kstest skit stream.parquet --x temp --y rate",
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
)
