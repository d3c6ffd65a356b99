"""Reading in a process of its own, for libraries that a damaged file may crash, hang or fill up.

The other process has a limit of memory, and ends when it gives no sign of life; what it read comes
back as Arrow streams over a pipe. ``python -m kstest.sources.isolated`` is that process.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from kstest.errors import DataError, UsageError
from kstest.frozen import frozen
from kstest.sources.arrow_file import BROKEN, ArrowFile, guarded
from kstest.sources.arrow_types import long_type
from kstest.sources.formats import FORMATS, Format, require
from kstest.sources.stream import Opened, Stream, seekable
from kstest.wording import one_line

# Memory for the data of a file: so much, and so much more for each of its bytes.
LEAST_BYTES, BYTES_PER_BYTE = 512 << 20, 50
PATIENCE = 30.0  # seconds without any byte; and for each 100 MB of the file as many again
_SIGNS = 100 << 20


@frozen
class _Task:
    """What the other process is to open."""

    format: str
    label: str
    path: str
    part: str | None
    budget: int


class _Reader:
    """The other process, and its output as a file that does not wait for ever."""

    def __init__(self, file: BinaryIO, task: _Task, patience: float) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._patience, self._where = patience, task.label
        file.seek(0)
        number = file.fileno()
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(number), json.dumps(vars(task))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            pass_fds=(number,),
        )
        self.closed = False

    def ask(self, names: Sequence[str]) -> None:
        """Ask for the rows of some columns."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(list(names)).encode() + b"\n")
            self.process.stdin.flush()

    def read(self, size: int = -1) -> bytes:
        assert self.process.stdout is not None
        number, parts = self.process.stdout.fileno(), []
        while size:
            if not select.select([number], [], [], self._patience)[0]:
                raise DataError(
                    f"{self._where}: cannot be read: nothing came for {self._patience:.0f} "
                    f"seconds.{BROKEN}"
                )
            part = os.read(number, size if size > 0 else 1 << 16)
            if not part:
                self._raise()
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _raise(self) -> None:
        """Say why the process came to its end."""
        code = self.process.wait()
        self._errors.seek(0)
        last = self._errors.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        try:
            said = json.loads(last)
        except ValueError:
            why = f"its library ended with code {code}"
            raise DataError(f"{self._where}: cannot be read: {why}.{BROKEN}") from None
        raise (UsageError if said["usage"] else DataError)(said["text"])

    def close(self) -> None:
        self.closed = True
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self._errors):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


def open_isolated(opened: Opened, found: Format) -> ArrowFile:
    """Open a file of a format in another process."""
    import pyarrow as pa

    require(found)
    long_type()  # may come over the pipe
    file, digest, close = seekable(opened)
    if hasattr(file, "rollover"):
        file.rollover()
    size = file.seek(0, os.SEEK_END)
    budget = LEAST_BYTES + BYTES_PER_BYTE * size
    task = _Task(found.name, opened.label, opened.path, opened.part, budget)
    readers: list[_Reader] = []

    def start() -> Any:
        readers.append(_Reader(file, task, PATIENCE * (1 + size // _SIGNS)))
        try:
            with pa.ipc.open_stream(pa.PythonFile(readers[-1], mode="r")) as stream:
                stream.read_all()
                return stream.schema
        except BaseException:
            readers.pop().close()
            raise

    def batches(names: Sequence[str]) -> Iterator[Any]:
        if not readers:
            start()
        reader = readers.pop()
        try:
            reader.ask(names)
            yield from pa.ipc.open_stream(pa.PythonFile(reader, mode="r"))
        finally:
            reader.close()

    def shut() -> None:
        while readers:
            readers.pop().close()
        close()

    return ArrowFile(start(), batches, digest, shut)


def _limited(budget: int) -> None:
    """Limit what this process may add to the memory that it has."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        with open("/proc/self/status") as status:
            used = next(int(x.split()[1]) << 10 for x in status if x.startswith("VmData"))
        resource.setrlimit(resource.RLIMIT_DATA, (used + budget, used + budget))


def _serve(number: int, task: _Task, out: BinaryIO) -> None:
    import pyarrow as pa

    raw = open(number, "rb", buffering=0, closefd=False)  # noqa: SIM115
    stream = Stream(raw, hashed=False)
    opened = Opened(task.path, task.label, stream, lambda: None, raw.close, raw, None, task.part)
    load = next(f for f in FORMATS if f.name == task.format).load()
    pa.set_memory_pool(pa.system_memory_pool())  # reserves nothing beforehand
    _limited(task.budget)
    file = guarded(task.label, lambda: load(opened))
    with pa.ipc.new_stream(out, file.schema):
        pass
    out.flush()
    for line in sys.stdin.buffer:
        names = json.loads(line)
        chosen = pa.schema([file.schema.field(name) for name in names])
        with pa.ipc.new_stream(out, chosen) as sink:
            for batch in file.batches(names):
                sink.write(batch.select(names))
        out.flush()


def main() -> int:
    """Open the file of a descriptor, and write its schema, and then the columns asked for."""
    number, task = int(sys.argv[1]), _Task(**json.loads(sys.argv[2]))
    try:
        _serve(number, task, sys.stdout.buffer)
    except (DataError, UsageError) as error:
        said, usage = str(error), isinstance(error, UsageError)
    except MemoryError:
        usage, said = (
            False,
            f"{task.label}: cannot be read: takes more than {task.budget >> 20:,} MB.",
        )
    except BaseException as error:
        usage, said = False, f"{task.label}: cannot be read: {one_line(error).rstrip('.')}.{BROKEN}"
    else:
        return 0
    print("\n" + json.dumps({"text": said, "usage": usage}), file=sys.stderr, flush=True)
    os._exit(2)  # threads of a library may never end


if __name__ == "__main__":
    sys.exit(main())
