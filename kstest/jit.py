"""The one place that touches numba: jit options and where compiled code is kept.

Compiled code must serve every later process, from cron with HOME unset and from a read-only
installation. numba's own choice (beside the source, else under HOME) raises at import when
neither is writable, so the directory is chosen here, only for our loops: the first usable of
KSTEST_CACHE_DIR, NUMBA_CACHE_DIR, XDG_CACHE_HOME/kstest, ~/.cache/kstest, a directory of this
user under the system's temporary directory, and at last a private one of this process.

numba loads its cache with pickle. A directory that another user may write to would let that user
run code as this one, so only directories owned by this user and closed to others are accepted.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

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
    numba = _numba()
    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_directory() / _shared_digest()[:16])
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FASTMATH)(function)
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
    calls `np.dot`. No loop does, so the command line hides it; in a process that is not ours other
    compiled code may need it.
    """
    import numba

    from . import about

    blas = "scipy.linalg.cython_blas"
    if about.own_process and blas not in sys.modules:
        sys.modules[blas] = None  # type: ignore[assignment]
        try:
            import numba.np.arraymath  # looks for BLAS once, here
        finally:
            del sys.modules[blas]
    return numba


@cache
def cache_directory() -> Path:
    """Return a directory for compiled code that this user owns and can write to."""
    for candidate in _candidates():
        if _usable(candidate):
            return candidate
    return Path(tempfile.mkdtemp(prefix="kstest-"))


def cache_lasts() -> bool:
    """Whether compiled code is there for the next process, too."""
    return cache_directory() in set(_candidates())


def is_compiled(file: Path = LOOPS) -> bool:
    """Say whether this machine has compiled the present loops of a file."""
    return _marker(file).exists()


def mark_compiled(file: Path = LOOPS) -> None:
    """Remember that the present loops are compiled, so that the next process is silent."""
    try:
        _marker(file).touch()
    except OSError:
        return  # a full disk only costs the next process its silence


@cache
def _marker(loops: Path) -> Path:
    import llvmlite.binding
    import numba

    features = str(llvmlite.binding.get_host_cpu_features().flatten())
    # The path too: numba keeps the code of every installation apart.
    key = f"{numba.__version__} {llvmlite.binding.get_host_cpu_name()} {features} {loops}".encode()
    digest = hashlib.sha256(key + loops.read_bytes() + _shared_digest().encode()).hexdigest()
    return cache_directory() / f"compiled-{digest[:16]}"


def _candidates() -> Iterator[Path]:
    for variable in ("KSTEST_CACHE_DIR", "NUMBA_CACHE_DIR"):
        if os.environ.get(variable):
            yield Path(os.environ[variable])
    if os.environ.get("XDG_CACHE_HOME"):
        yield Path(os.environ["XDG_CACHE_HOME"]) / "kstest"
    home = os.path.expanduser("~")
    if os.path.isabs(home) and os.path.isdir(home):
        yield Path(home) / ".cache" / "kstest"
    yield Path(tempfile.gettempdir()) / f"kstest-{_user()}"


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _usable(directory: Path) -> bool:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.lstat(directory)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError:
        return False
    if not hasattr(os, "getuid"):
        return True
    mine = found.st_uid == os.getuid() and stat.S_ISDIR(found.st_mode)
    return mine and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
