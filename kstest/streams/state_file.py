"""State files of sequential tests: what a stream has taught so far, between runs.

An archive (see `kstest.archive`) of the options of the test, its columns, its state, and the
batches it has counted. Nothing of the rows themselves but the few that wait for a block to fill.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from kstest.frozen import frozen

from ..archive import load, save
from ..archive.ledger import DECLARED, Ledger, from_earlier
from ..archive.packing import pack, unpack
from ..archive.schema import typed
from ..contract import State, StreamTest
from ..errors import DataError
from ..registry import METHODS
from ..sample import Columns

KIND, VERSION = "state", 2


@frozen
class Saved:
    """What a state file holds; `cut` are records with which batches ended, see `Stream`."""

    method: str
    params: Mapping[str, Any]
    reading: Mapping[str, Any]
    state: State
    ledger: Ledger
    cut: tuple[str, ...] = ()


def exists(path: str) -> bool:
    """Whether there is a state.

    Raises
    ------
    DataError
        If the file is empty: whether a stream was lost, its owner has to say.
    """
    if not os.path.exists(path):
        return False
    if not os.path.getsize(path):
        raise DataError(
            f"{path}: is empty, so the state that was here is lost; bring it back from a copy, or "
            "remove the file to begin a new stream"
        )
    return True


def write(path: str, saved: Saved) -> None:
    """Replace the file, whole or not at all."""
    core, arrays = pack(saved.state.core)
    ledger, more = pack(saved.ledger)
    header = {
        "method": saved.method,
        "params": saved.params,
        "reading": saved.reading,
        "columns": asdict(saved.state.columns),
        "core": core,
        "ledger": ledger,
    }
    if saved.cut:
        header["cut"] = saved.cut
    named = {f"core.{name}": array for name, array in arrays.items()}
    named |= {f"ledger.{name}": array for name, array in more.items()}
    try:
        save(path, KIND, VERSION, header, named)
    except ValueError as error:  # infinite: only a file made by hand leads there
        raise DataError(
            f"{path}: holds numbers that no stream leads to ({error}); begin a new one"
        ) from error


def read(path: str) -> Saved:
    """Read a state file.

    Raises
    ------
    DataError
        If it is none, damaged, or of another version.
    """
    header, arrays = load(path, KIND, (VERSION,))
    try:
        test = METHODS[header["method"]].load()
        if not isinstance(test, StreamTest):
            raise TypeError(f"{header['method']} is no test of streams")
        params = typed(test.inputs.params, header["params"])
        columns = typed(Columns, header["columns"])
        core = core_of(test, params, columns, header["core"], _named(arrays, "core."))
        state = test.restore(params, columns, core)
        ledger = _ledger(header["ledger"], _named(arrays, "ledger."))
        reading = header["reading"]
        if not isinstance(reading, dict):
            raise TypeError(f"reading is {reading!r:.40}")
        cut = header.get("cut", [])
        if not (isinstance(cut, list) and all(isinstance(digest, str) for digest in cut)):
            raise TypeError(f"cut is {cut!r:.40}")
        return Saved(header["method"], header["params"], reading, state, ledger, tuple(cut))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{path}: is a state, but not of this kstest ({error}); begin a new one"
        ) from error


def begun_alpha(path: str) -> float:
    """The level with which a stream was begun; what else the file holds is not built.

    Raises
    ------
    DataError
        If the file is no state, or its level is none.
    """
    header, _ = load(path, KIND, (VERSION,))
    params = header.get("params")
    alpha = params.get("alpha") if isinstance(params, dict) else None
    if not isinstance(alpha, float) or not 0 < alpha < 1:
        raise DataError(f"{path}: is a state, but not of this kstest; begin a new one")
    return alpha


def _ledger(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Ledger:
    if "contents" in arrays:
        return from_earlier(header, arrays["contents"], arrays["ids"])
    return unpack(Ledger, header, arrays, DECLARED, {})


def _named(arrays: Mapping[str, np.ndarray], start: str) -> dict[str, np.ndarray]:
    return {n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)}


def core_of(
    test: StreamTest[Any, Any],
    params: Any,
    columns: Columns,
    header: Any,
    arrays: Mapping[str, Any],
) -> Any:
    """Return what a state of a test keeps, from a file.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it cannot be the core of a stream with these options and columns: of another shape, or
        with other parts than one that begins.
    """
    declared, lengths = test.declared(params, columns)
    core: Any = unpack(test.core, header, arrays, declared, lengths)
    begun = test.init(params, columns, ()).core
    for f in fields(core):
        there, expected = (getattr(c, f.name) is not None for c in (core, begun))
        if there != expected and f.name not in test.later:
            raise ValueError(f"{f.name} {'is' if there else 'is not'} there, against the options")
    return core
