"""Goodness of fit over time: alarms of `sksd` with --detect, when they come and what they say."""

from __future__ import annotations

import json

import numpy as np
import pytest
from test_state import answer, core, run

import kstest
from kstest.errors import UsageError
from kstest.methods import sksd
from kstest.sample import Columns, Sample

NORMAL = "normal(mean=0, sd=1)"


def draw(seed, n, d=5, shift=0.0, change=0):
    x = np.random.default_rng(seed).normal(size=(n, d))
    x[change:, 0] += shift
    return x


def alarms(found):
    return [
        (a["after_row"], a["probably_began_after_row"])
        for a in found.explanation["detector"]["alarms"]
    ]


@pytest.mark.parametrize("kind", ["sr", "cusum"])
def test_run_length_to_a_false_alarm(kind):
    """Threshold 20, 100 streams: the mean number of rows is 20 or more; its error about 3."""
    lengths = []
    for seed in range(100):
        found = kstest.sksd(
            draw(seed, 3000, d=2), target=NORMAL, detect=True, run_length=20, detector=kind
        )
        lengths.append(found.n["data"])
    assert np.mean(lengths) >= 20


def test_delay_until_an_alarm_and_where_the_change_began():
    """Mean shift 0.5 in one of five columns after 960 rows, threshold 1,000."""
    delays, errors = [], []
    for seed in range(40):
        found = kstest.sksd(
            draw(seed, 2000, shift=0.5, change=960), target=NORMAL, detect=True, run_length=1000
        )
        ((row, began),) = alarms(found)
        if row > 960:
            delays.append(row - 960)
            errors.append(abs(began - 960))
    assert len(delays) >= 20
    assert np.mean(delays) <= 110
    assert np.median(errors) <= 40


def test_result_says_that_the_stream_does_not_fit_any_more():
    found = kstest.sksd(draw(1, 2000, d=2, shift=1.0, change=1500), target=NORMAL, detect=True)
    ((row, began),) = alarms(found)
    assert 1500 < row < 1600
    assert found.verdict == "rejected"
    assert (found.p_value, found.e_value) == (None, None)
    assert found.statistic >= found.threshold == 10_000
    assert found.n == {"data": row}
    assert found.explanation["summary"] == (
        f"the stream does not fit the target any more; alarm after {row:,} rows; the change "
        f"probably began after row {began:,}"
    )
    detector = found.explanation["detector"]
    assert (detector["rounds"], detector["unit"]) == (row, "rows")


@pytest.mark.parametrize("mode", ["stop", "latch", "restart"])
def test_pieces_give_the_same_result_to_the_bit(mode):
    rows = draw(2, 1500, d=2, shift=1.0, change=600)
    rows[900:] -= 1.0
    sample = Sample("data", rows, ("a", "b"))
    params = sksd.Params(target=NORMAL, detect=True, run_length=200, on_alarm=mode)
    start = sksd.init(params, Columns.of(sample))
    whole = sksd.step(start, sample)
    for size in (1, 70, 513):
        state = start
        for first in range(0, sample.n, size):
            state = sksd.step(state, sample.part(first, min(sample.n, first + size)))
        assert sksd.result(state) == sksd.result(whole)
        for part in ("z", "scores", "later"):
            a, b = (getattr(s.core.stein, part) for s in (state, whole))
            assert mode == "stop" or a.tobytes() == b.tobytes()
    assert len(whole.core.detector.alarms) > 0


def test_after_a_restart_nothing_is_known_of_earlier_rows():
    """What follows an alarm is what a new stream of the later rows gives."""
    rows = draw(3, 3000, d=1, shift=1.5, change=500)
    options = {"target": NORMAL, "detect": True, "run_length": 500}
    first, *later = alarms(kstest.sksd(rows, **options, on_alarm="restart"))
    fresh = alarms(kstest.sksd(rows[first[0] :], **options, on_alarm="restart"))
    assert len(later) > 20
    assert later == [(row + first[0], began + first[0]) for row, began in fresh]


@pytest.mark.parametrize(("mode", "count"), [("stop", 1), ("latch", 1), ("restart", 2)])
def test_a_row_outside_the_support_is_an_alarm(mode, count):
    x = np.random.default_rng(4).uniform(0.01, 0.99, 300)
    x[[100, 200]] = 1.5
    found = kstest.sksd(x, target="uniform()", detect=True, on_alarm=mode, run_length=10**6)
    rows = [row for row, _ in alarms(found)]
    assert rows == [101, 201][:count]
    assert found.warnings[0].code == "outside-support"
    last = {"stop": 101, "latch": 201, "restart": 201}[mode]
    assert found.warnings[0].message.startswith(f"row {last} ")
    assert found.n == {"data": 101 if mode == "stop" else 300}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"detect": True, "alpha": 0.05}, "alpha=0.05"),
        ({"detect": True, "run_length": 1}, "run_length=1"),
        ({"run_length": 50}, "run_length"),
        ({"on_alarm": "latch"}, "on_alarm"),
        ({"detector": "cusum"}, "detector"),
    ],
)
def test_options_that_cannot_be_used(options, words):
    with pytest.raises(UsageError, match=words):
        kstest.sksd(draw(0, 50, d=1), target=NORMAL, **options)


def test_state_and_words(tmp_path):
    rows = draw(5, 2000, d=2, shift=1.0, change=1200)
    one, parts = tmp_path / "one.kst", tmp_path / "parts.kst"
    files = {"all": rows, "1": rows[:700], "2": rows[700:1203], "3": rows[1203:]}
    for name, some in files.items():
        np.savetxt(tmp_path / f"{name}.csv", some, delimiter=",", header="a,b", comments="")
    options = ["--target", NORMAL, "--detect", "--run-length", 5000, "--on-alarm", "latch"]
    answer(tmp_path / "all.csv", "--state", one, *options, name="sksd")
    for name in "123":
        code, _ = answer(tmp_path / f"{name}.csv", "--state", parts, *options, name="sksd")
        assert code == (name == "3")
    assert core(one) == core(parts)
    assert one.stat().st_size < 64_000
    text = " ".join(run("show", one, name="state")[1].split())
    assert "after 2,000 rows; alarm from 5,000 on, so false alarms are 5,000 rows apart" in text
    assert "probably began after row 1,1" in text or "probably began after row 1,2" in text
    _, text = run("show", one, "--format", "json", name="state")
    assert json.loads(text)["explanation"]["detector"]["unit"] == "rows"
    code, words = run(tmp_path / "all.csv", *options, "--alpha", 0.05, name="sksd")
    assert (code, "--alpha 0.05" in words) == (2, True)
