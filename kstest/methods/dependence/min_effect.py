"""--min-effect of the independence test: rank correlations that are large enough to matter.

The natural sizes of a dependence are those that a rejection is described by (`kinds`): the rank
correlation of two columns, and those in which one or both ranks are folded at their middle, which
see a U shape and a spread. The null hypothesis is that none of them is larger, of any two columns
of different blocks. Categories have no such size, and neither have three columns together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError, printable
from ...params import option, option_name
from ...result import Result
from ...sample import Sample
from ..min_effect import ASYMPTOTIC, CORRELATION, Measured, bounded, held, parsed

if TYPE_CHECKING:
    from ...nulls.rank_bounds import RankCorrelation

UNITS = (CORRELATION,)
EXAMPLE = "0.1r, a rank correlation of 0.1"
FOLDS = {"": (False, False), " U-shaped": (True, False), " spread": (False, True),
         " joint spread": (True, True)}  # fmt: skip
SENTENCES = {
    (True, True): "columns of different blocks depend on each other by more than {most}",
    (True, False): "the blocks are dependent; no evidence at this level that by more than {most}",
    (False, False): "no evidence at this level that columns depend on each other by more than "
    "{most}",
}


def min_effect() -> Any:
    return option(
        "",
        "Reject only if two columns are shown to depend on each other by more than this: 0.1r, a "
        "rank correlation, or one in which one or both ranks are folded at their middle (U-shaped, "
        "spread). For numeric columns of independent rows.",
        metavar="SIZE",
        brief="Smallest rank correlation worth a rejection: 0.1r.",
    )


def check_min_effect(params: Any) -> None:
    """Check the option by itself and beside others.

    Raises
    ------
    UsageError
    """
    parsed(params.min_effect, UNITS, EXAMPLE)
    why = {
        "given": "what --given leaves of the columns has no rank correlation of its own",
        "lags": "the rows of a series are not independent",
        "block_length": "the rows of a series are not independent",
        "all_pairs": "the effects of all pairs would be one test; name blocks with --x and --y",
    }
    for name, reason in why.items():
        if params.min_effect and getattr(params, name):
            raise UsageError(f"--min-effect with {option_name(name)}: {reason}")


def thresholded(
    result: Result, data: Sample, names: Sequence[tuple[str, ...]], params: Any
) -> Result:
    """Hold the rank correlations of all pairs of columns against --min-effect.

    Parameters
    ----------
    result : Result
        Of the test of independence.
    data : Sample
    names : sequence of tuple of str
        The columns of each block.
    params : Params

    Raises
    ------
    UsageError
        For categories, and rows that are not independent.
    """
    if not params.min_effect:
        return result
    most = parsed(params.min_effect, UNITS, EXAMPLE)
    if data.groups is not None:
        raise UsageError("--min-effect with --group: the rows of a group are not independent")
    categories = [name for block in names for name in block if name in data.categorical]
    if categories:
        raise UsageError(
            f"--min-effect {params.min_effect}: column {printable(categories[0])} holds "
            "categories, which have no rank correlation; leave it out, or leave out --min-effect"
        )
    if data.missing is not None and data.missing.any():
        raise UsageError(
            "--min-effect with --missing indicator: which cells are missing has no rank "
            "correlation; use --missing drop"
        )
    return held(
        result, most, lambda: bounded([*_items(data, names)], most, params.alpha), SENTENCES
    )


def _items(data: Sample, names: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, str, Measured]]:
    from ...nulls.rank_bounds import RankCorrelation

    def values(name: str) -> NDArray[np.float64]:
        return data.values[:, data.columns.index(name)]

    for one, two in combinations(names, 2):
        for x in one:
            for y in two:
                for kind, folds in FOLDS.items():
                    found = RankCorrelation.of(values(x), values(y), *folds)
                    p_value = partial(_p_value, found)
                    made = Measured(abs(found.r), p_value, ASYMPTOTIC, found.known, exact=False)
                    yield f"{x} ~ {y}{kind}", CORRELATION, made


def _p_value(found: RankCorrelation, most: float) -> float:
    return min(1.0, 2 * min(found.p_value(most, sign) for sign in (1, -1)))
