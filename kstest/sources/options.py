"""ReadOptions: what the user may say about reading, checked once."""

from __future__ import annotations

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
    blocks : tuple of (str, str)
        Option and column list of each block of columns, for tests that compare blocks; then
        `columns` is None, and no column may be in two blocks.
    input_format : {'csv', 'parquet', 'arrow'} or None
        None goes by the content.
    """

    columns: str | None = None
    exclude: str | None = None
    missing: str = "error"
    input_format: str | None = None
    blocks: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.missing not in MISSING:
            raise UsageError(f"--missing: found {shown(self.missing)}; accepted: error, drop.")
        if self.blocks and self.columns is not None:
            options = " and ".join(dict.fromkeys(option for option, _ in self.blocks))
            raise UsageError(f"--columns: {options} choose the columns; leave --columns out.")
        if self.input_format is not None and self.input_format not in FORMATS:
            found = shown(self.input_format)
            raise UsageError(f"--input-format: found {found}; accepted: {', '.join(FORMATS)}.")
