"""The Stein statistic and its replicates: coordinates, bandwidths, random signs, simulation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...diagnostics.digests import row_hashes
from ...engine import Work
from ...engine.stein import SteinPoints, stein_sums, stein_totals
from ...errors import UsageError
from ...kernels import KERNELS, BandwidthGrid, stein_bandwidths
from ...kernels.whitening import whitening
from ...nulls import independent_signs, sign_bins
from ...targets import Target, Transform
from ..common import bandwidth_numbers
from .draws import Draws
from .signs import Signs, random_signs

Array = NDArray[np.float64]

# Rows whose pairwise distances give the bandwidths.
DISTANCE_ROWS = 100
# Rows simulated from the target to fix coordinates and bandwidths.
REFERENCE_ROWS = 2000
# Correlations of fewer rows than this many per column are noise; then columns are only scaled.
ROWS_PER_COLUMN = 5
# From this many rows on the sum over pairs is replaced by features at landmark rows.
MANY_ROWS = 200_000
LANDMARKS = 300
# Features of eigenvalues below this share of the largest are rounding noise.
FEATURE_RANK = 1e-10
# Pairs of all simulated samples from which on the user is told that it takes long.
MANY_PAIRS = 2e10


@frozen
class Frame:
    """The linear map to the coordinates in which the kernel is isotropic.

    Any invertible map leaves Stein's identity intact. Angles become arcs of a circle whose
    radius is one over their spread.

    Attributes
    ----------
    line : ndarray of bool (d,)
        Coordinates on a line; the others are angles.
    centre, forward, backward
        The whitening of the coordinates on a line.
    unit : ndarray (d,)
        Radians per unit of arc.
    """

    line: NDArray[np.bool_]
    centre: Array
    forward: Array
    backward: Array
    unit: Array

    @classmethod
    def of(cls, Y: Array, transforms: Sequence[Transform], scale: str) -> Frame:
        """Choose the map from rows of the target, or of the data where it cannot be sampled."""
        line = np.array([not transform.angle for transform in transforms])
        count, unit = int(line.sum()), np.ones(len(line))
        if scale == "none":
            return cls(line, np.zeros(count), np.eye(count), np.eye(count), unit)
        full = scale == "whiten" and len(Y) >= ROWS_PER_COLUMN * count
        map_ = whitening(Y[:, line], correlated=full)
        for c in np.flatnonzero(~line):
            resultant = abs(np.mean(np.exp(1j * Y[:, c])))
            unit[c] = math.sqrt(max(2 * (1 - resultant), 1e-12))
        return cls(line, map_.centre, map_.forward, map_.backward, unit)

    def points(self, Y: Array, S: Array) -> SteinPoints:
        """Map coordinates and scores."""
        return SteinPoints.of(*self.mapped(Y, S), self.radius)

    def mapped(self, Y: Array, S: Array) -> tuple[Array, Array]:
        """The same as arrays (n, d), by themselves: no row knows of the others."""
        rows, scores, line = np.empty_like(Y), np.empty_like(S), self.line
        rows[:, line] = (Y[:, line] - self.centre) @ self.forward
        scores[:, line] = S[:, line] @ self.backward
        rows[:, ~line] = Y[:, ~line] / self.unit[~line]
        scores[:, ~line] = S[:, ~line] * self.unit[~line]
        return rows, scores

    @property
    def radius(self) -> Array:
        """Of the circles of angles (d,), infinite for coordinates on a line."""
        return np.where(self.line, np.inf, 1 / self.unit)


@frozen
class Setup:
    """Coordinates and bandwidths.

    They are fixed by simulated rows where the target can be sampled: then the kernel does not
    depend on the data, as the theory has it, and a whitening by few rows of the data, which
    makes the test timid, is avoided. `finest` is the narrowest bandwidth that does not see how
    values were rounded.
    """

    frame: Frame
    grid: BandwidthGrid
    finest: float = 0.0


def shuffled(
    Y: Array, S: Array, rng: np.random.Generator
) -> tuple[NDArray[np.int64], np.random.Generator]:
    """Return a random order that does not depend on that of the file, and a generator likewise."""
    hashes = row_hashes(np.concatenate([Y, S], axis=1))
    order = np.argsort(hashes, kind="stable")
    drawn = int(rng.integers(2**63))
    rng = np.random.default_rng([drawn, int(np.add.reduce(hashes))])
    return order[rng.permutation(len(order))], rng


def setup(
    Y: Array, target: Target | None, params: Any, rng: np.random.Generator, finest: float = 0.0
) -> Setup:
    """Choose coordinates and bandwidths; Y (n, d) are the data's coordinates, in random order."""
    transforms = target.transforms if target else (Transform(),) * Y.shape[1]
    if target is not None and target.sample is not None and not target.fitted:
        rows = max(REFERENCE_ROWS, 2 * ROWS_PER_COLUMN * len(transforms))
        Y = drawn(target, rows, rng)
    frame = Frame.of(Y, transforms, params.scale)
    return Setup(frame, bandwidths(Y, frame, params, finest), finest)


def drawn(target: Target, n: int, rng: np.random.Generator) -> Array:
    """Coordinates (n, d) of draws from a target that can be sampled."""
    assert target.sample is not None
    Y, _ = target.unconstrain(target.sample(n, rng))
    if not np.isfinite(Y).all():
        raise UsageError(f"target: sample of {target.name} gives values that are not finite")
    return Y


def bandwidths(Y: Array, frame: Frame, params: Any, finest: float = 0.0) -> BandwidthGrid:
    """Return the bandwidths asked for, or those of the rows Y (n, d), which lie in random order."""
    kernel, given = KERNELS[params.kernel], bandwidth_numbers(params.bandwidth)
    # Robust KSD is bounded at one bandwidth.
    rule = "median" if getattr(params, "contamination", 0) else params.bandwidth
    if given:
        return BandwidthGrid(kernel, given)
    some = Y[np.linspace(0, len(Y) - 1, min(len(Y), DISTANCE_ROWS)).astype(np.int64)]
    points = frame.points(some, np.zeros_like(some))
    return stein_bandwidths(kernel, points.embedded(), rule, finest)


def wild(
    points: SteinPoints,
    grid: BandwidthGrid,
    distribution: str,
    params: Any,
    rng: np.random.Generator,
    work: Work,
    chains: Draws | None = None,
) -> tuple[Array, Array, Signs]:
    """Statistics (L, B + 1) under random signs, sizes (L,), and the signs."""
    n = len(points)
    signs = random_signs(n, distribution, params, rng, chains)
    sums = stein_sums(points, signs.starts, grid, work)
    pairs = signs.between(sums.blocks)
    T = signs.sums(sums.blocks)
    size = np.sqrt(2 * sums.squares / (n * (n - 1)))
    diagonals = points.own(grid).sum(axis=1)[:, None]
    return normalised(T, diagonals, n, pairs, params.statistic), size, signs


def landmarks(params: Any, n: int, distribution: str) -> int:
    """Return the number of landmark rows, 0 for the sum over all pairs."""
    if params.features == "none" or (params.features == "auto" and n < MANY_ROWS):
        return 0
    count = LANDMARKS if params.features == "auto" else int(params.features)
    if params.features != "auto" and not (5 <= count <= 2000 and 10 * count <= n):
        raise UsageError(
            f"--features {count}: give 5 to 2,000 landmarks, at most a tenth of the {n:,} rows"
        )
    if distribution != "wild" or params.statistic != "u":
        if params.features == "auto":
            return 0
        raise UsageError("--features: takes --null wild and --statistic u")
    return count


def by_features(
    points: SteinPoints,
    grid: BandwidthGrid,
    count: int,
    params: Any,
    rng: np.random.Generator,
    work: Work,
) -> tuple[Array, Array, Signs]:
    """As `wild`, with u(x, y) replaced by its projection on `count` landmark rows.

    The first rows (they lie in random order) are the landmarks and are left out of the sums:
    given them, the feature map K_mm^(-1/2) u(landmarks, x) is fixed and has mean 0 under the null
    (Kalinke, Szabo, Sriperumbudur 2024, arXiv 2406.08401). Cost: rows times landmarks.
    """
    n = len(points) - count
    bins = sign_bins(n)
    starts = np.concatenate([np.arange(count), count + bins])
    sums = stein_sums(points, starts, grid, work, first=count)
    own = points.take(np.arange(count)).own(grid)
    blocks = np.empty((len(grid), len(bins) - 1, len(bins) - 1))
    for l, table in enumerate(sums.blocks):
        inner = table[:count, :count] + np.diag(own[l])
        blocks[l] = projected(inner, table[:count, count:])
    signs = Signs(bins, independent_signs(len(bins) - 1, params.draws, rng))
    pairs = n**2 - float((np.diff(bins) ** 2).sum())
    size = np.sqrt(sums.squares / (count * n + count * (count - 1) / 2))
    return signs.sums(blocks) / pairs, size, signs


def projected(inner: Array, cross: Array) -> Array:
    """Sums over pairs of bins (G, G) of the kernel projected on landmarks; 0 within a bin.

    Parameters
    ----------
    inner : ndarray (r, r)
        The kernel between the landmarks.
    cross : ndarray (r, G)
        Sums over the rows of every bin of the kernel between landmarks and rows.
    """
    values, vectors = np.linalg.eigh(inner)
    sound = values > FEATURE_RANK * values.max()
    feature = (cross.T @ vectors[:, sound]) / np.sqrt(values[sound])
    blocks = feature @ feature.T
    np.fill_diagonal(blocks, 0)  # pairs within a bin see no sign
    return np.asarray(blocks)


def parametric(
    Y: Array,
    S: Array,
    made: Setup,
    target: Target,
    params: Any,
    rng: np.random.Generator,
    work: Work,
) -> tuple[Array, Array]:
    """Statistics (L, B + 1) of the data and of samples simulated from the target, sizes (L,).

    Where parameters were fitted to the data, every simulated sample is fitted again and gets
    coordinates and bandwidths of its own, as the data did.
    """
    n, everything = len(Y), params.draws + 1
    pairs = n * (n - 1.0)
    if pairs / 2 * everything > MANY_PAIRS:
        work.notify(
            f"simulating {params.draws} samples of {n:,} rows takes long; fewer --draws, or "
            "where the target's parameters are known --null wild, is faster"
        )
    diagonals = np.empty((len(made.grid), everything))

    def samples() -> Iterator[tuple[SteinPoints, BandwidthGrid]]:
        now = made, made.frame.points(Y, S)
        for b in range(everything):
            if b:
                now = _simulated(n, made, target, params, rng)
            diagonals[:, b] = now[1].own(now[0].grid).sum(axis=1)
            yield now[1], now[0].grid

    T, squares = np.empty((len(made.grid), everything)), np.zeros(len(made.grid))
    for b, sums in enumerate(stein_totals(samples(), everything, work)):
        T[:, b] = sums.blocks[:, 0, 0]
        squares += sums.squares
    # The mean over all samples, the observed one among them, treats all alike.
    size = np.sqrt(2 * squares / everything / pairs)
    return normalised(T, diagonals, n, pairs, params.statistic), size


def _simulated(
    n: int, made: Setup, target: Target, params: Any, rng: np.random.Generator
) -> tuple[Setup, SteinPoints]:
    if target.simulate is None:
        assert target.sample is not None
        return made, made.frame.points(*target.unconstrain(target.sample(n, rng)))
    X, again = target.simulate(n, rng)
    Y, S = again.unconstrain(X)
    own = setup(Y, again, params, rng, made.finest)
    return own, own.frame.points(Y, S)


def normalised(totals: Array, diagonals: Array, n: int, pairs: float, statistic: str) -> Array:
    """Sums over pairs to U-statistics, or with the diagonal to V-statistics; (L, B + 1)."""
    if statistic == "u":
        return totals / pairs
    return np.asarray((totals + diagonals) / (pairs + n))
