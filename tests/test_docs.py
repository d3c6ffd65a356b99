"""Every example in a docstring runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import kstest

MODULES = sorted(
    m.name
    for m in pkgutil.walk_packages(kstest.__path__, "kstest.")
    if not m.name.endswith("__main__")
)


def examples(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:  # a library of an extra
        if (error.name or "kstest").startswith("kstest"):
            raise
        return []
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
        assert "\n>>> " in getattr(kstest, name).__doc__, name
    assert "\n>>> " in kstest.plan.__doc__


def test_links_between_the_pages_lead_somewhere():
    root = Path(kstest.__file__).parent.parent
    pages = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    anchors = {
        page: {
            re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-")
            for title in re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
        }
        for page in pages
    }
    anchors |= {root / "docs" / name: set() for name in ("commands.md", "api.md")}  # made
    for page in pages:
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            path, _, anchor = target.partition("#")
            found = (page.parent / path).resolve() if path else page
            assert found in anchors or found.is_file(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors[found], f"{page.name}: {target}"


def test_every_test_is_in_the_readme():
    from kstest.registry import COMMANDS, METHODS

    text = (Path(kstest.__file__).parent.parent / "README.md").read_text()
    named = set(re.findall(r"`(?:kstest )?([a-z]+)\b", text))
    assert not {*METHODS, *COMMANDS} - {"datasets", "state"} - named


def test_modules_for_users_come_with_the_package():
    import subprocess
    import sys

    code = "import kstest; kstest.testing.assert_same; assert 'testing' in dir(kstest)"
    subprocess.run([sys.executable, "-c", code], check=True)
