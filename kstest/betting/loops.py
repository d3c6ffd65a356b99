"""The compiled inner loops of block e-values: features, permutations, their statistics.

Like `kstest.engine.loops`: arrays and plain numbers in, results written into `out`, nothing
called outside this file and `kstest.kernels.compiled`. All sums run in a fixed order, row by row,
so the result of a block does not depend on how its rows arrived.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import inline, loop
from ..kernels.compiled import GOLDEN, TO_UNIT, mixed, scaled, u64

# Rows that are near each other, and how the weight falls with each row more.
NEAR = 7
FADING = 0.8


@loop
def uniforms(key: Any, out: Any) -> None:
    """Fill `out`, shape (n,), with numbers from (0, 1) that depend on `key` (uint64) only."""
    base = mixed(key)
    for i in range(out.shape[0]):
        word = mixed(base + u64(i) * GOLDEN)
        out[i] = (float(word >> u64(11)) + 0.5) * TO_UNIT


@loop
def phases(
    values: Any, marks: Any, centre: Any, unit: Any, frequencies: Any, keys: Any, out: Any
) -> None:
    """Phases of all rows at all frequencies.

    Parameters
    ----------
    values : float64 (n, p)
    marks : uint64 (n, c)
        A number per category.
    centre, unit : float64 (p,)
    frequencies : float64 (p, D)
    keys : uint64 (c,)
        A category turns by a random angle of its own: the characteristic function of the
        equality kernel, since two categories agree in mean over the angles only if they are one.
    out : float64 (n, D)
    """
    n, p = values.shape
    D = out.shape[1]
    for i in range(n):
        for d in range(D):
            out[i, d] = 0.0
        for c in range(p):
            z = scaled(values[i, c], centre[c], unit[c])
            for d in range(D):
                out[i, d] += z * frequencies[c, d]
        for c in range(marks.shape[1]):
            base = mixed(marks[i, c] ^ keys[c])
            for d in range(D):
                word = mixed(base + u64(d) * GOLDEN)
                out[i, d] += 2 * np.pi * TO_UNIT * float(word >> u64(11))


@loop
def multiples(angles: Any, cosines: Any, sines: Any) -> None:
    """Cosine and sine of the angles, of twice the angles, four times, ...; out (R, n, D)."""
    n, D = angles.shape
    for i in range(n):
        for d in range(D):
            cosines[0, i, d] = np.cos(angles[i, d])
            sines[0, i, d] = np.sin(angles[i, d])
        for r in range(1, cosines.shape[0]):
            for d in range(D):
                c, s = cosines[r - 1, i, d], sines[r - 1, i, d]
                cosines[r, i, d] = c * c - s * s
                sines[r, i, d] = 2 * c * s


@loop
def permutations(seed: Any, index: Any, out: Any) -> None:
    """Permutations of block `index` (uint64): row 0 the identity, the others at random.

    Exactly uniform given the random words: a word that would favour some places is drawn again.
    """
    M, size = out.shape
    state = mixed(mixed(seed) ^ index)
    for m in range(M):
        for i in range(size):
            out[m, i] = i
        if m == 0:
            continue
        for i in range(size - 1, 0, -1):
            many = u64(i + 1)
            limit = (u64(0xFFFFFFFF) // many) * many
            while True:
                state += GOLDEN
                word = mixed(state) >> u64(32)
                if word < limit:
                    break
            j = int(word % many)
            held = out[m, i]
            out[m, i] = out[m, j]
            out[m, j] = held


@inline
def log_e_values(z: Any, strengths: Any, out: Any) -> Any:
    """log of exp(c z_0) / mean_m exp(c z_m) for every strength c, z of shape (M + 1,)."""
    M = z.shape[0]
    for k in range(strengths.shape[0]):
        c = strengths[k]
        top = c * z[0]
        for m in range(1, M):
            top = max(top, c * z[m])
        total = 0.0
        for m in range(M):
            total += np.exp(c * z[m] - top)
        out[k] = c * z[0] - top - np.log(total / M)


@inline
def arrangement_scores(G: Any, order: Any, z: Any) -> Any:
    """z_m = sum_i G[i, order[m, i]] in units of its standard deviation over all permutations.

    That is sqrt(sum G^2 / (B - 1)) of the doubly centred G, which no permutation changes. False
    where it is 0.
    """
    B = G.shape[0]
    largest = 0.0
    for i in range(B):
        mean = 0.0
        for j in range(B):
            largest = max(largest, abs(G[i, j]))
            mean += G[i, j]
        mean /= B
        for j in range(B):
            G[i, j] -= mean
    total = 0.0
    for j in range(B):
        mean = 0.0
        for i in range(B):
            mean += G[i, j]
        mean /= B
        for i in range(B):
            G[i, j] -= mean
            total += G[i, j] * G[i, j]
    # Centring leaves rounding of about 1e-16 of the entries: that is no signal.
    if total <= 1e-24 * largest * largest * B * B:
        return False
    scale = 1.0 / np.sqrt(total / (B - 1))
    for m in range(order.shape[0]):
        s = 0.0
        for i in range(B):
            s += G[i, order[m, i]]
        z[m] = s * scale
    return True


@inline
def joint_matrix(
    cx: Any, sx: Any, cy: Any, sy: Any, joint: Any, first: Any, second: Any, n: Any,
    P: Any, Q: Any, G: Any,
) -> None:  # fmt: skip
    """The witness of `joint_block` at all pairs of rows, G (B, B), for one of its sums."""
    B, D = cx.shape
    for i in range(B):
        for d in range(D):
            a, b = first[0, d], first[1, d]
            c, s = second[0, d], second[1, d]
            # The empirical joint characteristic function less the product of the margins.
            re = joint[0, d] / n - (a * c - b * s) / (n * n)
            im = joint[1, d] / n - (a * s + b * c) / (n * n)
            P[d] = re * cx[i, d] + im * sx[i, d]
            Q[d] = re * sx[i, d] - im * cx[i, d]
        for j in range(B):
            g = 0.0
            for d in range(D):
                g += P[d] * cy[j, d] - Q[d] * sy[j, d]
            G[i, j] = g


@inline
def neighbour_scores(G: Any, order: Any, H: Any, z: Any) -> None:
    """Sums of G over rows near each other, z[0], and over same less next rows, z[1]; z (2, M).

    H (2, B, B) is room for the sums over the rows of G near j, so that an arrangement is B terms.
    """
    B = G.shape[0]
    for j in range(B):
        for a in range(B):
            near = 0.0
            after = 0.0
            for k in range(min(NEAR, B - 1), 0, -1):
                after = 0.0
                if j >= k:
                    after += G[j - k, a]
                if j + k < B:
                    after += G[j + k, a]
                near = FADING * near + after
            H[0, j, a] = near
            H[1, j, a] = G[j, a] - 0.5 * after * B / (B - 1.0)
    for m in range(order.shape[0]):
        near = 0.0
        beyond = 0.0
        for j in range(B):
            near += H[0, j, order[m, j]]
            beyond += H[1, j, order[m, j]]
        z[0, m] = near
        z[1, m] = beyond


@loop
def joint_block(
    cx: Any, sx: Any, cy: Any, sy: Any, joint: Any, first: Any, second: Any, weight: Any,
    order: Any, strengths: Any, out: Any,
) -> None:  # fmt: skip
    """Log e-values of one block for independence.

    Parameters
    ----------
    cx, sx, cy, sy : float64 (R, B, D)
        Features of the block's rows: cosines and sines, of x and of y.
    joint, first, second : float64 (H, R, 2, D)
        Sums over earlier rows of the features of (x, y), of x, of y, under H forgettings.
    weight : float64 (H,)
        What was summed up: rows, or their faded number.
    order : int64 (M + 1, B)
    strengths : float64 (K,)
    out : float64 (1 or 3, H, R, K)
        Of same rows; if there is room also of rows near each other, and of same rows beyond the
        next ones (see `lagged`).
    """
    H, R, _, D = joint.shape
    B = cx.shape[1]
    M = order.shape[0]
    games = out.shape[0]
    G = np.empty((B, B))
    z = np.empty(M)
    room, scores = np.empty((2, B, B)), np.empty((2, 2, M))
    other = np.empty(strengths.shape[0])
    P, Q = np.empty(D), np.empty(D)
    for h in range(H):
        for r in range(R):
            joint_matrix(
                cx[r], sx[r], cy[r], sy[r], joint[h, r], first[h, r], second[h, r], weight[h],
                P, Q, G,
            )  # fmt: skip
            if not arrangement_scores(G, order, z):
                out[:, h, r, :] = 0.0
                continue
            log_e_values(z, strengths, out[0, h, r])
            if games == 1:
                continue
            # Of what y permuted and x permuted say, the smaller is fair if either is exchangeable.
            neighbour_scores(G, order, room, scores[0])
            neighbour_scores(G.T, order, room, scores[1])
            for k in range(2):
                for side in range(2):
                    if standardised(scores[side, k]):
                        log_e_values(scores[side, k], strengths, other)
                    else:
                        other[:] = 0.0
                    for c in range(other.shape[0]):
                        if side == 0 or other[c] < out[k + 1, h, r, c]:
                            out[k + 1, h, r, c] = other[c]


@loop
def add_joint(
    cx: Any, sx: Any, cy: Any, sy: Any, keep: Any, joint: Any, first: Any, second: Any
) -> None:
    """Add the rows to the sums of `joint_block`, fading what was there by `keep` (H,)."""
    H, R, _, D = joint.shape
    for h in range(H):
        for r in range(R):
            for d in range(D):
                for part in range(2):
                    joint[h, r, part, d] *= keep[h]
                    first[h, r, part, d] *= keep[h]
                    second[h, r, part, d] *= keep[h]
            for i in range(cx.shape[1]):
                for d in range(D):
                    a, b, c, s = cx[r, i, d], sx[r, i, d], cy[r, i, d], sy[r, i, d]
                    joint[h, r, 0, d] += a * c - b * s
                    joint[h, r, 1, d] += a * s + b * c
                    first[h, r, 0, d] += a
                    first[h, r, 1, d] += b
                    second[h, r, 0, d] += c
                    second[h, r, 1, d] += s


@loop
def witness_values(
    cosines: Any, sines: Any, stream: Any, reference: Any, weights: Any, out: Any
) -> None:
    """The two-sample witness at rows, for every forgetting and bandwidth.

    Parameters
    ----------
    cosines, sines : float64 (R, n, D)
        Features of the rows.
    stream, reference : float64 (H, R, 2, D)
        Sums of features over earlier rows of both samples.
    weights : float64 (2, H)
        Their faded numbers.
    out : float64 (H, R, n)
        mean over the stream less mean over the reference of the (shift-invariant) kernel.
    """
    H, R, _, D = stream.shape
    for h in range(H):
        for r in range(R):
            for i in range(cosines.shape[1]):
                total = 0.0
                for d in range(D):
                    re = stream[h, r, 0, d] / weights[0, h] - reference[h, r, 0, d] / weights[1, h]
                    im = stream[h, r, 1, d] / weights[0, h] - reference[h, r, 1, d] / weights[1, h]
                    total += re * cosines[r, i, d] + im * sines[r, i, d]
                out[h, r, i] = total / D


@loop
def label_e_values(values: Any, size: Any, order: Any, strengths: Any, out: Any) -> None:
    """Log e-values of a block of two samples: the sum over the first `size` of 2 size values.

    Parameters
    ----------
    values : float64 (H, R, 2 size)
        Witness at the rows of the stream, then of the reference.
    order : int64 (M + 1, 2 size)
        Arrangements; the first `size` of each are called the stream.
    out : float64 (H, R, K)
    """
    H, R, n = values.shape
    z = np.empty(order.shape[0])
    for h in range(H):
        for r in range(R):
            mean = 0.0
            largest = 0.0
            for i in range(n):
                mean += values[h, r, i]
                largest = max(largest, abs(values[h, r, i]))
            mean /= n
            spread = 0.0
            for i in range(n):
                spread += (values[h, r, i] - mean) ** 2
            if spread <= 1e-24 * largest * largest * n:
                out[h, r, :] = 0.0
                continue
            # The sum of `size` of n values drawn without replacement has this variance.
            unit = np.sqrt(size * (n - size) / (n - 1.0) * spread / n)
            for m in range(order.shape[0]):
                total = 0.0
                for i in range(size):
                    total += values[h, r, order[m, i]] - mean
                z[m] = total / unit
            log_e_values(z, strengths, out[h, r])


@loop
def add_points(cosines: Any, sines: Any, keep: Any, sums: Any) -> None:
    """Add the features of rows, (R, n, D), to sums (H, R, 2, D), fading these by `keep` (H,)."""
    H, R, _, D = sums.shape
    for h in range(H):
        for r in range(R):
            for part in range(2):
                for d in range(D):
                    sums[h, r, part, d] *= keep[h]
            for i in range(cosines.shape[1]):
                for d in range(D):
                    sums[h, r, 0, d] += cosines[r, i, d]
                    sums[h, r, 1, d] += sines[r, i, d]


@inline
def standardised(z: Any) -> Any:
    """Centre z and divide it by its spread, both symmetric in its elements; False where it is 0."""
    M = z.shape[0]
    mean = 0.0
    for m in range(M):
        mean += z[m]
    mean /= M
    spread = 0.0
    for m in range(M):
        z[m] -= mean
        spread += z[m] * z[m]
    spread = np.sqrt(spread / M)
    if spread <= 1e-12 * abs(mean) or spread < 1e-280:
        return False
    for m in range(M):
        z[m] /= spread
    return True


@loop
def centred_ranks(series: Any, out: Any) -> None:
    """Ranks within a block less their mean, in units of their spread; (Q, B) from (B, Q)."""
    B, Q = series.shape
    for c in range(Q):
        total = 0.0
        for i in range(B):
            rank = 0.0
            for j in range(B):
                if series[j, c] < series[i, c]:
                    rank += 1.0
                elif series[j, c] == series[i, c]:
                    rank += 0.5
            out[c, i] = rank - 0.5 * B
            total += out[c, i] * out[c, i]
        unit = np.sqrt(total / B) if total > 0 else 1.0
        for i in range(B):
            out[c, i] /= unit


@loop
def serial_block(
    ranks: Any, cosines: Any, sines: Any, fast: Any, waves: Any, lags: Any, order: Any,
    strengths: Any, out: Any,
) -> None:  # fmt: skip
    """Log e-values of one block of a margin whose rows depend on their place; see `guard`.

    Parameters
    ----------
    ranks : float64 (Q, B)
        Of `centred_ranks`.
    cosines, sines : float64 (F, B)
        Waves at the block's rows.
    fast : float64 (B, 2 W)
        Cosines, then sines, of waves that fit into a block, from its first row.
    waves : float64 (Q, 2, F)
        Sums over earlier rows of rank times wave.
    lags : float64 (B - 1,)
        Weights of the products of ranks 1, 2, ... rows apart.
    order : int64 (M + 1, B)
    strengths : float64 (4, K)
        For the four statistics.
    out : float64 (4, K)
    """
    Q, B = ranks.shape
    W = fast.shape[1] // 2
    M = order.shape[0]
    z = np.empty((4, M))
    forecast = np.zeros((Q, B))
    for c in range(Q):
        for f in range(cosines.shape[0]):
            re, im = waves[c, 0, f], waves[c, 1, f]
            power = re * re + im * im
            for i in range(B):
                forecast[c, i] += power * (re * cosines[f, i] + im * sines[f, i])
    moved = np.empty(B)
    part = np.empty(2 * W)
    power_at = np.empty(W)
    for m in range(M):
        near = 0.0
        like = 0.0
        apart = 0.0
        power_at[:] = 0.0
        for c in range(Q):
            for i in range(B):
                moved[i] = ranks[c, order[m, i]]
                like += moved[i] * forecast[c, i]
            for i in range(B - 1):
                near += moved[i] * moved[i + 1]
            for i in range(B):
                for j in range(i + 1, B):
                    apart += lags[j - i - 1] * moved[i] * moved[j]
            part[:] = 0.0
            for i in range(B):
                for f in range(2 * W):
                    part[f] += moved[i] * fast[i, f]
            for f in range(W):
                power_at[f] += part[f] * part[f] + part[W + f] * part[W + f]
        z[0, m] = near
        z[1, m] = like
        peak = 0.0
        for f in range(W):
            peak = max(peak, power_at[f])
        z[2, m] = peak
        z[3, m] = apart
    for k in range(4):
        if standardised(z[k]):
            log_e_values(z[k], strengths[k], out[k])
        else:
            out[k, :] = 0.0


@loop
def add_waves(ranks: Any, cosines: Any, sines: Any, keep: Any, waves: Any) -> None:
    """Add the rows to the sums of `serial_block`, fading what was there by `keep`."""
    Q, B = ranks.shape
    for c in range(Q):
        for f in range(cosines.shape[0]):
            re = 0.0
            im = 0.0
            for i in range(B):
                re += ranks[c, i] * cosines[f, i]
                im += ranks[c, i] * sines[f, i]
            waves[c, 0, f] = waves[c, 0, f] * keep + re
            waves[c, 1, f] = waves[c, 1, f] * keep + im


@loop
def add_lags(ranks: Any, keep: Any, lags: Any) -> None:
    """Add products of ranks 1, 2, ... rows apart to `lags`, fading what was there by `keep`."""
    Q, B = ranks.shape
    for k in range(B - 1):
        total = 0.0
        for c in range(Q):
            for i in range(B - 1 - k):
                total += ranks[c, i] * ranks[c, i + 1 + k]
        lags[k] = lags[k] * keep + total
