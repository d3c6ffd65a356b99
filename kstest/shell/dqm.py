"""The commands `kstest dqm ...`: calibrate, check, explain, selftest, show."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from ..clusters import check_scheduler, working_at
from ..contract import Inputs
from ..errors import UsageError
from ..files import destinations, output
from ..inputs import params_of
from ..params import INPUT, STREAM
from ..report import render
from ..report.layout import entry
from ..sources import DIALECTS, OPTIONS, ReadOptions, read_options
from ..sources.paths import expand
from . import call
from .call import (
    ACKNOWLEDGEMENT,
    acknowledged,
    answer,
    deliver,
    files_of,
    plotted,
    require_plot,
    sides_of,
    standard_input,
    working,
    written,
)
from .command import EPILOG as TEST_EPILOG
from .command import LOCK_TIMEOUT, OUTPUT_OPTIONS, command, option_of, options_of
from .group import Group
from .help import Argument, Command, Option

HELP = {"help_option_names": ["-h", "--help"]}
# How batches are read is part of the calibration, except for these.
BATCH_READING = (
    "where", "input_format", "null_values", "explode", *(f.name for f in DIALECTS),
)  # fmt: skip
SUMMARIES = {
    "calibrate": "Learn from good events what to expect of a batch.",
    "check": "Judge batches by a calibration.",
    "explain": "Say what makes a batch differ.",
    "selftest": "Can this calibration raise an alarm, and keep quiet?",
    "compare": "Judge one batch by permutations, without a pool.",
    "show": "Print what a calibration holds.",
    "status": "Show all batches of a history: trend, alarms.",
    "ack": "Silence a known alarm of check --history for a while.",
}
EPILOG = """\b
Exit codes:
  0  no alarm             2  could not run, or the calibration does not match
  1  alarm                3  no verdict, for example too few events"""


class _Group(Group):
    """Imports a command's room when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        makers: dict[str, Callable[[], click.Command]] = {
            "calibrate": _calibrate,
            "check": _check,
            "explain": _explain,
            "selftest": _selftest,
            "compare": _compare,
            "show": _show,
            "ack": _ack,
            "status": _status,
        }
        return makers[name]() if name in makers else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))


def build(summary: str) -> click.Group:
    """Return the group."""
    text = (
        "A batch is some hundred events of a detector or rows of a log. A calibration knows how "
        "far batches of good events are from a reference; a check judges new ones by that. The "
        "test learns the likelihood ratio of batch and reference with a kernel model."
    )
    return _Group(
        "dqm",
        help=f"{summary}\n\n{text}",
        short_help=summary,
        params=[_citation()],
        context_settings=HELP,
        epilog="Every command has its own help: kstest dqm check --help",
    )


def _cite(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if asked:
        from ..dqm.references import REFERENCES

        output.write(REFERENCES, None)
        ctx.exit()


def _citation() -> click.Option:
    return click.Option(
        ["--cite"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_cite,
        help="Print the references in BibTeX and exit.",
    )


def _results(*names: str) -> list[click.Parameter]:
    return [o for o in OUTPUT_OPTIONS if o.name in names]


def _calibrate() -> click.Command:
    from ..dqm.calibrate import INPUTS

    results = [
        Option(
            ["--output", "-o"],
            metavar="FILE",
            required=True,
            help="The calibration to write.",
            brief="The calibration to write.",
        ),
        *_results("form", "quiet", "threads", "debug"),
    ]
    made = command("calibrate", SUMMARIES["calibrate"], INPUTS, _run_calibrate, results, EPILOG)
    # Two sides of one table make no sense here: the pool must be apart.
    dropped = {"sample_column", "reference_values", "pool_values"}
    made.params = [p for p in made.params if p.name not in dropped]
    return made


def _run_calibrate(**given: Any) -> int:
    from ..dqm.calibrate import INPUTS
    from ..dqm.summary import answer, summary
    from ..inputs.batches import calibrated, from_files

    sides = sides_of(INPUTS.roles, {**given, "sample_column": None})
    params = params_of(INPUTS, given, written())
    destinations.require(given, files_of(sides))
    options = read_options((), given)
    data = {
        side: [p for path in paths for p in expand(path, side)] for side, paths in sides.items()
    }
    with working(given, "fitting toys") as work:
        made = calibrated(data, params, options, from_files(standard_input()), work)
    made.save(given["output"])
    if not given["quiet"]:
        output.write(render(answer(summary(made)), given["form"]), None)
    return 0


def _on_batches(
    name: str,
    inputs: Inputs[Any],
    callback: Callable[..., int],
    several: bool,
    *results: str,
    extra: Sequence[click.Parameter] = (),
) -> click.Command:
    reading = [option_of(f, INPUT) for f in OPTIONS if f.name in BATCH_READING]
    words = [SUMMARIES[name], inputs.description, f"\b\nExample: {inputs.example}"]
    return Command(
        name,
        callback=callback,
        params=[
            Argument(["calibration"]),
            Argument(["batches"], nargs=-1 if several else 1, required=True,
                           metavar="BATCH..." if several else "BATCH"),
            *options_of(inputs),
            *reading,
            *extra,
            *_results("form", "output", "quiet", "exit_zero", "threads", "debug", *results),
        ],
        help="\n\n".join(filter(None, words)),
        short_help=SUMMARIES[name],
        epilog=EPILOG,
    )  # fmt: skip


def _read(calibration: Any, paths: Sequence[str], given: Mapping[str, Any]) -> list[Any]:
    from ..dqm.windows import Batch
    from ..inputs.batch_files import name_of
    from ..inputs.batches import batch_options, from_files

    options = _reading(given)
    read = from_files(standard_input())
    files = [p for path in paths for p in expand(path, "batch")]
    batches = []
    for path in files:
        name, named = name_of(path, files, options, given.get("batch_id"))
        rows, notices = read("batch", [path], batch_options(calibration.layout, options, path))
        batches.append(Batch(path, rows, notices, name=name, named=named))
    return batches


def _reading(given: Mapping[str, Any]) -> ReadOptions:
    return ReadOptions(**{name: given[name] for name in BATCH_READING})


def _check() -> click.Command:
    from ..dqm.check import INPUTS

    extra = [
        Option(
            ["--history"],
            metavar="FILE",
            help="Remember p-values in FILE, so that alarms count batches of earlier runs, too.",
            section=STREAM,
            brief="Remember p-values in FILE, for alarms of later runs.",
        ),
        Option(
            ["--batch-id"],
            metavar="NAME",
            help="With --history: name of the batch; other events under it are refused. Default: "
            "the name of the file, which may come again with other events.",
            section=STREAM,
        ),
        LOCK_TIMEOUT,
        Option(
            ["--scheduler"],
            metavar="local|ADDRESS",
            help="Read and judge every file in a task of its own: on this machine (local), or by "
            "the workers of a dask scheduler, such as tcp://host:8786 (pip install "
            "'kstest[dask]'), which see the files under the same paths. The answer is the same.",
        ),
    ]
    return _on_batches("check", INPUTS, _run_check, True, "plot", extra=extra)


def _run_check(calibration: str, batches: Sequence[str], **given: Any) -> int:
    from ..dqm import check as module
    from ..dqm.calibration import load
    from ..dqm.course_picture import picture
    from ..dqm.history import remembered
    from ..dqm.over_time import with_alarms
    from ..dqm.reachable import require_reachable
    from ..dqm.several import together

    params = params_of(module.INPUTS, given, written())
    _require_history(given)
    require_plot(given)
    destinations.require(given, [calibration, *batches])
    known = load(calibration)
    require_reachable(known, params, params.control)
    results, identities = _judged(known, batches, params, given)
    with remembered(given["history"], known.digest, given["lock_timeout"]) as history:
        results = with_alarms(known, results, params, history, identities)
        lines = None if history is None else history.counted
    told = together(results)
    plotted(told, lambda: picture(results, lines), given)
    code = module.exit_code(results)
    tell = given["form"] == "text" and code == 1 and len(batches) == 1
    line = shlex.join(["kstest", "dqm", "explain", calibration, *batches])
    last = "".join(f"{li}\n" for li in entry("next", line)) if tell else ""
    deliver(lambda color: render(told, given["form"], color) + last, given)
    return 0 if given["exit_zero"] and code == 1 else code


def _judged(
    known: Any, batches: Sequence[str], params: Any, given: Mapping[str, Any]
) -> tuple[list[Any], list[Any]]:
    """Results of all batches and what a history knows them by, read here or by workers."""
    from ..dqm.check import identity, judge_all
    from ..inputs.batch_files import batch_files, judge_files, stamps_of

    scheduler = given["scheduler"]
    if scheduler is None:
        found = _read(known, batches, given)
        with working(given, "fitting") as work:
            parts, results = judge_all(known, found, params, work)
        history = given["history"] is not None
        return results, [identity(known, part) for part in parts] if history else []
    check_scheduler(scheduler)
    files = batch_files(batches, _reading(given), given["batch_id"])
    with (
        working(given, "judging") as work,
        working_at(scheduler, stamps_of(files), work) as (inside, where),
    ):
        return judge_files(known, files, _reading(given), params, inside, where)


def _require_history(given: Mapping[str, Any]) -> None:
    """Refuse names of batches without a history."""
    if given["history"] is None and given["batch_id"] is not None:
        raise UsageError("--batch-id: is for --history, which knows batches by their names")


def _explain() -> click.Command:
    from ..dqm.explain import INPUTS

    return _on_batches("explain", INPUTS, _run_explain, False, "plot", "label")


def _run_explain(calibration: str, batches: str, **given: Any) -> int:
    from ..dqm import explain as module
    from ..dqm.calibration import load

    params = params_of(module.INPUTS, given, written())
    require_plot(given)
    destinations.require(given, [calibration, batches])
    known = load(calibration)
    (batch,) = _read(known, [batches], given)
    with working(given, "fitting") as work:
        result, picture = module.explain(known, batch, params, work)
    plotted(result, lambda: picture, given)
    return answer(result, given)


def _selftest() -> click.Command:
    from ..dqm.selftest import INPUTS

    made = _on_batches("selftest", INPUTS, _run_selftest, True)
    made.params = [p for p in made.params if p.name not in (*BATCH_READING, "batches", "exit_zero")]
    return made


def _run_selftest(calibration: str, **given: Any) -> int:
    from ..dqm import selftest as module
    from ..dqm.calibration import load

    params = params_of(module.INPUTS, given, written())
    destinations.require(given, [calibration])
    known = load(calibration)
    with working(given, "fitting") as work:
        found = module.selftest(known, params, work)
    deliver(lambda color: render(module.answer(found), given["form"], color), given)
    return 0 if found["passed"] else 1


def _compare() -> click.Command:
    from ..dqm.compare import TEST

    def run(**given: Any) -> int:
        return call.run("dqm compare", TEST, given, "fitting")

    results = _results("form", "output", "quiet", "exit_zero", "threads", "debug")
    return command("compare", SUMMARIES["compare"], TEST.inputs, run, results, TEST_EPILOG)


def _show() -> click.Command:
    return Command(
        "show",
        callback=_run_show,
        params=[
            Argument(["calibration"]),
            *_results("form", "output", "debug"),
        ],
        help=f"{SUMMARIES['show']}\n\n\b\nExample: kstest dqm show drift.cal",
        short_help=SUMMARIES["show"],
    )


def _status() -> click.Command:
    from .status import build

    return build(SUMMARIES["status"])


def _ack() -> click.Command:
    more = (
        "Until then an alarm of kstest dqm check with this history is shown as acknowledged and "
        "does not make the exit code 1, whatever rejects; what cannot run is exit code 2 as before."
        "\n\n\b\nExample: kstest dqm ack h.db --until 2026-01-31 --why 'a tube was replaced'"
    )
    return Command(
        "ack",
        callback=_run_ack,
        params=[
            Argument(["history"]),
            *ACKNOWLEDGEMENT,
            Option(
                ["--calibration"],
                metavar="DIGEST",
                brief="Calibration whose alarms are known",
                help="Calibration whose alarms are known: the first digits of its digest, as "
                "kstest dqm status shows them. Default: all of the history.",
            ),
            LOCK_TIMEOUT,
            *_results("debug"),
        ],
        help=f"{SUMMARIES['ack']}\n\n{more}",
        short_help=SUMMARIES["ack"],
        epilog="\b\nExit codes:\n  0  done      2  could not run (message on stderr)",
    )


def _run_ack(history: str, until: str, why: str, **given: Any) -> int:
    from ..dqm.history import acknowledge

    day, why = acknowledged(until, why)
    which = acknowledge(history, day, why, given["lock_timeout"], given["calibration"])
    output.write(f"alarms are acknowledged until {day}: {which}\n", None)
    return 0


def _run_show(calibration: str, **given: Any) -> int:
    from ..dqm.calibration import load
    from ..dqm.summary import answer, summary

    destinations.require(given, [calibration])
    known = load(calibration)
    output.write(render(answer(summary(known)), given["form"]), given["output"])
    return 0
