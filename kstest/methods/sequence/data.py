"""What a test of sequences knows before it sums: the model, and data the model cannot give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kstest.frozen import frozen

from ...contract import sample_of
from ...engine import Work
from ...engine.sequences import log_weights
from ...errors import UsageError
from ...sample import Sample, Sequences
from ...targets import Hidden, SequenceModel, Windows
from ...targets.sequence_model import Drawn
from ...targets.sequence_resolve import recoded, resolve_sequences
from ...wording import shown

MOST_SHOWN = 60


@frozen
class Given:
    """The tested sequences in codes of the model's alphabet (-1 for a symbol that it lacks)."""

    sample: Sample
    model: SequenceModel
    sequences: Sequences

    @property
    def drawn(self) -> Drawn:
        return self.sequences.codes, self.sequences.offsets

    def where(self, i: int) -> str:
        """Say which sequence of which file one is."""
        if self.sequences.labels:
            return f"sequence {shown(self.sequences.labels[i])}"
        return self.sample.where(i)

    def spelled(self, i: int) -> str:
        assert self.sample.sequences is not None
        symbols = self.sample.sequences[i]
        joint = "" if all(len(symbol) == 1 for symbol in symbols) else " "
        return shown(joint.join(symbols), MOST_SHOWN)


def given_sequences(samples: Sequence[Sample], params: Any) -> Given:
    """Resolve --target, and give the data codes of its alphabet."""
    sample, reference = samples[0], sample_of(samples, "reference")
    data = sample.sequences
    assert data is not None
    other = None if reference is None else reference.sequences
    model = resolve_sequences(params.target, data, other, params.allow_python)
    if data.alphabet:
        require_common(data.alphabet, model)
    return Given(sample, model, recoded(data, model.alphabet))


def require_common(symbols: Sequence[str], model: SequenceModel) -> None:
    """A model of words and data cut into characters are a matter of options, not of evidence.

    `symbols` are those of the data.
    """
    if set(symbols) & set(model.alphabet):
        return
    words = any(len(symbol) > 1 for symbol in model.alphabet)
    single = all(len(symbol) == 1 for symbol in symbols)
    advice = " Say --tokens words (or integers)." if words and single else ""
    raise UsageError(
        f"--target: the data and the model have no symbol in common; the data hold "
        f"{', '.join(map(shown, symbols[:5]))}, the model "
        f"{', '.join(map(shown, model.alphabet[:5]))}.{advice}"
    )


def impossible(given: Given, work: Work) -> str:
    """Say which sequence the model cannot give, and why; empty if there is none."""
    return unknown_symbol(given) or improbable(given, work)


def unknown_symbol(given: Given) -> str:
    """Say which sequence holds a symbol that the model lacks; empty if there is none."""
    codes, offsets = given.drawn
    unknown = np.flatnonzero(codes < 0)
    if not len(unknown):
        return ""
    i = int(np.searchsorted(offsets, unknown[0], side="right")) - 1
    assert given.sample.sequences is not None
    symbol = given.sample.sequences[i][int(unknown[0] - offsets[i])]
    return (
        f"{given.where(i)}, {given.spelled(i)}, holds the symbol {shown(symbol)}, which the "
        "model cannot give"
    )


def improbable(given: Given, work: Work) -> str:
    """Say which sequence of known symbols has probability 0; empty if there is none."""
    distribution = given.model.distribution
    if not isinstance(distribution, Windows | Hidden):
        return ""
    bad = np.flatnonzero(log_weights(*given.drawn, distribution, work) == -np.inf)
    if not len(bad):
        return ""
    i = int(bad[0])
    return (
        f"{given.where(i)}, {given.spelled(i)}, has probability 0{_window(given, distribution, i)}"
    )


def _window(given: Given, distribution: Windows | Hidden, i: int) -> str:
    """Say what makes a sequence impossible."""
    if isinstance(distribution, Hidden):
        return ""
    codes, offsets = given.drawn
    x, S, K = codes[offsets[i] : offsets[i + 1]], distribution.symbols, distribution.size
    if len(distribution.lengths) and not (
        len(x) < len(distribution.lengths) and distribution.lengths[len(x)] > -np.inf
    ):
        return f": its length is {len(x)}"
    padded = [S] * (K - 1) + [int(c) for c in x] + [S]
    for k in range(len(x) + 1):
        index = 0
        for digit in padded[k : k + K]:
            index = index * (S + 1) + digit
        if distribution.table[index] == -np.inf:
            before = [given.model.alphabet[c] for c in padded[k : k + K - 1] if c < S]
            joint = "" if all(len(s) == 1 for s in given.model.alphabet) else " "
            last = "the end" if k == len(x) else shown(given.model.alphabet[int(x[k])])
            return f": {last} after {shown(joint.join(before)) if before else 'the beginning'}"
    return ""
