"""The guard: does the place of a row in the stream say something about its values?

A block bet needs that the rows of *one* margin are exchangeable within a block (`blocks`). If both
margins follow the clock, a season say, they look dependent, and that evidence grows without end.
The guard bets against exactly this need, for each margin by itself, with blocks of its own of SIZE
rows: under "this margin is exchangeable within blocks" its wealth is an e-process by the proof in
`blocks`, with S(pi) a statistic of ranks r of the margin's rows within the block. The ranks are
those of the values, and those of their distances from the median of the block: a season, memory
(GARCH, switching) or drift of the *spread* leaves the values' ranks without a pattern, and yet two
sides that share it look dependent. Both are symmetric in the rows of the block, as the proof needs.

- neighbours: sum_i r_pi(i) r_pi(i+1), for memory and slow drift;
- forecast: sum_i r_pi(i) f(t_i), with f the waves that earlier blocks followed, weighted by their
  power (a learned season; only the time of a row is looked at, so f is fixed given the past);
- wave: the largest periodogram ordinate of the block, for fast seasons;
- apart: sum_{i<j} w_{j-i} r_pi(i) r_pi(j), with w_k what earlier blocks have of products of rows k
  apart, from a guess to begin with: the pattern in a block as a whole.

z-scores are taken over the M + 1 arrangements drawn, which is symmetric in them. The e-value
against "at least one margin is exchangeable" is the smaller of the two wealths. It flags at FLAG;
and while both wealths are above DOUBT a rejection of independence waits, so that a season cannot
win a race against the guard. The false alarms of the guard cost a verdict, not an error, hence the
low bars.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from . import loops
from .rows import Rows
from .starts import horizon

Array = NDArray[np.float64]

SIZE = 16
FLAG = 10.0
DOUBT = 1.0
# Before this row nothing is decided: the guard has then seen four blocks.
LEAST_ROWS = 64
ARRANGEMENTS = 99
STRENGTHS = np.array([[0.5, 1.0, 2.0], [0.5, 1.0, 2.0], [0.25, 0.5, 1.0], [0.5, 1.0, 2.0]])
# Ranks of values and of distances, see `_looks`.
LOOKS = 2
EXPERTS = LOOKS * STRENGTHS.size
WAVES = 64
# Rows after which what was learned counts half.
HALF_LIFE = 128.0
# What is guessed of products 1, 2, ... rows apart, in rows; a guess of slow memory.
GUESS = 8.0 * 0.7 ** np.arange(SIZE - 1)
# Columns that are looked at by themselves; of more, random sums are.
MOST_SERIES = 8
_ANGULAR = np.pi * (np.arange(WAVES) + 0.5) / WAVES
# The waves that a block resolves: half-cycles 1 to SIZE in SIZE rows.
_FAST = np.pi / SIZE * np.outer(np.arange(SIZE), np.arange(1, SIZE + 1))
_FAST_WAVES = np.hstack([np.cos(_FAST), np.sin(_FAST)])


@frozen
class State:
    """What is kept of one margin.

    Attributes
    ----------
    start : int
        Rows that are no longer kept.
    windows : int
        Windows that were looked at.
    values, marks : ndarray
        The rows after `start`.
    waves : ndarray (LOOKS, Q, 2, F)
        Sums over earlier rows of rank times wave.
    lags : ndarray (LOOKS, SIZE - 1)
        Sums over earlier rows of products of ranks 1, 2, ... rows apart.
    """

    start: int
    windows: int
    values: Array
    marks: NDArray[np.uint64]
    waves: Array
    lags: Array


def begin(rows: Rows) -> State:
    """The state before the first row; `rows` shows the columns."""
    series = min(MOST_SERIES, rows.values.shape[1] + rows.marks.shape[1])
    return State(
        0,
        0,
        rows.values[:0],
        rows.marks[:0],
        np.zeros((LOOKS, series, 2, WAVES)),
        np.zeros((LOOKS, SIZE - 1)),
    )


def tau(stride: int = 1) -> float:
    """Windows within which late starts of a bet are about as dear as early ones; see `starts`."""
    return horizon(SIZE * stride)


def step(
    state: State, rows: Rows, seed: int, stride: int = 1
) -> tuple[State, NDArray[np.int64], Array]:
    """Take more rows of a margin.

    Returns
    -------
    state : State
    ends : ndarray of int64 (t,)
        Row of the stream at the end of every window.
    log_factors : ndarray (t, E)
    """
    rows = Rows(state.values, state.marks).followed_by(rows)
    series = np.hstack([rows.values, rows.marks.astype(np.float64)])
    waves, lags, length = state.waves.copy(), state.lags.copy(), SIZE * stride
    count = len(rows) // length
    factors = np.empty((count, EXPERTS))
    for k in range(count):
        window = series[k * length : (k + 1) * length]
        number = state.windows + k
        factors[k] = _window(window, state.start + k * length, waves, lags, seed, number, stride)
    used = count * length
    ends = state.start + length * np.arange(1, count + 1, dtype=np.int64)
    state = replace(
        state,
        start=state.start + used,
        windows=state.windows + count,
        values=rows.values[used:].copy(),
        marks=rows.marks[used:].copy(),
        waves=waves,
        lags=lags,
    )
    return state, ends, factors


def _window(
    series: Array, start: int, waves: Array, lags: Array, seed: int, number: int, stride: int
) -> Array:
    """Log factors of one window; `waves` learns from it."""
    out = np.empty((stride, LOOKS, *STRENGTHS.shape))
    order = np.empty((ARRANGEMENTS + 1, SIZE), np.int64)
    learned = []
    for k in range(stride):
        cosines, sines = _waves(start + k, stride)
        looks = _looks(series[k::stride], waves.shape[1])
        loops.permutations(np.uint64(seed), np.uint64(number * stride + k), order)
        for what, ranks in enumerate(looks):
            found = waves[what], lags[what] + GUESS, order, STRENGTHS, out[k, what]
            loops.serial_block(ranks, cosines, sines, _FAST_WAVES, *found)
        learned.append((looks, cosines, sines))
    for k, (looks, cosines, sines) in enumerate(learned):
        keep = 0.5 ** (SIZE * stride / HALF_LIFE) if k == 0 else 1.0
        for what, ranks in enumerate(looks):
            loops.add_waves(ranks, cosines, sines, keep, waves[what])
            loops.add_lags(ranks, keep, lags[what])
    flat = out.reshape(stride, -1)
    if stride == 1:
        return np.asarray(flat[0])
    top = flat.max(axis=0)
    return np.asarray(top + np.log(np.exp(flat - top).mean(axis=0)))


@lru_cache(512)
def _waves(first: int, stride: int) -> tuple[Array, Array]:
    """Waves at the rows first, first + stride, ...; kept for the other margin."""
    turn = np.exp(1j * _ANGULAR * first)[:, None] * _steps(stride)
    return np.ascontiguousarray(turn.real), np.ascontiguousarray(turn.imag)


@cache
def _steps(stride: int) -> NDArray[np.complex128]:
    return np.asarray(np.exp(1j * stride * np.outer(_ANGULAR, np.arange(SIZE))))


def _looks(block: Array, series: int) -> tuple[Array, Array]:
    """Ranks of the values, and of their distances from the median of the block."""
    half = 0.5 * block  # differences of the largest numbers would overflow
    middle = np.sort(half, axis=0)[SIZE // 2 - 1 : SIZE // 2 + 1].mean(axis=0)
    return _ranks(block, series), _ranks(np.abs(half - middle), series)


def _ranks(block: Array, series: int) -> Array:
    """Ranks of every column, or of a few random sums of ranks where columns are many."""
    ranks = np.empty((block.shape[1], SIZE))
    loops.centred_ranks(np.ascontiguousarray(block), ranks)
    if len(ranks) <= series:
        return ranks
    sums = np.zeros((series, SIZE))
    for sign, row in zip(_signs(len(ranks), series), ranks, strict=True):
        sums += sign[:, None] * row
    out = np.empty_like(sums)
    loops.centred_ranks(np.ascontiguousarray(sums.T), out)
    return out


@cache
def _signs(columns: int, series: int) -> Array:
    u = np.empty(columns * series)
    loops.uniforms(np.uint64(columns), u)
    return np.where(u < 0.5, -1.0, 1.0).reshape(columns, series)
