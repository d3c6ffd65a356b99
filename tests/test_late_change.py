"""Streams that were good for long stay awake; references in any order; the uses that cron makes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from test_state import answer, core, run

import kstest
from kstest.archive import load, save
from kstest.streams import state_file

MODES = ["conformal", "blocks"]


def written(path, rows, names="ab"):
    rows = rows.reshape(len(rows), -1)
    header = ",".join(names[: rows.shape[1]])
    np.savetxt(path, rows, delimiter=",", header=header, comments="")
    return path


def stop(reference, stream, seed, **options):
    found = kstest.smmd(reference, stream, seed=seed, **options)
    return found.explanation["evidence"]["decided_after_row"] or 0


def delay(seed, change, row, rows=500):
    rng = np.random.default_rng(seed)
    reference, stream = rng.normal(size=(500, 2)), rng.normal(size=(row + rows, 2))
    stream[row:] = change(stream[row:])
    return stop(reference, stream, seed) - row


CHANGES = {
    "8 sd": (lambda v: v + np.array([8, 0]), 10),
    "1 sd": (lambda v: v + np.array([1, 0]), 100),
    "scale 2": (lambda v: v * 2, 80),
    "scale .5": (lambda v: v / 2, 80),
    "correlation .9": (lambda v: np.column_stack([v[:, 0], v @ [0.9, math.sqrt(0.19)]]), 450),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_late_change_is_found_soon(change):
    """After 5,000 good rows, in the median of five streams."""
    how, most = CHANGES[change]
    assert 0 < np.median([delay(seed, how, 5000) for seed in range(5)]) <= most


@pytest.mark.slow
@pytest.mark.parametrize("row", [0, 200, 1000, 5000, 20_000])
def test_a_large_change_is_found_at_once_at_any_row(row):
    found = [delay(seed, CHANGES["8 sd"][0], row) for seed in range(20)]
    assert sum(0 < d <= 10 for d in found) >= 18  # two streams may have had a false alarm
    assert max(found) <= 10


@pytest.mark.parametrize("value", [8.0, 1000.0, 6.9])
@pytest.mark.parametrize("mode", ["alone", "one of two"])
def test_a_constant_reference_sees_another_value(value, mode):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        beside = rng.normal(size=560) if mode == "one of two" else np.full(560, 1.0)
        table = np.column_stack([np.r_[np.full(500, 7.0), np.full(60, value)], beside])
        assert 0 < stop(table[:500], table[500:], seed) <= (5 if mode == "alone" else 8)


def test_a_constant_reference_sees_nothing_in_its_own_value():
    for seed in range(5):
        rows = np.full((1500, 1), 7.0)
        assert not stop(rows[:500], rows[500:], seed)


ORDERS = {
    "sorted": lambda rng, v: np.sort(v, axis=0),
    "descending": lambda rng, v: -np.sort(-v, axis=0),
    "drifting": lambda rng, v: v[np.argsort(v[:, 0] + rng.normal(size=len(v)))],
}


def rejected(streams, order, mode, rows=1000, d=1):
    count = 0
    for seed in range(streams):
        rng = np.random.default_rng(seed)
        reference = ORDERS[order](rng, rng.normal(size=(500, d)))
        count += stop(reference, rng.normal(size=(rows, d)), seed, mode=mode) > 0
    return count


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", ORDERS)
def test_the_order_of_the_reference_rejects_nothing(order, mode):
    assert rejected(15, order, mode) <= 4  # probability 0.0006 at level 0.05


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", ORDERS)
def test_level_with_a_reference_in_some_order(order, mode):
    assert rejected(300, order, mode, rows=2000) <= 27


LEVELS = {
    "normal": lambda rng, n: rng.normal(size=(n, 2)),
    "cauchy": lambda rng, n: rng.standard_cauchy((n, 2)),
    "ties": lambda rng, n: rng.poisson(1.5, (n, 2)),
    "constant": lambda rng, n: np.column_stack([rng.normal(size=n), np.full(n, 7.0)]),
    "few": lambda rng, n: rng.integers(0, 3, (n, 2)),
}


@pytest.mark.slow
@pytest.mark.parametrize("distribution", LEVELS)
@pytest.mark.parametrize("m", [50, 500])
def test_level_of_long_streams(distribution, m):
    count = 0
    for seed in range(500):
        rng = np.random.default_rng(seed)
        reference, stream = (LEVELS[distribution](rng, n).astype(float) for n in (m, 5000))
        count += stop(reference, stream, seed) > 0
    assert count <= 500 * 0.05 + 2 * math.sqrt(500 * 0.05 * 0.95)


def test_days_from_cron(tmp_path):
    """Four good days of 300 rows, then days moved by 5 sd: found on the first of them."""
    rng = np.random.default_rng(1)
    reference = written(tmp_path / "ref.csv", rng.normal(size=(500, 2)))
    codes = []
    for day in range(6):
        rows = written(tmp_path / f"{day}.csv", rng.normal(5.0 * (day > 3), 1, (300, 2)))
        state = ("--state", tmp_path / "s.kst", "--batch-id", day)
        codes.append(answer(reference, rows, *state, name="smmd")[0])
    assert codes == [0, 0, 0, 0, 1, 1]


def test_a_shift_after_many_good_batches_is_found_within_ten():
    """2,000 batches of 64 rows of N(0, 1), then a mean of .5 in both columns."""
    rng = np.random.default_rng(1)
    stream = rng.normal(size=(2010 * 64, 2))
    stream[2000 * 64 :] += 0.5
    row = stop(rng.normal(size=(2000, 2)), stream, 1)
    assert row > 2000 * 64


def test_regimes_one_after_the_other(tmp_path):
    """The first alarm soon after row 1,000, and it says so; on to the end with restart."""
    rng = np.random.default_rng(0)
    parts = [rng.normal(m, s, 1000) for m, s in ((0.8, 0.05), (0.4, 0.02), (0.6, 0.1))]
    reference = written(tmp_path / "ref.csv", rng.normal(0.8, 0.05, 500))
    stream = written(tmp_path / "stream.csv", np.concatenate(parts))
    assert answer(reference, stream, name="smmd")[0] == 1
    code, found = answer(reference, stream, "--detect", "--on-alarm", "latch", name="smmd")
    (alarm,) = found["explanation"]["detector"]["alarms"]
    assert code == 1
    assert 1000 < alarm["after_row"] < 1020
    assert 990 <= alarm["probably_began_after_row"] <= 1010
    _, found = answer(reference, stream, "--detect", "--on-alarm", "restart", name="smmd")
    assert found["explanation"]["detector"]["rows_used"] == 3000


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        (lambda rng, n: rng.normal(size=n), lambda rng, n: rng.normal(size=n), 0),
        (lambda rng, n: rng.normal(size=n), lambda rng, n: rng.normal(0, 3, n), 2500),
        (
            lambda rng, n: (rng.random(n) < 0.2) * 1.0,
            lambda rng, n: (rng.random(n) < 0.8) * 1.0,
            2500,
        ),
    ],
    ids=["nothing", "variance", "coins"],
)
def test_changes_of_a_long_stream(before, after, place):
    rng = np.random.default_rng(2)
    stream = np.r_[before(rng, 2500), after(rng, 2500)]
    found = kstest.smmd(before(rng, 500), stream, detect=True, run_length=100_000)
    alarms = found.explanation["detector"]["alarms"]
    assert len(alarms) == (place > 0)
    if alarms:
        assert 2500 < alarms[0]["after_row"] < 2600
        assert abs(alarms[0]["probably_began_after_row"] - place) < 40


def test_the_evidence_names_the_bet_that_decided(tmp_path):
    rng = np.random.default_rng(3)
    reference = written(tmp_path / "ref.csv", rng.normal(size=(500, 2)))
    stream = written(tmp_path / "s.csv", rng.normal([0, 1], 1, (400, 2)))
    code, found = answer(reference, stream, name="smmd")
    evidence = found["explanation"]["evidence"]
    assert (code, evidence["strongest"]) == (1, "column b")
    assert "by column b" in found["explanation"]["summary"]
    names = [wing["name"] for wing in evidence["wings"]]
    assert names == ["novelty", "column a", "column b", "relay"]
    assert "log_e" not in json.dumps(found)
    assert found["e_value"] == pytest.approx(found["p_value"] ** -0.5 / 2)
    most = max(w["largest_log_wealth"] + math.log(w["share"]) for w in evidence["wings"])
    assert found["p_value"] == pytest.approx(math.exp(-most))
    quiet = written(tmp_path / "q.csv", rng.normal(size=(400, 2)))
    _, text = run(reference, quiet, name="smmd")
    assert "late change" in text
    assert "from row 401 on" in text


def test_the_state_does_not_grow(tmp_path):
    rng = np.random.default_rng(4)
    reference = written(tmp_path / "ref.csv", rng.normal(size=(500, 2)))
    whole = rng.normal(size=(4000, 2))
    one, ten = tmp_path / "one.kst", tmp_path / "ten.kst"
    sizes = []
    for k in range(10):
        part = written(tmp_path / "part.csv", whole[400 * k : 400 * (k + 1)])
        answer(reference, part, "--state", ten, name="smmd")
        sizes.append(ten.stat().st_size)
    answer(reference, written(tmp_path / "w.csv", whole), "--state", one, name="smmd")
    assert core(one) == core(ten)
    assert max(sizes) < 64_000
    assert max(sizes[5:]) - min(sizes[5:]) < 4000


def test_a_state_of_an_older_version_is_refused(tmp_path):
    rng = np.random.default_rng(5)
    reference = written(tmp_path / "ref.csv", rng.normal(size=(100, 2)))
    state = tmp_path / "s.kst"
    answer(reference, reference, "--state", state, name="smmd")
    header, arrays = load(state, state_file.KIND, (state_file.VERSION,))
    older = {k: v for k, v in header.items() if k not in ("kstest", "version")}
    save(state, state_file.KIND, state_file.VERSION - 1, older, arrays)
    before = state.read_bytes()
    code, message = run(reference, reference, "--state", state, name="smmd")
    assert code == 2
    assert "make a new one" in message
    assert state.read_bytes() == before
