"""Streams for the tests and benchmarks of sequential tests; every one takes a generator and n."""

from __future__ import annotations

import numpy as np


def gaussian(slope):
    def make(rng, n):
        x = rng.normal(size=n)
        return x, slope * x + rng.normal(size=n)

    return make


def cauchy(rng, n):
    return rng.standard_cauchy(n), rng.standard_cauchy(n)


def discrete(rng, n):
    return rng.integers(0, 3, n).astype(float), rng.poisson(2, n).astype(float)


def trend(both):
    def make(rng, n):
        x, y = rng.normal(size=(2, n))
        up = 3 * np.arange(n) / n
        return x + up, y + up * both

    return make


def season(period, amplitude):
    def make(rng, n):
        wave = amplitude * np.sin(2 * np.pi * np.arange(n) / period)
        x, y = rng.normal(size=(2, n))
        return wave + x, wave + y

    return make


def jump(rng, n):
    x, y = rng.normal(size=(2, n))
    up = 3.0 * (np.arange(n) >= n // 2)
    return x + up, y + up


def memory(coefficient, every=1):
    def make(rng, n):
        noise = rng.normal(size=(n * every, 2))
        out = np.empty_like(noise)
        out[0] = noise[0] / np.sqrt(1 - coefficient**2)
        for t in range(1, len(noise)):
            out[t] = coefficient * out[t - 1] + noise[t]
        return out[::every, 0], out[::every, 1]

    return make


def oscillation(w):
    """Density proportional to 1 + sin(w x) sin(w y) on the square of side 2 pi."""

    def make(rng, n):
        found = np.empty((0, 2))
        while len(found) < n:
            points = rng.uniform(-np.pi, np.pi, size=(2 * n, 2))
            accept = rng.uniform(0, 2, 2 * n) < 1 + np.sin(w * points).prod(axis=1)
            found = np.concatenate([found, points[accept]])
        return found[:n, 0], found[:n, 1]

    return make


def sphere(d):
    def make(rng, n):
        points = rng.normal(size=(n, d))
        points /= np.linalg.norm(points, axis=1)[:, None]
        return points[:, 0], points[:, 1]

    return make


# Shapes of Henzi and Distribution (2024) at noise level 4: errors of standard deviation 4 / 40.
NOISE = 0.1


def linear(rng, n):
    x = rng.uniform(size=n)
    return x, x + 6 * NOISE * rng.normal(size=n)


def parabola(rng, n):
    x = rng.uniform(size=n)
    return x, (x - 0.5) ** 2 + 1.5 * NOISE * rng.normal(size=n)


def circle(rng, n):
    angle = rng.uniform(0, 2 * np.pi, n)
    noise = 2.5 * NOISE * rng.normal(size=(2, n))
    return np.cos(angle) + noise[0], np.sin(angle) + noise[1]


def sine(rng, n):
    x = rng.uniform(size=n)
    return x, np.sin(4 * np.pi * x) + 8 * NOISE * rng.normal(size=n)


def checkerboard(rng, n):
    column = rng.integers(1, 4, n)
    even = rng.choice([2, 4], n)
    odd = rng.choice([1, 3, 5], n)
    y = np.where(column == 2, even, odd)
    return column + NOISE * rng.normal(size=n), y + 4 * NOISE * rng.normal(size=n)


def local(rng, n):
    x = rng.normal(0, 0.5, n)
    y = x + NOISE * rng.normal(size=n)
    inside = (x > 0) & (x < 1) & (y > 0) & (y < 1)
    return x, np.where(inside, y, rng.normal(0, 0.5, n))


def season_of_spread(period, log_sd=1.0, mean=0.0):
    """Both sides with standard deviation exp(log_sd sin(2 pi t / period)), and a common mean."""

    def make(rng, n):
        wave = np.sin(2 * np.pi * np.arange(n) / period)
        x, y = rng.normal(size=(2, n))
        return mean * wave + np.exp(log_sd * wave) * x, mean * wave + np.exp(log_sd * wave) * y

    return make


def garch(common, a=0.2, b=0.79):
    """Volatility of each side from its own past, or of both from the past of both."""

    def make(rng, n):
        noise, early = rng.normal(size=(2, n + 200)), 200
        out, v = np.empty_like(noise), np.ones(2)
        for t in range(n + early):
            out[:, t] = np.sqrt(v) * noise[:, t]
            square = out[:, t] ** 2
            v = 1 - a - b + a * (square.mean() if common else square) + b * v
        return out[0, early:], out[1, early:]

    return make


def switching(common, chance=0.05, ratio=5.0):
    """Spread 1 or `ratio`, each for 1 / chance rows on average."""

    def regimes(rng, n):
        return (np.cumsum(rng.random(n) < chance) + rng.integers(2)) % 2

    def make(rng, n):
        x, y = rng.normal(size=(2, n))
        first = regimes(rng, n)
        second = first if common else regimes(rng, n)
        return x * np.where(first, ratio, 1), y * np.where(second, ratio, 1)

    return make


def drift_of_spread(rng, n):
    x, y = rng.normal(size=(2, n)) * np.exp(2 * np.arange(n) / n)
    return x, y


def step_of_spread(rng, n):
    x, y = rng.normal(size=(2, n)) * np.where(np.arange(n) >= n // 2, 5, 1)
    return x, y


def product(rng, n):
    """y = x e: dependent in spread only, rows independent of each other."""
    x = rng.normal(size=n)
    return x, x * rng.normal(size=n)


def common_size(rng, n):
    """Both with a size of the row's own."""
    x, y = rng.normal(size=(2, n)) * np.exp(rng.normal(size=n))
    return x, y


# Both sides volatile, and independent given the time: dependent is wrong, no verdict is right.
SPREADS = {
    "season 7 of spread": season_of_spread(7),
    "season 12 of spread": season_of_spread(12),
    "season 24 of spread": season_of_spread(24),
    "season 100 of spread": season_of_spread(100),
    "season 24 of mean and spread": season_of_spread(24, mean=1.0),
    "GARCH": garch(common=False),
    "GARCH, common": garch(common=True),
    "switching": switching(common=False),
    "switching, common": switching(common=True),
    "drift of spread": drift_of_spread,
    "step of spread": step_of_spread,
}
DEPENDENT_SPREADS = {"product": product, "common size": common_size}
# Independent given the time of the row, so no "dependent" is right.
NULLS = {
    "gauss": gaussian(0.0),
    "cauchy": cauchy,
    "discrete": discrete,
    "trend in x": trend(0),
    "trend in both": trend(1),
    "season 365, both": season(365, 2),
    "common jump": jump,
    "memory .3": memory(0.3),
    "memory .6": memory(0.6),
    "memory .9": memory(0.9),
    "memory .9, thinned": memory(0.9, 10),
    "season 24, amp 2": season(24, 2),
    "season 24, amp 1": season(24, 1),
    "season 7, amp 2": season(7, 2),
}
# Of these the short seasons are not claimed to be seen as anything but "no verdict".
CLAIMED = [name for name in NULLS if not name.startswith(("season 24", "season 7"))]
SHAPES = {
    "linear": linear,
    "parabola": parabola,
    "circle": circle,
    "sine": sine,
    "checkerboard": checkerboard,
    "local": local,
}
