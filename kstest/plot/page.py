"""The page: verdict, numbers, warnings, picture and all columns in one file of HTML.

It needs nothing else: no script, no network, styles and image inside. Every text that comes from
files passes `_text`, and a policy forbids browsers to load or run anything whatever happens.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

from ..picture import Picture
from ..report.text import facts
from ..report.wording import number
from ..result import Result, plain
from ..sources.wording import printable
from .headings import sentence

LONGEST, MOST_ALT = 400, 2000
# Up to this many columns are listed openly.
OPEN = 40

MEANINGS = {
    "rejected": "The null hypothesis is rejected at level {alpha}: where it is true, {percent} of "
    "such tests reject.",
    "alarm": "An alarm was raised. While nothing changes, alarms are {threshold} {unit} apart or "
    "more, on average.",
    "not rejected": "No evidence was found. That is no proof of the opposite: a difference may be "
    "too small for this many rows.",
    "no verdict": "The test could not decide. Nothing is said about the data either way.",
}

CSS = """
body { font: 16px/1.45 system-ui, Verdana, Arial, sans-serif; color: #1a1a1a; background: #fff;
       max-width: 800px; margin: 1.5em auto; padding: 0 1em; }
h1 { font-size: 1.5em; margin: 0 0 .3em; padding: .4em .6em; border-left: .4em solid; }
h1.rejected { color: #8f1d14; } h1.not { color: #0b4f6c; } h1.no { color: #5f4700; }
h2 { font-size: 1.15em; margin: 1.6em 0 .4em; }
table { border-collapse: collapse; width: 100%; font-size: .88em; }
th, td { text-align: left; vertical-align: top; padding: .25em .6em .25em 0;
         border-bottom: 1px solid #ddd; overflow-wrap: anywhere; }
th { font-weight: 600; white-space: nowrap; }
.warning { border-left: .3em solid #c79100; padding: .3em .7em; margin: .5em 0;
           background: #fff8e1; overflow-wrap: anywhere; }
.strong { font-weight: 600; } .small { font-size: .82em; color: #444; }
svg { width: 100%; height: auto; }
"""


def page(result: Result, picture: Picture, image: str) -> str:
    """Return the page as text; `image` is an SVG document, or empty."""
    about = result.explanation.get("batch")
    title = f"{result.verdict.upper()} – {f'{about} – ' if about else ''}kstest {result.method}"
    bound = "at most" if result.null.get("exact") else "about"
    percent = f"{bound} {100 * result.alpha:.3g} %"
    meaning = MEANINGS[result.verdict].format(alpha=f"{result.alpha:g}", percent=percent)
    detector = result.explanation.get("detector")
    if detector and result.verdict == "rejected":
        rare = f"{detector['threshold']:,}"
        meaning = MEANINGS["alarm"].format(threshold=rare, unit=detector["unit"])
    label = "Why" if result.verdict == "no verdict" else "Warning"
    sections = [
        f'<h1 class="{result.verdict.split()[0]}">{_text(result.verdict.upper())}</h1>',
        f"<p><strong>{_text(sentence(result))}</strong></p>",
        f"<p>{_text(meaning)}</p>",
        *(f'<p class="warning">{label}: {_text(w.message)}</p>' for w in result.warnings),
        "<h2>Numbers</h2>",
        _table((), ((label, text) for label, text in facts(result))),
        _why(picture, image),
        _columns(result),
        _pairs(result),
        _rows(result),
        _inputs(result),
        f'<p class="small">kstest {_text(str(result.provenance.get("kstest", "")))}, test '
        f"{_text(result.method)}, seed {_text(str(result.params.get('seed')))}.</p>",
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_text(title)}</title>",
            f"<style>{CSS}</style></head>",
            "<body>",
            *filter(None, sections),
            "</body></html>\n",
        ]
    )


def _why(picture: Picture, image: str) -> str:
    if not image:
        return ""
    # The document's own head has no place inside a page.
    svg = re.sub(r"\A.*?(?=<svg\b)", "", image, flags=re.DOTALL)
    # For who cannot see it: what is drawn, and of which columns with which words.
    said = [f"{panel.title}: {'; '.join(panel.words)}" for panel in picture.panels]
    alt = ". ".join(["What drives the verdict", *picture.series, *said])
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{_text(alt, MOST_ALT)}" ', 1)
    return f"<h2>Picture</h2>\n{svg}"


def _columns(result: Result) -> str:
    tests = [plain(c) for c in result.explanation.get("columns", ())]
    if not tests:
        return ""
    rows = [
        (c["column"], number(c["adjusted_p_value"]), number(c["p_value"]),
         f"{100 * c['distance']:.3g} %", c["words"])
        for c in tests
    ]  # fmt: skip
    strong = [c["adjusted_p_value"] <= result.alpha for c in tests]
    head = ("column", "p, corrected", "p alone", "distance", "what differs")
    note = (
        '<p class="small">Bold: differs, with p-values corrected for the number of columns. '
        "Distance: the share of rows that would have to change, at least.</p>"
    )
    return _folded("All columns", len(rows), _table(head, rows, strong) + note)


def _pairs(result: Result) -> str:
    pairs = result.explanation.get("pairs", ())
    rows = [
        (" and ".join(p["columns"]), number(p["adjusted_p_value"]), number(p["p_value"]))
        for p in pairs
    ]
    strong = [p["adjusted_p_value"] <= result.alpha for p in pairs]
    head = ("columns", "p, corrected", "p alone")
    return _folded("Pairs of columns", len(rows), _table(head, rows, strong)) if rows else ""


def _rows(result: Result) -> str:
    rows = [
        (str(r["row"]), r["file"] or "", number(r["witness"]))
        for r in result.explanation.get("rows", ())
    ]
    head = ("row", "file", "witness")
    return _folded("Strangest rows", len(rows), _table(head, rows)) if rows else ""


def _inputs(result: Result) -> str:
    keys = ("sample", "path", "rows_read", "rows_used", "rows_dropped", "rows_filtered")
    rows = [
        [f"{i[k]:,}" if isinstance(i[k], int) else str(i[k]) for k in keys] for i in result.inputs
    ]
    head = [k.replace("rows_", "rows ") for k in keys]
    return f"<h2>Data</h2>\n{_table(head, rows)}" if rows else ""


def _folded(title: str, count: int, content: str) -> str:
    opened = " open" if count <= OPEN else ""
    summary = f"<summary>{_text(title)} ({count:,})</summary>"
    return f"<h2>{_text(title)}</h2>\n<details{opened}>{summary}{content}</details>"


def _table(
    head: Sequence[str], rows: Iterable[Sequence[str]], strong: Sequence[bool] | None = None
) -> str:
    """A table; without a head the first cell of every row is its label."""
    lines = []
    if head:
        lines.append("<tr>" + "".join(f"<th>{_text(x)}</th>" for x in head) + "</tr>")
    for place, row in enumerate(rows):
        tag = "td" if head else "th"
        bold = ' class="strong"' if strong and strong[place] else ""
        cells = f"<{tag}>{_text(row[0])}</{tag}>" + "".join(f"<td>{_text(x)}</td>" for x in row[1:])
        lines.append(f"<tr{bold}>{cells}</tr>")
    return "<table>" + "\n".join(lines) + "</table>"


def _text(value: Any, longest: int = LONGEST) -> str:
    """Text from anywhere: control characters shown, long text cut, HTML taken for text."""
    text = printable(str(value))
    return html.escape(text if len(text) <= longest else text[:longest] + "…")
