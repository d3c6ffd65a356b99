"""Builds the command of a test from the registry: roles become files, Params become options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import click

from ..contract import Inputs, StreamTest, Test
from ..errors import UsageError
from ..inputs.spans import require_spans
from ..params import INPUT, STREAM, TEST, option_name
from ..registry import METHODS
from ..report import FORMATS, pages
from ..sources import UNIT_OPTIONS, reader, side_options
from . import call
from .help import Argument, Command, Option


def available(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Refuse a form whose library is missing before anything is computed."""
    if value == "html":
        pages.require()
    return value


def labels(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> dict[str, str]:
    """Columns with the names of their axes."""
    wrong = [text for text in value if not all(text.partition("="))]
    if wrong:
        raise UsageError(
            f"--label {wrong[0]}: give NAME=TEXT, a column and the name of its axis, such as "
            "--label 't1=drift time [ns]'"
        )
    return dict(text.split("=", 1) for text in value)


OUTPUT_OPTIONS = [
    Option(
        ["--format", "form"],
        type=click.Choice(list(FORMATS)),
        callback=available,
        default="text",
        show_default=True,
        help="Form of the answer.",
        brief=f"Form: {', '.join(FORMATS)}.",
    ),
    Option(
        ["--output", "-o"],
        metavar="FILE",
        help="Write the answer to FILE, whole or not at all.",
        brief="Write the answer to FILE.",
    ),
    Option(
        ["--plot"],
        metavar="FILE",
        help="Draw why: .svg or .png, or .html for a page with picture, numbers and warnings.",
        brief="Draw why: .svg, .png, or .html with all numbers.",
    ),
    Option(
        ["--label"],
        multiple=True,
        metavar="NAME=TEXT",
        callback=labels,
        help="With --plot: name of an axis, for a column: --label 't1=drift time [ns]'. May be "
        "repeated.",
    ),
    Option(
        ["--quiet", "-q"],
        is_flag=True,
        help="No text report and no notes: the exit code is the answer.",
        brief="No report: the exit code is the answer.",
    ),
    Option(["--exit-zero"], is_flag=True, help="Exit 0 also when the test rejects."),
    Option(
        ["--threads"],
        type=click.IntRange(1, 1024),
        metavar="N",
        help="Threads. Default: all processors. The answer does not depend on it.",
    ),
    Option(["--cite"], is_flag=True, help="Print the references in BibTeX and exit."),
    Option(["--debug"], is_flag=True, help="Show the traceback of an internal error."),
]

SCHEDULER = Option(
    ["--scheduler"],
    metavar="local|ADDRESS",
    help="Read the files twice and keep no row: on this machine (local), as is done anyway where "
    "the run would take more than three quarters of the memory; or by the workers of a dask "
    "scheduler, such as tcp://host:8786 (pip install 'kstest[dask]').",
    brief="Read in two passes: local, or tcp://host:8786.",
)


def _no_scheduler(name: str, test: Test[Any]) -> Option:
    """The option where it is only refused, with the reason."""

    def refuse(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        if value is not None:
            require_spans(name, test)

    return Option(
        ["--scheduler"], hidden=True, expose_value=False, callback=refuse, help="Not here."
    )


def _no_chain(name: str) -> Option:
    """The option of `ksd` where rows are a stream, refused with the reason."""

    def refuse(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise UsageError(
                f"--chain: kstest {name} takes its rows as they come, each as a new draw given all "
                "before; draws of a chain are not. Thin the chains until neighbours are nearly "
                "independent, or test all draws together by kstest ksd --chain"
            )

    return Option(["--chain"], hidden=True, expose_value=False, callback=refuse, help="Not here.")


LOCK_TIMEOUT = Option(
    ["--lock-timeout"],
    type=click.FloatRange(0, 1e9),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait while another process uses the file that is kept between runs.",
    section=STREAM,
)

EPILOG = """\b
Exit codes:
  0  not rejected      2  could not run (message on stderr)
  1  rejected          3  no verdict, for example too few rows"""


def build(name: str) -> click.Command:
    """Return the click command of the test `name`."""
    test = METHODS[name].load()
    drawn = test.picture is not None
    results = [o for o in OUTPUT_OPTIONS if drawn or o.name not in ("plot", "label")]
    scheduler = SCHEDULER if test.by_spans is not None else _no_scheduler(name, test)
    results.insert([o.name for o in results].index("threads") + 1, scheduler)
    if isinstance(test, StreamTest):
        from . import sequential

        results = [*sequential.OPTIONS, *results, _no_chain(name)]

        def stream(**given: Any) -> int:
            return sequential.run(name, test, given)

        return command(name, METHODS[name].summary, test.inputs, stream, results, EPILOG)

    def callback(**given: Any) -> int:
        return call.run(name, test, given)

    run = METHODS[name].wrapped(callback)
    return command(name, METHODS[name].summary, test.inputs, run, results, EPILOG)


def command(
    name: str,
    summary: str,
    inputs: Inputs[Any],
    callback: Callable[..., int],
    results: Sequence[click.Parameter],
    epilog: str,
) -> click.Command:
    """Return a command with files by role, options of reading, those of Params, and `results`."""
    roles = inputs.roles
    files = Argument(["files"], nargs=-1, metavar=" ".join(f"[{role.upper()}]" for role in roles))
    role_options = [
        Option(
            [f"--{role}", f"role_{role}"],
            multiple=True,
            metavar="FILE",
            help=f"A file or glob of the {role}; may be repeated. - is standard input.",
            section=INPUT,
        )
        for role in roles
    ]
    reading = [option_of(f, INPUT) for f in reader(inputs.reads).options if offered(f.name, inputs)]
    for option in reading if len(roles) > 1 else ():
        if option.name == "encoding" and inputs.reads == "tables":
            option.help = (
                f"{option.help} All options of this section can be given for one side: "
                f"--{roles[0]}-decimal, --{roles[-1]}-delimiter, ..."
            )
    values = [
        Option(
            [f"--{role}-values"],
            metavar="LIST",
            help=f"Values of --sample-column that make the {role}, such as 0-4,7 or a,b.",
            section=INPUT,
        )
        for role in roles
        if len(roles) > 1
    ]
    after = 1 + next((k for k, o in enumerate(reading) if o.name == "sample_column"), 0)
    reading[after:after] = values
    if len(roles) > 1 and inputs.reads == "tables":
        reading += [option_of(f) for role in roles for f in side_options(role)]
    words = [summary, inputs.description, f"\b\nExample: {inputs.example}"]
    return Command(
        name,
        callback=callback,
        params=[files, *role_options, *reading, *options_of(inputs), *results],
        help="\n\n".join(filter(None, words)),
        short_help=summary,
        epilog=epilog,
    )


def options_of(inputs: Inputs[Any]) -> list[Option]:
    """The options of the Params of a command."""
    return [option_of(f) for f in fields(inputs.params)]


def offered(name: str, inputs: Inputs[Any]) -> bool:
    """Whether an option of reading makes sense for a test."""
    if name not in {f.name for f in reader(inputs.reads).options}:
        return False
    needs = {
        "group": "groups", "weights": "weights", "counts": "counts", "categorical": "categorical",
        "explode": "groups", "chain": "chains",
    }  # fmt: skip
    if name in UNIT_OPTIONS and inputs.reads == "tables":  # sequences have an --order too
        return bool(inputs.accepts & {"records", "streamed records"})
    if name == "sample_column":
        return len(inputs.roles) > 1
    return name not in needs or needs[name] in inputs.accepts


class _Choice(click.Choice[str]):
    """Words of a test; those that only others accept go on to `Params`, which says why."""

    def __init__(self, choices: Sequence[str], refused: Mapping[str, str]) -> None:
        super().__init__(list(choices))
        self.refused = refused

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return value if value in self.refused else super().convert(value, param, ctx)


def option_of(f: Any, section: str = "") -> Option:
    """Return the option of a field made by `kstest.params.option`, in its section or this one."""
    about = f.metadata
    common: dict[str, Any] = {
        "help": about["help"],
        "section": about["section"] or section or TEST,
        "brief": about["brief"],
        "hidden": about["hidden"],
    }
    if f.default is False:
        return Option([option_name(f.name), f.name], is_flag=True, **common)
    several = isinstance(f.default, tuple)
    plain = str if f.default is None or several else type(f.default)
    choices = about["choices"]
    kind: Any = _Choice(choices, about["refused"]) if choices else plain
    return Option(
        [option_name(f.name), f.name],
        type=kind,
        default=f.default,
        multiple=several,
        show_default=f.default not in (None, "", ()),
        metavar=about["metavar"] or None,
        **common,
    )
