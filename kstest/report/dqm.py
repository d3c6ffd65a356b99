"""Data quality monitoring as text: a batch, many batches, a calibration."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..result import Result, plain
from ..sources.wording import printable
from .wording import number

NAME = 34


def lines(result: Result) -> Iterator[tuple[str, str]]:
    """What a result of dqm has besides the facts of every result."""
    why = result.explanation
    if "z" in why:
        yield (
            "evidence",
            f"z {_z(why['z'])}; by the analytic law p {number(why['analytic_p_value'])}"
            + (f", z {_z(why['analytic_z'])}" if why["analytic_p_value"] < 1 else ""),
        )
        if why["events_used"] != result.n["batch"]:
            used = f"{why['events_used']:,} of {result.n['batch']:,} events"
            yield "used", f"{used}, a size that was calibrated"
    alarm = why.get("alarm")
    if alarm:
        yield "alarm", alarm_text(alarm)
    made = why.get("calibrated")
    if made:
        yield "calibrated", calibrated_text(made)
    rate = why.get("rate")
    if rate:
        yield "rate", rate_text(rate)
    for place, column in enumerate(map(plain, why.get("ranking", ()))):
        text = f"{printable(column['column'])}: {column['words']}"
        yield "driven by" if place == 0 else "", f"{text} ({_evidence(column)})"
    for place, event in enumerate(why.get("events", ())[:5]):
        yield (
            "events" if place == 0 else "",
            f"row {event['row']}, {number(event['ratio'])} times as dense as in the reference",
        )


def calibrated_text(made: Mapping[str, Any]) -> str:
    """When and with which reference."""
    paths = [printable(i["path"]) for i in made["inputs"] if i["sample"] == "reference"]
    shown = ", ".join(paths[:3]) + ", ..." * (len(paths) > 3)
    return f"{made['started'][:16].replace('T', ' ')} UTC, reference {shown}"


def _z(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "below -8"


def _evidence(column: Mapping[str, Any]) -> str:
    if column["t_without"] is None:
        return "the only column"
    return f"t {number(column['t'])}, without it {number(column['t_without'])}"


def alarm_text(alarm: Mapping[str, Any]) -> str:
    text = f"{'YES' if alarm['alarm'] else 'no'} ({alarm['rule']})"
    if "level" in alarm:
        return f"{text}, level {number(alarm['level'])}"
    per_day = alarm["false_alarms_per_day"]
    if per_day is not None:
        return f"{text}; {number(per_day)} false alarms a day expected"
    return f"{text}; one false alarm in {1 / alarm['false_alarms_per_batch']:,.0f} batches expected"


def rate_text(rate: Mapping[str, Any]) -> str:
    text = f"{rate['events']:,} events"
    if rate["tested"]:
        text += f" where {number(rate['expected'])} are expected (z {rate['z']:+.2f})"
    return f"{text}; {rate['sentence']}"


def table(results: Sequence[Result]) -> str:
    """Many batches, a line each, then how many of them alarmed."""
    out = [f"{'batch':<{NAME}}{'events':>8}{'p':>10}{'z':>7}  verdict"]
    for r in results:
        why = r.explanation
        label = printable(str(why["batch"]))
        label = label if len(label) < NAME else "…" + label[-(NAME - 2) :]
        p, z = (number(r.p_value), _z(why["z"])) if r.p_value is not None else ("", "")
        alarm = "  ALARM" if why["alarm"]["alarm"] else ""
        out.append(f"{label:<{NAME}}{r.n['batch']:>8,}{p:>10}{z:>7}  {r.verdict}{alarm}")
    alarms = sum(r.explanation["alarm"]["alarm"] for r in results)
    rejected = sum(bool(r.reject) for r in results)
    last = results[-1].explanation["alarm"]
    out += ["", f"{len(results):,} batches, {rejected:,} rejected, {alarms:,} with an alarm"]
    out.append(f"alarm now: {alarm_text(last)}")
    seen = dict.fromkeys(n.message for r in results for n in r.warnings)
    out += [f"warning: {printable(message)}" for message in list(seen)[:5]]
    return "\n".join(out) + "\n"


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
        ("smallest p", number(found["smallest_p_value"])),
    ]
    out = [f"  {label:<12}{text}" for label, text in pairs]
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
    out += [f"  warning: {printable(w['message'])}" for w in found["warnings"]]
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
    if found["good"] <= found["alpha"]:
        out.append(
            f"  A good batch is rejected by chance with probability {level}: another --seed of"
        )
        out.append("  calibrate puts another batch aside.")
    return "\n".join(out) + "\n"
