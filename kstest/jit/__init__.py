"""The one place that touches numba, and compiled code that is kept between runs.

`loop` marks a function that is compiled when it is first called with arguments of some types. What
numba makes then is kept as object code (`entries`) and from there put into memory (`objects`),
where it is called without numba, whose import takes longer than the rest of a small run. Where the
processor or the system is of another kind than `objects` knows, numba keeps the code itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .loops import Loop
from .marks import FASTMATH, inline
from .places import LOOPS, cache_directory, cache_lasts, is_compiled, mark_compiled

__all__ = [
    "FASTMATH", "LOOPS", "Loop", "cache_directory", "cache_lasts", "exact_loop", "inline",
    "is_compiled", "loop", "mark_compiled",
]  # fmt: skip


def loop(function: Callable[..., Any]) -> Any:
    """Compile `function` on first use, without the GIL, and keep the machine code on disk.

    A loop may call only loops of its own file, and functions of `places.SHARED`: the key of what
    is kept has a digest of these two files.
    """
    return Loop(function)


def exact_loop(function: Callable[..., Any]) -> Any:
    """The same as `loop`, in the order of operations that is written."""
    function.__dict__["exact"] = True
    return Loop(function)
