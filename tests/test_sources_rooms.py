"""The room of reading can be read: short files, a shallow order of imports, no circle."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import kstest.sources

FOLDER = Path(kstest.sources.__file__).parent
FILES = {path.stem: path for path in FOLDER.glob("*.py")}


def imported(name):
    """The files of the room that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(FILES[name].read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kstest.sources"):
            inner = node.module.removeprefix("kstest.sources").removeprefix(".")
            found |= {inner} if inner else {alias.name for alias in node.names} & set(FILES)
        elif isinstance(node, ast.Import):
            names = [alias.name.removeprefix("kstest.sources.") for alias in node.names]
            found |= set(names) & set(FILES)
    return found


def test_imports_are_eight_deep_at_most_and_go_in_no_circle():
    graph = {name: imported(name) for name in FILES}
    depths = {}
    for name in TopologicalSorter(graph).static_order():  # refuses a circle
        depths[name] = 1 + max((depths[other] for other in graph[name]), default=0)
    assert max(depths.values()) <= 8, depths


@pytest.mark.parametrize("name", sorted(FILES))
def test_files_are_short(name):
    assert len(FILES[name].read_text().splitlines()) <= 300
