"""Pages: what they say, that nothing in them is markup of a file, and how a browser shows them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise

import chromium
import numpy as np
import pandas as pd
import pytest
from test_checks import check, folder, write  # noqa: F401
from test_checks_formats import NASTY, RUNS

from kstest.checks.forms import render
from kstest.checks.history import opened
from kstest.cli import run as kstest
from kstest.dqm.history import Identity, remembered
from kstest.report import pages
from kstest.report.trend import Point, trend

HOSTILE = "<script>alert(1)</script>"
NAME = HOSTILE.replace("/", "")
needs_browser = pytest.mark.skipif(chromium.BROWSER is None, reason="there is no Chromium here")
VOID = {"meta", "br", "link", "img", "hr", "input"}


class Page(HTMLParser):
    """Elements, attributes and text; every element has to be closed in its order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self._open = [], [], "", []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] not in ("style", "script"):
            self.text += data


def require_safe(text):
    """One script, our own; nothing is loaded from elsewhere, and no handler of an event."""
    page = Page(text)
    assert page.tags.count("script") == 1
    assert text.count("<script>") == 1
    assert not {"link", "img", "iframe", "object", "base", "form"} & set(page.tags)
    for name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "xlink:href", "action"):
            assert value.startswith("#")
    return page


@pytest.mark.parametrize("run", RUNS)
def test_the_page_of_a_run_says_all_of_it_as_text(run):
    page = require_safe(render(run, "html"))
    for outcome in run.outcomes:
        assert outcome.status.lower() in page.text.lower()
    assert f"All checks ({len(run.outcomes)})" in page.text


@pytest.fixture
def shop(folder):  # noqa: F811
    """Checks whose names, columns, levels and files would be markup; some reject."""
    rng = np.random.default_rng(4)
    for name, shift in (("then", 0), ("now", 2), (NAME, 0)):
        table = {HOSTILE: rng.normal(size=90) + shift, "kind": rng.choice(["a", HOSTILE], 90)}
        pd.DataFrame(table).to_csv(f"{name}.csv", index=False)
    write(
        check(f"'{NAME}'", "now.csv", reference="then.csv")
        + check("quiet", f"{NAME}.csv", reference="then.csv")
        + check("gone", "none.csv", reference="then.csv")
    )
    return folder


def test_a_run_writes_its_page(shop, capsys):
    assert kstest(["run", "--threads", "1", "--report", "html:page.html"]) == 1
    first = require_safe((shop / "page.html").read_text())
    assert HOSTILE in first.text
    assert "The history has no run before this one." in first.text
    assert "--report html:page.html" in first.text
    assert "svg" in first.tags
    kstest(["ack", NAME, "--until", "2999-01-01", "--why", HOSTILE])
    pd.read_csv("then.csv").to_csv("none.csv", index=False)
    capsys.readouterr()
    assert kstest(["run", "--threads", "1", "--format", "html"]) == 0
    text = capsys.readouterr().out
    second = require_safe(text)
    assert f"{NAME}: acknowledged until 2999-01-01: {HOSTILE}" in second.text
    assert "gone: not rejected, was error" in second.text
    assert [second.tags.count("h1"), second.tags.count("figure")] == [1, 2]


def test_an_answer_is_a_page(shop, capsys):
    words = ["mmd", "then.csv", "now.csv", "--threads", "1", "--format", "html"]
    assert kstest(words) == 1
    page = require_safe(capsys.readouterr().out)
    for word in ("REJECTED", HOSTILE, "p-value", "then.csv", "All columns (2)"):
        assert word in page.text


def test_without_the_library_it_is_said_before_anything_is_read(tmp_path):
    code = (
        "import sys; sys.modules['jinja2'] = None\n"
        "from kstest.cli import run\n"
        "codes = [run(w.split()) for w in ('mmd none.csv none.csv --format html',"
        " 'run --format html', 'run --report html:x.html', 'mmd a.csv b.csv --plot x.html')]\n"
        "assert codes == [2] * 4\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("python3 -m pip install 'kstest[html]'") == 4


def test_names_in_a_template_are_text_and_what_is_missing_an_error():
    for text in NASTY:
        found = pages._environment().from_string("{{ text }}").render(text=text)
        assert "<" not in found
        assert found.isprintable()
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        pages._environment().from_string("{{ nothing }}").render()


def test_a_trend_has_a_place_for_every_run():
    p = [0.5, None, 1e-30, 0.04, 1.0]
    found = trend([Point(x, x is not None and x < 0.05, x == 0.04) for x in p], 0.05, ("a", "b"))
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", found.line)]
    assert len(heights) == 4
    assert heights[1] < heights[2] < found.level < heights[0] < heights[3] == 100
    assert min(heights) >= 0
    assert len(found.hits) == 2
    assert found.gaps.count("M") == 1
    assert found.bands == ((600.0, 200.0),)
    assert all(a > b for (a, _), (b, _) in pairwise(found.ticks))
    assert trend([Point(0.5, False, False)], 0.05, ("", "")) is None


def require_shown(tab, path, tables):
    """No message on the console, nothing wider than a phone, no faint text, tables that sort."""
    for width in (380, 1000):
        for scheme in ("light", "dark"):
            tab.open(path, width, scheme=scheme)
            wide = tab.evaluate("document.documentElement.scrollWidth")
            assert wide <= width
            assert tab.evaluate(chromium.FAINT) == {}
    sort = """(() => { const found = [];
      for (const table of document.querySelectorAll("table.sorted")) {
        for (const head of table.tHead.rows[0].cells) for (const k of [0, 1]) {
          head.querySelector("button").click();
          const keys = [...table.tBodies[0].rows].map(r => r.cells[head.cellIndex])
            .map(c => c.dataset.key ?? c.textContent.trim()).filter(t => t !== "");
          found.push([head.getAttribute("aria-sort"), keys]); } }
      return found; })()"""
    found = tab.evaluate(sort)
    assert len(found) >= 2 * tables
    for order, keys in found:
        numbers = [re.sub(r",| %$", "", key) for key in keys]
        if all(re.fullmatch(r"-?[\d.]+(e[-+]?\d+)?", text) for text in numbers):
            values = [float(text) for text in numbers]
            assert values == sorted(values, reverse=order == "descending")
    assert tab.said == []


@needs_browser
def test_faint_text_is_found(tmp_path):
    page = tmp_path / "page.html"
    body = "<body style='background: #fff'><p style='color: {}; opacity: {}'>text</p></body>"
    with chromium.tab() as tab:
        for color, opacity, faint in (("#777777", 1, 1), ("#767676", 1, 0), ("#333", 0.5, 1)):
            page.write_text(body.format(color, opacity))
            tab.open(page)
            assert len(tab.evaluate(chromium.FAINT)) == faint


@needs_browser
def test_a_browser_shows_pages(shop, capsys):
    for name in (1, 2):
        kstest(["run", "--threads", "1", "--report", f"html:run{name}.html"])
    kstest(["ks", "then.csv", "now.csv", "--format", "html", "-o", "ks.html", "--threads", "1"])
    kstest(["mmd", "then.csv", "now.csv", "--plot", "mmd.html", "--threads", "1"])
    with chromium.tab() as tab:
        for name, tables in (("run1", 1), ("run2", 1), ("ks", 1), ("mmd", 1)):
            require_shown(tab, f"{name}.html", tables)
        tab.open("run2.html", 1000)
        # The alarm is what is seen first: at the top, and the largest text.
        size = "parseFloat(getComputedStyle({}).fontSize)"
        heading = size.format("document.querySelector('h1')")
        every = "[...document.querySelectorAll('body :not(h1, h1 *)')]"
        others = f"Math.max(...{every}.map(e => {size.format('e')}))"
        assert tab.evaluate(heading) > tab.evaluate(others)
        assert tab.evaluate("document.querySelector('h1').getBoundingClientRect().top") < 60
        assert "min ago" in tab.evaluate("document.querySelector('time').textContent")


# --- the status of batches ------------------------------------------------------------------------


def batches(path, p_values, calibration="c", name="b", start=0):
    """A history of batches, two rejections of the last three an alarm."""
    last = []
    with remembered(str(path), calibration) as history:
        for k, p in enumerate(p_values, start):
            batch = Identity(f"{name}{k}", f"{calibration} {k}")
            line = history.add(f"{name}{k}", batch, f"2026-01-{1 + k // 24:02d}T{k % 24:02d}:00", p)
            rejected = None if p is None else p <= 0.01
            last = [*last, rejected][-3:] if rejected is not None else last
            verdict = {None: "no verdict", True: "rejected", False: "not rejected"}[rejected]
            line |= {"alarm": sum(last) >= 2, "verdict": verdict, "events": 500, "judged": 500,
                     "level": 0.01, "rule": "2/3"}  # fmt: skip


def status(path, capsys, *words):
    capsys.readouterr()
    code = kstest(["dqm", "status", str(path), *words])
    return code, capsys.readouterr().out


GOOD, BAD = 0.5, 1e-5
CASES = [
    ([GOOD] * 3, 0, "NO ALARM: 3 batches, the last one b2"),
    ([GOOD, BAD, BAD], 1, "ALARM: since batch b2"),
    ([GOOD, BAD, BAD, GOOD], 1, "ALARM: since batch b2"),
    ([GOOD, BAD, BAD, GOOD, GOOD], 0, "NO ALARM: 5 batches"),
    ([GOOD, BAD, BAD, None], 1, "ALARM: since batch b2"),
    ([GOOD, None], 3, "NO VERDICT: no verdict on the last batch"),
]


@pytest.mark.parametrize(("p_values", "code", "head"), CASES)
def test_the_headline_of_the_status_is_the_exit_code(p_values, code, head, tmp_path, capsys):
    path = tmp_path / "h.db"
    batches(path, p_values)
    for words in ([], ["--format", "json"], ["--format", "markdown"], ["--format", "html"]):
        found, out = status(path, capsys, *words)
        assert found == code
        if not words:
            assert out.startswith(head)
            assert max(map(len, out.splitlines())) <= 80
        elif words[1] == "json":
            assert json.loads(out)["courses"][0]["batches"] == len(p_values)
            assert len(json.loads(out)["batches"]) == len(p_values)
        elif words[1] == "html":
            page = require_safe(out)
            assert " ".join(page.text.split()).split("kstest")[0].count(head.split(":")[0])
    assert status(path, capsys, "--exit-zero")[0] == (0 if code == 1 else code)


def test_a_calibration_that_was_replaced_alarms_no_more(tmp_path, capsys):
    path = tmp_path / "h.db"
    batches(path, [GOOD, BAD, BAD], "old")
    batches(path, [GOOD] * 2, "new", start=3)
    assert status(path, capsys)[0] == 1  # it may be that of another detector
    batches(path, [GOOD], "new", start=5)
    code, out = status(path, capsys)
    assert code == 0
    assert "an earlier calibration, its alarms count no more" in " ".join(out.split())
    # Two that are used in turn are both in force.
    batches(path, [GOOD], "old", start=6)
    batches(path, [BAD, BAD], "old", start=7)
    batches(path, [GOOD], "new", start=9)
    code, out = status(path, capsys)
    assert (code, out.startswith("ALARM: calibration old, since batch b8")) == (1, True)


def test_an_acknowledged_alarm_of_batches_is_shown_as_that(tmp_path, capsys):
    path = tmp_path / "h.db"
    batches(path, [GOOD, BAD, BAD])
    assert kstest(["dqm", "ack", str(path), "--until", "2999-01-01", "--why", HOSTILE]) == 0
    code, out = status(path, capsys)
    assert (code, out.startswith("ACKNOWLEDGED ALARM: since batch b2")) == (0, True)
    assert f"until 2999-01-01: {HOSTILE}" in out
    page = require_safe(status(path, capsys, "--format", "html")[1])
    assert f"until 2999-01-01: {HOSTILE}" in page.text


def test_checks_of_batches_have_a_status_too(folder, capsys):  # noqa: F811
    with opened(str(folder / "h.db")) as history:
        for run, statuses in enumerate([["not rejected"], ["rejected", "not rejected"]], 1):
            history.add("runs", {"started": f"2026-01-0{run}T00:00:00+00:00", "heads": "{}"})
            for place, word in enumerate(statuses):
                row = {"run": run, "name": "tubes", "unit": f"run{run}{place}.csv", "series": "",
                       "test": "dqm check", "status": word, "p_value": 0.02, "level": 0.05,
                       "over_time": "per-run"}  # fmt: skip
                history.add("outcomes", row)
    code, out = status(folder / "h.db", capsys)
    assert code == 1
    assert out.startswith("ALARM: since batch run20.csv (2026-01-02 00:00 UTC)")
    with opened(str(folder / "h.db")) as history:
        history.event("ack", "tubes", "2999-01-01", "known")
    assert status(folder / "h.db", capsys)[0] == 0


@pytest.mark.parametrize("content", [None, b"", b"garbage\n", b"SQLite format 3\x00" + b"x" * 200])
def test_what_is_no_history_of_batches_is_said(content, tmp_path, capsys):
    path = tmp_path / "h.db"
    if content is not None:
        path.write_bytes(content)
    assert kstest(["dqm", "status", str(path), "-o", str(tmp_path / "s.html")]) == 2
    assert "h.db" in capsys.readouterr().err
    assert not (tmp_path / "s.html").exists()


def test_a_status_is_not_written_over_its_history(tmp_path):
    path = tmp_path / "h.db"
    batches(path, [GOOD])
    before = path.read_bytes()
    assert kstest(["dqm", "status", str(path), "-o", str(path)]) == 2
    assert path.read_bytes() == before


@needs_browser
def test_a_browser_shows_the_status(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    batches("h.db", [*rng.random(40), BAD, BAD, BAD], "old")
    batches("h.db", [*rng.uniform(0.02, 1, 300), None, BAD, BAD], "new", f"run_{NAME}_{'x' * 90}")
    assert kstest(["dqm", "status", "h.db", "-o", "alarm.html"]) == 1
    batches("h.db", [GOOD] * 3, "new", start=400)
    assert kstest(["dqm", "status", "h.db", "-o", "quiet.html"]) == 0
    with chromium.tab() as tab:
        for name in ("alarm", "quiet"):
            require_shown(tab, f"{name}.html", 3)
        # At night, too, the alarm is a bright block that is seen without any colour.
        tab.open("alarm.html", 380, scheme="dark")
        style = "getComputedStyle(document.querySelector('h1'))"
        light = [
            tab.evaluate(f"{style}.{key}.match(/\\d+/g).slice(0, 3).map(Number)")
            for key in ("backgroundColor", "color")
        ]
        assert light[0][0] - light[1][0] > 150  # the red of both, under a red lamp
        assert tab.said == []
