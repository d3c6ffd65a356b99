"""Files behind ``https://`` and ``http://``, by the standard library, whose modules for it take a
tenth of what a small command costs: only a run that is given such an address imports this one.
"""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

from kstest.contract import Readable
from kstest.errors import DataError
from kstest.sources.remote import shown_address
from kstest.wording import label, one_line

SECONDS = 60  # without a byte


def fault(error: Exception) -> str | None:
    """Say what is wrong with an address or what answers there; None if it is no such error."""
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


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows an answer that sends on within the host only."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        old, new = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if new.hostname != old.hostname or (old.scheme, new.scheme) == ("https", "http"):
            fp.close()
            raise DataError(
                f"{label(shown_address(req.full_url))}: sends on to {label(shown_address(newurl))}"
                ", another host; give that address if it is meant."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


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


def opened(path: str, where: str) -> tuple[Readable, Callable[[], None]]:
    """Return the content of an address as a stream, and a function that closes it."""
    address = urllib.parse.urlsplit(path)._replace(fragment="").geturl()
    head = {"User-Agent": "kstest", "Accept-Encoding": "identity"}
    opener = urllib.request.build_opener(_SameHost)
    answer = opener.open(urllib.request.Request(address, headers=head), timeout=SECONDS)
    return _Counted(answer, where), answer.close
