"""The command `kstest datasets make`: files of data that a formula makes."""

from __future__ import annotations

from typing import Any

import click
import numpy as np

from ..datasets import MADE, load
from ..files import destinations, output, tables
from .group import Group


def build(summary: str) -> click.Group:
    """Return the group."""
    make = Group(
        "make",
        commands=[_command(name) for name in MADE],
        help="Make a data set by its formula and write it to a file.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    return Group(
        "datasets",
        commands=[make],
        help=summary,
        short_help=summary,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _command(name: str) -> click.Command:
    module = load(name)
    options = [
        click.Option([f"--{word.replace('_', '-')}", word], type=type(default), default=default,
                     show_default=True, help=text)
        for word, (default, text) in module.OPTIONS.items()
    ]  # fmt: skip
    return click.Command(
        name,
        callback=lambda **given: _make(module, **given),
        params=[
            click.Option(["--output", "-o"], required=True, metavar="FILE",
                         help="File to write, .parquet or .csv."),
            click.Option(["--events"], type=click.IntRange(1), default=10_000, show_default=True,
                         help="Rows."),
            click.Option(["--seed"], type=click.IntRange(0), default=0, show_default=True,
                         help="Seed; the same seed gives the same file."),
            *options,
            click.Option(["--debug"], is_flag=True, help="Show a traceback."),
        ],
        help=f"{module.SUMMARY}\n\n\b\nExample: {module.EXAMPLE}",
        short_help=module.SUMMARY,
        context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip


def _make(module: Any, events: int, seed: int, debug: bool, **given: Any) -> int:
    path = given.pop("output")
    tables.check(path)
    destinations.require({"output": path}, ())
    columns = module.make(events, np.random.default_rng(seed), **given)
    output.write(tables.content(columns, path), path)
    return 0
