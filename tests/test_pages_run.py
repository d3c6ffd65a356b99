"""Every shell line and every Python block of README.md and docs/*.md runs, on shipped or made data.

A page is a session in a folder of its own, which holds `datasets` and nothing else: what else its
lines read, earlier lines of the page have made. A comment `exit N` after a line is held against
its exit code; without one 0, 1 and 3 are allowed, which are answers. In Python a comment after an
expression that is a literal is its value. What cannot run here stands in `ELSEWHERE`, with the
reason; what takes long, in `SLOW`.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from kstest.cli import run

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# Lines by how they begin (in Python: a word of the block), and who answers for them.
ELSEWHERE = {
    "0 6 * * *": "a line of a crontab, see test_checks_history.py",
    "5 * * * *": "a line of a crontab, see test_recipes.py",
    "* * * * *": "a line of a crontab, see test_recipes.py",
    "kstest mmd 'postgres:": "there is no server; test_library_formats.py has one where it can",
    "kstest mmd https://example.org": "there is no such file; test_remote.py has a server",
    "kstest mmd 's3:": "there is no such bucket; test_remote.py has a server",
    "BashOperator": "a line of a file of Airflow, see test_recipes.py",
    "kstest mmd --scheduler tcp://host": "there is no cluster; test_cluster.py has one",
    "kstest ks --scheduler tcp://host": "there is no cluster; test_cluster.py has one",
    "kstest ksd --scheduler tcp://host": "there is no cluster; test_cluster.py has one",
    "kstest seqksd --scheduler tcp://host": "there is no cluster; test_cluster.py has one",
    "kstest dqm check --scheduler tcp://host": "there is no cluster; test_cluster.py has one",
    "dask ": "the programs of a cluster; test_cluster.py has one",
    "scheduler=c": "a cluster of Kubernetes or Slurm, or one at an address; see test_cluster.py",
    "bridgestan": "takes the sources of Stan and a compiler of C++",
}

# Installers, which want a network, and clusters.
OUTSIDE = re.compile(
    r"(uv|pipx|docker|conda|cyclonedx-py|dask|python3 -m (pip|venv)) |kstest .*tcp://|"
    r"(?s:.*)\b(dask_kubernetes|dask_jobqueue|tcp://)"
)

# Libraries that no extra brings: their blocks run where they are.
GUESTS = ("jax", "numpyro", "pymc", "torch")

SLOW = {
    ("batches.md", "kstest dqm explain"),
    ("batches.md", "kstest.dqm_calibrate"),
    ("batches.md", "hits"),
    ("scores.md", "numpyro.infer"),
    ("scores.md", "import pymc"),
    ("formats.md", "kstest dqm calibrate"),
    ("goodness-of-fit.md", "module10_waits.csv"),
    ("two-samples.md", "kstest plan"),
    ("tutorial-orders.md", "kstest.plan"),
    ("independence.md", "--all-pairs --given"),
}


def blocks(page):
    """Pairs of a language and a text, in the order of the page."""
    found = re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [(language, text) for language, text in found if language in ("sh", "python")]


def steps(page):
    """What runs one after another: lines of a shell, or blocks of Python."""
    for language, text in blocks(page):
        if language == "python":
            yield "python", text
        else:
            lines = text.replace("\\\n", " ").splitlines()
            yield from (("sh", re.sub("  +", " ", line)) for line in lines if line.strip("# ") and
                        not line.startswith("#"))  # fmt: skip


def elsewhere(kind, text):
    imports = re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE) if kind == "python" else []
    if any(name in GUESTS and find_spec(name) is None for name in imports):
        return True
    if OUTSIDE.match(text):
        return True
    begins = [b for b in ELSEWHERE if (b in text if kind == "python" else text.startswith(b))]
    return bool(begins)


def shell(line):
    """Exit code of a line; one that is no more than commands of kstest stays in this process."""
    code, *_ = (*re.findall(r"# .*?exit (\d)", line), None)
    words = shlex.split(line, comments=True)
    parts = [[]]
    for word in words:
        parts[-1].append(word) if word != "&&" else parts.append([])
    plain = not re.search(r"[|>;]|\$", re.sub(r"'[^']*'|#.*", "", line)) and "--follow" not in words
    if plain and all(part[0] == "kstest" for part in parts):
        for part in parts:
            got = run(part[1:])
            if got:
                break
    else:
        line = line.replace("tail -f", "tail -n +1")
        if not shutil.which("jq"):
            line = re.sub(r"\| jq '.*?'", "", line)
        tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line], timeout=300,
            env={**os.environ, "PATH": tools}, capture_output=True, text=True,
        )  # fmt: skip
        sys.stderr.write(done.stderr)
        got = done.returncode
    assert got in ((int(code),) if code else (0, 1, 3)), f"exit {got}: {line}"


def python(text, scope):
    """Run a block; a literal behind an expression is what it has to give."""
    comments = dict(enumerate(text.splitlines(), start=1))
    for statement in ast.parse(text).body:
        code = ast.unparse(statement)
        if not isinstance(statement, ast.Expr):
            exec(code, scope)
            continue
        value = eval(code, scope)
        said = comments[statement.end_lineno].partition("  # ")[2]
        try:
            expected = ast.literal_eval(said)
        except (ValueError, SyntaxError):
            continue
        assert value == expected, code


def is_slow(page, text):
    return any(page.name == name and begin in text for name, begin in SLOW)


def session(page, tmp_path, monkeypatch, slow):
    monkeypatch.chdir(tmp_path)
    os.symlink(ROOT / "datasets", "datasets")
    scope = {}
    for kind, text in steps(page):
        if elsewhere(kind, text) or (is_slow(page, text) and not slow):
            continue
        if kind == "python":
            python(text, scope)
        else:
            shell(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_lines_run(page, tmp_path, monkeypatch):
    session(page, tmp_path, monkeypatch, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if any(p.name == n for n, _ in SLOW)],
                         ids=lambda page: page.stem)  # fmt: skip
def test_slow_lines_run(page, tmp_path, monkeypatch):
    session(page, tmp_path, monkeypatch, slow=True)


def test_lists_name_what_there_is():
    every = [(page, kind, text) for page in PAGES for kind, text in steps(page)]
    for begin in ELSEWHERE:
        assert any(begin in text for _, _, text in every), begin
    for name, begin in SLOW:
        assert any(page.name == name and begin in text for page, _, text in every), begin


def test_blocks_with_commands_are_shell():
    """A block without a language would not run."""
    for page in PAGES:
        for text in re.findall(r"^```\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            assert not re.search(r"^(kstest|python3|pip|uv) ", text, re.MULTILINE), page.name
