"""A loop as it is called: each form of its arguments has machine code of its own."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import places

# Of an array's flags those that its code depends on: order in C or Fortran, alignment, writable.
IN_C, IN_FORTRAN, ALIGNED, WRITABLE = 1, 2, 0x100, 0x400
FLAGS = IN_C | IN_FORTRAN | ALIGNED | WRITABLE
NUMBERS = {
    "b1": ctypes.c_bool, "i1": ctypes.c_int8, "i2": ctypes.c_int16, "i4": ctypes.c_int32,
    "i8": ctypes.c_int64, "u1": ctypes.c_uint8, "u2": ctypes.c_uint16, "u4": ctypes.c_uint32,
    "u8": ctypes.c_uint64, "f4": ctypes.c_float, "f8": ctypes.c_double,
}  # fmt: skip
RESULTS = {"q": ctypes.c_int64, "d": ctypes.c_double}
SMALLEST, LARGEST = -(2**63), 2**63 - 1
FINE = (0, -2)  # what numba's functions say when they end well
_lock = threading.RLock()


class Loop:
    """A function whose machine code is made or loaded when it is first called with some types.

    It runs without the GIL. Arguments have no names: arrays, Python's or NumPy's numbers, tuples of
    these.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.looped = function
        self.name = function.__name__
        self.loaded: set[str] = set()  # forms whose code was kept
        self._calls: dict[tuple[Any, ...], Callable[..., Any] | None] = {}
        self._code: dict[str, tuple[int, str] | None] = {}

    @property
    def signatures(self) -> list[str]:
        """The forms that have code in this process."""
        return list(self._code)

    def __call__(self, *arguments: Any) -> Any:
        form: list[Any] = []
        flat: list[Any] = []
        _take(arguments, form, flat)
        key = tuple(form)
        if key not in self._calls:
            with _lock:
                self._calls[key] = self._prepared(arguments, flat)
        call = self._calls[key]
        return self._by_numba(*arguments) if call is None else call(flat)

    def _prepared(self, arguments: tuple[Any, ...], flat: list[Any]) -> Callable[..., Any] | None:
        """What calls the code for arguments like these; None if only numba can."""
        form = ", ".join(_described(given) for given in arguments)
        if form not in self._code:
            self._code[form] = self._address(form, arguments) if _placeable() else None
        found = self._code[form]
        return None if found is None else _caller(self.name, *found, flat)

    def _address(self, form: str, arguments: tuple[Any, ...]) -> tuple[int, str] | None:
        """Where the code of a form is, and what it returns; None if it can be numba's only."""
        from . import entries, objects

        file = Path(self.looped.__code__.co_filename)
        key = places.key_of(file, self.looped.__qualname__, form)
        directory, read_only = places.cache_place()
        path = directory / f"{self.name}-{key[:24]}.code"
        kept = entries.read(path, key)
        if kept is not None:
            try:
                address = objects.place(kept.objects)("entry")
                self.loaded.add(form)
                return address, kept.returns
            except (objects.Unplaceable, OSError):
                pass  # made where the C library has more
        from .compiling import NotKept, compiled
        from .numba import imported

        try:
            made = compiled(self.looped, arguments, imported())
            address = objects.place(made.objects)("entry")
        except (NotKept, objects.Unplaceable, OSError):
            return None
        if not read_only:
            entries.write(path, key, made)
        return address, made.returns

    @functools.cached_property
    def _by_numba(self) -> Any:
        from .numba import kept_by_numba

        return kept_by_numba(self.looped)


def _take(arguments: tuple[Any, ...], form: list[Any], flat: list[Any]) -> None:
    """Add what tells arguments of different forms apart, and the arguments without tuples."""
    for given in arguments:
        if isinstance(given, np.ndarray):
            form += (given.dtype, given.ndim, given.flags.num & FLAGS)
        elif type(given) is tuple:
            form.append(len(given))
            _take(given, form, flat)
            continue
        elif type(given) is int and not SMALLEST <= given <= LARGEST:
            form.append(np.uint64)
        else:
            form.append(type(given))
        flat.append(given)


@functools.cache
def _placeable() -> bool:
    """Whether this machine's code is of the kind that `objects` knows."""
    if sys.platform != "linux" or sys.implementation.name != "cpython" or sys.maxsize < LARGEST:
        return False
    plain = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
    return os.uname().machine == "x86_64" and plain


def _described(given: Any) -> str:
    """The form of one argument, as numba tells forms apart."""
    if isinstance(given, np.ndarray):
        flags = given.flags.num
        order = "C" if flags & IN_C else "F" if flags & IN_FORTRAN else "A"
        more = ("" if flags & WRITABLE else " read-only") + (
            "" if flags & ALIGNED else " unaligned"
        )
        return f"{given.dtype.str}[{given.ndim}{order}]{more}"
    if isinstance(given, tuple):
        return f"({', '.join(map(_described, given))})"
    return _number(given)


def _number(given: Any) -> str:
    """Kind and size of a number."""
    if isinstance(given, (bool, np.bool_)):
        return "b1"
    if isinstance(given, np.generic) and given.dtype.str[1:] in NUMBERS:
        return given.dtype.str[1:]
    if isinstance(given, int):
        return "i8" if SMALLEST <= given <= LARGEST else "u8"
    if isinstance(given, float):
        return "f8"
    raise TypeError(
        f"a compiled loop takes arrays, numbers and tuples of these, not {type(given).__name__}"
    )


def _caller(name: str, address: int, returns: str, flat: list[Any]) -> Any:
    """What calls code for arguments of just these types."""
    taken: list[Any] = [
        ctypes.py_object if isinstance(given, np.ndarray) else NUMBERS[_number(given)]
        for given in flat
    ]
    function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, *taken)(address)
    numpys = [i for i, given in enumerate(flat) if isinstance(given, np.generic)]
    result: Any = RESULTS.get(returns)

    def call(given: list[Any]) -> Any:
        for i in numpys:
            given[i] = given[i].item()
        room = None if result is None else result()
        status = function(None if room is None else ctypes.byref(room), *given)
        if status not in FINE:
            raise MemoryError(f"{name}: no memory for the arrays of a compiled loop")
        return None if room is None else room.value

    return call
