"""Compiled loops over the neighbours of sequences.

The neighbours of a sequence of n symbols over S are laid out, per sequence, as

    substitution   of position p in low..n - 1 by a symbol a    (n - low) S entries
    insertion      of a before position p in low'..n             (n - low' + 1) S entries
    deletion       of position p in low..n - 1                   n - low entries

with low = max(0, n - J) and low' = max(0, n - J + 1), each part only if it is asked for: the last
J positions, counted so that y is a neighbour of x exactly if x is one of y. A neighbour that is x
itself, or that another entry gives already (an insertion beside the same symbol, a deletion
within a run), has the log ratio -inf, hence the weight 0: neighbours are a set.
"""

from __future__ import annotations

import math

import numpy as np

from ..jit import inline, loop

NEVER = -math.inf


@inline
def _window(codes, begin, n, i, K, base):  # type: ignore[no-untyped-def]
    """Index of the window that ends at position i (n is the end) of one sequence."""
    index = 0
    for back in range(K - 1, -1, -1):
        j = i - back
        digit = base - 1
        if 0 <= j < n:
            digit = codes[begin + j]
        index = index * base + digit
    return index


@loop
def window_logs(codes, offsets, S, K, table, lengths, out):  # type: ignore[no-untyped-def]
    """Log weight of every sequence into `out`."""
    base = S + 1
    for s in range(len(offsets) - 1):
        begin, n = offsets[s], offsets[s + 1] - offsets[s]
        total = 0.0
        if len(lengths) > 0:
            total = lengths[n] if n < len(lengths) else NEVER
        for i in range(n + 1):
            total += table[_window(codes, begin, n, i, K, base)]
        out[s] = total


@inline
def _length_change(lengths, n, m):  # type: ignore[no-untyped-def]
    """Log ratio of the weights of lengths m and n."""
    change = 0.0
    if len(lengths) > 0:
        change = lengths[m] - lengths[n] if 0 <= m < len(lengths) else NEVER
    return change


@loop
def window_ratios(  # type: ignore[no-untyped-def]
    codes, offsets, first, last, S, K, table, lengths, substitute, insert, delete, J, out
):
    """Log ratios of all neighbours of sequences first <= s < last, by a model of windows."""
    base = S + 1
    powers = np.empty(K + 1, np.int64)
    powers[0] = 1
    for t in range(K):
        powers[t + 1] = powers[t] * base
    starts = np.empty(K, np.int64)
    e = 0
    for s in range(first, last):
        begin, n = offsets[s], offsets[s + 1] - offsets[s]
        low, low_insert = max(0, n - J), max(0, n - J + 1)
        if substitute:
            for p in range(low, n):
                own = codes[begin + p]
                count = min(K, n - p + 1)
                old = 0.0
                for t in range(count):
                    index = _window(codes, begin, n, p + t, K, base)
                    old += table[index]
                    starts[t] = index - own * powers[t]
                for a in range(S):
                    new = -old
                    for t in range(count):
                        new += table[starts[t] + a * powers[t]]
                    out[e + a] = new
                out[e + own] = NEVER
                e += S
        if insert:
            longer = _length_change(lengths, n, n + 1)
            for p in range(low_insert, n + 1):
                # Windows that end at p, ..., of the old sequence become those at p + 1, ...
                count = min(K - 1, n - p + 1)
                old = 0.0
                for t in range(count):
                    old += table[_window(codes, begin, n, p + t, K, base)]
                for t in range(count + 1):
                    index = 0
                    for back in range(K - 1, -1, -1):
                        j = p + t - back  # position in the new sequence, the new symbol at p
                        digit = base - 1
                        if j == p:
                            digit = 0
                        elif 0 <= j <= n:
                            digit = codes[begin + (j if j < p else j - 1)]
                        index = index * base + digit
                    starts[t] = index
                for a in range(S):
                    new = longer - old
                    for t in range(count + 1):
                        new += table[starts[t] + a * powers[t]]
                    out[e + a] = new
                if p > low_insert:
                    out[e + codes[begin + p - 1]] = NEVER
                e += S
        if delete:
            shorter = _length_change(lengths, n, n - 1)
            for p in range(low, n):
                if p > low and codes[begin + p] == codes[begin + p - 1]:
                    out[e] = NEVER
                    e += 1
                    continue
                new = shorter
                for i in range(p, min(n, p + K - 1) + 1):
                    new -= table[_window(codes, begin, n, i, K, base)]
                for i in range(p, min(n - 1, p + K - 2) + 1):
                    index = 0
                    for back in range(K - 1, -1, -1):
                        j = i - back  # position in the new sequence
                        digit = base - 1
                        if 0 <= j < n - 1:
                            digit = codes[begin + (j if j < p else j + 1)]
                        index = index * base + digit
                    new += table[index]
                out[e] = new
                e += 1


@loop
def _forward(codes, begin, n, start, transition, emission, alpha):  # type: ignore[no-untyped-def]
    """Forward probabilities of the states (n, H), each row scaled to 1; the log of the scales."""
    H, log = len(start), 0.0
    for i in range(n):
        c, total = codes[begin + i], 0.0
        for h in range(H):
            value = start[h]
            if i > 0:
                value = 0.0
                for k in range(H):
                    value += alpha[i - 1, k] * transition[k, h]
            alpha[i, h] = value * emission[h, c]
            total += alpha[i, h]
        log += math.log(total) if total > 0.0 else NEVER
        for h in range(H):
            alpha[i, h] = alpha[i, h] / total if total > 0.0 else 0.0
    return log


@loop
def hidden_logs(  # type: ignore[no-untyped-def]
    codes, offsets, start, transition, emission, stop, lengths, empty, out
):
    """Log probability of every sequence under a hidden Markov model."""
    longest = 1
    for s in range(len(out)):
        longest = max(longest, offsets[s + 1] - offsets[s])
    alpha = np.empty((longest, len(start)))
    for s in range(len(out)):
        begin, n = offsets[s], offsets[s + 1] - offsets[s]
        log = _forward(codes, begin, n, start, transition, emission, alpha)
        last = empty
        if n > 0:
            last = 0.0
            for h in range(len(start)):
                last += alpha[n - 1, h] * stop[h]
        log += math.log(last) if last > 0.0 else NEVER
        if len(lengths) > 0:
            log += lengths[n] if n < len(lengths) else NEVER
        out[s] = log


@inline
def _log_share(above, below, change):  # type: ignore[no-untyped-def]
    return math.log(above / below) + change if above > 0.0 else NEVER


@loop
def hidden_ratios(  # type: ignore[no-untyped-def]
    codes, offsets, first, last, start, transition, emission, stop, lengths, empty,
    substitute, insert, delete, J, out,
):  # fmt: skip
    """Log ratios of all neighbours of sequences first <= s < last, for a hidden Markov model.

    `alpha` are the forward probabilities, `ahead` (of the state at a position, before its symbol)
    and `beta` (of the rest given the state) those of the other direction, each row scaled; a
    neighbour puts together what stays of both.
    """
    H, S = emission.shape
    longest = 1
    for s in range(first, last):
        longest = max(longest, offsets[s + 1] - offsets[s])
    alpha, ahead = np.empty((longest, H)), np.empty((longest + 1, H))
    beta, scale = np.empty((longest, H)), np.empty(longest)
    onward = np.empty(H)
    e = 0
    for s in range(first, last):
        begin, n = offsets[s], offsets[s + 1] - offsets[s]
        low, low_insert = max(0, n - J), max(0, n - J + 1)
        _forward(codes, begin, n, start, transition, emission, alpha)
        for p in range(n + 1):
            for h in range(H):
                value = start[h]
                if p > 0:
                    value = 0.0
                    for k in range(H):
                        value += alpha[p - 1, k] * transition[k, h]
                ahead[p, h] = value
        for h in range(H):
            if n > 0:
                beta[n - 1, h] = stop[h]
        for i in range(n - 2, -1, -1):
            c, total = codes[begin + i + 1], 0.0
            for h in range(H):
                value = 0.0
                for k in range(H):
                    value += transition[h, k] * emission[k, c] * beta[i + 1, k]
                beta[i, h] = value
                total += value
            scale[i] = total
            for h in range(H):
                beta[i, h] /= total
        if substitute:
            for p in range(low, n):
                own, whole = codes[begin + p], 0.0
                for h in range(H):
                    onward[h] = ahead[p, h] * beta[p, h]
                    whole += onward[h] * emission[h, own]
                for a in range(S):
                    value = 0.0
                    for h in range(H):
                        value += onward[h] * emission[h, a]
                    out[e + a] = _log_share(value, whole, 0.0)
                out[e + own] = NEVER
                e += S
        if insert:
            change = _length_change(lengths, n, n + 1)
            for p in range(low_insert, n + 1):
                whole = empty
                if p < n:  # through the symbol at p
                    whole = 0.0
                    for h in range(H):
                        whole += ahead[p, h] * emission[h, codes[begin + p]] * beta[p, h]
                elif n > 0:  # through the end
                    whole = 0.0
                    for h in range(H):
                        whole += alpha[n - 1, h] * stop[h]
                for h in range(H):
                    value = stop[h]
                    if p < n:
                        value = 0.0
                        for k in range(H):
                            c = codes[begin + p]
                            value += transition[h, k] * emission[k, c] * beta[p, k]
                    onward[h] = ahead[p, h] * value
                for a in range(S):
                    value = 0.0
                    for h in range(H):
                        value += onward[h] * emission[h, a]
                    out[e + a] = NEVER if whole == 0.0 else _log_share(value, whole, change)
                if p > low_insert:
                    out[e + codes[begin + p - 1]] = NEVER
                e += S
        if delete:
            change = _length_change(lengths, n, n - 1)
            for p in range(low, n):
                own, whole, value = codes[begin + p], 0.0, 0.0
                for h in range(H):
                    whole += ahead[p, h] * emission[h, own] * beta[p, h]
                if p < n - 1:
                    whole *= scale[p]
                    for h in range(H):
                        c = codes[begin + p + 1]
                        value += ahead[p, h] * emission[h, c] * beta[p + 1, h]
                elif n > 1:
                    for h in range(H):
                        value += alpha[n - 2, h] * stop[h]
                else:
                    value = empty
                out[e] = _log_share(value, whole, change)
                if p > low and own == codes[begin + p - 1]:
                    out[e] = NEVER
                e += 1


@inline
def _slot(index, start, slots):  # type: ignore[no-untyped-def]
    """Place of a subsequence: its own, or where there are too many, one by a hash."""
    slot = start + index
    if slots > 0:
        mixed = (np.uint64(slot) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(31)
        slot = np.int64(mixed % np.uint64(slots))
    return slot


@inline
def _add(cells, marks, touched, number, cell, value):  # type: ignore[no-untyped-def]
    """Add to a cell and remember that it is no longer 0."""
    if cell >= len(cells):
        cell -= len(cells)
    if not marks[cell]:
        marks[cell] = True
        touched[number[0]] = cell
        number[0] += 1
    cells[cell] += value


@loop
def _remove(  # type: ignore[no-untyped-def]
    codes, begin, length, lo, hi, S, start, slots, offset, weight, path, scratch,
):  # fmt: skip
    """Take windows lo..hi of a sequence away; their places go to `path`."""
    cells, marks, touched, number, counts, steps = scratch
    for i in range(lo, hi + 1):
        index = 0
        for j in range(length):
            index = index * S + codes[begin + i + j]
        slot = _slot(index, start, slots)
        count = counts[slot]
        counts[slot] = count - 1
        path[i - lo] = slot
        _add(cells, marks, touched, number, slot + offset,
             -weight * steps[count - 1])  # fmt: skip


@loop
def _supply(  # type: ignore[no-untyped-def]
    bases, powers, windows, S, weights, e, factor, start, slots, offset, path, scratch,
):  # fmt: skip
    """Put `windows` windows in, once with every symbol; counts stay as they are."""
    cells, marks, touched, number, counts, steps = scratch
    size, found = len(cells), number[0]
    for a in range(S):
        w = factor * weights[e + a]
        if w == 0.0:
            continue
        for k in range(windows):
            slot = _slot(bases[k] + a * powers[k], start, slots)
            path[k] = slot
            count = counts[slot]
            for j in range(k):
                if path[j] == slot:
                    count += 1
            cell = slot + offset
            if cell >= size:
                cell -= size
            if not marks[cell]:
                marks[cell] = True
                touched[found] = cell
                found += 1
            cells[cell] += w * steps[count]
    number[0] = found


@loop
def subsequence_features(  # type: ignore[no-untyped-def]
    codes, offsets, first, last, kernel, near, weights, bins, scratch, out, squares, norms, growth
):
    """Add the Stein features of sequences first <= s < last to the rows of `out`, by bin.

    Feature z of a sequence x is sum_u g_u (phi_z(u) - phi_z(x)) over its neighbours u, with
    phi_z = sqrt(count of z / (windows of its length * number of lengths)); `steps[c]` is
    sqrt(c + 1) - sqrt(c). A neighbour differs in
    a few windows, and in their number by one at most: only changes of roots of counts are added,
    window by window, and what the number of windows changes is added at the end.

    `kernel` is S, the shortest and the longest length, the first place of each, slots and stride;
    `near` the kinds of edits and J; `scratch` cells, marks, touched (D,), number (1,), counts
    (places,), all 0 before and after, and steps.
    With `stride` > 0 the features of a sequence of n symbols lie n * stride cells further on: the
    kernel is multiplied by the equality of lengths. `squares` (D,) and `norms` (n,) take the
    sums of squares by cell and by sequence, `growth` (n,) the Stein feature of the number of
    symbols.
    """
    S, shortest, longest, firsts, slots, stride = kernel
    substitute, insert, delete, J = near
    cells, marks, touched, number, counts, steps = scratch
    size, used = len(cells), longest - shortest + 1
    path, old = np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64)
    bases, powers = np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64)
    none = np.zeros(longest + 1, np.int64)
    e = 0
    for s in range(first, last):
        begin, n = offsets[s], offsets[s + 1] - offsets[s]
        low, low_insert = max(0, n - J), max(0, n - J + 1)
        at = (n * stride) % size
        at_up = ((n + 1) * stride) % size
        at_down = (max(n - 1, 0) * stride) % size
        begin_e = e
        total_up, total_down = 0.0, 0.0
        for length in range(shortest, longest + 1):
            e = begin_e
            W, start = n - length + 1, firsts[length - shortest]
            here = 1.0 / math.sqrt(W * used) if W > 0 else 0.0
            up = 1.0 / math.sqrt((W + 1) * used) if W + 1 > 0 else 0.0
            down = 1.0 / math.sqrt((W - 1) * used) if W - 1 > 0 else 0.0
            for i in range(W):
                index = 0
                for j in range(length):
                    index = index * S + codes[begin + i + j]
                counts[_slot(index, start, slots)] += 1
            total_up, total_down = 0.0, 0.0
            if substitute:
                for p in range(low, n):
                    total = 0.0
                    for a in range(S):
                        total += weights[e + a]
                    lo, hi = max(0, p - length + 1), min(p, n - length)
                    _remove(codes, begin, length, lo, hi, S, start, slots, at, here * total,
                            old, scratch)  # fmt: skip
                    for i in range(lo, hi + 1):
                        base, power = 0, 1
                        for j in range(length):
                            base = base * S + (0 if i + j == p else codes[begin + i + j])
                            power = power * S if i + j > p else power
                        bases[i - lo], powers[i - lo] = base, power
                    _supply(bases, powers, hi - lo + 1, S, weights, e, here, start, slots, at,
                            path, scratch)  # fmt: skip
                    for k in range(hi - lo + 1):
                        counts[old[k]] += 1
                    e += S
            if insert:
                for p in range(low_insert, n + 1):
                    total = 0.0
                    for a in range(S):
                        total += weights[e + a]
                    total_up += total
                    lo, hi = max(0, p - length + 1), min(p - 1, n - length)
                    _remove(codes, begin, length, lo, hi, S, start, slots, at_up, up * total,
                            old, scratch)  # fmt: skip
                    windows = 0
                    for i in range(lo, min(p, n + 1 - length) + 1):
                        base, power = 0, 1
                        for j in range(length):
                            q = i + j
                            digit = 0
                            if q < p:
                                digit = codes[begin + q]
                            elif q > p:
                                digit = codes[begin + q - 1]
                                power = power * S
                            base = base * S + digit
                        bases[windows], powers[windows] = base, power
                        windows += 1
                    _supply(bases, powers, windows, S, weights, e, up, start, slots, at_up,
                            path, scratch)  # fmt: skip
                    for k in range(hi - lo + 1):
                        counts[old[k]] += 1
                    e += S
            if delete:
                for p in range(low, n):
                    total_down += weights[e]
                    lo, hi = max(0, p - length + 1), min(p, n - length)
                    _remove(codes, begin, length, lo, hi, S, start, slots, at_down,
                            down * weights[e], old, scratch)  # fmt: skip
                    windows = 0
                    for i in range(lo, min(p - 1, n - 1 - length) + 1):
                        base = 0
                        for j in range(length):
                            q = i + j
                            base = base * S + codes[begin + (q if q < p else q + 1)]
                        bases[windows] = base
                        windows += 1
                    _supply(bases, none, windows, 1, weights, e, down, start, slots, at_down,
                            path, scratch)  # fmt: skip
                    for k in range(hi - lo + 1):
                        counts[old[k]] += 1
                    e += 1
            for i in range(W):
                index = 0
                for j in range(length):
                    index = index * S + codes[begin + i + j]
                slot = _slot(index, start, slots)
                count = counts[slot]
                root = steps[count - 1]
                counts[slot] = count - 1
                gone = here * (total_up + total_down)
                _add(cells, marks, touched, number, slot + at, -gone * root)
                _add(cells, marks, touched, number, slot + at_up, up * total_up * root)
                _add(cells, marks, touched, number, slot + at_down, down * total_down * root)
        norm = 0.0
        row = bins[s]
        for k in range(number[0]):
            cell = touched[k]
            value = cells[cell]
            norm += value * value
            squares[cell] += value * value
            out[row, cell] += value
            cells[cell] = 0.0
            marks[cell] = False
        norms[s] = norm
        # The Stein feature of the number of symbols itself: what insertions and deletions weigh.
        growth[s] = total_up - total_down
        number[0] = 0


@loop
def hamming_sums(  # type: ignore[no-untyped-def]
    codes, offsets, first, last, S, J, edges, weights, bins, out
):
    """Add the Stein kernel of pairs i < j, first <= i < last, of equal lengths to `out`, by bins.

    For k(x, y) = exp(-Hamming distance / n) and substitutions only. k is a product over positions
    of 1 or q = exp(-1 / n), so a substitution changes one factor: with A_i the weighted sum over
    substitutions of x at i of (new factor / old factor - 1), B_i the same for y, and C_i for both
    at once, h(x, y) = k(x, y) (sum A sum B - sum A_i B_i + sum C_i).

    `weights` has the substitutions of sequence s from `edges[s]` on, laid out as above.
    """
    n = len(offsets) - 1
    for i in range(first, last):
        x, length = offsets[i], offsets[i + 1] - offsets[i]
        if length == 0:
            continue
        low, q = max(0, length - J), math.exp(-1.0 / length)
        for j in range(i + 1, n):
            y = offsets[j]
            if offsets[j + 1] - y != length:
                continue
            apart, A, B, own = 0, 0.0, 0.0, 0.0
            for p in range(length):
                c, d = codes[x + p], codes[y + p]
                if c != d:
                    apart += 1
                if p < low:
                    continue
                at_x, at_y = edges[i] + (p - low) * S, edges[j] + (p - low) * S
                G, H, both = 0.0, 0.0, 0.0
                for a in range(S):
                    g, h = weights[at_x + a], weights[at_y + a]
                    G += g
                    H += h
                    both += g * h
                if c == d:
                    first_change, second_change = G * (q - 1.0), H * (q - 1.0)
                    own += (1.0 - q) * (G * H + both)
                else:
                    g, h = weights[at_x + d], weights[at_y + c]
                    first_change, second_change = g * (1.0 / q - 1.0), h * (1.0 / q - 1.0)
                    own += (1.0 - q) / q * (both - H * g - G * h)
                A += first_change
                B += second_change
                own -= first_change * second_change
            value = math.exp(-apart / length) * (A * B + own)
            out[bins[i], bins[j]] += value
            out[bins[j], bins[i]] += value
