"""ReadOptions: what the user may say about reading, checked once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kstest.errors import UsageError
from kstest.sources.wording import shown

FORMATS = ("csv", "parquet", "arrow")
MISSING = ("error", "drop")


@dataclass(frozen=True)
class ReadOptions:
    """How to read files and objects.

    Attributes
    ----------
    columns, exclude : str or None
        Column lists such as ``a,b,3-5,x*``: exact names, positions counted from 1, globs. Quote
        a name that holds a comma. None selects every column and excludes none.
    missing : {'error', 'drop'}
        What to do with rows that hold a missing or infinite value.
    input_format : {'csv', 'parquet', 'arrow'} or None
        None goes by the content.
    choose : callable or None
        From all columns of the first table to those that are used where `columns` is None; other
        columns then need not be readable, nor be in every file.
    """

    columns: str | None = None
    exclude: str | None = None
    missing: str = "error"
    input_format: str | None = None
    choose: Callable[[Sequence[str]], Sequence[str]] | None = None

    def __post_init__(self) -> None:
        if self.missing not in MISSING:
            raise UsageError(f"--missing: found {shown(self.missing)}; accepted: error, drop.")
        if self.input_format is not None and self.input_format not in FORMATS:
            found = shown(self.input_format)
            raise UsageError(f"--input-format: found {found}; accepted: {', '.join(FORMATS)}.")
