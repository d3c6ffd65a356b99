"""Hidden Markov models of sequences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .markov import ROUNDED
from .sequence_model import Hidden, SequenceModel
from .sequence_sampling import hidden_sampler

Array = NDArray[np.float64]
MOST_STATES = 200


def hidden_model(
    name: str,
    parts: Mapping[str, Any],
    stop: float | Mapping[str, float] | None,
    lengths: Array | None,
) -> SequenceModel:
    """Return the model of start, transition and emission probabilities by state.

    Parameters
    ----------
    name : str
    parts : mapping
        ``start``: state to number; ``transition`` and ``emission``: state to a mapping of state,
        or symbol, to number.
    stop : number, mapping of state to number, or None
        Probability of the end after a state; transitions are those of going on.
    lengths : ndarray or None
        Log weights of lengths in place of `stop`.
    """
    where = f"--target {name}"
    emission, transition = parts["emission"], parts["transition"]
    states = tuple(emission)
    if len(states) > MOST_STATES:
        raise DataError(f"{where}: {len(states)} states; accepted: up to {MOST_STATES}")
    alphabet = tuple(dict.fromkeys(s for row in emission.values() for s in row))
    if set(transition) != set(states):
        odd = sorted(set(transition) ^ set(states))[0]
        raise DataError(f"{where}: the state {odd!r} has no row of emission, or none of transition")
    start = _row(parts["start"], states, f"{where}: start")
    E = np.array([_row(emission[s], alphabet, f"{where}: emission: {s!r}") for s in states])
    T = np.array([_row(transition[s], states, f"{where}: transition: {s!r}") for s in states])
    if lengths is None:
        known = stop if isinstance(stop, Mapping) else {}
        strange = sorted(set(known) - set(states))
        if strange:
            raise DataError(f"{where}: stop: {strange[0]!r} is no state; they are {states}")
        fixed = stop if isinstance(stop, float) else 0.0
        ends = np.array([known.get(s, fixed) for s in states])
        _require_end(start, T, ends, where)
        distribution = Hidden(start, T * (1 - ends[:, None]), E, ends)
    else:
        distribution = Hidden(start, T, E, np.ones(len(states)), lengths, empty=1.0)
    return SequenceModel(name, alphabet, 1, distribution, sample=hidden_sampler(distribution, name))


def _row(given: Mapping[str, float], names: tuple[str, ...], where: str) -> Array:
    strange = sorted(set(given) - set(names))
    if strange:
        raise DataError(f"{where}: {strange[0]!r} is not one of {', '.join(names[:10])}")
    row = np.array([given.get(name, 0.0) for name in names])
    if (row < 0).any() or abs(row.sum() - 1) > ROUNDED:
        raise DataError(f"{where}: probabilities of at least 0 that sum to 1, not {row.sum():.6g}")
    return np.asarray(row / row.sum())


def _require_end(start: Array, T: Array, ends: Array, where: str) -> None:
    reached, able = start > 0, ends > 0
    for _ in range(len(start)):
        reached = reached | (T[reached] > 0).any(axis=0)
        able = able | ((T > 0) & able).any(axis=1)
    if (reached & ~able).any():
        raise DataError(
            f"{where}: the sequence can reach a state from which it never ends; see stop"
        )
