"""Every picture that a command draws, by the line that draws it, on one page.

    python3 -m docs.gallery [FOLDER] [--ending png]

runs all lines in an empty folder on shipped or made data and writes the pictures and `gallery.md`
into FOLDER, `build/gallery` by default. The site has the same page, see `reference.py`;
`tests/test_gallery.py` holds every picture against a small one.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
DAY = "1767225600"  # seconds of the first of January 2026, the date of all pictures
INTRODUCTION = """\
# Gallery

Every picture of every command, with the line that draws it; `--plot why.png` makes a bitmap of it and
`--plot why.html` a page with all numbers. The files are those of the folder `datasets`, or made by
`kstest datasets make`. `python3 -m docs.gallery` makes this page."""


class Entry(NamedTuple):
    """A picture: its file, its title, the line that draws it, what it shows, lines before it."""

    name: str
    title: str
    line: str
    caption: str
    before: tuple[str, ...] = ()


ORDERS, WEATHER, STREAM = (
    (f"kstest datasets make {name}",) for name in ("orders", "weather", "stream")
)
CALIBRATED = (
    "kstest datasets make drift-tubes -o ref.parquet --events 3000 --seed 1",
    "kstest datasets make drift-tubes -o good.parquet --events 6000 --seed 2",
    "kstest dqm calibrate ref.parquet --pool good.parquet --batch-size 300 --toys 199 -o drift.cal",
)
FAULT = "kstest datasets make drift-tubes -o run_0816.parquet --events 300 --seed 4 --cathode 0.5"

SECTIONS: dict[str, tuple[Entry, ...]] = {
    "Two samples": (
        Entry(
            "mmd",
            "Where two samples differ",
            "kstest mmd datasets/module10_early.parquet datasets/module09.csv",
            "Pulses of two optical modules. In every column the two distributions, and below them "
            "the witness function: above the line the sample has more rows.",
        ),
        Entry(
            "mmd-pairs",
            "Pairs of columns",
            "kstest mmd orders_ref.csv orders_new.csv --missing indicator --explain pairs "
            "--permutations 199",
            "Orders of a shop; prices of one country have changed, which shows in pairs with the "
            "country more than in any column alone.",
            ORDERS,
        ),
        Entry(
            "mmd-by",
            "Level by level",
            "kstest mmd orders_ref.csv orders_new.csv --by country --columns amount,items,express",
            "The same orders, country by country: the one that differs, by its strongest column.",
            ORDERS,
        ),
        Entry(
            "mmd-kept",
            "No evidence",
            "kstest mmd datasets/module10_early.parquet datasets/module10_late.csv",
            "A healthy module against itself half a second later. Nothing below the distributions: "
            "what chance does is not drawn as evidence.",
        ),
        Entry(
            "ks",
            "Column by column",
            "kstest ks weather.csv weather_moved.csv --permutations 199",
            "A weather station that was moved: below each column the difference of the "
            "distribution functions, and a mark where it is largest.",
            WEATHER,
        ),
        Entry(
            "plan",
            "How many rows it takes",
            "kstest plan weather.csv --shift 0.3 --change temp --test ks --draws 50",
            "Power against the number of rows, with two standard errors of the simulation.",
            WEATHER,
        ),
    ),
}
