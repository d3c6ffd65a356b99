"""Transforms: how a column with a bounded support becomes a coordinate on the whole line.

Stein's identity needs the density to vanish at the edge of its support. A positive column is
therefore tested as its logarithm and a bounded one as its logit, with the log-Jacobian added to
the log density; an angle stays an angle and gets a kernel on the circle.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

Array = NDArray[np.float64]


@frozen
class Transform:
    """The support of one column, and its map x -> y onto the line.

    Attributes
    ----------
    low, high : float
        The support is the open interval (low, high); infinite ends are allowed.
    angle : bool
        The column is an angle in radians; no value is outside.
    """

    low: float = -math.inf
    high: float = math.inf
    angle: bool = False

    @property
    def real(self) -> bool:
        return not self.angle and math.isinf(self.low) and math.isinf(self.high)

    def __str__(self) -> str:
        return "angle" if self.angle else f"({self.low:g}, {self.high:g})"

    def forward(self, x: Array) -> Array:
        """Return y: x (angles within one turn), log(x - low), -log(high - x) or the logit."""
        if self.angle:
            return np.mod(x, 2 * math.pi)
        if self.real:
            return x
        if math.isinf(self.high):
            return np.log(x - self.low)
        if math.isinf(self.low):
            return -np.log(self.high - x)
        return np.log((x - self.low) / (self.high - x))

    def inverse(self, y: Array) -> Array:
        """Return x at a coordinate y; far out it rounds to the end of the support."""
        if self.angle or self.real:
            return y
        with np.errstate(over="ignore"):
            if math.isinf(self.high):
                return np.asarray(self.low + np.exp(y))
            if math.isinf(self.low):
                return np.asarray(self.high - np.exp(-y))
            return np.asarray(self.low + (self.high - self.low) / (1 + np.exp(-y)))

    def log_slope(self, y: Array) -> Array:
        """Return log(dx/dy) at a coordinate y, exact also where x rounds to an end."""
        if self.angle or self.real:
            return np.zeros_like(y)
        if math.isinf(self.high):
            return y
        if math.isinf(self.low):
            return -y
        width = math.log(self.high - self.low)
        return np.asarray(width - np.logaddexp(0, y) - np.logaddexp(0, -y))

    def slope(self, x: Array) -> Array:
        """Return dx/dy."""
        if self.angle or self.real:
            return np.ones_like(x)
        if math.isinf(self.high):
            return x - self.low
        if math.isinf(self.low):
            return self.high - x
        return (x - self.low) * (self.high - x) / (self.high - self.low)

    def bend(self, x: Array) -> Array:
        """Return the derivative of log(dx/dy) with respect to y."""
        if self.angle or self.real:
            return np.zeros_like(x)
        if math.isinf(self.high):
            return np.ones_like(x)
        if math.isinf(self.low):
            return -np.ones_like(x)
        return (self.low + self.high - 2 * x) / (self.high - self.low)

    def outside(self, x: Array) -> NDArray[np.bool_]:
        """Return where x lies beyond the closed support."""
        if self.angle:
            return np.zeros(x.shape, np.bool_)
        return np.asarray((x < self.low) | (x > self.high))

    def edge(self, x: Array) -> NDArray[np.bool_]:
        """Return where x lies on the end of the support, whose image is infinite."""
        if self.angle:
            return np.zeros(x.shape, np.bool_)
        return np.asarray((x == self.low) | (x == self.high))


REAL = Transform()
POSITIVE = Transform(low=0.0)
ANGLE = Transform(angle=True)
