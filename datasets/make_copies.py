"""Cut tube rates, stock returns and sampler draws from their full tables.

    python3 datasets/make_copies.py km3net_pmt_rates.parquet stock_log_returns.csv \\
        eight_schools_centered_sampler.parquet

Nothing is random: the same input gives the same files.
"""

import sys
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
# Module and tube: two neighbours in one module, and tubes of three modules without a link.
TUBES = ((0, 3), (0, 4), (1, 5), (9, 23), (14, 12))


def rates(path):
    """Rate codes of a few tubes, one row per frame that all their modules have."""
    table = pd.read_parquet(path)
    columns = [
        table[table.dom == dom].set_index("frame")[f"pmt{tube:02d}"].rename(f"m{dom}_t{tube}")
        for dom, tube in TUBES
    ]
    whole = pd.concat(columns, axis=1, join="inner").sort_index()
    whole.to_csv(HERE / "tube_rates.csv", index_label="frame")


def main(rates_path, returns_path, draws_path):
    rates(rates_path)
    (HERE / "stock_log_returns.csv").write_bytes(Path(returns_path).read_bytes())
    draws = pd.read_parquet(draws_path).drop(columns=["chain", "diverging"])
    draws.to_parquet(HERE / "eight_schools_centred.parquet", index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
