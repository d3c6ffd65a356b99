"""ReadOptions: what the user may say about reading, checked once.

The command line and the Python functions are built from these fields, as they are from the Params
of a test.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from kstest.errors import UsageError
from kstest.params import option, option_name
from kstest.sources.wording import shown

FORMATS = ("csv", "parquet", "arrow")
MISSING = ("error", "drop", "indicator")


@dataclass(frozen=True)
class ReadOptions:
    """How to read files and objects; see the help of each field.

    The column lists (`columns`, `exclude`, `categorical`) are written ``a,b,3-5,x*``: exact names,
    positions counted from 1, globs. Quote a name that holds a comma.
    """

    columns: str | None = option(
        None,
        "Columns to use: names, positions or patterns, such as a,b,3-5,'x*'. Default: all.",
        metavar="LIST",
    )
    exclude: str | None = option(
        None, "Columns to leave out, written the same way.", metavar="LIST"
    )
    categorical: str | None = option(
        None,
        "Columns of numbers or times to be read as categories. Text always is.",
        metavar="LIST",
    )
    missing: str = option(
        "error",
        "Rows with missing or infinite values: refuse; drop and count; or keep, and let the test "
        "see which cells are missing.",
        choices=MISSING,
    )
    group: str | None = option(
        None,
        "Column that says which rows belong together; not tested itself.",
        metavar="COLUMN",
    )
    weights: str | None = option(
        None, "Column with the weights of the rows; not tested itself.", metavar="COLUMN"
    )
    where: str | None = option(
        None,
        "Rows to use, such as \"dom == 9 and 0 < tot < 200 and kind in ('a', 'b') and `x y` is not "
        'null".',
        metavar="CONDITION",
    )
    input_format: str | None = option(
        None,
        "Format of the files. Default: by content; needed for a CSV from -.",
        choices=FORMATS,
    )

    def __post_init__(self) -> None:
        for f in fields(self):
            value, choices = getattr(self, f.name), f.metadata["choices"]
            if choices and value is not f.default and value not in choices:
                raise UsageError(
                    f"{option_name(f.name)}: found {shown(value)}; accepted: {', '.join(choices)}."
                )


# Options that say how the bytes of a file are to be taken: nothing for Python objects.
FILES_ONLY = frozenset({"input_format"})
