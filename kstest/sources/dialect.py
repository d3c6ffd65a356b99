"""The dialect of CSV files: what --delimiter, --null-values, --decimal ... say, checked once.

Encoding and comments are filters of the bytes (`Transcoded`, `Uncommented`), before anything else
reads them; what cells and rows are is told to pyarrow (`parse_options`, `convert_options`).
"""

from __future__ import annotations

import codecs
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kstest.columns import parse_items
from kstest.errors import DataError, UsageError
from kstest.sources.options import ReadOptions
from kstest.sources.spellings import PLAIN
from kstest.sources.stream import CHUNK_BYTES, Readable
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


class Transcoded:
    """Bytes of some encoding as UTF-8, a chunk at a time."""

    def __init__(self, source: Readable, encoding: str, where: str) -> None:
        self._source, self._encoding, self._where = source, encoding, where
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._rest = b""
        self._bytes = self._lines = 0
        self._ended = False

    def read(self, size: int, /) -> bytes:
        while len(self._rest) < size and not self._ended:
            part = self._source.read(CHUNK_BYTES) or b""
            self._ended = not part
            self._rest += self._decoded(part).encode("utf-8", "surrogatepass")
            self._bytes += len(part)
        out, self._rest = self._rest[:size], self._rest[size:]
        return out

    def _decoded(self, part: bytes) -> str:
        # bytes of a cut character, which the decoder kept from the chunk before
        pending = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(part, final=not part)
        except UnicodeDecodeError as error:
            at = self._bytes - pending + error.start
            line = self._lines + error.object[: error.start].decode(
                self._encoding, "replace"
            ).count("\n")
            found = error.object[error.start : error.start + 1].hex()
            raise DataError(
                f"{self._where}: line {line + 1:,} (byte {at + 1:,}) is no {self._encoding}: found "
                f"byte 0x{found}. Say the encoding of the file with --encoding."
            ) from None
        self._lines += text.count("\n")
        return text


class Uncommented:
    """Bytes without the lines that start with a comment character."""

    def __init__(self, source: Readable, character: str, where: str) -> None:
        self._source, self._where = source, where
        mark = re.escape(character.encode())
        self._line = re.compile(rb"(?:(?<=[\r\n])|\A)" + mark + rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
        self._mark = character.encode()
        self._first = re.compile(rb"(?:" + mark + rb"[^\r\n]*(?:\r\n|\r|\n))+")
        self.before = b""  # the last comment before the first line that stays
        self._rest = b""  # filtered
        self._open = b""  # the last line of the chunk before, not yet filtered
        self._ended = self._begun = False

    def read(self, size: int, /) -> bytes:
        while len(self._rest) < size and not self._ended:
            part = self._source.read(CHUNK_BYTES) or b""
            self._ended = not part
            whole = self._open + part
            # A final \r stays with the open line: a \n may follow it.
            end = (
                len(whole) if self._ended else max(whole.rfind(b"\n"), whole[:-1].rfind(b"\r")) + 1
            )
            self._open = whole[end:]
            if len(self._open) > 64 * CHUNK_BYTES:
                raise DataError(f"{self._where}: a line is longer than 64 MB. Is this a CSV file?")
            whole = whole[:end]
            if not self._begun and whole:
                whole, self._begun = whole.removeprefix(codecs.BOM_UTF8), True
                leading = self._first.match(whole)
                self.before = leading[0].splitlines()[-1] if leading else b""
            self._rest += self._line.sub(b"", whole) if self._mark in whole else whole
        out, self._rest = self._rest[:size], self._rest[size:]
        return out


def require_names(before: bytes, head: bytes, where: str, mark: str) -> None:
    """Refuse a first line of numbers below a comment of as many names: those are the names."""
    comment = before.decode("utf-8", "replace").lstrip(mark).strip()
    line = head.partition(b"\n")[0].decode("utf-8", "replace").strip()
    for delimiter in ("\t", ";", ",", None):
        names, cells = comment.split(delimiter), line.split(delimiter)
        if len(names) > 1 or (delimiter is None and names):
            break
    numbers = [bool(PLAIN.fullmatch(cell)) for cell in cells]
    if len(names) == len(cells) and any(numbers) and not any(map(PLAIN.fullmatch, names)):
        raise DataError(
            f"{where}: the first line that is no comment holds numbers, {shown(line)}, and the "
            f"comment before it as many names, {shown(before.decode('utf-8', 'replace'))}. If "
            f"those are the names, take the {mark[0]} away from them (sed), or say --comment "
            f"{shown(2 * mark[0])} where other comments begin so; if there are none, say "
            "--no-header."
        )


def check_decimal(delimiter: str, decimal: str, where: str) -> None:
    """Refuse a decimal sign that is the delimiter as well, unless every number were quoted."""
    if delimiter == decimal:
        raise DataError(
            f"{where}: {shown(decimal)} is both the delimiter and the --decimal sign. Say "
            "another delimiter with --delimiter, for example --delimiter ';'."
        )
