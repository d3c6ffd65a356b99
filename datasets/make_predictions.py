"""Draw the forecasts and outcomes of this folder.

    python3 datasets/make_predictions.py

Made-up forecasts of rain: `chance` is what the model said, `rain` what came. Over all stations the
forecasts are right for every chance; on the coast it rains less often than they say, in the hills
more often. `chance_mended` is right everywhere.
"""

from pathlib import Path

import numpy as np
import pandas as pd

ROWS = 1200
OFF = {"coast": -0.6, "hills": 0.6, "plain": 0.0}


def main():
    rng = np.random.default_rng(2024)
    logit = 1.1 * rng.normal(size=ROWS) - 0.3
    station = rng.choice(list(OFF), ROWS)
    off = np.array([OFF[name] for name in station])
    chance, right = (np.round(1 / (1 + np.exp(-x)), 3) for x in (logit, logit + off))
    table = pd.DataFrame(
        {
            "rain": (rng.random(ROWS) < right).astype(int),
            "chance": chance,
            "chance_mended": right,
            "station": station,
            "pressure": np.round(1013 - 6 * logit + 4 * rng.normal(size=ROWS), 1),
        }
    )
    table.to_csv(Path(__file__).with_name("predictions.csv"), index=False)


if __name__ == "__main__":
    main()
