"""Independence test by the Hilbert-Schmidt independence criterion (HSIC) over many bandwidths.

Null hypothesis: the blocks of columns are independent of each other, and the rows exchangeable.
`run` reads like the method: arrange the rows in bins, choose bandwidths, multiply the centred
kernels once, evaluate all permutations, combine the bandwidths, calibrate. Its steps are in
`independence`, all pairs of columns in `pairwise`, the wording of what was found in `dependence`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..engine import Work
from ..errors import UsageError
from ..kernels import KERNELS, SCALES
from ..nulls import PAIR_BINS, p_value, threshold
from ..params import alpha, block_length, check_common, option, option_name, permutations, seed
from ..result import Notice, Result
from ..sample import Sample
from .arrangement import GROUPS, MOST_ROWS, STRETCHES, Plan, plan
from .column_blocks import Block, named_blocks, used_blocks
from .common import bandwidth_numbers, check_block_length, kernel_names, require_both
from .conditional import test_given
from .dependence import column_pairs, kernel_block, null_block, serial_notice, strongest
from .hsic_picture import picture as picture
from .independence import combined, statistics
from .pairwise import test_pairs

SAMPLES = ("data",)
ACCEPTS = frozenset({"categorical", "missing", "groups"})
BLOCKS = ("x", "y", "z", "u", "v", "w")
EXAMPLE = "kstest hsic measurements.parquet --x 'temp,humid' --y rate"
REFERENCES = """\
@inproceedings{gretton2007kernel,
  title     = {A Kernel Statistical Test of Independence},
  author    = {Gretton, Arthur and Fukumizu, Kenji and Teo, Choon Hui and Song, Le and
               Sch{\\"o}lkopf, Bernhard and Smola, Alex},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {20}, year = {2007}
}
@inproceedings{schrab2022efficient,
  title     = {Efficient Aggregated Kernel Tests using Incomplete {U}-statistics},
  author    = {Schrab, Antonin and Kim, Ilmun and Guedj, Benjamin and Gretton, Arthur},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {35}, year = {2022}, note = {arXiv:2206.09194}
}
@article{pfister2018kernel,
  title   = {Kernel-based Tests for Joint Independence},
  author  = {Pfister, Niklas and B{\\"u}hlmann, Peter and Sch{\\"o}lkopf, Bernhard and
             Peters, Jonas},
  journal = {Journal of the Royal Statistical Society: Series B},
  volume  = {80}, number = {1}, pages = {5--31}, year = {2018}, note = {arXiv:1603.00285}
}
@inproceedings{domingoenrich2025cheap,
  title     = {Cheap Permutation Testing},
  author    = {Domingo-Enrich, Carles and Dwivedi, Raaz and Mackey, Lester},
  year      = {2025}, note = {arXiv:2502.07672}
}
"""

# A test that does not reject has not shown independence.
_SENTENCES = {
    (2, True): "the blocks are dependent",
    (2, False): "no evidence at this level that the blocks depend on each other",
    (3, True): "the blocks are not jointly independent",
    (3, False): "no evidence at this level against joint independence of the blocks",
}
_RULE = "aggregate|median|NUMBER[,NUMBER...]"


@dataclass(frozen=True)
class Params:
    """Options of `run`; see the help of each field."""

    x: str = option("", "First block of columns, such as a,b,3-5,'x*'.", metavar="LIST")
    y: str = option("", "Second block of columns.", metavar="LIST")
    block: tuple[str, ...] = option(
        (), "A block of columns; give three or more to test joint independence.", metavar="LIST"
    )
    given: str = option(
        "",
        "Test --x and --y for independence given these columns: rows are permuted among rows with "
        "equal values of them, or with nearly equal ones, which is approximate.",
        metavar="LIST",
    )
    conditional: str = option(
        "residuals",
        "With --given: permute what is left of the blocks after smoothing the given columns out "
        "(residuals), or the blocks as they are (permutation).",
        choices=("residuals", "permutation"),
    )
    all_pairs: bool = option(False, "Test all pairs of columns in one run, with Holm's correction.")
    alpha: float = alpha()
    permutations: int = permutations()
    seed: int = seed()
    kernel: str = option(
        "gaussian",
        f"Kernel, or several separated by commas: {', '.join(KERNELS)}.",
        metavar="NAME[,NAME...]",
    )
    bandwidth: str = option(
        "aggregate",
        "Bandwidths of every block: five around the median distance, combined (aggregate); the "
        "median distance of its rows (median); or numbers, in units of the scaled columns.",
        metavar=_RULE,
    )
    bandwidth_x: str = option("", "The same for the first of two blocks only.", metavar=_RULE)
    bandwidth_y: str = option("", "The same for the second of two blocks only.", metavar=_RULE)
    aggregate: str = option(
        "mahalanobis",
        "How several bandwidths become one statistic.",
        choices=("mahalanobis", "studentised", "fuse", "minp"),
    )
    scale: str = option(
        "robust",
        "Unit of each column: median absolute deviation, standard deviation, or as it is.",
        choices=SCALES,
    )
    permute: str = option(
        "auto",
        "Permute rows, or random bins of rows (as valid, and cheap for many rows); auto takes rows "
        f"up to {MOST_ROWS}, and bins for --all-pairs.",
        choices=("auto", "rows", "bins"),
    )
    bins: int = option(PAIR_BINS, "Bins at most, when bins are permuted.")
    block_length: str | None = block_length()

    def __post_init__(self) -> None:
        check_common(self)
        if isinstance(self.block, str) or len(self.block) == 1:
            raise UsageError("--block: give two or more blocks: --block a,b --block c --block d")
        require_both(self.x, self.y)
        chosen = [
            n
            for n, v in (("--x", self.x), ("--block", self.block), ("--all-pairs", self.all_pairs))
            if v
        ]
        if len(chosen) > 1:
            raise UsageError(f"{chosen[0]} and {chosen[1]}: use one of them")
        if self.given and not self.x:
            raise UsageError(f"--given {self.given!r}: give --x and --y too, the blocks to test")
        if self.given and self.block_length is not None:
            raise UsageError("--given and --block-length: use one of them")
        if not 6 <= self.bins <= 24:
            raise UsageError(f"--bins {self.bins}: give a whole number from 6 to 24")
        kernel_names(self.kernel)
        for name in ("bandwidth", "bandwidth_x", "bandwidth_y"):
            if getattr(self, name) or name == "bandwidth":
                bandwidth_numbers(getattr(self, name), option_name(name))
        check_block_length(self)


def blocks(params: Params) -> tuple[tuple[str, str], ...]:
    """Return option and column list of each block that the options name."""
    if params.x:
        given = (("--given", params.given),) if params.given else ()
        return (("--x", params.x), ("--y", params.y), *given)
    return tuple(("--block", text) for text in params.block)


def columns(params: Params) -> Callable[[Sequence[str]], Sequence[str]] | None:
    """Return how the columns are chosen, where the options name blocks."""
    lists = blocks(params)
    if not lists:
        return None
    return lambda names: [name for block in named_blocks(lists, names) for name in block]


def with_blocks(params: Params, lists: Sequence[str]) -> Params:
    """Return the options for blocks that came as one object each."""
    if blocks(params) or params.all_pairs:
        raise UsageError(
            "several arrays are blocks already: leave out x, y, block and all_pairs, or give one "
            "table"
        )
    return replace(params, block=tuple(lists))


def run(samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test whether blocks of columns are independent.

    Parameters
    ----------
    samples : one Sample
        n rows; the blocks of columns that the options name, or else its two columns, are tested
        against each other, with `all_pairs` every column against every other.
    params : Params
    rng : numpy.random.Generator
    work : Work

    Returns
    -------
    Result
        Two blocks and one bandwidth each: the statistic is the unbiased estimate of HSIC,

            sum_{i != j} k~(x_i, x_j) l~(y_i, y_j) / (n (n - 3)),

        k~ and l~ being the U-centred kernels (`kstest.engine.margins`). More blocks: dHSIC
        (Pfister et al. 2018). Several bandwidths: their aggregate, without a unit. All pairs: no
        statistic; the p-value is the smallest of Holm's adjusted p-values. No verdict with fewer
        rows or bins than p <= alpha needs.

    Notes
    -----
    Exact: p <= alpha has probability at most alpha at every n and d, over the data and the seed,
    if the rows are exchangeable and the blocks independent; ties and heavy tails do no harm.
    Scaling, bandwidths and the choice of informative kernels use each block by itself. Rows that
    depend on their neighbours in time are not exchangeable; a warning says so.

    With `block_length`, blocks of that many consecutive rows are permuted instead. That rests on
    the blocks being nearly independent of each other and on stationary series, and is approximate
    (``exact`` is false); a common trend over the record is dependence to it. ``auto`` takes four
    times the memory of the slowest column, and gives no verdict if the record has too few such
    blocks.

    With `given`, rows are permuted among rows alike in those columns, which tests independence
    given them (local permutation; Kim, Neykov, Balakrishnan, Wasserman 2022). Where their values
    repeat, only rows with equal ones change places, and the p-value is exact. Else neighbourhoods
    of 8 to 15 rows (or bins of rows) stand in for equal values, and the kernels of both blocks are
    those of residuals, after a kernel ridge regression on the given columns (as in KCI, Zhang et
    al. 2012; penalty by cross-validation; functions of all given columns, or sums of functions of
    one). That is approximate (``exact`` is false): it rests on one of the two regressions being
    good, because products of residuals then have mean 0, and on neighbours having residuals of
    one law; no test of conditional independence without assumptions has power (Shah, Peters
    2020). It fails with many given columns or steep functions of them for the number of rows, and
    warns of it. ``conditional="permutation"`` leaves the regression out and is right only where
    blocks hardly change within a neighbourhood. Levels: ``benchmarks/conditional.py``. The
    statistics are sum_{i != j} k~_ij l~_ij / (n (n - 1)), and the same with a kernel of the given
    columns as a third factor.

    With `group`, whole groups of one size are permuted, each with its rows in file order: exact if
    groups are exchangeable, however their rows depend on each other.

    Rows are sorted by value before they are shuffled with the seed, so the answer does not
    depend on their order in the file.

    References
    ----------
    Gretton et al. (2007), NeurIPS 20; the unbiased form in Song et al. (2012), JMLR 13; bandwidths
    of Schrab et al. (2022), arXiv 2206.09194; aggregation as in `kstest.nulls.aggregate`; dHSIC of
    Pfister et al. (2018), arXiv 1603.00285; permutations as in `kstest.nulls.pairings`. Given
    columns: Zhang, Peters, Janzing, Schoelkopf (2012), arXiv 1202.3775; Kim et al. (2022), arXiv
    2112.11666; Shah, Peters (2020), arXiv 1804.07203; residual kernels also in Pogodin et al.
    (2024), arXiv 2402.13196.

    Examples
    --------
    >>> import kstest, numpy
    >>> rng = numpy.random.default_rng(1)
    >>> x = rng.normal(size=300)
    >>> y = x**2 + rng.normal(size=300)
    >>> kstest.hsic(x, y).verdict
    'rejected'
    """
    data = samples[0]
    names = _blocks(data, params)
    used = [Block.of(data, block) for block in names]
    base = Result(
        method="hsic",
        verdict="no verdict",
        alpha=params.alpha,
        n={data.name: data.n},
        d=len(data.columns) + len(data.categorical),
        columns=(*data.columns, *data.categorical),
    )
    if params.given and data.groups is not None:
        raise UsageError("--given and --group: use one of them")
    if params.given:
        return test_given(base, data, names, params, rng, work)
    how = plan(data.n, params, data)
    bins = data.n // how.size
    if data.n < 4 or bins < how.least or math.factorial(min(bins, 20)) < 1 / params.alpha:
        return _refused(base, data.n, how, params)
    base = replace(
        base, null=null_block(how, data.n, params), warnings=serial_notice(data, used, how)
    )
    if params.all_pairs:
        return test_pairs(base, used, how, params, rng, work)
    found = statistics(used, how, params, rng, work)
    T = combined(found, params.aggregate, data.n)
    kind = min(len(names), 3)
    base = replace(base, kernel=kernel_block(found, params))
    if T is None:
        return _constant(base, kind)
    p = p_value(T)
    rejected = p <= params.alpha
    explanation = {
        "summary": _SENTENCES[kind, rejected],
        "blocks": [list(block) for block in names],
        **strongest(found),
    }
    if rejected:
        explanation["dependence"] = column_pairs(data, names, how, params, rng, work, found)
    return replace(
        base,
        verdict="rejected" if rejected else "not rejected",
        statistic=float(T[0]),
        p_value=p,
        threshold=threshold(T, params.alpha),
        explanation=explanation,
    )


def _blocks(data: Sample, params: Params) -> tuple[tuple[str, ...], ...]:
    """Column names of each block."""
    lists = blocks(params)
    if lists:
        return used_blocks(lists, data)
    used = (*data.columns, *data.categorical)
    names = [name for name in data.file_columns if name in used] or used
    if params.all_pairs:
        if len(names) < 2:
            raise UsageError(f"--all-pairs: needs at least 2 columns, found {len(names)}")
        return tuple((name,) for name in names)
    if len(names) != 2:
        raise UsageError(
            f"{len(names)} columns: say which to test against which with --x LIST --y LIST, "
            "--block LIST --block LIST ..., or --all-pairs"
        )
    return ((names[0],), (names[1],))


def _refused(base: Result, n: int, how: Plan, params: Params) -> Result:
    needed = max(4, how.least)
    while math.factorial(needed) < 1 / params.alpha:
        needed += 1
    if how.unit == GROUPS:
        why = (
            f"{n:,} rows are {n // how.size} groups: the test needs at least {needed} to reject at "
            f"level {params.alpha}"
        )
    elif how.unit == STRETCHES:
        why = (
            f"{n:,} rows are {n // how.size} blocks of {how.size} consecutive rows, and at least "
            f"{needed} are needed: take a longer series, or a smaller --block-length if its memory "
            "is known to be shorter"
        )
    else:
        why = (
            f"{n} row{'s' * (n != 1)}: the test needs at least {needed} to reject at level "
            f"{params.alpha}"
        )
    explanation = {"summary": "too few rows to decide"}
    return replace(base, explanation=explanation, warnings=(Notice("too-few-rows", why),))


def _constant(base: Result, kind: int) -> Result:
    """No pairing differs from another: p = 1, which is exact, and a word about it."""
    return replace(
        base,
        verdict="not rejected",
        statistic=0.0,
        p_value=1.0,
        explanation={"summary": _SENTENCES[kind, False]},
        warnings=(
            Notice(
                "constant-statistic",
                "the statistic is the same however the rows are paired, as when a block is "
                "constant or its bandwidth far below or above its distances",
            ),
            *base.warnings,
        ),
    )
