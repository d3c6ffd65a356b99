"""What holds for every test in the registry, and for the structure of the package."""

from __future__ import annotations

import ast
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest

import kstest
from kstest.kernels import KERNELS
from kstest.registry import METHODS
from kstest.report import FORMATS, render

PACKAGE = Path(kstest.__file__).parent
LAYERS = [
    "archive",
    "sources",
    "kernels",
    "targets",
    "engine",
    "nulls",
    "betting",
    "likelihood_ratio",
    "methods",
    "run",
    "power",
    "dqm",
    "report",
    "plot",
    "shell",
    "checks",
    "cli",
]
# What a test cannot do without, besides data.
NEEDED = {
    "sksd": {"target": "normal()"},
    "ksd": {"target": "normal()"},
    "pksd": {"target": "gaussian_mixture([0.5, 0.5], [[-3, 0], [3, 0]], 1)"},
    "seqksd": {"target": "fit:order=1", "draws": 99},
}
EVERYWHERE = {"errors", "files", "result", "picture", "sample", "params", "registry"}


def samples_for(module, rng):
    """Some data of the kind that a test reads."""
    if getattr(module, "READS", "tables") == "sequences":
        return (["".join(rng.choice(list("ab"), rng.integers(1, 9))) for _ in range(30)],)
    return [rng.normal(size=(30, 2)) for _ in module.SAMPLES]


@pytest.mark.parametrize("name", METHODS)
def test_method_module_is_complete(name):
    module = METHODS[name].load()
    assert is_dataclass(module.Params)
    assert module.Params.__dataclass_params__.frozen
    assert all(f.metadata["help"].endswith(".") for f in fields(module.Params))
    assert len(METHODS[name].summary) <= 55
    assert "@" in module.REFERENCES
    assert "References\n" in module.run.__doc__
    assert getattr(kstest, name).__doc__ == module.run.__doc__


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", METHODS)
def test_same_seed_same_answer_and_every_format_renders_it(name, form, rng):
    data = samples_for(METHODS[name].load(), rng)
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


def test_rooms_import_only_rooms_to_their_left():
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        inside = path.relative_to(PACKAGE).parts
        room = inside[0].removesuffix(".py")
        if room not in LAYERS:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom):
                continue
            names = [node.module] if node.module else [alias.name for alias in node.names]
            for name in names:
                parts = name.split(".")
                if node.level == 0 and parts[0] != "kstest":
                    continue
                if node.level and node.level < len(inside):
                    continue  # within the room
                target = parts[1] if node.level == 0 and len(parts) > 1 else parts[0]
                left = LAYERS[: LAYERS.index(room) + 1]
                if target in LAYERS and target not in left:
                    wrong.append(f"{'/'.join(inside)} imports {target}")
    assert not wrong
