"""The page: verdict, numbers, warnings, picture and all columns in one file of HTML.

It needs nothing else: no script, no network, styles and image inside. Every text that comes from
files passes `_text`, and a policy forbids browsers to load or run anything whatever happens.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from ..errors import printable
from ..findings import Table
from ..picture import Panel, Picture
from ..report.outline import facts, notice_label, outline, said
from ..result import Result
from .headings import explained, sentence
from .panels import ALPHAS, COLORS

LONGEST, MOST_ALT = 400, 2000
# Up to this many columns are listed openly.
OPEN = 40

MEANINGS = {
    "rejected": "The null hypothesis is rejected at level {alpha}: where it is true, {percent} of "
    "such tests reject.",
    "not rejected": "No evidence was found. That is no proof of the opposite: a difference may be "
    "too small for this many rows.",
    "no verdict": "The test could not decide. Nothing is said about the data either way.",
}

CSS = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --soft: #444; --line: #ddd;
        --warn: #fff8e1; --rejected: #8f1d14; --not: #0b4f6c; --no: #5f4700; }
body { font: 16px/1.45 system-ui, Verdana, Arial, sans-serif; color: var(--ink);
       background: var(--paper); max-width: 800px; margin: 1.5em auto; padding: 0 1em;
       overflow-wrap: anywhere; }
h1 { font-size: 1.5em; margin: 0 0 .3em; padding: .4em .6em; border-left: .4em solid; }
h1 small { font-size: .7em; font-weight: 400; color: var(--ink); }
h1.rejected { color: var(--rejected); } h1.not { color: var(--not); } h1.no { color: var(--no); }
h2, summary { font-size: 1.15em; font-weight: 700; margin: 1.6em 0 .4em; }
ul { margin: .4em 0; padding-left: 1.3em; }
table { border-collapse: collapse; width: 100%; font-size: .88em; }
th, td { text-align: left; vertical-align: top; padding: .25em .6em .25em 0;
         border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
th { font-weight: 600; white-space: nowrap; }
.wide { overflow-x: auto; }
.warning { border-left: .3em solid #c79100; padding: .3em .7em; margin: .5em 0;
           background: var(--warn); }
.strong { font-weight: 600; } .small { font-size: .82em; color: var(--soft); }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(330px, 100%), 1fr));
          gap: 1.2em 1.5em; margin: .8em 0; }
figure { margin: 0; break-inside: avoid; }
figure.whole { grid-column: 1 / -1; overflow-x: auto; } figure.whole svg { min-width: 560px; }
figcaption { font-size: .88em; color: var(--soft); }
.name { font-size: 1.1em; color: var(--ink); }
.name.strong { font-weight: 700; }
.key { display: inline-block; width: .9em; height: .9em; margin-right: .4em; }
svg { width: 100%; height: auto; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e4e4e4; --paper: #161616; --soft: #b4b4b4; --line: #444; --warn: #3a3000;
          --rejected: #ff8a7d; --not: #7cc4e8; --no: #e8c35a; }
  svg, .key { filter: invert(.91) hue-rotate(180deg); } }
@media print { :root { color-scheme: light; } body { margin: 0; max-width: none; }
  .wide { overflow: visible; } .wide td, .wide th { overflow-wrap: anywhere; white-space: normal; }
  .panels { grid-template-columns: 1fr 1fr; } tr { break-inside: avoid; }
  h2 { break-after: avoid; } }
"""


def _meaning(result: Result, percent: str) -> str:
    """What the verdict means; `percent` is how often a true null hypothesis is rejected."""
    notes = (str(note.value) for note in outline(result).notes if note.role == "meaning")
    lines = (text for _, text in said(result, "meaning"))
    general = MEANINGS[result.verdict].format(alpha=f"{result.alpha:g}", percent=percent)
    return [*notes, *lines, general][0]


def page(result: Result, picture: Picture, drawn: Sequence[tuple[Panel, str, bool]]) -> str:
    """Return the page as text.

    Parameters
    ----------
    result : Result
    picture : Picture
    drawn : sequence of (Panel, str, bool)
        Each panel, an SVG document of it, and whether it takes the whole width.
    """
    name, about = next(iter(said(result, "subject")), ("", ""))
    name = f" <small>{_text(name)}</small>" if name else ""
    title = f"{result.verdict.upper()} – {f'{about} – ' if about else ''}kstest {result.method}"
    bound = "at most" if result.null.get("exact") else "about"
    meaning = _meaning(result, f"{bound} {100 * result.alpha:.3g} %")
    sections = [
        f'<h1 class="{result.verdict.split()[0]}">{_text(result.verdict.upper())}{name}</h1>',
        f"<p><strong>{_text(sentence(result))}</strong></p>",
        f"<p>{_text(meaning)}</p>",
        *(
            f'<p class="warning">{notice_label(result, w).capitalize()}: {_text(w.message)}</p>'
            for w in result.warnings
        ),
        *(
            _list("What to do", note.value)
            for note in outline(result).notes
            if note.role == "advice" and note.value
        ),
        _why(picture, drawn),
        "<h2>Numbers</h2>",
        _table((), ((label, text) for label, text in facts(result))),
        _tables(result),
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


def _list(title: str, texts: Sequence[str]) -> str:
    items = "".join(f"<li>{_text(text)}</li>" for text in texts)
    return f"<h2>{title}</h2>\n<ul>{items}</ul>" if texts else ""


def _why(picture: Picture, drawn: Sequence[tuple[Panel, str, bool]]) -> str:
    if not drawn:
        return ""
    keys = [
        f'<div><span class="key" style="background: {color}; opacity: {alpha}"></span>'
        f"{_text(text)}</div>"
        for text, color, alpha in zip(picture.series, COLORS, ALPHAS, strict=False)
    ]
    figures = [_figure(place, *one) for place, one in enumerate(drawn)]
    notes = [f'<p class="small">{_text(text, MOST_ALT)}</p>' for text in explained(picture)]
    parts = [*keys, '<div class="panels">', *figures, "</div>", *notes]
    return "<h2>Picture</h2>\n" + "\n".join(parts)


def _figure(place: int, panel: Panel, image: str, whole: bool) -> str:
    """A panel; the ids of its SVG are made different from those of the others."""
    # The document's own head has no place inside a page.
    svg = re.sub(r"\A.*?(?=<svg\b)", "", image, flags=re.DOTALL)
    own = partial(re.sub, r'(\bid="|href="#|url\(#)', rf"\g<1>p{place}-")
    svg = re.sub(r"<[^>]*>", lambda tag: own(tag[0]), svg)
    # For who cannot see it: what is drawn, with which words.
    alt = _text(f"{panel.title}: {'; '.join(panel.words)}", MOST_ALT)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{alt}" ', 1)
    strong = "name strong" if panel.strong else "name"
    words = "".join(f"<br>{_text(text)}" for text in panel.words)
    title = f'<span class="{strong}">{_text(panel.title)}</span>'
    caption = f"<figcaption>{title}{words}</figcaption>"
    size = ' class="whole"' if whole else ""
    return f"<figure{size}>{caption}\n{svg}</figure>"


def _tables(result: Result) -> str:
    """Every table among the findings."""
    sections = []
    for found in outline(result).tables:
        if isinstance(found, Table) and found.columns:
            table = _table([c.title for c in found.columns], found.rows(), found.strong)
            note = f'<p class="small">{_text(found.note)}</p>' if found.note else ""
            sections.append(_folded(found.title, len(found.value), table + note))
    return "\n".join(sections)


def _inputs(result: Result) -> str:
    keys = ("sample", "path", "rows_read", "rows_used", "rows_dropped", "rows_filtered")
    rows = [
        [f"{i[k]:,}" if isinstance(i[k], int) else str(i[k]) for k in keys] for i in result.inputs
    ]
    head = [k.replace("rows_", "rows ") for k in keys]
    return f'<h2>Data</h2>\n<div class="wide">{_table(head, rows)}</div>' if rows else ""


def _folded(title: str, count: int, content: str) -> str:
    opened = " open" if count <= OPEN else ""
    return f"<details{opened}><summary>{_text(title)} ({count:,})</summary>{content}</details>"


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
