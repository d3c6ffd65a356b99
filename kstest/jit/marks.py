"""What marks a function as one that is compiled, and how all are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# contract and reassoc let LLVM vectorise sums; nnan and ninf are left out because the engine
# must not assume that what it is handed is finite.
FASTMATH = {"contract", "reassoc", "nsz", "arcp"}


def inline(function: Callable[..., Any]) -> Any:
    """Compile a helper into the loops that call it; called by others it is plain Python."""
    function.__dict__["inlined"] = True
    return function


def fastmath(function: Callable[..., Any]) -> set[str] | bool:
    """What LLVM may do to the arithmetic of a function."""
    return False if getattr(function, "exact", False) else FASTMATH


def is_inline(thing: Any) -> bool:
    return bool(getattr(thing, "inlined", False)) and callable(thing)


def loop_of(thing: Any) -> Callable[..., Any] | None:
    """The Python function of a loop, None for anything else."""
    found: Callable[..., Any] | None = getattr(thing, "looped", None)
    return found
