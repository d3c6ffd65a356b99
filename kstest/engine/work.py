"""Work: how much of the machine a run may use, and whom it tells how far it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from typing import Any

from .denormals import flush_denormals, flushed_denormals


def available_threads() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Work:
    """Threads and listeners of a run.

    Attributes
    ----------
    threads : int
        Tasks that run at the same time. The result does not depend on it.
    progress : callable
        Called with the share done, 0 to 1, from the thread that started the run.
    notify : callable
        Called with a line for the user, for example before a compilation.
    """

    threads: int = field(default_factory=available_threads)
    progress: Callable[[float], None] = lambda share: None
    notify: Callable[[str], None] = lambda line: None


def silent(work: Work) -> Work:
    """Return the same work without its listener, for parts that are reported as a whole."""
    return replace(work, progress=lambda share: None)


def stage(work: Work, start: float, stop: float) -> Work:
    """Return the same work for a part of the run, reported between these shares of the whole."""
    return replace(work, progress=lambda share: work.progress(start + share * (stop - start)))


@contextmanager
def single_blas() -> Iterator[None]:
    """Keep matrix products on the calling thread: our threads are one level above them."""
    with _libraries("scipy.linalg" in sys.modules).limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries(with_scipy: bool) -> Any:
    """The loaded BLAS libraries: looking for them takes longer than a small test.

    SciPy brings one of its own, which counts once it is loaded.
    """
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()


def run_tasks(tasks: Sequence[Callable[[], None]], costs: Sequence[float], work: Work) -> None:
    """Run all tasks, largest share of cost reported as progress; the order of tasks is kept.

    Tasks take denormal numbers as zero. An exception, Ctrl-C included, cancels what has not
    started.
    """
    total, done = float(sum(costs)) or 1.0, 0.0
    if work.threads <= 1 or len(tasks) == 1:
        for task, cost in zip(tasks, costs, strict=True):
            with flushed_denormals():
                task()
            done += cost
            work.progress(done / total)
        return
    with ThreadPoolExecutor(work.threads, initializer=flush_denormals) as pool:
        running: dict[Future[None], float] = {}
        pending = iter(zip(tasks, costs, strict=True))
        try:
            # Only a few tasks are handed over at a time: a million futures cost memory.
            for task, cost in islice(pending, 2 * work.threads):
                running[pool.submit(task)] = cost
            while running:
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
                    done += running.pop(future)
                for task, cost in islice(pending, len(finished)):
                    running[pool.submit(task)] = cost
                work.progress(done / total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
