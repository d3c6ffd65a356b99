"""Late changes: streams that were good for long stay awake, and say what a late change needs."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

import kstest
from kstest.betting import stein
from kstest.betting.starts import log_waiting

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import late_dependence as late

NAMES = (late.SKIT, late.SKSD)


@pytest.mark.parametrize("name", NAMES)
def test_a_shift_after_good_batches_is_found_within_ten(name):
    """Streams that raised a false alarm before, at most alpha of them, have no delay."""
    found = [late.good(name, seed, batches=80) for seed in range(3)]
    delays = [batch for batch in found if batch is not None]
    assert delays
    assert max(delays) <= 10


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_shift_after_two_thousand_good_batches_is_found_within_ten(name):
    found = [late.good(name, seed) for seed in range(20)]
    assert [batch for batch in found if batch is not None and batch > 10] == []
    assert found.count(None) <= 3  # a false alarm before: 20 x .05 and two standard errors


@pytest.mark.parametrize("name", NAMES)
def test_delay_does_not_grow_with_the_good_rows(name):
    """Median of 8 streams, so rough: a stream that went deaf took five times as long and more."""
    found = late.delays(name, 8, (0, 1000))
    first, second = (np.median(column[~np.isnan(column)]) for column in found.T)
    assert second <= 3 * first + 30


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_delay_late(name):
    found = late.delays(name, 60)
    first, *later = (np.median(column[~np.isnan(column)]) for column in found.T)
    assert later[-1] <= 3 * first + 30


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_level_of_long_streams(name):
    assert late.level(name, 500) <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 500)


@pytest.mark.parametrize("name", NAMES)
def test_wealth_never_falls_below_the_floor_and_cutting_changes_no_bit(name):
    values = late.draw(name, np.random.default_rng(0), 3000)
    whole, pieces = late.step(late.begin(name, 0), values), late.begin(name, 0)
    for part in np.array_split(values, 7):
        pieces = late.step(pieces, part)
    assert whole.core.wealth.experts.tobytes() == pieces.core.wealth.experts.tobytes()
    assert whole.core.wealth.log_e == pieces.core.wealth.log_e
    tau = 4.0 if name == late.SKIT else stein.TAU
    assert whole.core.wealth.log_e >= log_waiting(whole.core.wealth.rounds, tau)


def test_what_a_late_change_needs_is_said():
    x = np.random.default_rng(2).normal(size=2000)
    for found in (kstest.sksd(x, target="normal()"), kstest.skit(x[:1000], x[1000:])):
        late_start = found.explanation["evidence"]["late_start"]
        assert late_start["from_row"] == found.n["data"] + 1
        assert late_start["log_e_needed_at_first_row"] == pytest.approx(math.log(40), abs=0.25)
        assert 8 < late_start["log_e_needed"] < 16
        from kstest.report import render

        assert "late change" in render(found, "text")


# Statistic, row of the alarm, where the change probably began: as before streams had starts.
DETECTED = {
    ("skit", True): ("0x1.ef293afe7c628p+180", 1580, 1420),
    ("sksd", True): ("0x1.0a372585a7efcp+236", 122, 116),
    ("skit", False): ("0x1.5eabfa1857b78p+5", 668, 572),
    ("sksd", False): ("0x1.860d4f944aa13p+6", 93, 87),
}


@pytest.mark.parametrize(("name", "changes"), DETECTED)
def test_detectors_are_what_they_were(name, changes):
    rng = np.random.default_rng(0 if changes else 1)
    x, y = rng.normal(size=(2, 3000))
    how = {"detect": True, "on_alarm": "latch"}
    if name == "skit":
        y[2000:] += 0.7 * changes * x[2000:]
        found = kstest.skit(x, y, run_length=50, seed=0 if changes else 1, **how)
    else:
        x[2000:] += 0.7 * changes
        found = kstest.sksd(x, target="normal(mean=0, sd=1)", run_length=100, **how)
    statistic, row, began = DETECTED[name, changes]
    assert found.statistic == pytest.approx(float.fromhex(statistic), rel=1e-9)
    alarm = {"after_row": row, "probably_began_after_row": began}
    assert found.explanation["detector"]["alarms"] == [alarm]
