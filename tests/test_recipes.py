"""The recipes of the page hold: options exist, files parse, scripts run."""

from __future__ import annotations

import ast
import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from ruamel.yaml import YAML

from kstest.cli import cli
from kstest.cli import run as kstest

PAGE = (Path(__file__).parent.parent / "docs" / "recipes.md").read_text()
BLOCKS = re.findall(r"^## (.*?)$|^```(\w+)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def blocks(kind):
    return [text for _, language, text in BLOCKS if language == kind]


def commands():
    """Every kstest command of the blocks, up to what ends it in its language."""
    found = []
    for _, _, text in BLOCKS:
        for words in re.findall(r"(?<![\w.])kstest ((?:run|validate|warmup)\b[^\n'\"&|)]*)", text):
            words = words.replace("2>", "").replace("$ARG1$", "").replace("{{ ds }}", "2026-01-31")
            found.append(words.strip())
    return found


@pytest.mark.parametrize("words", commands())
def test_commands_have_the_options_that_are_written(words):
    name, *arguments = shlex.split(words)
    command = cli.get_command(click.Context(cli), name)
    assert isinstance(command.make_context(name, arguments), click.Context)


def test_no_command_is_overlooked():
    assert len(commands()) == 9


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml_parses(text):
    assert YAML(typ="safe").load(text)


@pytest.mark.parametrize("text", blocks("crontab"))
def test_the_shell_takes_the_line_of_cron(text):
    command = text.split(" ", 5)[5]
    assert "%" not in command  # a line break for cron
    subprocess.run(["bash", "-n", "-c", command], check=True)


def test_python_parses():
    for text in blocks("python"):
        ast.parse(text)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd on this machine")
def test_systemd_takes_the_units(tmp_path):
    service, timer = blocks("ini")
    service = service.replace("/usr/local/bin/kstest", "/bin/true").replace("/srv/shop", "/")
    for name, text in (("service", service), ("timer", timer)):
        configparser.ConfigParser(interpolation=None).read_string(text)
        (tmp_path / f"kstest.{name}").write_text(text)
    units = [str(tmp_path / f"kstest.{name}") for name in ("service", "timer")]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "kstest." in line]
    assert not ours, done.stderr


def test_alerts_are_about_series_that_there_are():
    from kstest.checks.formats import prometheus
    from kstest.checks.outcome import Outcome, Report

    one = Outcome("x", "", "mmd", "error", "per-run", "rejected", 0.05)
    text = prometheus.render(Report("", "", "", "", 1.0, {"fail_on": "error"}, (one,)))
    for series in re.findall(r"\bkstest_\w+", PAGE):
        assert f"# TYPE {series} " in text


@pytest.mark.parametrize("form", ["text", "json"])
def test_doctor_answers(form, capsys):
    assert kstest(["doctor", "--format", form]) == 0
    out = capsys.readouterr().out
    if form == "json":
        found = json.loads(out)
        assert found["python"] == ".".join(map(str, sys.version_info[:3]))
        assert found["pair_sums_per_second"] > 1000
        assert found["threads"] >= 1
    else:
        assert re.search(r"^pair sums per second +\d+$", out, flags=re.MULTILINE)


def test_doctor_says_what_it_cannot_find_out(monkeypatch, capsys, tmp_path):
    from kstest.shell import doctor

    def broken(name):
        raise OSError("disk\nfull")

    monkeypatch.setattr(doctor.importlib.metadata, "version", broken)
    monkeypatch.setattr(doctor, "_speed", lambda: 1 / 0)
    monkeypatch.setenv("KSTEST_CACHE_DIR", str(tmp_path / "elsewhere"))
    assert kstest(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "unknown: OSError" in out
    assert "unknown: ZeroDivisionError" in out
    assert "cannot be used" in out
