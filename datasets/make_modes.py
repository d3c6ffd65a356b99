"""Draw the samples of a density with two modes in this folder, and write the density.

    python3 datasets/make_modes.py

A made-up posterior of two parameters, `speed` and `lag`, with a wide mode that holds 35 % of the
mass and a narrow one that holds 65 %. `modes_even.csv` has independent draws from it.
`modes_stuck.csv` is what a sampler leaves that seldom finds its way from one mode to the other:
within each mode its draws are right, but 50 % of them are in the wide one.
"""

from pathlib import Path

import numpy as np
import pandas as pd

ROWS = 600
WEIGHTS = [0.35, 0.65]
MEANS = [[-4.0, 0.0], [4.0, 1.0]]
COVARIANCES = [[[2.0, 0.6], [0.6, 1.0]], [[0.6, -0.2], [-0.2, 0.4]]]
TARGET = f"""\
# Two modes, one wide and one narrow, for kstest pksd and kstest ksd.
family = "gaussian_mixture"
columns = ["speed", "lag"]
weights = {WEIGHTS}
means = {MEANS}
covariances = {COVARIANCES}
"""


def main():
    rng = np.random.default_rng(2023)
    folder = Path(__file__).parent
    (folder / "modes.toml").write_text(TARGET)
    for name, share in (("even", WEIGHTS[0]), ("stuck", 0.5)):
        wide = rng.random(ROWS) < share
        rows = np.empty((ROWS, 2))
        for k, chosen in enumerate((wide, ~wide)):
            root = np.linalg.cholesky(COVARIANCES[k])
            rows[chosen] = MEANS[k] + rng.normal(size=(chosen.sum(), 2)) @ root.T
        table = pd.DataFrame(rows.round(4), columns=["speed", "lag"])
        table.to_csv(folder / f"modes_{name}.csv", index=False)


if __name__ == "__main__":
    main()
