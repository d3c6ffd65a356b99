"""Every picture that a command draws, with the line that draws it, on one page.

    python3 -m docs.gallery [FOLDER] [--ending png]

runs all lines in an empty folder, on shipped or made data and with the seeds that commands have by
default, and writes the pictures and `gallery.md` into FOLDER, `build/gallery` by default. The site
has the same page (`reference.py`); `tests/test_gallery.py` holds every picture against a small one.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterable
from datetime import datetime, tzinfo
from pathlib import Path
from typing import NamedTuple
from unittest import mock

ROOT = Path(__file__).parent.parent
DAY = "1767225600"  # the first of January 2026, the day that all pictures say
INTRODUCTION = """\
# Gallery

Every picture of every command, with the line that draws it. `--plot why.png` makes a bitmap of
it, `--plot why.html` a page with all numbers; `--label 'tot_ns=time over threshold [ns]'` names an
axis. The files are those of the folder `datasets`, or made by `kstest datasets make`.
`python3 -m docs.gallery` in a copy of the repository makes this page."""


class Entry(NamedTuple):
    """A picture or a page: file, title, the line that makes it, what it shows, lines before it."""

    file: str
    title: str
    line: str
    caption: str
    before: tuple[str, ...] = ()

    @property
    def written(self) -> str:
        """The line, with the option that writes the file."""
        if self.line.startswith("kstest run"):
            return f"{self.line} --report html:{self.file}"
        if self.line.startswith(("kstest dqm status", "kstest show")):
            return f"{self.line} -o {self.file}"
        return f"{self.line} --plot {self.file}"


ORDERS, WEATHER, STREAM = (
    (f"kstest datasets make {name}",) for name in ("orders", "weather", "stream")
)
TUBES = "kstest datasets make drift-tubes -o"
CALIBRATED = (
    f"{TUBES} ref.parquet --events 2000 --seed 1",
    f"{TUBES} good.parquet --events 4000 --seed 2",
    f"{TUBES} day.parquet --events 2400 --seed 5",
    f"{TUBES} run_0816.parquet --events 200 --seed 4 --cathode 0.5",
    f"{TUBES} run_0817.parquet --events 200 --seed 6 --cathode 0.5",
    "kstest dqm calibrate ref.parquet --pool good.parquet --batch-size 200 --toys 199 -o drift.cal",
)
HISTORY = (*CALIBRATED, "kstest dqm check drift.cal day.parquet --history h.db")
CHECKS = ("kstest init datasets/module10_early.parquet datasets/module10_late.csv",)

SECTIONS: dict[str, tuple[Entry, ...]] = {
    "Two samples": (
        Entry(
            "mmd.svg",
            "Where two samples differ",
            "kstest mmd datasets/module10_early.parquet datasets/module09.csv "
            "--label 'tot_ns=time over threshold [ns]' --permutations 499",
            "Pulses of two optical modules. Of every column both distributions, and below them the "
            "witness function: above the line the sample has more rows.",
        ),
        Entry(
            "mmd-kept.svg",
            "No evidence",
            "kstest mmd datasets/module10_early.parquet datasets/module10_late.csv "
            "--permutations 199",
            "A healthy module against itself half a second later. Nothing below the distributions: "
            "what chance does is not drawn like evidence.",
        ),
        Entry(
            "mmd-pairs.svg",
            "Pairs of columns",
            "kstest mmd orders_ref.csv orders_new.csv --columns amount,items,country,express "
            "--explain pairs --permutations 199",
            "Orders of a shop, in which the prices of one country changed.",
            ORDERS,
        ),
        Entry(
            "mmd-by.svg",
            "Level by level",
            "kstest mmd orders_ref.csv orders_new.csv --by country --columns amount,items,express "
            "--permutations 199",
            "The same orders, country by country: the one that differs, by its strongest column.",
            ORDERS,
        ),
        Entry(
            "ks.svg",
            "Column by column",
            "kstest ks weather.csv weather_moved.csv --columns temp,wind,humid --permutations 199",
            "A weather station that was moved. Below each column the difference of the shares of "
            "rows up to a value, with a mark where it is largest.",
            WEATHER,
        ),
        Entry(
            "plan.svg",
            "How many rows it takes",
            "kstest plan weather.csv --columns temp --shift 0.5 --test ks --draws 20",
            "Power against the number of rows, with two standard errors of the simulation.",
            WEATHER,
        ),
    ),
    "Independence": (
        Entry(
            "hsic.svg",
            "Two blocks of columns",
            "kstest hsic weather.csv --x temp,humid --y delay --permutations 199",
            "Rows in a cell as a multiple of what independence gives: 2 is twice, 0.5 a half.",
            WEATHER,
        ),
        Entry(
            "hsic-pairs.svg",
            "All pairs",
            "kstest hsic weather.csv --columns temp,humid,wind,delay --all-pairs "
            "--permutations 199",
            "Corrected p-values of all pairs, the dependent ones framed, and a table for each.",
            WEATHER,
        ),
        Entry(
            "hsic-given.svg",
            "Given other columns",
            "kstest hsic weather.csv --x wind --y delay --given month --permutations 199",
            "Of rows alike in the given column, ranks stand for numbers.",
            WEATHER,
        ),
        Entry(
            "hsic-lags.svg",
            "At which delay",
            "kstest hsic stream.csv --x pump --y flow --lags 0:20",
            "Dependence by lag, as a multiple of that at the lags of the null: the flow follows "
            "the pump by seven rows.",
            STREAM,
        ),
    ),
    "Effects and residuals": (
        Entry(
            "effect.svg",
            "An effect beyond covariates",
            "kstest effect orders_ref.csv orders_new.csv --outcome amount "
            "--covariates items,country --draws 199",
            "Distributions of the outcome as they would be if all rows were in either arm, and "
            "the chances of being in one.",
            ORDERS,
        ),
        Entry(
            "moments.svg",
            "What a formula leaves over",
            "kstest moments datasets/predictions.csv --residual 'rain - chance' "
            "--given chance,station",
            "Forecasts of rain: reliable over all, and wrong at two of three stations.",
        ),
    ),
    "Goodness of fit": (
        Entry(
            "ksd.svg",
            "By scores alone",
            "kstest ksd datasets/posterior_inflated.parquet --score-prefix score_",
            "Draws that spread too far. Below each column the Stein witness function: above the "
            "line the target has more of its mass at larger values.",
        ),
        Entry(
            "ksd-target.svg",
            "Beside a density, over many powers of ten",
            "kstest ksd datasets/module10_gaps.csv --target 'exponential(fit)' --draws 49",
            "Times between light pulses, which no exponential distribution has. The axis is "
            "logarithmic, as positive values over three powers of ten or more ask for.",
        ),
        Entry(
            "ksd-counts.svg",
            "Counts",
            "kstest ksd datasets/module10_early.parquet --columns pmt "
            "--target 'discrete_uniform(0, 30)' --draws 99",
            "Tubes of a module beside equal probabilities.",
        ),
        Entry(
            "pksd.svg",
            "Modes",
            "kstest pksd datasets/modes_stuck.csv --target datasets/modes.toml",
            "A sampler that stayed too long in one of two modes.",
        ),
        Entry(
            "seqksd.svg",
            "Sequences",
            "kstest seqksd datasets/female_names.txt --target datasets/female_markov1_model.csv",
            "First names beside a Markov chain of letters: subsequences, lengths, letters.",
        ),
    ),
    "Streams": (
        Entry(
            "skit.svg",
            "Independence, row by row",
            "kstest skit stream.csv --x temp --y rate",
            "The e-value over the rows; the test rejects when it reaches 20. Small below: the "
            "guards, which would notice rows that depend on their time.",
            STREAM,
        ),
        Entry(
            "skit-pairs.svg",
            "All pairs of a stream",
            "kstest skit stream.csv --columns hour,temp,rate,load --all-pairs --residualise hour",
            "Evidence that some pair is dependent, and p-values of all.",
            STREAM,
        ),
        Entry(
            "smmd.svg",
            "Two samples, row by row",
            "kstest smmd stream_ref.csv stream.csv --columns temp,rate",
            "A plant that changes halfway.",
            STREAM,
        ),
        Entry(
            "smmd-detect.svg",
            "When it changed",
            "kstest smmd stream_ref.csv stream.csv --columns temp,rate --detect",
            "The statistic of the detector, with the row of the alarm.",
            STREAM,
        ),
        Entry(
            "sksd.svg",
            "Goodness of fit, row by row",
            "kstest sksd datasets/modes_even.csv --target datasets/modes.toml",
            "Draws that fit: no evidence grows.",
        ),
        Entry(
            "state.svg",
            "What a state file holds",
            "kstest state show rate.kst",
            "The evidence of all batches that were counted so far.",
            (*STREAM, "kstest smmd stream_ref.csv stream.csv --columns rate --state rate.kst"),
        ),
    ),
    "Thinning": (
        Entry(
            "thin.svg",
            "Rows that stand for many",
            "kstest thin datasets/posterior_exact.parquet --columns 'x_*' --rows 100",
            "All rows and the kept ones in two principal directions, how near they are at every "
            "bandwidth, and every column.",
        ),
        Entry(
            "thin-target.svg",
            "Rows of a chain that stand for a density",
            "kstest thin datasets/modes_stuck.csv --rows 50 --target datasets/modes.toml",
            "Stein thinning chooses by the target; weights of modes it cannot see.",
        ),
    ),
    "Batches of events": (
        Entry(
            "dqm-check.svg",
            "Batches, one after another",
            "kstest dqm check drift.cal run_0816.parquet run_0817.parquet --history h.db",
            "p-values of a day of good batches and of two with a fault, of which the second "
            "raises an alarm.",
            HISTORY,
        ),
        Entry(
            "dqm-explain.svg",
            "What makes a batch differ",
            "kstest dqm explain drift.cal run_0816.parquet "
            "--label 't1=first drift time [ns]' --label 't2=second drift time [ns]'",
            "Each column in the reference, the batch and the reweighted reference; broken lines "
            "where the reference ends and the batch goes on.",
            CALIBRATED,
        ),
        Entry(
            "dqm-status.html",
            "The page of a control room",
            "kstest dqm status h.db",
            "All batches of a history, refreshed by itself.",
            (
                *HISTORY,
                "kstest dqm check drift.cal run_0816.parquet run_0817.parquet --history h.db",
            ),
        ),
    ),
    "Checks": (
        Entry(
            "history.svg",
            "A check over its runs",
            "kstest history",
            "p-values and effects of every check, run by run.",
            (*CHECKS, "kstest run", "kstest run", "kstest run"),
        ),
        Entry(
            "run.html",
            "The page of a run",
            "kstest run",
            "What to look at, what is new, and all checks.",
            CHECKS,
        ),
    ),
}
ENTRIES = tuple(entry for entries in SECTIONS.values() for entry in entries)


def draw(entries: Iterable[Entry], folder: Path, ending: str = ".svg") -> None:
    """Run the lines of entries, each set of files in a folder of its own, and keep what they draw.

    Parameters
    ----------
    entries : iterable of Entry
    folder : Path
        Gets their files.
    ending : {'.svg', '.png'}
        Of pictures.

    Raises
    ------
    RuntimeError
        If a line has no answer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder.resolve()
    by_files: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        by_files.setdefault(entry.before, []).append(entry)
    for before, some in by_files.items():
        with tempfile.TemporaryDirectory() as made, contextlib.chdir(made):
            os.symlink(ROOT / "datasets", "datasets")
            for line in before:
                run(line)
            for entry in some:
                line = entry.written.replace(".svg", ending)
                run(line)
                file = line.rsplit(" ", 1)[1].removeprefix("html:")
                shutil.move(file, target / file)


class Day(datetime):
    """The clock of runs of checks, whose times are in their picture: it stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.fromtimestamp(int(DAY), tz)


def run(line: str) -> None:
    """Run a line of the shell in this process."""
    from kstest.cli import run as kstest

    words = shlex.split(line)[1:]
    threaded = words[0] not in ("datasets", "init", "state", "history")
    machine = ["--threads=1"] * (threaded and words[:2] != ["dqm", "status"])
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with (
        mock.patch.dict(os.environ, SOURCE_DATE_EPOCH=DAY),
        mock.patch("kstest.checks.runner.datetime", Day),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        code = kstest([*words, *machine])
    said.flush()
    if code not in (0, 1):
        raise RuntimeError(f"exit {code}: {line}\n{said.buffer.getvalue().decode()}")


def page(folder: str, ending: str = ".svg") -> str:
    """The page; `folder` is where the pictures are, seen from it."""
    lines = [INTRODUCTION]
    for section, entries in SECTIONS.items():
        lines += ["", f"## {section}"]
        for entry in entries:
            file = entry.file.replace(".svg", ending)
            shown = f"![{entry.title}]({folder}{file})"
            if file.endswith(".html"):
                shown = f'<a href="{folder}{file}">The page</a>'
            lines += ["", f"### {entry.title}", "", entry.caption, ""]
            lines += ["```text", *entry.before, entry.written.replace(".svg", ending), "```"]
            lines += ["", shown]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=re.split(r"\n\n", __doc__ or "")[0])
    parser.add_argument("folder", nargs="?", default=ROOT / "build" / "gallery", type=Path)
    parser.add_argument("--ending", default="svg", choices=("svg", "png"))
    given = parser.parse_args()
    ending = f".{given.ending}"
    draw(ENTRIES, given.folder, ending)
    (given.folder / "gallery.md").write_text(page("", ending), encoding="utf-8")
    print(f"{len(ENTRIES)} pictures and pages in {given.folder}")


if __name__ == "__main__":
    main()
