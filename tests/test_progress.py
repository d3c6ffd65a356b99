"""Words before a long wait."""

from __future__ import annotations

import pytest

from kstest.shell import progress


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def run(clock, seconds, capsys, again=True, hint="use --features"):
    words = progress.Words("summing", hint, again)
    for passed in range(int(seconds) + 1):
        clock[0] = float(passed)
        words.show(passed / seconds)
    return capsys.readouterr().err.splitlines()


def test_a_short_run_says_nothing(clock, capsys):
    assert run(clock, 15, capsys) == []


def test_a_long_run_says_so_at_once_and_every_minute(clock, capsys):
    said = run(clock, 200, capsys)
    assert said[0] == "kstest: summing: 1% done, about 3 min to go; use --features"
    assert len(said) == 4
    assert all("--features" not in line for line in said[1:])


def test_on_a_terminal_the_bar_goes_on_alone(clock, capsys):
    assert len(run(clock, 200, capsys, again=False)) == 1


def test_times_are_said_in_fitting_units():
    assert [progress._duration(s) for s in (0.2, 45, 200, 9000)] == [
        "1 s",
        "45 s",
        "3 min",
        "2.5 h",
    ]


def test_a_run_that_becomes_slow_says_so_later(clock, capsys):
    words = progress.Words("summing", "", True)
    for passed, share in ((2.0, 0.5), (4.0, 0.55), (9.0, 0.56), (30.0, 0.6), (31.0, 0.61)):
        clock[0] = passed
        words.show(share)
    assert capsys.readouterr().err == "kstest: summing: 60% done, about 20 s to go\n"


def test_what_is_done_once_before_the_sums_says_nothing_of_their_length(clock, capsys):
    """Rows are scaled and put in order for 15 seconds, and the sums take 10."""
    words = progress.Words("summing", "", True)
    for share in range(1, 100):
        clock[0] = 15 + share / 10
        words.show(share / 100)
    assert capsys.readouterr().err.startswith("kstest: summing: 2% done, about 10 s to go")


def test_a_compilation_after_the_first_report_says_nothing_of_the_rest(clock, capsys):
    words = progress.Words("fitting", "", True)
    words.show(0.0)
    for step in range(1, 1000):
        clock[0] = 8 + step / 100
        words.show(step / 1000)
    assert capsys.readouterr().err == ""  # 18 s in all
