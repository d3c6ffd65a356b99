"""Many batches as one answer: whether there is an alarm, a line each, and the rule in force."""

from __future__ import annotations

from collections.abc import Sequence

from ..findings import Column, Facts, Finding, Headline, Line, Table, listed, number
from ..result import Answer, Notice, Result
from .words import alarm_lines, tolerance_text, z_text

NAME = 34
MOST_WARNINGS = 5


def together(results: Sequence[Result]) -> Result | Answer:
    """Return the answer of one run: a batch as any other result, several as a table."""
    if len(results) == 1:
        return results[0]
    last = results[-1].explanation
    lines = listed("alarm now", alarm_lines(last["alarm"]))
    known = (r.explanation["alarm"].get("acknowledged") for r in results)
    lines += listed("ack", [*filter(None, known)][:1])
    if last.get("tolerance"):
        lines.append(Line("tolerance", tolerance_text(last["tolerance"])))
    seen = {n.message: n for r in results for n in r.warnings}
    notices = list(seen.values())[:MOST_WARNINGS]
    if len(seen) > MOST_WARNINGS:
        text = f"and {len(seen) - MOST_WARNINGS:,} more warnings; --format json has all"
        notices.append(Notice("", text))
    findings: tuple[Finding, ...] = (_table(results), Facts("alarm", last["alarm"], tuple(lines)))
    return Answer(findings, _headline(results), tuple(notices), tuple(results))


def _table(results: Sequence[Result]) -> Table:
    used = any(_unused(result) for result in results)
    records = all("records" in result.explanation for result in results)
    columns = (
        Column("batch", "batch", "<", NAME - 8 * used),
        Column("events", "records" if records else "events", width=8),
        *((Column("judged", "judged", width=8),) if used else ()),
        Column("p", "p", width=10),
        Column("z", "z", width=7),
        Column("verdict", "verdict", "last"),
    )
    cells = []
    for result in results:
        why, p = result.explanation, result.p_value
        alarm = "  alarm" if why["alarm"]["alarm"] else ""
        cells.append(
            (
                str(why["batch"]),
                result.n["batch"],
                *((why.get("events_used", 0),) if used else ()),
                "" if p is None else number(p),
                "" if p is None else z_text(why["z"], "< -8"),
                f"{result.verdict}{alarm}",
            )
        )
    rows = [result.explanation["batch"] for result in results]
    strong = tuple(bool(result.explanation["alarm"]["alarm"]) for result in results)
    return Table("batches", rows, columns, strong=strong, cells=tuple(cells), printed="first")


def _unused(result: Result) -> bool:
    """Whether events of a batch were not judged; none are where there is no verdict."""
    return bool(result.explanation.get("events_used", 0) != result.n["batch"])


def _headline(results: Sequence[Result]) -> Headline:
    """The exit code says the same."""
    alarms = sum(bool(r.explanation["alarm"]["alarm"]) for r in results)
    rejected = sum(bool(r.reject) for r in results)
    unsure = sum(r.verdict == "no verdict" for r in results)
    parts = [f"{len(results):,} batches, {rejected:,} rejected, {alarms:,} with an alarm"]
    parts += [f"{unsure:,} without a verdict"] * (unsure > 0)
    if alarms:
        standing = results[-1].explanation["alarm"]["alarm"]
        parts += ["it stands after the last one" if standing else "it has cleared by the last one"]
        known = any(r.explanation["alarm"].get("acknowledged") for r in results)
        title = "ACKNOWLEDGED ALARM" if known else "ALARM"
        return Headline(title, ", ".join(parts), "rejected")
    if unsure:
        return Headline("NO VERDICT", ", ".join(parts), "no verdict")
    return Headline("NO ALARM", ", ".join(parts), "not rejected")
