"""Where compiled code is kept, under which key, and what this machine has compiled already.

`caches` says in which directory. From a shared one code is only read; what is not there is compiled
for this process alone. Nothing here imports numba, except on machines that do not say otherwise
what their processor is.
"""

from __future__ import annotations

import hashlib
import os
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ..caches import candidates, fault_of_shared, is_own

# The loops over pairs of rows; and the formulas that loops of all rooms inline.
LOOPS = Path(__file__).parents[1] / "engine" / "loops.py"
SHARED = Path(__file__).parents[1] / "kernels" / "compiled.py"
# What the kernel of Linux says of a processor that compiled code may depend on.
TOLD = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags")
MAKING = ("compiling", "marks")
# Variables of numba that change no code.
HARMLESS = {"NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER"}


@cache
def shared_digest() -> str:
    return hashlib.sha256(SHARED.read_bytes()).hexdigest()


@cache
def cache_place() -> tuple[Path, bool]:
    """The directory for compiled code, and whether it is a shared one, only to be read."""
    for candidate in candidates():
        if is_own(candidate):
            return candidate, False
        if _marker_in(candidate, LOOPS).exists() and fault_of_shared(candidate) is None:
            return candidate, True
    import tempfile

    return Path(tempfile.mkdtemp(prefix="kstest-")), False


def cache_directory() -> Path:
    """Return the directory for compiled code."""
    return cache_place()[0]


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
    return directory / f"compiled-{key_of(loops, part)[:16]}"


@cache
def key_of(file: Path, *what: str) -> str:
    """A digest of all that the code of something in a file of loops depends on."""
    # The path too: code of every installation is kept apart.
    parts = [_surroundings(), str(file), shared_digest(), *what]
    return hashlib.sha256("\0".join(parts).encode() + file.read_bytes()).hexdigest()


@cache
def _surroundings() -> str:
    """Versions, the processor, and what a user tells numba."""
    compilers = [part for name in ("numba", "llvmlite") for part in _version(name)]
    # How all are compiled, and what the kept code takes.
    here = [Path(__file__).with_name(f"{name}.py").read_text("utf-8") for name in MAKING]
    told = [
        f"{name}={value}"
        for name, value in sorted(os.environ.items())
        if name.startswith("NUMBA_") and name not in HARMLESS
    ]
    # The size of the head of an object: what calls a loop reads NumPy's arrays behind it.
    python = f"{sys.version_info[:2]} {object.__basicsize__} {sys.maxsize}"
    return "\0".join([*compilers, *here, *told, python, _processor()])


def _version(package: str) -> tuple[str, ...]:
    """What says which version of a package is installed, without an import of it."""
    spec = find_spec(package)
    if spec is not None and spec.origin:
        try:
            return package, Path(spec.origin).with_name("_version.py").read_text("utf-8")
        except OSError:
            pass  # a package that was frozen, or is built another way
    from importlib import metadata  # a fifth of the time to start: the last resort

    return package, metadata.version(package)


def _processor() -> str:
    """Name and features of the processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
            first = stream.read(1 << 14).partition("\n\n")[0]
    except OSError:
        first = ""
    found = [line for line in first.splitlines() if line.partition("\t")[0].strip() in TOLD]
    if len(found) == len(TOLD):
        return "\n".join(found)
    import llvmlite.binding as llvm

    return f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"
