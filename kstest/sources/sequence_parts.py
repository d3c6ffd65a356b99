"""Sequences of files, or of Python objects, put together to one Sample; what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.frozen import frozen
from kstest.sample import Input, Sample, Sequences
from kstest.sources.sequence_options import SequenceOptions
from kstest.sources.sequence_text import Block, Symbols

# Of sequences in no column.
NAME = "sequence"


@frozen
class Part:
    """What one file holds; `empty` marks its empty lines."""

    blocks: list[Block]
    empty: NDArray[np.bool_]
    input: Input
    label: str
    name: str


def nothing(where: str) -> DataError:
    """A file without a sequence."""
    return DataError(f"{where}: holds no sequence. At least one is needed.")


def refuse_empty(where: str, line: int, more: str = "") -> DataError:
    """An empty line, of which nothing was said."""
    return DataError(
        f"{where}: line {line:,} is empty{more}. Say --empty drop to leave such lines out, or "
        "--empty keep to take them as sequences without a symbol."
    )


def joined(side: str, parts: Sequence[Part], symbols: Symbols, options: SequenceOptions) -> Sample:
    """One Sample of all files, empty lines treated as asked."""
    inputs, kept = [], []
    for part in parts:
        rows = len(part.empty)
        empty = np.flatnonzero(part.empty)
        if len(empty) and options.empty == "error":
            more = f" ({len(empty):,} of {rows:,} are)"
            raise refuse_empty(part.label, int(empty[0]) + 1, more)
        dropped = len(empty) if options.empty == "drop" else 0
        kept.append(np.flatnonzero(~part.empty) + 1 if dropped else None)
        source = part.input
        inputs.append(Input(source.path, rows, rows - dropped, dropped, source.sha256))
    blocks = [block for part in parts for block in part.blocks]
    for part in parts:
        part.blocks.clear()
    found = replace(symbols.join(blocks, parts[0].name), tokens=options.tokens)
    if any(numbers is not None for numbers in kept):
        # What is dropped has no symbol, so only the offsets change.
        full = np.concatenate([~part.empty for part in parts])
        found = replace(found, offsets=np.concatenate([[0], found.offsets[1:][full]]))
    if not len(found):
        raise DataError(f"{side}: no sequence is left. At least one is needed.")
    return sample_of(side, found, tuple(inputs), tuple(kept))


def sample_of(
    side: str,
    sequences: Sequences,
    inputs: tuple[Input, ...],
    kept: tuple[NDArray[np.int64] | None, ...],
) -> Sample:
    return Sample(
        name=side,
        values=np.empty((len(sequences), 0)),
        columns=(),
        inputs=inputs,
        kept=kept,
        sequences=sequences,
    )
