"""ArrowFile: what a format of typed columns gives, whatever its library.

`columnar` makes a Table of it, `nested` takes lists in it apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kstest.errors import DataError, UsageError
from kstest.frozen import frozen
from kstest.wording import one_line

if TYPE_CHECKING:
    import pyarrow as pa

# Metadata of a schema: the number of chains of a sampler, of one length and one after the other.
CHAINS = b"kstest.chains"
BROKEN = " Is the file complete?"
Batches = Callable[[Sequence[str]], Iterable["pa.RecordBatch"]]


@frozen
class ArrowFile:
    """An open file of columns.

    Attributes
    ----------
    schema : pyarrow.Schema
    batches : callable
        Takes names of columns and gives record batches with them, and maybe others, once. Errors
        of pyarrow and of the system are for others to explain.
    digest, close : callable
        See `kstest.sources.table.Table`; `seekable` has them.
    named : bool
        False where the names are only positions.
    rows : int or None
        How many rows the file states, where it does at its beginning.
    """

    schema: pa.Schema
    batches: Batches
    digest: Callable[[], str | None]
    close: Callable[[], None]
    named: bool = True
    rows: int | None = None


def guarded(where: str, load: Callable[[], ArrowFile], hint: str = BROKEN) -> ArrowFile:
    """Open a file whose library may raise anything over damaged bytes, and warn; now and later.

    `hint` ends the messages.

    Raises
    ------
    DataError
        Instead of every other exception.
    """
    with quiet(where, hint):
        file = load()

    def batches(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        found = iter(file.batches(names))
        while True:
            with quiet(where, hint):
                batch = next(found, None)
            if batch is None:
                return
            yield batch

    return replace(file, batches=batches)


@contextmanager
def quiet(where: str, hint: str = BROKEN) -> Iterator[None]:
    """Make DataErrors of all exceptions but those that `converting` knows, without warnings."""
    import warnings

    import pyarrow as pa

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (DataError, UsageError, OSError, EOFError, MemoryError, UnicodeError, pa.ArrowException):
        raise
    except Exception as error:
        raise DataError(f"{where}: cannot be read: {one_line(error).rstrip('.')}.{hint}") from error


def checked(array: Any) -> Any:
    """Return an array from a file, after a check in full.

    Of a damaged file offsets, indices or lengths may point anywhere: what is read from there would
    be foreign memory, or the end of the process.

    Raises
    ------
    pyarrow.ArrowInvalid
    """
    array.validate(full=True)
    return array
