"""From what the user gave as a target to a SequenceModel over the symbols of the data."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..sample import Sequences
from .markov import fitted
from .scores import imported
from .sequence_csv import read_csv_model
from .sequence_model import SequenceModel
from .sequence_object import from_sequence_object

_FIT = re.compile(r"fit:order=([0-9]{1,2})")
ACCEPTED = (
    "a CSV or JSON file of a model, such as model.csv; fit:order=K, with --reference FILE or "
    "fitted to the data; or python:module:name"
)


def resolve_sequences(
    given: Any,
    data: Sequences,
    reference: Sequences | None = None,
    allow_python: bool = False,
) -> SequenceModel:
    """Return the model that a target names.

    Parameters
    ----------
    given : str or object
        The text of --target, or a Python object (see `from_sequence_object`).
    data : Sequences
        The tested ones.
    reference : Sequences, optional
        What ``fit:order=K`` is fitted to, instead of the data.
    allow_python : bool
        Let ``python:module:name`` import a module.

    Raises
    ------
    UsageError, DataError
    """
    text = given.strip() if isinstance(given, str) else ""
    if text.startswith("fit:"):
        return _fit(text, data, reference)
    if reference is not None:
        raise UsageError("--reference: only fit:order=K is fitted to a file")
    if not isinstance(given, str):
        return from_sequence_object(given, data.alphabet, type(given).__qualname__)
    if text.startswith("python:"):
        return from_sequence_object(imported(text, allow_python), data.alphabet, text)
    if text.lower().endswith((".csv", ".tsv", ".txt")):
        return read_csv_model(text)
    if text.lower().endswith(".json"):
        from .sequence_files import read_json_model

        return read_json_model(text)
    raise UsageError(f"--target {text}: give {ACCEPTED}")


def _fit(text: str, data: Sequences, reference: Sequences | None) -> SequenceModel:
    found = _FIT.fullmatch(text)
    if found is None:
        raise UsageError(f"--target {text}: write fit:order=1, with the order of the Markov chain")
    other = reference or data
    alphabet = tuple(sorted({*data.alphabet, *other.alphabet}))
    return fitted(text, alphabet, int(found[1]), recoded(other, alphabet), reference is not None)


def recoded(sequences: Sequences, alphabet: tuple[str, ...]) -> Sequences:
    """Return the sequences with codes in another alphabet; -1 for symbols it lacks."""
    place = {symbol: c for c, symbol in enumerate(alphabet)}
    table: NDArray[np.int32] = np.array([place.get(s, -1) for s in sequences.alphabet], np.int32)
    same = bool((table == np.arange(len(table))).all())  # then no copy of many codes is made
    codes = sequences.codes if same else table[sequences.codes]
    return Sequences(sequences.name, codes, sequences.offsets, alphabet, sequences.labels)
