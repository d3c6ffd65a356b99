"""Work: how much of the machine a run may use, and whom it tells how far it is."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from functools import cache
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any, TypeVar

from kstest.frozen import frozen

from .denormals import flush_denormals, flushed_denormals

if TYPE_CHECKING:
    from concurrent.futures import Executor

T = TypeVar("T")

# Tasks that are handed over at a time, per thread: results wait for their turn, and are memory.
AHEAD = 4


def available_threads() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@frozen
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
    executor : concurrent.futures.Executor, optional
        Runs the tasks in place of threads of this process: a `ProcessPoolExecutor`, or what the
        libraries of a cluster offer with this interface. Tasks and their arguments can be pickled.
    """

    threads: int = field(default_factory=available_threads)
    progress: Callable[[float], None] = lambda share: None
    notify: Callable[[str], None] = lambda line: None
    executor: Executor | None = None


def silent(work: Work) -> Work:
    """Return the same work without its listener, for parts that are reported as a whole."""
    return replace(work, progress=lambda share: None)


def stage(work: Work, start: float, stop: float) -> Work:
    """Return the same work for a part of the run, reported between these shares of the whole."""
    return replace(work, progress=lambda share: work.progress(start + share * (stop - start)))


@contextmanager
def single_blas() -> Iterator[None]:
    """Keep matrix products on the calling thread: our threads are one level above them."""
    with _libraries("scipy.linalg._flapack" in sys.modules).limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries(with_scipy: bool) -> Any:
    """The loaded BLAS libraries: looking for them takes longer than a small test.

    SciPy brings one of its own, which counts once it is loaded.
    """
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()


def shared(value: T, work: Work) -> T:
    """Something large that all tasks are given, as an argument for them that travels once."""
    share = getattr(work.executor, "share", None)
    return value if share is None else share(value)


def run_tasks(
    function: Callable[..., T],
    arguments: Sequence[tuple[Any, ...]],
    work: Work,
    costs: Sequence[float] | None = None,
    ahead: int = AHEAD,
) -> Iterator[T]:
    """Call a function with every tuple of arguments; yield what it returns, in their order.

    Parameters
    ----------
    function : callable
        Of a module, not a closure, and pure: it returns its part of a sum and writes into nothing.
        Then any executor can run it, and whoever adds the parts in order gets the same bits from
        all of them.
    arguments : sequence of tuple
        Arrays, numbers, and records of them.
    work : Work
    costs : sequence of float, optional
        For the progress that is reported; by default all are equal.
    ahead : int
        Tasks that are handed over at a time, per thread: 1 where results are large. One more is,
        lest a thread is idle until all tasks before its own are done.

    Notes
    -----
    Tasks take denormal numbers as zero. An exception, Ctrl-C included, cancels what has not
    started.
    """
    total = (float(len(arguments)) if costs is None else float(sum(costs))) or 1.0
    done, shares = 0.0, repeat(1.0, len(arguments)) if costs is None else costs
    for result, cost in zip(_results(function, arguments, work, ahead), shares, strict=True):
        done += cost
        work.progress(done / total)
        yield result


def _results(
    function: Callable[..., T],
    arguments: Sequence[tuple[Any, ...]],
    work: Work,
    ahead: int = AHEAD,
) -> Iterator[T]:
    if work.executor is not None:
        tasks = ((_elsewhere, function, *some) for some in arguments)
        yield from _in_order(work.executor, tasks, ahead * work.threads + 1)
    elif work.threads <= 1 or len(arguments) == 1:
        for some in arguments:
            with flushed_denormals():
                result = function(*some)
            yield result
    else:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(work.threads, initializer=flush_denormals) as pool:
            tasks = ((function, *some) for some in arguments)
            yield from _in_order(pool, tasks, ahead * work.threads + 1)


def _in_order(pool: Executor, tasks: Iterator[tuple[Any, ...]], most: int) -> Iterator[Any]:
    """Submit tasks, `most` ahead, and yield their results in order."""
    running = deque(pool.submit(*task) for task in islice(tasks, most))
    try:
        while running:
            result = running.popleft().result()
            running.extend(pool.submit(*task) for task in islice(tasks, 1))
            yield result
    finally:
        for future in running:
            future.cancel()


def _elsewhere(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function as the threads of this process do."""
    with single_blas(), flushed_denormals():
        return function(*arguments)
