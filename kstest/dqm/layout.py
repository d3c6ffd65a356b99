"""Layout: which columns a calibration uses, in which units, and how rows of them are scaled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..columns import Pivot, Units, parse_items, resolve
from ..errors import DataError
from ..kernels import Rows
from ..result import Notice
from ..sample import MISSING_CODE, Sample
from ..wording import listed, shown

Array = NDArray[np.float64]

# Scaled values beyond this are cut: their kernels are zero to everything else anyway.
FAR = 1e4
# Categories of a column that are told apart.
MOST_LEVELS = 50
# A column of a batch with this many times the spread of the reference, or a fraction of it, and
# quantiles at the matching place, is in another unit.
UNIT_FACTOR = 8.0
# How well the places match, in units of the spread.
UNIT_PLACE = 0.5
# Quantiles that describe a column.
NEW = "(others)"
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


@frozen
class Layout:
    """The columns of a calibration.

    Attributes
    ----------
    columns, categorical : tuple of str
        Numeric columns and categories, in the order of the features.
    by_value : tuple of str
        Categories that --categorical made of numbers.
    levels : tuple of tuple of str
        Known categories; rarer ones than the 50 most frequent, and new ones, count as one more.
    mean, sd : tuple of float
        Of the reference: values enter as (x - mean) / sd.
    quantiles : tuple of tuple of float
        Smallest value, quartiles and largest value of each numeric column of the reference.
    marks : bool
        Whether missing cells are kept and marked.
    missing : {'error', 'drop', 'indicator'}
    weights : str or None
        Column with the weights of events of pool and batches.
    pivot : Pivot or None
        How hits become events, where files hold hits.
    units : Units or None
        How rows become records, where these are judged, by the rows of a record that the reference
        has settled; `columns` are features then.
    unit_columns : tuple of str
        The columns of the rows of records.
    """

    columns: tuple[str, ...]
    categorical: tuple[str, ...]
    by_value: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    quantiles: tuple[tuple[float, ...], ...]
    marks: bool
    missing: str
    weights: str | None = None
    pivot: Pivot | None = None
    units: Units | None = None
    unit_columns: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.columns, *self.categorical)

    def rows(self, sample: Sample) -> Rows:
        """Scale the rows of a sample; categories that the reference has not are all alike."""
        place = [sample.columns.index(name) for name in self.columns]
        values = (sample.values[:, place] - np.array(self.mean)) / np.array(self.sd)
        np.clip(values, -FAR, FAR, out=values)
        codes = [self._codes(sample, name, known)
                 for name, known in zip(self.categorical, self.levels, strict=True)]  # fmt: skip
        if self.marks:
            holes = np.zeros(values.shape, bool)
            if sample.missing is not None:
                holes = sample.missing[:, place]
            values[holes] = 0
            codes += list(holes.T.astype(np.int32))
        table = np.stack(codes, axis=1) if codes else np.empty((sample.n, 0), np.int32)
        return Rows(np.ascontiguousarray(values), np.ascontiguousarray(table, dtype=np.int32))

    @property
    def code_values(self) -> list[list[int]]:
        """For each column of codes of `rows` the values that may occur."""
        missing = [MISSING_CODE] if self.marks else []
        return [[*missing, *range(len(known) + 1)] for known in self.levels] + (
            [[0, 1] for _ in self.columns] if self.marks else []
        )

    def _codes(self, sample: Sample, name: str, known: Sequence[str]) -> NDArray[np.int32]:
        """Codes in the calibration's levels; -1 missing, and one more for unknown levels."""
        k = sample.categorical.index(name)
        places = {level: code for code, level in enumerate(known)}
        table = [places.get(level, len(known)) for level in sample.levels[k]]
        return np.array([*table, MISSING_CODE], np.int32)[sample.codes[:, k]]

    def sample(self, rows: Rows, weights: Array | None, name: str) -> Sample:
        """Turn scaled rows back into a Sample, for descriptions and drawings."""
        d, c = len(self.columns), len(self.categorical)
        values = rows.values * np.array(self.sd) + np.array(self.mean)
        missing = rows.codes[:, c:].astype(bool) if self.marks and d else None
        return Sample(
            name,
            values,
            self.columns,
            missing=missing,
            categorical=self.categorical,
            codes=np.ascontiguousarray(rows.codes[:, :c]),
            levels=tuple((*known, NEW) for known in self.levels),
            weights=weights,
        )

    def unknown(self, sample: Sample) -> tuple[Notice, ...]:
        """Say which categories of a batch the reference has not."""
        found = []
        for name, known in zip(self.categorical, self.levels, strict=True):
            k = sample.categorical.index(name)
            met = {sample.levels[k][code] for code in np.unique(sample.codes[:, k]) if code >= 0}
            new = sorted(met - set(known))
            if new:
                text = f"column {shown(name)} has values that the reference has not: {listed(new)}"
                found.append(Notice("new-categories", f"{sample.name}: {text}"))
        return tuple(found)

    def require_kinds(self, sample: Sample, where: str) -> None:
        """Refuse a sample whose columns are of another type."""
        for name in self.columns:
            if name in sample.categorical:
                raise DataError(
                    f"{where}: column {shown(name)} holds text, but numbers in the calibration. "
                    "Mend the file (is a cell no number?) or calibrate anew."
                )
        for name in self.categorical:
            if name in sample.columns:
                raise DataError(
                    f"{where}: column {shown(name)} holds numbers, but text in the calibration. "
                    "Mend the file, or calibrate anew with this column in --categorical."
                )

    def other_units(self, sample: Sample, where: str) -> list[str]:
        """Say which columns of a sample look as if they were in another unit.

        Either the quartiles of the batch are those of the reference times a factor of 8 or more,
        or less than 1/8 (milliseconds for seconds), or more than half of the values lie farther
        outside of the reference's range than that range is wide (kelvin for degrees Celsius).
        Of the features of records only level and spread have a unit.
        """
        found = []
        for name, q in zip(self.columns, self.quantiles, strict=True):
            if self.units is not None and not name.endswith((": level", ": spread")):
                continue
            values = sample.values[:, sample.columns.index(name)]
            if sample.missing is not None:
                values = values[~sample.missing[:, sample.columns.index(name)]]
            if not len(values):
                continue
            quartiles = _quantiles(values, QUANTILES[1:4])
            width, spread = q[4] - q[0], q[3] - q[1]
            own = float(quartiles[2] - quartiles[0])
            text = (
                f"{where}: column {shown(name)} has the middle half of its values in "
                f"{quartiles[0]:.4g} to {quartiles[2]:.4g}, the reference in {q[1]:.4g} to "
                f"{q[3]:.4g}"
            )
            factor = own / spread if spread > 0 else 1.0
            if factor > UNIT_FACTOR or 0 < factor < 1 / UNIT_FACTOR:
                apart = np.abs(quartiles / factor - np.array(q[1:4]))
                if apart.max() < UNIT_PLACE * spread:
                    found.append(f"{text}: as if multiplied by {factor:.4g}")
            outside = (values < q[0] - width) | (values > q[4] + width)
            if width > 0 and outside.mean() > 0.5:
                found.append(f"{text}: most of the batch lies far outside of its range")
        return found

    def to_dict(self) -> dict[str, Any]:
        found = asdict(self)
        if self.units is None:  # as before there were any
            del found["units"], found["unit_columns"]
        return found

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Layout:
        values = {name: _tuples(value) for name, value in given.items()}
        how, units = values.pop("pivot", None), values.pop("units", None)
        return cls(
            **values,
            pivot=None if how is None else Pivot(**how),
            units=None if units is None else Units(**units),
        )


def _quantiles(values: Array, levels: Sequence[float]) -> Array:
    """As `np.quantile`, which imports masked arrays: a tenth of what a small command costs."""
    ordered, place = np.sort(values), np.array(levels) * (len(values) - 1)
    low = place.astype(np.intp)
    high = np.minimum(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def layout(sample: Sample, options: Any, weights_column: str | None) -> Layout:
    """Describe the columns of the reference.

    Parameters
    ----------
    sample : Sample
        The reference; some of its weights may be negative.
    options : ReadOptions
        With which it was read.
    weights_column : str or None
        Of pool and batches.

    Raises
    ------
    DataError
        For weights that do not add up to a positive number, or a constant column.
    """
    weights = sample.weights
    if weights is not None and weights.sum() <= 0:
        raise DataError(
            f"reference: the weights in {shown(options.weights)} add up to "
            f"{weights.sum():.4g}; a positive sum is needed"
        )
    v = np.ones(sample.n) if weights is None else weights
    mean, sd, quantiles, used = [], [], [], []
    for c, name in enumerate(sample.columns):
        values, own = sample.values[:, c], v
        if sample.records is not None and np.ptp(values) == 0:
            continue  # a feature that nothing in the data can do without, or mend
        used.append(name)
        if sample.missing is not None:
            there = ~sample.missing[:, c]
            values, own = values[there], v[there]
        if not len(values) or values.min() == values.max():
            raise DataError(
                f"reference: column {shown(name)} is constant: there is no unit to measure "
                f"differences in. Leave it out with --exclude {shown(name)}, or read it as a "
                f"category with --categorical {shown(name)}."
            )
        moments = _moments(values, own)
        mean.append(moments[0])
        sd.append(moments[1])
        quantiles.append(tuple(float(q) for q in np.quantile(values, QUANTILES)))
    by_value: Sequence[str] = ()
    if options.categorical is not None:
        items = parse_items(options.categorical, "--categorical")
        by_value = resolve(items, sample.file_columns, "--categorical")
    records, units = sample.records, options.units
    if records is not None:
        if not used:
            raise DataError(
                "reference: all records have the same features: there is no unit to measure "
                "differences in."
            )
        units = replace(units, rows=records.rows)
    return Layout(
        tuple(used),
        sample.categorical,
        tuple(name for name in sample.categorical if name in by_value),
        _frequent(sample),
        tuple(mean),
        tuple(sd),
        tuple(quantiles),
        options.missing == "indicator",
        options.missing,
        weights_column,
        options.pivot,
        units,
        () if records is None else records.columns,
    )


def _moments(values: Array, weights: Array) -> tuple[float, float]:
    """Mean and standard deviation; of the absolute weights where signed ones give no variance."""
    for v in (weights, np.abs(weights)):
        if v.sum() > 0:
            mean = float(v @ values / v.sum())
            variance = float(v @ (values - mean) ** 2 / v.sum())
            if variance > 0:
                return mean, math.sqrt(variance)
    return float(values.mean()), float(values.std())


def _frequent(sample: Sample) -> tuple[tuple[str, ...], ...]:
    """The most frequent levels of every categorical column, in their order."""
    found = []
    for k, levels in enumerate(sample.levels):
        counts = np.bincount(sample.codes[sample.codes[:, k] >= 0, k], minlength=len(levels))
        top = sorted(np.argsort(-counts, kind="stable")[:MOST_LEVELS].tolist())
        found.append(tuple(levels[code] for code in top if counts[code]))
    return tuple(found)


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _tuples(part) for name, part in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
