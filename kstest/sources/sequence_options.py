"""SequenceOptions: what the user may say about the reading of sequences, checked once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from kstest.errors import UsageError
from kstest.frozen import frozen
from kstest.params import DIALECT, option, option_name
from kstest.sources import formats
from kstest.wording import shown

TOKENS = ("characters", "words", "integers")
FORMATS = tuple(dict.fromkeys(["lines", "json", *formats.names()]))
EMPTY = ("error", "keep", "drop")


@frozen
class SequenceOptions:
    """How to read sequences; see the help of each field."""

    tokens: str = option(
        "characters",
        "What the symbols of a line of text are: its characters, its words between blanks, or "
        "whole numbers between blanks or commas.",
        choices=TOKENS,
        brief="What a symbol is: a character, a word, ...",
    )
    empty: str = option(
        "error",
        "Empty lines: refuse, keep as sequences without a symbol, or drop and count.",
        choices=EMPTY,
    )
    column: str | None = option(
        None,
        "Parquet, Arrow: the column of lists or texts, if there are several.",
        metavar="COLUMN",
        brief="Column with a sequence per row.",
    )
    id: str | None = option(
        None,
        "For tables with a row per event: the column that says which sequence an event belongs to.",
        metavar="COLUMN",
        brief="Column that says which rows are a sequence.",
    )
    order: str | None = option(
        None,
        "With --id: the column that orders the events of a sequence. Default: order of the rows.",
        metavar="COLUMN",
    )
    symbol: str | None = option(None, "With --id: the column of the symbols.", metavar="COLUMN")
    where: str | None = option(
        None,
        "With --id: events to use, such as \"kind != 'ping' and t < 100\".",
        metavar="CONDITION",
        brief='Rows to use, such as "length > 3".',
    )
    input_format: str | None = option(
        None,
        f"Format of the files: {', '.join(FORMATS)}. Default: Parquet and the like by content, a "
        "JSON list per line where the name ends in json, jsonl or ndjson, CSV with --id, else a "
        "sequence per line.",
        choices=FORMATS,
        metavar="FORMAT",
    )
    delimiter: str | None = option(
        None,
        "CSV: the character between cells, or tab. Default: from line 1.",
        metavar="CHAR",
        section=DIALECT,
    )
    encoding: str | None = option(
        None,
        "Encoding of text, such as latin-1 or utf-16. Default: utf-8.",
        metavar="NAME",
        section=DIALECT,
    )

    def __post_init__(self) -> None:
        for f in fields(self):
            value, choices = getattr(self, f.name), f.metadata["choices"]
            if choices and value is not f.default and value not in choices:
                raise UsageError(
                    f"{option_name(f.name)}: found {shown(value)}; accepted: {', '.join(choices)}."
                )
        for name in ("order", "symbol", "where"):
            if getattr(self, name) is not None and self.id is None:
                raise UsageError(
                    f"--{name}: is for tables with a row per event, and needs --id, the column "
                    "that says which sequence an event belongs to."
                )
        if self.id is not None and self.column is not None:
            raise UsageError("--column and --id: a column of whole sequences, or events; give one.")
        if self.id is not None and self.input_format in ("lines", "json"):
            raise UsageError(
                f"--input-format {self.input_format} and --id: events are read from CSV, Parquet "
                "and Arrow."
            )
        if self.input_format == "csv" and self.id is None:
            raise UsageError(
                "--input-format csv: is for tables with a row per event, and needs --id and "
                "--symbol. A sequence per line is --input-format lines."
            )


def sequence_options(
    roles: Sequence[str],
    given: Mapping[str, Any],
    choose: Callable[[Sequence[str]], Sequence[str]] | None = None,
) -> SequenceOptions:
    """Make SequenceOptions of options by their Python names."""
    names = {f.name for f in fields(SequenceOptions)}
    return SequenceOptions(**{name: value for name, value in given.items() if name in names})


SEQUENCE_OPTIONS = tuple(fields(SequenceOptions))
SEQUENCE_FILES_ONLY = frozenset(
    {"column", "id", "order", "symbol", "where", "input_format", "delimiter", "encoding"}
)
