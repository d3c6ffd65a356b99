"""Formats of a run of checks, each read back by a parser of its own."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from kstest.checks.formats import github, nagios
from kstest.checks.forms import FORMS, render
from kstest.checks.outcome import Change, Outcome, Report
from kstest.cli import run

ODD = "a|b <i>\"q\" 'x' %0A::=,{}\\ \u00e9 \x07\x1b[31m line\nbreak"


def outcome(name, status, **more):
    numbers = {"p_value": 0.25, "adjusted": 0.5} if "rejected" in status else {}
    defaults = {"unit": "", "test": "mmd", "severity": "error", "over_time": "per-run"}
    return Outcome(name=name, status=status, alpha=0.05, **{**defaults, **numbers, **more})


OUTCOMES = (
    outcome("good", "not rejected"),
    outcome(ODD, "rejected", message=f"differs: {ODD}", unit="it"),
    outcome("warned", "rejected", severity="warn", message="the samples differ"),
    outcome("known", "rejected", acknowledged="until 2026-12-01: new sensor", message="differs"),
    outcome("broken", "error", message="a.csv: no such file"),
    outcome("few", "no verdict", message="too few rows"),
    outcome("moved", "not rejected", changes=(Change("unseen-level", "c", "column 'c' is new"),)),
)


def report(*outcomes):
    return Report(
        "kstest.toml", "d" * 64, "2026-11-29T01:02:03+00:00", "2026-11-29", 1.5,
        {"fail_on": "error", "correction": "holm"}, outcomes, run=7,
    )  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("some", [OUTCOMES, OUTCOMES[:1], ()], ids=["all", "good", "none"])
def test_every_form_renders_every_outcome_without_control_characters(form, some):
    text = render(report(*some), form)
    assert text == "" or text.endswith("\n")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", text)
    if some == OUTCOMES and form not in ("nagios",):
        for word in ("broken", "no such file"):
            assert word in text or form == "prometheus"


def test_junit_has_a_case_per_check():
    root = ET.fromstring(render(report(*OUTCOMES), "junit").encode())
    suite = root.find("testsuite")
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7", "failures": "1", "errors": "1", "skipped": "4",
    }  # fmt: skip
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases["good"] == []
    assert cases["broken"] == ["error"]
    assert cases["known"] == cases["few"] == cases["warned"] == ["skipped"]
    (odd,) = (name for name in cases if name.startswith("a|b"))
    assert cases[odd] == ["failure"]


def test_github_has_at_most_ten_annotations_alarms_first(tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    many = [replace(OUTCOMES[2], name=f"w{k}") for k in range(30)]
    lines = render(report(*many, *OUTCOMES), "github").splitlines()
    assert len(lines) == github.MOST
    pattern = re.compile(r"::(error|warning|notice) title=[^:,]*::.*")
    assert all(pattern.fullmatch(line) for line in lines)
    assert [line.split()[0] for line in lines[:3]] == ["::error", "::error", "::warning"]
    assert "27 more" in lines[-1]
    assert summary.read_text().startswith("before\n### kstest: 1 of 37 checks alarm")


def test_gitlab_is_a_list_with_lasting_fingerprints():
    found = json.loads(render(report(*OUTCOMES), "gitlab"))
    assert len(found) == 6
    assert {f["severity"] for f in found} == {"blocker", "major", "minor", "info"}
    assert len({f["fingerprint"] for f in found}) == 6
    later = json.loads(render(replace(report(*OUTCOMES), run=8), "gitlab"))
    assert [f["fingerprint"] for f in later] == [f["fingerprint"] for f in found]


SAMPLE = re.compile(
    r"([a-z_]+)(?:\{((?:[a-z]+=\"(?:[^\"\\\n]|\\[\\n\"])*\",?)*)\})? (-?[0-9.e+-]+)"
)


def test_prometheus_text_is_what_the_collector_reads():
    typed, values = set(), {}
    for line in render(report(*OUTCOMES), "prometheus").splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert kind == "gauge"
            assert name not in typed
            typed.add(name)
        elif not line.startswith("# HELP "):
            name, labels, value = SAMPLE.fullmatch(line).groups()
            assert name in typed
            assert (name, labels) not in values
            values[name, labels] = float(value)
    alarms = [v for (name, _), v in values.items() if name == "kstest_check_alarm"]
    assert alarms == [0, 1, 0, 0, 0, 0, 0]
    assert values["kstest_run_time_seconds", None] == 1795914123
    assert ("kstest_run_last_success_time_seconds", None) not in values  # a check could not run
    fine = render(report(OUTCOMES[0]), "prometheus")
    assert "kstest_run_last_success_time_seconds 1795914123" in fine


@pytest.mark.parametrize(
    ("some", "code", "word"),
    [
        (OUTCOMES, 2, "CRITICAL"), (OUTCOMES[:1], 0, "OK"), (OUTCOMES[2:3], 1, "WARNING"),
        (OUTCOMES[3:4], 1, "WARNING"), (OUTCOMES[4:5], 3, "UNKNOWN"), (OUTCOMES[5:6], 3, "UNKNOWN"),
    ],
    ids=["all", "good", "warned", "known", "broken", "few"],
)  # fmt: skip
def test_nagios_says_one_line(some, code, word):
    text = render(report(*some), "nagios")
    assert nagios.exit_code(report(*some)) == code
    assert text.startswith(f"KSTEST {word} - ")
    assert text.count("\n") == 1
    assert text.count("|") == any(o.p_value is not None for o in some)


def test_csv_has_a_row_per_check():
    rows = list(csv.DictReader(io.StringIO(render(report(*OUTCOMES), "csv"))))
    assert [row["status"] for row in rows] == [o.status for o in OUTCOMES]
    assert rows[1]["check"].startswith("a|b <i>\"q\" 'x' %0A::=,{}")
    assert [row["alarm"] for row in rows] == ["0", "1", "0", "0", "0", "0", "0"]


def test_markdown_has_four_cells_a_row():
    lines = render(report(*OUTCOMES), "markdown").splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(OUTCOMES)
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 5 for line in table)
    assert "<i>" not in "".join(table)


@pytest.fixture
def checks(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        rows = "\n".join(f"{x:.4f}" for x in rng.normal(size=60))
        (tmp_path / f"{name}.csv").write_text(f"x\n{rows}\n")
    (tmp_path / "kstest.toml").write_text(
        '[checks.rows]\ntest = "ks"\nreference = "a.csv"\nsample = "b.csv"\n'
    )
    return tmp_path


def test_several_reports_come_from_one_run(checks, capsys):
    assert run(["run", "--report", "junit:out.xml", "--report", "prometheus:k.prom", "-q"]) == 0
    assert capsys.readouterr().out == ""
    assert ET.parse(checks / "out.xml").getroot().tag == "testsuites"
    assert "kstest_run_exit_code 0" in (checks / "k.prom").read_text()
    assert run(["run", "--format", "nagios"]) == 0
    assert capsys.readouterr().out.startswith("KSTEST OK - ")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("junit:a.csv", "would be destroyed"), ("junit:kstest.toml", "would be destroyed"),
        ("junit:./b.csv", "would be destroyed"), ("junit:.kstest/history.db", "destroyed"),
        ("html:x", "FORM one of"), ("junit", "FORM:FILE"), ("junit:", "FORM:FILE"),
        ("junit:nowhere/x.xml", "does not exist"),
    ],
)  # fmt: skip
def test_a_report_never_destroys_what_the_run_reads(checks, capsys, given, words):
    assert run(["run", "-q"]) == 0
    before = {path.name: path.read_bytes() for path in checks.iterdir() if path.is_file()}
    assert run(["run", "--report", given]) == 2
    assert words in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in checks.iterdir() if p.is_file()} == before


def test_output_never_destroys_an_input_either(checks, capsys):
    assert run(["run", "-o", "a.csv"]) == 2
    assert "would be destroyed" in capsys.readouterr().err
    assert run(["run", "--report", "csv:x", "--report", "json:x"]) == 2
    assert "give two names" in capsys.readouterr().err
