"""Options of the independence test, and the blocks of columns that they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

from kstest.frozen import frozen

from ...columns import ByOption
from ...errors import UsageError
from ...kernels import KERNELS, SCALES
from ...nulls.pairings import PAIR_BINS
from ...params import (
    NULL,
    alpha,
    block_length,
    check_common,
    option,
    option_name,
    permutations,
    seed,
)
from ...sample import Sample
from ..common import bandwidth_numbers, check_block_length, kernel_names, require_both
from .arrangement import MOST_ROWS
from .column_blocks import kept_blocks, named_blocks, used_blocks
from .delays import Lags
from .low_rank import check_features, features
from .min_effect import check_min_effect, min_effect

_RULE = "aggregate|median|NUMBER[,NUMBER...]"


@frozen
class Params:
    """Options of `run`; see the help of each field."""

    x: str = option(
        "",
        "First block of columns, such as a,b,3-5,'x*'.",
        metavar="LIST",
        brief="First block of columns, such as a,b,3-5,'x*'.",
    )
    y: str = option(
        "", "Second block of columns.", metavar="LIST", brief="Second block of columns."
    )
    block: tuple[str, ...] = option(
        (), "A block of columns; give three or more to test joint independence.", metavar="LIST"
    )
    given: str = option(
        "",
        "Test for independence given these columns: rows (or groups, or blocks of time) are "
        "permuted among those with equal values of them; where these hardly repeat, what they "
        "explain is learned and taken out, which is approximate.",
        metavar="LIST",
        brief="Columns to be independent given.",
    )
    conditional: str = option(
        "residuals",
        "With --given whose values hardly repeat: test what is left of the blocks once the given "
        "columns are taken out (residuals), or permute the blocks as they are among neighbours "
        "(permutation).",
        choices=("residuals", "permutation"),
    )
    all_pairs: bool = option(
        False,
        "Test all pairs of columns in one run, with Holm's correction.",
        brief="Test all pairs of columns in one run.",
    )
    alpha: float = alpha()
    permutations: int = permutations()
    seed: int = seed()
    kernel: str = option(
        "gaussian",
        f"Kernel, or several separated by commas: {', '.join(KERNELS)}.",
        metavar="NAME[,NAME...]",
        brief="Kernel, or several.",
    )
    bandwidth: str = option(
        "aggregate",
        "Bandwidths of every block: five around the median distance, combined (aggregate; two "
        "with --given whose values hardly repeat); the median distance of its rows (median); or "
        "numbers, in units of the scaled columns (or of what --given leaves of them).",
        metavar=_RULE,
    )
    bandwidth_x: str = option("", "The same for the first of two blocks only.", metavar=_RULE)
    bandwidth_y: str = option("", "The same for the second of two blocks only.", metavar=_RULE)
    aggregate: str = option(
        "auto",
        "How several bandwidths become one statistic; auto is mahalanobis, and studentised where "
        "random signs take the place of permutations.",
        choices=("auto", "mahalanobis", "studentised", "fuse", "minp"),
    )
    scale: str = option(
        "robust",
        "Unit of each column: median absolute deviation, standard deviation, or as it is.",
        choices=SCALES,
    )
    permute: str = option(
        "auto",
        "Permute rows, or random bins of rows (as valid, and cheap for many rows); auto takes rows "
        f"up to {MOST_ROWS}, and bins for --all-pairs without --given. Not with --given whose "
        "values hardly repeat: nothing is permuted then.",
        choices=("auto", "rows", "bins"),
        section=NULL,
    )
    bins: int = option(
        PAIR_BINS, "Bins at most, when bins are permuted without --given.", section=NULL
    )
    features: str = features()
    min_effect: str = min_effect()
    lags: str = option(
        "",
        "Test series for dependence at an unknown delay: y at any lag from A to B rows after x. "
        "The null distribution comes from other shifts of one series, which keep the memory of "
        "both.",
        metavar="A:B",
        brief="Dependence at an unknown delay, such as 0:20 rows.",
    )
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
        if self.given and not chosen:
            raise UsageError(
                f"--given {self.given!r}: say what to test: --x and --y, --block several times, or "
                "--all-pairs"
            )
        if not 6 <= self.bins <= 24:
            raise UsageError(f"--bins {self.bins}: give a whole number from 6 to 24")
        kernel_names(self.kernel)
        for name in ("bandwidth", "bandwidth_x", "bandwidth_y"):
            if getattr(self, name) or name == "bandwidth":
                bandwidth_numbers(getattr(self, name), option_name(name))
        check_block_length(self)
        check_features(self.features)
        check_min_effect(self)
        if self.lags:
            check_lags(self)


def check_lags(params: Params) -> None:
    """Refuse what does not go with --lags, which takes rows in order of time and two kernels."""
    Lags.parse(params.lags)
    defaults = {f.name: f.default for f in fields(params)}
    if len(params.block) > 2:
        raise UsageError("--lags: is for two blocks, or for --all-pairs; give --x and --y")
    names = (
        "given", "kernel", "bandwidth", "bandwidth_x", "bandwidth_y", "aggregate", "permute",
        "features", "block_length", "permutations",
    )  # fmt: skip
    for name in names:
        value = getattr(params, name)
        if value != defaults[name]:
            raise UsageError(
                f"{option_name(name)}: does not go with --lags, which shifts one whole series "
                "against the other and has kernels of its own; leave one of them out"
            )


def blocks(params: Params) -> tuple[tuple[str, str], ...]:
    """Return option and column list of each block that the options name, the given one last."""
    tested = [("--block", text) for text in params.block]
    if params.x:
        tested = [("--x", params.x), ("--y", params.y)]
    return (*tested, *([("--given", params.given)] if params.given else []))


def columns(params: Params) -> ByOption | None:
    """Return how the columns are chosen, where the options name all blocks."""
    lists = blocks(params)
    if not lists or params.all_pairs:
        return None
    options = [option for option, _ in lists]
    return ByOption(lambda names: zip(options, named_blocks(lists, names), strict=True))


def with_blocks(params: Params, lists: Sequence[str]) -> Params:
    """Return the options for blocks that came as one object each."""
    if blocks(params) or params.all_pairs:
        raise UsageError(
            "several arrays are blocks already: leave out x, y, block and all_pairs, or give one "
            "table"
        )
    return replace(params, block=tuple(lists))


def column_names(
    data: Sample, params: Params
) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """Return the columns of each block that is tested, and those that are given."""
    lists = blocks(params)
    if lists and not params.all_pairs:
        found = used_blocks(lists, data)
        return (found[:-1], found[-1]) if params.given else (found, ())
    used = (*data.columns, *data.categorical)
    given = kept_blocks(lists, data)[0] if lists else ()
    names = [name for name in data.file_columns or used if name in used and name not in given]
    if params.all_pairs:
        if len(names) < 2:
            besides = " besides --given" if given else ""
            raise UsageError(f"--all-pairs: needs at least 2 columns{besides}, found {len(names)}")
        return tuple((name,) for name in names), given
    if len(names) != 2:
        raise UsageError(
            f"{len(names)} columns: say which to test against which with --x LIST --y LIST, "
            "--block LIST --block LIST ..., or --all-pairs"
        )
    return ((names[0],), (names[1],)), ()


def resolved(params: Params, signed: bool) -> Params:
    """Return the options with --aggregate auto decided: by whether random signs are drawn.

    Contrasts of neighbouring bandwidths, which mahalanobis looks for, ask more of a null
    distribution than an approximate one gives.
    """
    rule = "studentised" if signed else "mahalanobis"
    return replace(params, aggregate=rule) if params.aggregate == "auto" else params
