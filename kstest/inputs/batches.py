"""Samples for a calibration, and batches by the columns of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

from ..columns import parse_items, quoted
from ..dqm.calibrate import calibrate
from ..dqm.calibration import Calibration
from ..dqm.layout import Layout, layout
from ..dqm.settings import Params
from ..engine import Work
from ..errors import DataError, UsageError
from ..result import Notice
from ..sample import Sample
from ..sources import FILE_ROW, ReadOptions, pivot_of, read_samples, samples_from_objects
from ..wording import listed

Read = Callable[[str, Any, ReadOptions], tuple[Sample, tuple[Notice, ...]]]


def from_files(stdin: BinaryIO | None = None) -> Read:
    """Read a side from paths."""

    def read(side: str, paths: Any, options: ReadOptions) -> tuple[Sample, tuple[Notice, ...]]:
        (sample,), notices = read_samples({side: list(paths)}, options, stdin)
        return sample, notices

    return read


def from_objects(side: str, data: Any, options: ReadOptions) -> tuple[Sample, tuple[Notice, ...]]:
    """Read a side from an array, a DataFrame or an Arrow table."""
    (sample,), notices = samples_from_objects({side: data}, options)
    return sample, notices


def hits_gathered(options: ReadOptions, params: Params) -> ReadOptions:
    """Options that read events where files hold hits.

    What an event lacks is marked, whatever --missing says about the cells of a hit; columns with
    weights and groups are of events.
    """
    if params.pivot is None:
        return options
    if options.group == FILE_ROW:  # every event is a row then
        options = replace(options, group=None)
    how = pivot_of(params.pivot, params.hit_order, params.hits, params.channels, params.per_event)
    roles = (options.weights, options.group, params.reference_weights)
    also = tuple(name for text in roles if text is not None for name in parse_items(text, ""))
    strict = options.missing == "error"
    return replace(
        options,
        pivot=replace(how, also=also, strict=strict),
        missing="indicator" if strict else options.missing,
    )


def reference_options(options: ReadOptions, weights: str | None) -> ReadOptions:
    """Options for the reference: its own weights, and not the columns that only a pool needs."""
    apart = {options.weights, options.group} - {None}

    def choose(names: Sequence[str]) -> Sequence[str]:
        return [name for name in names if name not in apart]

    return replace(
        options,
        weights=weights,
        group=None,
        signed_weights=True,
        choose=choose if apart else None,
    )


def batch_options(layout: Layout, options: ReadOptions, where: str) -> ReadOptions:
    """Options that read exactly the columns of a calibration.

    Parameters
    ----------
    layout : Layout
    options : ReadOptions
        How the bytes are to be taken, and which rows.
    where : str
        What is read, for messages.
    """

    units = layout.units

    def choose(names: Sequence[str]) -> Sequence[str]:
        tested = layout.names if units is None else layout.unit_columns
        needed = [*tested, *([units.unit] if units else [])]
        needed += [layout.weights] if layout.weights else []
        absent = [name for name in needed if name not in names]
        if absent:
            raise DataError(
                f"{where}: has no column {listed(absent)}, which the calibration uses; it has "
                f"{listed(names)}. Calibrate anew if the columns have changed."
            )
        return tested

    given: dict[str, Any] = {} if units is None else {
        "unit": units.unit, "order": units.order, "unit_rows": str(units.rows),
        "unit_length": units.length, "unit_seed": units.seed,
    }  # fmt: skip
    return replace(
        options,
        columns=None,
        exclude=None,
        categorical=quoted(layout.by_value) if layout.by_value else None,
        missing=layout.missing,
        group=None if options.group == FILE_ROW else options.group,
        weights=layout.weights,
        signed_weights=False,
        choose=choose,
        # A batch in which a channel is silent is to be judged, not refused.
        empty_columns=True,
        settled=True,
        pivot=layout.pivot,
        **given,
    )


def calibrated(
    data: Mapping[str, Any], params: Params, options: ReadOptions, read: Read, work: Work
) -> Calibration:
    """Read good events and calibrate (`kstest.dqm.calibrate`).

    Parameters
    ----------
    data : mapping of str to anything that `read` takes
        Of ``reference`` and ``pool``.
    params : Params
    options : ReadOptions
    read : callable
        `from_files` or `from_objects`.
    work : Work
    """
    options = hits_gathered(replace(options, unit_seed=params.seed), params)
    if options.unit is not None and options.pivot is not None:
        raise UsageError("--unit and --pivot: rows become records or events; give one of the two")
    asked = reference_options(options, params.reference_weights)
    reference, notices = read("reference", data["reference"], asked)
    described = layout(reference, asked, options.weights)
    pool, more = read("pool", data["pool"], batch_options(described, options, "pool"))
    return calibrate((reference, pool), described, params, (*notices, *more), work)
