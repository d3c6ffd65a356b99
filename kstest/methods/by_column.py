"""What tests of each column say: a table of all, and the columns that differ in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import printable
from ..findings import Column, Line, Table, listed, number, plain

LISTED = 10
COLUMNS = (
    Column("column", "column", "<", 20),
    Column("adjusted_p_value", "p, corrected", width=13),
    Column("p_value", "p alone"),
    Column("distance", "distance", "share"),
    Column("words", "what differs", "last"),
)
NOTE = "Bold: differs, with p-values corrected for the number of columns."
DISTANCE = "Distance: the share of rows that would have to change, at least."


def columns_found(
    tests: Sequence[Any], alpha: float, rejected: bool, advice: str = "", all_of_them: bool = False
) -> Table:
    """Return the finding ``columns``.

    Parameters
    ----------
    tests : sequence
        Mappings or dataclasses with ``column``, ``p_value``, ``adjusted_p_value``, ``words`` and
        perhaps ``distance``; the most telling first.
    alpha : float
    rejected : bool
        Whether the test as a whole rejects, so that it is worth a word if no column does.
    advice : str
        What to try then.
    all_of_them : bool
        Whether a text report shows the table, too.
    """
    rows: list[Mapping[str, Any]] = [plain(test) for test in tests]
    differ = [row for row in rows if row["adjusted_p_value"] <= alpha]
    texts = [
        f"{row['column']} (p {number(row['adjusted_p_value'])})"
        + (f", {row['words']}" if row["words"] else "")
        for row in differ[:LISTED]
    ]
    if len(differ) > LISTED:
        texts.append(f"and {len(differ) - LISTED} more columns")
    elif rows and not differ and rejected:
        texts.append(f"no column by itself{advice}")
    measured = all("distance" in row for row in rows)
    return Table(
        "columns",
        tests,
        tuple(c for c in COLUMNS if c.key != "distance" or measured),
        "All columns",
        tuple(listed("differ in", texts)),
        f"{NOTE} {DISTANCE}" if measured else NOTE,
        tuple(row["adjusted_p_value"] <= alpha for row in rows),
        printed="last" if all_of_them else "no",
    )


def drivers(
    rows: Sequence[Mapping[str, Any]], places: Sequence[Mapping[str, Any]], listing: int
) -> tuple[Table, Table]:
    """Shares of the columns in a discrepancy, and the places where a density misses the data most.

    `listing` says of how many places there are words.
    """
    shares = [row for row in rows if row["share"] >= 0.005]
    words: list[Line] = []
    if len(rows) > 1 and shares:
        texts = [f"{printable(row['column'])} {row['share']:.0%}" for row in shares[:5]]
        words.append(Line("driven by", ", ".join(texts)))
    texts = [
        f"row {place['row']}, {printable(place['column'])} = {number(place['value'])}: there "
        f"the target has more of its mass {place['target_has_more']} than the data"
        for place in places[:listing]
    ]
    columns = Column("column", "column"), Column("share", "share", "share")
    where = (
        Column("row", "row", "d"),
        Column("column", "column"),
        Column("value", "value"),
        Column("witness", "witness"),
        Column("target_has_more", "the target has more"),
    )
    return (
        Table("drivers", rows, columns, "Driven by", tuple(words)),
        Table(
            "places",
            places,
            where,
            "Where the density misses most",
            tuple(listed("most at", texts)),
        ),
    )
