"""docs/recipes.md: what stands there parses, and its commands are ours."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from importlib.util import find_spec
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
NAMES = "run|warmup|dqm status"
COMMANDS = re.findall(
    r"kstest (?:run|warmup|dqm status)[^\n'\"`>;]*", "\n".join(b for _, b in BLOCKS)
)


def blocks(language):
    found = [text for kind, text in BLOCKS if kind == language]
    assert found
    return found


@pytest.mark.parametrize("line", sorted(set(COMMANDS)))
def test_commands_have_the_options_that_they_are_given(line):
    line = line.replace("{{ ds }}", "2026-01-31")
    command, words = cli, shlex.split(line)[1:]
    while isinstance(command, click.Group):
        name, *words = words
        command = command.get_command(click.Context(command), name)
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


def prometheus_samples():
    from kstest.checks.forms import render

    outcome = Outcome("a", "", "mmd", "error", "per-run", "not rejected", 0.05)
    report = Report(
        "kstest.toml", "", "2026-11-29T01:02:03+00:00", "", 1.0, {"fail_on": "error"}, (outcome,)
    )
    return render(report, "prometheus")


def test_prometheus_rules_name_metrics_that_there_are():
    metrics = set(re.findall(r"^# TYPE (\S+)", prometheus_samples(), re.MULTILINE))
    used = set(re.findall(r"\bkstest_\w+", "\n".join(blocks("yaml"))))
    assert used <= metrics
    assert used


@pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool here")
def test_prometheus_reads_the_rules_and_the_samples(tmp_path):
    rules = tmp_path / "rules.yml"
    rules.write_text(next(text for text in blocks("yaml") if "alert:" in text))
    done = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 rules found" in done.stdout
    samples = prometheus_samples()
    command = ["promtool", "check", "metrics"]
    done = subprocess.run(command, input=samples, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool here")
def test_prometheus_alarms_by_the_rules(tmp_path):
    """Both alerts fire, and neither does when all is well."""
    rules = next(text for text in blocks("yaml") if "alert:" in text)
    (tmp_path / "rules.yml").write_text(rules)
    stale, fresh = "0x300", "0+60x300"
    cases = [(0, fresh, [], []), (1, fresh, ["orders"], []), (0, stale, [], ["broken"])]
    tests = []
    for alarm, success, changed, broken in cases:
        labels = {"check": "orders"}  # an empty label is none
        tests.append(
            {
                "interval": "1m",
                "input_series": [
                    {"series": 'kstest_check_alarm{check="orders",unit=""}',
                     "values": f"{alarm}x300"},
                    {"series": "kstest_last_success_timestamp_seconds", "values": success},
                ],
                "alert_rule_test": [
                    {"eval_time": "4h", "alertname": "DataChanged",
                     "exp_alerts": [{"exp_labels": labels, "exp_annotations": {
                         "summary": "orders : the data changed"}} for _ in changed]},
                    {"eval_time": "4h", "alertname": "ChecksBroken",
                     "exp_alerts": [{"exp_annotations": {"summary": "no run of kstest in which "
                         "every check ran for three hours"}} for _ in broken]},
                ],
            }
        )  # fmt: skip
    with open(tmp_path / "tests.yml", "w") as stream:
        YAML(typ="safe").dump({"rule_files": ["rules.yml"], "tests": tests}, stream)
    command = ["promtool", "test", "rules", tmp_path / "tests.yml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


ACTION = YAML(typ="safe").load((Path(__file__).parent.parent / "action.yml").read_text())


def test_the_action_is_one():
    """What GitHub's documentation asks of a composite action."""
    assert {"name", "description", "inputs", "outputs", "runs"} == set(ACTION)
    assert ACTION["runs"]["using"] == "composite"
    for step in ACTION["runs"]["steps"]:
        assert ("uses" in step) != ("run" in step)
        assert "run" not in step or step["shell"] == "bash"
        # Words of a workflow are never a part of a script.
        assert "${{" not in step.get("run", "")
    for given in ACTION["inputs"].values():
        assert set(given) == {"description", "default"}
    used = set(re.findall(r"inputs\.([\w-]+)", str(ACTION["runs"])))
    assert used == set(ACTION["inputs"])
    text = next(text for text in blocks("yaml") if "uses: OWNER/kstest" in text)
    steps = YAML(typ="safe").load(text)["jobs"]["checks"]["steps"]
    (given,) = (step["with"] for step in steps if "kstest" in step["uses"])
    assert set(given) <= set(ACTION["inputs"])


@pytest.mark.skipif(find_spec("check_jsonschema") is None, reason="no check-jsonschema here")
def test_github_and_gitlab_accept_what_stands_there(tmp_path):
    root = Path(__file__).parent.parent
    release = root / ".github" / "workflows" / "release.yml"
    files = {"vendor.github-actions": [root / "action.yml"], "vendor.gitlab-ci": [],
             "vendor.github-workflows": [release]}  # fmt: skip
    for place, text in enumerate(blocks("yaml")):
        path = tmp_path / f"{place}.yml"
        path.write_text(text)
        if "runs-on" in text:
            files["vendor.github-workflows"].append(path)
        elif "artifacts:" in text:
            files["vendor.gitlab-ci"].append(path)
    for schema, paths in files.items():
        assert paths
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *paths]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("code", "words"), [(0, False), (1, True)])
def test_the_script_of_the_action_runs(code, words, tmp_path):
    """With names that a shell would obey, and the exit code of the run."""
    (step,) = (s for s in ACTION["runs"]["steps"] if s.get("id") == "run")
    tool = tmp_path / "kstest"
    tool.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > words\nexit "$CODE"\n')
    tool.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin", "CODE": str(code), "REPORTS": "a $(touch b)",
        "NAMES": "rows; $(touch c)" if words else "", "FAIL_ON": "warn" if words else "",
        "GITHUB_OUTPUT": "output",
    }  # fmt: skip
    command = ["bash", "-e", "-o", "pipefail", "-c", step["run"]]
    done = subprocess.run(command, cwd=tmp_path, env=environment)
    assert done.returncode == code
    assert (tmp_path / "output").read_text() == f"exit-code={code}\n"
    said = (tmp_path / "words").read_text().splitlines()
    names = ["rows;", "$(touch", "c)", "--fail-on", "warn"] if words else []
    assert said == [
        "run", *names, "--format", "github", "--report", "junit:a $(touch b)/junit.xml",
        "--report", "html:a $(touch b)/page.html",
    ]  # fmt: skip
    assert not (tmp_path / "b").exists()


def test_python_is_python():
    for text in blocks("python"):
        ast.parse(text)
