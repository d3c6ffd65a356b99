"""Records of a stream: all of the reference at once, then a record when its rows are complete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from kstest.archive.ledger import digest_of
from kstest.columns import Units
from kstest.errors import DataError
from kstest.result import Notice
from kstest.sample import Records, Sample
from kstest.sources.unit_features import features
from kstest.sources.units import Gathered, gathered, left_out, records, rows_of
from kstest.wording import shown


@dataclass
class Stream:
    """What the sides of a run know of each other's records.

    The reference is read first, and decides how many rows of a record are looked at. Rows of a
    record of the stream have to be neighbours: it is complete when another one begins, or at the
    end of the run, so blocks and files cut none in two.

    Attributes
    ----------
    how : Units
    columns, categorical : tuple of str
        Of the rows.
    kept : dict of str to Sample
        What is known of each side so far: `Records` in a sample without rows.
    cut : tuple of str
        Digests of the records with which earlier batches ended. One that goes on at the beginning
        of this batch was looked at as far as it went, and its rest is no record.
    last : str
        The record with which the stream ends so far.
    rest : tuple of (str, int)
        The record that went on, and how many of its rows were left out.
    """

    how: Units
    columns: Sequence[str]
    categorical: Sequence[str]
    rows: int | None = None
    kept: dict[str, Records] = field(default_factory=dict)
    cut: tuple[str, ...] = ()
    last: str = ""
    rest: tuple[str, int] = ("", 0)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        columns = tuple(self.columns if self.how.order is None else self.columns[:-1])
        none = np.zeros((0, self.how.rows or 1000, len(columns)))
        return (*features(none, columns, self.how.seed)[1], *(["length"] * self.how.length))

    def records(self, side: str, rows: Iterator[Sample]) -> Iterator[Sample]:
        """Turn rows of a side into records, as they are complete."""
        if self.rows is None:
            whole = _joined(list(rows))
            found = gathered(whole, self.how)
            self.rows = rows_of([found], self.how)
            yield self._made(side, found)
            return
        met: set[str] = set()
        waiting: list[Sample] = []
        for some in self._without_rest(rows, met):
            found = gathered(_joined([*waiting, some]), self.how)
            at = _last_begins(found, met, self.how)
            if at:
                yield from self._some(side, _part(found.sample, 0, at))
            waiting = [_part(found.sample, at, found.sample.n)]
        if waiting:
            yield from self._some(side, waiting[0])

    def _without_rest(self, rows: Iterator[Sample], met: set[str]) -> Iterator[Sample]:
        """Leave out what comes first of a record with which an earlier batch ended."""
        cut, resting = self.cut, True
        for some in rows:
            assert some.groups is not None
            names, first = [some.group_names[int(g)] for g in some.groups[[0, -1]]], 0
            if resting and digest_of(names[0]) in cut:
                others = np.flatnonzero(some.groups != some.groups[0])
                first = int(others[0]) if len(others) else some.n
                self.rest, cut = (names[0], self.rest[1] + first), (digest_of(names[0]),)
                met.add(names[0])
            resting = resting and first == some.n
            self.last = names[1]
            if first < some.n:
                yield _part(some, first, some.n)

    def ended(self) -> tuple[str, ...]:
        """`cut`, once this batch has ended."""
        return tuple(dict.fromkeys((*self.cut, *([digest_of(self.last)] if self.last else ()))))

    def _some(self, side: str, rows: Sample) -> Iterator[Sample]:
        made = self._made(side, gathered(rows, self.how))
        if made.n:
            yield made

    def _made(self, side: str, found: Gathered) -> Sample:
        assert self.rows is not None
        made = records(found, self.how, self.rows)
        more, so_far = made.records, self.kept.get(side)
        assert more is not None
        if so_far is not None:
            more = replace(
                more,
                used=so_far.used + more.used,
                short=so_far.short + more.short,
                holed=so_far.holed + more.holed,
            )
        self.kept[side] = more
        return made

    def samples(self) -> list[Sample]:
        """Samples that say what records there are, in place of them."""
        return [
            Sample(side, np.zeros((known.used, 0)), (), records=known)
            for side, known in self.kept.items()
        ]

    def notices(self, side: str) -> tuple[Notice, ...]:
        """Say which records of a side were left out."""
        found = left_out([s for s in self.samples() if s.name == side])
        name, rows = self.rest
        if not rows or side == next(iter(self.kept), ""):
            return found
        said = (
            f"record {shown(name)} of column {shown(self.how.unit)} began in an earlier batch and "
            f"was looked at as far as it went there: its rest, the first {rows:,} rows, is no "
            "record and was left out"
        )
        wrong = "; the length that counts for it, --unit-length, is that of its beginning"
        return (*found, Notice("record-goes-on", said + wrong * self.how.length + "."))


def _joined(parts: Sequence[Sample]) -> Sample:
    """One sample of several, whose groups are known by their names."""
    names: dict[str, int] = {}
    groups = []
    for part in parts:
        table = [names.setdefault(name, len(names)) for name in part.group_names]
        groups.append(np.array(table, np.int64)[part.groups])
    holes = [np.zeros(p.values.shape, bool) if p.missing is None else p.missing for p in parts]
    return replace(
        parts[0],
        values=np.concatenate([part.values for part in parts]),
        missing=np.concatenate(holes) if any(p.missing is not None for p in parts) else None,
        codes=np.empty((0, 0), np.int32),
        groups=np.concatenate(groups),
        group_names=tuple(names),
        inputs=(),
        kept=(),
    )


def _last_begins(found: Gathered, met: set[str], how: Units) -> int:
    """Where the rows of the last record begin; the others are complete, and `met` from now on."""
    groups = found.sample.groups
    assert groups is not None
    changes = np.r_[0, np.flatnonzero(np.diff(groups)) + 1]
    for k, at in enumerate(changes):
        name = found.sample.group_names[int(groups[at])]
        if name in met:
            raise DataError(
                f"{found.sample.name}: rows of record {shown(name)} of column {shown(how.unit)} "
                "come after those of others; in a stream the rows of a record are neighbours. Sort "
                f"the rows by column {shown(how.unit)} first."
            )
        if k < len(changes) - 1:
            met.add(name)
    return int(changes[-1])


def _part(sample: Sample, first: int, last: int) -> Sample:
    return replace(sample.part(first, last), inputs=())
