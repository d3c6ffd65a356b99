"""The planning of a test from Python."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from typing import Any

from ..power import search
from ..power.answer import answer
from ..power.picture import picture
from ..result import Answer
from .binding import DRAWN, MACHINE, Drawn, bind
from .language import in_keywords, speaking
from .shown import Reported, headed
from .signatures import Keywords, declare, options

OTHERS = ("threads", "executor", *DRAWN)


class Plan(Reported, search.Plan):
    """The answer of `kstest.plan`; `print` shows the report.

    The attributes are those of `kstest.power.Plan`, which are the keys of the JSON object.
    """

    def _report(self) -> Answer:
        return in_keywords(answer(self))

    def __repr__(self) -> str:
        return headed("plan", self._report())


@speaking(lambda: options(search.INPUTS))
def plan(reference: Any, **given: Any) -> Plan:
    """Find the number of rows at which a test finds a given change with a given power.

    Parameters
    ----------
    reference : array, DataFrame or Arrow table
        Shape (n, d).

    Returns
    -------
    Plan
        With the keys of the command's JSON as attributes.

    Notes
    -----
    See `kstest.power.search` for what is simulated.

    Examples
    --------
    >>> import kstest, numpy
    >>> X = numpy.random.default_rng(1).normal(size=(400, 2))
    >>> kstest.plan(X, shift=1.5, draws=20, permutations=99).rows < 60
    True
    """
    drawn = Drawn.of(given)
    call = bind("plan", search.INPUTS, (reference,), given, {*MACHINE, *DRAWN})
    found = search.plan(call.samples[0], call.params, call.notices, call.work)
    shown = Plan(**{f.name: getattr(found, f.name) for f in fields(found)})
    make = drawn.picture(answer(found), partial(picture, found))
    object.__setattr__(shown, "_picture", make)
    return shown


declare(plan, Keywords.of(search.INPUTS, OTHERS), "Plan")
