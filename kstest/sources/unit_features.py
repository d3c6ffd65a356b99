"""Features of records: what level, spread, drift, speed, asymmetry and shape a series has.

A record is a series of L rows of d columns. Every number here is a function of that record alone
and of the seed, so records that are exchangeable have exchangeable features. Nothing is scaled by
other records: the test does that, from the pooled records.

A column enters as it is in ``level`` (its mean) and ``spread`` (its standard deviation, 0 of a
constant record); everything else is computed of z = (x - level) / spread. Two maps see the order of
the rows: the log-signature of the lead-lag path, and random convolutions.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Random convolutions of a record, shared out among its columns.
CONVOLUTIONS, LEAST_CONVOLUTIONS = 32, 4
# Pairs of columns; of more pairs so many are drawn.
PAIRS = 45
# Numbers that are held at a time.
_AT_A_TIME = 1 << 22
_LENGTHS = (7, 9, 11)
# Brackets of the path (time, lead, lag) by the words of Lyndon that stand for them, and what they
# say of a series: time t, lead a, lag b.
_WORDS = {
    "a": "drift 1", "ta": "drift 2", "tta": "drift 3", "ab": "speed of change",
    "tab": "speed over time", "aab": "asymmetry in time 1", "abb": "asymmetry in time 2",
}  # fmt: skip
# A record of which the spread is this share of its largest value is constant but for rounding.
_ROUNDING = 1e-13


def features(records: Array, columns: tuple[str, ...], seed: int) -> tuple[Array, tuple[str, ...]]:
    """Return the features of records of equal length.

    Parameters
    ----------
    records : ndarray, shape (n, L, d)
        Finite; L at least `LEAST_ROWS`.
    columns : tuple of str
        The d names.
    seed : int
        Of the convolutions and pairs of columns.

    Returns
    -------
    values : ndarray, shape (n, D)
    names : tuple of str

    Notes
    -----
    Log-signature to depth 3 of the path (t, z_i, z_(i-1)) in its lead-lag form, the coordinates of
    `_WORDS`: [a, b] is half the sum of squared steps; brackets with b change sign as time is
    reversed. Convolutions have lengths 7 to 11, random normal weights with sum 0 and norm 1, and
    dilations 2^U; each gives the share of its values above a random threshold, and the largest.

    References
    ----------
    Lyons (1998), Differential equations driven by rough signals; Flint, Hambly, Lyons (2016) for
    lead and lag, arXiv:1310.4054; Dempster, Petitjean, Webb (2020), ROCKET, arXiv:1910.13051.

    Examples
    --------
    >>> import numpy
    >>> from kstest.sources.unit_features import features
    >>> values, names = features(numpy.random.default_rng(1).normal(size=(5, 60, 1)), ("x",), 0)
    >>> values.shape, names[:2]
    ((5, 73), ('x: level', 'x: spread'))
    """
    n, rows, d = records.shape
    rng = np.random.default_rng([seed, rows, d])
    kernels = [_kernels(rows, max(LEAST_CONVOLUTIONS, CONVOLUTIONS // d), rng) for _ in columns]
    pairs = list(combinations(range(d), 2))
    if len(pairs) > PAIRS:
        pairs = [pairs[k] for k in sorted(rng.choice(len(pairs), PAIRS, replace=False))]
    said = [f"{name}: {word}" for name, own in zip(columns, kernels, strict=True)
            for word in ("level", "spread", *_WORDS.values(), *_shapes(len(own)))]  # fmt: skip
    for i, j in pairs:
        said += [f"{columns[i]} and {columns[j]}: {word}" for word in ("link", "order of changes")]
    step = max(1, _AT_A_TIME // (rows * (27 + d)))
    values = np.empty((n, len(said)))
    for first in range(0, n, step):
        part = records[first : first + step]
        values[first : first + step] = _features(part, kernels, pairs)
    return values, tuple(said)


def _features(records: Array, kernels: list[list[_Kernel]], pairs: list[tuple[int, int]]) -> Array:
    level = records.mean(axis=1)
    centred = records - level[:, None]
    spread = np.sqrt((centred**2).mean(axis=1))
    spread[spread <= _ROUNDING * np.abs(records).max(axis=1)] = 0.0
    z = np.divide(centred, spread[:, None], out=np.zeros_like(centred), where=spread[:, None] > 0)
    found = []
    for c, own in enumerate(kernels):
        found += [level[:, c, None], spread[:, c, None], _log_signature(z[:, :, c])]
        found += [_convolved(z[:, :, c], kernel) for kernel in own]
    for i, j in pairs:
        a, b = z[:, :, i], z[:, :, j]
        area = (a[:, :-1] * np.diff(b) - b[:, :-1] * np.diff(a)).sum(axis=1)
        found.append(np.stack([(a * b).mean(axis=1), area], axis=1))
    return np.concatenate(found, axis=1)


_Kernel = tuple[Array, int, float]


def _kernels(rows: int, count: int, rng: np.random.Generator) -> list[_Kernel]:
    """Weights, dilation and threshold of random convolutions that fit into so many rows."""
    found = []
    for _ in range(count):
        length = int(rng.choice([k for k in _LENGTHS if k <= rows]))
        weights = rng.normal(size=length)
        weights -= weights.mean()
        weights /= np.sqrt(weights @ weights)
        widest = np.log2(max(1.0, (rows - 1) / (length - 1) / 2))
        found.append((weights, int(2 ** rng.uniform(0, widest)), float(rng.uniform(-1, 1))))
    return found


def _shapes(count: int) -> list[str]:
    return [f"shape {k}" for k in range(1, 2 * count + 1)]


def _convolved(z: Array, kernel: _Kernel) -> Array:
    """Share above the threshold, and the largest value, shape (n, 2)."""
    weights, dilation, threshold = kernel
    last = z.shape[1] - dilation * (len(weights) - 1)
    out = np.zeros((len(z), last))
    for k, weight in enumerate(weights):
        out += weight * z[:, k * dilation : k * dilation + last]
    return np.stack([(out > threshold).mean(axis=1), out.max(axis=1)], axis=1)


def _log_signature(z: Array) -> Array:
    """The coordinates of `_WORDS` of the lead-lag path, shape (n, 7).

    The lead moves first, the lag follows, and time goes on with the lead.
    """
    n, rows = z.shape
    steps = np.zeros((n, 2 * (rows - 1), 3))
    moves = np.diff(z, axis=1)
    steps[:, ::2, 0] = 1 / (rows - 1)
    steps[:, ::2, 1] = moves
    steps[:, 1::2, 2] = moves
    # Chen: increments to depth 3 of a path of straight pieces, X and A before each of them.
    x = np.cumsum(steps, axis=1) - steps
    areas = np.einsum("nki,nkj->nkij", x + steps / 2, steps)
    before = np.cumsum(areas, axis=1) - areas
    one, two = steps.sum(axis=1), areas.sum(axis=1)
    three = np.einsum("nkij,nkl->nijl", before, steps)
    three += np.einsum("nki,nkj,nkl->nijl", x / 2 + steps / 6, steps, steps)
    # log(1 + S) = S - S^2 / 2 + S^3 / 3 in the tensor algebra.
    square = np.einsum("ni,nj->nij", one, one)
    cross = np.einsum("ni,njk->nijk", one, two) + np.einsum("nij,nk->nijk", two, one)
    logs = {1: one, 2: two - square / 2,
            3: three - cross / 2 + np.einsum("ni,njk->nijk", one, square) / 3}  # fmt: skip
    return np.stack(
        [logs[len(word)][:, *("tab".index(letter) for letter in word)] for word in _WORDS], axis=1
    )
