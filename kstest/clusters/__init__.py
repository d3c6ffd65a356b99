"""Clusters: who runs the tasks of a test whose rows are read in passes.

``local`` is this process; an address, or a Client, is a cluster of dask.distributed, which is
imported only then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..engine import Work
from ..errors import UsageError

LOCAL = "local"
SCHEMES = ("tcp://", "tls://", "ws://", "wss://", "ucx://", "inproc://")


def check_scheduler(scheduler: Any) -> None:
    """Refuse what is neither ``local`` nor an address nor a Client of dask.

    Raises
    ------
    UsageError
    """
    if isinstance(scheduler, str):
        if scheduler == LOCAL or scheduler.startswith(SCHEMES):
            return
        raise UsageError(
            f"--scheduler {scheduler}: give {LOCAL}, or the address of a dask scheduler such as "
            "tcp://host:8786"
        )
    if not callable(getattr(scheduler, "submit", None)):
        found = type(scheduler).__name__
        raise UsageError(f"scheduler: found {found}; accepted: an address or a dask Client.")


@contextmanager
def working_at(
    scheduler: Any, stamps: Mapping[str, tuple[int, int]], work: Work
) -> Iterator[tuple[Work, dict[str, Any]]]:
    """Work whose tasks run at a scheduler, and what to write down of it.

    Parameters
    ----------
    scheduler : str or distributed.Client
    stamps : mapping
        Size and time of every local file, which all workers must see.
    work : Work

    Raises
    ------
    UsageError, DataError
    """
    if scheduler == LOCAL:
        yield work, {}
        return
    from .dask import connected

    with connected(scheduler, stamps, work) as found:
        yield found
