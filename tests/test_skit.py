"""The sequential independence test: verdicts, options, streams through the shell."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import streams

import kstest
from kstest.errors import DataError, UsageError
from kstest.methods import skit
from kstest.sample import Columns
from kstest.sources import samples_from_objects
from kstest.sources.options import ReadOptions


def frame(make, n=1000, seed=0):
    x, y = make(np.random.default_rng(seed), n)
    return pd.DataFrame({"a": x, "b": y, "hour": np.arange(n) % 24})


DEPENDENT = frame(streams.gaussian(0.5))
INDEPENDENT = frame(streams.gaussian(0.0))
SEASON = frame(streams.season(24, 2))
BOTH = {"x": "a", "y": "b"}


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "kstest", "skit", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def test_dependence_is_rejected_early_and_the_rest_not_looked_at():
    found = kstest.skit(DEPENDENT, **BOTH)
    row = found.explanation["evidence"]["decided_after_row"]
    assert found.verdict == "rejected"
    assert row < 300
    assert found.n == {"data": row}
    assert found.p_value <= 0.05
    assert found.e_value >= 20
    again = kstest.skit(DEPENDENT[:row], **BOTH)
    assert (again.e_value, again.p_value) == (found.e_value, found.p_value)


@pytest.mark.parametrize("options", [{}, {"mode": "pairs"}, {"mode": "pairs", "bet": "ons"}])
def test_independence_is_not_called_so(options):
    found = kstest.skit(INDEPENDENT, **BOTH, **options)
    assert found.verdict == "not rejected"
    assert found.p_value > 0.05
    assert "independent" not in found.explanation["summary"]


@pytest.mark.parametrize("mode", ["blocks", "pairs"])
def test_a_common_season_gives_no_verdict_and_names_the_remedies(mode):
    found = kstest.skit(SEASON, **BOTH, mode=mode)
    assert found.verdict == "no verdict"
    assert found.warnings[0].code == "unsound-order"
    remedies = found.warnings[0].message
    assert "--thin" in remedies
    assert "--residualise" in remedies
    assert ("--strided" in remedies) == (mode == "blocks")


def test_without_the_guard_a_common_season_looks_dependent():
    found = kstest.skit(SEASON, **BOTH, guard="off")
    assert found.verdict == "rejected"
    assert found.warnings[0].code == "guard-off"


@pytest.mark.parametrize(
    "options",
    [{"thin": 24}, {"strided": 24}, {"residualise": "hour"}, {"thin": 48, "mode": "pairs"}],
)
def test_remedies_give_a_verdict(options):
    data = frame(streams.season(24, 2), n=6000, seed=1)
    assert kstest.skit(data, **BOTH, **options).verdict == "not rejected"
    data["b"] += data["a"]
    assert kstest.skit(data, **BOTH, **options).verdict == "rejected"


def test_one_side_that_follows_the_clock_is_a_note():
    data = INDEPENDENT.assign(a=SEASON["a"])
    found = kstest.skit(data, **BOTH)
    assert found.verdict == "not rejected"
    assert [w.code for w in found.warnings] == ["serial-dependence"]


def test_categories_missing_cells_and_wide_blocks(rng):
    n = 1500
    a = rng.normal(size=n)
    word = np.where(a > 0.5, "high", np.where(a < -0.5, "low", "middle"))
    data = pd.DataFrame({"a": a, "noise": rng.normal(size=n), "word": word})
    data["c"] = rng.integers(0, 5, n)
    found = kstest.skit(data, x="a,noise", y="word", categorical="c")
    assert found.verdict == "rejected"
    assert kstest.skit(data, x="a,noise", y="c", categorical="c").verdict == "not rejected"
    assert kstest.skit(data, x="word", y="a", mode="pairs").verdict == "rejected"
    gone = data["noise"].where(a < 0.3)  # what is missing depends on a
    holes = data.assign(noise=gone)
    assert kstest.skit(holes, x="a", y="noise", missing="indicator").verdict == "rejected"
    dropped = kstest.skit(holes, x="a", y="noise", missing="drop")
    assert dropped.verdict == "not rejected"
    assert dropped.inputs[0]["rows_dropped"] == gone.isna().sum()


def test_two_arrays_are_the_blocks(rng):
    x = rng.normal(size=(400, 2))
    assert kstest.skit(x, x[:, 0] + rng.normal(size=400)).verdict == "rejected"


def test_too_few_rows():
    found = kstest.skit(DEPENDENT[:20], **BOTH)
    assert (found.verdict, found.warnings[0].code) == ("no verdict", "too-few-rows")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "pairs"},
        {"thin": 3},
        {"residualise": "hour"},
        {"strided": 3, "kernel": "laplace"},
        {"thin": 2, "residualise": "hour", "mode": "pairs", "payoff": "coco"},
    ],
)
def test_pieces_give_the_same_result_to_the_bit(options):
    data = frame(streams.gaussian(0.15), n=1200)
    params = skit.Params(**BOTH, **options)
    (sample,), _ = samples_from_objects({"data": data}, ReadOptions(choose=skit.columns(params)))
    whole = skit.step(skit.init(params, Columns.of(sample)), sample)
    for size in (1, 37, 400):
        state = skit.init(params, Columns.of(sample))
        for first in range(0, sample.n, size):
            state = skit.step(state, sample.part(first, min(first + size, sample.n)))
        assert state.core.wealth.experts.tobytes() == whole.core.wealth.experts.tobytes()
        assert skit.result(state) == skit.result(whole)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"x": "a"}, r"\by\b"),
        ({"block": 1}, "block=1"),
        ({"thin": 0}, "thin=0"),
        ({"bandwidth": "0"}, "bandwidth='0'"),
        ({"payoff": "coco"}, "mode='pairs'"),
        ({"mode": "pairs", "strided": 2}, "thin"),
        ({"kernel": "linear"}, "symmetric"),
        ({"witness_rows": 1}, "witness_rows=1"),
        ({"x": "a", "y": "a"}, "one block only"),
        ({**BOTH, "residualise": "a"}, "one block only"),
        ({**BOTH, "residualise": "*"}, "one block only"),
        ({}, "3 columns"),
    ],
)
def test_options_that_cannot_be_used(options, words):
    with pytest.raises(UsageError, match=words.replace("*", r"\*")):
        kstest.skit(DEPENDENT, **options)


def test_a_calendar_with_too_many_values():
    data = frame(streams.gaussian(0.0), n=1000).assign(hour=np.arange(1000))
    with pytest.raises(DataError, match="no calendar"):
        kstest.skit(data, **BOTH, residualise="hour")


@pytest.fixture
def folder(tmp_path):
    for name, data in (("dep", DEPENDENT), ("ind", INDEPENDENT), ("season", SEASON)):
        data.to_csv(tmp_path / f"{name}.csv", index=False)
    return tmp_path


@pytest.mark.parametrize(("name", "code"), [("dep", 1), ("ind", 0), ("season", 3)])
def test_exit_codes_and_text(name, code, folder):
    done = command(folder / f"{name}.csv", "--x", "a", "--y", "b")
    assert done.returncode == code, done.stderr
    # the first process on a machine says that it compiles
    notes = [n for n in done.stderr.splitlines() if not n.startswith("kstest: compiling")]
    assert notes == []
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stdout.startswith({0: "NOT REJECTED", 1: "REJECTED", 3: "NO VERDICT"}[code])


def test_files_and_standard_input_give_the_same_answer(folder):
    arguments = ["--x", "a", "--y", "b", "--format", "json"]
    INDEPENDENT.to_parquet(folder / "ind.parquet")
    answers = [command(folder / f, *arguments) for f in ("ind.csv", "ind.parquet")]
    answers.append(command("-", *arguments, input=(folder / "ind.csv").read_text()))
    found = [json.loads(done.stdout) for done in answers]
    assert len({f["e_value"] for f in found}) == 1
    assert found[0]["inputs"][0]["rows_used"] == 1000
    assert found[0]["inputs"][0]["sha256"] == found[2]["inputs"][0]["sha256"]


def test_a_line_per_look(folder):
    done = command(
        folder / "ind.csv", "--x", "a", "--y", "b", "--format", "jsonl", "--look-every", 250
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["n"]["data"] for line in lines] == [250, 500, 750, 1000]
    assert done.returncode == 0


def test_where_and_rows_without_use(folder):
    done = command(
        folder / "ind.csv", "--x", "a", "--y", "b", "--where", "hour < 12", "--format", "json"
    )
    found = json.loads(done.stdout)
    assert found["n"]["data"] == found["inputs"][0]["rows_used"] == 504
    assert found["inputs"][0]["rows_filtered"] == 496


def test_a_pipe_is_answered_while_it_is_written_to_and_left_when_decided(folder):
    """Rows come in small pieces from a writer that does not end; the test ends it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kstest", "skit", "-", "--x", "a", "--y", "b", "--format", "jsonl"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,  # then closing a pipe that nobody reads has nothing left to write
    )
    lines = (folder / "dep.csv").read_bytes().splitlines(keepends=True)
    process.stdin.write(b"".join(lines[:41]))
    first = json.loads(process.stdout.readline())  # an answer before the end of the input
    assert first["n"]["data"] <= 40
    assert first["verdict"] == "not rejected"
    try:
        for k in range(41, len(lines), 20):
            process.stdin.write(b"".join(lines[k : k + 20]))
            time.sleep(0.01)
            if process.poll() is not None:
                break
    except BrokenPipeError:
        pass
    last = json.loads(process.stdout.read().splitlines()[-1])
    assert process.wait(timeout=20) == 1
    assert last["verdict"] == "rejected"
    process.stdin.close()
    process.stdout.close()


def test_bad_rows_of_a_pipe_are_named(folder):
    text = (folder / "ind.csv").read_text().splitlines()
    text[700] = "1,cat,3"
    done = command("-", "--x", "a", "--y", "b", input="\n".join(text) + "\n")
    assert done.returncode == 2
    assert "row 700" in done.stderr
    text[700] = "1,2"
    done = command("-", "--x", "a", "--y", "b", input="\n".join(text) + "\n")
    assert done.returncode == 2
    assert "row 700" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("mode", [{}, {"block": 8}, {"mode": "pairs"}])
@pytest.mark.parametrize("name", streams.CLAIMED)
def test_level(name, mode):
    """At most 0.05 + 2 standard errors of 200 streams; a true level of 10 % passes with 9 %."""
    rejected = 0
    for seed in range(200):
        x, y = streams.NULLS[name](np.random.default_rng(seed), 1000)
        rejected += kstest.skit(x, y, seed=seed, **mode).verdict == "rejected"
    assert rejected <= 200 * 0.05 + 2 * np.sqrt(200 * 0.05 * 0.95)


def test_level_without_dependence():
    """300 streams of 300 rows: more than 27 rejections have probability 0.001 at level 0.05."""
    rejected = 0
    for seed in range(300):
        x, y = streams.gaussian(0.0)(np.random.default_rng(seed), 300)
        rejected += kstest.skit(x, y, seed=seed).verdict == "rejected"
    assert rejected <= 27


def test_a_common_season_of_a_day_is_never_dependent():
    verdicts = set()
    for seed in range(100):
        x, y = streams.season(24, 2)(np.random.default_rng(seed), 1000)
        verdicts.add(kstest.skit(x, y, seed=seed).verdict)
    assert verdicts == {"no verdict"}


def test_mean_rows_to_stop_on_a_weak_line():
    """Slope 0.25: 40 streams; the bar for 200 is 420, the standard error here about 25."""
    rows = []
    for seed in range(40):
        x, y = streams.gaussian(0.25)(np.random.default_rng(seed), 1024)
        found = kstest.skit(x, y, seed=seed)
        rows.append(found.explanation["evidence"]["decided_after_row"] or 1024)
    assert np.mean(rows) <= 420
