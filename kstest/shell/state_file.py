"""State files of sequential tests: what a stream has taught so far, between runs.

An archive (see `kstest.archive`) of the options of the test, its columns, its state, and the
batches it has counted. Nothing of the rows themselves but the few that wait for a block to fill.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from ..archive import load, save
from ..betting.packing import pack, unpack
from ..errors import DataError, UsageError
from ..methods.stream_rows import Columns
from ..params import option_name
from ..registry import METHODS
from ..sources.wording import listed, shown
from .ledger import Ledger

KIND, VERSION = "state", 1
# Options of reading that change what the test is about; how a file is written may change.
MEANING = ("columns", "exclude", "categorical", "missing", "where")


@dataclass(frozen=True)
class Saved:
    """What a state file holds."""

    method: str
    params: Mapping[str, Any]
    reading: Mapping[str, Any]
    state: Any
    ledger: Ledger


def exists(path: str) -> bool:
    """Whether there is a state; an empty file is one that was reserved."""
    return os.path.exists(path) and os.path.getsize(path) > 0


def write(path: str, saved: Saved) -> None:
    """Replace the file, whole or not at all."""
    module = METHODS[saved.method].load()
    core, arrays = pack(saved.state.core)
    ledger, more = pack(saved.ledger)
    header = {
        "method": saved.method,
        "params": saved.params,
        "reading": saved.reading,
        "columns": asdict(saved.state.columns),
        "core": core,
        "ledger": ledger,
        **module.extra(saved.state),
    }
    named = {f"core.{name}": array for name, array in arrays.items()}
    named |= {f"ledger.{name}": array for name, array in more.items()}
    save(path, KIND, VERSION, header, named)


def read(path: str) -> Saved:
    """Read a state file.

    Raises
    ------
    DataError
        If it is none, damaged, or of another version.
    """
    header, arrays = load(path, KIND, (VERSION,))
    try:
        module = METHODS[header["method"]].load()
        params = module.Params(**{k: _tuples(v) for k, v in header["params"].items()})
        columns = Columns(**{k: _tuples(v) for k, v in header["columns"].items()})
        core = unpack(module.Core, header["core"], _named(arrays, "core."))
        state = module.restore(params, columns, core, header)
        ledger = unpack(Ledger, header["ledger"], _named(arrays, "ledger."))
        return Saved(header["method"], header["params"], header["reading"], state, ledger)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{path}: is a state, but not of this kstest ({error}); begin a new one"
        ) from error


def options(params: Any, reading: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fingerprint: options of the test, and those of reading that matter."""
    plain = {f.name: getattr(params, f.name) for f in fields(params)}
    return (
        {k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()},
        {name: getattr(reading, name) for name in MEANING},
    )


def require_same(path: str, saved: Saved, name: str, params: Any, reading: Any) -> None:
    """Refuse to go on with a stream under other options.

    Raises
    ------
    UsageError
        Naming the option, what the state was begun with, and what was found now.
    """
    if saved.method != name:
        raise UsageError(f"--state {path}: is of kstest {saved.method}, not of kstest {name}")
    now = options(params, reading)
    for old, new in zip((saved.params, saved.reading), now, strict=True):
        for key in new:
            if old.get(key) != new[key]:
                raise UsageError(
                    f"{option_name(key)} {_value(new[key])}: the stream in {path} was begun with "
                    f"{_value(old.get(key))}. Give that, or begin a new --state file: options "
                    "chosen after a look at the evidence would make it worthless."
                )


def require_columns(path: str, saved: Saved, columns: Columns) -> None:
    """Refuse a batch whose columns are others, or of another kind."""
    for what, old, new in (
        ("numbers", saved.state.columns.numeric, columns.numeric),
        ("text", saved.state.columns.categorical, columns.categorical),
    ):
        if set(old) != set(new):
            only, gone = [n for n in new if n not in old], [n for n in old if n not in new]
            raise DataError(
                f"the columns that hold {what} are not those of {path}: only in this batch "
                f"{listed(only)}, only in the state {listed(gone)}. Rename columns, or name those "
                "to use with --columns in a new --state file."
            )


def _value(value: Any) -> str:
    return "nothing" if value in (None, "") else shown(value)


def _named(arrays: Mapping[str, np.ndarray], start: str) -> dict[str, np.ndarray]:
    return {n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)}


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
