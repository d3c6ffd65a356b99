"""The size of things: files, functions and parameters that a reader can hold in mind."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import kstest

FILES = sorted(Path(kstest.__file__).parent.rglob("*.py"))
MOST_LINES, MOST_CODE, MOST_PARAMETERS = 600, 80, 12
# Loops that numba compiles take arrays one by one, and are long because a call would cost.
COMPILED = {"loop", "inline"}
MOST_COMPILED = 16


def functions(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def code(node):
    """Lines without the docstring."""
    words = ast.get_docstring(node, clean=False)
    return node.end_lineno - node.lineno + 1 - (len(words.splitlines()) if words else 0)


def parameters(node):
    a = node.args
    return len(a.posonlyargs) + len(a.args) + len(a.kwonlyargs)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_and_functions_are_of_a_size_to_be_read(path):
    assert len(path.read_text().splitlines()) <= MOST_LINES
    for node in functions(path):
        compiled = any(ast.unparse(d) in COMPILED for d in node.decorator_list)
        assert compiled or code(node) <= MOST_CODE, node.name
        assert parameters(node) <= (MOST_COMPILED if compiled else MOST_PARAMETERS), node.name
