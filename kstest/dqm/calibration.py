"""Calibration: all that is known before a batch comes, and the file that keeps it."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..archive import load as load_archive
from ..archive import save as save_archive
from ..engine import Work
from ..errors import DataError, UsageError
from ..kernels import Rows
from ..likelihood_ratio import (
    Features,
    Pool,
    QuadraticDistribution,
    Reference,
    combine,
    combined_tail,
    toy_statistics,
)
from ..likelihood_ratio.features import SCALES
from ..nulls import p_value, threshold
from .layout import Layout
from .schema import require

Array = NDArray[np.float64]

KIND, VERSION = "calibration", 2
# Version 1 knew no axes: its distances are those of the columns.
READABLE = (1, VERSION)
# The analytic distribution averages over references; from this many times the batch on that is
# harmless.
ANALYTIC_ROWS = 10


@frozen
class Score:
    """What one batch got.

    Attributes
    ----------
    statistics : ndarray (K,)
        t of every width.
    tails : ndarray (K,)
        Their analytic p-values.
    p_value : float
        From the toys.
    analytic : float
        Analytic p-value of all widths.
    """

    statistics: Array
    tails: Array
    p_value: float
    analytic: float


@frozen
class Calibration:
    """A calibration.

    Attributes
    ----------
    layout : Layout
    reference : Reference
    sizes : tuple of int
        Sizes of batches, increasing; with Poisson counts their means.
    ridges : tuple of float
        Per unit of data weight, for each size.
    toys : tuple of ndarray (K, B)
        Statistics of the toys of each size.
    toy_tails : tuple of ndarray (K, B)
        Logarithms of their analytic p-values.
    runs : tuple of (ndarray of int (B,) or None)
        The run of each toy, with --tolerance.
    laws : tuple of tuple of QuadraticLaw
        For each size and width.
    settings : mapping
        The options of `calibrate`.
    held_out : Rows
        A batch of the pool that is in no toy, for the selftest; empty if the pool was too small.
    held_out_weights : ndarray or None
    record : mapping
        Inputs, provenance, warnings.
    """

    layout: Layout
    reference: Reference
    sizes: tuple[int, ...]
    ridges: tuple[float, ...]
    toys: tuple[Array, ...]
    toy_tails: tuple[Array, ...]
    runs: tuple[NDArray[np.int64] | None, ...]
    distributions: tuple[tuple[QuadraticDistribution, ...], ...]
    settings: Mapping[str, Any]
    held_out: Rows
    held_out_weights: Array | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def widths(self) -> tuple[float, ...]:
        return tuple(f.bandwidth for f in self.reference.features)

    @property
    def scales(self) -> tuple[str, ...]:
        """How distances are measured for each width."""
        return tuple(SCALES[f.axes is not None] for f in self.reference.features)

    @property
    def poisson(self) -> bool:
        return bool(self.settings["count"] == "poisson")

    @property
    def smallest_p_value(self) -> float:
        """The smallest p-value that the toys can give."""
        some = [self.run_count(g) or t.shape[1] for g, t in enumerate(self.toys)]
        return 1 / (1 + min(some))

    def run_count(self, g: int) -> int:
        """Number of runs that the toys of size g come from; 0 where that plays no part."""
        runs = self.runs[g]
        return 0 if runs is None else int(runs.max()) + 1

    def analytic_offered(self, g: int) -> bool:
        enough = self.reference.effective_rows >= ANALYTIC_ROWS * self.sizes[g]
        return enough and not self.reference.signed

    def size_for(self, weight: float) -> int | None:
        """Place of the largest size that a batch can fill; None if it fills none."""
        below = [g for g, size in enumerate(self.sizes) if size <= weight]
        return below[-1] if below else None

    def scores(
        self, batches: Sequence[Rows], weights: Sequence[Array | None], g: int, work: Work
    ) -> list[Score]:
        """Judge batches by the toys of size g, each as if it were the only one.

        Parameters
        ----------
        batches : sequence of Rows
            Scaled by the layout.
        weights : sequence of (ndarray or None)
        g : int
        work : Work
        """
        ends = np.cumsum([0, *map(len, batches)])
        joined = Rows(
            np.concatenate([b.values for b in batches]), np.concatenate([b.codes for b in batches])
        )
        own = None if weights[0] is None else np.concatenate([np.asarray(w) for w in weights])
        t = toy_statistics(
            self.reference,
            Pool(joined, own),
            [np.arange(a, b) for a, b in itertools.pairwise(ends)],
            self.expected(g),
            self.ridges[g],
            str(self.settings["statistic"]),
            self.settings["fit"] == "converged",
            work,
            alone=True,
        )
        return [self._score(t[:, b], g) for b in range(len(batches))]

    def expected(self, g: int) -> float | None:
        """Weight that the reference expects in a batch; None for the batch's own."""
        return float(self.sizes[g]) if self.poisson else None

    def _score(self, t: Array, g: int) -> Score:
        logs = np.array(
            [
                distribution.log_tail(float(x))
                for distribution, x in zip(self.distributions[g], t, strict=True)
            ]
        )
        how, runs = str(self.settings["aggregate"]), self.runs[g]
        combined = combine(
            np.column_stack([t, self.toys[g]]), np.column_stack([logs, self.toy_tails[g]]), how
        )
        p = p_value(combined) if runs is None else _between(combined, runs)
        return Score(t, np.exp(np.maximum(logs, -700)), p, combined_tail(logs, how))

    def threshold(self, g: int, alpha: float) -> float | None:
        """Statistic from which on the toys reject; None for several widths, or between runs."""
        if self.runs[g] is not None or len(self.widths) > 1:
            return None
        return threshold(np.array([0.0, *self.toys[g][0]]), alpha)

    @cached_property
    def digest(self) -> str:
        """Of all that a p-value comes from: equal where they are, whenever and wherever made."""
        header, arrays = self._content()
        found = hashlib.blake2b(digest_size=8)
        named = {name: value for name, value in header.items() if name != "record"}
        found.update(json.dumps(named, sort_keys=True).encode())
        for name, array in sorted(arrays.items()):
            found.update(f"{name} {array.shape}".encode())
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    def save(self, path: str) -> None:
        """Write the file, whole or not at all."""
        save_archive(path, KIND, VERSION, *self._content())

    def _content(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and arrays of the file."""
        ref = self.reference
        arrays: dict[str, Any] = {
            "reference_values": ref.rows.values,
            "reference_codes": ref.rows.codes,
            "shares": ref.shares,
            "centre_values": ref.centres.values,
            "centre_codes": ref.centres.codes,
        }
        arrays |= {
            "held_out_values": self.held_out.values,
            "held_out_codes": self.held_out.codes,
        }
        if self.held_out_weights is not None:
            arrays["held_out_weights"] = self.held_out_weights
        for k, f in enumerate(ref.features):
            arrays |= {f"whitening_{k}": f.whitening, f"gram_{k}": ref.grams[k]}
            arrays[f"mean_{k}"] = ref.means[k]
            if f.axes is not None:
                arrays["axes"] = f.axes
        for g, toys in enumerate(self.toys):
            arrays |= {f"toys_{g}": toys, f"toy_tails_{g}": self.toy_tails[g]}
            runs = self.runs[g]
            if runs is not None:
                arrays[f"runs_{g}"] = runs
            for k, distribution in enumerate(self.distributions[g]):
                arrays |= {f"law_{g}_{k}": np.stack([distribution.weights, distribution.linear])}
        header = {
            "layout": self.layout.to_dict(),
            "widths": list(self.widths),
            "scales": list(self.scales),
            "sizes": list(self.sizes),
            "ridges": list(self.ridges),
            "settings": dict(self.settings),
            "record": dict(self.record),
        }
        return header, arrays


def load(path: str) -> Calibration:
    """Read a calibration.

    Raises
    ------
    DataError
        If the file is none, is damaged, or is of a version that is not known.
    """
    header, arrays = load_archive(path, KIND, READABLE)
    try:
        require(header, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, LookupError, UsageError) as error:
        raise DataError(
            f"{path}: is a calibration, but not of this kstest ({error}); calibrate anew"
        ) from error
    widths, sizes = header["widths"], header["sizes"]
    K = range(len(widths))
    scales = header.get("scales", [SCALES[0]] * len(widths))
    axes = [None if scale == SCALES[0] else arrays["axes"] for scale in scales]
    reference = Reference(
        Rows(arrays["reference_values"], arrays["reference_codes"]),
        arrays["shares"],
        Rows(arrays["centre_values"], arrays["centre_codes"]),
        tuple(Features(h, arrays[f"whitening_{k}"], axes[k]) for k, h in enumerate(widths)),
        tuple(arrays[f"gram_{k}"] for k in K),
        tuple(arrays[f"mean_{k}"] for k in K),
    )
    G = range(len(sizes))
    return Calibration(
        Layout.from_dict(header["layout"]),
        reference,
        tuple(sizes),
        tuple(header["ridges"]),
        tuple(arrays[f"toys_{g}"] for g in G),
        tuple(arrays[f"toy_tails_{g}"] for g in G),
        tuple(arrays.get(f"runs_{g}") for g in G),
        tuple(tuple(QuadraticDistribution(*arrays[f"law_{g}_{k}"]) for k in K) for g in G),
        header["settings"],
        Rows(arrays["held_out_values"], arrays["held_out_codes"]),
        arrays.get("held_out_weights"),
        header["record"],
    )


def _between(combined: Array, runs: NDArray[np.int64]) -> float:
    """p-value among R runs: (1 + sum over runs of the share of toys as large) / (1 + R).

    With one toy per run it is exact if the runs, the batch's own included, are exchangeable; more
    toys take the average over which of a run's events are drawn.
    """
    above = combined[1:] >= combined[0]
    shares = [above[runs == run].mean() for run in range(int(runs.max()) + 1)]
    return float((1 + sum(shares)) / (1 + len(shares)))
