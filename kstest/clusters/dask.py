"""A cluster of dask.distributed as the executor of `kstest.engine.work`.

Tasks are pure, so that the scheduler may run those of a lost worker again elsewhere; their keys are
new in every run, since dask would give the results of an earlier run for equal keys. Nothing is
scattered: data that were scattered cannot be made again when a worker is lost.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import platform
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from ..about import __version__
from ..engine import Work
from ..engine.denormals import flushed_denormals
from ..engine.work import single_blas
from ..errors import DataError, UsageError
from ..wording import label

# Seconds to wait for a scheduler, and for its first worker.
ANSWER, WORKERS = 10, 30
LISTED = 3
# What `mallopt` calls the size from which on an array is memory of its own, and that of free memory
# which it gives back (malloc.h of glibc).
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1


@contextmanager
def connected(
    scheduler: Any, stamps: Mapping[str, tuple[int, int]], work: Work
) -> Iterator[tuple[Work, dict[str, Any]]]:
    """Connect, hold workers against this process, and give their executor; see `working_at`."""
    try:
        import distributed
    except ImportError:
        raise UsageError(
            "--scheduler needs dask.distributed: python3 -m pip install 'kstest[dask]'"
        ) from None
    with ExitStack() as stack:
        if isinstance(scheduler, str):
            client = stack.enter_context(_client(distributed, scheduler))
            name = f"--scheduler {scheduler}"
        else:
            client, name = scheduler, "scheduler"
        threads = _threads(client, name, work)
        _require_versions(client, name)
        _require_files(client, stamps)
        executor = _Tasks(distributed, client)
        stack.callback(executor.cancel)
        there: Any = executor  # `submit` is all that is asked of it
        # Half as many again, so that no thread waits while a result travels.
        inside = replace(work, executor=there, threads=threads + (threads + 1) // 2)
        yield inside, {"workers": len(_workers(client)), "threads": threads}


@contextmanager
def _client(distributed: Any, address: str) -> Iterator[Any]:
    try:
        client = distributed.Client(address, timeout=ANSWER, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(
            f"--scheduler {address}: no answer within {ANSWER} s; is a dask scheduler running "
            f"there? ({type(error).__name__})"
        ) from None
    try:
        yield client
    finally:
        client.close(timeout=ANSWER)


def _workers(client: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    return found


def _threads(client: Any, name: str, work: Work) -> int:
    """Threads of all workers, once there is one."""
    if not _workers(client):
        work.notify(f"{name}: has no worker; waiting {WORKERS} s for one")
        try:
            client.wait_for_workers(1, timeout=WORKERS)
        except TimeoutError:
            raise UsageError(
                f"{name}: has no worker after {WORKERS} s; start one with: dask worker ADDRESS"
            ) from None
    # A worker that was lost meanwhile is started again, or another one is: tasks wait for it.
    return max(1, sum(int(worker["nthreads"]) for worker in _workers(client).values()))


def versions() -> dict[str, str]:
    """Versions that have to be the same everywhere, since numbers depend on them."""
    from importlib import metadata

    names = ("numpy", "numba", "pyarrow")
    python = ".".join(platform.python_version_tuple()[:2])
    return {"kstest": __version__, "python": python, **{n: metadata.version(n) for n in names}}


def _require_versions(client: Any, name: str) -> None:
    here, differ = versions(), []
    for worker, there in client.run(versions, on_error="return").items():
        if isinstance(there, OSError):
            raise UsageError(
                f"{name}: worker {worker} went away when it was asked for its versions "
                f"({type(there).__name__}); run again when it is back"
            )
        if isinstance(there, BaseException):
            raise UsageError(
                f"{name}: worker {worker} cannot import kstest {__version__}: {there}. Install the "
                "same packages on all workers."
            )
        differ += [
            f"{worker}: {package} {there.get(package)}, here {version}"
            for package, version in here.items()
            if there.get(package) != version
        ]
    if differ:
        more = f"; and {len(differ) - LISTED} more" if len(differ) > LISTED else ""
        raise UsageError(
            f"{name}: versions differ: {'; '.join(differ[:LISTED])}{more}. Numbers depend on them; "
            "install the same versions on all workers."
        )


def found_files(paths: list[str]) -> dict[str, tuple[int, int] | None]:
    """Size and time of files, where this process sees them."""
    from ..sources.stores import stamp

    return {path: stamp(path) for path in paths}


def _require_files(client: Any, stamps: Mapping[str, tuple[int, int]]) -> None:
    answers: dict[str, Any] = client.run(found_files, [*stamps])
    for path, here in stamps.items():
        absent = [worker for worker, there in answers.items() if there[path] is None]
        if absent:
            raise DataError(
                f"{label(path)} is not on {len(absent)} of {len(answers)} workers "
                f"({', '.join(absent[:LISTED])}): put the files where all workers see them"
            )
        # Times of one file differ between the machines of some network file systems.
        other = [worker for worker, there in answers.items() if there[path][0] != here[0]]
        if other:
            raise DataError(
                f"{label(path)} has another size on {len(other)} of {len(answers)} workers "
                f"({', '.join(other[:LISTED])}): all have to see the same files"
            )


def kept(value: Any) -> Any:
    """A value as the result of a task."""
    return value


class _Tasks:
    """What `run_tasks` asks of an executor: `submit`, of tasks that the scheduler may repeat."""

    def __init__(self, distributed: Any, client: Any) -> None:
        self._distributed, self._client = distributed, client
        self._run, self._number = uuid.uuid4().hex[:8], itertools.count()
        self._running: dict[str, Any] = {}

    def submit(self, elsewhere: Callable[..., Any], *task: Any) -> _Awaited:
        """Hand over a task, which is the function and its arguments."""
        function, *arguments = task
        key = f"kstest-{self._run}-{function.__name__}-{next(self._number)}"
        future = self._client.submit(alone, function, *arguments, key=key, pure=False, retries=0)
        self._running[key] = future
        return _Awaited(self._distributed, future, arguments, lambda: self._running.pop(key, None))

    def share(self, value: Any) -> Any:
        """The result of a task, which workers give to each other, and make again if it is lost."""
        key = f"kstest-{self._run}-{kept.__name__}-{next(self._number)}"
        self._running[key] = self._client.submit(kept, value, key=key, pure=False, retries=0)
        return self._running[key]

    def cancel(self) -> None:
        """Give up what is still running."""
        if self._running:
            self._client.cancel([*self._running.values()], force=True)
            self._running.clear()


class _Awaited:
    """The result of a task, whose failures are told in words."""

    def __init__(
        self, distributed: Any, future: Any, arguments: list[Any], done: Callable[[], Any]
    ) -> None:
        self._distributed, self._future, self._done = distributed, future, done
        self._words = next((a.words for a in arguments if hasattr(a, "words")), "a task")

    def result(self) -> Any:
        try:
            found = self._future.result()
        except self._distributed.KilledWorker:
            raise DataError(
                f"{self._words}: its worker died again and again; tasks need about 450 MB, so give "
                "workers more memory (dask worker --memory-limit)"
            ) from None
        except (self._distributed.CancelledError, OSError) as error:
            raise UsageError(
                f"--scheduler: the cluster went away while it read {self._words} "
                f"({type(error).__name__}); run again when it is back"
            ) from None
        self._done()
        return found

    def cancel(self) -> None:
        self._future.cancel()


@contextmanager
def _memory_kept() -> Iterator[None]:
    """Let the C library use freed memory again, up to the limits that it finds by itself elsewhere.

    Dask starts workers with MALLOC_TRIM_THRESHOLD_. The library of Linux then gives every large
    array back to the system and gets the next one page by page, which took half of the CPU time of
    a second pass.
    """
    trim = os.environ.get("MALLOC_TRIM_THRESHOLD_", "")
    own = "MALLOC_MMAP_THRESHOLD_" in os.environ or "MALLOC_TOP_PAD_" in os.environ
    libc = ctypes.CDLL(None) if trim.isdecimal() and not own and sys.platform == "linux" else None
    mallopt = getattr(libc, "mallopt", None)
    if mallopt is None:
        yield
        return
    mallopt(MMAP_THRESHOLD, 32 << 20)
    mallopt(TRIM_THRESHOLD, 64 << 20)
    try:
        yield
    finally:
        mallopt(MMAP_THRESHOLD, 128 << 10)
        mallopt(TRIM_THRESHOLD, min(int(trim), 2**31 - 1))  # it takes a C int


# Tasks of one worker run in threads of one process, and matrix products would be given back their
# threads when the first of them ends.
_lock, _inside, _limit = threading.Lock(), 0, ExitStack()


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of a task on a worker as the threads of a single process do."""
    import scipy.linalg  # noqa: F401  (before its BLAS is kept on one thread)

    global _inside
    with _lock:
        if not _inside:
            _limit.enter_context(single_blas())
            _limit.enter_context(_memory_kept())
        _inside += 1
    try:
        with flushed_denormals():
            return function(*arguments)
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _limit.close()
