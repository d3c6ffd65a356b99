"""Compiles the loops of this room, or loads them, before a stream needs them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .. import jit
from ..engine import Work
from .rows import Rows

FILES = ("loops.py", "pair_loops.py", "round_loops.py", "stein_loops.py", "wing_loops.py")


def load(work: Work, test: str = "", mode: str = "") -> None:
    """Compile what this machine has not compiled yet for a test in one of its modes, or for all.

    The user is told before.
    """
    files = [Path(__file__).with_name(name) for name in FILES]
    part = f"{test} {mode}".strip()
    if all(jit.is_compiled(file, part) for file in files):
        return
    work.notify("compiling the loops for streams, once per machine: a few seconds")
    use_loops(part)
    for file in files:
        jit.mark_compiled(file, part)


def use_loops(part: str = "") -> None:
    """Run on few rows every loop that one of `USES` names, or every loop there is."""
    rng = np.random.default_rng(0)
    x, y = (Rows.numbers(rng.normal(size=120)) for _ in range(2))
    for use in USES.get(part) or dict.fromkeys(use for uses in USES.values() for use in uses):
        use(x, y)


def _marked(x: Rows) -> Rows:
    """The same rows with a category."""
    return Rows(x.values, np.zeros((len(x), 1), np.uint64))


def _blocks(x: Rows, y: Rows) -> None:
    from . import blocks

    design = blocks.Design()
    for first in (x, _marked(x)):
        blocks.step(design, blocks.begin(design, first, y), first, y)
    both = blocks.Design(lagged=True)
    blocks.step(both, blocks.begin(both, x, y), x, y)


def _detector(x: Rows, y: Rows) -> None:
    from . import detector

    ends, factors = np.array([16]), np.zeros((1, 3))
    detector.follow(detector.begin(3), ends, factors, math.log(100), "sr", "stop")


def _guard(x: Rows, y: Rows) -> None:
    """The guard, and the wealth of whatever bets."""
    from . import guard, wealth

    _, ends, factors = guard.step(guard.begin(x), x, 0)
    wealth.settle(wealth.begin(factors.shape[1]), ends, factors, 4.0)


def _pairs(x: Rows, y: Rows) -> None:
    from . import bets, pairs

    for payoff in ("hsic", "coco"):
        for bet in bets.BETS:
            how = pairs.Design(payoff, bet)
            pairs.step(how, pairs.begin(how, x, y), x, y)


def _two_samples(x: Rows, y: Rows) -> None:
    from . import blocks, two_samples

    design = blocks.Design()
    two_samples.step(design, two_samples.begin(design, x), y, x)


def _wings(x: Rows, y: Rows) -> None:
    from . import blocks, conformal, wings

    design = blocks.Design()
    for first in (x, _marked(x)):
        scores = conformal.learn(design, first)
        state = wings.begin(design, scores, first)
        _, found = wings.step(design, scores, state, first, first)
        wings.settle(wings.no_evidence(len(scores.edges)), found)
        wings.watch(wings.anew(len(scores.edges), found.factors.shape[1], 0), found, "sr")


def _stein(x: Rows, y: Rows) -> None:
    from ..targets import Certificate
    from . import stein

    proved = Certificate(np.eye(1), np.zeros(1), 0.0, 1.0)
    stein.step(stein.Design.of(proved, (math.inf,)), stein.begin(1), x.values, -x.values)


# What a test uses, by its name and mode.
USES: dict[str, tuple[Callable[[Rows, Rows], None], ...]] = {
    "skit blocks": (_blocks, _guard, _detector),
    "skit pairs": (_pairs, _guard, _detector),
    "smmd conformal": (_wings, _guard, _detector),
    "smmd blocks": (_two_samples, _detector, _guard),
    "sksd": (_stein, _detector, _guard),
}
