"""The one place that touches numba: jit options, and compiled code that is kept between runs.

`caches` says in which directory. From a shared one code is only read; what is not there is compiled
for this process alone.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from .caches import candidates, fault_of_shared, is_own

# The loops over pairs of rows; and the formulas that loops of all rooms inline.
LOOPS = Path(__file__).parent / "engine" / "loops.py"
SHARED = Path(__file__).parent / "kernels" / "compiled.py"

# contract and reassoc let LLVM vectorise sums; nnan and ninf are left out because the engine
# must not assume that what it is handed is finite.
FASTMATH = {"contract", "reassoc", "nsz", "arcp"}


def loop(function: Callable[..., Any]) -> Any:
    """Compile `function` on first use, without the GIL, and keep the machine code on disk.

    A loop may call only loops of its own file, and functions of `SHARED`: numba does not notice
    when a callee in another file changes, and would go on using the old machine code. For the
    shared file its digest is a part of the directory's name.
    """
    return _kept(function, FASTMATH)


def exact_loop(function: Callable[..., Any]) -> Any:
    """The same as `loop`, in the order of operations that is written."""
    return _kept(function, False)


def _kept(function: Callable[..., Any], fastmath: set[str] | bool) -> Any:
    numba = _numba()
    config: Any = numba.config
    before = config.CACHE_DIR
    directory, read_only = _cache()
    config.CACHE_DIR = str(directory / _shared_digest()[:16])
    options = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
    try:
        if not read_only:
            return numba.njit(cache=True, **options)(function)
        compiled = numba.njit(**options)(function)
        compiled._cache = _reading()(function)
        return compiled
    finally:
        config.CACHE_DIR = before


def inline(function: Callable[..., Any]) -> Any:
    """Compile a helper into the loops that call it."""
    return _numba().njit(inline="always", error_model="numpy", fastmath=FASTMATH)(function)


@cache
def _shared_digest() -> str:
    return hashlib.sha256(SHARED.read_bytes()).hexdigest()


@cache
def _numba() -> Any:
    """Import numba.

    When first used it imports SciPy's BLAS, a seventh of the CPU time of a small run, for code that
    calls `np.dot`; and it looks through all installed packages for extensions of its types and
    imports them (with Awkward Array half of a small run). No loop uses either, so the command line
    hides both; in a process that is not ours other compiled code may need them.
    """
    import numba

    from . import about

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


@cache
def _cache() -> tuple[Path, bool]:
    """The directory for compiled code, and whether it is a shared one, only to be read."""
    for candidate in candidates():
        if is_own(candidate):
            return candidate, False
        if _marker_in(candidate, LOOPS).exists() and fault_of_shared(candidate) is None:
            return candidate, True
    return Path(tempfile.mkdtemp(prefix="kstest-")), False


def cache_directory() -> Path:
    """Return the directory for compiled code."""
    return _cache()[0]


def cache_lasts() -> bool:
    """Whether compiled code is there for the next process, too."""
    return cache_directory() in set(candidates())


def is_compiled(file: Path = LOOPS, part: str = "") -> bool:
    """Say whether this machine has compiled the present loops of a file, or a part of them."""
    return _marker(file, "").exists() or _marker(file, part).exists()


def mark_compiled(file: Path = LOOPS, part: str = "") -> None:
    """Remember that the present loops are compiled, so that the next process is silent."""
    try:
        _marker(file, part).touch()
    except OSError:
        return  # a full disk only costs the next process its silence


@cache
def _marker(loops: Path, part: str) -> Path:
    return _marker_in(cache_directory(), loops, part)


def _marker_in(directory: Path, loops: Path, part: str = "") -> Path:
    """The empty file that says that these loops are compiled, on this kind of processor."""
    import llvmlite.binding
    import numba

    features = str(llvmlite.binding.get_host_cpu_features().flatten())
    # The path too: numba keeps the code of every installation apart.
    key = f"{numba.__version__} {llvmlite.binding.get_host_cpu_name()} {features} {loops}".encode()
    content = loops.read_bytes() + _shared_digest().encode() + part.encode()
    digest = hashlib.sha256(key + content).hexdigest()
    return directory / f"compiled-{digest[:16]}"
