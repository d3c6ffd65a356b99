"""Reading: samples for a calibration, and batches by the columns of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from ..columns import parse_items, quoted
from ..diagnostics.digests import row_hashes
from ..errors import DataError
from ..result import Notice
from ..sample import Sample
from ..sources import ReadOptions, read_samples, samples_from_objects
from ..wording import listed
from .layout import Layout
from .settings import Params

# Rows in file order that are compared as one: chance does not repeat them.
STRETCH = 8
# Share of the pool that may coincide with the reference beyond what the reference does with itself.
OVERLAP = 0.01

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
    how = params.hits_to_events()
    if how is None:
        return options
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

    def choose(names: Sequence[str]) -> Sequence[str]:
        needed = (*layout.names, *([layout.weights] if layout.weights else []))
        absent = [name for name in needed if name not in names]
        if absent:
            raise DataError(
                f"{where}: has no column {listed(absent)}, which the calibration uses; it has "
                f"{listed(names)}. Calibrate anew if the columns have changed."
            )
        return layout.names

    return replace(
        options,
        columns=None,
        exclude=None,
        categorical=quoted(layout.by_value) if layout.by_value else None,
        missing=layout.missing,
        weights=layout.weights,
        signed_weights=False,
        choose=choose,
        # A batch in which a channel is silent is to be judged, not refused.
        empty_columns=True,
        settled=True,
        pivot=layout.pivot,
    )


def require_disjoint(reference: Sample, pool: Sample) -> None:
    """Refuse a pool that holds rows of the reference.

    Rows of the reference fit it too well, so that a law of the null from them would let good
    batches alarm. Equal rows may be chance where columns take few values, so the pool may repeat
    as many as one half of the reference repeats of the other, and twice that; stretches of rows
    that both have in the same order are no chance.
    """
    digests = {i.sha256: i.path for i in reference.inputs if i.sha256 is not None}
    for source in pool.inputs:
        if source.sha256 in digests:
            raise DataError(
                f"pool: {source.path} and {digests[source.sha256]} of the reference are the same "
                "file; give good events that are not in the reference"
            )
    a, b = _hashes(reference), _hashes(pool)
    share = float(np.isin(b, a).mean())
    shuffled = np.random.default_rng(0).permutation(a)
    half = len(a) // 2
    chance = float(np.isin(shuffled[:half], shuffled[half:]).mean()) if half else 0.0
    runs = _stretches(a), _stretches(b)
    known, counts = np.unique(runs[0], return_counts=True)
    repeated = float(np.isin(runs[1], known[counts == 1]).mean()) if len(runs[1]) else 0.0
    if share > 2 * chance + OVERLAP or repeated > OVERLAP:
        raise DataError(
            f"pool: {100 * max(share, repeated):.3g} % of its rows are in the reference, too; give "
            "good events that are not in the reference"
        )


def _hashes(sample: Sample) -> Any:
    """A number per row; categories by their text, as codes differ between samples."""
    order = np.argsort(sample.columns)
    parts = [sample.values[:, order]]
    for k in np.argsort(sample.categorical):
        texts = [float(hash_text(level)) for level in (*sample.levels[k], "")]
        parts.append(np.array(texts)[sample.codes[:, k]][:, None])
    return row_hashes(np.hstack(parts))


def hash_text(text: str) -> int:
    """A number below 2^52 that is the same in every process."""
    import hashlib

    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")


def _stretches(hashes: Any) -> Any:
    """A number for every stretch of consecutive rows."""
    n = len(hashes) - STRETCH + 1
    if n < 1:
        return np.empty(0, np.uint64)
    total = np.zeros(n, np.uint64)
    for k in range(STRETCH):
        total = total * np.uint64(0x100000001B3) + hashes[k : k + n]
    return total


def given_reading(given: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those of `given` that are among the names of options of reading."""
    return {name: given[name] for name in names if name in given}
