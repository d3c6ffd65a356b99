"""Goodness-of-fit test by the kernel Stein discrepancy of perturbed rows (pKSD).

Null hypothesis: the rows are independent draws from a given density, known up to its constant.
The kernel Stein discrepancy hardly sees how much weight well separated modes have: the score is
the same whatever the weights. Here rows first jump between the modes, in a way that leaves the
target as it is, and rows with wrong weights come to lie where the target has few.

`run` reads like the method: target, modes, coordinates, jumps at many scales, sums of the Stein
kernel over rows and their moved copies, signs, calibrate, weights of the modes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..contract import Beside, Inputs, Test
from ..engine import Work, stage
from ..errors import UsageError
from ..findings import Facts, Line, Note, number
from ..findings import target as named
from ..kernels import BandwidthGrid
from ..nulls import p_value, threshold, varies
from ..params import NULL, alpha, check_common, draws, option, seed
from ..result import Notice, Result, unvarying
from ..sample import Sample
from ..targets import chosen_columns
from .common import bandwidth_numbers
from .frequencies.rounded import no_verdict
from .stein import options as stein_options
from .stein.data import (
    Given,
    arrangement,
    coordinates,
    given_data,
    movable,
    oddities,
    outside_support,
    require_density,
    rows_beside,
    unused_scores,
)
from .stein.draws import Draws, chains_of, worth_too_little
from .stein.explanation import explain
from .stein.moves import automatic_scales
from .stein.perturbed import (
    Perturbation,
    Perturbed,
    best_scale,
    scales_of,
    signed,
    simulated,
    steps_of,
)
from .stein.picture import picture
from .stein.result import (
    UNVARYING,
    combined,
    impossible,
    kernel_block,
    null_block,
    per_bandwidth,
    strongest,
    too_few,
    undecided,
)
from .stein.rounding import finest, grids, too_coarse
from .stein.shares import jumps_found, modes_found, summary, weights, without_effect
from .stein.starts import box, modes_of
from .stein.statistic import setup

Array = NDArray[np.float64]

DESCRIPTION = (
    "For densities with several well separated modes, whose weights kstest ksd does not see. Rows "
    "jump between the modes in a way that leaves the target as it is, then KSD tests the moved "
    "rows."
)
REFERENCES = """\
@inproceedings{liu2023perturbation,
  title     = {Using Perturbation to Improve Goodness-of-Fit Tests based on Kernelized {Stein}
               Discrepancy},
  author    = {Liu, Xing and Duncan, Andrew B. and Gandy, Axel},
  booktitle = {International Conference on Machine Learning},
  year      = {2023}, note = {arXiv:2304.14762}
}
@article{tjelmeland2001mode,
  title     = {Mode Jumping Proposals in {MCMC}},
  author    = {Tjelmeland, H{\\aa}kon and Hegstad, Bj{\\o}rn Kare},
  journal   = {Scandinavian Journal of Statistics}, volume = {28}, pages = {205--223},
  year      = {2001}
}
@inproceedings{chwialkowski2016kernel,
  title     = {A Kernel Test of Goodness of Fit},
  author    = {Chwialkowski, Kacper and Strathmann, Heiko and Gretton, Arthur},
  booktitle = {International Conference on Machine Learning}, pages = {2606--2615},
  year      = {2016}, note = {arXiv:1602.02964}
}
"""
# Pairs of rows, over all copies, from which on the user is told that it takes long.
MANY_PAIRS = 1e10


@frozen
class Params:
    """Options of `run`; see the help of each field."""

    target: Any = stein_options.target("")
    score_prefix: str = option(
        "", "Not enough for this test, which moves rows.", metavar="PREFIX", hidden=True
    )
    param: Any = stein_options.param()
    allow_python: bool = stein_options.allow_python()
    variant: str = option(
        "sp",
        "Add up the statistics of all jump scales (sp), or let one half of the rows choose a scale "
        "for the other half (os).",
        choices=("sp", "os"),
    )
    modes: Any = option(
        "",
        "A file with a mode per row, in the columns tested, in place of the search. They must not "
        "come from the tested rows.",
        metavar="FILE",
        brief="File with the modes of the target.",
    )
    box: str = option(
        "",
        "Where the search for modes starts: in this range of all columns, or one range per column. "
        "Default: at draws of the target, or all over where it cannot be sampled.",
        metavar="LOW:HIGH[,LOW:HIGH...]",
    )
    starts: int = option(50, "Number of starts of the search for modes.")
    scales: str = option(
        "auto",
        "Jump scales, the length of a jump in units of the distance between the modes; auto takes "
        "20 around 1 that end one or two standard deviations beside a mode. Published: 0.5:1.5:21.",
        metavar="auto|LOW:HIGH:COUNT|NUMBER[,...]",
    )
    steps: str = option(
        "auto",
        "Jumps tried per row and scale; auto takes 10 to 30, 5 per mode.",
        metavar="auto|NUMBER",
    )
    alpha: float = alpha()
    draws: int = draws()
    seed: int = seed()
    kernel: str = stein_options.kernel()
    bandwidth: str = stein_options.bandwidth("median")
    aggregate: str = stein_options.aggregate()
    scale: str = stein_options.scale()
    null: str = option(
        "auto",
        "Null distribution: random signs for independent rows (wild), signs that persist (markov) "
        "for rows that depend on their neighbours, or samples simulated from the target "
        "(parametric), which is exact and slow. auto takes markov for chains, else wild.",
        choices=("auto", "wild", "markov", "parametric"),
        section=NULL,
    )
    flip: str = stein_options.flip()

    def __post_init__(self) -> None:
        check_common(self)
        if self.score_prefix:
            raise UsageError(
                "--score-prefix: score columns alone cannot drive this test: rows are moved, and "
                "then their density and score are needed at other places. Give --target with a "
                "family, a mixture or 'logp: EXPRESSION', or use kstest ksd"
            )
        if isinstance(self.target, str) and not self.target:
            raise UsageError(
                "give --target, for example --target "
                "'gaussian_mixture([0.5, 0.5], means=[-3, 3], covariances=1)'"
            )
        stein_options.check_flip(self.flip)
        bandwidth_numbers(self.bandwidth)
        if self.scales != "auto" and not scales_of(self.scales):
            raise UsageError(
                f"--scales {self.scales}: give auto, LOW:HIGH:COUNT, for example 0.5:1.5:21, or "
                "numbers separated by commas, at most 1,000"
            )
        if self.steps != "auto" and not (self.steps.isdigit() and 1 <= int(self.steps) <= 100_000):
            raise UsageError(f"--steps {self.steps}: give auto, or a number from 1 to 100,000")
        if not 1 <= self.starts <= 10_000:
            raise UsageError(f"--starts {self.starts}: give a number from 1 to 10,000")
        if self.box:
            box(self.box)
        if self.box and not (isinstance(self.modes, str) and not self.modes):
            raise UsageError("--box and --modes: with given modes nothing is searched; give one")


def columns(params: Params) -> Callable[[Sequence[str]], Sequence[str]] | None:
    """Which columns of a file are worth reading when --columns does not say."""
    return chosen_columns(params.target, "", params.param)


def run(samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test whether a sample comes from a density, the weights of its modes included.

    Parameters
    ----------
    samples : one Sample
        n rows.
    params : Params
        `target` is a text as on the command line, or in Python an object with methods
        `score(X)`, (n, d) to (n, d), and `logpdf(X)`, (n, d) to (n,), and optionally
        `sample(n, rng)`. `modes` is a file, or in Python an array (K, d).
    rng : numpy.random.Generator
    work : Work

    Returns
    -------
    Result
        The statistic is the U-statistic of h(x_i, x_j) = u(x_i, x_j) + sum_t u(x_i^t, x_j^t), with
        u the Stein kernel and x^t row x after its jumps at scale t (``sp``: all scales; ``os``: the
        one that the other half of the rows chose). `explanation` has the modes with their shares of
        the rows and of the target, and the share of jumps made per scale. With fewer than two
        modes, or where no row jumps, the perturbation has no effect: rejected if KSD by itself
        rejects, otherwise no verdict.

    Notes
    -----
    Jumps are those of `kstest.methods.stein.moves`, and leave the target invariant, whatever the
    modes are: right ones give power. They are searched for from draws of the target, from a box
    or all over, never from tested rows; ``os`` also starts from the half that is not tested.

    ``parametric`` is exact: p <= alpha has probability at most alpha at every n and d, over data
    and seed. ``wild`` and ``markov`` are asymptotic in n, as in `kstest.ksd`. Measured levels
    are printed by ``benchmarks/perturbed.py``. Columns with a bounded support are tested as
    logarithm or logit, angles not at all.

    References
    ----------
    Liu, Duncan, Gandy (2023), arXiv 2304.14762; jumps: Tjelmeland, Hegstad (2001), Scandinavian
    Journal of Statistics 28, 205-223; signs: Chwialkowski, Strathmann, Gretton (2016), arXiv
    1602.02964.

    Examples
    --------
    >>> import kstest, numpy
    >>> X = numpy.random.default_rng(0).normal(3, 1, size=(300, 1))
    >>> target = "gaussian_mixture([0.5, 0.5], means=[-3, 3], covariances=1)"
    >>> kstest.ksd(X, target=target).verdict
    'not rejected'
    >>> kstest.pksd(X, target=target).verdict
    'rejected'
    """
    sample = samples[0]
    spare = unused_scores(sample, params)
    given = given_data(samples, params)
    target = movable(given)
    if params.null == "parametric" and target.sample is None:
        raise UsageError(
            "--null parametric: this target cannot be sampled from; use --null wild or markov"
        )
    base = Result(
        method="pksd",
        verdict="no verdict",
        alpha=params.alpha,
        n={"data": sample.n},
        d=len(given.columns),
        columns=given.columns,
    )
    on_grids = grids(given)
    coarse = too_coarse(on_grids, sample.n)
    if coarse:
        return no_verdict(replace(base, warnings=spare), given, coarse)
    outside = outside_support(given)
    if outside:
        return impossible(base, outside, params)
    split = params.variant == "os"
    chain = chains_of(sample, params)
    null = "markov" if chain is not None else "wild" if params.null == "auto" else params.null
    if too_few(sample.n // 2 if split else sample.n, null, params.alpha):
        return undecided(base, params)

    Y, S = coordinates(given)
    require_density(target, Y, given)
    # Modes first, by a generator that has not seen the rows.
    by_target = np.random.default_rng(int(rng.integers(2**63)))
    order, rng = arrangement(Y, S, null, rng, chain)
    training, tested = order[: len(order) // 2] if split else order[:0], order
    if split:
        tested = order[len(order) // 2 :]
    draws = None if chain is None else Draws.of(Y[tested], S[tested], chain[tested], given.columns)
    notices = (*spare, *oddities(Y, S, given, null, draws))
    if draws is not None and draws.too_few:
        return worth_too_little(replace(base, warnings=notices), draws)
    known, early = rows_beside(samples, "modes", target.columns), stage(work, 0, 0.2)
    modes = modes_of(target, params, Y[training] if split else None, by_target, early, known)
    made = setup(Y[training] if split else Y[order], target, params, rng, finest(on_grids))
    scales: tuple[float, ...] = ()
    if len(modes) > 1:
        scales = scales_of(params.scales) or automatic_scales(modes)
    how = Perturbation(target, modes, scales, steps_of(params.steps, len(modes)), made)
    if split and len(scales) > 1:
        scale = best_scale(Y[training], S[training], how, params, rng, stage(work, 0.2, 0.6))
        how = replace(how, scales=(scale,))
    Y, S = Y[tested], S[tested]
    if len(Y) ** 2 / 2 * (len(how.scales) + 1) > MANY_PAIRS:
        work.notify(
            f"{len(Y):,} rows at {len(how.scales)} jump scales take long; fewer --scales are faster"
        )
    late = stage(work, 0.6 if split else 0.2, 1)
    found = (
        simulated(Y, S, how, params, rng, late)
        if null == "parametric"
        else signed(Y, S, how, null, params, rng, late, draws)
    )
    if draws is not None:
        base = base.told(draws.finding())
    return _result(base, given, how, found, Y, S, tested, params, by_target, notices)


def _result(
    base: Result,
    given: Given,
    how: Perturbation,
    found: Perturbed,
    Y: Array,
    S: Array,
    tested: NDArray[np.int64],
    params: Params,
    by_target: np.random.Generator,
    notices: tuple[Notice, ...],
) -> Result:
    grid, n = how.made.grid, len(Y)
    one, keep = combined(found.T, found.size, params, n)
    plain, plain_keep = combined(found.unmoved, found.size, params, n)
    if not varies(one):
        return unvarying(replace(base, warnings=notices), *UNVARYING)
    p, plain_p = p_value(one), p_value(plain)
    rejected = p <= params.alpha
    idle = without_effect(how.modes, found.moved)
    table, source = weights(Y, how.target, how.modes, by_target) if len(how.modes) else ([], "")
    unmoved = {"statistic": float(plain[0]), "p_value": plain_p}
    findings = [
        Note("summary", summary(rejected, idle, table)),
        named(given.name),
        Facts("variant", params.variant),
        *per_bandwidth(found.T, keep, grid),
        *modes_found(table, source),
        jumps_found(how, found),
        Facts(
            "unmoved",
            unmoved,
            (Line("unmoved", f"KSD of the rows as they are: p {number(plain_p)}"),),
        ),
    ]
    if plain_p <= params.alpha and rejected:
        narrow = BandwidthGrid(
            grid.kernel, (grid.bandwidths[strongest(found.unmoved, plain_keep)],)
        )
        numbers = given.sample.row_numbers
        points = how.made.frame.points(Y, S)
        findings += explain(points, tested, narrow, given.X, given.columns, numbers)
    if idle:
        notices = (*notices, Notice("too-few-modes", idle))
    decided = rejected or not idle
    return base.told(
        *findings,
        verdict=("rejected" if rejected else "not rejected") if decided else "no verdict",
        statistic=float(one[0]) if decided else None,
        p_value=p if decided else None,
        threshold=threshold(one, params.alpha) if decided else None,
        n={"data": base.n["data"]}
        if n == base.n["data"]
        else {"data": base.n["data"], "tested": n},
        kernel=kernel_block(params.kernel, grid, params),
        null=null_block(
            "parametric" if found.signs is None else "wild", n, params, how.target, found.signs
        ),
        warnings=notices,
    )


TEST = Test(
    inputs=Inputs(
        roles=("data",),
        accepts=frozenset({"chains"}),
        params=Params,
        beside=(Beside("modes", drawn=False),),
        columns=columns,
        example="kstest pksd draws.csv --target posterior.toml",
        description=DESCRIPTION,
    ),
    references=REFERENCES,
    run=run,
    picture=partial(picture, perturbed=True),
)
