"""Block e-values for independence: permute y within a block, and compare.

**Claim.** Let a block of B rows (x_1, y_1), ..., (x_B, y_B) follow a past F (all earlier rows). If,
given F, the x of the block are independent of the y of the block, and the x are exchangeable *or*
the y are, then each factor E below has E[E | F] = 1, at every B, M, n and dimension.

**Construction.** g is any function of two rows that F and the seed determine: the witness. For an
arrangement pi let S(pi) = sum_i g(x_i, y_pi(i)). Draw pi_1, ..., pi_M uniformly, independent of
the data (they come from the seed and the number of the block), pi_0 = identity, and let

    z_m = S(pi_m) / sd,    E = exp(c z_0) / ( 1/(M + 1) sum_{m=0}^M exp(c z_m) ),    c > 0,

where sd is the standard deviation of S(pi) over all B! arrangements, which depends on the matrix
(g(x_i, y_j)) only through what is the same for all its column permutations.

**Proof.** Let y be exchangeable given F and x. Replace y by y o sigma, sigma a uniform permutation
independent of everything: the distribution of (F, x, y) stays. Then S(pi_m) becomes
S(sigma o pi_m), and (sigma o pi_0, ..., sigma o pi_M) are M + 1 independent uniform permutations,
hence exchangeable in m; sd, being the same for all arrangements, is unchanged. So (z_0, ..., z_M)
are exchangeable given F, and with w_m = exp(c z_m)

    E[E | F] = E[ w_0 / mean(w) | F ] = 1/(M + 1) sum_m E[ w_m / mean(w) | F ] = 1.

If instead x is exchangeable given F and y, write S(pi) = sum_j g(x_{pi^-1(j)}, y_j): inverses of
uniform permutations are uniform, and the same argument applies to x. Independence of x and y given
F is what makes "exchangeable" hold given the other margin. QED

**Consequences.** The product over blocks is a nonnegative martingale started at 1 for every
strength c and bandwidth, and so is the mean of these products: Ville's inequality holds. The
witness may be bad, the bandwidth wrong, the features few: that costs power only. One margin may
drift, jump or follow a season at will. What breaks the claim is a pattern within a block in *both*
margins; `guard` looks for that.

**Strided blocks.** With stride L, a window of B L rows is cut into L blocks of every L-th row, all
of which use the witness of the rows before the window; the window's factor is the mean of their
factors. If the claim holds for each of the blocks given F, the mean has expectation 1 too, however
the blocks depend on each other.

**The witness** is that of the Hilbert-Schmidt independence criterion in its spectral form: the
empirical joint characteristic function of all earlier rows less the product of the marginal ones,

    Delta_d = J_d / N - A_d B_d / N^2,    g(x, y) = Re sum_d conj(Delta_d) e^{i (w_d'x + v_d'y)},

so the state is three sums per frequency, whatever the length of the stream. Several bandwidths and
several c are experts whose wealths are averaged.

References: permutation e-values, Koning (2023), arXiv 2310.01153; the learned witness, Podkopaev,
Bloebaum, Kasiviswanathan, Ramdas (2023), arXiv 2212.07383; random features, Rahimi and Recht
(2007).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from . import lagged, loops
from .features import BANDWIDTHS, Circle, Scale, learn_scale, points
from .rows import Rows
from .starts import horizon

Array = NDArray[np.float64]

# Rows that fix units and bandwidths; they are not tested but teach the witness.
WARM_UP = 20
# The first blocks are short, since the first witness is poor.
FIRST_SIZES = (4, 4, 8, 8)
ARRANGEMENTS = 99
# Expected z-scores of a block that a bet is made for.
STRENGTHS = np.array([0.1, 0.2, 0.4, 0.8, 1.6])
# Rows whose features are in memory at one time.
SLICE = 4096


@frozen
class Design:
    """What does not change over a stream.

    Attributes
    ----------
    size : int
        Rows of a block.
    stride : int
        Blocks of every `stride`-th row.
    features : int
        Frequencies per bandwidth.
    half_lives : tuple of float
        Rows after which what was learned counts half; a witness for each. inf: never.
    kernel, scale : str
    bandwidths : tuple of (float or None)
        Of x and of y, in units of the scaled columns; None: the median distance.
    seed : int
    marks : int
        Columns of categories, where the design has to say so.
    lagged : bool
        Whether rows near each other are bet on too, see `lagged`.
    """

    size: int = 16
    stride: int = 1
    features: int = 64
    half_lives: tuple[float, ...] = (float("inf"),)
    kernel: str = "gaussian"
    scale: str = "robust"
    bandwidths: tuple[float | None, float | None] = (None, None)
    seed: int = 0
    marks: int = 0
    lagged: bool = False

    @property
    def games(self) -> int:
        """Wealths that come from a block, of `experts` each."""
        return lagged.GAMES if self.lagged else 1

    @property
    def experts(self) -> int:
        return len(self.half_lives) * BANDWIDTHS * len(STRENGTHS)

    @property
    def tau(self) -> float:
        """Windows within which late starts are about as dear as early ones; see `starts`."""
        return horizon(self.stride * self.size)

    def window(self, number: int) -> int:
        """Rows per block of window `number`, counted from 0."""
        first = FIRST_SIZES[number] if number < len(FIRST_SIZES) else self.size
        return min(first, self.size)


@frozen
class State:
    """What is kept of the rows so far.

    Attributes
    ----------
    start : int
        Rows that are no longer kept: all before the ones in `x_values`, ...
    windows : int
        Windows that were tested.
    joint, first, second : ndarray (H, R, 2, D)
        Sums of features over earlier rows; see `loops.joint_block`.
    weight : ndarray (H,)
    """

    start: int
    windows: int
    x_values: Array
    x_marks: NDArray[np.uint64]
    y_values: Array
    y_marks: NDArray[np.uint64]
    joint: Array
    first: Array
    second: Array
    weight: Array
    x_scale: Scale | None = None
    y_scale: Scale | None = None


def begin(design: Design, x: Rows, y: Rows) -> State:
    """The state before the first row; `x` and `y` show the columns."""
    H = len(design.half_lives)
    shape = (H, BANDWIDTHS, 2, design.features)
    return State(
        start=0,
        windows=0,
        x_values=x.values[:0],
        x_marks=x.marks[:0],
        y_values=y.values[:0],
        y_marks=y.marks[:0],
        joint=np.zeros(shape),
        first=np.zeros(shape),
        second=np.zeros(shape),
        weight=np.zeros(H),
    )


def step(design: Design, state: State, x: Rows, y: Rows) -> tuple[State, NDArray[np.int64], Array]:
    """Take more rows.

    Returns
    -------
    state : State
    ends : ndarray of int64 (t,)
        Rows of the stream up to the end of each window that was completed.
    log_factors : ndarray (t, games E)
        The log e-values of these windows, for every expert of every game.
    """
    x = Rows(state.x_values, state.x_marks).followed_by(x)
    y = Rows(state.y_values, state.y_marks).followed_by(y)
    sums = [a.copy() for a in (state.joint, state.first, state.second, state.weight)]
    state = replace(
        state, joint=sums[0], first=sums[1], second=sums[2], weight=sums[3]
    )  # the loops below write into these
    used = 0
    if state.x_scale is None:
        if len(x) < WARM_UP:
            return (
                _keeping(state, x, y, 0),
                np.empty(0, np.int64),
                np.empty((0, design.games * design.experts)),
            )
        state = _warmed(design, state, x[:WARM_UP], y[:WARM_UP])
        used = WARM_UP
    circles = _circles(design, state, x, y)
    ends: list[int] = []
    bets: list[Array] = []
    while True:
        rows = design.stride * design.window(state.windows)
        if used + rows > len(x):
            break
        # A slice of whole windows at a time; every row's features depend on that row only.
        upto = min(len(x), used + max(SLICE, rows))
        angles = circles[0].angles(x[used:upto]), circles[1].angles(y[used:upto])
        offset = used
        while used + rows <= upto:
            window = slice(used - offset, used - offset + rows)
            bets.append(_window(design, state, angles[0][window], angles[1][window]))
            used += rows
            ends.append(state.start + used)
            state = replace(state, windows=state.windows + 1)
            rows = design.stride * design.window(state.windows)
    found = np.array(bets).reshape(len(bets), design.games * design.experts)
    return _keeping(state, x, y, used), np.array(ends, np.int64), found


def _keeping(state: State, x: Rows, y: Rows, used: int) -> State:
    """Forget the first `used` rows."""
    return replace(
        state,
        start=state.start + used,
        x_values=x.values[used:].copy(),
        x_marks=x.marks[used:].copy(),
        y_values=y.values[used:].copy(),
        y_marks=y.marks[used:].copy(),
    )


def _warmed(design: Design, state: State, x: Rows, y: Rows) -> State:
    """Fix units and bandwidths by the first rows, and learn from them."""
    scales = [
        learn_scale(rows, design.scale, design.kernel, bandwidth)
        for rows, bandwidth in zip((x, y), design.bandwidths, strict=True)
    ]
    state = replace(state, x_scale=scales[0], y_scale=scales[1])
    circles = _circles(design, state, x, y)
    _learn(design, state, points(circles[0].angles(x)), points(circles[1].angles(y)))
    return state


def _circles(design: Design, state: State, x: Rows, y: Rows) -> tuple[Circle, Circle]:
    assert state.x_scale is not None
    assert state.y_scale is not None
    return circle(design, state.x_scale, x, 1), circle(design, state.y_scale, y, 2)


def circle(design: Design, scale: Scale, rows: Rows, place: int) -> Circle:
    """Features of a margin; `place` 1 for x, 2 for y, which have frequencies of their own."""
    seed = 2 * design.seed + place
    return Circle.of(scale, rows.marks.shape[1], seed, design.features, design.kernel)


def _window(design: Design, state: State, x: Array, y: Array) -> Array:
    """Log factors of one window, from its angles; then learn from it."""
    x_points, y_points = points(x), points(y)
    orders = arrangements(design, state.windows)
    witness = state.joint, state.first, state.second, state.weight
    out = factors(design, orders, x_points, y_points, witness)
    _learn(design, state, x_points, y_points)
    return out


def arrangements(design: Design, number: int) -> NDArray[np.int64]:
    """Permutations of the blocks of window `number`, shape (stride, M + 1, B)."""
    order = np.empty((design.stride, ARRANGEMENTS + 1, design.window(number)), np.int64)
    for k in range(design.stride):
        index = np.uint64(number * design.stride + k)
        loops.permutations(np.uint64(design.seed), index, order[k])
    return order


def factors(
    design: Design,
    orders: NDArray[np.int64],
    x: tuple[Array, Array],
    y: tuple[Array, Array],
    witness: tuple[Array, Array, Array, Array],
) -> Array:
    """Log factors of one window for every expert of every game, (games E,).

    Parameters
    ----------
    design : Design
    orders : ndarray of int64 (stride, M + 1, B)
    x, y : two ndarrays each (R, stride B, D)
        Features of the window's rows.
    witness : ndarrays
        `joint`, `first`, `second` and `weight` of a `State`.
    """
    L = len(orders)
    out = np.empty((L, design.games, *witness[0].shape[:2], len(STRENGTHS)))
    for k in range(L):
        parts = (np.ascontiguousarray(part[:, k::L]) for part in (*x, *y))
        loops.joint_block(*parts, *witness, orders[k], STRENGTHS, out[k])
    if L == 1:
        return out.reshape(-1)
    flat = out.reshape(L, -1)
    top = flat.max(axis=0)
    return np.asarray(top + np.log(np.exp(flat - top).mean(axis=0)))


def _learn(design: Design, state: State, x: tuple[Array, Array], y: tuple[Array, Array]) -> None:
    rows = x[0].shape[1]
    keep = fading(design, rows)
    loops.add_joint(*x, *y, keep, state.joint, state.first, state.second)
    np.multiply(state.weight, keep, out=state.weight)
    np.add(state.weight, rows, out=state.weight)


def fading(design: Design, rows: int) -> Array:
    """What is left, after `rows` more rows, of what was learned; (H,)."""
    return np.array([0.5 ** (rows / h) for h in design.half_lives])
