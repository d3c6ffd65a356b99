"""The yardstick: the fastest plain loop we know for summing a grid of Gaussian kernels.

One thread, float32, equal blocks, nothing but the sums: no diagonal to leave out, no odd block
sizes, no other kernels, no squares, and no denormal numbers. The engine is measured against it
within one run, because absolute speeds of shared machines mean nothing.
"""

from __future__ import annotations

import threading
import time

import numpy as np
from numba import njit

from kstest.engine.denormals import flushed_denormals

f32 = np.float32


@njit(inline="always", fastmath=True)
def _exp(x):
    t = max(x, f32(-87.0)) * f32(1.4426950408889634)
    k = np.rint(t)
    r = t - k
    p = f32(1.5403530e-4)
    p = p * r + f32(1.3333558e-3)
    p = p * r + f32(9.6181291e-3)
    p = p * r + f32(5.5504109e-2)
    p = p * r + f32(2.4022651e-1)
    p = p * r + f32(6.9314718e-1)
    p = p * r + f32(1.0)
    return p * np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(f32)


@njit(fastmath=True, error_model="numpy", nogil=True)
def fused(X, norms, XT, block, bandwidths):
    """Sums exp(-|x - y|^2), and its repeated squares, over all pairs of blocks a <= b."""
    n, d = X.shape
    count = n // block
    out = np.zeros((bandwidths, count, count))
    buf = np.empty((4, block), f32)
    acc = np.zeros(bandwidths)
    for a in range(count):
        for b in range(a, count):
            acc[:] = 0.0
            j0 = b * block
            yy = norms[j0 : j0 + block]
            for i in range(a * block, a * block + block, 4):
                b0, b1, b2, b3 = buf[0], buf[1], buf[2], buf[3]
                for j in range(block):
                    b0[j] = -norms[i] - yy[j]
                    b1[j] = -norms[i + 1] - yy[j]
                    b2[j] = -norms[i + 2] - yy[j]
                    b3[j] = -norms[i + 3] - yy[j]
                for k in range(d):
                    y = XT[k, j0 : j0 + block]
                    a0, a1 = f32(2) * X[i, k], f32(2) * X[i + 1, k]
                    a2, a3 = f32(2) * X[i + 2, k], f32(2) * X[i + 3, k]
                    for j in range(block):
                        b0[j] += a0 * y[j]
                        b1[j] += a1 * y[j]
                        b2[j] += a2 * y[j]
                        b3[j] += a3 * y[j]
                for r in range(4):
                    row = buf[r]
                    t = f32(0)
                    for j in range(block):
                        e = _exp(min(row[j], f32(0)))
                        row[j] = e
                        t += e
                    acc[0] += t
                    for q in range(1, bandwidths):
                        t = f32(0)
                        for j in range(block):
                            e = row[j] * row[j]
                            row[j] = e
                            t += e
                        acc[q] += t
            out[:, a, b] = acc
            out[:, b, a] = acc
    return out


def prepared(n, d, bandwidths, block=512):
    """The yardstick on n standard normal rows, compiled, as a function of no argument."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(n - n % block, d)) * np.sqrt(0.5 / d / bandwidths)).astype(f32)
    norms, XT = (X**2).sum(axis=1), np.ascontiguousarray(X.T)
    fused(X[:block], norms[:block], XT, block, bandwidths)

    def run():
        with flushed_denormals():  # of the thread that runs
            fused(X, norms, XT, block, bandwidths)

    return run


def seconds(n, d, bandwidths, block=512, repeat=3):
    """CPU seconds of the yardstick on n standard normal rows, the best of a few runs."""
    return best(prepared(n, d, bandwidths, block), repeat)


def both(run):
    """Run the yardstick in two threads at once, each all of it."""
    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def best(run, repeat, clock=time.process_time):
    times = []
    for _ in range(repeat):
        start = clock()
        run()
        times.append(clock() - start)
    return min(times)
