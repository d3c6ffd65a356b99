"""History: p-values of earlier checks, one JSON line per batch, for alarms over many runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..archive import locked
from ..errors import DataError, OutputError
from ..files import replace
from ..result import Result
from .check import Batch


@dataclass
class Memory:
    """Earlier batches, and those of this run as they are added."""

    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def p_values(self) -> list[float]:
        return [float(line["p_value"]) for line in self.lines if line["p_value"] is not None]

    def forget(self, batches: Sequence[Batch]) -> None:
        """Drop what is judged again, so that a check that is repeated counts once."""
        digests = {i.sha256 for b in batches for i in b.sample.inputs if i.sha256 is not None}
        self.lines = [line for line in self.lines if line["sha256"] not in digests]

    def add(self, results: Sequence[Result]) -> None:
        for result in results:
            self.lines.append(
                {
                    "batch": result.explanation["batch"],
                    "sha256": result.inputs[0]["sha256"] if result.inputs else None,
                    "started": result.provenance["started"],
                    "p_value": result.p_value,
                    "alarm": result.explanation["alarm"]["alarm"],
                }
            )


@contextmanager
def remembered(path: str | None, seconds: float = 10.0) -> Iterator[Memory]:
    """Read the history, and write it with what was added; nobody else may meanwhile.

    `seconds` is how long to wait for another process that does.

    Raises
    ------
    DataError
        If a line of the file is none of a history.
    """
    if path is None:
        yield Memory()
        return
    with locked(path, seconds):
        memory = Memory(_lines(Path(path)))
        yield memory
        text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in memory.lines)
        try:
            replace(text.encode(), Path(path))
        except OSError as error:
            raise OutputError(f"--history {path}: cannot be written: {error.strerror}") from error


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        content = path.read_text("utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"--history {path}: cannot be read: {error}") from error
    found = []
    for place, text in enumerate(content.splitlines(), 1):
        try:
            line = json.loads(text)
            p = line["p_value"]
            if not (p is None or 0 < float(p) <= 1) or "sha256" not in line:
                raise ValueError
        except (ValueError, TypeError, KeyError):
            raise DataError(
                f"--history {path}: line {place} is none of a history of dqm; give a file that "
                "kstest dqm check --history wrote, or a new one"
            ) from None
        found.append(line)
    return found
