"""Formats of `kstest run`: every one is read by a parser, with names that would break it."""

from __future__ import annotations

import csv
import io
import json
import re
from xml.etree import ElementTree

import pytest
from test_checks import check, folder, write  # noqa: F401

from kstest.checks.formats import github, markdown, nagios, prometheus
from kstest.checks.forms import FORMS, render
from kstest.checks.outcome import Change, Outcome, Report
from kstest.cli import run as kstest
from kstest.wording import printable

NASTY = [
    'quo"te\'s', "new\nline\r", "a|b", "<b>&amp;", "größe 東京", "\x00\x1b[31m\x08", "back\\slash",
    "::error::x", "##[error]y", "100%,a:b", "{=}", "\ud800\ufffe", "@someone `x` *y* _z_", "",
]  # fmt: skip
STATUSES = ("rejected", "not rejected", "no verdict", "error")


def outcome(status, name="x", **more):
    known = {"severity": "error", "message": name, "seconds": 0.25} | more
    p = 0.012345678901234567 if status in ("rejected", "not rejected") else None
    numbers = {"p_value": p, "adjusted": None if p is None else 2 * p}
    return Outcome(name, name, "mmd", over_time="per-run", status=status, alpha=0.05, **known,
                   **numbers)  # fmt: skip


def report(*outcomes, **settings):
    known = {"fail_on": "error", "correction": "holm"} | settings
    return Report("kstest.toml", "0" * 64, "2026-01-31T06:00:00+00:00", "2026-01-31", 1.5, known,
                  tuple(outcomes))  # fmt: skip


CHANGES = (Change("column-vanished", "a\n|", "column 'a\n|' <vanished>"),)
EVERY = report(
    *(outcome(s, n, severity=v) for s in STATUSES for n in NASTY for v in ("error", "warn")),
    outcome("not rejected", changes=CHANGES),
    outcome("rejected", acknowledged="until 2030-01-01: a\ntube"),
)
GREEN = report(outcome("not rejected"))
TWICE = report(outcome("rejected", "a\n"), outcome("rejected", "a\\n"))
RUNS = [EVERY, TWICE, GREEN, report(), *(report(outcome(s)) for s in STATUSES)]


UNDO = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


def exposition(text):
    """The samples of Prometheus' text format, by name and labels; strict."""
    name, label = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"'
    found, typed = {}, set()
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# TYPE "):
            family, kind = line.split(" ")[2:]
            assert kind == "gauge"
            assert family not in typed
            typed.add(family)
        elif not line.startswith("# HELP "):
            match = re.fullmatch(rf"({name})(?:\{{((?:{label},?)*)\}})? (\S+)", line, re.ASCII)
            assert match, line
            assert match[1] in typed
            pairs = re.findall(label, match[2] or "", re.ASCII)
            labels = {k: re.sub(r"\\.", lambda m: UNDO[m[0]], v) for k, v in pairs}
            key = (match[1], *sorted(labels.items()))
            assert key not in found
            found[key] = float(match[5])
    return found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("run", RUNS)
def test_every_format_is_text_without_control_characters(form, run):
    text = render(run, form)
    assert text.endswith("\n")
    assert text.encode("utf-8")
    assert text.replace("\n", "").replace("\N{WORD JOINER}", "").isprintable()


@pytest.mark.parametrize("run", RUNS)
def test_junit_has_a_case_per_check(run):
    suite = ElementTree.fromstring(render(run, "junit").encode())[0]
    assert suite.tag == "testsuite"
    assert int(suite.get("tests")) == len(suite) == len(run.outcomes)
    for case, one in zip(suite, run.outcomes, strict=True):
        assert case.get("name") == printable(one.label)
    counts = {k: len(suite.findall(f"*/{k}")) for k in ("failure", "error", "skipped")}
    attributes = {"failure": "failures", "error": "errors", "skipped": "skipped"}
    assert counts == {kind: int(suite.get(a)) for kind, a in attributes.items()}
    assert (counts["failure"] > 0) == (run.exit_code == 1)
    assert (sum(counts.values()) - counts["skipped"] > 0) == (run.exit_code != 0)


@pytest.mark.parametrize("run", RUNS)
def test_annotations_are_at_most_ten_commands(run):
    _, *lines = render(run, "github").splitlines()
    assert len(lines) <= 10
    for line in lines:
        assert re.fullmatch(r"::(error|warning) ([a-z]+=[^,:]*,?)+::.+", line), line
        assert "##[" not in line
    assert ([line for line in lines if line.startswith("::error")] != []) == (
        run.exit_code in (1, 2)
    )
    assert not render(run, "github").startswith("::")


def test_an_annotation_escapes_what_the_runner_reads():
    assert github._data("100%\r\n") == "100%25%0D%0A"
    assert github._property("a:b,c") == "a%3Ab%2Cc"
    last = render(EVERY, "github").splitlines()[-1]
    assert re.search(r"::\d+ more checks", last)


@pytest.mark.parametrize("run", RUNS)
def test_code_quality_has_what_gitlab_asks_for(run):
    found = json.loads(render(run, "gitlab"))
    for one in found:
        assert one.keys() == {"description", "check_name", "fingerprint", "severity", "location"}
        assert one["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert one["location"]["lines"]["begin"] >= 1
    assert (found == []) == all(o.status == "not rejected" for o in run.outcomes if not o.changes)


@pytest.mark.parametrize("run", RUNS)
def test_samples_of_prometheus(run):
    found = exposition(render(run, "prometheus"))
    assert found["kstest_run_exit_code",] == run.exit_code
    assert found["kstest_run_duration_seconds",] == 1.5
    alarms = [v for key, v in found.items() if key[0] == "kstest_check_alarm"]
    assert len(alarms) == len(run.outcomes)
    assert (sum(alarms) > 0) == (run.exit_code == 1)
    names = {dict(k[1:])["check"] for k in found if k[0] == "kstest_check_alarm"}
    assert names == {printable(o.name) for o in run.outcomes}


def test_the_last_success_stays_through_a_failure():
    def success(text):
        return exposition(text)[prometheus.SUCCESS,]

    bad = report(outcome("error"))
    first = prometheus.render(GREEN)
    assert success(first) > 1.7e9
    assert success(prometheus.render(bad, earlier=first)) == success(first)
    assert success(prometheus.render(bad)) == 0
    assert success(prometheus.render(bad, earlier=f"{prometheus.SUCCESS} x\n")) == 0
    alarm_and_error = report(outcome("error"), outcome("rejected"))
    assert success(prometheus.render(alarm_and_error)) == 0
    assert success(prometheus.render(report(outcome("rejected")), earlier=first)) >= success(first)


@pytest.mark.parametrize("run", RUNS)
def test_nagios_is_one_line_with_data(run):
    text = render(run, "nagios")
    assert text.count("\n") == 1
    assert text.count(" | ") == text.count("|") == 1
    words, data = text.rstrip("\n").split(" | ")
    assert words.split()[1] == nagios.WORDS[nagios.exit_code(run)]
    one = r"(?:'((?:[^'=])+)'|time)=(U|[\d.]+)s?(;[^; ]*){0,4}"
    assert re.fullmatch(rf"{one}(?: {one})*", data), data
    assert len(re.findall(one, data)) == 1 + len(run.outcomes)


@pytest.mark.parametrize(
    ("run", "code"),
    [(GREEN, 0), (report(outcome("rejected", severity="warn")), 1),
     (report(outcome("rejected")), 2), (report(outcome("error")), 3),
     (report(outcome("no verdict")), 3), (report(outcome("rejected", acknowledged="x")), 0)],
)  # fmt: skip
def test_exit_codes_of_nagios(run, code):
    assert nagios.exit_code(run) == code


@pytest.mark.parametrize("run", RUNS)
def test_every_row_of_markdown_has_all_cells(run):
    _, _, head, *rows = markdown.render(run).splitlines()
    cells = len(re.findall(r"(?<!\\)\|", head))
    assert len(rows) == 1 + len(run.outcomes)
    for row in rows:
        bare = re.sub(r"\\\\", "", row)
        assert len(re.findall(r"(?<!\\)\|", bare)) == cells, row
        assert "<" not in row


@pytest.mark.parametrize("run", RUNS)
def test_csv_keeps_names_and_digits(run):
    rows = list(csv.DictReader(io.StringIO(render(run, "csv"), newline="")))
    assert len(rows) == len(run.outcomes)
    for row, one in zip(rows, run.outcomes, strict=True):
        assert row["name"] == printable(one.name)
        assert row["status"] == one.status
        assert (float(row["p_value"]) if row["p_value"] else None) == one.p_value


def test_several_formats_of_one_run(folder, capsys, monkeypatch):  # noqa: F811
    write(check("good", "like.csv") + check("bad", "unlike.csv"))
    summary = folder / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    wanted = [form for form in FORMS if form != "text"]
    reports = [word for form in wanted for word in ("--report", f"{form}:out.{form}")]
    assert kstest(["run", "--threads", "1", *reports]) == 1
    assert capsys.readouterr().out.startswith("ALARM")
    assert ElementTree.parse("out.junit").find(".//failure") is not None
    assert json.loads((folder / "out.gitlab").read_text())[0]["location"]["lines"]["begin"] == 5
    assert "line=5," in (folder / "out.github").read_text()
    assert summary.read_text().startswith("before\n**ALARM**")
    assert exposition((folder / "out.prometheus").read_text())
    assert kstest(["run", "--threads", "1", "--format", "nagios"]) == 2
    assert capsys.readouterr().out.startswith("KSTEST CRITICAL - ")
    write("[checks.x\n")
    assert kstest(["run", "--format", "nagios"]) == 3
    assert capsys.readouterr().out.startswith("KSTEST UNKNOWN - ")


@pytest.mark.parametrize(
    "given",
    ["junit", "junit:", "jnit:x", "junit:-", "junit:ref.csv", "csv:like.csv", "junit:kstest.toml",
     "prometheus:.kstest/history.db", "json:absent/x", "json:../%s/ref.csv"],
)  # fmt: skip
def test_a_report_never_replaces_what_the_run_needs(given, folder, capsys):  # noqa: F811
    write(check("good", "like.csv"))
    given = given.replace("%s", folder.name)
    (folder / ".kstest").mkdir(mode=0o700)
    before = {p: p.read_bytes() for p in folder.glob("*.*") if p.is_file()}
    assert kstest(["run", "--threads", "1", "--report", given]) == 2
    assert "--report" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in folder.glob("*.*") if p.is_file()} == before
    assert kstest(["run", "--report", "csv:a", "--report", "csv:b"]) == 2
    assert kstest(["run", "--report", "csv:a", "--report", "json:a"]) == 2
