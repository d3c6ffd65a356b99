"""The second pass of `ksd` over rows that nobody keeps: the Stein kernel at landmarks by bin.

A task reads a span, finds the bin of every row by its number (`kstest.nulls.places`), and returns
its part of the sums. Spans and the batches in them follow from the files alone, and parts are added
in their order, so that the bits of the sums do not depend on who summed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...contract import SpanReader
from ...engine import Work
from ...engine.stein import SteinPoints, stein_sums
from ...kernels import BandwidthGrid
from ...nulls import sign_bins
from ...nulls.places import scattered
from ...result import Notice
from ...sample import Input, Sample
from ...targets import Target
from ..two_passes.spans import batches, digest, unspent
from .data import Given, coordinates, oddities, on_target, outside_support, with_scores
from .statistic import Frame

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@frozen
class Setting:
    """What every task of the second pass needs to know.

    Attributes
    ----------
    target : Target or None
        None where columns hold the scores.
    prefix : str
        Of these columns.
    frame : Frame
    centre : ndarray (d,)
        Of the mapped coordinates on lines: products of matrices lose digits far from the origin.
    grid : BandwidthGrid
    landmarks : (ndarray, ndarray)
        Mapped rows and scores (r, d).
    rows : int
        Rows of all spans that are summed.
    keys : ndarray of uint64
        Of the bins.
    spent : ndarray of int
        Numbers of the rows that are left out, in order.
    """

    target: Target | None
    prefix: str
    frame: Frame
    centre: Array
    grid: BandwidthGrid
    landmarks: tuple[Array, Array]
    rows: int
    keys: NDArray[np.uint64]
    spent: Whole

    @property
    def marks(self) -> SteinPoints:
        """The landmarks."""
        return self.points(np.empty((0, len(self.centre))), np.empty((0, len(self.centre))))

    def points(self, Y: Array, S: Array) -> SteinPoints:
        """The landmarks, and rows of other coordinates and scores after them."""
        rows, scores = self.frame.mapped(Y, S)
        rows = np.concatenate([self.landmarks[0], rows]) - self.centre
        return SteinPoints(rows, np.concatenate([self.landmarks[1], scores]), self.frame.radius)


@dataclass
class Sums:
    """Sums over rows.

    Attributes
    ----------
    cross : ndarray (L, r, G)
        Of the Stein kernel between landmarks and the rows of every bin.
    outside : str
        Where the first value outside the support is.
    notices : tuple of Notice
        On rows that are neighbours, from the first batch of all.
    """

    cross: Array
    outside: str = ""
    notices: tuple[Notice, ...] = ()

    @classmethod
    def empty(cls, how: Setting) -> Sums:
        bins = len(sign_bins(how.rows)) - 1
        return cls(np.zeros((len(how.grid), len(how.landmarks[0]), bins)))

    def add(self, more: Sums) -> None:
        """Take the sums over the rows after those that were summed."""
        self.cross += more.cross
        self.outside = self.outside or more.outside
        self.notices += more.notices

    @property
    def digest(self) -> str:
        """Of all sums: equal digests, equal answers."""
        return digest((self.cross,))


def stein_summed(
    reader: SpanReader, span: Any, first: int, rows: int, several: bool, how: Setting
) -> Sums:
    """Read a span for the second time: a task.

    Parameters
    ----------
    reader, span, first, rows
        See `two_passes.spans.batches`.
    several : bool
        Whether messages name the file.
    how : Setting
    """
    out = Sums.empty(how)
    for piece, place, batch, number in batches(reader, span, first, rows):
        own = place + np.arange(batch.n, dtype=np.int64)
        _add(out, located(batch, own, piece.label, several), number, how)
    return out


def _add(out: Sums, sample: Sample, first: int, how: Setting) -> None:
    """Add a batch whose first row has the number `first`."""
    given = _given(sample, how)
    out.outside = out.outside or outside_support(given)
    if out.outside:
        return
    Y, S = coordinates(given)
    if not first:
        said = oddities(Y, S, given, "wild")
        out.notices += tuple(n for n in said if n.code == "serial-dependence")
    keep, number = unspent(how.spent, first, sample.n)
    if not len(keep):
        return
    place = scattered(number, how.rows, how.keys)
    bins = np.searchsorted(sign_bins(how.rows), place, side="right") - 1
    order = np.argsort(bins, kind="stable")
    present, starts = np.unique(bins[order], return_index=True)
    points, r = how.points(Y[keep[order]], S[keep[order]]), len(how.landmarks[0])
    blocks = np.concatenate([np.arange(r), r + starts, [len(points)]]).astype(np.int64)
    sums = stein_sums(points, blocks, how.grid, Work(threads=1), first=r)
    out.cross[:, :, present] += sums.blocks[:, :r, r:]


def _given(sample: Sample, how: Setting) -> Given:
    if how.target is None:
        return with_scores(sample, how.prefix)
    return on_target(sample, how.target)


def located(sample: Sample, number: Whole, where: str, several: bool) -> Sample:
    """The sample with numbers of its rows in their file, from 0, for messages."""
    other = ((Input("", 0, 0, 0), np.empty(0, np.int64)),) * several
    inputs, kept = zip((Input(where, sample.n, sample.n, 0), number + 1), *other, strict=True)
    return replace(sample, inputs=inputs, kept=kept)


def numbered(
    sample: Sample, number: Whole, paths: Sequence[str], files: Mapping[int, tuple[int, ...]]
) -> Sample:
    """Rows with ascending numbers among all used ones, numbered in their files, for messages."""
    used = [files.get(k, (0, 0))[1] for k in range(len(paths))]
    ends = np.cumsum([0, *used])
    of = np.searchsorted(ends, number, side="right") - 1
    kept = tuple(number[of == k] - ends[k] + 1 for k in range(len(paths)))
    inputs = tuple(
        Input(path, len(own), len(own), 0) for path, own in zip(paths, kept, strict=True)
    )
    return replace(sample, inputs=inputs, kept=kept)
