"""Numbers that are written in a way we do not read, told by their cells.

Such a column would count as text: every row a category of its own, and no test sees anything.
`named_spelling` says what the spelling is and what reads it. Not here: what becomes of the column
(`categories`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache

from kstest.frozen import frozen

_BLANK = " \u00a0\u202f\u2009\u2007"  # plain, no-break, narrow, thin, as wide as a digit
_MINUS = "−–—﹣－"
_NUM = r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?"
_BARE = r"(?:\d+\.?\d*|\.\d+)"
_MONEY = r"(?:[$€£¥₹₽₩฿¢]|USD|EUR|GBP|JPY|CHF|CNY|INR|AUD|CAD|US\$|C\$|A\$|R\$)"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?"
_OUTER = r"[\s\u00a0\u202f\u2009\ufeff\u200b]*"
_VULGAR = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"

PLAIN = re.compile(
    r"\s*[+-]?((\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|inf|infinity)\s*", re.ASCII | re.IGNORECASE
)
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d.*|\d\d:\d\d(?::\d\d.*)?", re.ASCII | re.DOTALL)


def is_number(cell: str) -> bool:
    """Whether a cell is a number in the plain form."""
    return PLAIN.fullmatch(cell) is not None


def is_value(cell: str) -> bool:
    """Whether a cell is a number in some form, a date or a time: nothing that a name would be."""
    text = cell.strip()
    return bool(is_number(text) or _TIME.fullmatch(text) or is_number(text.replace(",", "")))


@frozen
class Spelling:
    """A way to write numbers.

    Attributes
    ----------
    words : str
        What it is called.
    advice : str
        What reads it, or what to do.
    pattern : str
        Regular expression of a whole cell without outer blanks.
    share : float
        Of the cells, at least, that are so; the others are plain numbers. Thousands and minus signs
        do not occur in every number.
    """

    words: str
    advice: str
    pattern: str
    share: float = 0.5

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """Match a whole cell; patterns are compiled when they are used first."""
        return _compiled(self.pattern).fullmatch(text)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_SOME = 0.05
_CAST = "convert the column to numbers before it is written"
_THOUSANDS = (
    rf"[+\-−]?{_MONEY}?\s?(?:\d{{1,3}}(?:(?:,\d{{3}})+|(?:['’`]\d{{3}})+|(?:_\d{{3}})+"
    rf"|(?:[{_BLANK}]\d{{3}})+)(?:[.,]\d*)?"  # 1,234.5 1'234.5 1_234 1 234,5
    r"|\d{1,3}(?:\.\d{3})+,\d*|\d{1,3}(?:\.\d{3}){2,}"  # 1.234,5 1.234.567
    rf"|\d{{1,2}}(?:,\d{{2}})+,\d{{3}}(?:\.\d*)?)\s?(?:%|{_MONEY})?"  # 12,34,567
)
_DATES = (
    r"(?:(?:\d{4}([./\-])\d{1,2}\1\d{1,2}|\d{1,2}([./\-])\d{1,2}\2(?:\d{4}|\d\d))(?:[T ,].*)?"
    rf"|{_WEEKDAY}\d{{1,2}}[\s\-./]*{_MONTH}[\s\-./,]*\d{{2,4}}(?:[ ,:].*)?"
    rf"|{_WEEKDAY}{_MONTH}\s+\d{{1,2}}(?:,|\s).*"
    r"|\d{8}T\d{4,6}(?:\.\d*)?Z?|\d{1,2}(?::\d\d){0,2}(?:\.\d*)?\s*[ap]\.?m\.?)"
)
_DURATIONS = (
    r"(?:[+-]?(?:\d+\s*(?:d|days?),?\s*)?\d+(?::[0-5]?\d){1,3}(?:[.,]\d*)?"
    r"|[+-]?P(?:\d+[YMWD])*(?:T(?:\d+(?:\.\d*)?[HMS])+)?"
    r"|(?:\d+(?:\.\d*)?\s*(?:d|h|min|m|s|ms|us|ns)\s*){2,})"
)
_DEGREES = (
    r"[+-]?\d+\s*[°d:]\s*\d+(?:\.\d*)?\s*['′m:]\s*"
    r"(?:\d+(?:\.\d*)?\s*(?:\"|''|″|s)?)?\s*[NSEWO]?"
)
# The first that matches a cell names it, so the particular ones come first.
SPELLINGS: tuple[Spelling, ...] = (
    Spelling(
        "numbers with thousands separators",
        "take the separators out (1,234.5 is 1234.5), or name them in --thousands (CSV)",
        _THOUSANDS,
        _SOME,
    ),
    Spelling(
        "Fortran numbers",
        "write E for the D, 1.2E+01 for 1.2D+01",
        rf"[+-]?{_BARE}(?:[dq][+-]?\d+|[+-]\d{{3}})",
    ),
    Spelling(
        "numbers inside the name of a type",
        "write the numbers, not their representation",
        rf"[a-z_][\w.]*\(\s*['\"]?{_NUM}['\"]?(?:\s*,[^)]*)?\s*\)",
    ),
    Spelling("percentages", "take the percent sign out", rf"{_NUM}\s*[%‰]"),
    Spelling(
        "amounts of money",
        "take the currency out",
        rf"(?:[+\-−(]?\s*{_MONEY}\s*{_NUM}\)?|{_NUM}\s*{_MONEY})",
    ),
    Spelling("decimal commas", "say --decimal ,", r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?", _SOME),
    Spelling("hexadecimal numbers", _CAST, r"[+-]?0x[0-9a-f]+(?:\.[0-9a-f]*)?(?:p[+-]?\d+)?"),
    Spelling("binary or octal numbers", _CAST, r"[+-]?0[bo][0-7]+"),
    Spelling(
        "numbers in brackets",
        "take the brackets out (if they mean a minus sign, write it)",
        rf"[(\[{{<]\s*{_NUM}\s*[)\]}}>]",
        _SOME,
    ),
    Spelling(
        "lists of numbers",
        "write a column for every number",
        rf"[(\[{{]\s*{_NUM}(?:(?:\s*[,;]\s*|\s+){_NUM})+\s*,?\s*[)\]}}]",
    ),
    Spelling(
        "numbers in quotes of their own",
        "take the inner quotes out",
        rf"['\"‘’“”`]+\s*{_NUM}\s*['\"‘’“”`]*",
    ),
    Spelling(
        "numbers with a minus sign that is no hyphen",
        "write - for it",
        rf"[{_MINUS}]\s*[\d.,]+(?:[eE][+\-−]?\d+)?|[+-]?[\d.,]+[eE][{_MINUS}]\d+",
        _SOME,
    ),
    Spelling(
        "numbers whose sign stands apart",
        "write the sign in front of the number",
        rf"{_NUM}\s?[+\-−]|[+\-−]\s+{_NUM}",
        _SOME,
    ),
    Spelling(
        "numbers with their uncertainty",
        "write value and uncertainty as two columns",
        rf"{_NUM}\s*(?:±|\+/-|\+-)\s*{_NUM}|[+-]?\d+\.\d*\(\d+\)(?:[eE][+-]?\d+)?",
    ),
    Spelling(
        "complex numbers",
        "write real and imaginary part as two columns",
        rf"\(?\s*(?:{_NUM}\s*[+-]\s*)?{_BARE}(?:e[+-]?\d+)?\s?\*?[ij]\s*\)?",
    ),
    Spelling(
        "powers of ten written out",
        "write them as 1.2e3",
        rf"{_NUM}\s*[x×*·]\s*10\s*(?:\^|\*\*)?\s*\(?[+\-−⁻]?[\d⁰¹²³⁴-⁹]+\)?",
    ),
    Spelling(
        "limits and rough numbers",
        "write the bare numbers, or leave the cells empty",
        rf"(?:[<>≤≥~≈]=?|ca\.?|>>|<<)\s*{_NUM}",
        _SOME,
    ),
    Spelling("dates or times", "write them as 2024-05-01 12:30:00", _DATES),
    Spelling(
        "times or durations",
        "write them in seconds, or as times of day such as 12:30:00",
        _DURATIONS,
    ),
    Spelling("angles in degrees, minutes and seconds", "write decimal degrees", _DEGREES),
    Spelling(
        "fractions",
        "write them as decimal numbers",
        rf"[+-]?(?:\d+\s+)?\d+\s*[/⁄]\s*\d+|[+-]?\d*\s*[{_VULGAR}]",
    ),
)
POINTS = Spelling(
    "numbers with a decimal point",
    "leave --decimal out, or write all numbers with a comma",
    r"[+-]?(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?",
)
FOREIGN = Spelling(
    "numbers with blanks or digits that are not ASCII",
    "write plain blanks and the digits 0 to 9",
    rf"{_OUTER}[+\-−]?\d*[.,٫．]?\d+[.,٫．]?\d*(?:[eE][+-]?\d+)?{_OUTER}",
)
UNITS = Spelling(
    "numbers with a unit",
    "take the unit out, or put it into the name of the column",
    rf"({_NUM})[\s\u00a0\u202f]*((?:[^\W\d_]|[°%‰])[\w°µμΩ%‰/²³^*·.\-]{{0,9}})",
)
AS_TEXT = Spelling("numbers stored as text", _CAST, PLAIN.pattern, 1.0)
# Days and moments in a form that is read, were the column not text.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].*)?", re.ASCII | re.DOTALL)
# Codes: 00123x is no 123 x.
_LEADING_ZERO = re.compile(r"[+-]?0\d")
# More different units than this are no units.
MOST_UNITS = 4
# A longer cell is no number, whatever it holds.
LONGEST = 64
# Of the cells, such a share are numbers one way or the other.
MEANT_AS_NUMBERS = 0.8


def spelling(cell: str) -> Spelling | None:
    """Return how a cell that is no plain number writes one; None if it does not."""
    if len(cell) > LONGEST or PLAIN.fullmatch(cell):
        return None
    if not any(c.isdigit() or c in _VULGAR for c in cell):
        return None
    text = cell.strip(" \t")
    found = next((one for one in SPELLINGS if one.fullmatch(text)), None)
    if found is None and not cell.isascii() and FOREIGN.fullmatch(cell):
        found = FOREIGN
    if found is None and UNITS.fullmatch(text) and not _LEADING_ZERO.match(text):
        found = UNITS
    return found


@frozen
class Found:
    """What the cells of a column have in common, and one of them."""

    spelling: Spelling
    example: str


def named_spelling(words: Sequence[str], counts: Sequence[int], decimal: str = ".") -> Found | None:
    """Say how the cells of a column write numbers; None for words that are no numbers.

    Parameters
    ----------
    words : sequence of str
        Different cells.
    counts : sequence of int
        How often each occurs.
    decimal : str
        The decimal sign that is read.
    """
    total, plain, plain_word = sum(counts), 0, ""
    cells: Counter[Spelling] = Counter()
    example: dict[Spelling, str] = {}
    units: Counter[str] = Counter()
    for word, count in zip(words, counts, strict=True):
        one = _of_cell(word, decimal)
        if one is AS_TEXT:
            plain, plain_word = plain + count, word
        elif one is not None:
            cells[one] += count
            example.setdefault(one, word)
            unit = UNITS.fullmatch(word.strip(" \t")) if one is UNITS else None
            units.update({unit[2]: count} if unit else {})
    # Seats and post codes (12A, 1234 AB) are no quantities: those have few units, mostly one.
    if len(units) > MOST_UNITS or 2 * max(units.values(), default=0) < units.total():
        del cells[UNITS]
    if not total or plain + cells.total() < MEANT_AS_NUMBERS * total:
        return None
    if cells:
        most, count = cells.most_common(1)[0]
        if count >= most.share * total or cells.total() >= total / 2:
            return Found(most, example[most])
    return Found(AS_TEXT, plain_word) if plain >= MEANT_AS_NUMBERS * total else None


def _of_cell(word: str, decimal: str) -> Spelling | None:
    if decimal == ",":
        if PLAIN.fullmatch(word.replace(",", ".")) and word.count(",") + word.count(".") < 2:
            return POINTS if "." in word else AS_TEXT
    elif PLAIN.fullmatch(word):
        return AS_TEXT
    if _MOMENT.fullmatch(word):
        return None
    return spelling(word)
