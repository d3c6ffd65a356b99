"""The outline of an answer: what every format for people shows, in its order and in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kstest.frozen import frozen

from ..errors import printable
from ..findings import Facts, Finding, Headline, Line, Note, Pairs, Place, Table, number
from ..result import Answer, Notice, Result

# Columns that are named.
MOST_COLUMNS = 8
# Codes of notices that say why there is no verdict.
WHY = ("too-", "unsound-", "constant-")

Entry = tuple[str, str]


@frozen
class Outline:
    """What there is to show.

    Attributes
    ----------
    headline : Headline or None
    facts : tuple of (label, text)
        The numbers that carry the answer; an empty label continues the entry before.
    reasons : tuple of (label, text)
        What findings say in words.
    warnings : tuple of (label, text)
    notes : tuple of Note
        What the verdict means, and what to do.
    tables : tuple of (Table or Pairs)
        Both have a title, columns with their titles, and rows() of text.
    """

    headline: Headline | None
    facts: tuple[Entry, ...]
    reasons: tuple[Entry, ...]
    warnings: tuple[Entry, ...]
    notes: tuple[Note, ...]
    tables: tuple[Table | Pairs, ...]


def outline(answer: Result | Answer) -> Outline:
    """Return what formats show of a Result or an Answer."""
    return Outline(
        headline(answer),
        tuple(facts(answer)) if isinstance(answer, Result) else (),
        tuple(said(answer, "why")),
        tuple((notice_label(answer, notice), notice.message) for notice in answer.warnings),
        tuple(f for f in answer.findings if isinstance(f, Note) and f.role != "sentence"),
        tuple(f for f in answer.findings if isinstance(f, Table | Pairs) and len(f.value)),
    )


def headline(answer: Result | Answer) -> Headline | None:
    """That of a finding, where it has one, else the verdict and its summary."""
    if isinstance(answer, Answer):
        return answer.headline
    for finding in answer.findings:
        if isinstance(finding, Facts) and finding.headline is not None:
            return finding.headline
    return Headline(answer.verdict.upper(), sentence(answer.findings), answer.verdict)


def sentence(findings: Sequence[Finding]) -> str:
    """What was found, in one sentence without a full stop."""
    notes = (f for f in findings if isinstance(f, Note) and f.role == "sentence")
    return next((str(note.value) for note in notes), "")


def lines(answer: Result | Answer, place: Place) -> list[Line]:
    """What findings say in one place."""
    verdict = answer.verdict if isinstance(answer, Result) else None
    found = (line for finding in answer.findings for line in finding.lines)
    some = [li for li in found if li.place == place and (not li.only or verdict in li.only)]
    return sorted(some, key=lambda line: line.order)


def said(answer: Result | Answer, place: Place) -> list[Entry]:
    """The same as labels and texts."""
    return [(line.label, line.text) for line in lines(answer, place)]


def notice_label(answer: Result | Answer, notice: Notice) -> str:
    """Whether a notice says why there is no verdict, or warns."""
    undecided = isinstance(answer, Result) and answer.verdict == "no verdict"
    return "why" if undecided and notice.code.startswith(WHY) else "warning"


def facts(result: Result) -> Iterator[Entry]:
    """The numbers that carry the verdict, each with its label."""
    sequential = said(result, "evidence")
    if sequential:
        yield from sequential
    elif result.p_value is not None:
        replicates, scheme = result.null.get("replicates"), result.null.get("scheme")
        yield "p-value", f"{number(result.p_value)} at level {number(result.alpha)}"
    yield from said(result, "beside")
    if not sequential and result.p_value is not None:
        times = "" if replicates is None else f"{replicates} x "
        yield "null", f"{times}{scheme}, seed {result.params.get('seed')}"
    tolerance = result.params.get("tolerance")
    if tolerance:
        share = f"{100 * tolerance:.3g} %"
        yield "tolerance", f"rejects only what remains whichever {share} of the rows are corrupt"
    named = said(result, "statistic")
    if not sequential and result.statistic is not None and (named or result.threshold is not None):
        yield "statistic", _statistic(result, named)
    if result.kernel:
        yield "kernel", _kernel(result)
    yield from said(result, "target")
    counts = ", ".join(f"{rows:,} {name}" for name, rows in result.n.items())
    dropped = sum(int(i["rows_dropped"]) for i in result.inputs)
    filtered = sum(int(i.get("rows_filtered", 0)) for i in result.inputs)
    apart = f"; {dropped:,} dropped" * (dropped > 0) + f"; {filtered:,} filtered" * (filtered > 0)
    records = any(f.key == "records" for f in result.findings) or result.params.get("unit")
    yield ("records" if records else "rows"), counts + apart
    yield from said(result, "data")
    names = ", ".join(printable(c) for c in result.columns[:MOST_COLUMNS])
    left = len(result.columns) - MOST_COLUMNS
    yield "columns", f"{names}, and {left} more" if left > 0 else names
    yield from said(result, "numbers")


def _statistic(result: Result, named: Sequence[Entry]) -> str:
    """Its name if the test has several, the value, where it rejects, or the column it is of."""
    name, where = named[0] if named else ("", "")
    text = f"{name} {number(result.statistic or 0.0)}".strip()
    if result.threshold is not None:
        return f"{text} (rejects above {number(result.threshold)})"
    return f"{text} {where}".strip()


def _kernel(result: Result) -> str:
    """Its name and bandwidths, and that at which the statistic stands out most."""
    text, best = str(result.kernel["name"]), "".join(t for _, t in said(result, "kernel"))
    widths = [h for h in result.kernel["bandwidths"] if h is not None]
    combinations = result.kernel.get("combinations")
    several = len(result.kernel["bandwidths"]) > 1
    if combinations == 1:
        text += f", bandwidths {best}" if best else ""
        several = False
    elif combinations is not None:
        text += f", {int(combinations)} combinations of bandwidths"
        several = True
    elif len(widths) == 1:
        text += f", bandwidth {number(widths[0])}"
    elif widths:
        text += f", {len(widths)} bandwidths {number(min(widths))} to {number(max(widths))}"
    if several and best:
        text += f", strongest at {best}"
    marks = result.kernel.get("landmarks")
    return f"{text}; summed at {marks:,} landmark rows" if marks else text
