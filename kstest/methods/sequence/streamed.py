"""`seqksd` of sequences that nobody keeps: passes over files, on this machine or on others.

The model gives the alphabet and the kernel, so that no sequence has to be spent on them. The first
pass counts, and ends the run where the model cannot give a sequence; the second sums Stein
features by bin (`passes`). What follows is the test with random signs in memory, over the same
statistic. Bins follow from the numbers of the sequences and a key, which knows the sequences only
as an unordered whole; they have one size, up to one sequence, and are spread over all files however
these are sorted. As in memory the signs are asymptotic, and take sequences to be independent.

Where the data are rejected, a third pass sums what explains it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract import Spans
from ...engine import Work, single_blas, stage
from ...engine.sequences import load_sequence_loops
from ...engine.work import run_tasks, shared, silent
from ...errors import ApartError, UsageError
from ...nulls import sign_bins
from ...nulls.places import ROUNDS
from ...result import Result
from ...sample import Sample, Sequences
from ...targets import SequenceModel
from ...targets.sequence_resolve import resolve_sequences
from ...wording import shown
from ..common import require_served
from ..stein.result import impossible as off_support
from ..two_passes.spans import AHEAD, second_pass
from .data import require_common
from .explanation import Totals, explain, explaining_kernel
from .passes import Seen, Setting, Sums, explained, hashed, seen, summed
from .result import base_of, decided, few, too_few, undecided
from .statistic import products, setup, signed

# Options that work as in memory; others have to be at their defaults.
SERVED = {
    "target", "allow_python", "alpha", "draws", "seed", "kernel", "lengths", "length_kernel",
    "edits", "positions", "balancing", "null",
}  # fmt: skip
INSTEAD = "Few sequences fit into memory, where their null distribution can be exact"


def check_streamed(params: Any) -> None:
    """Refuse options that need all sequences at once.

    Raises
    ------
    UsageError
    """
    two = "not with files that are read in two passes (--scheduler)"
    if isinstance(params.target, str) and params.target.strip().startswith("fit:"):
        raise UsageError(
            f"--target {params.target}: {two}: the null distribution of a fitted chain comes from "
            "simulated data sets as large as the data, each fitted again. Give a model as a file, "
            "or leave --scheduler out"
        )
    if params.null == "parametric":
        raise UsageError(
            f"--null parametric: {two}: simulated data sets are as large as the data. Use random "
            "signs (--null wild), or leave --scheduler out"
        )
    if params.kernel == "hamming":
        raise UsageError(
            f"--kernel hamming: {two}: it compares all pairs of sequences. Use --kernel "
            "subsequence, or leave --scheduler out"
        )
    require_served(params, SERVED)


def run(
    spans: Spans, params: Any, rng: np.random.Generator, work: Work
) -> tuple[Result, Sequence[Sample]]:
    """Test sequences against a model in passes over their files; see the module.

    Returns
    -------
    result : Result
    samples : sequence of Sample
        A few sequences, with the inputs of all of them.
    """
    check_streamed(params)
    model = _model(params, work)
    load_sequence_loops(work)  # before many threads want them
    with single_blas():
        return _run(spans, model, params, rng, work)


def _model(params: Any, work: Work) -> SequenceModel:
    """The model, which travels to other processes as its tables."""
    text = params.target
    if work.executor is not None and (not isinstance(text, str) or text.startswith("python:")):
        raise UsageError(
            "--target: a Python object is not sent to workers, whose modules may be others; give "
            "the model as a CSV or JSON file, or use --scheduler local"
        )
    nothing = Sequences("", np.empty(0, np.int32), np.zeros(1, np.int64), ())
    model = resolve_sequences(text, nothing, None, params.allow_python)
    if not model.own_alphabet:
        raise UsageError(
            f"--target {model.name}: has no alphabet of its own, and no part of the data holds all "
            "symbols; give the object an attribute `alphabet`"
        )
    return model


def _run(
    spans: Spans, model: SequenceModel, params: Any, rng: np.random.Generator, work: Work
) -> tuple[Result, Sequence[Sample]]:
    name, several = spans.names[0], len(spans.paths["data"]) > 1
    alone = replace(model, sample=None, simulate=None)
    how = Setting(alone, setup(model, params), several, int(rng.integers(2**63)))
    first, rows = _first_pass(spans, how, stage(work, 0.0, 0.2))
    n = first.rows
    base = replace(base_of(params, n, name), warnings=spans.notices([], {"data": (n, (), ())}))
    told = [_few(spans, first, name, model)]
    if first.symbols and not first.known:
        require_common(first.symbols, model)
    why = first.unknown or first.improbable
    if why:
        return off_support(base, why, params, "model"), told
    if too_few(n, "wild", params.alpha):
        return undecided(base, params), told
    rng = np.random.default_rng([int(rng.integers(2**63)), first.mark])
    keys = rng.integers(2**64, size=ROUNDS, dtype=np.uint64)
    how = replace(how, rows=n, keys=keys, grain=first.grain)
    more = (shared(how, work),)
    sums = second_pass(
        summed, spans, rows, lambda side: more, Sums.empty(how), stage(work, 0.2, 1.0)
    )
    blocks = products(sums.bins, sums.growth if how.made.counting else None)
    found = signed(blocks, np.diff(sign_bins(n)), params.draws, rng)
    base = replace(base, provenance={"sums": sums.digest})

    def explanation() -> list[dict[str, Any]]:
        work.notify("rejected: the files are read once more, for what explains it")
        made = replace(how.made, kernel=explaining_kernel(how.made.kernel, model.order))
        again = (shared(replace(how, made=made), work),)
        ours = second_pass(
            explained, spans, rows, lambda side: again, Totals.empty(made.kernel), silent(work)
        )
        return explain(ours, model, made, params.alpha, rng, silent(work))

    warnings = (*first.notices, *few(n, "wild", INSTEAD))
    return decided(base, model, how.made, found, "wild", params, warnings, explanation), told


def _first_pass(spans: Spans, how: Setting, work: Work) -> tuple[Seen, list[int]]:
    """What there is in all spans, and the number of sequences of each."""
    more = shared(how, work)
    tasks = [(spans.files, span, more) for span in spans.spans]
    out, rows = Seen(), list[int]()
    for part in run_tasks(seen, tasks, work, [float(span.rows) for span in spans.spans], AHEAD):
        rows.append(part.rows)
        out.add(part)
    _require_apart(spans, out)
    return out, rows


def _require_apart(spans: Spans, first: Seen) -> None:
    """Refuse a sequence whose events are in two files.

    Raises
    ------
    ApartError
    """
    if len(first.ids) < 2:
        return
    hashes = np.concatenate([some for _, some in first.ids])
    files = np.repeat([number for number, _ in first.ids], [len(some) for _, some in first.ids])
    order = np.argsort(hashes, kind="stable")
    again = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]])
    for k in again:
        one, other = files[order[k : k + 2]].tolist()
        if one == other:  # different texts with one hash
            continue
        wanted = hashes[order[k]]
        found = [_labelled(spans, number, wanted) for number in (one, other)]
        common = found[0][1] & found[1][1]
        if common:
            raise ApartError(
                f"sequence {shown(min(common))} has events in {found[0][0]} and in {found[1][0]}: "
                "with files that are read in parts (--scheduler) all events of a sequence must be "
                "in one file. Sort the events into files by --id, or leave --scheduler out"
            )


def _labelled(spans: Spans, number: int, wanted: np.uint64) -> tuple[str, set[str]]:
    """A file, and the ids in it that have a hash: different ones may have the same."""
    where, found = "", set[str]()
    for span in spans.spans:
        if any(piece.number == number for piece in span.pieces):
            for piece, sample in spans.files.samples(span):
                if piece.number == number and sample.sequences is not None:
                    where, labels = piece.label, sample.sequences.labels
                    places: NDArray[np.int64] = np.flatnonzero(hashed(labels) == wanted)
                    found.update(labels[i] for i in places)
    return where, found


def _few(spans: Spans, first: Seen, name: str, model: SequenceModel) -> Sample:
    """A few sequences, drawn uniformly; the inputs are those of all."""
    drawn = Sequences(name, first.few.codes, first.few.offsets, model.alphabet)
    counts = [first.files.get(k, (0,) * 4) for k in range(len(spans.paths["data"]))]
    inputs = spans.inputs("data", counts)
    return Sample("data", np.empty((len(drawn), 0)), (), inputs, sequences=drawn)
