"""Draw the posterior samples in this folder: exact draws, and draws that are spread too wide.

    python3 datasets/make_posterior.py

Linear regression with a conjugate prior, made up here: y = X b + noise, b | s2 ~ N(0, 100 s2 I),
s2 ~ inverse gamma(2, 1). The coordinates are b0, b1, b2 and log s2. Every row carries the exact
gradient of the log posterior density of these coordinates, as a sampler such as Stan would give
it. In the inflated file b is spread by 15 % too much around its mean, and its scores are those
of the true posterior at the wrong places.
"""

from pathlib import Path

import numpy as np
import pandas as pd

ROWS = 1000
PRIOR_SHAPE, PRIOR_SCALE, PRIOR_VARIANCE = 2.0, 1.0, 100.0
NAMES = ["b0", "b1", "b2", "log_s2"]


def main():
    rng = np.random.default_rng(2016)
    X = rng.normal(size=(40, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.3], [0, 0, 1]])
    y = X @ [1.0, -0.5, 0.25] + rng.normal(size=40)
    precision = X.T @ X + np.eye(3) / PRIOR_VARIANCE
    mean = np.linalg.solve(precision, X.T @ y)
    shape = PRIOR_SHAPE + len(y) / 2
    scale = PRIOR_SCALE + (y @ y - mean @ precision @ mean) / 2

    def score(b, log_s2):
        """Gradient of log p(b, log s2): b | s2 ~ N(mean, s2 / precision), s2 ~ IG(shape, scale)."""
        s2 = np.exp(log_s2)
        off = b - mean
        pull = off @ precision
        by_b = -pull / s2[:, None]
        # -(3 / 2) log s2 from the normal, -shape log s2 with the Jacobian of the logarithm.
        by_log = -1.5 - shape + scale / s2 + (off * pull).sum(axis=1) / (2 * s2)
        return np.column_stack([by_b, by_log])

    s2 = scale / rng.gamma(shape, size=ROWS)
    root = np.linalg.cholesky(np.linalg.inv(precision))
    b = mean + np.sqrt(s2)[:, None] * (rng.normal(size=(ROWS, 3)) @ root.T)
    for name, factor in (("exact", 1.0), ("inflated", 1.15)):
        moved = mean + factor * (b - mean)
        values = np.column_stack([moved, np.log(s2)])
        table = {f"x_{n}": values[:, c] for c, n in enumerate(NAMES)}
        table |= {f"score_{n}": g for n, g in zip(NAMES, score(moved, np.log(s2)).T, strict=True)}
        pd.DataFrame(table).to_parquet(Path(__file__).parent / f"posterior_{name}.parquet")


if __name__ == "__main__":
    main()
