"""The command `kstest sniff`: how files are written, what they hold, and what reads them."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from typing import Any

import click

from ..files import output
from ..params import INPUT
from ..sources import DIALECTS, OPTIONS, ReadOptions
from ..sources.paths import expand
from ..sources.sniff import Seen, Sniffed, sniff
from ..wording import label, shown
from .call import standard_input
from .command import option_of
from .help import Argument, Command, Option

READING = ("input_format", *(f.name for f in DIALECTS))
WIDEST = 24  # characters of a name
TEXT = (
    "Prints the delimiter, where the rows begin, decimal sign and comments, what the columns hold, "
    "and what looks like identifiers, running numbers, times and values that mean missing; at the "
    "end the options that read the file. Looks at the first 100,000 rows, and judges nothing."
)
EPILOG = """\b
Exit codes:
  0  all files can be read     2  one cannot; the output says why"""


def build(summary: str) -> click.Command:
    """Return the command."""
    return Command(
        "sniff",
        callback=_run,
        params=[
            Argument(["files"], nargs=-1, required=True, metavar="FILE..."),
            *(option_of(f, INPUT) for f in OPTIONS if f.name in READING),
            Option(
                ["--format", "form"],
                type=click.Choice(["text", "json"]),
                default="text",
                show_default=True,
                help="Form of the answer.",
                brief="Form of the answer: text, json.",
            ),
        ],
        help=f"{summary}\n\n{TEXT}\n\n\b\nExample: kstest sniff 'runs/*.dat'",
        short_help=summary,
        epilog=EPILOG,
    )


def _run(files: tuple[str, ...], form: str, **given: Any) -> int:
    options = ReadOptions(**given)
    paths = [path for name in files for path in expand(name, "FILE")]
    found = [sniff(path, options, standard_input()) for path in paths]
    if form == "json":
        text = json.dumps([asdict(one) for one in found], indent=2) + "\n"
    else:
        text = "\n".join("\n".join(_lines(one)) + "\n" for one in found)
    output.write(text, None)
    return 2 if any(one.error for one in found) else 0


def _lines(found: Sniffed) -> list[str]:
    """The text of a file."""
    first = "" if found.whole else "first "
    rows = f"{first}{found.rows:,} row{'s' * (found.rows != 1)}"
    lines = [f"{label(found.path)}: {'cannot be read' if found.error else rows}"]
    facts = [*found.dialect.items(), *(("note", remark) for remark in found.remarks)]
    if found.error:
        facts.append(("error", found.error))
    lines += [f"  {name:<13}{text}" for name, text in facts]
    width = min(WIDEST, max((len(_name(c)) for c in found.columns), default=0))
    lines += [_column(c, width) for c in found.columns]
    if found.options:
        lines.append(f"  {'options':<13}{shlex.join(found.options)}")
    elif not found.error:
        lines.append(f"  {'options':<13}none needed")
    return lines


def _name(column: Seen) -> str:
    return shown(column.name, WIDEST - 3)[1:-1]


def _column(column: Seen, width: int) -> str:
    missing = f"; {column.missing:,} missing" if column.missing else ""
    holds = f", {column.holds}" if column.holds else ""
    return f"    {_name(column):<{width}}  {column.kind}{holds}{missing}"
