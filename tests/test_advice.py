"""The line below a verdict that says what to do next."""

from __future__ import annotations

import pytest

from kstest.report.layout import WIDTH
from kstest.result import Result
from kstest.shell import advice

GIVEN = dict.fromkeys(("explain", "plot", "min_effect", "sensitivity"))


def step(method, verdict, written=(), given=GIVEN, **params):
    result = Result(method, verdict, 0.05, params=params)
    return advice.next_step(result, given, written)


@pytest.mark.parametrize("verdict", ["rejected", "not rejected", "no verdict"])
@pytest.mark.parametrize("method", ["mmd", "ks", "hsic", "effect", "ksd", "skit", "seqksd"])
def test_it_is_one_line(method, verdict):
    (line,) = step(method, verdict).splitlines()
    assert line.startswith("  next        ")
    assert len(line) <= WIDTH


def test_what_was_asked_for_is_not_named_again():
    assert "--explain all" in step("mmd", "rejected")
    assert "--plot" in step("mmd", "rejected", {"explain"})
    assert "--min-effect" in step("ks", "rejected", {"explain", "plot"})
    assert step("ks", "rejected", {"explain", "plot", "min_effect"}) == ""
    assert step("seqksd", "rejected", given={}) == ""


def test_a_lot_leaves_no_hidden_cause():
    assert "hidden" in step("effect", "rejected")
    assert "hidden" not in step("effect", "rejected", design="randomised")
