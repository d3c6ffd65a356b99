"""Every example in a docstring runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import kstest

MODULES = sorted(
    m.name
    for m in pkgutil.walk_packages(kstest.__path__, "kstest.")
    if not m.name.endswith("__main__")
)


def examples(name):
    module = importlib.import_module(name)
    found = doctest.DocTestFinder(exclude_empty=True).find(module, name)
    return [e for e in found if e.examples]


@pytest.mark.parametrize("name", [n for n in MODULES if examples(n)])
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said = []
    for example in examples(name):
        runner.run(example, out=said.append)
    assert runner.failures == 0, "".join(said)


def test_public_functions_have_an_example():
    from kstest.registry import METHODS

    for name in METHODS:
        assert "\n    >>> " in getattr(kstest, name).__doc__, name
    assert "\n    >>> " in kstest.plan.__doc__
