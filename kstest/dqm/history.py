"""History: what earlier checks found, a line of JSON per batch, for alarms over many runs.

Every line ends in a checksum, which covers all lines before it, and the last line says that it is:
a line that was altered, lost, added or moved is noticed and named. A file is written anew beside
the old one and renamed; whatever happens there is the old one or the new one.

Alarms count batches of one calibration only. What another one found says nothing about how often
this one is wrong, and rejections by it may be why there is a new one.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ..archive import locked
from ..errors import DataError, OutputError
from ..files import replace
from ..wording import shown

# Every line says what it is of, and the last one that it is the last.
KIND, VERSION, LAST = "history", 2, "last"
# A line is some 400 characters; the largest file holds two million batches.
LONGEST_LINE, LARGEST_FILE = 100_000, 1 << 30
# Lines of version 1 had no checksum and did not say by which calibration.
OLD = {"batch", "sha256", "started", "p_value", "alarm"}
FIELDS = {"batch", "name", "content", "calibration", "started", "p_value", "alarm"}
ENDING = re.compile(r'(.*), "checksum": "([0-9a-f]{16})"\}')


@dataclass(frozen=True)
class Identity:
    """Which batch it is.

    Attributes
    ----------
    name : str
        Given with --batch-id, else the name of its file, the rows of it and --where.
    content : str
        Digest of its events as they are judged.
    given : bool
        Whether the name was given: then it may not have another content.
    """

    name: str
    content: str
    given: bool = False


@dataclass
class History:
    """Earlier batches in the order in which they were first checked.

    Attributes
    ----------
    calibration : str
        Digest of the one whose batches count.
    lines : list of dict
        Of all calibrations.
    path : str
        For messages; empty without a file.
    counted : list of dict
        Those of this calibration.
    """

    calibration: str = ""
    lines: list[dict[str, Any]] = field(default_factory=list)
    path: str = ""
    counted: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.counted = [x for x in self.lines if x.get("calibration") == self.calibration]
        self._named: dict[str, list[dict[str, Any]]] = {}
        self._equal: dict[str, dict[str, Any]] = {}
        for line in self.counted:
            self._enter(line)

    def _enter(self, line: dict[str, Any]) -> None:
        self._named.setdefault(line["name"], []).append(line)
        self._equal[line["content"]] = line

    @property
    def skipped(self) -> int:
        """Number of batches of other calibrations."""
        return len(self.lines) - len(self.counted)

    def find(self, batch: Identity) -> dict[str, Any] | None:
        """Return the line of a batch that was checked before, with this calibration.

        Raises
        ------
        DataError
            If another batch has the name that was given.
        """
        for line in self._named.get(batch.name, ()):
            if line["content"] == batch.content:
                return line
            if batch.given:
                raise DataError(
                    f"--batch-id {shown(batch.name)}: {self.path} has a batch of this name with "
                    f"other events, checked {line['started']}. Give this one another name, or find "
                    "out which of the two is right."
                )
        return None

    def alike(self, batch: Identity) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Lines of other batches with the same name, and with the same events."""
        return self._named.get(batch.name, [None])[-1], self._equal.get(batch.content)

    def add(self, label: str, batch: Identity, started: str, p: float | None) -> dict[str, Any]:
        """Add a batch and return its line, to which the alarm is still to be added."""
        line = {
            "batch": label,
            "name": batch.name,
            "content": batch.content,
            "calibration": self.calibration,
            "started": started,
            "p_value": p,
            "alarm": False,
        }
        self.lines.append(line)
        self.counted.append(line)
        self._enter(line)
        return line


@contextmanager
def remembered(
    path: str | None, calibration: str, seconds: float = 10.0
) -> Iterator[History | None]:
    """Read a history, and write it if batches were added; nobody else may meanwhile.

    `seconds` is how long to wait for another process that does.

    `seconds` is how long to wait for another process that does.

    Raises
    ------
    DataError
        If the file is none, or is damaged; it is left as it is.
    OutputError
        If it cannot be written; it is then as it was.
    """
    if path is None:
        yield None
        return
    with locked(path, seconds):
        lines = _read(Path(path), path)
        history = History(calibration, lines, path)
        before = len(lines)
        yield history
        if len(lines) > before:
            try:
                replace(_written(lines), Path(path))
            except OSError as error:
                why = error.strerror or error
                raise OutputError(f"--history {path}: cannot be written: {why}") from error


def _written(lines: Sequence[Mapping[str, Any]]) -> bytes:
    texts, before = [], ""
    for place, line in enumerate(lines, 1):
        ends = {LAST: True} if place == len(lines) else {}
        body = json.dumps({KIND: VERSION, **line, **ends}, allow_nan=False)[:-1]
        before = _checksum(body, before)
        texts.append(f'{body}, "checksum": "{before}"}}\n')
    return "".join(texts).encode()


def _checksum(body: str, before: str) -> str:
    """Of a line without its end, and the checksum of the line before."""
    return hashlib.blake2b(f"{before}\n{body}".encode(), digest_size=8).hexdigest()


def _read(file: Path, path: str) -> list[dict[str, Any]]:
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"--history {path}: is no regular file; give the name of a file")
        if status.st_size > LARGEST_FILE:
            raise DataError(f"--history {path}: is too large to be a history of kstest dqm")
        content = file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        place = error.object[: error.start].count(b"\n") + 1
        _refuse(path, place, "holds bytes that are no text")
    except OSError as error:
        raise DataError(f"--history {path}: cannot be read: {error.strerror or error}") from error
    if not content:
        raise DataError(
            f"--history {path}: is empty, while a history has a line at least; was it cut off? "
            "Delete it to begin a new one"
        )
    texts = content.removesuffix("\n").split("\n")
    if not content.endswith("\n"):
        _refuse(path, len(texts), "is cut off")
    first = _parsed(texts[0], path, 1)
    if set(first) == OLD:
        return [_old(_parsed(text, path, k), path, k) for k, text in enumerate(texts, 1)]
    version = first.get(KIND, VERSION)
    if type(version) is int and version > VERSION:
        raise DataError(
            f"--history {path}: is of version {version}; this kstest reads version {VERSION}. Use "
            "the kstest that wrote it, or begin a new one"
        )
    return _verified(texts, path)


def _verified(texts: Sequence[str], path: str) -> list[dict[str, Any]]:
    """The lines, each against its checksum before anything else is made of it."""
    lines, before = [], ""
    for place, text in enumerate(texts, 1):
        match = ENDING.fullmatch(text) if len(text) <= LONGEST_LINE else None
        if match is None or _checksum(match[1], before) != match[2]:
            _refuse(path, place, "is damaged, or lines before it were lost, added or moved")
        before = match[2]
        line = _parsed(match[1] + "}", path, place)
        if line.pop(LAST, False) is not (place == len(texts)):
            _refuse(path, place, "is not the last one that was written: lines were lost or added")
        lines.append(_line(line, path, place))
    return lines


def _parsed(text: str, path: str, place: int) -> dict[str, Any]:
    """A line as an object: no number that a float cannot hold, no depth that Python cannot."""
    try:
        if len(text) > LONGEST_LINE:
            raise ValueError
        found = json.loads(
            text, parse_constant=_no_number, parse_int=_small, object_pairs_hook=_single
        )
        if not isinstance(found, dict):
            raise ValueError
    except (ValueError, RecursionError):
        _refuse(path, place, "cannot be read")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _single(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def _small(text: str) -> int:
    if len(text) > 15:
        raise ValueError(text)
    return int(text)


def _line(line: dict[str, Any], path: str, place: int) -> dict[str, Any]:
    texts = (line.get(name) for name in ("batch", "name", "content", "calibration", "started"))
    version = line.pop(KIND, None)
    if version != VERSION or set(line) != FIELDS or not all(isinstance(x, str) for x in texts):
        _refuse(path, place, "has other fields than a batch")
    return _judged(line, path, place)


def _old(line: dict[str, Any], path: str, place: int) -> dict[str, Any]:
    """A line of version 1: kept, but not counted, as it does not say by which calibration."""
    if set(line) != OLD or not all(isinstance(line[name], str) for name in ("batch", "started")):
        _refuse(path, place, "has other fields than a batch")
    line = _judged(line, path, place)
    found = line.pop("sha256")
    if not (found is None or isinstance(found, str)):
        _refuse(path, place, "has a sha256 that is none")
    return {**line, "name": line["batch"], "content": f"sha256 {found}", "calibration": ""}


def _judged(line: dict[str, Any], path: str, place: int) -> dict[str, Any]:
    p = line["p_value"]
    if not (p is None or (type(p) in (int, float) and 0 < p <= 1)):
        _refuse(path, place, "has a p-value that is none")
    if type(line["alarm"]) is not bool:
        _refuse(path, place, "does not say whether there was an alarm")
    return line


def _refuse(path: str, place: int, what: str) -> NoReturn:
    raise DataError(
        f"--history {path}: line {place} {what}; it was left as it is. Give a file that kstest dqm "
        "check --history wrote, a copy of it from before, or a new name"
    ) from None
