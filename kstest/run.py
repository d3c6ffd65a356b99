"""Runs a test and writes down where the answer came from."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np

from .about import __version__
from .contract import Spans, Test
from .engine import Work
from .errors import UsageError, printable
from .findings import Facts, Finding, Line, reworded
from .registry import METHODS
from .result import Answer, Notice, Result, unvarying
from .sample import Sample


def execute(
    name: str,
    samples: Sequence[Sample],
    params: Any,
    notices: Sequence[Notice] = (),
    work: Work | None = None,
    reading: Mapping[str, Any] | None = None,
    test: Test[Any] | None = None,
) -> Result:
    """Run the test `name` and return its Result with inputs, parameters and provenance.

    Parameters
    ----------
    name : str
        As messages call it.
    samples : sequence of Sample
        In the order of the roles of the test, then those of its further inputs.
    params : Params of that method
    notices : sequence of Notice
        What the reading of the data had to say; put before the test's own warnings.
    work : Work, optional
    reading : mapping, optional
        Options of reading that were given, by name; for the record.
    test : Test, optional
        That of `kstest.registry.METHODS` under this name by default.
    """
    work = work or Work()
    test = test or METHODS[name].load()
    require_accepted(name, test.inputs.accepts, samples)
    result = record(test.run, samples, params, notices, work, reading)
    result = result.told(*records_found(samples))
    both = len(test.inputs.roles) == 2
    return unvarying_rows(result) if both and not vary(samples) else result


def records_found(samples: Sequence[Sample]) -> list[Finding]:
    """Say that records are the unit, if they are."""
    known = [s.records for s in samples if s.records is not None]
    if not known:
        return []
    order = f"in the order of {known[0].order}" if known[0].order else "in the order of the file"
    text = (
        f"{known[0].rows:,} rows of each, told apart by {printable(known[0].unit)}, {order}; "
        "features of records are compared, not rows"
    )
    value = {s.name: asdict(s.records) for s in samples if s.records is not None}
    return [Facts("records", value, (Line("", text, "data", order=-1),))]


A = TypeVar("A", Result, Answer)
# A word for the unit of a test, and what is about rows of files all the same.
_UNIT = r"(?<![\w/.-])([Rr]ow|[Ee]vent)(s?)(?![\w/-]|\.\w)"
_OF_FILES = r"rows? \d[\d,]*(?:-\d[\d,]*| of )|in row \d+"


def told_of_records(found: A, columns: Sequence[str], kept: Collection[Notice] = ()) -> A:
    """Return the answer of a test whose rows stand for records in words that say so.

    Parameters
    ----------
    found : Result or Answer
    columns : sequence of str
        Names that stay as they are.
    kept : collection of Notice
        Notices about rows of files.
    """
    names = sorted((re.escape(printable(c)) for c in columns), key=len, reverse=True)
    kinds = rf"(?<!\w)(?:{'|'.join(names)})(?!\w)|{_OF_FILES}|{_UNIT}"

    def changed(text: str) -> str:
        return re.sub(kinds, _record, text)

    findings = tuple(reworded(f, changed) for f in found.findings)
    warnings = tuple(n if n in kept else replace(n, message=changed(n.message))
                     for n in found.warnings)  # fmt: skip
    null: Mapping[str, Any] = getattr(found, "null", {})
    more: dict[str, Any] = {}
    if "scheme" in null:
        more["null"] = {**null, "scheme": changed(str(null["scheme"]))}
    return replace(found, findings=findings, warnings=warnings, **more)


def _record(match: re.Match[str]) -> str:
    word, many = match[1], match[2]
    if word is None:
        return match[0]
    return ("Record" if word[0].isupper() else "record") + many


def vary(samples: Sequence[Sample]) -> bool:
    """Whether some row of these samples differs from another."""
    tables: list[list[Any]] = [[s.values, s.codes] for s in samples]
    if any(s.missing is not None for s in samples):
        for table, s in zip(tables, samples, strict=True):
            table.append(np.zeros(s.values.shape) if s.missing is None else s.missing)
    first = [part[:1] for part in next((t for t in tables if len(t[0])), tables[0])]
    return any(
        bool((part != one).any())
        for table in tables
        for part, one in zip(table, first, strict=True)
        if len(one)
    )


def unvarying_rows(result: Result) -> Result:
    """No verdict where all rows of both samples are equal, unless there was none already."""
    if result.verdict != "not rejected":
        return result
    return unvarying(result, "permutation of the rows", "all rows are equal")


def record(
    run: Callable[..., Result],
    samples: Sequence[Sample],
    params: Any,
    notices: Sequence[Notice],
    work: Work,
    reading: Mapping[str, Any] | None = None,
) -> Result:
    """Run a test and add notices of reading, inputs, parameters and provenance to its Result."""
    started, clock = datetime.now(UTC), time.perf_counter()
    result = run(samples, params, np.random.default_rng(params.seed), work)
    if samples and samples[0].records is not None:
        result = told_of_records(result, result.columns)
    return replace(
        result,
        warnings=(*notices, *result.warnings),
        **origin(samples, params, started, time.perf_counter() - clock, work, reading),
    )


def execute_spans(
    spans: Spans,
    params: Any,
    test: Test[Any],
    work: Work,
    reading: Mapping[str, Any] | None = None,
    where: Mapping[str, Any] | None = None,
) -> tuple[Result, Sequence[Sample]]:
    """Run a test in passes over files of which no row is kept; like `execute` otherwise.

    `where` says on how many workers, for the provenance. Returned too are a few rows of each side.
    """
    if test.by_spans is None:
        raise TypeError("a test of spans is needed")
    started, clock = datetime.now(UTC), time.perf_counter()
    result, samples = test.by_spans(spans, params, np.random.default_rng(params.seed), work)
    seconds = time.perf_counter() - clock
    about = origin(samples, params, started, seconds, work, reading)
    about["provenance"] |= {"spans": len(spans.spans), **(where or {}), **result.provenance}
    return replace(result, **about), samples


def origin(
    samples: Sequence[Sample],
    params: Any,
    started: datetime,
    seconds: float,
    work: Work,
    reading: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Where an answer came from: its `inputs`, `params` and `provenance`."""
    return {
        "inputs": tuple(
            {"sample": sample.name, **asdict(source)}
            for sample in samples
            for source in sample.inputs
        ),
        "params": {
            **{f.name: described(getattr(params, f.name)) for f in fields(params)},
            **{name: described(value) for name, value in (reading or {}).items()},
        },
        "provenance": {
            "kstest": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "numba": _numba_version(),
            "seed": params.seed,
            "started": started.isoformat(timespec="seconds"),
            "seconds": round(seconds, 3),
            "threads": work.threads,
        },
    }


@cache
def _numba_version() -> str:
    """The version of numba, which most runs do not import, from the name of its metadata."""
    spec = find_spec("numba")
    if spec is not None and spec.origin:
        names = os.listdir(os.path.dirname(os.path.dirname(spec.origin)))
        found = [n for n in names if n.startswith("numba-") and n.endswith(".dist-info")]
        if len(found) == 1:
            return found[0].removeprefix("numba-").removesuffix(".dist-info")
    from importlib import metadata  # a fifth of the time to start: the last resort

    return metadata.version("numba")


def require_accepted(name: str, accepted: Set[str], samples: Sequence[Sample]) -> None:
    """Refuse data that the test would silently ignore.

    A test says in its inputs what it `accepts` besides numeric columns: "categorical", "missing"
    (cells marked by an indicator), "groups", "weights", "counts".
    """
    for sample in samples:
        texts = ", ".join(map(repr, sample.categorical[:5]))
        present = {
            "categorical": (texts, f"text or categories ({texts}); leave them out with --exclude"),
            "missing": (sample.missing is not None, "--missing indicator; use --missing drop"),
            "groups": (
                sample.groups is not None and not sample.chained,
                "--group; leave it out",
            ),
            "chains": (
                bool(sample.chained),
                "--chain; thin the chains until rows are nearly independent, or leave it out. "
                "kstest ksd and pksd take chains as they are",
            ),
            "weights": (
                sample.weights is not None and not sample.counted,
                "--weights; leave it out",
            ),
            "counts": (sample.counted, "--counts; leave it out"),
        }
        for feature, (found, advice) in present.items():
            if found and feature not in accepted:
                raise UsageError(f"kstest {name} makes no use of {advice}.")


def described(value: Any) -> Any:
    """An option's value as the result shows it; a Python object by the name of its class."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(k): described(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [described(v) for v in value]
    kind = value if isinstance(value, type) or callable(value) else type(value)
    return f"<{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', kind)}>"
