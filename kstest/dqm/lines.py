"""Histories of earlier versions of kstest: a line of JSON per batch. They are read only.

Every line ends in a checksum, which covers all lines before it, and the last line says that it is:
a line that was altered, lost, added or moved is noticed and named.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..errors import DataError

# Every line says what it is of, and the last one that it is the last.
KIND, VERSION, LAST = "history", 2, "last"
# A line is some 400 characters; the largest file holds two million batches.
LONGEST_LINE, LARGEST_FILE = 100_000, 1 << 30
# Lines of version 1 had no checksum and did not say by which calibration.
OLD = {"batch", "sha256", "started", "p_value", "alarm"}
FIELDS = {"batch", "name", "content", "calibration", "started", "p_value", "alarm"}
ENDING = re.compile(r'(.*), "checksum": "([0-9a-f]{16})"\}')


def _checksum(body: str, before: str) -> str:
    """Of a line without its end, and the checksum of the line before."""
    return hashlib.blake2b(f"{before}\n{body}".encode(), digest_size=8).hexdigest()


def read(path: str) -> list[dict[str, Any]]:
    """The batches of a file, in the order in which they were first checked.

    Raises
    ------
    DataError
        If the file is none of these, or is damaged; it is left as it is.
    """
    file = Path(path)
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"--history {path}: is no regular file; give the name of a file")
        if status.st_size > LARGEST_FILE:
            raise DataError(f"--history {path}: is too large to be a history of kstest dqm")
        content = file.read_bytes().decode("utf-8")
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
