"""Imports numba, and keeps code in its way where no other is known."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from . import places
from .compiling import dispatcher


@cache
def imported() -> Any:
    """Import numba.

    When first used it imports SciPy's BLAS, a seventh of the CPU time of a small run, for code that
    calls `np.dot`; and it looks through all installed packages for extensions of its types and
    imports them (with Awkward Array half of a small run). No loop uses either, so the command line
    hides both; in a process that is not ours other compiled code may need them.
    """
    import numba

    from .. import about

    extensions: Any = sys.modules.get("numba.core.entrypoints")
    if about.own_process and extensions is not None:
        extensions._already_initialized = True
    blas = "scipy.linalg.cython_blas"
    if about.own_process and blas not in sys.modules:
        sys.modules[blas] = None  # type: ignore[assignment]
        try:
            import numba.np.arraymath  # looks for BLAS once, here
        finally:
            del sys.modules[blas]
    return numba


def kept_by_numba(function: Callable[..., Any]) -> Any:
    """Compile a loop with numba, for whatever it is called with, and let numba keep the code.

    numba does not notice when a callee in another file changes, and would go on using the old code.
    For the shared file its digest is a part of the directory's name.
    """
    numba = imported()
    config: Any = numba.config
    before = config.CACHE_DIR
    directory, read_only = places.cache_place()
    config.CACHE_DIR = str(directory / places.shared_digest()[:16])
    try:
        if not read_only:
            return dispatcher(function, numba, cache=True)
        compiled = dispatcher(function, numba)
        compiled._cache = _reading()(function)
        return compiled
    finally:
        config.CACHE_DIR = before


@cache
def _reading() -> Any:
    """numba's cache on disk, without the attempt to write there."""
    from numba.core import caching

    names: Any = vars(caching)
    provided = names.get("UserProvidedCacheLocator") or names["_UserProvidedCacheLocator"]
    place = type("Place", (provided,), {"ensure_cache_path": lambda self: None})
    kept = type("Kept", (names["CompileResultCacheImpl"],), {"_locator_classes": [place]})
    nothing = {"_impl_class": kept, "save_overload": lambda self, signature, data: None}
    return type("Reading", (names["FunctionCache"],), nothing)
