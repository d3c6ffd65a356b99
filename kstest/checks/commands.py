"""The commands `kstest run`, `validate`, `config` and `init`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import click

from ..engine.work import available_threads
from ..errors import KstestError
from ..files import output
from ..params import INPUT, NULL, OUTPUT, option_name
from ..shell.call import command_line, wants_color
from ..shell.command import OUTPUT_OPTIONS, available
from ..shell.group import Group
from ..shell.help import Argument, Command, Option
from .config import Config, find, load
from .forms import FORMS
from .settings import DECLARED
from .templates import date_of

EPILOG = """\b
Exit codes, the first that holds:
  1  a check of enough severity rejected, or its columns changed (--fail-on)
  2  a check could not run
  3  a check has no verdict, for example too few rows
  0  no alarm"""
CONFIG = Option(
    ["--config", "config"],
    metavar="FILE",
    section=INPUT,
    brief="File of the checks",
    help="File of the checks. Default: kstest.toml here or above, or [tool.kstest] of a "
    "pyproject.toml.",
)

REPORTS = Option(
    ["--report", "reports"],
    multiple=True,
    metavar="FORM:FILE",
    brief="Write a further form of the answer to a file",
    help="Write the answer in a further form to a file, such as junit:out.xml; may be repeated.",
)


# Where the help has the settings, and what the short help says of them.
SECTIONS_OF = {"alpha": NULL, "correction": NULL, "fail_on": NULL, "every": NULL}
BRIEF = {
    "alpha": "Level over all checks of a run",
    "correction": "holm, bh, by or none",
    "fail_on": "What makes the exit code 1",
    "threads": "Threads",
    "every": "How often this runs, such as 1h",
    "history": "File that remembers every run",
}


def output_options(*names: str) -> list[click.Parameter]:
    """Options that all commands have."""
    return [o for o in OUTPUT_OPTIONS if o.name in names]


def form_option(*forms: str) -> Option:
    """An option for the form of an answer."""
    return Option(
        ["--format", "form"],
        brief="Form of the answer",
        type=click.Choice(list(forms)),
        callback=available,
        default=forms[0],
        show_default=True,
        help="Form of the answer.",
    )


def setting_options() -> list[click.Parameter]:
    """An option per setting of a run, without a default: that is in the file."""
    made: list[click.Parameter] = []
    for f in DECLARED:
        choices = f.metadata["choices"]
        kind: Any = click.Choice(list(choices)) if choices else type(f.default)
        made.append(
            Option(
                [option_name(f.name), f.name],
                section=SECTIONS_OF.get(f.name, OUTPUT),
                brief=BRIEF.get(f.name, ""),
                type=kind,
                default=None,
                metavar=f.metadata["metavar"] or None,
                help=f"{f.metadata['help']}  [default: {f.default if f.default != '' else 'none'}]",
            )
        )
    return made


def build(summary: str) -> click.Command:
    """Return `kstest run`."""
    return Command(
        "run",
        callback=_run,
        params=[
            click.Argument(["names"], nargs=-1, metavar="[NAME]..."),
            CONFIG,
            Option(
                ["--date"],
                metavar="DATE",
                section=INPUT,
                brief="Date in the paths",
                help="Date in the paths, such as 2026-01-31. Default: now.",
            ),
            *setting_options(),
            form_option(*FORMS),
            REPORTS,
            *output_options("output", "debug"),
            Option(
                ["--quiet", "-q"],
                is_flag=True,
                brief="Print only what is not green",
                help="Print the report only when it is not green.",
            ),
        ],
        help=f"{summary}\n\nWithout names all checks of the file are run.\n\n\b\n"
        "Example: kstest run --every 1h",
        short_help=summary,
        epilog=EPILOG,
    )


@contextlib.contextmanager
def configured(given: Mapping[str, Any]) -> Iterator[Config]:
    """Read the file of checks, and be in its folder, to which its paths are relative."""
    flags = {f.name: given.get(f.name) for f in DECLARED}
    if flags["history"] not in (None, "none"):  # of the shell, relative to where it is
        flags["history"] = os.path.abspath(flags["history"])
    config = load(find(given["config"]), flags)
    with contextlib.chdir(config.folder):
        yield config


def _run(names: tuple[str, ...], **given: Any) -> int:
    if given["form"] != "nagios":
        return _answered(names, **given)
    from .formats import nagios

    try:
        return _answered(names, **given)
    except KstestError as error:  # 2 would be read as an alarm
        output.write(nagios.line(nagios.UNKNOWN, str(error)) + "\n", None)
        return nagios.UNKNOWN


def _answered(names: tuple[str, ...], **given: Any) -> int:
    from .deliver import deliver, require, targets
    from .history import opened
    from .runner import LOCK_TIMEOUT, run

    now = date_of(given["date"])
    target = given["output"]
    target = target if target in (None, "-") else os.path.abspath(target)
    reports = targets(given["reports"])
    with configured(given) as config:
        checks = config.chosen(names)
        require(config, now, target, reports)
        threads = config.settings.threads or available_threads()
        with contextlib.ExitStack() as stack:
            history = None
            if config.settings.history != "none":
                history = stack.enter_context(opened(config.settings.history, LOCK_TIMEOUT))
            else:
                _require_forgetful(config, checks)
            page = "html" in (given["form"], *reports)
            report = run(config, checks, now, threads, history, page)
            if page:
                from .past import with_past

                report = with_past(replace(report, command=command_line()), history)
    code = report.exit_code
    for form, path in reports.items():
        deliver(report, form, path, f"--report {form}")
    if not (given["quiet"] and code == 0 and target is None):
        color = target is None and wants_color(sys.stdout)
        deliver(report, given["form"], target, "--output", color)
    if given["form"] == "nagios":
        from .formats import nagios

        return nagios.exit_code(report)
    return code


def _require_forgetful(config: Config, checks: Any) -> None:
    """Refuse to run without a history what counts its earlier runs."""
    from ..errors import UsageError

    for check in checks:
        if check.over_time in ("spending", "online-fdr"):
            raise UsageError(
                f"{check.where}: [checks.{check.name}] over-time = '{check.over_time}' needs a "
                "history, and --history is none."
            )


def validate(summary: str) -> click.Command:
    """Return `kstest validate`."""
    return Command(
        "validate",
        callback=_validate,
        params=[CONFIG, *output_options("quiet", "debug")],
        help=f"{summary}\n\nNo data are read, and no file of the checks has to exist.\n\n\b\n"
        "Example: kstest validate --config kstest.toml",
        short_help=summary,
        epilog="\b\nExit codes:\n  0  valid      2  not valid (message on stderr)",
    )


def _validate(**given: Any) -> int:
    with configured(given) as config:
        count = len(config.checks)
    if not given["quiet"]:
        output.write(f"{config.path}: valid, {count} check{'s' * (count != 1)}\n", None)
    return 0


def config(summary: str) -> click.Command:
    """Return `kstest config`."""
    show = Command(
        "show",
        callback=_show_config,
        params=[CONFIG, *setting_options(), form_option("text", "json"), *output_options("debug")],
        help="Print the settings of a run, and where each value came from.\n\n\b\n"
        "Example: kstest config show",
        short_help="Print the settings of a run, and where each value came from.",
    )
    group = Group(
        "config",
        help=summary,
        short_help=summary,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    group.add_command(show)
    return group


def _show_config(**given: Any) -> int:
    import json

    with configured(given) as config:
        found = config.settings
    rows = [
        (f.name.replace("_", "-"), getattr(found, f.name), found.origins[f.name]) for f in DECLARED
    ]
    if given["form"] == "json":
        answer = {key: {"value": value, "origin": origin} for key, value, origin in rows}
        output.write(json.dumps(answer, indent=2) + "\n", None)
        return 0
    lines = [f"{key:<12}{value!s:<24}{origin}" for key, value, origin in rows]
    lines += [f"{'checks':<12}{', '.join(config.checks)}"]
    output.write("\n".join(lines) + "\n", None)
    return 0


def init(summary: str) -> click.Command:
    """Return `kstest init`."""
    return Command(
        "init",
        callback=_init,
        params=[
            Argument(["reference"]),
            Argument(["sample"]),
            Option(
                ["--output", "-o"],
                default="kstest.toml",
                brief="File to write",
                show_default=True,
                metavar="FILE",
                help="File to write; one that is there is never replaced.",
            ),
            *output_options("quiet", "debug"),
        ],
        help=f"{summary}\n\nIdentifiers, clocks and constant columns are left out, and the file "
        "says so.\n\n\b\nExample: kstest init last_week.parquet today.parquet",
        short_help=summary,
        epilog="\b\nExit codes:\n  0  written      2  could not be written (message on stderr)",
    )


def _init(reference: str, sample: str, **given: Any) -> int:
    from .starter import write

    said = write(reference, sample, given["output"])
    if not given["quiet"]:
        output.write(said, None)
    return 0
