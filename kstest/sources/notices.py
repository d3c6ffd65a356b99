"""What reading has to say: errors about missing values, and notices that come with the result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kstest.errors import DataError, MissingError
from kstest.params import option_name
from kstest.result import Notice
from kstest.sample import Sample
from kstest.sources.rows import Part
from kstest.wording import LISTED_NAMES, listed, option_value, shown

NOTABLE_SHARE = 0.05  # of the rows of a side, dropped
LISTED_FILES = 5
# Left out by `inputs.roles` where it would only lead to the next error.
KEEP = ", keep them with --missing indicator"


class NothingLeftError(DataError):
    """Files of a side of which --where leaves no row."""


def refuse_missing(parts: Sequence[Part], names: Sequence[str], policy: str, tested: int) -> None:
    """Raise the error of the first files with rows that may not be missing anything.

    The first `tested` of the names are the tested columns.
    """
    bad = [part for part in parts if part.refused]
    if bad:
        found = [n for j, n in enumerate(names) if any(part.missing[j] for part in bad)]
        advice = _advice(bad, names, policy)
        advice = advice if set(found) <= set(names[:tested]) else advice.replace(KEEP, "")
        raise MissingError(f"{_report(bad, names)} {advice}", found)


def require_rows(parts: Mapping[str, Sequence[Part]], names: Sequence[str]) -> None:
    """Refuse a side without any row."""
    for side, some in parts.items():
        if not sum(part.input.rows_used for part in some):
            raise _nothing_left(side, some, names)


def _nothing_left(side: str, parts: Sequence[Part], names: Sequence[str]) -> DataError:
    """Say why a side has no row."""
    if not any(part.rows for part in parts):
        files = listed([part.label for part in parts], LISTED_FILES)
        held = any(part.input.rows_read for part in parts)
        why = "fulfils --where" if held else f"holds one of {option_name(side + '_values')}"
        text = f"{side}: no row of {files} {why}. Look at the values of its columns."
        return NothingLeftError(text)
    return DataError(
        f"{side}: no row is left after --missing drop. {_report(parts, names)} "
        f"{_advice(parts, names, 'drop')}"
    )


def no_value(names: Sequence[str]) -> DataError:
    """Refuse columns that hold no value in any file."""
    return DataError(
        f"Without any value in any file: {listed(names)}. Leave such columns out with "
        f"--exclude {option_value(names)}."
    )


def _report(parts: Sequence[Part], names: Sequence[str]) -> str:
    lines = []
    for part in parts[:LISTED_FILES]:
        counts = _by_column({n: int(k) for n, k in zip(names, part.missing, strict=True) if k})
        lines.append(
            f"{part.label}: {part.bad_rows:,} of {part.rows:,} rows have missing or "
            f"infinite values, by column: {counts}."
        )
    if len(parts) > LISTED_FILES:
        lines.append(f"So have {len(parts) - LISTED_FILES:,} more files.")
    return " ".join(lines)


def _by_column(counts: Mapping[str, int]) -> str:
    some = list(counts.items())[:LISTED_NAMES]
    text = ", ".join(f"{shown(name, 30)}: {k:,}" for name, k in some)
    more = len(counts) - LISTED_NAMES
    return f"{text} and {more:,} more columns" if more > 0 else text


def _advice(parts: Sequence[Part], names: Sequence[str], policy: str) -> str:
    empty = [
        name
        for j, name in enumerate(names)
        if any(part.rows and part.missing[j] == part.rows for part in parts)
    ]
    if empty:
        return (
            f"Without any value: {listed(empty)}. Leave such columns out with "
            f"--exclude {option_value(empty)}."
        )
    if policy == "drop":
        return "Choose columns with --columns or --exclude."
    if policy == "records":
        return (
            "--missing drop leaves out the records with a missing cell; every row needs a value in "
            "the columns of --unit and --weights: leave others out with --where."
        )
    if policy == "indicator":
        return (
            "--missing indicator is for tested columns, not for --group, --weights and --counts: "
            "drop these rows with --missing drop."
        )
    return (
        f"Drop these rows with --missing drop{KEEP}, or choose columns with --columns or --exclude."
    )


def merged(remarks: Sequence[tuple[str, Notice]]) -> tuple[Notice, ...]:
    """What was taken for granted in which files; those of which the same is said share a line."""
    files: dict[Notice, list[str]] = {}
    for file, remark in remarks:
        files.setdefault(remark, []).append(file)
    found: dict[str, list[str]] = {}
    for remark, some in files.items():
        names = ", ".join(some[:2]) + (f" and {len(some) - 2:,} more files" if some[2:] else "")
        found.setdefault(remark.code, []).append(f"{names}: {remark.message}")
    return tuple(
        Notice(
            code,
            "; ".join(texts[:2]) + (f"; and {len(texts) - 2:,} more such" if texts[2:] else ""),
        )
        for code, texts in found.items()
    )


def notices(
    samples: Sequence[Sample], parts: Mapping[str, Sequence[Part]], *, split: bool
) -> tuple[Notice, ...]:
    """Collect all notices of a run; `split` where the sides come from the same files."""
    apart = dict(list(parts.items())[:1]) if split else parts
    return (
        *_repeated(apart),
        *_missing(samples),
        *_dropped(samples),
        *(_unassigned(parts) if split else ()),
        *_rounded(parts),
    )


def _repeated(parts: Mapping[str, Sequence[Part]]) -> Iterator[Notice]:
    """The same file, or the same bytes, read twice: rows that are no independent draws."""
    files: dict[object, str] = {}
    contents: dict[object, str] = {}
    found: dict[str, list[str]] = {"same-file": [], "same-content": []}
    for side, some in parts.items():
        for part in some:
            here = f"{part.label} ({side})"
            if part.identity is not None and part.identity in files:
                other = files[part.identity]
                found["same-file"].append(f"{other} and {here} are the same file")
                continue
            files[part.identity] = here
            sha = part.input.sha256
            if sha is not None and sha in contents:
                found["same-content"].append(f"{contents[sha]} and {here} hold the same bytes")
            contents.setdefault(sha, here)
    for code, messages in found.items():
        if messages:
            more = f", and {len(messages) - 1:,} more such pairs" if len(messages) > 1 else ""
            yield Notice(code, f"{messages[0]}{more}: the rows are not independent draws.")


def _missing(samples: Sequence[Sample]) -> Iterator[Notice]:
    said = [
        f"{s.name}: {_by_column(s.n_missing)} "
        f"({s.rows_with_missing:,} of {s.n + s.n_dropped:,} rows)"
        for s in samples
        if s.n_missing
    ]
    if said:
        yield Notice("missing-values", f"Missing or infinite values, {'; '.join(said)}.")


def _dropped(samples: Sequence[Sample]) -> Iterator[Notice]:
    for sample in samples:
        total = sample.n + sample.n_dropped
        # What was left out of records is said by `units`.
        if sample.records is None and sample.n_dropped > NOTABLE_SHARE * total:
            yield Notice(
                "rows-dropped",
                f"{sample.name}: {sample.n_dropped:,} of {total:,} rows "
                f"({sample.n_dropped / total:.0%}) were dropped for missing or infinite values; "
                "the verdict is about the complete rows only.",
            )


def _unassigned(parts: Mapping[str, Sequence[Part]]) -> Iterator[Notice]:
    total = sum(part.total for part in next(iter(parts.values())))
    used = sum(part.input.rows_read for some in parts.values() for part in some)
    if used < total:
        yield Notice(
            "rows-unassigned",
            f"{total - used:,} of {total:,} rows hold a value of --sample-column that is of no "
            "side, or none at all; they are not used.",
        )


def _rounded(parts: Mapping[str, Sequence[Part]]) -> Iterator[Notice]:
    cells: dict[str, str] = {}
    for part in (part for some in parts.values() for part in some):
        cells = dict(part.rounded) | cells
    if cells:
        name, cell = next(iter(cells.items()))
        yield Notice(
            "rounded",
            "Columns of decimals with more digits than the 15 to 17 of a number, whose last digits "
            f"are rounded: {listed(cells)} ({name}, {cell}). Identifiers are better left out with "
            "--exclude, or made categories with --categorical.",
        )
