"""docs/recipes.md: what stands there parses, and its commands are ours."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import click
import pytest
from ruamel.yaml import YAML

from kstest.checks.forms import FORMS
from kstest.checks.outcome import Outcome, Report
from kstest.cli import cli

TEXT = (Path(__file__).parent.parent / "docs" / "recipes.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
# A command ends at what cannot be part of it.
COMMANDS = re.findall(r"kstest (?:run|warmup)[^\n'\"`>;]*", "\n".join(b for _, b in BLOCKS))


def blocks(language):
    found = [text for kind, text in BLOCKS if kind == language]
    assert found
    return found


@pytest.mark.parametrize("line", sorted(set(COMMANDS)))
def test_commands_have_the_options_that_they_are_given(line):
    line = line.replace("{{ ds }}", "2026-01-31")
    name, *words = shlex.split(line)[1:]
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    context = command.make_context(name, words)
    for report in context.params.get("reports", ()):
        assert report.partition(":")[0] in FORMS


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml_is_yaml(text):
    found = YAML(typ="safe").load(text)
    assert isinstance(found, dict)


@pytest.mark.parametrize("text", blocks("ini"))
def test_units_are_read_by_systemd(text, tmp_path):
    parser = RawConfigParser(strict=True)
    parser.optionxform = str
    parser.read_string(text)
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze here: only parsed")
    kind = "timer" if "Timer" in parser else "service"
    unit = tmp_path / f"kstest.{kind}"
    unit.write_text(text.replace("/usr/local/bin/kstest", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert unit.name not in done.stderr or "Failed" not in done.stderr


def test_the_line_for_cron_tells_exit_codes_apart(tmp_path):
    (line,) = (text for text in blocks("sh") if "mail" in text)
    script = line.split(" ", 5)[5].replace("cd /srv/checks && ", "")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "kstest").write_text('#!/bin/sh\necho report\nexit "$CODE"\n')
    (tools / "mail").write_text('#!/bin/sh\necho "$2: $(cat)" >> mailed\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    mailed = tmp_path / "mailed"
    for code, words in ((0, ""), (1, "drift"), (2, "broken"), (3, "broken"), (70, "broken")):
        mailed.unlink(missing_ok=True)
        environment = {"PATH": f"{tools}:/usr/bin:/bin", "CODE": str(code)}
        subprocess.run(["sh", "-c", script], cwd=tmp_path, env=environment, check=True)
        text = mailed.read_text() if mailed.exists() else ""
        assert (words in text) if words else text == ""
        assert not words or "report" in text


def test_prometheus_rules_name_metrics_that_there_are():
    outcome = Outcome("a", "", "mmd", "error", "per-run", "not rejected", 0.05)
    report = Report(
        "kstest.toml", "", "2026-11-29T01:02:03+00:00", "", 1.0, {"fail_on": "error"}, (outcome,)
    )
    from kstest.checks.forms import render

    metrics = set(re.findall(r"^# TYPE (\S+)", render(report, "prometheus"), re.MULTILINE))
    used = set(re.findall(r"\bkstest_\w+", "\n".join(blocks("yaml"))))
    assert used <= metrics
    assert used


def test_python_is_python():
    for text in blocks("python"):
        ast.parse(text)
