"""Every compiled loop of streams is compiled ahead, in the form in which the tests use it."""

from __future__ import annotations

from numba.core.dispatcher import Dispatcher

import kstest
from kstest.betting import loops, pair_loops, round_loops, stein_loops, wing_loops
from kstest.betting.warm import _use_all


def forms():
    return {
        f"{module.__name__}.{name}": list(loop.signatures)
        for module in (loops, pair_loops, round_loops, stein_loops, wing_loops)
        for name, loop in vars(module).items()
        if isinstance(loop, Dispatcher) and loop.targetoptions.get("inline") != "always"
    }


def test_nothing_is_left_to_compile(rng):
    _use_all()
    before = forms()
    assert all(before.values())
    X, Y = rng.normal(size=(150, 2)), rng.normal(size=(150, 1))
    kstest.skit(X, Y)
    kstest.skit(X, Y, detect=True)
    for payoff in ("hsic", "coco", "kcc"):
        for bet in ("mixture", "ons", "agrapa"):
            kstest.skit(X, Y, mode="pairs", payoff=payoff, bet=bet)
    kstest.skit(X, Y, mode="pairs", symmetric="tanh")
    for mode in ("conformal", "blocks"):
        kstest.smmd(X, X + 0.1, mode=mode)
        kstest.smmd(X, X + 0.1, mode=mode, detect=True, on_alarm="restart")
    kstest.sksd(X, target="normal()")
    kstest.sksd(X, target="normal()", detect=True, on_alarm="restart")
    assert forms() == before
