"""Records: all rows with one value of a column become one row of features (`unit_features`).

The null hypothesis of a test is then about records. All are cut to their first L rows, so lengths
alone make no difference: if longer records are what shorter ones would have become, the first L
rows have one law whatever the lengths. L is a number that was given, or what nine in ten of all
records have: a function of the pooled lengths, which leaves exchangeable records exchangeable.
Where a stream follows, the reference alone decides, and lengths have to tell nothing of the values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kstest.columns import Units
from kstest.errors import DataError, UsageError
from kstest.frozen import frozen
from kstest.result import Notice
from kstest.sample import Input, Records, Sample
from kstest.sources.unit_features import features
from kstest.sources.unit_options import LEAST_ROWS
from kstest.wording import listed, shown

Index = NDArray[np.int64]

# The share of records that may be shorter than what is looked at.
_SHORT = 0.1


@frozen
class Gathered:
    """Records of a sample, their rows together and in order.

    Attributes
    ----------
    sample : Sample
        The rows as they were read.
    order : ndarray of int64 (n,)
        Its rows, record after record.
    starts, lengths : ndarray of int64 (records,)
        Of each record in `order`.
    """

    sample: Sample
    order: Index
    starts: Index
    lengths: Index

    def name(self, record: int) -> str:
        """Which record it is."""
        assert self.sample.groups is not None
        row = self.order[self.starts[record]]
        return self.sample.group_names[int(self.sample.groups[row])]


def gathered(sample: Sample, how: Units) -> Gathered:
    """Put the rows of records together, records in the order in which they begin.

    Raises
    ------
    DataError
        For rows of which nobody can say which comes first.
    """
    if sample.categorical:
        raise DataError(
            f"--unit: column {listed(sample.categorical)} holds text; records are series of "
            "numbers. Leave it out with --exclude."
        )
    assert sample.groups is not None
    _, first, code = np.unique(sample.groups, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    record = rank[code]
    keys = [record] if how.order is None else [sample.values[:, -1], record]
    order = np.lexsort(keys)
    starts = np.flatnonzero(np.r_[True, np.diff(record[order]) > 0])
    found = Gathered(sample, order, starts, np.diff(np.r_[starts, sample.n]))
    if how.order is not None:
        _require_no_ties(found, record[order], how)
    return found


def _require_no_ties(found: Gathered, record: Index, how: Units) -> None:
    """Refuse two rows of a record at one place, unless they are equal."""
    values = found.sample.values[found.order]
    tied = (np.diff(record) == 0) & (np.diff(values[:, -1]) == 0)
    if found.sample.missing is not None:
        tied &= ~found.sample.missing[found.order, -1][1:]
    tied &= (np.diff(values[:, :-1], axis=0) != 0).any(axis=1)
    if not tied.any():
        return
    at = int(np.argmax(tied))
    raise DataError(
        f"{found.sample.name}: --order {how.order}: rows of record "
        f"{shown(found.name(int(record[at])))} of column {shown(how.unit)} share the value "
        f"{values[at, -1]:.10g} and differ ({int(tied.sum()):,} such rows): which comes first is "
        "not known. Give a column without such ties, leave out --order if the rows are in order in "
        "the file, or, if several records have this name, a column that tells them apart."
    )


def rows_of(found: Sequence[Gathered], how: Units) -> int:
    """How many rows of each record are looked at.

    Raises
    ------
    DataError
    """
    if how.rows is not None:
        return how.rows
    lengths = np.sort(np.concatenate([g.lengths for g in (found[:1] if how.by_first else found)]))
    least = int(lengths[0])
    if 2 * least < int(np.median(lengths)) or least < LEAST_ROWS:
        least = int(lengths[int(_SHORT * len(lengths))])
    if least < LEAST_ROWS:
        raise DataError(
            f"--unit {how.unit}: more than {_SHORT:.0%} of the records have fewer than "
            f"{LEAST_ROWS} rows (median {np.median(lengths):.4g}); features need {LEAST_ROWS}. Is "
            "this the column that tells records apart? --unit-rows N leaves out records that are "
            "shorter than N."
        )
    return least


def recorded(
    samples: Sequence[Sample], how: Units
) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
    """Turn samples of rows into samples of records, and say what was left out.

    Parameters
    ----------
    samples : sequence of Sample
        With the unit in `groups`, and the order, if there is one, as the last column.
    how : Units

    Raises
    ------
    UsageError, DataError
    """
    found = [gathered(sample, how) for sample in samples]
    rows = rows_of(found, how)
    made = tuple(records(one, how, rows) for one in found)
    for one, sample in zip(found, made, strict=True):
        _require_records(one, sample, rows)
    return made, (*_shared(samples, how), *_scattered(found, how), *left_out(made))


def records(found: Gathered, how: Units, rows: int) -> Sample:
    """Make the sample of records of their first so many rows."""
    sample = found.sample
    columns = sample.columns if how.order is None else sample.columns[:-1]
    if not columns:
        raise UsageError(f"--order {how.order}: no column is left for the records")
    long = found.lengths >= rows
    at = found.starts[long, None] + np.arange(rows)
    whole = np.ones(len(at), bool)
    if sample.missing is not None:
        whole = ~sample.missing[found.order[at]].any(axis=(1, 2))
    at = found.order[at[whole]]
    values, names = features(sample.values[:, : len(columns)][at], columns, how.seed)
    lengths = found.lengths[long][whole]
    if how.length:
        values, names = np.c_[values, lengths], (*names, "length")
    every = np.minimum.reduceat(found.order, found.starts)  # the first row of each in its file
    mine = np.flatnonzero(long)[whole]
    inputs, kept = _inputs(sample, every, mine)
    return Sample(
        sample.name,
        np.ascontiguousarray(values),
        names,
        inputs,
        weights=_weights(found, mine),
        kept=kept,
        file_columns=names,
        records=Records(
            how.unit,
            how.order,
            rows,
            len(mine),
            int((~long).sum()),
            int((~whole).sum()),
            tuple(columns),
        ),
    )


def _inputs(
    sample: Sample, every: Index, mine: Index
) -> tuple[tuple[Input, ...], tuple[Index, ...]]:
    """Files whose rows are records, and where the used ones begin."""
    source, number = sample.row_inputs[every], sample.row_numbers[every]
    inputs, kept = [], []
    for k, one in enumerate(sample.inputs):
        used = mine[source[mine] == k]
        total = int((source == k).sum())
        left = total - len(used)
        inputs.append(
            replace(one, rows_read=total, rows_used=len(used), rows_dropped=left, rows_filtered=0)
        )
        kept.append(number[used])
    return tuple(inputs), tuple(kept)


def _weights(found: Gathered, mine: Index) -> NDArray[np.float64] | None:
    """The weight of each record, which all its rows have to say."""
    weights = found.sample.weights
    if weights is None:
        return None
    mixed = weights[found.order]
    first = mixed[found.starts]
    bad = mixed != np.repeat(first, found.lengths)
    if bad.any():
        record = int(np.repeat(np.arange(len(first)), found.lengths)[int(np.argmax(bad))])
        raise DataError(
            f"{found.sample.name}: --weights changes within record {shown(found.name(record))}; "
            "with --unit a weight is that of a record, and all its rows say the same."
        )
    return first[mine]


def _require_records(found: Gathered, made: Sample, rows: int) -> None:
    """Refuse a side most of whose records are too short."""
    kept = made.records
    assert kept is not None
    total = len(found.lengths)
    if 2 * kept.short > total:
        raise DataError(
            f"{made.name}: {kept.short:,} of {total:,} records have fewer than {rows:,} rows "
            f"(median {np.median(found.lengths):.4g}). Give --unit-rows a smaller number, at "
            f"least {LEAST_ROWS}."
        )
    if not made.n:
        raise DataError(
            f"{made.name}: no record is left: {kept.short:,} have fewer than {rows:,} rows and "
            f"{kept.holed:,} have missing cells."
        )


def _shared(samples: Sequence[Sample], how: Units) -> tuple[Notice, ...]:
    """Say which names of records occur on both sides."""
    if len(samples) < 2:
        return ()
    one, other = samples[0].groups, samples[1].groups
    assert one is not None
    assert other is not None
    both = np.intersect1d(one, other)
    if not len(both):
        return ()
    names = [samples[0].group_names[int(code)] for code in both]
    said = (
        f"{len(both):,} values of column {shown(how.unit)} occur on both sides: {listed(names)}. "
        "They count as different records, one on each side; a record that was cut in two between "
        "the files is no two independent ones."
    )
    return (Notice("records-on-both-sides", said),)


def _scattered(found: Sequence[Gathered], how: Units) -> tuple[Notice, ...]:
    """Say whose rows do not stand together, where nothing but the file says what comes first."""
    said = []
    for one in found:
        groups = one.sample.groups
        assert groups is not None
        begins = groups[np.r_[True, np.diff(groups) != 0]]
        back = np.flatnonzero(np.bincount(begins) > 1)
        if len(back) and how.order is None:
            names = listed([one.sample.group_names[int(code)] for code in back])
            said.append(f"{one.sample.name}: {names}")
    if not said:
        return ()
    text = (
        f"rows of a record do not stand together, {'; '.join(said)}: they were joined in the order "
        "of the file. --order says which row comes first; if several records have a name, give a "
        "column that tells them apart"
    )
    return (Notice("records-scattered", f"--unit {how.unit}: {text}."),)


def left_out(made: Sequence[Sample]) -> tuple[Notice, ...]:
    """Say which records were left out."""
    said = []
    for sample in made:
        kept = sample.records
        assert kept is not None
        parts = [f"{kept.short:,} with fewer than {kept.rows:,} rows"] * bool(kept.short)
        parts += [f"{kept.holed:,} with missing cells"] * bool(kept.holed)
        if parts:
            total = kept.used + kept.short + kept.holed
            said.append(f"{sample.name}: {' and '.join(parts)} of {total:,}")
    return (Notice("records-left-out", f"Records left out, {'; '.join(said)}."),) if said else ()
