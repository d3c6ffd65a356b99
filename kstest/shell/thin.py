"""The command `kstest thin`: its answer is a file of rows and how well they stand for all."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from .. import thinning
from ..errors import printable
from ..files import destinations, output, tables
from ..report import render
from ..thinning.answer import answer, table
from ..thinning.picture import picture
from .call import arguments, deliver, files_of, plotted, read, require_plot, working
from .command import OUTPUT_OPTIONS, command
from .help import Option

# What has no meaning without a verdict, or another one here.
LEFT_OUT = ("output", "exit_zero")
WRITTEN = Option(
    ["--output", "-o", "path"],
    metavar="FILE",
    help="Write the rows to FILE, .csv or .parquet: the columns that were used, and the number of "
    "each row in its file.",
    brief="Write the rows to FILE, .csv or .parquet.",
)

EPILOG = """\b
Exit codes:
  0  thinned
  2  could not run (message on stderr)"""


def build(summary: str) -> click.Command:
    """Return the click command."""
    results = [WRITTEN, *(o for o in OUTPUT_OPTIONS if o.name not in LEFT_OUT)]
    return command("thin", summary, thinning.INPUTS, _run, results, EPILOG)


def _run(**given: Any) -> int:
    given["output"], path = None, given.pop("path")
    if given["cite"]:
        output.write(thinning.REFERENCES, None)
        return 0
    sides, params = arguments(thinning.INPUTS, given)
    require_plot(given)
    if path is not None:
        tables.check(path)
    written = {"output": path, "plot": given["plot"]}
    destinations.require(written, files_of(sides), params)
    samples, notices = read(thinning.INPUTS, sides, params, given)
    with working(given, "thinning") as work:
        found = thinning.thin(samples, params, notices, work)
    if path is not None:
        output.write(tables.content(table(samples[0], found), path), path)
    unwritten = "nothing: name a file by --output to have the rows"
    told = answer(found, unwritten if path is None else printable(path))
    plotted(told, partial(picture, samples[0], found), given)
    deliver(lambda color: render(told, given["form"], color), given)
    return 0
