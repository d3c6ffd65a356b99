"""What holds for every test in the registry, and for the structure of the package."""

from __future__ import annotations

import ast
from dataclasses import fields, is_dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import click
import numpy as np
import pytest

import kstest
from kstest import contract
from kstest.cli import cli, run
from kstest.kernels import KERNELS
from kstest.registry import COMMANDS, METHODS, Entry
from kstest.report import FORMATS, render
from kstest.shell.help import Command

PACKAGE = Path(kstest.__file__).parent
# Room or file of the package: the others that it may import, all of which stand above it here.
ROOMS = {
    "frozen": "",  # which all may import
    "about": "",
    "errors": "",
    "sample": "",
    "findings": "",
    "result": "findings",
    "picture": "",
    "wording": "errors",
    "params": "errors",
    "columns": "errors wording",
    "inexact": "errors wording",
    "syntax": "errors",
    "files": "errors params",
    "archive": "errors files wording",
    "datasets": "errors",
    "caches": "",
    "jit": "about caches files",
    "lean": "about",
    "kernels": "jit",
    "targets": "errors sample syntax wording",
    "engine": "errors jit kernels targets",
    "nulls": "errors",
    "contract": "archive engine picture result sample",
    "registry": "contract",
    "diagnostics": "errors kernels lean result sample wording",
    "sources": "archive columns contract diagnostics errors inexact params result sample syntax "
    "wording",
    "betting": "archive engine jit kernels sample targets",
    "likelihood_ratio": "engine errors kernels lean nulls",
    "methods": "archive betting columns contract diagnostics engine errors findings kernels lean "
    "nulls params picture result sample targets wording",
    "run": "about contract engine errors findings registry result sample",
    "power": "columns contract diagnostics engine errors findings kernels methods nulls params "
    "picture registry result run sample",
    "dqm": "archive columns contract diagnostics engine errors files findings kernels lean "
    "likelihood_ratio methods nulls params picture result run sample wording",
    "inputs": "columns contract dqm engine errors result sample sources wording",
    "clusters": "about engine errors sources wording",
    "streams": "archive betting contract errors params registry sample sources wording",
    "report": "errors findings result",
    "plot": "errors findings picture report result wording",
    "thinning": "contract engine errors findings jit kernels methods params picture result run "
    "sample wording",
    "privacy": "about archive contract diagnostics engine errors files findings kernels lean "
    "params result run sample wording",
    "api": "clusters contract dqm engine errors files findings inputs params picture plot "
    "power registry report result run sample sources targets thinning",
    "testing": "api",
    "pandera": "api errors testing",
    "pytest_plugin": "api testing",
    "shell": "about archive betting caches clusters columns contract datasets dqm engine errors "
    "files findings inputs jit kernels params picture plot power privacy registry report result "
    "run sample sources streams thinning wording",
    "checks": "about archive columns contract dqm engine errors files findings inputs methods "
    "nulls params picture plot registry report result run sample shell sources streams wording",
    "cli": "about errors files registry shell",
    "__main__": "cli",
    "__init__": "about api registry",
}
# What a test cannot do without, besides data.
NEEDED = {
    "effect": {"outcome": "2", "covariates": "1"},
    "moments": {"residual": "`1`", "given": "2"},
    "sksd": {"target": "normal()"},
    "ksd": {"target": "normal()"},
    "pksd": {"target": "gaussian_mixture([0.5, 0.5], [[-3, 0], [3, 0]], 1)"},
    "seqksd": {"target": "fit:order=1", "draws": 99},
}


def samples_for(inputs, rng):
    """Some data of the kind that a test reads."""
    if inputs.reads == "sequences":
        return (["".join(rng.choice(list("ab"), rng.integers(1, 9))) for _ in range(30)],)
    return [rng.normal(size=(30, 2)) for _ in inputs.roles]


@pytest.mark.parametrize("name", METHODS)
def test_a_test_is_complete(name):
    test = METHODS[name].load()
    assert isinstance(test, contract.Test)
    assert is_dataclass(test.inputs.params)
    assert test.inputs.params.__setattr__ is Entry.__setattr__  # which are frozen
    assert all(f.metadata["help"].endswith(".") for f in fields(test.inputs.params))
    named = {beside.option for beside in test.inputs.beside}
    assert named <= {f.name for f in fields(test.inputs.params)}
    assert len(METHODS[name].summary) <= 55
    assert "@" in test.references
    assert "References\n" in test.run.__doc__
    assert test.run.__doc__.splitlines()[0] == getattr(kstest, name).__doc__.splitlines()[0]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", METHODS)
def test_same_seed_same_answer_and_every_format_renders_it(name, form, rng):
    data = samples_for(METHODS[name].load().inputs, rng)
    first, second = (getattr(kstest, name)(*data, seed=3, **NEEDED.get(name, {})) for _ in range(2))
    assert first.p_value == second.p_value
    assert 0 < first.p_value <= 1
    assert render(first, form).endswith("\n")


@pytest.mark.parametrize("name", KERNELS)
def test_profiles_decrease_from_their_value_at_zero(name):
    kernel = KERNELS[name]
    u = np.linspace(0, 9, 50)
    kernel.profile(u)
    assert (np.diff(u) < 0).all()
    assert u[0] == (1 if kernel.has_bandwidth else 0)


def commands():
    """The words of every command that runs something."""
    for name in [*METHODS, *COMMANDS]:
        found = cli.get_command(click.Context(cli), name)
        yield from words_of([name], found)


def words_of(words, command):
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from words_of([*words, name], command.get_command(click.Context(command), name))
    else:
        yield words, command


@pytest.mark.parametrize(
    ("words", "command"), [pytest.param(w, c, id=" ".join(w)) for w, c in commands()]
)
def test_short_help_fits_a_screen_and_long_help_has_every_option(words, command, capsys):
    assert run([*words, "--help"]) == 0
    long = capsys.readouterr().out
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            assert any(f"{name}" in long for name in option.opts), option.name
    assert run([*words, "-h"]) == 0
    short = capsys.readouterr().out
    assert len(short.splitlines()) <= 50
    if isinstance(command, Command):
        assert max(map(len, short.splitlines())) <= 80
        assert len(short) < len(long)


def modules():
    """Every module of the package by its dotted name."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = ("kstest", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(name, nodes):
    """The modules of the package that these nodes of a module import."""
    package = name.split(".")
    if MODULES[name].name != "__init__.py":
        package.pop()
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] == "kstest")
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            if base.split(".")[0] == "kstest":
                for alias in node.names:
                    full = f"{base}.{alias.name}"
                    yield full if full in MODULES else base


def room_of(name):
    """The room of a module; `__init__` for the package itself."""
    return [*name.split("."), "__init__"][1]


def test_rooms_import_what_the_table_allows():
    above = set()
    for room, allowed in ROOMS.items():
        assert set(allowed.split()) <= above, f"{room} may import only what stands above it"
        above.add(room)
    assert {room_of(name) for name in MODULES} == set(ROOMS)
    found = {
        (room_of(name), room_of(other))
        for name, path in MODULES.items()
        for other in imported(name, ast.walk(ast.parse(path.read_text())))
        if room_of(other) not in (room_of(name), "frozen")
    }
    table = {(room, other) for room, allowed in ROOMS.items() for other in allowed.split()}
    assert not found - table


def test_no_file_imports_itself_by_way_of_others():
    graph = {
        name: set(imported(name, ast.parse(path.read_text()).body))
        for name, path in MODULES.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_nothing_asks_what_a_module_has():
    asked = [
        f"{name}: {ast.unparse(node)}"
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("hasattr", "getattr")
        and "module" in ast.unparse(node.args[0])
        and name != "kstest"
    ]
    assert not [text for text in asked if "import_module" not in text]
