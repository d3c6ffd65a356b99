"""A command line turned into files by role, Samples and threads, and where its answer goes."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..clusters import LOCAL, check_scheduler, working_at
from ..contract import Inputs, Test
from ..engine.work import Work, available_threads
from ..errors import ApartError, UsageError
from ..files import destinations, output
from ..files.messages import say
from ..inputs import Taken, of_files, params_of
from ..inputs.spans import remarks_for_workers, require_spans, spans_if_large, spans_of
from ..plot import check as check_plot
from ..plot import draw
from ..report import render
from ..result import Answer, Result
from ..run import execute, execute_spans
from ..sample import Sample
from ..sources import given_options, reader
from ..wording import shown
from .advice import next_step
from .help import Option
from .progress import progress

if TYPE_CHECKING:
    from ..picture import Picture

P = TypeVar("P")


def run(
    name: str, test: Test[Any], given: Mapping[str, Any], label: str = "summing kernels"
) -> int:
    """Run a test and return its exit code."""
    if given.get("cite"):
        output.write(test.references, given["output"])
        return 0
    sides, params = arguments(test.inputs, given)
    require_plot(given)
    destinations.require(given, files_of(sides), params)
    result, samples = _executed(name, test, sides, params, given, label)
    if test.picture is not None:
        plotted(result, partial(test.picture, samples, params, result), given)
    return answer(result, given)


def require_plot(given: Mapping[str, Any]) -> None:
    """Refuse a picture that cannot be drawn, before anything is computed."""
    if given.get("plot") is not None:
        check_plot(given["plot"])
    elif given.get("label"):
        raise UsageError("--label: names the axes of --plot FILE, which is not given")


def plotted(result: Result | Answer, make: Callable[[], Picture], given: Mapping[str, Any]) -> None:
    """Write the picture that was asked for, with its axes named as was asked."""
    plot, labels = given.get("plot"), given.get("label") or {}
    if plot is None:
        return
    from ..picture import relabelled

    picture, used = relabelled(make(), labels)
    for name in labels if picture.panels else ():
        if name not in used:
            note(f"--label {name}: no axis of the picture is that of a column {name}")
    output.write(draw(result, picture, plot), plot, "--plot")


def _executed(
    name: str, test: Test[Any], sides: Mapping[str, Sequence[str]], params: Any,
    given: Mapping[str, Any], label: str,
) -> tuple[Result, Sequence[Sample]]:  # fmt: skip
    """Read the files at once or, if they are large or lie elsewhere, in passes."""
    reading = given_options(given, reader(test.inputs.reads).options)
    scheduler = given.get("scheduler")
    if scheduler is not None:
        check_scheduler(scheduler)
        require_spans(name, test, params)
        spans = spans_of(test, params, given, sides)
    else:
        large, apart = spans_if_large(test, params, given, sides, _note_of(given)), False
        if large is not None:
            try:
                return _in_passes(test, large, LOCAL, params, given, reading)
            except ApartError:  # nobody asked for passes
                apart = True
        samples, notices = read(test.inputs, sides, params, given)
        with working(given, label) as work:
            if apart:
                work.notify("a sequence has events in several files: they were read at once")
            found = execute(name, samples, params, notices, work, reading, test)
        return found, samples
    return _in_passes(test, spans, scheduler, params, given, reading)


def _in_passes(
    test: Test[Any], spans: Any, scheduler: str, params: Any, given: Mapping[str, Any],
    reading: Mapping[str, Any],
) -> tuple[Result, Sequence[Sample]]:  # fmt: skip
    with working({**given, "features": None}, "reading twice") as work:  # they are in use
        for line in () if scheduler == LOCAL else remarks_for_workers(spans):
            work.notify(line)
        with working_at(scheduler, spans.stamps, work) as (inside, where):
            return execute_spans(spans, params, test, inside, reading, where)


def answer(result: Result, given: Mapping[str, Any]) -> int:
    """Deliver a Result and return its exit code."""
    last = next_step(result, given, written()) if given["form"] == "text" else ""
    deliver(lambda color: render(result, given["form"], color) + last, given)
    return 0 if given["exit_zero"] and result.exit_code == 1 else result.exit_code


def arguments(inputs: Inputs[P], given: Mapping[str, Any]) -> tuple[dict[str, list[str]], P]:
    """Files of each role, and Params, checked."""
    return sides_of(inputs.roles, given, inputs.least), params_of(inputs, given, written())


def written() -> set[str]:
    """Names of the options that were written on the command line."""
    context = click.get_current_context()
    source = click.core.ParameterSource.COMMANDLINE
    return {name for name in context.params if context.get_parameter_source(name) is source}


def files_of(sides: Mapping[str, Sequence[str]]) -> list[str]:
    """All files and globs of the sides."""
    return [path for paths in sides.values() for path in paths]


def read(
    inputs: Inputs[P], sides: Mapping[str, Sequence[str]], params: P, given: Mapping[str, Any]
) -> Taken:
    """Read the files of a command."""
    return of_files(inputs, params, given, sides, standard_input())


def standard_input() -> Any:
    """The bytes of standard input, if it is there."""
    return sys.stdin.buffer if sys.stdin else None


@contextmanager
def working(given: Mapping[str, Any], label: str = "summing kernels") -> Iterator[Work]:
    """Threads, progress bar and notes of a command."""
    quiet = given.get("quiet", False)
    with progress(quiet, label, _faster(given)) as show:
        yield Work(
            threads=given["threads"] or available_threads(),
            progress=show,
            notify=_note_of(given),
        )


def _note_of(given: Mapping[str, Any]) -> Callable[[str], None]:
    """How a note reaches the user, or none."""
    return (lambda line: None) if given.get("quiet", False) else note


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


def sides_of(
    roles: tuple[str, ...], given: Mapping[str, Any], needed: int | None = None
) -> dict[str, list[str]]:
    """Files of each role: from its option, else the next positional argument.

    Roles after the first `needed` may be left out.
    """
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
    spare = [role for role in free if needed is not None and role in roles[needed:]]
    for role in spare[::-1][: max(len(free) - len(files), 0)]:
        free.remove(role)
        del sides[role]
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


def command_line() -> str:
    """The command as it was written, for a shell."""
    context: click.Context | None = click.get_current_context()
    names: list[str] = []
    words: list[str] = []
    while context is not None:
        names.insert(0, str(context.info_name))
        words[:0] = _words(context)
        context = context.parent
    names[0] = "kstest"
    return shlex.join([*names, *words])


def _words(context: click.Context) -> Iterator[str]:
    """Its arguments and the options that were written."""
    for param in context.command.params:
        name, value = str(param.name), context.params.get(str(param.name))
        if context.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE:
            continue
        option = [max(param.opts, key=len)] if isinstance(param, click.Option) else []
        if value is True:
            yield from option
        else:
            for one in value if isinstance(value, tuple) else (value,):
                yield from (*option, str(one))


def acknowledged(until: str, why: str) -> tuple[str, str]:
    """The day and the reason of an acknowledgement, checked."""
    try:
        day = date.fromisoformat(until.strip())
    except ValueError:
        raise UsageError(f"--until {shown(until)}: give a day such as 2026-01-31.") from None
    if not why.strip():
        raise UsageError("--why: say what is known of the alarm.")
    return day.isoformat(), why.strip()


ACKNOWLEDGEMENT = [
    Option(
        ["--until"],
        required=True,
        metavar="DATE",
        brief="Last day",
        help="Last day, as 2026-01-31.",
    ),
    Option(
        ["--why"],
        brief="What is known of it",
        required=True,
        metavar="TEXT",
        help="What is known of it.",
    ),
]


def note(line: str) -> None:
    say(f"kstest: {line}")


def wants_color(stream: Any) -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return bool(stream and stream.isatty() and not plain)
