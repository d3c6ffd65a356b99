"""The file formats, a line each: how they are called and recognised, and what opens them.

A format is told by its first bytes, whatever the file is called, and everything without such bytes
is text: CSV. Options, help, messages and the reading of sequences follow this table. An opener
takes a `kstest.sources.stream.Opened` and returns a `kstest.sources.columnar.ArrowFile`; it is
imported when a file needs it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Format:
    """One format of files.

    Attributes
    ----------
    name : str
        For --input-format; two formats may share one.
    title : str
        For messages.
    magic : bytes
        The first bytes of such a file.
    extensions : tuple of str
        Of names that promise this format, in lower case.
    opener : str
        ``module:function``.
    also : bytes
        What the first `LOOKED_AT` bytes hold as well, where others start like it.
    """

    name: str
    title: str
    magic: bytes
    extensions: tuple[str, ...]
    opener: str
    also: bytes = b""

    def load(self) -> Callable[[Any], Any]:
        """Import what opens such files."""
        module, function = self.opener.split(":")
        loaded: Callable[[Any], Any] = getattr(importlib.import_module(module), function)
        return loaded


# Text is no entry of the table; the file that kstest itself writes is none that people bring.
TEXT, OWN = "csv", "baseline"
LOOKED_AT = 64
_HERE = "kstest.sources.columnar"
_ARROW = (".arrow", ".arrows", ".feather", ".ipc")
FORMATS: list[Format] = [
    Format("parquet", "Parquet", b"PAR1", (".parquet", ".pq"), f"{_HERE}:open_parquet"),
    Format("arrow", "Arrow IPC", b"ARROW1", _ARROW, f"{_HERE}:open_arrow_file"),
    Format("arrow", "Arrow IPC", b"\xff\xff\xff\xff", _ARROW, f"{_HERE}:open_arrow_stream"),
    # a zip file as `kstest.archive` writes it; whether it is a baseline says the header
    Format(
        OWN,
        "baseline of kstest",
        b"PK\x03\x04",
        (".kst",),
        "kstest.sources.baseline:open_baseline",
        b"header.json",
    ),
]


def names() -> tuple[str, ...]:
    """What --input-format accepts."""
    return tuple(dict.fromkeys([TEXT, *(f.name for f in FORMATS)]))


def titles() -> dict[str, str]:
    """How the formats are called in messages, by name."""
    return {TEXT: "CSV"} | {f.name: f.title for f in FORMATS}


def recognised(head: bytes) -> Format | None:
    """Return the format of a file that starts so; None for text, and for what nobody reads."""
    start = head[:LOOKED_AT]
    return next((f for f in FORMATS if start.startswith(f.magic) and f.also in start), None)


def promised(extension: str) -> str | None:
    """Return the name of the format that an extension stands for, if it does for one."""
    return next((f.name for f in FORMATS if extension.lower() in f.extensions), None)
