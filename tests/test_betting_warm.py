"""Every compiled loop of streams is compiled ahead, in the form in which the tests use it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import kstest
from kstest import jit
from kstest.betting import loops, pair_loops, round_loops, stein_loops, wing_loops
from kstest.betting.warm import USES, use_loops


def forms():
    return {
        f"{module.__name__}.{name}": list(loop.signatures)
        for module in (loops, pair_loops, round_loops, stein_loops, wing_loops)
        for name, loop in vars(module).items()
        if isinstance(loop, jit.Loop)
    }


def test_nothing_is_left_to_compile(rng):
    use_loops()
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


OF_ONE_TEST = """
import sys
import numpy as np
import kstest
from kstest.betting.warm import use_loops
sys.path.insert(0, sys.argv[1])
from test_betting_warm import forms
name, mode = sys.argv[2], sys.argv[3]
use_loops(f"{name} {mode}".strip())
before = forms()
assert not all(before.values())  # those of other tests are left out
X, Y = (np.random.default_rng(seed).normal(size=(150, 2)) for seed in (0, 1))
more = {"mode": mode} if mode else {"target": "normal()"}
data = (X,) if name == "sksd" else (X, Y)
getattr(kstest, name)(*data, **more)
if mode != "pairs":
    getattr(kstest, name)(*data, **more, detect=True)
assert forms() == before
"""


@pytest.mark.slow
@pytest.mark.parametrize("part", USES)
def test_what_one_test_uses_is_compiled_for_it(part):
    name, _, mode = part.partition(" ")
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", OF_ONE_TEST, here, name, mode]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
