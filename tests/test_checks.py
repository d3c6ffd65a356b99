"""The file of checks, levels over time, correction, exit codes, changed columns: `kstest run`."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kstest.checks import control, schema
from kstest.checks.config import load
from kstest.checks.control import Member
from kstest.checks.outcome import Change, Outcome, Report
from kstest.checks.position import line_of
from kstest.checks.profile import profile
from kstest.checks.settings import settings
from kstest.checks.templates import date_of, duration, render
from kstest.cli import run as kstest
from kstest.errors import KstestError, UsageError
from kstest.nulls.online import Rule
from kstest.nulls.several import benjamini_hochberg, benjamini_yekutieli, holm_adjusted
from kstest.sources import ReadOptions


def table(path, seed, rows=120, shift=0.0, **more):
    rng = np.random.default_rng(seed)
    columns = {"a": rng.normal(shift, 1, rows), "b": rng.normal(size=rows)}
    pd.DataFrame({**columns, **more}).to_csv(path, index=False)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a reference, a like and an unlike sample, and one that is too small."""
    table(tmp_path / "ref.csv", 1)
    table(tmp_path / "like.csv", 2)
    table(tmp_path / "unlike.csv", 3, shift=2.0)
    table(tmp_path / "small.csv", 4, rows=1)
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith("KSTEST_") and n != "KSTEST_CACHE_DIR"]:
        monkeypatch.delenv(name)
    return tmp_path


def write(text, path="kstest.toml"):
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def check(name, sample, *more, test="mmd", reference="ref.csv"):
    lines = [f"[checks.{name}]", f'test = "{test}"', f'reference = "{reference}"']
    return "\n".join([*lines, f'sample = "{sample}"', *more]) + "\n"


def report(capsys, *arguments):
    """Exit code and JSON of a run."""
    capsys.readouterr()
    code = kstest(["run", "--format", "json", "--threads", "1", *arguments])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else err


# --- the file ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("[run]\nalpha = 1\n", ("run", "alpha"), 2),
        ('x = """\nalpha = 1\n"""\n[run]\nalpha = 2\n', ("run", "alpha"), 5),
        ("[checks.a]\nb = [\n 1,\n # b\n 2]\nb2 = 1\n", ("checks", "a", "b"), 2),
        ("checks.a = {test = 'x', odd = 1}\n", ("checks", "a", "odd"), 1),
        ("[checks]\n[checks.a]\n[checks.odd]\n", ("checks", "odd"), 3),
        ("a = 1\n", ("b",), None),
    ],
)
def test_the_line_of_a_key(text, path, line):
    assert line_of(text, path) == line


NOW = datetime(2026, 3, 2, 5, 30)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("x.csv", "x.csv"),
        ("{date}/x.csv", "2026-03-02/x.csv"),
        ("{date:%Y-%m-%d}.csv", "2026-03-02.csv"),
        ("{date-7d:%a}{date:%a}", "MonMon"),
        ("{date-1d:%m%d}-{date+2w:%m%d}", "0301-0316"),
        ("{date-6h:%Y%m%dT%H%M}", "20260301T2330"),
        ("{date-40m:%H:%M}", "04:50"),
        ("data_[0-9]*{date:%j}", "data_[0-9]*061"),
    ],
)
def test_dates_in_paths(template, path):
    assert render(template, NOW) == path


@pytest.mark.parametrize("bad", ["{dat}", "{date-7}", "{date-7y}", "{}", "{date-999999w}", "{x:y}"])
def test_other_words_in_braces_are_refused(bad):
    with pytest.raises(UsageError, match="date"):
        render(bad, NOW)


def test_lengths_of_time_and_dates():
    assert duration("90m") == timedelta(minutes=90)
    assert date_of("2026-01-31T06:00") == datetime(2026, 1, 31, 6)
    for wrong in ("", "0h", "1", "1y", "h", "-1h"):
        with pytest.raises(UsageError):
            duration(wrong)
    with pytest.raises(UsageError, match="--date"):
        date_of("31.1.2026")


def test_a_flag_comes_before_a_variable_before_the_file_before_the_default():
    table = {"alpha": 0.02, "every": "1d", "keep": 9}
    found = settings(
        {"alpha": 0.3, "threads": None},
        table,
        lambda key: f"k.toml: line {len(key)}",
        {"KSTEST_ALPHA": "0.1", "KSTEST_EVERY": "2h", "KSTEST_THREADS": "3"},
    )
    assert (found.alpha, found.every, found.threads, found.keep) == (0.3, "2h", 3, 9)
    assert found.origins["alpha"] == "--alpha"
    assert found.origins["every"] == "KSTEST_EVERY"
    assert found.origins["keep"] == "k.toml: line 4"
    assert found.origins["correction"] == "default"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("KSTEST_ALPHA", "x", "give a number"),
        ("KSTEST_ALPHA", "2", "KSTEST_ALPHA"),
        ("KSTEST_CORRECTION", "homl", "choose from holm"),
        ("KSTEST_EVERY", "often", "length of time"),
        ("KSTEST_THREADS", "1.5", "whole number"),
        ("KSTEST_KEEP", "0", "1 or more"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(variable, value, says):
    with pytest.raises(UsageError, match=says):
        settings({}, {}, str, {variable: value})


GOOD = '[checks.a]\ntest = "mmd"\nreference = "r.csv"\nsample = "s.csv"\n'
BAD = {
    "no checks": ("", "has no [checks.NAME]"),
    "no TOML": ("[checks", "cannot be read as TOML"),
    "table": (GOOD + "[chekcs.b]\n", "line 5: the file has no key 'chekcs'; did you mean 'checks'"),
    "run": ("[run]\nalfa = 1\n" + GOOD, "line 2: [run] has no key 'alfa'; did you mean 'alpha'"),
    "run type": ('[run]\nalpha = "x"\n' + GOOD, "line 2: alpha = 'x': give a number"),
    "run range": ("[run]\nalpha = 5.0\n" + GOOD, "line 2: alpha '5.0'"),
    "run bool": ("[run]\nkeep = true\n" + GOOD, "line 2: keep"),
    "key": (GOOD + "colums = 'a'\n", "line 5: [checks.a] has no key 'colums'; did you mean 'colum"),
    "underscore": (GOOD + "block_length = 3\n", "did you mean 'block-length'"),
    "level": (GOOD + "alph = 3\n", "did you mean 'alpha'"),
    "test": (GOOD.replace("mmd", "mmdd"), "line 2: [checks.a] has no test 'mmdd'"),
    "no test": ("[checks.a]\nreference='r'\n", "does not say which test"),
    "no file": (GOOD.replace('sample = "s.csv"\n', ""), "needs sample = a file"),
    "stdin": (GOOD.replace("s.csv", "-"), "standard input"),
    "template": (GOOD.replace("s.csv", "{day}.csv"), "cannot read {day}"),
    "severity": (GOOD + "severity = 'eror'\n", "line 5: [checks.a] severity = 'eror': choose from"),
    "option": (GOOD + "alpha = 7\n", "line 5: [checks.a]: --alpha 7"),
    "option type": (GOOD + "permutations = 'x'\n", "line 5"),
    "option bool": (GOOD + "permutations = true\n", "line 5: [checks.a]: permutations = 'True'"),
    "option date": (GOOD + "columns = 2026-01-31\n", "give text"),
    "option table": (GOOD + "columns = {a = 1}\n", "give text"),
    "option list": (GOOD + "columns = []\n", "line 5: [checks.a]: --columns: found an empty item"),
    "option choice": (GOOD + "missing = 'keep'\n", "accepted: error, drop, indicator"),
    "permutations": (GOOD + "permutations = 5\n", "give at least"),
    "anytime": (GOOD + "over-time = 'anytime'\n", "is for the tests of streams"),
    "horizon": (GOOD + "over-time = 'spending'\n", "needs horizon"),
    "horizon type": (GOOD + "over-time = 'spending'\nhorizon = 1.5\n", "whole number"),
    "horizon alone": (GOOD + "horizon = 5\n", "is for over-time = 'spending'"),
    "state": (GOOD + "state = 'x'\n", "is for over-time = 'anytime'"),
    "no table": ("checks = 3\n", "is no table"),
    "check no table": ("[checks]\na = 3\n", "is no table"),
    "name": (GOOD.replace("checks.a", "checks.'a/b'"), "is no name of a check"),
    "by": (GOOD.replace('"mmd"', '"smmd"') + "by = 'a'\n", "is for tests of whole files"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_file_is_said_with_its_line(case, folder, capsys):
    text, says = BAD[case]
    write(text)
    assert kstest(["validate"]) == 2
    error = capsys.readouterr().err
    assert "kstest.toml" in error
    assert says in error
    assert "Traceback" not in error


def test_the_nearest_file_upwards_is_found_and_paths_are_relative_to_it(
    folder, capsys, monkeypatch
):
    write(check("a", "like.csv"))
    (folder / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(folder / "deep" / "er")
    assert kstest(["run", "--quiet", "--threads", "1"]) == 0
    assert (folder / ".kstest" / "history.db").exists()
    (folder / "deep" / ".git").mkdir()
    assert kstest(["run"]) == 2
    assert "no kstest.toml here or above" in capsys.readouterr().err
    monkeypatch.setenv("KSTEST_CONFIG", str(folder / "kstest.toml"))
    assert kstest(["validate"]) == 0


def test_a_table_of_pyproject_serves_as_well(folder, capsys):
    text = check("a", "like.csv").replace("[checks.a]", "[tool.kstest.checks.a]")
    write('[project]\nname = "x"\n' + text, "pyproject.toml")
    assert kstest(["validate"]) == 0
    write(text + "colums = 'a'\n", "pyproject.toml")
    assert kstest(["validate"]) == 2
    assert "pyproject.toml: line 5: [checks.a] has no key 'colums'" in capsys.readouterr().err


def test_config_show_says_where_a_value_came_from(folder, capsys, monkeypatch):
    write('[run]\nevery = "1d"\n' + check("a", "like.csv"))
    monkeypatch.setenv("KSTEST_KEEP", "7")
    capsys.readouterr()
    assert kstest(["config", "show", "--alpha", "0.1", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["alpha"] == {"value": 0.1, "origin": "--alpha"}
    assert found["keep"] == {"value": 7, "origin": "KSTEST_KEEP"}
    assert found["every"] == {"value": "1d", "origin": "kstest.toml: line 2"}
    assert found["correction"] == {"value": "holm", "origin": "default"}


# --- levels and corrections -------------------------------------------------------------------


def naive_adjusted(p, correction):
    """Smallest level at which each hypothesis is rejected, by the definitions."""
    p, m = list(p), len(p)
    order = sorted(range(m), key=lambda k: p[k])
    out = [0.0] * m
    for place, k in enumerate(order):
        if correction == "holm":
            out[k] = max(min(1, (m - j) * p[order[j]]) for j in range(place + 1))
        else:
            c = sum(1 / j for j in range(1, m + 1)) if correction == "by" else 1
            out[k] = min(min(1, c * m / (j + 1) * p[order[j]]) for j in range(place, m))
    return out


@pytest.mark.parametrize(
    ("correction", "function"),
    [("holm", holm_adjusted), ("bh", benjamini_hochberg), ("by", benjamini_yekutieli)],
)
def test_corrections_are_those_of_the_definitions(correction, function, rng):
    for size in (1, 2, 3, 10, 57):
        p = np.round(rng.random(size) ** 3, 2) + 1e-3
        assert function(p) == pytest.approx(naive_adjusted(p, correction))
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p))
    found = stats.false_discovery_control(p, method="by")
    assert benjamini_yekutieli(p) == pytest.approx(found)


def test_a_check_alone_in_its_family_is_the_plain_test():
    for p in (0.001, 0.05, 0.4, 1.0):
        assert control.adjusted([Member(p, 0.05, 0.05)], "holm") == [pytest.approx(p)]


def test_a_smaller_level_counts_as_a_larger_p_value_and_errors_stay_in_the_family():
    members = [Member(0.001, 0.05, 0.05), Member(0.001, 0.0005, 0.05), Member(1.0, 0.05, 0.05)]
    assert control.adjusted(members, "holm") == pytest.approx([0.003, 0.2, 1.0])
    assert control.adjusted(members[:1], "holm") == pytest.approx([0.001])
    # levels of their own: each is compared with its own
    strict = [Member(0.004, 0.01, 0.01), Member(0.02, 0.05, 0.05)]
    first, second = control.adjusted(strict, "holm")
    assert first <= 0.01
    assert second <= 0.05


def a_check(folder, **more):
    write(check("a", "like.csv"))
    return replace(load("kstest.toml", {}).checks["a"], **more)


def test_spending_stops_when_the_level_is_spent(folder):
    one = a_check(folder, over_time="spending", horizon=4)
    past = []
    for _ in range(6):
        (level,) = control.levels(one, past, 1)
        past.append({"level": level})
    assert [p["level"] for p in past] == pytest.approx([0.0125] * 4 + [0, 0])
    assert control.levels(replace(one, horizon=2), past[:1], 3) == pytest.approx([0.025, 0.0125, 0])


@pytest.mark.parametrize("rule", ["lond", "lord", "saffron", "addis"])
def test_online_levels_are_those_of_the_rule(rule, folder, rng):
    one = a_check(folder, over_time="online-fdr", rule=rule)
    twin, past = Rule(rule, 0.05), []
    for p in rng.random(30) ** 4:
        (level,) = control.levels(one, past, 1)
        assert level == pytest.approx(twin.level)
        rejected = twin.add(float(p))
        past.append({"p_value": float(p), "status": "rejected" if rejected else "not rejected"})
    # what a correction took back counts as no rejection
    taken = [{**row, "status": "not rejected"} for row in past]
    assert control.levels(one, taken, 1)[0] <= control.levels(one, past, 1)[0]


def test_several_of_one_series_in_a_run_have_levels_one_after_the_other(folder):
    one = a_check(folder, over_time="online-fdr")
    levels = control.levels(one, [], 3)
    twin = Rule("lond", 0.05)
    for level in levels:
        assert level == pytest.approx(twin.level)
        twin.add(1.0)


@pytest.mark.parametrize("sets", [150, pytest.param(5000, marks=pytest.mark.slow)])
def test_altered_bytes_of_a_file_of_checks_are_never_a_traceback(sets, folder, capsys):
    whole = GOOD + GOOD.replace("checks.a", "checks.b") + 'by = "x"\nover-time = "per-run"\n'
    whole = ("[run]\nalpha = 0.1\nevery = '1h'\n" + whole).encode()
    rng = np.random.default_rng(3)
    for _ in range(sets):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            content[place] = rng.integers(256)
        (folder / "kstest.toml").write_bytes(bytes(content))
        assert kstest(["validate", "--quiet"]) in (0, 2), bytes(content)
    assert "Traceback" not in capsys.readouterr().err


# --- exit codes -------------------------------------------------------------------------------


def outcome(status, severity="error", **more):
    return Outcome("x", "", "mmd", severity, "per-run", status, 0.05, **more)


CHANGE = (Change("column-vanished", "a", "gone"),)
CODES = [
    # outcomes, fail-on, exit code
    (["not rejected"], "error", 0),
    (["rejected"], "error", 1),
    (["rejected", "error"], "error", 1),
    (["rejected", "no verdict"], "error", 1),
    (["not rejected", "error"], "error", 2),
    (["error", "no verdict"], "error", 2),
    (["not rejected", "no verdict"], "error", 3),
    (["rejected"], "never", 0),
    (["rejected", "error"], "never", 2),
    (["rejected", "no verdict"], "never", 3),
    (["rejected"], "warn", 1),
]


@pytest.mark.parametrize(("statuses", "fail_on", "code"), CODES)
def test_exit_codes(statuses, fail_on, code):
    assert exit_code([outcome(s) for s in statuses], fail_on) == code


def exit_code(outcomes, fail_on="error"):
    return Report("k", "", "", "", 0.0, {"fail_on": fail_on}, tuple(outcomes)).exit_code


@pytest.mark.parametrize(
    ("one", "fail_on", "code"),
    [
        (outcome("rejected", "warn"), "error", 0),
        (outcome("rejected", "warn"), "warn", 1),
        (outcome("error", "warn"), "error", 2),
        (outcome("no verdict", "warn"), "error", 0),
        (outcome("no verdict", "warn"), "warn", 3),
        (outcome("rejected", acknowledged="until"), "error", 0),
        (outcome("error", acknowledged="until"), "error", 2),
        (outcome("error", bug=True), "error", 70),
        (outcome("not rejected", changes=CHANGE), "error", 0),
        (outcome("not rejected", changes=CHANGE), "warn", 1),
        (outcome("not rejected", changes=CHANGE, schema="error"), "error", 1),
        (outcome("error", changes=CHANGE, schema="error"), "error", 1),
        (outcome("not rejected", changes=CHANGE, schema="error", acknowledged="x"), "error", 0),
    ],
)
def test_severity_acknowledgement_and_columns_decide_the_exit_code(one, fail_on, code):
    assert exit_code([outcome("not rejected"), one], fail_on) == code


@pytest.mark.parametrize(
    ("sample", "more", "code"),
    [
        ("like.csv", (), 0),
        ("unlike.csv", (), 1),
        ("unlike.csv", ('severity = "warn"',), 0),
        ("absent.csv", (), 2),
        ("small.csv", (), 3),
    ],
)
def test_exit_codes_of_whole_runs(sample, more, code, folder, capsys):
    write(check("a", sample, *more))
    found, answer = report(capsys)
    assert found == code == answer["exit_code"]
    capsys.readouterr()
    assert kstest(["run", "--quiet", "--threads", "1"]) == code
    out, err = capsys.readouterr()
    assert (out == "") == (code == 0)
    assert err == ""
    assert max(map(len, out.splitlines()), default=0) <= 80


def test_one_check_is_the_plain_command(folder, capsys):
    write(check("a", "like.csv", 'columns = ["a"]', "permutations = 499", "seed = 5"))
    _, answer = report(capsys)
    words = ["--columns", "a", "--permutations", "499", "--seed", "5", "--format", "json"]
    kstest(["mmd", "ref.csv", "like.csv", "--threads", "1", *words])
    plain = json.loads(capsys.readouterr().out)
    found = answer["outcomes"][0]["result"]
    for each in (plain, found):
        del each["provenance"]
    assert found == plain


def test_all_kinds_of_tests_run_from_a_file(folder, capsys):
    rest = "\n".join(
        [
            "[checks.h]",
            'test = "hsic"',
            'data = "like.csv"',
            'x = "a"',
            'y = ["b"]',
            "[checks.k]",
            'test = "ksd"',
            'data = "like.csv"',
            'target = "normal()"',
            'columns = "a,b"',
            "[checks.s]",
            'test = "smmd"',
            'reference = "ref.csv"',
            'sample = "like.csv"',
            "[checks.split]",
            'test = "ks"',
            'table = "like.csv"',
            'sample-column = "half"',
            'reference-values = "0"',
            'sample-values = "1"',
        ]
    )
    table(folder / "like.csv", 2, half=np.arange(120) % 2)
    write(check("m", "like.csv", 'exclude = "half"') + rest)
    code, answer = report(capsys)
    assert code == 0, answer
    assert [o["test"] for o in answer["outcomes"]] == ["mmd", "hsic", "ksd", "smmd", "ks"]
    assert answer["outcomes"][3]["over_time"] == "anytime"
    assert (folder / ".kstest" / "states" / "s.kst").exists()


def test_the_answers_do_not_depend_on_the_threads(folder, capsys):
    write("".join(check(f"c{k}", "like.csv", f"seed = {k}", "alpha = 0.2") for k in range(5)))
    found = []
    for threads in ("1", "4"):
        _, answer = report(capsys, "--threads", threads)
        found.append([(o["name"], o["p_value"], o["adjusted"]) for o in answer["outcomes"]])
    assert found[0] == found[1]
    assert len({p for _, p, _ in found[0]}) > 1


def test_a_check_per_level_of_a_column(folder, capsys):
    kinds = np.array(["it's", "b `c`", "d"])[np.arange(120) % 3]
    table(folder / "ref.csv", 1, kind=kinds)
    rng = np.random.default_rng(5)
    shifted = rng.normal(size=120) + 3 * (kinds == "d")
    pd.DataFrame({"a": shifted, "b": rng.normal(size=120), "kind": kinds}).to_csv(
        "new.csv", index=False
    )
    write(check("g", "new.csv", 'by = "kind"', test="ks"))
    code, answer = report(capsys)
    assert code == 1
    found = {o["unit"]: (o["status"], o["result"]["n"]["sample"]) for o in answer["outcomes"]}
    assert found == {
        "it's": ("not rejected", 40), "b `c`": ("not rejected", 40), "d": ("rejected", 40)
    }  # fmt: skip
    assert all("kind" not in o["result"]["columns"] for o in answer["outcomes"])
    table(folder / "ref.csv", 1, kind=kinds, gone=1)  # the columns of both sides are left
    write(check("g", "new.csv", 'by = "kind"', test="ks"))
    assert [o["result"]["columns"] for o in report(capsys)[1]["outcomes"]] == [["a", "b"]] * 3
    write(check("g", "new.csv", 'by = "knd"', test="ks"))
    code, answer = report(capsys)
    assert code == 2
    assert "knd" in answer["outcomes"][0]["message"]


def test_levels_that_are_missing_rare_dates_or_on_one_side(folder, capsys):
    days = np.array(["2024-01-05", "2024-01-06", "", "2024-01-07", "2024-01-08"])
    old = days[np.repeat([0, 1, 2, 3], [50, 50, 30, 3])]
    new = days[np.repeat([0, 1, 2, 3, 4], [50, 40, 30, 5, 8])]
    for name, day in (("ref.csv", old), ("new.csv", new)):
        table(folder / name, len(name), len(day), day=day)
    write(check("g", "new.csv", 'by = "day"', 'schema = "off"', test="ks"))
    code, answer = report(capsys)
    found = {o["unit"]: o["result"]["n"]["sample"] for o in answer["outcomes"]}
    assert found == {"2024-01-05": 50, "2024-01-06": 40, "missing": 30}
    said = {w["code"]: w["message"] for w in answer["outcomes"][0]["result"]["warnings"]}
    assert "2024-01-08 (reference 0, sample 8): on one side only" in said["levels-on-one-side"]
    assert "2024-01-07 (reference 3, sample 5): fewer than 8" in said["levels-not-tested"]
    assert code in (0, 1)


def test_permutations_grow_with_the_family_so_that_holm_can_reject(folder, capsys):
    checks = [check(f"c{k}", "like.csv", 'schema = "off"', f"seed = {k}") for k in range(4)]
    write("".join(checks) + check("bad", "unlike.csv", 'schema = "off"'))
    code, answer = report(capsys, "--alpha", "0.004")
    bad = answer["outcomes"][-1]
    assert code == 1
    assert bad["status"] == "rejected"
    assert bad["result"]["null"]["replicates"] >= 1250
    assert bad["adjusted"] == pytest.approx(5 * bad["p_value"])


def test_a_check_that_cannot_reject_at_its_level_has_no_verdict(folder, capsys):
    more = ('over-time = "spending"', "horizon = 100", "permutations = 99")
    write(check("a", "unlike.csv", *more))
    for sample in ("like.csv", "unlike.csv"):  # "not rejected" would mean nothing
        write(check("a", sample, *more))
        code, answer = report(capsys)
        assert code == 3
        assert "this run may use the level 0.0005" in answer["outcomes"][0]["message"]
    write(check("a", "unlike.csv", *more[:2]))
    code, answer = report(capsys)
    assert code == 1


# --- changed columns --------------------------------------------------------------------------


def columns_of(reference, sample):
    pd.DataFrame(reference).to_csv("one.csv", index=False)
    pd.DataFrame(sample).to_csv("two.csv", index=False)
    found = schema.compared(["one.csv"], ["two.csv"], ReadOptions())
    return {(c.code, c.column): c.p_value for c in found.changes}, found.common


def test_facts_about_columns(folder, rng):
    days = pd.date_range("2026-01-01", periods=40)
    one = {"a": rng.normal(size=40), "old": range(40), "k": list("xy") * 20, "day": days}
    two = {"a": rng.normal(size=40), "new": list("pq") * 20, "k": rng.normal(size=40)}
    found, common = columns_of(one, {**two, "day": days + pd.Timedelta(days=30)})
    facts = {key for key, p in found.items() if p is None}
    assert facts == {
        ("column-vanished", "old"),
        ("column-appeared", "new"),
        ("column-kind", "k"),
        ("clock-overlap", "day"),
    }
    assert common == ("a", "day")
    assert columns_of(one, {**one, "day": days + pd.Timedelta(days=50)})[1] == tuple(one)


def test_exact_p_values_of_columns_are_those_of_scipy(rng):
    for _ in range(50):
        m, n = rng.integers(1, 60, 2)
        a, b = int(rng.integers(0, m + 1)), int(rng.integers(0, n + 1))
        distribution = stats.hypergeom(m + n, a + b, n)
        expected = min(1, 2 * min(distribution.cdf(b), distribution.sf(b - 1)))
        assert schema.missing_p(a, int(m), b, int(n)) == pytest.approx(expected)
        k = int(rng.integers(0, n + 1))
        expected = stats.hypergeom(m + n, k, n).pmf(k)
        assert schema.all_new_p(int(m), int(n), k) == pytest.approx(expected)


def test_what_chance_explains_is_no_finding(folder):
    rates, sets = 0, 150
    for seed in range(sets):
        rng = np.random.default_rng([7, seed])
        m, n = 60, 25
        x = pd.DataFrame({"a": rng.standard_cauchy(m + n), "k": rng.zipf(1.7, m + n).astype(str)})
        x["k"] = "l" + x["k"]
        x.loc[rng.random(m + n) < 0.1, "a"] = np.nan
        found, _ = columns_of(x[:m], x[m:])
        rates += min((p for p in found.values() if p is not None), default=1) <= 0.05
    assert rates <= stats.binom.ppf(0.999, sets, 0.05), rates


def test_large_changes_of_columns_are_found(folder, rng):
    one = {"a": rng.normal(size=200), "k": list("xy") * 100, "m": rng.normal(size=200)}
    two = {"a": rng.normal(size=200) + 9, "k": list("xz") * 100, "m": rng.normal(size=200)}
    two["m"][::2] = np.nan
    found, _ = columns_of(one, two)
    for key in (("out-of-range", "a"), ("unseen-level", "k"), ("missing-share", "m")):
        assert found[key] < 1e-6


def test_running_numbers_leave_the_range_by_nature(folder):
    found, _ = columns_of({"id": range(50), "a": [1.0, 2.0] * 25},
                          {"id": range(50, 100), "a": [1.0, 2.0] * 25})  # fmt: skip
    assert not [p for p in found.values() if p is not None and p < 0.05]


@pytest.mark.parametrize(("severity", "code"), [("warn", 0), ("error", 1), ("off", 2)])
def test_a_column_that_vanished_is_a_finding_of_the_check(severity, code, folder, capsys):
    table(folder / "ref.csv", 1, gone=np.arange(120) % 7)
    write(check("a", "like.csv", f'schema = "{severity}"'))
    found, answer = report(capsys)
    one = answer["outcomes"][0]
    assert found == code
    if severity == "off":
        assert one["status"] == "error"
        return
    assert [c["code"] for c in one["changes"]] == ["column-vanished"]
    assert one["status"] == "not rejected"
    assert one["result"]["columns"] == ["a", "b"]


def test_profiles_of_several_files_add_up(folder):
    pd.DataFrame({"a": [1, 2], "k": ["x", None]}).to_csv("p1.csv", index=False)
    pd.DataFrame({"k": ["y", "y"], "a": [None, 5]}).to_csv("p2.csv", index=False)
    found = profile(["p*.csv"], ReadOptions())
    a, k = found.columns["a"], found.columns["k"]
    assert (found.rows, a.cells, a.missing, a.low, a.high) == (4, 4, 1, 1, 5)
    assert (k.missing, dict(k.levels)) == (1, {"x": 1, "y": 2})


def test_errors_of_paths_and_options_are_errors_of_the_check(folder, capsys):
    write(check("a", "none*.csv") + check("b", "like.csv", "columns = 'zz'"))
    code, answer = report(capsys)
    assert code == 2
    assert [o["status"] for o in answer["outcomes"]] == ["error", "error"]
    with pytest.raises(KstestError):
        load("absent.toml", {})


def test_options_of_one_side(folder, capsys):
    """What --reference-decimal says in the shell, reference-decimal says in the file."""
    pd.read_csv("ref.csv").to_csv("comma.csv", index=False, sep="|", decimal=",")
    keys = ['reference-delimiter = "|"', 'reference-decimal = ","', "reference-skip-rows = 0"]
    write(check("one", "like.csv", *keys, reference="comma.csv"))
    code, found = report(capsys)
    assert code == 0
    write(check("one", "like.csv"))
    plain = report(capsys)[1]
    texts = [json.dumps(answer) for answer in (found, plain)]
    values = [re.findall(r'"p_value": [0-9.]+', text) for text in texts]
    assert values[0] == values[1] != []
    for key, words in [
        ('sample-decimal = "x"', "--decimal"),
        ("sample-no-header = 1", "true or false"),
        ('other-decimal = ","', "other-decimal"),
        ('table-decimal = ","', "table-decimal"),
        ("sample-skip-rows = 500", "like.csv"),
    ]:
        write(check("one", "like.csv", key))
        capsys.readouterr()
        assert kstest(["run"]) == 2, key
        assert words in "".join(capsys.readouterr())
