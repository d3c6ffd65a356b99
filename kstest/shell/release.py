"""The command `kstest release`: its answer is a sketch, and an entry in a ledger before it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from ..columns import quoted
from ..contract import Inputs
from ..engine.work import Work
from ..errors import UsageError
from ..files import destinations, identity, output
from ..privacy import ledger, release
from ..privacy.answer import answer
from ..privacy.sketch import text_of
from ..privacy.units import Declared, chosen, from_file, from_public
from ..report import render
from .call import arguments, deliver, files_of, read, working
from .command import LOCK_TIMEOUT, OUTPUT_OPTIONS, command
from .help import Option

# What has no meaning without a verdict or a picture.
LEFT_OUT = ("output", "plot", "label", "exit_zero")
WRITTEN = Option(
    ["--output", "-o", "path"],
    metavar="FILE",
    help="Write the sketch to FILE: JSON, the one thing that may leave.",
    brief="Write the sketch to FILE.",
)
LEDGER = Option(
    ["--ledger"],
    metavar="FILE",
    help="Where all releases of these rows are entered. Default: the reference's name with "
    f"{ledger.SUFFIX}, beside it. It stays inside.",
    brief="Where all releases of these rows are entered.",
)
BUDGET = Option(
    ["--budget"],
    metavar="EPSILON[,DELTA]",
    help="Refuse a release with which all of these rows would spend more; kept in the ledger for "
    "later ones, until another is given.",
    brief="What all releases together may spend.",
)

EPILOG = """\b
Exit codes:
  0  released
  2  could not run, or the budget does not allow it (message on stderr)"""


def build(summary: str) -> click.Command:
    """Return the click command."""
    rest = [o for o in OUTPUT_OPTIONS if o.name not in LEFT_OUT]
    results = [WRITTEN, LEDGER, BUDGET, LOCK_TIMEOUT, *rest]
    return command("release", summary, release.INPUTS, _run, results, EPILOG)


def _run(**given: Any) -> int:
    given["output"], path = None, given.pop("path")
    if given["cite"]:
        output.write(release.REFERENCES, None)
        return 0
    started = (datetime.now(UTC), time.perf_counter())
    sides, params = arguments(release.INPUTS, given)
    if path is None:
        raise UsageError("--output: is missing; say by -o FILE where the sketch is to be written")
    book = given["ledger"] or ledger.default_path(sides["reference"])
    destinations.require({"output": path}, files_of(sides), params, {"--ledger": book})
    destinations.check(book, "--ledger", regular=True)
    budget = given["budget"]
    limit = None if budget is None else ledger.budget_of(budget, params.privacy.delta)
    columns, where = units_of(params, sides, given)
    inputs = reading(release.INPUTS, columns, where)
    samples, notices = read(inputs, sides, params, with_categories(given, columns))
    with working(given, "summing features") as work:
        found, said = release.sketch_of(samples[0], columns, params, where)
        content, digest = text_of(found)
        entry = release.entry_of(found, digest, given["group"])
        # The entry comes first: what is written down and never left is spent, not the reverse.
        spent = ledger.enter(book, entry, limit, given["lock_timeout"])
        output.write(content, path)
        result = release.released(
            found, digest, spent, book, (*notices, *said), samples, params, started,
            Work(threads=work.threads),
        )  # fmt: skip
    deliver(lambda color: render(answer(result, path), given["form"], color), given)
    return 0


def units_of(
    params: release.Params, sides: Mapping[str, Sequence[str]], given: Mapping[str, Any]
) -> tuple[tuple[Declared, ...], str]:
    """The declared columns, and where they come from, for messages."""
    if params.units is not None:
        return from_file(params.units), f"--units {params.units}"
    path = str(params.units_from)
    if identity(path) in [identity(file) for file in files_of(sides)]:
        raise UsageError(
            f"--units-from {path}: is the reference itself, whose rows are private; give public "
            "rows, or --units FILE"
        )
    # By itself: the private rows have no say in what its columns hold.
    plain = {**given, "group": None, "where": None}
    samples, _ = read(release.INPUTS, {"reference": [path]}, params, plain)
    return from_public(samples[0]), f"--units-from {path}"


def reading(inputs: Inputs[Any], columns: Sequence[Declared], where: str) -> Inputs[Any]:
    """The same inputs, of which the declared columns are wanted."""
    return replace(inputs, columns=lambda params: lambda names: chosen(columns, names, where))


def with_categories(given: Mapping[str, Any], columns: Sequence[Declared]) -> dict[str, Any]:
    """Options of reading by which columns with levels are categories, and no others.

    Raises
    ------
    UsageError
        If the options say it themselves, or ask for missing cells to be kept: whether there are
        any must not decide whether that is refused.
    """
    if given["missing"] == "indicator":
        raise UsageError(
            "--missing indicator: a sketch has no place for missing cells; accepted: error, drop"
        )
    if given.get("categorical") is not None:
        raise UsageError("--categorical: columns with levels are categories here; leave it out")
    names = [column.name for column in columns if column.levels]
    return {**given, "categorical": quoted(names) if names else None}
