"""Compiles the loops of this room, or loads them, before a stream needs them."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np

from .. import jit
from ..engine import Work
from . import bets, blocks, conformal, detector, guard, pairs, stein, two_samples, wealth, wings
from .rows import Rows

FILES = ("loops.py", "pair_loops.py", "round_loops.py", "stein_loops.py", "wing_loops.py")


def load(work: Work) -> None:
    """Compile what this machine has not compiled yet, telling the user."""
    files = [Path(__file__).with_name(name) for name in FILES]
    if all(map(jit.is_compiled, files)):
        return
    work.notify("compiling the loops for streams, once per machine: a few seconds")
    _use_all()
    for file in files:
        jit.mark_compiled(file)


@cache
def _use_all() -> None:
    """Run every loop on few rows."""
    from ..targets import Certificate

    rng = np.random.default_rng(0)
    x, y = (Rows.numbers(rng.normal(size=120)) for _ in range(2))
    marked = Rows(x.values, np.zeros((len(x), 1), np.uint64))
    design = blocks.Design()
    for first in (x, marked):
        _, ends, factors = blocks.step(design, blocks.begin(design, first, y), first, y)
    both = blocks.Design(lagged=True)
    blocks.step(both, blocks.begin(both, x, y), x, y)
    wealth.settle(wealth.begin(factors.shape[1]), ends, factors, 4.0)
    detector.follow(detector.begin(factors.shape[1]), ends, factors, math.log(100), "sr", "stop")
    guard.step(guard.begin(x), x, 0)
    for payoff in ("hsic", "coco"):
        for bet in bets.BETS:
            how = pairs.Design(payoff, bet)
            pairs.step(how, pairs.begin(how, x, y), x, y)
    two_samples.step(design, two_samples.begin(design, x), y, x)
    for first in (x, marked):
        scores = conformal.learn(design, first)
        state = wings.begin(design, scores, first)
        _, found = wings.step(design, scores, state, first, first)
        wings.settle(wings.no_evidence(len(scores.edges)), found)
        wings.watch(wings.anew(len(scores.edges), found.factors.shape[1], 0), found, "sr")
    proved = Certificate(np.eye(1), np.zeros(1), 0.0, 1.0)
    stein.step(stein.Design.of(proved, (math.inf,)), stein.begin(1), x.values, -x.values)
