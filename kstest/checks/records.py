"""The commands on the history: `kstest history`, `show`, `ack` and `reset`."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from ..errors import DataError, UsageError
from ..files import destinations, output
from ..findings import number
from ..plot import check as check_plot
from ..plot import draw
from ..shell.call import ACKNOWLEDGEMENT, acknowledged
from ..shell.help import Command, Option
from ..wording import printable, shown
from .commands import CONFIG, configured, form_option, output_options
from .history import History, opened
from .outcome import counting
from .picture import picture
from .settings import unknown

HISTORY = Option(
    ["--history"],
    metavar="FILE",
    brief="File that remembers every run",
    help="File that remembers every run. Default: as configured.",
)
CODES = "\b\nExit codes:\n  0  done      2  could not run (message on stderr)"
COLUMNS = (
    "run", "started", "date", "check", "unit", "test", "status", "p_value", "adjusted", "e_value",
    "statistic", "level", "severity", "over_time", "counted", "acknowledged", "message",
)  # fmt: skip


def _command(
    name: str, summary: str, more: str, callback: Any, params: Sequence[click.Parameter]
) -> click.Command:
    return Command(
        name,
        callback=callback,
        params=[*params, CONFIG, HISTORY, *output_options("debug")],
        help=f"{summary}\n\n{more}",
        short_help=summary,
        epilog=CODES,
    )


@contextlib.contextmanager
def _history(given: Mapping[str, Any], *, new: bool) -> Iterator[tuple[Any, History]]:
    """The configuration, and its history."""
    with configured(given) as config:
        if config.settings.history == "none":
            raise UsageError(f"history is none ({config.settings.origins['history']}).")
        with opened(config.settings.history, new=new) as history:
            yield config, history


def history(summary: str) -> click.Command:
    """Return `kstest history`."""
    params = [
        click.Argument(["check"], required=False),
        Option(
            ["--last"],
            brief="Outcomes to print",
            type=click.IntRange(1),
            default=50,
            show_default=True,
            metavar="N",
            help="Outcomes to print, the latest.",
        ),
        form_option("text", "csv", "json"),
        Option(
            ["--plot"],
            metavar="FILE",
            brief="Draw the outcomes over time: .svg, .png or .html",
            help="Draw p-values, e-values and effects of these outcomes over time: .svg or .png, "
            "or .html for a page.",
        ),
        *output_options("output"),
    ]
    more = "Acknowledgements and resets are printed among the runs.\n\n\b\nExample: kstest history"
    return _command("history", summary, more, _print, params)


def _print(check: str | None, **given: Any) -> int:
    plot, target = given["plot"], given["output"]
    if plot is not None:
        check_plot(plot)
        # Before the folder of the checks is entered.
        plot = os.path.abspath(plot)
        target = target if target in (None, "-") else os.path.abspath(target)
    with _history(given, new=False) as (config, history):
        chosen, words = ("WHERE name = ? ", (check,)) if check else ("", ())
        found = history.rows(
            "outcomes", f"{chosen}ORDER BY id DESC LIMIT ?", *words, given["last"]
        )[::-1]
        events = history.rows("events", f"{chosen}ORDER BY id", *words)
        first, last = (found[0]["run"], found[-1]["run"]) if found else (0, 0)
        runs = {
            r["id"]: r
            for r in history.rows("runs", "WHERE id BETWEEN ? AND ? ORDER BY id", first, last)
        }
        if plot is not None:
            written = {"plot": plot, "output": target}
            destinations.require(written, [config.settings.history])
            results = [history.result(o) for o in found]
            alphas = {name: c.alpha for name, c in config.checks.items()}
    if check and not found and not events:
        raise DataError(f"history {history.path}: has nothing of a check {shown(check)}.")
    lost = [o["run"] for o in found if o["run"] not in runs]
    if lost:
        raise DataError(f"history {history.path}: run {lost[0]} is lost; it is damaged.")
    rows = [_row(o, runs[o["run"]]) for o in found]
    form = given["form"]
    if form == "json":
        answer = {"outcomes": rows, "events": events}
        text = json.dumps(answer, indent=2, allow_nan=False) + "\n"
    else:
        text = _csv(rows) if form == "csv" else _table(rows, found, events)
    if plot is not None:
        used = {number: run for number, run in runs.items() if number in {o["run"] for o in found}}
        drawn = draw(*picture(found, used, results, events, alphas), plot)
        output.write(drawn, plot, "--plot")
    output.write(text, given["output"])
    return 0


def _row(outcome: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    found = {**outcome, "check": outcome["name"], "started": run["started"], "date": run["date"]}
    return {name: found[name] for name in COLUMNS}


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    target = io.StringIO()
    writer = csv.DictWriter(target, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue()


def _table(
    rows: Sequence[Mapping[str, Any]],
    found: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]],
) -> str:
    """A line per outcome, and the events between them."""
    lines, left = [], list(events)
    for row, outcome in zip(rows, found, strict=True):
        while left and left[0]["after"] < outcome["id"]:
            lines.append(_event(left.pop(0)))
        label = printable(f"{row['check']} {row['unit']}".rstrip())
        evidence = "" if row["p_value"] is None else f"p {number(row['p_value'])}"
        if row["adjusted"] is not None and row["adjusted"] != row["p_value"]:
            evidence += f", adjusted {number(row['adjusted'])}"
        known = " (acknowledged)" if row["acknowledged"] and row["status"] == "rejected" else ""
        when = row["started"][:16].replace("T", " ")
        line = f"{row['run']:>6}  {when}  {label:<20} {row['status']}{known}  {evidence}"
        lines.append(line.rstrip())
    lines += [_event(event) for event in left]
    return "\n".join(lines or ["no runs yet"]) + "\n"


def _event(event: Mapping[str, Any]) -> str:
    until = f" until {event['until']}" if event["until"] else ""
    why = f": {event['why']}" if event["why"] else ""
    when = event["made"][:16].replace("T", " ")
    return f"{'':>6}  {when}  {printable(event['name']):<20} {event['kind']}{until}{printable(why)}"


def show(summary: str) -> click.Command:
    """Return `kstest show`."""
    params = [
        click.Argument(["run"], type=click.IntRange(1), required=False),
        form_option("text", "json", "html"),
        *output_options("output"),
    ]
    more = "Without a number that is the last.\n\n\b\nExample: kstest show 12"
    return _command("show", summary, more, _show, params)


def _show(run: int | None, **given: Any) -> int:
    with _history(given, new=False) as (config, history):
        which = ("ORDER BY id DESC LIMIT 1",) if run is None else ("WHERE id = ?", run)
        found = history.rows("runs", *which)
        if not found:
            missing = "any run" if run is None else f"run {run}"
            raise DataError(f"history {history.path}: has not {missing}; see kstest history.")
        outcomes = history.rows("outcomes", "WHERE run = ? ORDER BY id", found[0]["id"])
        results = [history.result(o) for o in outcomes]
        page = ""
        if given["form"] == "html":
            from .formats.page import render
            from .past import restored, with_past

            report = restored(found[0], outcomes, results, config.checks)
            page = render(with_past(report, history))
    if page:
        output.write(page, given["output"])
        return 0
    whole = {
        **found[0],
        "settings": json.loads(found[0]["settings"]),
        "outcomes": [
            {**o, "changes": json.loads(o["changes"]), "result": r}
            for o, r in zip(outcomes, results, strict=True)
        ],
    }
    if given["form"] == "json":
        output.write(json.dumps(whole, indent=2, allow_nan=False) + "\n", given["output"])
        return 0
    output.write("\n".join(_whole(whole)) + "\n", given["output"])
    return 0


def _whole(run: Mapping[str, Any]) -> Iterator[str]:
    yield f"run {run['id']}, exit code {run['exit_code']}"
    for key in ("started", "date", "seconds", "config", "digest", "version"):
        yield f"  {key:<12}{run[key]}"
    wanted = counting(str(run["settings"]["fail_on"]))
    for o in run["outcomes"]:
        counts = "" if o["severity"] in wanted else f" ({o['severity']})"
        yield f"{printable((o['name'] + ' ' + o['unit']).rstrip())}: {o['status']}{counts}"
        for key in ("test", "p_value", "adjusted", "level", "over_time", "acknowledged", "message"):
            if o[key] is not None and o[key] != "":
                yield f"  {key:<12}{printable(str(o[key]))}"
        yield from _columns(o["result"] or {})
        for change in o["changes"]:
            yield f"  {'columns':<12}{printable(change['message'])}"
        for notice in (o["result"] or {}).get("warnings", ()):
            yield f"  {'warning':<12}{printable(notice['message'])}"
        for used in (o["result"] or {}).get("inputs", ()):
            yield f"  {used['sample']:<12}{printable(used['path'])}, {used['rows_used']:,} rows"


def _columns(result: Mapping[str, Any]) -> Iterator[str]:
    """The columns that differ, of a rejection of a test that looked at them one by one."""
    found = result.get("explanation", {}).get("columns", ())
    for row in found if result.get("verdict") == "rejected" and isinstance(found, list) else ():
        p_value = row.get("adjusted_p_value") if isinstance(row, Mapping) else None
        if p_value is not None and p_value <= result["alpha"]:
            words = f", {row['words']}" if row.get("words") else ""
            yield f"  {'differ in':<12}{printable(row['column'])} (p {number(p_value)}){words}"


def ack(summary: str) -> click.Command:
    """Return `kstest ack`."""
    params = [
        click.Argument(["check"]),
        *ACKNOWLEDGEMENT,
    ]
    more = (
        "Until then its rejections and changed columns are printed and do not make the exit code "
        "1. Errors still do theirs.\n\n\b\n"
        "Example: kstest ack orders --until 2026-01-31 --why 'new shop opened'"
    )
    return _command("ack", summary, more, _ack, params)


def _ack(check: str, until: str, why: str, **given: Any) -> int:
    day, why = acknowledged(until, why)
    _enter("ack", check, given, day, why)
    output.write(f"{printable(check)}: alarms are acknowledged until {day}\n", None)
    return 0


def reset(summary: str) -> click.Command:
    """Return `kstest reset`."""
    params = [
        click.Argument(["check"]),
        Option(
            ["--why"],
            brief="What has changed",
            default="",
            metavar="TEXT",
            help="What has changed.",
        ),
    ]
    more = (
        "After a known change: what its earlier runs used of its level over time counts no more, a "
        "stream begins with a new state file, acknowledgements end.\n\n\b\n"
        "Example: kstest reset orders --why 'new reference'"
    )
    return _command("reset", summary, more, _reset, params)


def _reset(check: str, why: str, **given: Any) -> int:
    _enter("reset", check, given, None, why.strip())
    output.write(f"{printable(check)}: begins anew with the next run\n", None)
    return 0


def _enter(kind: str, check: str, given: Mapping[str, Any], until: str | None, why: str) -> None:
    """Enter an event, of a check that the file or the history knows."""
    with _history(given, new=True) as (config, history):
        known = history.rows("outcomes", "WHERE name = ? LIMIT 1", check)
        if check not in config.checks and not known:
            raise UsageError(unknown("[checks]", check, [*config.checks]))
        history.event(kind, check, until, why)
