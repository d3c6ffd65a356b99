"""Fixtures shared by all tests."""

from __future__ import annotations

import signal

import numpy as np
import pytest

# A shell starts what it runs in the background with Ctrl-C ignored, nohup with SIGHUP ignored, and
# the commands that the tests start and interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for ending in (signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(ending) is signal.SIG_IGN:
        signal.signal(ending, signal.SIG_DFL)


@pytest.fixture
def rng():
    return np.random.default_rng(20240)
