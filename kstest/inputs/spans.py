"""Whether files are read in two passes, and what they are then."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..contract import Test
from ..errors import KstestError, UsageError
from ..sources.paths import expand
from . import choose

if TYPE_CHECKING:
    from ..sources.sequence_spans import SequenceSurvey
    from ..sources.survey import Survey

# Share of the memory that a run may take, and how much smaller files may be than rows.
SHARE, COMPRESSED = 0.75, 16
# Rows below which a cluster takes longer to begin than one machine to finish, and rows of a file of
# text (guessed by its size) that keep one worker long.
FEW_ROWS, LONG_TEXT = 1_000_000, 4_000_000


def require_spans(name: str, test: Test[Any], params: Any = None) -> None:
    """Refuse --scheduler for a test, or its options, that need all rows at once.

    Raises
    ------
    UsageError
    """
    if test.by_spans is None or test.check_spans is None:
        why = "it needs all rows at once"
        if hasattr(test, "step"):
            why = "its rows come one after the other"
        raise UsageError(
            f"--scheduler: not for {name}: {why}. kstest mmd, ks, hsic, ksd and seqksd take it."
        )
    if params is not None:
        test.check_spans(params)


def spans_of(
    test: Test[Any], params: Any, given: Mapping[str, Any], sides: Mapping[str, Sequence[str]]
) -> Survey | SequenceSurvey:
    """Look at the files of a test that reads them in two passes."""
    options = choose(test.inputs, params, given)
    if test.inputs.reads == "sequences":
        from ..sources.sequence_spans import survey_sequences

        return survey_sequences(sides, options)
    from ..sources.survey import survey

    return survey(sides, options)


def remarks_for_workers(spans: Survey | SequenceSurvey) -> Iterator[str]:
    """What to say before workers read files: that a cluster has little to gain."""
    rows = sum(span.rows for span in spans.spans)
    if rows < FEW_ROWS:
        about = "" if spans.numbered else "about "
        yield (
            f"{about}{rows:,} rows: below {FEW_ROWS:,} one machine (--scheduler local) is faster "
            "than a cluster"
        )
    pieces = (piece for span in spans.spans for piece in span.pieces)
    text = [p for p in pieces if p.groups is None and p.rows > LONG_TEXT]
    if text:
        yield (
            f"{text[0].label}: one worker reads the whole file, since only Parquet is cut into "
            "parts; give it as Parquet, or as several files"
        )


def spans_if_large(
    test: Test[Any],
    params: Any,
    given: Mapping[str, Any],
    sides: Mapping[str, Sequence[str]],
    say: Callable[[str], None],
) -> Survey | SequenceSurvey | None:
    """The same where a run of local files would take too much of the memory; else None.

    Options that need all rows at once keep them in memory, with a word to `say`.
    """
    if test.by_spans is None or test.check_spans is None:
        return None
    paths = [path for some in sides.values() for path in some]
    limit = SHARE * memory()
    if COMPRESSED * _size(paths) * test.copies(1) < limit:
        return None
    try:
        found = spans_of(test, params, given, sides)
    except KstestError:  # told, or not, where they are read at once
        return None
    columns = max(1, len(found.columns) + len(found.categorical))
    taken = found.megabytes * 1e6 * test.copies(columns)
    if taken <= limit:
        return None
    try:
        test.check_spans(params)
    except KstestError as error:
        say(f"{_taking(taken)}, and the files cannot be read in two passes instead: {error}")
        return None
    say(f"{_taking(taken)}: the files are read in two passes")
    return found


def _taking(taken: float) -> str:
    """What a run would take, of what there is."""
    return f"a run in memory takes about {taken / 1e9:.3g} of {memory() / 1e9:.3g} GB"


def _size(paths: Sequence[str]) -> int:
    """Bytes of all files, without a word about those that are not there."""
    total = 0
    for path in paths:
        try:
            total += sum(os.path.getsize(one) for one in expand(path, ""))
        except (OSError, ValueError, KstestError):
            continue
    return total


def memory() -> float:
    """Bytes of memory that this process may use."""
    found = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    try:
        with open("/sys/fs/cgroup/memory.max") as file:
            return min(found, float(file.read()))
    except (OSError, ValueError):
        return found
