"""Whether the line below the names holds units, and not a row."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kstest.sources.csv_lines import Record, is_missing
from kstest.sources.spellings import is_value

_PREFIX = r"(?:da|[yzafpnuµμmcdhkMGTPE])?"
_SYMBOL = (
    r"(?:m|g|s|A|K|mol|cd|Hz|N|Pa|J|W|C|V|F|Ω|Ohm|ohm|S|Wb|T|H|lm|lx|Bq|Gy|Sv|kat|[lL]|t|eV|eV/c\^?2?"
    r"|bar|Da|u|pc|Jy|cal|mag|arcsec|rad|sr|B|Bit|bit|byte)"
)
_WHOLE = (
    r"(?:min|h|hr|hrs|hours?|d|days?|sec|seconds?|wk|weeks?|mo|months?|yr|years?|deg|degC|degF|degrees?"
    r"|°|°C|°F|deg_C|degree_C|Celsius|Kelvin|ppm|ppb|ppt|psu|PSU|pct|percent|%|‰|counts?|cts|ct|ADU|px"
    r"|pix|pixels?|dex|arcmin|mas|au|AU|ly|erg|dB|dBm|dBZ|kn|kt|knots?|mph|ft|in|lb|lbs|oz|psi|atm"
    r"|mmHg|Torr|torr|hPa|inch|inches|miles?|mi|ha|USD|EUR|GBP|rpm|bpm|cpm|cps|samples?|units?|volts?"
    r"|meters?|metres?|feet|grams?|kmh|UTC|GMT|unitless|dimensionless|1)"
)
_EXPONENT = r"(?:\s?(?:\^|\*\*)?\s?\(?[-+−]?\d{1,2}\)?|[⁻⁺]?[¹²³⁴-⁹]+)?"
_ATOM = rf"(?:{_WHOLE}|{_PREFIX}{_SYMBOL}){_EXPONENT}"
# Not compiled here: few files have words below their names, and `re` keeps what it compiled.
_FORM = r"\[[^\]]*\]|\([^)]*\)|[YyDdHhMmSsT/:. -]{4,30}"  # dd/mm/yyyy hh:mm
_UNIT = rf"\(?{_ATOM}(?:\s?(?:[ .·*/]|\bper\b)\s?\(?{_ATOM}\)?)*\)?"
_NONE = frozenset({"", "-", "--", "none", "None", "1", "text", "string"})


def is_unit(cell: str) -> bool:
    """Whether a cell is a unit of measurement, or something in brackets.

    Example
    -------
    >>> [is_unit(cell) for cell in ("hPa", "m s-1", "[K]", "W/m^2", "bad", "Paris")]
    [True, True, True, True, False, False]
    """
    text = cell.strip()
    return len(text) <= 30 and bool(re.fullmatch(_UNIT, text) or re.fullmatch(_FORM, text))


def no_row(record: Record, below: Sequence[Record]) -> bool:
    """Whether a record below the names is no row: words where all rows have numbers.

    No cell of it is a value or means missing, but for blanks, and one at least stands where all
    rows below hold values.
    """
    if not below or any(len(r.cells) != len(record.cells) for r in below):
        return False
    words = [j for j, cell in enumerate(record.cells) if cell.strip() not in _NONE]
    if not words or any(is_value(record.cells[j]) or is_missing(record.cells[j]) for j in words):
        return False
    return any(_holds_values(j, below) for j in words)


def units_row(record: Record, below: Sequence[Record]) -> bool:
    """Whether such a record surely holds units: all of it that stands where numbers do are some."""
    if not no_row(record, below):
        return False
    cells = [(j, cell) for j, cell in enumerate(record.cells) if cell.strip() not in _NONE]
    return all(
        is_unit(cell) if _holds_values(j, below) else re.fullmatch(_FORM, cell.strip())
        for j, cell in cells
    )


def _holds_values(j: int, rows: Sequence[Record]) -> bool:
    cells = [r.cells[j] for r in rows if not is_missing(r.cells[j])]
    return bool(cells) and all(map(is_value, cells))
