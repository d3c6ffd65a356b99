"""State files of sequential tests: what a stream has taught so far, between runs.

An archive (see `kstest.archive`) of the options of the test, its columns, its state, and the
batches it has counted. Nothing of the rows themselves but the few that wait for a block to fill.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..archive import load, save
from ..betting.packing import pack, unpack
from ..errors import DataError
from ..methods.stream.rows import Columns
from ..registry import METHODS
from .ledger import Ledger

KIND, VERSION = "state", 2


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


def _named(arrays: Mapping[str, np.ndarray], start: str) -> dict[str, np.ndarray]:
    return {n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)}


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
