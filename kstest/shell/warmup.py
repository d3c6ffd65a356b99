"""Compiles all loops before they are needed, for this user or for all of a machine."""

from __future__ import annotations

import os
from pathlib import Path

from ..caches import fault_of_shared, share
from ..errors import UsageError


def warm() -> tuple[Path, bool]:
    """Compile what is not compiled; return where it is kept, and whether there was anything."""
    from ..betting.warm import load
    from ..engine import Work
    from ..engine.warm import warm as warm_engine
    from ..thinning.halving import load as load_thinning

    compiling: list[str] = []
    work = Work(notify=compiling.append)
    where = warm_engine(work)
    load(work)
    load_thinning(work)
    return where, bool(compiling)


def warm_shared(directory: str) -> tuple[Path, bool]:
    """Compile into a directory that others read, and see to it that they may.

    Raises
    ------
    UsageError
        If somebody besides this user and root can write there, or where it stands: nobody would
        load code from it then. Nothing is compiled in this case.
    """
    place = Path(directory).absolute()
    try:
        place.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--shared {directory}: {error.strerror}; name a directory") from None
    fault = fault_of_shared(place)
    if fault is not None:
        raise UsageError(
            f"--shared {directory}: {fault}, so nobody should load code from there. Choose a "
            "directory where only you and root can write, such as /opt/kstest-cache as root"
        )
    os.environ["KSTEST_CACHE_DIR"] = str(place)
    before = os.umask(0o022)
    try:
        where, compiled = warm()
    finally:
        os.umask(before)
    if where != place:
        raise UsageError(f"--shared {directory}: nothing can be written there; choose another")
    share(place)
    return where, compiled
