"""Cut the small files in this folder from the full table of hits.

    python3 datasets/make_km3net.py km3net_l1_hits.parquet

Needs the columns slice, dom, pmt, time_ns, tot_ns. Nothing is random: the same input gives the
same files.
"""

import sys
from pathlib import Path

import pandas as pd

SILENCE_NS = 1000
COLUMNS = ["tot_ns", "pmt"]


def first_hits(hits):
    """Keep the first hit of every burst: hits within a burst are not independent."""
    hits = hits.sort_values(["slice", "time_ns"], kind="stable")
    gap = hits["time_ns"].diff()
    new_slice = hits["slice"].diff() != 0
    return hits[new_slice | (gap > SILENCE_NS)]


def apart(hits):
    """Times between neighbouring hits, in microseconds."""
    hits = hits.sort_values(["slice", "time_ns"], kind="stable")
    gap = hits["time_ns"].diff()[hits["slice"].diff() == 0]
    return (gap[gap > 0] / 1000).round(3).rename("gap_us").to_frame()


def waits(hits):
    """Silence before each burst beyond the 1,000 ns that define one, in microseconds."""
    gap = apart(hits)["gap_us"]
    return (gap[gap > SILENCE_NS / 1000] - SILENCE_NS / 1000).round(3).rename("wait_us").to_frame()


def main(source):
    here = Path(__file__).parent
    hits = pd.read_parquet(source)
    early, late = hits["slice"] <= 4, hits["slice"] >= 5
    module10, module09 = hits["dom"] == 10, hits["dom"] == 9
    first_hits(hits[module10 & early])[COLUMNS].to_parquet(
        here / "module10_early.parquet", index=False
    )
    for name, rows in (
        ("module10_late", module10 & late),
        ("module09", module09 & early),
        ("module09_without_tube23", module09 & early & (hits["pmt"] != 23)),
    ):
        first_hits(hits[rows])[COLUMNS].to_csv(here / f"{name}.csv", index=False)
    waits(hits[module10 & early]).to_csv(here / "module10_waits.csv", index=False)
    apart(hits[module10 & (hits["slice"] == 0)]).to_csv(here / "module10_gaps.csv", index=False)


if __name__ == "__main__":
    main(sys.argv[1])
