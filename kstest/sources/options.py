"""ReadOptions: what the user may say about reading, checked once.

Command line and Python functions are built from these fields, as they are from Params of a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, fields, make_dataclass, replace
from typing import Any

from kstest.columns import Pivot, parse_items
from kstest.errors import KstestError, UsageError
from kstest.frozen import frozen
from kstest.params import DIALECT, option, option_name
from kstest.sources import formats
from kstest.sources.chain_options import ChainOptions
from kstest.sources.table import FILE_ROW
from kstest.sources.unit_options import UNIT_OPTIONS, UnitOptions
from kstest.wording import shown

MISSING = ("error", "drop", "indicator")


@frozen
class ReadOptions(UnitOptions, ChainOptions):
    """How to read files and objects; see the help of each field.

    `values` says which values of `sample_column` make which side, for example
    ``{"reference": "0-4", "sample": "5-9,12"}``.

    The column lists (`columns`, `exclude`, `categorical`) are written ``a,b,3-5,x*``: exact names,
    positions counted from 1, globs. Quote a name that holds a comma.
    """

    columns: str | None = option(
        None,
        "Columns to use: names, positions or patterns, such as a,b,3-5,'x*'. Default: all.",
        metavar="LIST",
        brief="Columns to use, such as a,b,3-5,'x*'.",
    )
    exclude: str | None = option(
        None,
        "Columns to leave out, written the same way.",
        metavar="LIST",
        brief="Columns to leave out.",
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
        brief="Rows with missing values: refuse, drop, or mark.",
    )
    group: str | None = option(
        None,
        "Column that says which rows belong together; not tested itself.",
        metavar="COLUMN",
    )
    weights: str | None = option(
        None, "Column with the weights of the rows; not tested itself.", metavar="COLUMN"
    )
    counts: str | None = option(
        None,
        "Column with the number of entries that a row stands for, as in a histogram of bin centres "
        "and counts; not tested itself.",
        metavar="COLUMN",
    )
    where: str | None = option(
        None,
        "Rows to use, such as \"dom == 9 and 0 < tot < 200 and kind in ('a', 'b') and `x y` is not "
        'null".',
        metavar="CONDITION",
        brief='Rows to use, such as "dom == 9 and tot < 200".',
    )
    explode: str | None = option(
        None,
        "Columns of lists, equally long in a row: every element gets a row of its own. Those of "
        "one list stay together, as by --group.",
        metavar="LIST",
    )
    sample_column: str | None = option(
        None,
        "Column that tells the sides apart when they are in one table; not tested itself.",
        metavar="COLUMN",
        brief="Column that tells the sides apart in one file.",
    )
    # By side: values of sample_column, and options of the dialect for one side only.
    values: Mapping[str, str] = field(default_factory=dict)
    sides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    input_format: str | None = option(
        None,
        f"Format of the files: {', '.join(formats.names())}. Default: by content.",
        choices=formats.names(),
        metavar="FORMAT",
    )
    delimiter: str | None = option(
        None,
        "CSV: the character between cells, or tab, or whitespace for runs of blanks. Default: what "
        "the first lines show.",
        metavar="CHAR",
        section=DIALECT,
    )
    null_values: str | None = option(
        None,
        "Values that mean missing, such as -999,'?'; numbers count as numbers (-999 is -999.00). "
        "CSV: besides empty cells, and instead of NA, NaN, null and the like.",
        metavar="LIST",
    )
    no_header: bool = option(
        False,
        "CSV: the first line is a row already; the columns are called 1, 2, ...",
        section=DIALECT,
    )
    comment: str | None = option(
        None,
        "CSV: lines that start so are skipped, such as # or ##.",
        metavar="CHAR",
        section=DIALECT,
    )
    header_row: str | None = option(
        None,
        "CSV: line of the file with the names, such as 3; 1-2 joins the names of two lines.",
        metavar="N",
        section=DIALECT,
    )
    skip_rows: int = option(
        0, "CSV: lines to skip at the beginning of the file.", metavar="N", section=DIALECT
    )
    units_row: bool = option(
        False, "CSV: the line below the names holds units; it is skipped.", section=DIALECT
    )
    row_names: bool = option(
        False,
        "CSV: the first cell of a row is its name, for which the header has none, as in R.",
        section=DIALECT,
    )
    decimal: str | None = option(
        None,
        "CSV: decimal sign. Default: point, or comma where no number can mean anything else.",
        choices=(".", ","),
        section=DIALECT,
    )
    thousands: str | None = option(
        None,
        "CSV: what separates thousands: comma, point, space, ' or _. Default: none, or what no "
        "number can mean otherwise.",
        metavar="CHAR",
        section=DIALECT,
    )
    encoding: str | None = option(
        None,
        "CSV: encoding of the text, such as latin-1 or utf-16. Default: utf-8.",
        metavar="NAME",
        section=DIALECT,
    )

    # Weights below zero are accepted, as simulations of particle physics have them.
    signed_weights: bool = True
    # From all columns of the first table to those that are used where `columns` is None; the
    # others then need no mention.
    choose: Callable[[Sequence[str]], Sequence[str]] | None = None
    # Columns with another part than to be tested, by option: read in any case, as categories.
    parts: Mapping[str, str] = field(default_factory=dict)
    # With --missing indicator: accept columns without any value, where others know their kind.
    empty_columns: bool = False
    # What columns hold was settled by others: text is not asked whether it is an identifier.
    settled: bool = False
    # Rows are hits, to be gathered into events; all other options are about events then.
    pivot: Pivot | None = None

    @property
    def exploded(self) -> tuple[str, ...]:
        """The columns of `explode`."""
        return () if self.explode is None else parse_items(self.explode, "--explode")

    def __post_init__(self) -> None:
        if self.weights is not None and self.counts is not None:
            raise UsageError(
                "--weights and --counts: a row has a weight or stands for so many entries; give "
                "one of the two"
            )
        if self.group is not None and self.counts is not None:
            raise UsageError(
                "--group and --counts: the entries that a row stands for are exchangeable one by "
                "one, or whole groups are; give one of the two"
            )
        self.check_units()
        self.check_chains()
        for f in OPTIONS:
            value, choices = getattr(self, f.name), f.metadata["choices"]
            if choices and value is not f.default and value not in choices:
                raise UsageError(
                    f"{option_name(f.name)}: found {shown(value)}; accepted: {', '.join(choices)}."
                )

    def of_side(self, side: str) -> ReadOptions:
        """These options with those that hold for one side only."""
        given = self.sides.get(side)
        return replace(self, **given, sides={}) if given else self


# The fields that become options by themselves; inherited ones come first.
_N, _OWN = len(UNIT_OPTIONS) + 1, [f for f in fields(ReadOptions) if "help" in f.metadata]
_CHAIN, _RECORDS, _OWN = _OWN[0], _OWN[1:_N], _OWN[_N:]
_AT = {f.name: at for at, f in enumerate(_OWN)}
_PARTS, _SIDES = _AT["weights"], _AT["sample_column"]
OPTIONS = (*_OWN[:_PARTS], _CHAIN, *_OWN[_PARTS:_SIDES], *_RECORDS, *_OWN[_SIDES:])
# How the bytes of a file are to be taken: nothing for Python objects.
DIALECTS = tuple(f for f in OPTIONS if f.metadata["section"] == DIALECT)
FILES_ONLY = frozenset({"input_format", *(f.name for f in DIALECTS)})


def for_side(role: str, name: str) -> str:
    """The option of the dialect `name` that holds for one role only, by its Python name."""
    return f"{role}_{name}"


def side_options(role: str) -> tuple[Any, ...]:
    """The options of the dialect as fields that hold for one role only; not shown in help."""
    found = [
        (
            for_side(role, f.name),
            f.type,
            field(
                default=f.default,
                metadata={
                    **f.metadata,
                    "help": f"{option_name(f.name)} for the {role} only.",
                    "hidden": True,
                },
            ),
        )
        for f in DIALECTS
    ]
    return fields(make_dataclass("Side", found))


def name_side(side: str, error: KstestError) -> None:
    """Let an error name an option of the dialect for the one side that it is about."""
    if error.more and error.more[0] in {option_name(f.name) for f in DIALECTS}:
        error.more = (f"--{side}-{error.more[0].removeprefix('--')}", *error.more[1:])


def values_option(role: str) -> str:
    """The option with the values of --sample-column that make a role."""
    return option_name(f"{role}_values")


def read_options(
    roles: Sequence[str],
    given: Mapping[str, Any],
    choose: Callable[[Sequence[str]], Sequence[str]] | None = None,
) -> ReadOptions:
    """Make ReadOptions of options by their Python names, among them ``ROLE_values``.

    Raises
    ------
    UsageError
        For --sample-column without the values of every role, or values without it, too.
    """
    lists = {role: given.get(f"{role}_values") for role in roles}
    values = {role: text for role, text in lists.items() if text is not None}
    apart = {
        role: {f.name: v for f in DIALECTS if (v := given.get(for_side(role, f.name)))}
        for role in roles
        if len(roles) > 1
    }
    chosen = {f.name: given[f.name] for f in OPTIONS if f.name in given}
    if chosen.get("explode") and not chosen.get("group"):
        chosen["group"] = FILE_ROW
    options = ReadOptions(
        **chosen,
        values=values,
        choose=choose,
        sides={role: some for role, some in apart.items() if some},
    )
    if options.sides and options.sample_column is not None:
        role, some = next(iter(options.sides.items()))
        raise UsageError(
            f"{option_name(for_side(role, next(iter(some))))}: with --sample-column all sides are "
            f"in the same files; say {option_name(next(iter(some)))}."
        )
    if options.sample_column is None and values:
        raise UsageError(
            f"{values_option(next(iter(values)))}: needs --sample-column, the column with these "
            "values."
        )
    absent = [values_option(role) for role in roles if role not in values]
    if options.sample_column is not None and absent:
        raise UsageError(
            f"--sample-column: needs {' and '.join(absent)}: which values of the column make which "
            "side, for example 0-4 or a,b."
        )
    return options
