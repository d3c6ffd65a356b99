"""The dialect of CSV files: what --delimiter, --null-values, --decimal ... say, checked once."""

from __future__ import annotations

import codecs
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kstest.columns import parse_items
from kstest.errors import UsageError
from kstest.sources.options import ReadOptions
from kstest.wording import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow.csv as pc

# Missing unless --null-values says otherwise: what R, pandas, SQL and spreadsheets write.
NULLS: tuple[str, ...] = (
    "", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "#N/A", "#N/A N/A", "#NA",
    "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
)  # fmt: skip


LONGEST_COMMENT = 8


@dataclass(frozen=True)
class Dialect:
    """How the bytes of a CSV are to be taken.

    Attributes
    ----------
    delimiter : str or None
        None for the one of comma, semicolon and tab that makes most columns.
    nulls : tuple of str
        Cells that are missing.
    named : bool
        Whether the first line has the names.
    comment : str or None
        Lines that start with it are skipped: a character, once or several times.
    decimal : str
        Decimal sign.
    encoding : str or None
        None for UTF-8.
    """

    delimiter: str | None = None
    nulls: tuple[str, ...] = NULLS
    named: bool = True
    comment: str | None = None
    decimal: str = "."
    encoding: str | None = None


def dialect(options: ReadOptions) -> Dialect:
    """Make a Dialect of the options.

    Raises
    ------
    UsageError
        Where one of them cannot be used.
    """
    delimiter = None if options.delimiter is None else _delimiter(options.delimiter)
    comment = options.comment
    if comment is not None:
        _require_comment(comment, delimiter)
    nulls = NULLS
    if options.null_values is not None:
        given = parse_items(options.null_values, "--null-values") if options.null_values else ()
        nulls = tuple(dict.fromkeys(["", *given]))
    encoding = None if options.encoding is None else _encoding(options.encoding)
    return Dialect(delimiter, nulls, not options.no_header, comment, options.decimal, encoding)


def _delimiter(text: str) -> str:
    character = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ","}.get(text, text)
    _require_character("--delimiter", character, None)
    return character


def _require_character(option: str, text: str, delimiter: str | None) -> None:
    if len(text) != 1 or not text.isascii() or text in '"\r\n\0' or text == delimiter:
        tab = " or the word tab" if option == "--delimiter" else ""
        raise UsageError(
            f"{option}: found {shown(text)}; accepted: one ASCII character{tab}, no quote or line "
            "end, and not the same for --delimiter and --comment."
        )


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


def parse_options(delimiter: str, invalid_row_handler: Any) -> pc.ParseOptions:
    """What to tell pyarrow about the form of the rows."""
    import pyarrow.csv as pc

    return pc.ParseOptions(
        delimiter=delimiter, newlines_in_values=True, invalid_row_handler=invalid_row_handler
    )


def convert_options(how: Dialect, names: Sequence[str], types: dict[str, Any]) -> pc.ConvertOptions:
    """What to tell pyarrow about the cells of the columns `names`.

    Numbers that mean missing are compared as numbers later (`nulls`), which also counts them;
    dates and truth values need to be spared them here.
    """
    import pyarrow.csv as pc

    nulls = how.nulls
    if types and all(str(kind).startswith(("double", "dictionary")) for kind in types.values()):
        nulls = tuple(word for word in nulls if not _is_number(word, how.decimal))
    return pc.ConvertOptions(
        include_columns=list(names),
        column_types=types,
        null_values=list(nulls),
        strings_can_be_null=True,
        decimal_point=how.decimal,
    )


def _is_number(word: str, decimal: str) -> bool:
    try:
        return math.isfinite(float(word.replace(decimal, ".")))
    except ValueError:
        return False
