"""Files behind an address: ``https://`` and ``http://`` by the standard library, ``s3://``,
``gs://`` and other stores by pyarrow, with the credentials that their own tools use.

Nothing but the address that was given is asked: one that sends on to another host is refused.
`stores` has what a run in two passes needs besides.
"""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

from kstest.contract import Readable
from kstest.errors import DataError
from kstest.wording import label


def shown_address(path: str) -> str:
    """An address without what may be a secret: user, password, query and fragment."""
    return urllib.parse.urlsplit(path)._replace(query="", fragment="").geturl()


def require_no_password(address: str) -> None:
    """Refuse an address with a user or a password: it would stand in messages and answers.

    ``gs://anonymous@bucket`` is how pyarrow is told to use no credentials.

    Raises
    ------
    DataError
    """
    user, at, _ = urllib.parse.urlsplit(address).netloc.rpartition("@")
    if at and not (user == "anonymous" and address.startswith(("gs://", "gcs://"))):
        raise DataError("an address with a user or a password is not taken; keep them elsewhere.")


def open_address(path: str) -> tuple[Readable, Callable[[], None]]:
    """Return the content as a stream, and a function that closes it.

    Raises
    ------
    DataError
        With the address: for a host that does not answer, what is not there, or may not be read.
    """
    with asking(path):
        if path.startswith("http"):
            from kstest.sources.web import opened

            return opened(path, label(shown_address(path)))
        system, inside = located(path)
        stream = system.open_input_stream(inside, compression=None)

    def close() -> None:
        with contextlib.suppress(OSError):
            stream.close()

    return stream, close


@contextlib.contextmanager
def asking(path: str) -> Iterator[None]:
    """Say in the user's terms what is wrong with an address, or with what answers there.

    Raises
    ------
    DataError
    """
    where = label(shown_address(path))
    require_no_password(path)
    try:
        yield
    except Exception as error:
        from kstest.sources.web import fault

        said = fault(error)
        if said is None:
            raise
        raise DataError(f"{where}: {said}") from None


def located(path: str) -> tuple[Any, str]:
    """Return the file system of a store and the path within it."""
    from pyarrow import fs

    found: tuple[Any, str] = fs.FileSystem.from_uri(path)
    return found
