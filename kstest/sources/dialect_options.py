"""The dialect of CSV files: what --delimiter, --null-values, --decimal ... say, checked once."""

from __future__ import annotations

import codecs
import re

from kstest.columns import parse_items
from kstest.errors import UsageError
from kstest.sources.csv_lines import BLANKS, NULLS
from kstest.sources.dialect import Dialect
from kstest.sources.options import ReadOptions
from kstest.wording import shown

LONGEST_COMMENT = 8
THOUSANDS = ",. '_"
MOST_LINES = 100_000  # above the names
MOST_JOINED = 10


def dialect(options: ReadOptions, side: str = "") -> Dialect:
    """Make a Dialect of the options, for one side of the data where they differ.

    Raises
    ------
    UsageError
        Where one of them cannot be used.
    """
    options = options.of_side(side)
    delimiter = None if options.delimiter is None else _delimiter(options.delimiter)
    comment = options.comment
    if comment is not None:
        _require_comment(comment, delimiter)
    nulls = NULLS
    if options.null_values is not None:
        given = parse_items(options.null_values, "--null-values") if options.null_values else ()
        nulls = tuple(dict.fromkeys(["", *given]))
    encoding = None if options.encoding is None else _encoding(options.encoding)
    above, header = _header(options)
    thousands, decimal = None, options.decimal
    if options.thousands is not None:
        thousands = _thousands(options.thousands, decimal)
        decimal = "," if thousands == "." else decimal
    return Dialect(
        delimiter,
        nulls,
        not options.no_header,
        comment,
        decimal,
        encoding,
        thousands,
        above,
        header,
        options.units_row,
        options.row_names,
    )


def _delimiter(text: str) -> str:
    if text == BLANKS:
        return text
    character = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ","}.get(text, text)
    _require_character("--delimiter", character, None)
    return character


def _require_character(option: str, text: str, delimiter: str | None) -> None:
    if len(text) != 1 or not text.isascii() or text in '"\r\n\0' or text == delimiter:
        tab = " or the words tab, space, whitespace" if option == "--delimiter" else ""
        raise UsageError(
            f"{option}: found {shown(text)}; accepted: one ASCII character{tab}, no quote or line "
            "end, and not the same for --delimiter and --comment."
        )


def _thousands(text: str, decimal: str | None) -> str:
    character = {"space": " ", "comma": ",", "point": "."}.get(text, text)
    if character not in THOUSANDS or character == decimal:
        raise UsageError(
            f"--thousands: found {shown(text)}; accepted: comma, point, space, ' or _, and not the "
            "same as --decimal."
        )
    return character


def _header(options: ReadOptions) -> tuple[int, int]:
    """Lines above the header, and lines of it (0: as found), from --skip-rows and --header-row."""
    skip, rows = options.skip_rows, options.header_row
    if not 0 <= skip <= MOST_LINES:
        raise UsageError(f"--skip-rows: found {skip}; accepted: 0 to {MOST_LINES:,} lines.")
    if rows is None:
        return skip, 0
    if options.no_header or skip:
        raise UsageError("--header-row: leave out --no-header and --skip-rows beside it.")
    found = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", rows)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last <= min(MOST_LINES, first + MOST_JOINED - 1):
        raise UsageError(
            f"--header-row: found {shown(rows)}; accepted: the line of the file with the names, "
            f"such as 3, or up to {MOST_JOINED} lines that are joined, such as 1-2."
        )
    return first - 1, last - first + 1


def _require_comment(text: str, delimiter: str | None) -> None:
    """One character is accepted, and ##, ### ... where names begin with #."""
    hashes = 1 < len(text) <= LONGEST_COMMENT and set(text) == {"#"}
    _require_character("--comment", "#" if hashes else text, delimiter)


def _encoding(name: str) -> str | None:
    """Check that Python knows the encoding and that it is one of text; None for UTF-8."""
    try:
        b"a".decode(name, "replace")  # refuses codecs such as base64, which are none of text
        codecs.getincrementaldecoder(name)
        plain = codecs.lookup(name).name
    except (LookupError, ValueError, TypeError, RecursionError):
        raise UsageError(
            f"--encoding: found {shown(name)}; accepted: text encodings that Python knows, such as "
            "utf-8, latin-1, cp1252, utf-16, shift_jis."
        ) from None
    return None if plain in ("utf-8", "utf_8_sig") else plain
