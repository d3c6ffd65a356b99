"""For people: the verdict, then the numbers that carry it, in 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

from ..result import Notice, Result, plain
from ..wording import printable
from . import dqm
from .dependence import combinations, dependence, pairs_table
from .evidence import evidence
from .layout import entry, heading, painted
from .modes import modes
from .sequences import subsequences
from .wording import number

LISTED = 10
# Codes of notices that say why there is no verdict.
WHY = ("too-", "unsound-", "constant-")


def render(result: Result, color: bool = False) -> str:
    title, verdict, sentence = dqm.headline(result)
    head = heading(title, painted(title, verdict, color), sentence)
    rows = (
        *facts(result),
        *_explained(result),
        *modes(result),
        *_drivers(result),
        *dependence(result),
        *subsequences(result),
        *_warnings(result),
    )
    body = [line for label, text in rows for line in entry(label, text)]
    return "\n".join([*head, *body, *pairs_table(result)]) + "\n"


def facts(result: Result) -> Iterator[tuple[str, str]]:
    """The numbers that carry the verdict, each with its label."""
    sequential = "evidence" in result.explanation or "detector" in result.explanation
    if sequential:
        yield from evidence(result)
    elif result.p_value is not None:
        replicates, scheme = result.null.get("replicates"), result.null.get("scheme")
        yield "p-value", f"{number(result.p_value)} at level {number(result.alpha)}"
        times = "" if replicates is None else f"{replicates} x "
        yield "null", f"{times}{scheme}, seed {result.params.get('seed')}"
    tolerance = result.params.get("tolerance")
    if tolerance:
        share = f"{100 * tolerance:.3g} %"
        yield "tolerance", f"rejects only what remains whichever {share} of the rows are corrupt"
    named = "statistic" in result.explanation
    if not sequential and result.statistic is not None and (named or result.threshold is not None):
        yield "statistic", _statistic(result)
    if result.kernel:
        yield "kernel", _kernel(result)
    if result.explanation.get("target"):
        yield "target", str(result.explanation["target"])
    counts = ", ".join(f"{rows:,} {name}" for name, rows in result.n.items())
    dropped = sum(int(i["rows_dropped"]) for i in result.inputs)
    filtered = sum(int(i.get("rows_filtered", 0)) for i in result.inputs)
    apart = f"; {dropped:,} dropped" * (dropped > 0) + f"; {filtered:,} filtered" * (filtered > 0)
    yield "rows", counts + apart
    yield from _masses(result)
    names = ", ".join(printable(c) for c in result.columns[:8])
    more = f", and {len(result.columns) - 8} more" if len(result.columns) > 8 else ""
    yield "columns", f"{names}{more}"
    effect = result.explanation.get("effect")
    if effect:
        low, high = effect["interval"]
        share = f"{100 * effect['confidence']:.3g} %"
        yield (
            "effect",
            f"MMD {number(effect['mmd'])} at the strongest bandwidth, {share} interval "
            f"{number(low)} to {number(high)}",
        )
    if result.method == "dqm":
        yield from dqm.lines(result)


def _masses(result: Result) -> Iterator[tuple[str, str]]:
    """Entries of histograms, or what weights leave of the rows of each side."""
    entries = result.explanation.get("entries")
    if entries:
        yield "entries", ", ".join(f"{k:,} {name}" for name, k in entries.items())
    for place, side in enumerate(result.explanation.get("weights", ())):
        negative = f", {100 * side['negative']:.3g} % negative" if side["negative"] else ""
        yield (
            "" if place else "weights",
            f"{side['effective']:,.1f} effective {side['unit']} in the {side['sample']}, the "
            f"largest holds {100 * side['largest']:.3g} % of the squares{negative}",
        )


def _warnings(result: Result) -> Iterator[tuple[str, str]]:
    for notice in result.warnings:
        yield notice_label(result, notice), notice.message


def notice_label(result: Result, notice: Notice) -> str:
    """Whether a notice says why there is no verdict, or warns."""
    reason = result.verdict == "no verdict" and notice.code.startswith(WHY)
    return "why" if reason else "warning"


def _explained(result: Result) -> Iterator[tuple[str, str]]:
    """Columns, pairs and rows, whatever the test had to say."""
    why = result.explanation
    columns = [plain(c) for c in why.get("columns", ())]
    differing = [c for c in columns if c["adjusted_p_value"] <= result.alpha]
    for place, c in enumerate(differing[:LISTED]):
        words = f", {c['words']}" if c["words"] else ""
        yield (
            "differ in" if place == 0 else "",
            f"{c['column']} (p {number(c['adjusted_p_value'])}){words}",
        )
    if len(differing) > LISTED:
        yield "", f"and {len(differing) - LISTED} more columns"
    elif columns and not differing and result.reject:
        advice = "; try --explain pairs" if len(columns) > 1 and "pairs" not in why else ""
        yield "differ in", f"no column by itself{advice}"
    for place, pair in enumerate(why.get("pairs", ())[:LISTED]):
        names = " and ".join(pair["columns"])
        yield "pairs" if place == 0 else "", f"{names} (p {number(pair['adjusted_p_value'])})"
    for place, row in enumerate(why.get("rows", ())):
        where = f" of {row['file']}" if row["file"] else ""
        yield (
            "rows" if place == 0 else "",
            f"row {row['row']}{where} (witness {number(row['witness'])})",
        )


def _statistic(result: Result) -> str:
    """Its name if the test has several, the value, where it rejects, or the column it is of."""
    text = f"{result.explanation.get('statistic', '')} {number(result.statistic or 0.0)}".strip()
    if result.threshold is not None:
        return f"{text} (rejects above {number(result.threshold)})"
    columns = [plain(c) for c in result.explanation.get("columns", ())]
    return f"{text} in column {columns[0]['column']}" if columns else text


def _drivers(result: Result) -> Iterator[tuple[str, str]]:
    """Shares of the columns, and the place where a density misses the data most."""
    shares = [c for c in result.explanation.get("drivers", ()) if c["share"] >= 0.005]
    if len(result.columns) > 1 and shares:
        listed = ", ".join(f"{printable(c['column'])} {c['share']:.0%}" for c in shares[:5])
        yield "driven by", listed
    asked = str(result.params.get("explain", "")).startswith("places")
    for k, place in enumerate(result.explanation.get("places", ())[: LISTED if asked else 1]):
        yield (
            "" if k else "most at",
            f"row {place['row']}, {printable(place['column'])} = {number(place['value'])}: there "
            f"the target has more of its mass {place['target_has_more']} than the data",
        )


def _kernel(result: Result) -> str:
    text = str(result.kernel["name"])
    if "combinations" in result.kernel:
        return text + combinations(result) + _landmarks(result)
    widths = [h for h in result.kernel["bandwidths"] if h is not None]
    if len(widths) == 1:
        text += f", bandwidth {number(widths[0])}"
    elif widths:
        text += f", {len(widths)} bandwidths {number(min(widths))} to {number(max(widths))}"
    strongest = result.explanation.get("strongest", {})
    if len(result.kernel["bandwidths"]) > 1 and strongest.get("bandwidth") is not None:
        axes = ", along axes without correlation" if strongest.get("scale") == "whiten" else ""
        text += f", strongest at {number(strongest['bandwidth'])}{axes}"
    return text + _landmarks(result)


def _landmarks(result: Result) -> str:
    count = result.kernel.get("landmarks")
    return f"; summed at {count:,} landmark rows" if count else ""
