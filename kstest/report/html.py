"""An answer as a page of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..findings import Note, Pairs, Table, shown
from ..result import Answer, Result
from .outline import Outline, outline, said
from .pages import rendered

MEANINGS = {
    "rejected": "The null hypothesis is rejected at level {alpha}: where it is true, {percent} of "
    "such tests reject.",
    "not rejected": "No evidence was found. That is no proof of the opposite: a difference may be "
    "too small for this many rows.",
    "no verdict": "The test could not decide. Nothing is said about the data either way.",
}
INPUTS = ("sample", "path", "rows_read", "rows_used", "rows_dropped", "rows_filtered")


def render(answer: Result | Answer, color: bool = False) -> str:
    return page(answer)


def page(answer: Result | Answer, pictures: Any = None) -> str:
    """Return the page as text.

    Parameters
    ----------
    answer : Result or Answer
    pictures : dict, optional
        As `kstest.plot.page.shown` makes them.
    """
    return rendered("answer.html", pictures=pictures, **values(answer))


def core(answer: Result | Answer) -> str:
    """Return what a notebook shows: the report without a page around it, without a script."""
    return rendered("core.html", **values(answer))


def values(answer: Result | Answer) -> dict[str, Any]:
    """What the template of an answer names."""
    shape = outline(answer)
    name, about = next(iter(said(answer, "subject")), ("", ""))
    head = shape.headline
    title = "" if head is None else head.title
    titled = [title, about, *([f"kstest {answer.method}"] if isinstance(answer, Result) else [])]
    sentence = "" if head is None else head.sentence
    return {
        "title": " – ".join(filter(None, titled)) or "kstest",
        "subject": name,
        "headline": {
            "title": title or "kstest",
            "verdict": None if head is None else head.verdict,
            "sentence": sentence[:1].upper() + sentence[1:] + "." * bool(sentence),
        },
        "meaning": _meaning(answer, shape),
        "warnings": shape.warnings,
        "advice": [t for n in shape.notes if n.role == "advice" for t in _texts(n)],
        "entries": (*shape.facts, *shape.reasons),
        "tables": [_table(t) for t in shape.tables if isinstance(t, Pairs) or t.columns],
        "inputs": _inputs(answer),
        "made": _made(answer),
    }


def _texts(note: Note) -> Sequence[str]:
    return [note.value] if isinstance(note.value, str) else note.value


def _meaning(answer: Result | Answer, shape: Outline) -> list[str]:
    """What the verdict means, in the words of the test or, without, in general ones."""
    notes = [str(note.value) for note in shape.notes if note.role == "meaning"]
    own = [*notes, *(text for _, text in said(answer, "meaning"))]
    if own or not isinstance(answer, Result):
        return own[:1]
    bound = "at most" if answer.null.get("exact") else "about"
    percent = f"{bound} {100 * answer.alpha:.3g} %"
    return [MEANINGS[answer.verdict].format(alpha=f"{answer.alpha:g}", percent=percent)]


def _table(found: Table | Pairs) -> dict[str, Any]:
    if isinstance(found, Table):
        columns = found.columns
        return {
            "title": found.title,
            "head": [c.title for c in columns],
            "rows": found.rows(),
            "strong": found.strong,
            "note": found.note,
        }
    keys = ("x", "y", "adjusted_p_value", "reject")
    rows = [
        [*(shown(pair[k]) for k in keys[:3]), shown(pair["reject"]) or "no verdict", words]
        for pair, words in zip(found.value, found.words, strict=True)
    ]
    order = sorted(range(len(rows)), key=lambda k: found.ranks[k])
    return {
        "title": "Pairs of columns",
        "head": ["x", "y", "p, corrected", "dependent", ""],
        "rows": [rows[k] for k in order],
        "strong": [bool(found.value[k]["reject"]) for k in order],
        "note": f"p-values after {found.correction}",
    }


def _inputs(answer: Result | Answer) -> dict[str, Any]:
    inputs = answer.inputs if isinstance(answer, Result) else ()
    return {
        "head": [key.replace("rows_", "rows ") for key in INPUTS],
        "rows": [[shown(i.get(key)) for key in INPUTS] for i in inputs],
    }


def _made(answer: Result | Answer) -> list[tuple[str, str]]:
    """When and by what."""
    if not isinstance(answer, Result):
        parts = answer.parts
        return _made(parts[0]) if parts else [("made by", "kstest")]
    about = answer.provenance
    found = [("kstest", str(about.get("kstest", ""))), ("test", answer.method)]
    found.append(("seed", str(answer.params.get("seed"))))
    if about.get("started"):
        found.append(("made", f"{str(about['started'])[:16].replace('T', ' ')} UTC"))
    return found
