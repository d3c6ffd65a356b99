"""Python objects as models of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import UsageError
from .sequence_model import Drawn, LogRatio, SequenceModel

Symbols = tuple[str, ...]


def from_sequence_object(thing: Any, symbols: Symbols, name: str) -> SequenceModel:
    """Return the model of a Python object, or of a callable.

    Parameters
    ----------
    thing : object
        `log_ratio(x, y)` (or the object called so) takes two sequences as tuples of symbols and
        returns log p(y) - log p(x); or `logp(x)` returns log p(x) up to a constant. -inf where a
        sequence is impossible. Optional: `sample(n, rng)`, n lists of symbols; `alphabet`, all
        symbols the model can give, else those of the data; `order`, for the default kernel.
    symbols : tuple of str
        Of the data.
    name : str
    """
    if isinstance(thing, SequenceModel):
        return thing
    logp = getattr(thing, "logp", None)
    ratio = getattr(thing, "log_ratio", None)
    if ratio is None and callable(logp):

        def ratio(x: Symbols, y: Symbols) -> float:
            return float(logp(y)) - float(logp(x))

    ratio = ratio or thing
    if not callable(ratio):
        raise UsageError(
            f"target: a {type(thing).__qualname__} has no method log_ratio(x, y) nor logp(x); give "
            "an object that has one, or the name of a file"
        )
    own = getattr(thing, "alphabet", None)
    alphabet = tuple(dict.fromkeys(map(str, own))) if own is not None else symbols
    place = {symbol: c for c, symbol in enumerate(alphabet)}
    draw = getattr(thing, "sample", None)

    def sample(n: int, rng: np.random.Generator) -> Drawn:
        lists = [[str(symbol) for symbol in drawn] for drawn in draw(n, rng)]  # type: ignore[misc]
        unknown = next((s for drawn in lists for s in drawn if s not in place), None)
        if len(lists) != n or unknown is not None:
            what = f"gives {len(lists)} sequences, not {n}"
            if unknown is not None:
                what = f"gives the symbol {unknown!r}, which is not in its alphabet"
            raise UsageError(f"target: sample of {name} {what}")
        codes = np.array([place[s] for drawn in lists for s in drawn], np.int32)
        return codes, np.concatenate([[0], np.cumsum([len(d) for d in lists])]).astype(np.int64)

    return SequenceModel(
        name,
        alphabet,
        int(getattr(thing, "order", 1)),
        LogRatio(ratio, alphabet),
        sample=sample if callable(draw) else None,
        own_alphabet=own is not None,
    )
