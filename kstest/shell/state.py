"""The command `kstest state`: what a state file of a sequential test holds."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from ..contract import StreamTest
from ..files import destinations
from ..findings import Facts, Line
from ..report import FORMATS, render
from ..streams import state_file
from .call import deliver, plotted, require_plot
from .group import Group
from .help import Argument


def build(summary: str) -> click.Group:
    """Return the click group."""
    return Group(
        "state",
        commands=[_show()],
        help=summary,
        short_help=summary,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _show() -> click.Command:
    return click.Command(
        "show",
        callback=_run,
        params=[
            Argument(["file"]),
            click.Option(
                ["--format", "form"],
                type=click.Choice(list(FORMATS)),
                default="text",
                show_default=True,
                help="Form of the answer.",
            ),
            click.Option(["--output", "-o"], metavar="FILE", help="Write the answer to FILE."),
            click.Option(
                ["--plot"],
                metavar="FILE",
                help="Draw how the evidence grew: .svg, .png, or .html with all numbers.",
            ),
        ],
        help="Show the evidence of a stream and how many batches it has counted. Exits 0 whatever "
        "the verdict.",
    )


def _run(**given: Any) -> int:
    require_plot(given)
    destinations.require(given, [given["file"]])
    saved = state_file.read(given["file"])
    from ..registry import METHODS
    from ..run import told_of_records

    test = METHODS[saved.method].load()
    assert isinstance(test, StreamTest)
    found = test.result(saved.state, 0)
    counted = {"batches": saved.ledger.count, "rows": saved.state.core.rows}
    text = f"{counted['rows']:,} rows in {counted['batches']:,} batches"
    found = found.told(
        Facts("state", counted, (Line("counted", text, "evidence"),)),
        params={**saved.params, **{k: v for k, v in saved.reading.items() if v is not None}},
    )
    if saved.reading.get("unit") is not None:
        found = told_of_records(found, found.columns)
    plotted(found, partial(test.drawing, saved.state), given)
    deliver(lambda color: render(found, given["form"], color), given)
    return 0
