"""Options of reading that make records of rows; see `units`."""

from __future__ import annotations

from kstest.columns import Units
from kstest.errors import UsageError
from kstest.frozen import frozen
from kstest.params import option, option_name
from kstest.wording import shown

# Rows of a record that its features can be made of.
LEAST_ROWS, MOST_ROWS = 7, 100_000
_NOT_WITH_UNITS = {
    "group": "records are permuted as wholes already; leave out --group, or name it as the --unit",
    "counts": "a record is one observation, no bin of a histogram; leave out --counts",
    "categorical": "records are series of numbers; leave such columns out with --exclude",
    "explode": "elements of a list are rows; write the table with a row each first",
}
UNIT_OPTIONS = ("unit", "order", "unit_rows", "unit_length")


@frozen
class UnitOptions:
    """The part of `ReadOptions` about records; see the help of each field."""

    unit: str | None = option(
        None,
        "Column whose values tell records apart, such as runs or waveforms: the test then compares "
        "records, by features of the first rows of each, and not rows.",
        metavar="COLUMN",
        brief="Compare records by this column, not rows.",
    )
    order: str | None = option(
        None,
        "With --unit: column that puts the rows of a record in order. Default: as in the file.",
        metavar="COLUMN",
    )
    unit_rows: str = option(
        "auto",
        "With --unit: look at the first so many rows of each record; shorter records are left out. "
        "auto takes what nine records in ten have.",
        metavar="auto|ROWS",
    )
    unit_length: bool = option(
        False, "With --unit: the number of rows of a record is a feature, too."
    )
    # With `unit`: of the random features, and whether the first side decides how long a record is.
    unit_seed: int = 0
    unit_by_first: bool = False

    @property
    def units(self) -> Units | None:
        """How rows become records, with `unit`."""
        if self.unit is None:
            return None
        rows = None if self.unit_rows == "auto" else int(self.unit_rows)
        first, length = self.unit_by_first, self.unit_length
        return Units(self.unit, self.order, rows, first, length, self.unit_seed)

    def check_units(self) -> None:
        """Refuse what makes no sense for records, or without them."""
        if self.unit is None:
            for name in ("order", "unit_rows", "unit_length"):
                if getattr(self, name) not in (None, "auto", False):
                    raise UsageError(
                        f"{option_name(name)}: needs --unit, the column that tells records apart."
                    )
            return
        if self.order == self.unit:
            raise UsageError(
                f"--order {self.order}: tells records apart already; give the column that puts the "
                "rows of one in order, or leave it out for the order of the file."
            )
        rows = self.unit_rows
        if rows != "auto" and not (rows.isdecimal() and LEAST_ROWS <= int(rows) <= MOST_ROWS):
            raise UsageError(
                f"--unit-rows {shown(rows)}: give auto or a whole number from {LEAST_ROWS} to "
                f"{MOST_ROWS:,}"
            )
        for name, why in _NOT_WITH_UNITS.items():
            if getattr(self, name, None) is not None:
                raise UsageError(f"--unit and --{name}: {why}")
        if getattr(self, "missing", "") == "indicator":
            raise UsageError(
                "--unit and --missing indicator: a record with a hole has no features; --missing "
                "drop leaves out records with missing cells, and counts them"
            )
