"""The command `kstest plan`: built like that of a test, but its answer is no verdict."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from .. import power
from ..files import destinations
from ..power.answer import answer
from ..power.picture import picture
from ..report import render
from .call import arguments, deliver, files_of, plotted, read, require_plot, working
from .command import OUTPUT_OPTIONS, command

# What has no meaning without a verdict or a paper of its own.
LEFT_OUT = ("quiet", "exit_zero", "cite")

EPILOG = """\b
Exit codes:
  0  planned, also when no number of rows was enough
  2  could not run (message on stderr)"""


def build(summary: str) -> click.Command:
    """Return the click command."""
    results = [o for o in OUTPUT_OPTIONS if o.name not in LEFT_OUT]
    return command("plan", summary, power.search.INPUTS, _run, results, EPILOG)


def _run(**given: Any) -> int:
    sides, params = arguments(power.search.INPUTS, given)
    destinations.require(given, files_of(sides), params)
    require_plot(given)
    samples, notices = read(power.search.INPUTS, sides, params, given)
    with working(given, "simulating tests") as work:
        found = power.plan(samples[0], params, notices, work)
    told = answer(found)
    plotted(told, partial(picture, found), given)
    deliver(lambda color: render(told, given["form"], color), given)
    return 0
