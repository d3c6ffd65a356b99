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


# What `-m quick` runs, file by file, or a test of a file: 40 s of CPU time, and every room.
QUICK = {
    "test_archive.py",
    "test_betting.py",
    "test_contract.py",  # every test by every format, the table of rooms, all help
    "test_damage.py::test_every_field_of_a_state_is_declared",  # streams
    "test_datasets.py::test_returns_of_the_same_day_are_dependent",
    "test_formats.py",  # sources
    "test_golden.py",  # shell, report, plan, dqm
    "test_landmarks.py",
    "test_likelihood_ratio.py",
    "test_nulls.py",
    "test_plot.py::test_shares_are_those_of_a_loop",
    "test_progress.py",
    "test_scaling.py",  # kernels
    "test_sequence_models.py",  # targets
    "test_sources_options.py",
    "test_stein.py",
    "test_two_passes.py::test_the_answer_depends_on_neither_threads_nor_spans",  # clusters
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        name = f"{item.path.name}::{item.originalname}"
        if item.get_closest_marker("slow") is None and {item.path.name, name} & QUICK:
            item.add_marker(pytest.mark.quick)


@pytest.fixture
def rng():
    return np.random.default_rng(20240)
