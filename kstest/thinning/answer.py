"""Kept rows as a table, and what is said of them as findings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import printable
from ..findings import Column, Headline, number, plain
from ..result import Answer, answered
from ..sample import Sample
from ..wording import value_text
from .search import Thinned

DISTANCES = (
    Column("bandwidth", "bandwidth", width=11),
    Column("mmd", "MMD", ".3g", 10),
    Column("lower", "at least", ".3g", 10),
    Column("upper", "at most", ".3g", 10),
    Column("random", "random", ".3g", 10),
    Column("worth", "worth", ",.0f", 12),
)
BY = {
    "kernel": "kernel halving",
    "every": "every k-th row",
    "random": "rows at random",
    "stein": "the target (Stein thinning)",
    "all": "nothing: the data have no more rows",
}


def table(sample: Sample, found: Thinned) -> dict[str, Any]:
    """The columns of the kept rows, and where each stands."""
    index, columns = found.index, {}
    for c, name in enumerate(sample.columns):
        values, kind = sample.values[index, c].copy(), sample.kinds.get(name, "")
        if sample.missing is not None:
            values[sample.missing[index, c]] = np.nan
        texts = [None if np.isnan(v) else value_text(v, kind) for v in values] if kind else values
        columns[name] = texts
    for c, name in enumerate(sample.categorical):
        levels = (*sample.levels[c], None)  # codes below 0 are missing
        columns[name] = [levels[k] if k >= 0 else None for k in sample.codes[index, c]]
    columns[_free("row", columns)] = sample.row_numbers[index]
    if len(sample.inputs) > 1:
        paths = [source.path for source in sample.inputs]
        columns[_free("file", columns)] = [paths[k] for k in sample.row_inputs[index]]
    return columns


def _free(name: str, taken: dict[str, Any]) -> str:
    while name in taken:
        name += "_"
    return name


def answer(found: Thinned, written: str) -> Answer:
    """What reports show; the JSON object is that of `Thinned.to_dict`.

    `written` says where the rows are.
    """
    title = "distance of the kept rows from all rows, and that of as many random rows"
    shown, said = ("distances", DISTANCES, title), dict(_lines(found, written))
    return answered(found.to_dict(), said, _headline(found), found.warnings, shown)


def _headline(found: Thinned) -> Headline:
    title = f"{found.rows:,} OF {found.of:,} ROWS"
    if found.worth is None:
        return Headline(title)
    if not np.isfinite(found.worth[0]):
        return Headline(title, "at no distance from all rows")
    low, high = (_rounded(w) for w in found.worth)
    return Headline(title, f"as near to all rows as {low} to {high} rows at random")


def _rounded(worth: float) -> str:
    return "all" if not np.isfinite(worth) else f"{int(float(f'{worth:.2g}')):,}"


def _lines(found: Thinned, written: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    kept = found.params["by"] == "kernel" and found.by in ("every", "random")
    yield "by", [("chosen by", BY[found.by] + ", no worse than halving here" * kept)]
    names = [printable(name) for name in found.columns]
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    yield "columns", [("columns", f"{', '.join(names[:8])}{more}")]
    if found.stein is not None:
        facts = {k: number(v) for k, v in plain(found.stein).items()}
        text = f"{facts['ksd']} (every k-th row {facts['every_kth']}, random {facts['random']})"
        yield "stein", [("discrepancy", f"{text}, kernel Stein")]
    yield "n", [("written", written)]
