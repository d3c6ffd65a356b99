"""Thinning from Python."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from typing import Any

from .. import thinning
from ..result import Answer
from ..thinning.answer import answer
from ..thinning.picture import picture
from .binding import DRAWN, MACHINE, Drawn, bind
from .densities import KEYWORDS, recorded, with_functions
from .language import in_keywords, speaking
from .shown import Reported, headed
from .signatures import Keywords, declare, options

OTHERS = (*KEYWORDS, *MACHINE, *DRAWN)


class Thinned(Reported, thinning.Thinned):
    """The answer of `kstest.thin`; `print` shows the report.

    `index` has the places of the rows; the other attributes are those of
    `kstest.thinning.Thinned`, which are the keys of the JSON object.
    """

    def _report(self) -> Answer:
        return in_keywords(answer(self, "nothing: the places of the rows are in `index`"))

    def __repr__(self) -> str:
        return headed("thin", self._report())


@speaking(lambda: options(thinning.INPUTS))
def thin(data: Any, **given: Any) -> Thinned:
    """Choose the rows that stand for many.

    Parameters
    ----------
    data : array, DataFrame or Arrow table
        Shape (n, d), in the order of the file: neighbours in a chain are paired.

    Returns
    -------
    Thinned
        `index` has the places of the rows, from 0; the other attributes are the keys of the
        command's JSON.

    Notes
    -----
    See `kstest.thinning` for how rows are chosen, and how near they are.

    Examples
    --------
    >>> import kstest, numpy
    >>> X = numpy.random.default_rng(1).normal(size=(2000, 2))
    >>> found = kstest.thin(X, rows=100)
    >>> X[found.index].shape, found.worth[1] > 1000
    ((100, 2), True)
    """
    drawn = Drawn.of(given)
    functions = with_functions(given)
    call = bind("thin", thinning.INPUTS, (data,), functions, {*MACHINE, *DRAWN})
    found = thinning.thin(call.samples, call.params, call.notices, call.work)
    record = recorded(given, found.columns, call.params)
    found = replace(found, params={**found.params, **record})
    shown = Thinned(**{f.name: getattr(found, f.name) for f in fields(found)})
    make = drawn.picture(shown._report(), partial(picture, call.samples[0], found))
    object.__setattr__(shown, "_picture", make)
    return shown


declare(thin, Keywords.of(thinning.INPUTS, OTHERS), "Thinned")
