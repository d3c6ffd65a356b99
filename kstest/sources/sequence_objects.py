"""Sequences that are Python objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from kstest.errors import DataError
from kstest.result import Notice
from kstest.sample import Input, Sample
from kstest.sources.objects import PATH
from kstest.sources.sequence_options import SequenceOptions
from kstest.sources.sequence_parts import NAME, Part, joined
from kstest.sources.sequence_text import Block, Symbols, token, tokenised
from kstest.wording import shown


def sequences_from_objects(
    objects: Mapping[str, object], options: SequenceOptions
) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
    """Make one sample per side from iterables of texts, or of lists of texts and whole numbers.

    A text is cut by `options.tokens`, as a line of a file would be.
    """
    samples = []
    for side, rows in objects.items():
        if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
            raise DataError(
                f"{side}: found {shown(type(rows).__name__)}; accepted: a list of texts, or of "
                "lists of texts or whole numbers."
            )
        symbols, items = Symbols(), list(rows)
        if all(isinstance(item, str) for item in items):
            block, empty = tokenised(items, options.tokens, symbols, 1, side)
        else:
            lists = [_object(row, f"{side}: row {k + 1:,}") for k, row in enumerate(items)]
            codes = symbols.words([word for words in lists for word in words], side)
            block = Block(codes, np.array([len(words) for words in lists], np.int64))
            empty = np.zeros(len(lists), bool)
        part = Part([block], empty, Input(PATH, 0, 0, 0), side, NAME)
        samples.append(joined(side, [part], symbols, options))
    return tuple(samples), ()


def _object(row: Any, where: str) -> list[str]:
    if isinstance(row, str | bytes | Mapping) or not isinstance(row, Iterable):
        raise DataError(
            f"{where} is {shown(row)}; accepted: texts, or lists of texts or whole numbers, and "
            "not a mixture."
        )
    return [token(item, where) for item in row]
