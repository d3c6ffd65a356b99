"""`kstest baseline`: keep what a committed baseline needs, so that CI need not hold the data."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from ..about import __version__
from ..archive import save
from ..columns import exclusion
from ..errors import DataError, UsageError
from ..files import destinations, output
from ..params import INPUT
from ..shell.command import OUTPUT_OPTIONS, option_of
from ..shell.help import Argument, Command, Option
from ..sources import DIALECTS, OPTIONS, ReadOptions
from ..sources.baseline import KIND, VERSION, Baseline, Described, Level, Source, packed
from ..sources.table import BOOLEAN, EMPTY, NUMBER, TEXT, Wanted
from ..wording import DATE, DURATION, TIME, label, listed, shown
from .profile import OTHER, Column, Profile, agreed, expand_all, kinds_of, opened, profile

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 100_000
READING = ("exclude", "input_format", "null_values", *(f.name for f in DIALECTS))


def build(summary: str) -> click.Command:
    """Return `kstest baseline`."""
    return Command(
        "baseline",
        callback=_run,
        params=[
            Argument(["files"], nargs=-1, required=True, metavar="REFERENCE..."),
            *(option_of(f, INPUT) for f in OPTIONS if f.name in READING),
            Option(
                ["--output", "-o"],
                default="baseline.kst",
                show_default=True,
                metavar="FILE",
                brief="File to write",
                help="File to write, whole or not at all.",
            ),
            Option(
                ["--rows"],
                type=click.IntRange(2, 100_000_000),
                default=ROWS,
                show_default=True,
                metavar="N",
                brief="Rows to keep at most",
                help="Rows to keep at most; of more, a random sample.",
            ),
            Option(
                ["--seed"],
                type=click.IntRange(0),
                default=0,
                show_default=True,
                metavar="N",
                help="Seed of the sample.",
            ),
            *(o for o in OUTPUT_OPTIONS if o.name in ("quiet", "debug")),
        ],
        help=f"{summary}\n\nThe file holds columns, ranges and levels of all rows, and the rows or "
        "a random sample of them; it is read wherever a reference is. Cells of columns left out by "
        "--exclude are not in it.\n\n\b\nExample: kstest baseline ref.parquet -o baseline.kst",
        short_help=summary,
        epilog="\b\nExit codes:\n  0  written      2  could not be written (message on stderr)",
    )


def _run(files: tuple[str, ...], **given: Any) -> int:
    destinations.require(given, files)
    options = ReadOptions(**{name: given[name] for name in READING})
    made = baseline(files, options, given["rows"], given["seed"])
    header, arrays = packed(made)
    save(given["output"], KIND, VERSION, header, arrays)
    if not given["quiet"]:
        output.write(_said(made, given["output"]), None)
    return 0


def _said(made: Baseline, target: str) -> str:
    kept = f"all {made.rows:,} rows"
    if made.rows < made.of:
        kept = f"a random sample of {made.rows:,} of {made.of:,} rows"
    left = [c.name for c in made.columns if not c.kept]
    lines = [f"{label(target)}: {kept}, {len(made.columns) - len(left)} columns"]
    lines += [f"without the cells of: {listed(left)}"] if left else []
    size = os.path.getsize(target)
    return "\n".join([*lines, f"{size:,} bytes; use it as the reference of any test", ""])


def baseline(paths: Sequence[str], options: ReadOptions, rows: int, seed: int = 0) -> Baseline:
    """Make a baseline of files.

    Parameters
    ----------
    paths : sequence of str
        Files and globs.
    options : ReadOptions
        How the bytes are taken, and which columns are left out.
    rows : int
        At most so many are kept: a simple random sample, in the order of the files, so that what
        is exchangeable stays so.
    seed : int

    Raises
    ------
    DataError, UsageError
    """
    about = profile(paths, options)
    names = list(about.columns)
    left_out = exclusion(options.exclude, names, names)
    kept = [n for n in names if left_out.keeps(n) and about.columns[n].kind != OTHER]
    if not kept:
        raise UsageError(f"{label(paths[0])}: no column is left to keep.")
    if about.rows < 1:
        raise DataError(f"{label(paths[0])}: has columns but no rows. At least one is needed.")
    sources, columns = _read(paths, options, kept, about)
    chosen = None
    if rows < about.rows:
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(about.rows, rows, replace=False))
    return Baseline(
        min(rows, about.rows),
        about.rows,
        seed,
        __version__,
        tuple(_described(n, c, n in kept) for n, c in about.columns.items()),
        tuple(sources),
        _parquet(columns, chosen),
    )


def _read(
    paths: Sequence[str], options: ReadOptions, names: Sequence[str], about: Profile
) -> tuple[list[Source], dict[str, pa.ChunkedArray]]:
    """All rows of some columns, as Arrow columns of the kinds that they have."""
    import pyarrow as pa

    sources: list[Source] = []
    parts: dict[str, list[pa.Array]] = {name: [] for name in names}
    for path in expand_all(paths):
        table, count = opened(path, options), 0
        try:
            place = {name: j for j, name in enumerate(table.names)}
            kinds = kinds_of(table, names)
            for name in names:
                if not agreed(kinds[name], about.columns[name].kind):
                    raise DataError(
                        f"{table.label}: column {shown(name)} holds {kinds[name]}, in the files "
                        f"before {about.columns[name].kind}."
                    )
            texts = [n for n in names if kinds[n] == TEXT]
            numbers = [n for n in names if kinds[n] != TEXT]
            wanted = Wanted(tuple(place[n] for n in numbers), tuple(place[n] for n in texts))
            for block in table.blocks(wanted):
                count += block.rows
                for k, name in enumerate(numbers):
                    kind = about.columns[name].kind
                    parts[name].append(_numbers(block.values[:, k], kind))
                for name, text in zip(texts, block.texts, strict=True):
                    codes = pa.array(text.codes, mask=text.codes < 0)
                    levels = pa.array(list(text.levels), pa.string())
                    parts[name].append(levels.take(codes))
            sources.append(Source(path, table.digest() or "", count))
        finally:
            table.close()
    return sources, {name: _joined(some) for name, some in parts.items()}


def _joined(parts: Sequence[pa.Array]) -> pa.ChunkedArray:
    """The parts of a column, times in the finer unit of theirs."""
    import pyarrow as pa

    finest = next((p.type for p in parts if str(p.type) == "double" or "ns" in str(p.type)), None)
    if finest is None:
        return pa.chunked_array(parts)
    return pa.chunked_array([p.cast(finest) for p in parts])


def _numbers(values: NDArray[np.float64], kind: str) -> pa.Array:
    """A column of numbers or times as Arrow has it; missing cells are null."""
    import pyarrow as pa

    gone = np.isnan(values)
    if kind == EMPTY:
        return pa.nulls(len(values))
    if kind == TEXT:  # no cell of this file has a value
        return pa.nulls(len(values), pa.string())
    if kind == BOOLEAN and not ((values != 0) & (values != 1) & ~gone).any():
        return pa.array(values == 1, mask=gone)
    if kind == BOOLEAN:
        return pa.array(values, mask=gone)
    if kind == NUMBER:
        return pa.array(values, mask=gone)
    seconds = np.where(gone, 0.0, values)
    # nanoseconds reach from 1678 to 2262
    fine = not _whole(seconds * 1e6) and np.abs(seconds).max(initial=0.0) < 9e9
    unit, scale = ("ns", 10**9) if fine else ("us", 10**6)
    # by parts, since nanoseconds since 1970 are beyond 2^53
    floor = np.floor(seconds)
    whole = floor.astype(np.int64) * scale + np.rint((seconds - floor) * scale).astype(np.int64)
    made = {DATE: pa.timestamp, TIME: pa.time64, DURATION: pa.duration}[kind](unit)
    return pa.array(whole, mask=gone).cast(made)


def _whole(values: NDArray[np.float64]) -> bool:
    return bool((np.rint(values) / 1e6 == values / 1e6).all())


def _described(name: str, column: Column, kept: bool) -> Described:
    """A column as the file has it; of one that is left out nothing but its kind."""
    if not kept:
        return Described(name, column.kind, 0, 0, 0.0, 0.0, False, False, False, False)
    numbers = column.low <= column.high
    return Described(
        name,
        column.kind,
        column.cells,
        column.missing,
        float(column.low) if numbers else 0.0,
        float(column.high) if numbers else 0.0,
        column.whole,
        column.rising,
        column.many,
        True,
        tuple(Level(level, cells) for level, cells in column.levels.items()),
    )


def _parquet(
    columns: Mapping[str, pa.ChunkedArray], chosen: NDArray[np.int64] | None
) -> NDArray[np.uint8]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(dict(columns))
    table = table if chosen is None else table.take(pa.array(chosen))
    out = io.BytesIO()
    pq.write_table(table.combine_chunks(), out, compression="zstd", write_page_checksum=True)
    return np.frombuffer(out.getvalue(), np.uint8)
