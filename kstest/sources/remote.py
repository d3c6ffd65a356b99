"""Files behind an address: ``https://`` and ``http://`` by the standard library, ``s3://``,
``gs://`` and other stores by pyarrow, with the credentials that their own tools use.

Nothing but the address that was given is asked: one that sends on to another host is refused.
The standard library's modules of the web are imported where an address is asked: every command in
two passes and every check would pay a tenth of what it costs for them. `stores` has what a run in
two passes needs besides.
"""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

from kstest.contract import Readable
from kstest.errors import DataError
from kstest.wording import label, one_line

SECONDS = 60  # without a byte


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
            return _web(path, label(shown_address(path)))
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
        said = _fault(error)
        if said is None:
            raise
        raise DataError(f"{where}: {said}") from None


def _fault(error: Exception) -> str | None:
    """Say what is wrong with an address or what answers there; None if it is no such error."""
    import http.client
    import ssl
    import urllib.error

    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"the server answers {error.code} ({error.reason})."
    if isinstance(error, urllib.error.URLError):
        why = error.reason if isinstance(error.reason, BaseException) else error
        if isinstance(why, ssl.SSLCertVerificationError):
            return (
                f"its certificate is not trusted: {why.verify_message.rstrip('.')}. If the server "
                "is your own, name the file of its authority in SSL_CERT_FILE."
            )
        return f"cannot be reached: {one_line(why)}."
    if isinstance(error, OSError | ValueError | NotImplementedError | http.client.HTTPException):
        return f"cannot be read: {one_line(error).rstrip('.')}."
    return None


def located(path: str) -> tuple[Any, str]:
    """Return the file system of a store and the path within it."""
    from pyarrow import fs

    found: tuple[Any, str] = fs.FileSystem.from_uri(path)
    return found


def _opener() -> Any:
    """Opens addresses of the web, and follows an answer that sends on within the host only."""
    import urllib.request

    class SameHost(urllib.request.HTTPRedirectHandler):
        def redirect_request(
            self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
        ) -> Any:
            old, new = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
            if new.hostname != old.hostname or (old.scheme, new.scheme) == ("https", "http"):
                fp.close()
                raise DataError(
                    f"{label(shown_address(req.full_url))}: sends on to "
                    f"{label(shown_address(newurl))}, another host; give that address if it is "
                    "meant."
                )
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    return urllib.request.build_opener(SameHost)


class _Counted:
    """A body that has to be as long as its head says: `read` alone does not tell a broken line."""

    def __init__(self, answer: Any, where: str) -> None:
        self._answer, self._where, self._read = answer, where, 0
        stated = answer.headers.get("Content-Length", "")
        self._stated = int(stated) if stated.isdigit() else None

    def read(self, size: int, /) -> bytes:
        part: bytes = self._answer.read(size)
        self._read += len(part)
        if not part and size and self._stated is not None and self._read < self._stated:
            raise DataError(
                f"{self._where}: the connection ended after {self._read:,} of {self._stated:,} "
                "bytes. Try again."
            )
        return part


def _web(path: str, where: str) -> tuple[Readable, Callable[[], None]]:
    import urllib.request

    address = urllib.parse.urlsplit(path)._replace(fragment="").geturl()
    head = {"User-Agent": "kstest", "Accept-Encoding": "identity"}
    answer = _opener().open(urllib.request.Request(address, headers=head), timeout=SECONDS)
    return _Counted(answer, where), answer.close
