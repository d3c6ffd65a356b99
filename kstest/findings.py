"""Findings: what an answer says besides its numbers, as a small closed family of typed values.

A `Note` is a sentence, `Facts` are values, a `Table` has rows and named columns, `Pairs` are
p-values of all pairs of columns. Each has the key under which `Result.explanation` and the JSON
object hold its `value`, and `lines`: what there is to say of it in words. A test makes findings at
the end of its run; formats, pages and plots render them by their kind and know no test.

What is drawn is in `kstest.picture`, since a picture needs the data and findings do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal

from kstest.frozen import frozen

Verdict = Literal["rejected", "not rejected", "no verdict"]

# Where a line stands: in place of the p-value; after it; as the bandwidth of the kernel; as the
# name of the statistic; before the rows; after the rows; after the columns; among the reasons; on
# pages, what it is about; and in place of what the verdict means.
Place = Literal[
    "evidence", "beside", "kernel", "statistic", "target", "data", "numbers", "why", "subject",
    "meaning",
]  # fmt: skip


@frozen
class Line:
    """A sentence with its label.

    Attributes
    ----------
    label : str
        Empty where the line continues the one before.
    text : str
    place : str
    order : int
        Lines of one place come in this order, then in that of the findings.
    only : tuple of str
        The verdicts with which it is true; empty for any.
    """

    label: str
    text: str
    place: Place = "why"
    order: int = 0
    only: tuple[Verdict, ...] = ()


@frozen
class Headline:
    """The first words of an answer; `verdict` gives the colour."""

    title: str
    sentence: str = ""
    verdict: Verdict | None = None


@frozen
class Column:
    """A column of a table.

    Attributes
    ----------
    key : str
        Of the rows of the table's value.
    title : str
        With the unit, if there is one.
    form : str
        Format of its numbers, such as ``.3f``, or ``share`` for percent; by default 4 digits.
    width : int
        Characters, in text.
    """

    key: str
    title: str
    form: str = ""
    width: int = 10


@frozen
class Note:
    """A sentence, or several.

    Attributes
    ----------
    key : str
    value : str or sequence of str
    role : {'sentence', 'meaning', 'advice'}
        What was found, what the verdict means, or what to do.
    """

    key: str
    value: str | Sequence[str]
    role: Literal["sentence", "meaning", "advice"] = "sentence"
    lines: tuple[Line, ...] = ()

    def to_json(self) -> Any:
        return plain(self.value)


@frozen
class Facts:
    """A value, or several by name; with a `headline` it takes the place of the verdict's."""

    key: str
    value: Any
    lines: tuple[Line, ...] = ()
    headline: Headline | None = None

    def to_json(self) -> Any:
        return plain(self.value)


@frozen
class Table:
    """Rows, the most telling first.

    Attributes
    ----------
    key : str
    value : sequence
        The rows, mappings or dataclasses.
    columns : tuple of Column
        Those to be shown.
    title, note : str
    strong : tuple of bool
        Rows that stand out.
    cells : tuple of tuple, or None
        What is shown, where that is not in the rows as they are.
    printed : {'no', 'first', 'middle', 'last'}
        Whether a text report shows the table, before all lines, before or after the warnings, or
        only its lines.
    """

    key: str
    value: Any
    columns: tuple[Column, ...] = ()
    title: str = ""
    lines: tuple[Line, ...] = ()
    note: str = ""
    strong: tuple[bool, ...] = ()
    cells: tuple[tuple[Any, ...], ...] | None = None
    printed: Literal["no", "first", "middle", "last"] = "no"

    def rows(self) -> list[list[str]]:
        """The cells as text."""
        if self.cells is not None:
            rows = [list(row) for row in self.cells]
        else:
            rows = [[row.get(c.key) for c in self.columns] for row in plain(self.value)]
        return [
            [shown(cell, c.form) for cell, c in zip(row, self.columns, strict=True)] for row in rows
        ]

    def to_json(self) -> Any:
        return plain(self.value)


@frozen
class Pairs:
    """p-values of all pairs of columns.

    Attributes
    ----------
    key : str
    value : sequence of mapping
        ``x``, ``y``, ``adjusted_p_value`` and ``reject`` (None for no verdict) of every pair.
    correction : str
        By what p-values are corrected, in words.
    words : tuple of str
        Of every pair.
    ranks : tuple of float
        Rejected pairs are listed from the smallest on.
    """

    key: str
    value: Sequence[Mapping[str, Any]]
    correction: str
    words: tuple[str, ...]
    ranks: tuple[float, ...]
    lines: tuple[Line, ...] = ()

    title = "Pairs of columns"
    columns = (
        Column("x", "x"),
        Column("y", "y"),
        Column("adjusted_p_value", "p, corrected"),
        Column("reject", "dependent"),
        Column("words", ""),
    )

    def rows(self) -> list[list[str]]:
        """The cells as text, in the order of the ranks."""
        return [
            [p["x"], p["y"], shown(p["adjusted_p_value"]), shown(p["reject"]) or "no verdict", word]
            for _, p, word in sorted(
                zip(self.ranks, self.value, self.words, strict=True), key=lambda found: found[0]
            )
        ]

    def to_json(self) -> Any:
        return plain(self.value)


Finding = Note | Facts | Table | Pairs


def reworded(finding: Finding, change: Callable[[str], str]) -> Finding:
    """Return the finding with its sentences, labels and titles changed; its values stay."""
    lines = tuple(replace(li, label=change(li.label), text=change(li.text)) for li in finding.lines)
    if isinstance(finding, Note):
        texts = finding.value
        value = change(texts) if isinstance(texts, str) else [change(text) for text in texts]
        return replace(finding, value=value, lines=lines)
    if isinstance(finding, Table):
        columns = tuple(replace(c, title=change(c.title)) for c in finding.columns)
        title, note = change(finding.title), change(finding.note)
        return replace(finding, columns=columns, title=title, note=note, lines=lines)
    if isinstance(finding, Facts) and finding.headline is not None:
        head = replace(finding.headline, sentence=change(finding.headline.sentence))
        return replace(finding, lines=lines, headline=head)
    return replace(finding, lines=lines)


def summary(text: str) -> Note:
    """What was found, in a sentence."""
    return Note("summary", text)


def target(name: str) -> Facts:
    """The density, counts or model that data are compared with."""
    return Facts("target", name, (Line("target", str(name), "target"),) if name else ())


def by_bandwidth(rows: Sequence[Mapping[str, Any]], best: int, measure: str) -> tuple[Finding, ...]:
    """The statistic of every kernel and bandwidth, and the one that stands out most.

    Parameters
    ----------
    rows : sequence of mapping
        ``bandwidth`` (or ``bandwidths``, one for each block of columns), the statistic, and others.
    best : int
    measure : str
        Key of the statistic.
    """
    strongest = rows[best]
    widths = strongest.get("bandwidths", [strongest.get("bandwidth")])
    text = " and ".join(number(h) for h in widths if h is not None)
    if strongest.get("sees") == "residual":
        text += ", of what the covariates leave"
    if strongest.get("scale") == "whiten":
        text += ", along whitened axes"
    titles = {"kernel": "kernel", "sees": "sees", "bandwidth": "bandwidth",
              "bandwidths": "bandwidths", "scale": "units", measure: measure,
              "analytic_p_value": "p, analytic", "z": "z"}  # fmt: skip
    columns = tuple(Column(key, title) for key, title in titles.items() if key in strongest)
    return (
        Facts("strongest", strongest, (Line("kernel", text, "kernel"),) if text else ()),
        Table("kernels", rows, columns, "Kernels and bandwidths"),
    )


def listed(label: str, texts: Sequence[str], place: Place = "why", order: int = 0) -> list[Line]:
    """Lines under one label."""
    return [Line("" if k else label, text, place, order) for k, text in enumerate(texts)]


def joined(findings: Sequence[Finding], more: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings with more of them: one of a key that is there takes the place of the other."""
    found = {f.key: f for f in findings} | {f.key: f for f in more}
    return tuple(found.values())


def number(value: float) -> str:
    """How numbers appear in reports."""
    return f"{value:.4g}"


def shown(value: Any, form: str = "") -> str:
    """A cell of a table as text."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        if form == "share":
            return f"{100 * value + 0.0:.3g} %"  # never -0
        form = form or ("," if isinstance(value, int) else ".4g")
        return format(value, form)
    if isinstance(value, Mapping):
        return ", ".join(f"{k} = {shown(v)}" for k, v in value.items())
    return " and ".join(shown(v) for v in value if v is not None)


def plain(value: Any) -> Any:
    """Reduce `value` to what JSON can say: mappings, lists, strings, finite numbers, None."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, without importing NumPy
        return plain(value.tolist())
    return [plain(v) for v in value]
