"""Builds the command of a test from its module: roles become files, Params become options."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import click

from ..engine.work import Work, available_threads
from ..files import destinations, output
from ..files.messages import say
from ..params import option_name
from ..plot import check as check_plot
from ..plot import draw
from ..registry import METHODS
from ..report import FORMATS, render
from ..result import Notice
from ..sample import Sample
from ..sources import columns_of, given_options, reader
from .progress import progress

OUTPUT_OPTIONS = [
    click.Option(
        ["--format", "form"],
        type=click.Choice(list(FORMATS)),
        default="text",
        show_default=True,
        help="Form of the answer.",
    ),
    click.Option(
        ["--output", "-o"], metavar="FILE", help="Write the answer to FILE, whole or not at all."
    ),
    click.Option(
        ["--plot"],
        metavar="FILE",
        help="Draw why: .svg or .png, or .html for a page with picture, numbers and warnings.",
    ),
    click.Option(
        ["--quiet", "-q"],
        is_flag=True,
        help="No text report and no notes: the exit code is the answer.",
    ),
    click.Option(["--exit-zero"], is_flag=True, help="Exit 0 also when the test rejects."),
    click.Option(
        ["--threads"],
        type=click.IntRange(1, 1024),
        metavar="N",
        help="Threads. Default: all processors. The answer does not depend on it.",
    ),
    click.Option(["--cite"], is_flag=True, help="Print the references in BibTeX and exit."),
    click.Option(["--debug"], is_flag=True, help="Show the traceback of an internal error."),
]

LOCK_TIMEOUT = click.Option(
    ["--lock-timeout"],
    type=click.FloatRange(0, 1e9),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait while another process uses the file that is kept between runs.",
)

EPILOG = """\b
Exit codes:
  0  not rejected      2  could not run (message on stderr)
  1  rejected          3  no verdict, for example too few rows"""


def build(name: str) -> click.Command:
    """Return the click command of the test `name`."""
    module = METHODS[name].load()
    results = [o for o in OUTPUT_OPTIONS if o.name != "plot" or hasattr(module, "picture")]

    stream = hasattr(module, "step")
    if stream:
        from . import sequential

        results = [*sequential.OPTIONS, *results]

    def callback(**given: Any) -> int:
        return sequential.run(name, module, given) if stream else _run(name, module, given)

    return command(name, METHODS[name].summary, module, callback, results, EPILOG)


def command(
    name: str,
    summary: str,
    module: Any,
    callback: Callable[..., int],
    results: Sequence[click.Parameter],
    epilog: str,
) -> click.Command:
    """Return a command with files by role, options of reading, those of Params, and `results`."""
    roles: tuple[str, ...] = module.SAMPLES
    files = click.Argument(
        ["files"], nargs=-1, metavar=" ".join(f"[{role.upper()}]" for role in roles)
    )
    role_options = [
        click.Option(
            [f"--{role}", f"role_{role}"],
            multiple=True,
            metavar="FILE",
            help=f"A file or glob of the {role}; may be repeated. - is standard input.",
        )
        for role in roles
    ]
    reading = [option_of(f) for f in reader(module).options if offered(f.name, module)]
    values = [
        click.Option(
            [f"--{role}-values"],
            metavar="LIST",
            help=f"Values of --sample-column that make the {role}, such as 0-4,7 or a,b.",
        )
        for role in roles
        if len(roles) > 1
    ]
    after = 1 + next((k for k, o in enumerate(reading) if o.name == "sample_column"), 0)
    reading[after:after] = values
    params = [option_of(f) for f in fields(module.Params)]
    return click.Command(
        name,
        callback=callback,
        params=[files, *role_options, *reading, *params, *results],
        help="\n\n".join([summary, *_description(module), f"\b\nExample: {module.EXAMPLE}"]),
        short_help=summary,
        epilog=epilog,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _description(module: Any) -> tuple[str, ...]:
    """What a test's module says about when to use it, if anything."""
    text = getattr(module, "DESCRIPTION", None)
    return (text,) if text else ()


def offered(name: str, module: Any) -> bool:
    """Whether an option of reading makes sense for a test."""
    if name not in {f.name for f in reader(module).options}:
        return False
    needs = {
        "group": "groups", "weights": "weights", "counts": "counts", "categorical": "categorical",
    }  # fmt: skip
    accepted: frozenset[str] = getattr(module, "ACCEPTS", frozenset())
    if name == "sample_column":
        return len(module.SAMPLES) > 1
    return name not in needs or needs[name] in accepted


def option_of(f: Any) -> click.Option:
    """Return the option of a field made by `kstest.params.option`."""
    choices = f.metadata["choices"]
    if f.default is False:
        return click.Option([option_name(f.name), f.name], is_flag=True, help=f.metadata["help"])
    several = isinstance(f.default, tuple)
    plain = str if f.default is None or several else type(f.default)
    kind: Any = click.Choice(list(choices)) if choices else plain
    metavar = f.metadata["metavar"] or None
    return click.Option(
        [option_name(f.name), f.name],
        type=kind,
        default=f.default,
        multiple=several,
        show_default=f.default not in (None, "", ()),
        metavar=metavar,
        help=f.metadata["help"],
        hidden=f.metadata.get("hidden", False),
    )


def _run(name: str, module: Any, given: dict[str, Any]) -> int:
    if given["cite"]:
        output.write(module.REFERENCES, given["output"])
        return 0
    sides, params = arguments(module, given)
    plot = given.get("plot")
    if plot is not None:
        check_plot(plot)
    destinations.require(given, files_of(sides), params)

    from ..run import execute, picture

    samples, notices = read(module, sides, params, given)
    with working(given) as work:
        reading = given_options(given, reader(module).options)
        result = execute(name, samples, params, notices, work, reading)
    if plot is not None:
        content = draw(result, picture(name, samples, params, result), plot)
        output.write(content, plot, "--plot")
    deliver(lambda color: render(result, given["form"], color), given)
    return 0 if given["exit_zero"] and result.exit_code == 1 else result.exit_code


def arguments(module: Any, given: Mapping[str, Any]) -> tuple[dict[str, list[str]], Any]:
    """Files of each role, and Params, checked."""
    sides = sides_of(module.SAMPLES, given)
    return sides, module.Params(**{f.name: given[f.name] for f in fields(module.Params)})


def files_of(sides: Mapping[str, Sequence[str]]) -> list[str]:
    """All files and globs of the sides."""
    return [path for paths in sides.values() for path in paths]


def read(
    module: Any, sides: Mapping[str, Sequence[str]], params: Any, given: Mapping[str, Any]
) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
    """Read the files of a command."""
    how = reader(module)
    reading = how.choose(module.SAMPLES, given, columns_of(module, params))
    stdin = sys.stdin.buffer if sys.stdin else None
    samples, notices = how.read(sides, reading, stdin)
    return how.with_beside(module, params, samples, notices, reading, stdin)


@contextmanager
def working(given: Mapping[str, Any], label: str = "summing kernels") -> Iterator[Work]:
    """Threads, progress bar and notes of a command."""
    quiet = given.get("quiet", False)
    with progress(quiet, label, _faster(given)) as show:
        yield Work(
            threads=given["threads"] or available_threads(),
            progress=show,
            notify=(lambda line: None) if quiet else note,
        )


def _faster(given: Mapping[str, Any]) -> str:
    """What to say of an option that makes a long run short."""
    features = given.get("features")
    if features == "none":
        return "--features auto sums at landmark rows, which is faster"
    return (
        "a number of --features sums at landmark rows, which is faster"
        if features == "auto"
        else ""
    )


def deliver(form: Callable[[bool], str], given: Mapping[str, Any]) -> None:
    """Write what `form` makes, with or without colour, to where it was asked for."""
    if not (given.get("quiet") and given["form"] == "text" and given["output"] is None):
        color = given["output"] is None and wants_color(sys.stdout)
        output.write(form(color), given["output"])


def sides_of(roles: tuple[str, ...], given: Mapping[str, Any]) -> dict[str, list[str]]:
    """Files of each role: from its option, else the next positional argument."""
    if given.get("sample_column") is not None:
        if not given["files"] or any(given[f"role_{role}"] for role in roles):
            raise click.UsageError(
                "with --sample-column all sides are in the same files: name them without "
                f"{' and '.join(f'--{role}' for role in roles)}"
            )
        return {"table": list(given["files"])}
    sides: dict[str, list[str]] = {role: list(given[f"role_{role}"]) for role in roles}
    free = [role for role in roles if not sides[role]]
    files = list(given["files"])
    if len(files) != len(free):
        wanted = " and ".join(free) if free else "no further file: all are given by options"
        hint = "; several files of one side: --{0} FILE --{0} FILE".format((free or roles)[-1])
        raise click.UsageError(
            f"expected {len(free)} file{'s' * (len(free) != 1)} ({wanted}), found {len(files)}"
            + (hint if len(files) > len(free) else "")
        )
    for role, file in zip(free, files, strict=True):
        sides[role] = [file]
    return sides


def note(line: str) -> None:
    say(f"kstest: {line}")


def wants_color(stream: Any) -> bool:
    import os

    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return bool(stream and stream.isatty() and not plain)
