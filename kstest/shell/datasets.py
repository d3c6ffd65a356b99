"""The command `kstest datasets`: which data there are, and files of those that a formula makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from ..datasets import MADE, SETS, SHIPPED, load
from ..errors import UsageError
from ..files import destinations, tables
from ..files.output import write
from .group import Group

HELP = {"help_option_names": ["-h", "--help"]}


def build(summary: str) -> click.Group:
    """Return the group."""
    make = Group(
        "make",
        commands=[_command(name) for name in MADE],
        help="Make a data set by its formula and write it to files.",
        context_settings=HELP,
    )
    return Group(
        "datasets",
        commands=[make],
        help=f"{summary} Without a command: which data there are, and their licences.",
        short_help=summary,
        callback=_list,
        invoke_without_command=True,
        context_settings=HELP,
    )


@click.pass_context
def _list(context: click.Context) -> int:
    if context.invoked_subcommand is None:
        formatter = click.HelpFormatter(width=80)
        made = [(name, load(name).SUMMARY.rstrip("."), "CC0") for name in MADE]
        titles = ("Made by kstest datasets make NAME", "In the folder datasets of the source")
        for title, rows in zip(titles, (made, SHIPPED), strict=True):
            with formatter.section(title):
                formatter.write_dl([(name, f"{what} ({licence})") for name, what, licence in rows])
        write(formatter.getvalue().lstrip(), None)
    return 0


def _command(name: str) -> click.Command:
    module = load(name)
    return _of_several(name, module) if name in SETS else _of_one(name, module)


def _of_several(name: str, module: Any) -> click.Command:
    return click.Command(
        name,
        callback=lambda **given: _write(module, **given),
        params=[
            click.Option(["--output", "-o"], default=".", show_default=True, metavar="DIR",
                         help="Folder to write the files into; it is made if there is none."),
            click.Option(["--rows"], type=click.IntRange(1), default=module.ROWS,
                         show_default=True, help="Rows, or events, of one file."),
            click.Option(["--seed"], type=click.IntRange(0), default=0, show_default=True,
                         help="Seed; the same seed gives the same files."),
            click.Option(["--debug"], is_flag=True, help="Show a traceback."),
        ],
        help=f"{module.SUMMARY}\n\nThe change: {module.CHANGE}.\n\n\b\n"
             f"Example: kstest datasets make {name} -o data",
        short_help=module.SUMMARY,
        context_settings=HELP,
    )  # fmt: skip


def _write(module: Any, output: str, rows: int, seed: int, debug: bool) -> int:
    """Files are written by name into a folder, and their names to standard output."""
    made = module.tables(rows, np.random.default_rng(seed))
    folder = Path(output)
    paths = {name: str(folder / name) for name in made}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--output {output}: no folder can be made: {error.strerror}") from error
    destinations.require({}, (), more={f"file {name}": path for name, path in paths.items()})
    for name, path in paths.items():
        write(tables.content(made[name], path), path)
    lines = [f"{path}: {len(next(iter(made[n].values())))} rows" for n, path in paths.items()]
    write("\n".join([*lines, f"the change: {module.CHANGE}"]) + "\n", None)
    return 0


def _of_one(name: str, module: Any) -> click.Command:
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
        context_settings=HELP,
    )  # fmt: skip


def _make(module: Any, events: int, seed: int, debug: bool, **given: Any) -> int:
    path = given.pop("output")
    tables.check(path)
    destinations.require({"output": path}, ())
    columns = module.make(events, np.random.default_rng(seed), **given)
    write(tables.content(columns, path), path)
    return 0
