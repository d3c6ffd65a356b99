"""Data quality monitoring as text: a batch, many batches, a calibration."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..result import Result, plain
from ..wording import printable
from . import render
from .layout import entry, heading, painted
from .wording import number

NAME = 34
MOST_WARNINGS = 5


def headline(result: Result) -> tuple[str, str, str]:
    """Title, the verdict of which it has the colour, and a sentence: the alarm, where there is one.

    The exit code says the same.
    """
    alarm = result.explanation.get("alarm")
    if alarm is None:
        return result.verdict.upper(), result.verdict, str(result.explanation.get("summary", ""))
    if alarm["alarm"]:
        return "ALARM", "rejected", alarm["summary"]
    if result.verdict == "no verdict":
        return "NO VERDICT", "no verdict", alarm["summary"]
    return "NO ALARM", "not rejected", alarm["summary"]


def lines(result: Result) -> Iterator[tuple[str, str]]:
    """What a result of dqm has besides the facts of every result."""
    why = result.explanation
    if "z" in why:
        yield (
            "evidence",
            f"z {_z(why['z'])}; by the analytic law p {number(why['analytic_p_value'])}"
            + (f", z {_z(why['analytic_z'])}" if why["analytic_p_value"] < 1 else ""),
        )
        if why["events_used"] != result.n["batch"] and not why.get("windows"):
            used = f"{why['events_used']:,} of {result.n['batch']:,} events"
            yield "used", f"{used}, a size that was calibrated; the others were not judged"
    if why.get("windows"):
        yield "windows", windows_text(why["windows"], result)
    if why.get("tolerance"):
        yield "tolerance", tolerance_text(why["tolerance"])
    alarm = why.get("alarm")
    if alarm:
        yield "this batch", _own(result)
        for place, text in enumerate(alarm_lines(alarm)):
            yield "" if place else "alarm", text
    made = why.get("calibrated")
    if made:
        yield "calibrated", calibrated_text(made)
    rate = why.get("rate")
    if rate:
        yield "rate", rate_text(rate)
    for row in why.get("beyond", ()):
        yield "beyond", row["sentence"]
    yield from _columns(result)
    for place, event in enumerate(why.get("events", ())[:5]):
        yield (
            "events" if place == 0 else "",
            f"row {event['row']}, {number(event['ratio'])} times as dense as in the reference",
        )


def _own(result: Result) -> str:
    """The verdict of the batch's own test, beside the alarm."""
    text = str(result.verdict)
    if result.p_value is not None:
        text += f", p {number(result.p_value)}"
    own_level = result.p_value is not None and "level" not in result.explanation["alarm"]
    return f"{text} at level {result.alpha:g}" if own_level else text


def tolerance_text(runs: int) -> str:
    """That differences between good runs are allowed for."""
    return (
        f"usual differences between runs raise no alarm: toys come from {runs:,} good runs one by "
        f"one, so p is at least 1/{1 + runs:,}"
    )


def windows_text(windows: Sequence[Mapping[str, Any]], result: Result) -> str:
    rejected = sum(bool(w["reject"]) for w in windows)
    size = result.explanation["events_used"] // len(windows)
    return (
        f"{rejected:,} of {len(windows):,} windows of {size:,} events are rejected, each by "
        "itself; p is that of all together, by Simes' rule"
    )


def _columns(result: Result) -> Iterator[tuple[str, str]]:
    """Columns that differ by themselves, and what is left of the evidence without each."""
    ranking = [plain(c) for c in result.explanation.get("ranking", ())]
    if not ranking:
        return
    tested = any(c["p_value"] is not None for c in ranking)
    named = [c for c in ranking if c["differs"]] if tested else ranking
    label = "driven by" if result.reject else "differ in"
    if tested and not named:
        yield label, f"no column by itself{_instead(result)}"
    for place, c in enumerate(named):
        p = "" if c["p_value"] is None else f"p {number(c['p_value'])} by itself; "
        text = f"{printable(c['column'])}: {c['words']} ({p}{_evidence(c)})"
        yield label if place == 0 else "", text
    others = [c for c in ranking if c not in named and c["t_without"] is not None]
    if others:
        each = (f"{number(c['t_without'])} without {printable(c['column'])}" for c in others)
        yield "otherwise", f"t {number(others[0]['t'])}, {', '.join(each)}"


def _instead(result: Result) -> str:
    """What it is, if no column differs by itself."""
    if not result.reject:
        return ""
    if result.explanation["rate"]["tested"]:
        return ": the rate, how they go together, or too little"
    return ": how they go together changed, or too little"


def calibrated_text(made: Mapping[str, Any]) -> str:
    """When and with which reference."""
    paths = [printable(i["path"]) for i in made["inputs"] if i["sample"] == "reference"]
    shown = ", ".join(paths[:3]) + ", ..." * (len(paths) > 3)
    return f"{made['started'][:16].replace('T', ' ')} UTC, reference {shown}"


def _z(value: float, least: str = "below -8") -> str:
    return f"{value:.2f}" if math.isfinite(value) else least


def _evidence(column: Mapping[str, Any]) -> str:
    if column["t_without"] is None:
        return "the only column"
    return f"t {number(column['t'])}, without it {number(column['t_without'])}"


def alarm_lines(alarm: Mapping[str, Any]) -> list[str]:
    """Whether there is one, by which rule, and how often that is false."""
    text = "YES" if alarm["alarm"] else "no"
    if "level" in alarm:
        deaf = "" if alarm["possible"] else ", below the smallest p-value of the toys"
        return [f"{text} ({alarm['rule']}), level {number(alarm['level'])}{deaf}"]
    rate, per_day = alarm["false_alarms_per_batch"], alarm["false_alarms_per_day"]
    if not alarm["judged"]:
        return [f"{text} (no batch has a verdict yet)"]
    count, among, needed = alarm["rejected"], alarm["among"], alarm["needed"]
    if f"{needed} of the last {among}" == alarm["rule"]:
        text += f" ({count} of the last {among} rejected, an alarm takes {needed})"
        often, later = f"one false alarm in {1 / rate:,.0f} batches expected", []
    else:
        alone = "a batch alone alarms if it is rejected"
        rule = alone if among == 1 else f"of {among} batches all have to be"
        rule = rule if needed == among else f"of {among} batches {needed} have to be"
        text += f" ({count} of {among} rejected; {rule})"
        often = f"by chance 1 good one in {1 / rate:,.0f} does"
        later = [f"the rule for more batches is {alarm['rule']}"]
    if per_day is not None:
        often = f"{number(per_day)} false alarms a day expected"
    return [text, often, *later]


def rate_text(rate: Mapping[str, Any]) -> str:
    text = f"{rate['events']:,} events"
    if rate["tested"]:
        text += f" where {number(rate['expected'])} are expected (z {rate['z']:+.2f})"
    return f"{text}; {rate['sentence']}"


def checks(results: Sequence[Result], form: str, color: bool = False) -> str:
    """Answers of one run: a batch as any other result, several as a table or as JSON.

    Several are one JSON document, a list; or with jsonl a line each.
    """
    if len(results) == 1:
        return render(results[0], form, color)
    if form == "text":
        return table(results, color)
    if form == "jsonl":
        return "".join(render(r, "jsonl") for r in results)
    return json.dumps([r.to_dict() for r in results], indent=2, allow_nan=False) + "\n"


def table(results: Sequence[Result], color: bool = False) -> str:
    """Many batches: whether there is an alarm, a line each, and the rule that is in force."""
    used = any(_unused(r) for r in results)
    width = NAME - 8 * used
    columns = f"{'batch':<{width}}{'events':>8}" + f"{'judged':>8}" * used
    out = [*_table_head(results, color), "", f"{columns}{'p':>10}{'z':>7}  verdict"]
    for r in results:
        why = r.explanation
        label = printable(str(why["batch"]))
        label = label if len(label) < width else "…" + label[-(width - 2) :]
        p, z = (number(r.p_value), _z(why["z"], "< -8")) if r.p_value is not None else ("", "")
        alarm = "  alarm" if why["alarm"]["alarm"] else ""
        counts = f"{r.n['batch']:>8,}" + f"{why.get('events_used', 0):>8,}" * used
        out.append(f"{label:<{width}}{counts}{p:>10}{z:>7}  {r.verdict}{alarm}")
    last = results[-1].explanation
    state = alarm_lines(last["alarm"])
    rows = [("" if place else "alarm now", text) for place, text in enumerate(state)]
    if last.get("tolerance"):
        rows.append(("tolerance", tolerance_text(last["tolerance"])))
    seen = list(dict.fromkeys(n.message for r in results for n in r.warnings))
    rows += [("warning", message) for message in seen[:MOST_WARNINGS]]
    if len(seen) > MOST_WARNINGS:
        rows.append(("", f"and {len(seen) - MOST_WARNINGS:,} more warnings; --format json has all"))
    return "\n".join([*out, "", *(line for row in rows for line in entry(*row))]) + "\n"


def _unused(result: Result) -> bool:
    """Whether events of a batch were not judged; none are where there is no verdict."""
    return bool(result.explanation.get("events_used", 0) != result.n["batch"])


def _table_head(results: Sequence[Result], color: bool) -> list[str]:
    """The first lines; the exit code says the same."""
    alarms = sum(bool(r.explanation["alarm"]["alarm"]) for r in results)
    rejected = sum(bool(r.reject) for r in results)
    unsure = sum(r.verdict == "no verdict" for r in results)
    parts = [f"{len(results):,} batches, {rejected:,} rejected, {alarms:,} with an alarm"]
    parts += [f"{unsure:,} without a verdict"] * (unsure > 0)
    title, verdict = "NO ALARM", "not rejected"
    if alarms:
        title, verdict = "ALARM", "rejected"
        standing = results[-1].explanation["alarm"]["alarm"]
        parts += ["it stands after the last one" if standing else "it has cleared by the last one"]
    elif unsure:
        title, verdict = "NO VERDICT", "no verdict"
    return heading(title, painted(title, verdict, color), ", ".join(parts))


def calibration(found: Mapping[str, Any], form: str) -> str:
    """What a calibration holds."""
    if form != "text":
        layout: dict[str, Any] = {"indent": 2} if form == "json" else {"separators": (",", ":")}
        return json.dumps(plain(found), allow_nan=False, **layout) + "\n"
    settings, rows = found["settings"], found["rows"]
    kinds = zip(found["widths"], found["scales"], strict=True)
    by_kind: dict[str, list[str]] = {}
    for width, scale in kinds:
        by_kind.setdefault(scale, []).append(number(width))
    units = {"standard": "standard deviations", "whiten": "along axes without correlation"}
    widths = [f"{', '.join(some)} {units[scale]}" for scale, some in by_kind.items()]
    widths[-1] += f", combined by {settings['aggregate']}" * (len(found["widths"]) > 1)
    pairs = [
        ("columns", ", ".join(printable(c["name"]) for c in found["columns"])),
        *([("events", hits_text(found["pivot"]))] if found["pivot"] else []),
        ("reference", f"{rows['reference']:,} rows"),
        ("pool", f"{rows['pool']:,} rows" + (f" in {rows['runs']} runs" if rows["runs"] else "")),
        *(("" if k else "widths", text) for k, text in enumerate(widths)),
        (
            "model",
            f"{settings['statistic']} statistic, {settings['fit']}, {rows['centres']} centres",
        ),
        ("toys", f"{settings['draw']}, count {settings['count']}, seed {settings['seed']}"),
        *(
            [("tolerance", f"each toy from one of {rows['runs']} good runs")]
            if rows["runs"]
            else []
        ),
        ("smallest p", number(found["smallest_p_value"])),
        ("digest", found["digest"]),
    ]
    out = [line for label, text in pairs for line in entry(label, text)]
    out += ["", "  toys against the analytic law, all widths"]
    out.append(
        f"  {'events':>8}{'toys':>8}{'mean':>16}{'variance':>16}{'beyond 5 %':>12}{'1 %':>8}"
    )
    for s in found["sizes"]:
        for w in s["widths"]:
            mean = f"{number(w['toy_mean'])}/{number(w['mean'])}"
            variance = f"{number(w['toy_variance'])}/{number(w['variance'])}"
            share = f"{100 * w['beyond_5']:.1f} %", f"{100 * w['beyond_1']:.1f} %"
            line = f"  {s['events']:>8,}{s['toys']:>8,}{mean:>16}{variance:>16}"
            out.append(f"{line}{share[0]:>12}{share[1]:>8}")
    out += [line for w in found["warnings"] for line in entry("warning", w["message"])]
    return "\n".join(out) + "\n"


def hits_text(pivot: Mapping[str, Any]) -> str:
    """How hits become events."""
    order = f"the order of {pivot['order']}" if pivot["order"] else "the order of the file"
    if pivot["channel"]:
        text = f"the first of every {pivot['channel']}"
    else:
        text = f"the first {pivot['hits']}"
    return printable(f"hits by {pivot['event']}, in {order}, {text}")


def selftest(found: Mapping[str, Any], form: str) -> str:
    """Whether a calibration can raise an alarm and keep quiet."""
    if form != "text":
        layout: dict[str, Any] = {"indent": 2} if form == "json" else {"separators": (",", ":")}
        return json.dumps(plain(found), allow_nan=False, **layout) + "\n"
    level = number(found["alpha"])
    quiet = "quiet" if found["good"] > found["alpha"] else f"REJECTED at {level}"
    alarm = "rejected" if found["changed"] <= found["alpha"] else f"NOT REJECTED at {level}"
    out = [
        "PASSED" if found["passed"] else "FAILED",
        f"  good batch   p {number(found['good'])}: {quiet}",
        f"  changed      p {number(found['changed'])}: {alarm}",
        f"  change       {found['change']}, {found['events']:,} events",
    ]
    if found["smallest_p_value"] > found["alpha"]:
        smallest = number(found["smallest_p_value"])
        out.append(
            f"  No p-value of this calibration is below {smallest}: calibrate with more toys or"
        )
        out.append("  runs, or give --alpha as it will be given to check.")
    if found["good"] <= found["alpha"]:
        out.append(
            f"  A good batch is rejected by chance with probability {level}: another --seed of"
        )
        out.append("  calibrate puts another batch aside.")
    return "\n".join(out) + "\n"
