"""The file formats, a line each: how they are called and recognised, and what opens them.

A format is told by its first bytes, whatever the file is called, and everything without such bytes
is text: CSV. Options, help, messages and the reading of sequences follow this table. An opener
takes a `kstest.sources.stream.Opened` and returns a `kstest.sources.columnar.ArrowFile`; it is
imported when a file needs it.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

from kstest.errors import UsageError
from kstest.frozen import frozen


@frozen
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
    extra : str
        Of kstest, where reading needs a library that comes with it; ``pip install kstest[EXTRA]``.
    parts : str
        What a file may hold several of, one of them named as in ``FILE:PART``.
    looks : str
        More to ask the first bytes for: a function of `kstest.sources.heads`.
    guarded : bool
        Whether the library raises Python's own exceptions over damaged files: then they are about
        the file, and else mistakes in code.
    isolated : bool
        Whether such files are read in a process of its own (`kstest.sources.isolated`).
    """

    name: str
    title: str
    magic: bytes
    extensions: tuple[str, ...]
    opener: str
    extra: str = ""
    parts: str = ""
    looks: str = ""
    guarded: bool = False
    isolated: bool = False

    def recognises(self, head: bytes) -> bool:
        """Whether a file that starts so is of this format."""
        if not head.startswith(self.magic):
            return False
        if not self.looks:  # letters alone could begin a header: "ORC,elf"
            return not (self.magic.isalpha() and b"\n" in head and min(head) >= _LEAST)
        found: bool = getattr(importlib.import_module(_HEADS), self.looks)(head)
        return found

    def load(self) -> Callable[[Any], Any]:
        """Import what opens such files.

        Raises
        ------
        UsageError
            If a library is missing.
        """
        module, function = self.opener.split(":")
        try:
            loaded: Callable[[Any], Any] = getattr(importlib.import_module(module), function)
        except ModuleNotFoundError as error:
            if not self.extra:
                raise
            raise lacking(self.title, str(error.name), self.extra) from None
        return loaded


# What an extra brings, for files that are opened in another process.
_LIBRARIES = {"root": "uproot", "astro": "astropy", "hdf5": "h5py", "stats": "pyreadstat"}


def require(found: Format) -> None:
    """Refuse a format whose library is not installed, without importing it."""
    library = _LIBRARIES[found.extra]
    try:
        there = importlib.util.find_spec(library) is not None
    except ValueError:
        there = False
    if not there:
        raise lacking(found.title, library, found.extra)


def lacking(title: str, library: str, extra: str) -> UsageError:
    """The error where a library of an extra is not there."""
    return UsageError(
        f"{title}: reading it needs {library.partition('.')[0]}, which is not installed: "
        f"python3 -m pip install 'kstest[{extra}]'."
    )


# Text is no entry of the table; the file that kstest itself writes is none that people bring.
TEXT, OWN = "csv", "baseline"
_HERE = "kstest.sources.columnar"
_LEAST = 9  # bytes below are in no text; that of a tab
_HEADS = "kstest.sources.heads"
_ZIP = b"PK\x03\x04"
_ARROW = (".arrow", ".arrows", ".feather", ".ipc")
_STATS = "kstest.sources.statistics_files"
_HDF5 = (".h5", ".hdf5", ".hdf", ".nc")
_JSON = (".json", ".jsonl", ".ndjson")
FORMATS: list[Format] = [
    Format("parquet", "Parquet", b"PAR1", (".parquet", ".pq"), f"{_HERE}:open_parquet"),
    Format("arrow", "Arrow IPC", b"ARROW1", _ARROW, f"{_HERE}:open_arrow_file"),
    Format("arrow", "Arrow IPC", b"\xff\xff\xff\xff", _ARROW, f"{_HERE}:open_arrow_stream"),
    Format("orc", "ORC", b"ORC", (".orc",), "kstest.sources.orc:open_orc"),
    Format("json", "JSON", b"", _JSON, "kstest.sources.records:open_json", looks="is_records"),
    Format("npy", "NumPy", b"\x93NUMPY", (".npy",), "kstest.sources.numpy_files:open_npy",
           guarded=True),
    Format("npz", "NumPy .npz", _ZIP, (".npz",), "kstest.sources.numpy_files:open_npz",
           parts="arrays", looks="is_npz", guarded=True),
    Format("excel", "Excel", _ZIP, (".xlsx", ".xlsm"), "kstest.sources.excel:open_excel", "excel",
           "sheets", "is_workbook", guarded=True),
    Format("root", "ROOT", b"root", (".root",), "kstest.sources.root:open_root", "root", "trees",
           isolated=True),
    Format("fits", "FITS", b"SIMPLE  =", (".fits", ".fit"), "kstest.sources.fits:open_fits",
           "astro", "tables", isolated=True),
    Format("hdf5", "HDF5", b"\x89HDF\r\n\x1a\n", _HDF5, "kstest.sources.hdf5:open_hdf5", "hdf5",
           "groups", isolated=True),
    Format("stata", "Stata", b"", (".dta",), f"{_STATS}:open_stata", looks="is_stata",
           guarded=True),
    Format("sas", "SAS", b"", (".sas7bdat", ".xpt"), f"{_STATS}:open_sas", looks="is_sas",
           guarded=True),
    Format("spss", "SPSS", b"$FL", (".sav", ".zsav"), f"{_STATS}:open_spss", "stats",
           isolated=True),
    # A zip file as `kstest.archive` writes it; whether it is a baseline says the header.
    Format(OWN, "baseline of kstest", _ZIP, (".kst",), "kstest.sources.baseline:open_baseline",
           looks="is_archive"),
]  # fmt: skip


def names() -> tuple[str, ...]:
    """What --input-format accepts."""
    return tuple(dict.fromkeys([TEXT, *(f.name for f in FORMATS)]))


def titles() -> dict[str, str]:
    """How the formats are called in messages, by name."""
    return {TEXT: "CSV"} | {f.name: f.title for f in FORMATS}


def recognised(head: bytes) -> Format | None:
    """Return the format of a file that starts so; None for text, and for what nobody reads."""
    return next((f for f in FORMATS if f.recognises(head)), None)


def promised(extension: str) -> str | None:
    """Return the name of the format that an extension stands for, if it does for one."""
    return next((f.name for f in FORMATS if extension.lower() in f.extensions), None)
