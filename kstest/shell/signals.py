"""The end of a process from outside: SIGTERM and SIGHUP are taken like Ctrl-C.

Whoever keeps something between runs saves it on a KeyboardInterrupt; systemd stops a service by
SIGTERM, and a terminal that is closed sends SIGHUP.
"""

from __future__ import annotations

import signal
from types import FrameType

# As a shell reports a process that a signal ended.
FROM_SIGNAL = 128


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP came."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = FROM_SIGNAL + number


def install() -> None:
    """Raise `Terminated` where these signals would end the process; nohup keeps ignoring them."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _raise)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Terminated(number)
