"""What tests of sequences report: subsequences that the model makes too few or too many of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..result import Result
from .wording import number

LISTED = 5


def subsequences(result: Result) -> Iterator[tuple[str, str]]:
    rows = [row for row in result.explanation.get("subsequences", ()) if row["notable"]]
    for k, row in enumerate(rows[:LISTED]):
        yield "" if k else "because", _words(row)


def _words(row: Mapping[str, Any]) -> str:
    text = f"the model makes {row['model_makes']} {_joined(row['symbols'])!r} (z {row['z']:.1f})"
    if row["share_model"] is None:
        return f"{text}: {_percent(row['share_data'])} of the data"
    shares = _percent(row["share_data"]), _percent(row["share_model"])
    return f"{text}: {shares[0]} of the data, {shares[1]} of the model"


def _joined(symbols: Sequence[str]) -> str:
    return ("" if all(len(symbol) == 1 for symbol in symbols) else " ").join(symbols)


def _percent(share: float) -> str:
    return f"{number(100 * share)} %"
