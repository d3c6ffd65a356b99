"""The history of `kstest run`: transactions, kills, damage, acknowledgements, control over time."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kstest.checks import runner
from kstest.checks.config import load
from kstest.checks.history import opened
from kstest.checks.runner import Run, _remembered
from kstest.checks.unit import Unit
from kstest.cli import run as kstest
from kstest.errors import DataError, OutputError
from kstest.findings import summary
from kstest.result import Result
from tests.test_checks import check, folder, report, table, write

__all__ = ["folder"]
HISTORY = Path(".kstest") / "history.db"
EVERY = "[run]\nevery = '1h'\n"


def command(*arguments):
    return [sys.executable, "-m", "kstest", *arguments]


def outcomes(name=None):
    with opened(str(HISTORY), new=False) as history:
        found = history.rows("outcomes", "ORDER BY id")
    return [o for o in found if name in (None, o["name"])]


def test_history_show_ack_and_reset(folder, capsys):
    write(EVERY + check("a", "unlike.csv") + check("b", "like.csv"))
    assert report(capsys)[0] == 1
    for wrong in (
        ["x", "--until", "2999-01-01", "--why", "w"],
        ["a", "--until", "1", "--why", "w"],
    ):
        assert kstest(["ack", *wrong]) == 2
    assert kstest(["ack", "a", "--until", "2020-01-01", "--why", "old"]) == 0
    assert report(capsys)[0] == 1
    assert kstest(["ack", "a", "--until", "2999-01-01", "--why", "a new shop"]) == 0
    code, answer = report(capsys)
    assert code == 0
    assert answer["outcomes"][0]["status"] == "rejected"
    capsys.readouterr()
    kstest(["run", "--threads", "1"])
    assert "acknowledged until 2999-01-01: a new shop" in capsys.readouterr().out
    assert kstest(["reset", "a", "--why", "moved"]) == 0
    assert report(capsys)[0] == 1
    capsys.readouterr()
    assert kstest(["history", "a"]) == 0
    text = capsys.readouterr().out
    assert text.count(" rejected") == 5
    assert "ack until 2999-01-01: a new shop" in text
    assert "reset: moved" in text
    assert kstest(["history", "--format", "csv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 11
    assert rows[0].startswith("run,started,date,check,unit,test,status,p_value")
    assert kstest(["history", "--format", "json", "--last", "2"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["outcomes"]) == 2
    assert len(found["events"]) == 3
    assert kstest(["show", "1", "--format", "json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["outcomes"][0]["result"]["verdict"] == "rejected"
    assert whole["digest"] == answer["digest"]
    assert kstest(["show", "1"]) == 0
    assert "ref.csv, 120 rows" in capsys.readouterr().out
    last = max(o["run"] for o in found["outcomes"])
    assert kstest(["show"]) == 0
    assert capsys.readouterr().out.startswith(f"run {last},")
    for wrong in (["show", "99"], ["history", "zz"], ["show", "1", "--history", "no.db"]):
        assert kstest(wrong) == 2


def test_a_history_is_drawn_and_a_run_is_a_page(folder, capsys, monkeypatch):
    """Also from another folder, by a name relative to it; p-values of several checks in a run."""
    kept = EVERY + check("a", "unlike.csv") + check("b", "like.csv") + check("gone", "absent.csv")
    write(kept.replace("[checks.a]", "[checks.'a <b>']"))
    for _ in range(3):
        assert report(capsys)[0] == 1
    assert kstest(["reset", "b"]) == 0
    report(capsys)
    (folder / "below").mkdir()
    monkeypatch.chdir(folder / "below")
    for name in ("h.svg", "h.html", "h.png"):
        assert kstest(["history", "--plot", name, "--last", "9"]) == 0
    drawn = Path("h.svg").read_text()
    said = ("a &lt;b&gt;: p-value", "b: effect", "3 checks in 3 runs", "level 0.05")
    for words in (*said, "gone (0 of 3 rejected, 3 error"):
        assert words in drawn
    assert "3 checks in 3 runs, 3 of 9 outcomes rejected" in Path("h.html").read_text()
    before = (folder / HISTORY).read_bytes()
    for wrong in (["--plot", "h.db"], ["--plot", "h.svg", "-o", "h.svg"], ["--plot", "no/h.svg"]):
        assert kstest(["history", *wrong]) == 2
    assert (folder / HISTORY).read_bytes() == before
    assert kstest(["show", "4", "--format", "html", "-o", "page.html"]) == 0
    page = Path("page.html").read_text()
    assert "ALARM" in page
    assert "a &lt;b&gt;" in page
    assert "begun anew" in page
    assert "<b>" not in page
    assert page.count("All numbers") == 1


def test_whole_results_of_old_runs_are_dropped_and_lines_stay(folder, capsys):
    write("[run]\nkeep = 2\n" + check("a", "like.csv"))
    for _ in range(4):
        report(capsys)
    with opened(str(HISTORY), new=False) as history:
        kept = [history.result(o) is not None for o in history.rows("outcomes", "ORDER BY id")]
    assert kept == [False, False, True, True]
    assert kstest(["show", "1"]) == 0


def test_the_same_data_use_up_a_level_once(folder, capsys):
    write(check("a", "like.csv", "over-time = 'spending'", "horizon = 3"))
    first = report(capsys)[1]["outcomes"][0]
    code, answer = report(capsys)
    again = answer["outcomes"][0]
    assert code == 0
    assert again["repeated"]
    assert (again["p_value"], again["level"]) == (first["p_value"], first["level"])
    for seed in (21, 22):
        table(folder / "like.csv", seed)
        assert report(capsys)[0] == 0
    table(folder / "like.csv", 23)
    code, answer = report(capsys)
    assert code == 3
    assert "spent" in answer["outcomes"][0]["message"]
    assert kstest(["reset", "a"]) == 0
    assert report(capsys)[0] == 0
    assert [o["counted"] for o in outcomes()] == [1, 0, 1, 1, 0, 1]


def test_without_a_history_only_what_needs_none_is_run(folder, capsys):
    write(check("a", "like.csv"))
    assert report(capsys, "--history", "none")[0] == 0
    assert not HISTORY.exists()
    write(check("a", "like.csv", "over-time = 'online-fdr'"))
    assert kstest(["run", "--history", "none"]) == 2
    assert "needs a history" in capsys.readouterr().err


def test_a_stream_goes_on_from_run_to_run_and_begins_anew(folder, capsys):
    rng = np.random.default_rng(3)
    pd.DataFrame({"a": rng.normal(size=400)}).to_csv("ref.csv", index=False)
    write(check("s", "{date:%d}.csv", test="smmd"))
    for day in ("01", "02", "03"):
        pd.DataFrame({"a": rng.normal(size=60) + 3 * (day == "03")}).to_csv(
            f"{day}.csv", index=False
        )
    codes = [report(capsys, "--date", f"2026-01-{day}")[0] for day in ("01", "02", "03")]
    assert codes == [0, 0, 1]
    assert report(capsys, "--date", "2026-01-01")[0] == 1  # decided, for ever
    assert kstest(["reset", "s"]) == 0
    assert report(capsys, "--date", "2026-01-01")[0] == 0
    assert sorted(p.name for p in Path(".kstest/states").glob("s*")) == ["s.1.kst", "s.kst"]


def test_streams_share_the_level_and_keep_what_they_began_with(folder, capsys):
    rng = np.random.default_rng(3)
    for name in ("ref", "new"):
        pd.DataFrame({"a": rng.normal(size=300)}).to_csv(f"{name}.csv", index=False)
    one = check("s", "new.csv", test="smmd")
    write(one)
    assert report(capsys)[1]["outcomes"][0]["level"] == 0.05
    write(one + check("t", "new.csv", test="smmd"))
    code, answer = report(capsys)
    assert code == 0, answer
    assert [o["level"] for o in answer["outcomes"]] == [0.05, 0.025]
    assert "2 streams, any false alarm at any time has probability at most 0.075" in str(answer)


def test_one_truncated_file_in_ten_is_one_error(folder, capsys):
    rng = np.random.default_rng(1)
    text = ""
    for k in range(10):
        pd.DataFrame({"a": rng.normal(size=80)}).to_parquet(f"{k}.parquet")
        text += check(f"c{k}", f"{k}.parquet", reference="0.parquet")
    content = Path("7.parquet").read_bytes()
    Path("7.parquet").write_bytes(content[: len(content) // 2])
    write(text)
    code, answer = report(capsys)
    assert code == 2
    found = [o["status"] for o in answer["outcomes"]]
    assert found == ["not rejected"] * 7 + ["error"] + ["not rejected"] * 2
    assert "7.parquet" in answer["outcomes"][7]["message"]


def test_two_runs_at_once_come_one_after_the_other(folder):
    write(check("a", "{date:%d}.csv", "over-time = 'spending'", "horizon = 50"))
    days = [f"{day:02}" for day in range(1, 5)]
    for day in days:
        table(folder / f"{day}.csv", int(day) + 50)
    runs = [
        subprocess.Popen(command("run", "--quiet", "--threads", "1", "--date", f"2026-01-{day}"))
        for day in days
    ]
    assert [run.wait() for run in runs] == [0] * 4
    found = outcomes()
    assert [o["place"] for o in found] == [0, 1, 2, 3]
    assert len({o["run"] for o in found}) == 4


@pytest.mark.parametrize("runs", [4, pytest.param(200, marks=pytest.mark.slow)])
def test_a_killed_run_is_there_whole_or_not_at_all(runs, folder, capsys):
    rng = np.random.default_rng(0)
    write(check("a", "like.csv") + check("b", "like.csv"))
    for _ in range(runs):
        done = subprocess.Popen(command("run", "--quiet", "--threads", "1"))
        time.sleep(rng.uniform(0, 2.0))
        done.send_signal(signal.SIGKILL)
        done.wait()
    assert report(capsys)[0] == 0
    with opened(str(HISTORY), new=False) as history:
        numbers = [r["id"] for r in history.rows("runs", "ORDER BY id")]
        each = [len(history.rows("outcomes", "WHERE run = ?", n)) for n in numbers]
    assert each == [2] * len(numbers)


def test_a_clock_that_is_put_back_changes_no_order(folder, capsys, monkeypatch):
    write(check("a", "like.csv", "over-time = 'spending'", "horizon = 9"))

    class Clock(datetime):
        hours = 0

        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 1, 31, 12, tzinfo=UTC) + timedelta(hours=cls.hours)

    monkeypatch.setattr(runner, "datetime", Clock)
    for k, hours in enumerate((0, 1, -50, 2)):
        Clock.hours = hours
        table(folder / "like.csv", 60 + k)
        assert report(capsys)[0] == 0
    found = outcomes()
    assert [o["place"] for o in found] == [0, 1, 2, 3]
    assert [o["run"] for o in found] == [1, 2, 3, 4]
    capsys.readouterr()
    assert kstest(["history"]) == 0
    assert "2026-01-29" in capsys.readouterr().out.splitlines()[2]


def damaged(folder, capsys, content):
    """What is said with a history of this content, which stays as it is."""
    HISTORY.write_bytes(content)
    capsys.readouterr()
    codes = [kstest(["history"]), kstest(["run", "--quiet", "--threads", "1"])]
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "internal error" not in err
    return codes, err


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "zeros", "foreign"])
def test_a_damaged_history_is_refused_and_kept(kind, folder, capsys):
    write(check("a", "like.csv"))
    report(capsys)
    whole = HISTORY.read_bytes()
    content = {
        "empty": b"",
        "text": b"no database" * 50,
        "cut": whole[: len(whole) // 2],
        "zeros": whole[:4096] + bytes(len(whole) - 4096),
        "foreign": _foreign(),
    }[kind]
    codes, err = damaged(folder, capsys, content)
    assert codes == [2, 2]
    assert "history" in err
    assert HISTORY.read_bytes() == content
    assert HISTORY.with_name("history.db.damaged").read_bytes() == content


def _foreign():
    import sqlite3

    with closing(sqlite3.connect("other.db")) as base:
        base.execute("CREATE TABLE t (x)")
        base.commit()
    return Path("other.db").read_bytes()


@pytest.mark.parametrize("sets", [40, pytest.param(5000, marks=pytest.mark.slow)])
def test_altered_bytes_of_a_history_never_change_what_counts(sets, folder, capsys):
    write(check("a", "like.csv", "over-time = 'online-fdr'"))
    for seed in range(3):
        table(folder / "like.csv", 80 + seed)
        report(capsys)
    whole, rng = HISTORY.read_bytes(), np.random.default_rng(1)
    with opened(str(HISTORY), new=False) as history:
        right = history.series("a", "")
    refused = 0
    for _ in range(sets):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            content[place] = rng.integers(256)
        HISTORY.write_bytes(bytes(content))
        for extra in ("-wal", "-shm"):
            Path(f"{HISTORY}{extra}").unlink(missing_ok=True)
        try:
            with opened(str(HISTORY), new=False) as history:
                assert history.series("a", "") == right
        except DataError:
            refused += 1
        assert kstest(["history"]) in (0, 2)
        assert kstest(["show", "2"]) in (0, 2)
        assert "Traceback" not in capsys.readouterr().err
    assert refused < sets


def test_a_history_that_cannot_be_written_is_said_before_anything_is_read(folder, capsys):
    write(check("a", "absent.csv"))
    for place in ("like.csv/history.db", "/proc/kstest/history.db", "."):
        assert kstest(["run", "--history", place]) == 2
        assert "history" in capsys.readouterr().err
    assert not (folder / ".kstest").exists()


def test_a_full_disk_is_an_error_and_leaves_the_history_whole(folder, capsys):
    write(check("a", "like.csv"))
    report(capsys)
    config = load("kstest.toml", {})
    with opened(str(HISTORY)) as history:
        history._base.execute("PRAGMA cache_size = 1")
        pages = history._base.execute("PRAGMA page_count").fetchone()[0]
        history._base.execute(f"PRAGMA max_page_count = {pages}")

        def until_full():
            for _ in range(50):
                runner.run(config, [*config.checks.values()], datetime.now(), 1, history)

        with pytest.raises(OutputError, match="full"):
            until_full()
    code, answer = report(capsys)
    assert code == 0
    assert len(outcomes()) == answer["run"]


def test_rows_that_are_lost_or_altered_are_noticed(folder, capsys):
    import sqlite3

    write(check("a", "like.csv", "over-time = 'spending'", "horizon = 9"))
    for seed in range(3):
        table(folder / "like.csv", 90 + seed)
        report(capsys)
    whole = HISTORY.read_bytes()
    for text in (
        "DELETE FROM outcomes WHERE id = 2",
        "UPDATE outcomes SET p_value = 0.9 WHERE id = 1",
        "UPDATE outcomes SET level = 0.0 WHERE id = 3",
    ):
        HISTORY.write_bytes(whole)
        with closing(sqlite3.connect(HISTORY)) as base:
            base.execute(text)
            base.commit()
        table(folder / "like.csv", 99)
        assert kstest(["run", "--quiet", "--threads", "1"]) == 2
        assert "damaged" in capsys.readouterr().err


def test_results_that_are_dropped_give_their_room_back(folder):
    with opened("h.db") as history:
        for k in range(300):
            with history.transaction():
                history.add("runs", {"started": str(k)})
                history.add("outcomes", {"run": k + 1, "name": "a"}, "x" * 2500)
                history.forget(3)
        rows = history.rows("outcomes", "ORDER BY id")
        kept = history.rows("outcomes", "WHERE result IS NOT NULL ORDER BY id")
    assert [row["run"] for row in rows] == list(range(1, 301))
    assert [row["run"] for row in kept] == [298, 299, 300]
    assert Path("h.db").stat().st_size < 300 * 500  # a page each would be 1.2 MB


# --- many runs of a stable process ------------------------------------------------------------


def soak(config, runs, rng, p_of, history):
    """Runs of all checks by a fast clock; exit code and rejected checks of each."""
    found = []
    for k in range(runs):
        now = datetime(2026, 1, 1) + timedelta(hours=k)
        units = []
        for name, one in config.checks.items():
            p = p_of(k, name, rng)
            result = Result(
                "mmd", "rejected" if p <= one.alpha else "not rejected", one.alpha, p_value=p,
                inputs=({"sha256": f"{k} {name}"},), findings=(summary("s"),),
            )  # fmt: skip
            units.append(Unit(one, "", dict(one.options), {}, result=result))
        made = _remembered(Run(config, [*config.checks.values()], now, 1, history), units)
        found.append((made.exit_code, [o.name for o in made.outcomes if o.status == "rejected"]))
    return found


KINDS = {
    "per-run": "",
    "spending": "over-time = 'spending'\nhorizon = {runs}",
    "online-fdr": "over-time = 'online-fdr'\nrule = 'lord'",
}


@pytest.mark.parametrize("runs", [60, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stable_process_keeps_to_the_promised_false_alarms(kind, runs, folder):
    repeats = 1 if kind == "per-run" else 5
    checks = 5 if runs < 100 else 20
    text = "[run]\nalpha = 0.1\nkeep = 1\n"
    more = KINDS[kind].format(runs=runs)
    text += "".join(check(f"c{k}", "x", 'schema = "off"', more) for k in range(checks))
    write(text)
    config, rng, alarms, ever = load("kstest.toml", {}), np.random.default_rng(5), 0, 0
    for repeat in range(repeats):
        with opened(f"soak{repeat}.db") as history:
            history._base.execute("PRAGMA synchronous = OFF")
            found = soak(config, runs, rng, lambda k, name, rng: float(1 - rng.random()), history)
        alarms += sum(code == 1 for code, _ in found)
        ever += any(code == 1 for code, _ in found)
    if kind == "per-run":
        assert alarms <= stats.binom.ppf(0.999, runs, 0.1)
    else:  # every alarm is false: the probability of one is the false discovery rate, too
        assert ever <= stats.binom.ppf(0.999, repeats, 0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_is_found_and_the_history_has_the_delay(kind, folder, capsys):
    more = KINDS[kind].format(runs=40)
    write("[run]\nkeep = 1\n" + check("a", "x", more) + check("b", "x", more))
    config, rng = load("kstest.toml", {}), np.random.default_rng(6)

    def p_of(k, name, rng):
        return 1e-9 if name == "a" and k >= 20 else float(1 - 0.9 * rng.random())

    with opened("soak.db") as history:
        found = soak(config, 30, rng, p_of, history)
    assert [k for k, (_, names) in enumerate(found) if names] == list(range(20, 30))
    assert kstest(["history", "a", "--history", "soak.db", "--format", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert next(k for k, line in enumerate(lines) if ",rejected," in line) == 20


# --- from two exports to a job ----------------------------------------------------------------


def orders(path, day, seed, rows=500, start=0, shift=0.0):
    """A table of orders: numbers, text, identifiers, a clock, missing cells, a constant."""
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.uniform(0, 86400, rows))
    found = pd.DataFrame(
        {
            "order_id": np.arange(start, start + rows),
            "uuid": [f"{x:016x}" for x in rng.integers(0, 2**62, rows)],
            "placed": pd.Timestamp(day) + pd.to_timedelta(seconds, unit="s"),
            "amount": np.exp(rng.normal(3 + shift, 1, rows)).round(2),
            "items": rng.poisson(3, rows) + 1,
            "country": rng.choice(["DE", "FR", "NL"], rows, p=[0.5, 0.3, 0.2]),
            "coupon": rng.choice(["A", "B"], rows),
            "currency": "EUR",
        }
    )
    found.loc[rng.random(rows) < 0.1, "coupon"] = None
    if path.endswith("csv"):
        found.to_csv(path, index=False)
    else:
        found.to_parquet(path)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_three_commands_lead_to_a_green_and_a_red_job(form, folder, capsys):
    orders(f"monday.{form}", "2026-01-05", 1)
    orders(f"tuesday.{form}", "2026-01-06", 2, start=500)
    assert kstest(["init", f"monday.{form}", f"tuesday.{form}"]) == 0
    text = Path("kstest.toml").read_text()
    for name in ("order_id", "uuid", "placed", "currency"):
        assert f"# left out: {name} " in text
    assert kstest(["validate"]) == 0
    assert kstest(["run", "--threads", "1"]) == 0
    capsys.readouterr()
    orders(f"tuesday.{form}", "2026-01-06", 3, start=500, shift=0.6)
    code, answer = report(capsys)
    assert code == 1
    assert answer["outcomes"][0]["result"]["columns"] == ["amount", "items", "country", "coupon"]
    capsys.readouterr()
    assert kstest(["init", f"monday.{form}", f"tuesday.{form}"]) == 2
    assert "is not replaced" in capsys.readouterr().err
    assert Path("kstest.toml").read_text() == text


def test_init_writes_a_file_that_runs_for_odd_names_and_tables(folder, capsys):
    rng = np.random.default_rng(1)
    odd = ['a "quoted" one', "comma, semi;", "line\nbreak", "ünï", "[x]", "it's", "1", "#"]
    for name in ("p.parquet", "q.parquet"):
        frame = pd.DataFrame({n: rng.normal(size=40) for n in odd})
        frame["only" + name[0]] = 1
        frame["empty"] = np.full(40, np.nan)
        frame["lists"] = [[1, 2]] * 40
        frame.to_parquet(name)
    assert kstest(["init", "p.parquet", "q.parquet", "-o", "odd.toml"]) == 0, capsys.readouterr()
    code, answer = report(capsys, "--config", "odd.toml", "--history", "none")
    assert code in (0, 1), answer
    assert answer["outcomes"][0]["result"]["columns"] == odd
    for wrong in (["init", "p.parquet", "none.csv"], ["init", "p.parquet", "q.parquet", "-o", "."]):
        assert kstest(wrong) == 2


def test_settings_are_kept_and_replace_is_frozen(folder, capsys):
    write("[run]\nalpha = 0.2\n" + check("a", "like.csv"))
    report(capsys, "--correction", "bh")
    with opened(str(HISTORY), new=False) as history:
        (run,) = history.rows("runs")
    assert json.loads(run["settings"])["alpha"] == 0.2
    assert json.loads(run["settings"])["correction"] == "bh"
    config = load("kstest.toml", {})
    assert replace(config.checks["a"], alpha=0.1).digest != config.checks["a"].digest
    assert os.path.samefile(config.folder, ".")


DOCS = (Path(__file__).parent.parent / "docs" / "run.md").read_text()


def test_the_commands_of_the_page_run(folder, capsys):
    root = Path(__file__).parent.parent / "datasets"
    Path("datasets").symlink_to(root)
    lines = [line for line in DOCS.splitlines() if line.startswith("kstest ")]
    assert len(lines) >= 8
    for line in lines:
        words = shlex.split(line)[1:]
        if words[0] in (
            "init",
            "baseline",
            "validate",
            "run",
            "history",
            "show",
            "ack",
            "reset",
            "config",
        ):
            assert kstest(words) == 0, line
    Path("kstest.toml").write_text(DOCS.split("```toml\n")[1].split("```")[0])
    assert kstest(["validate"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("sample", "subject"),
    [("like.csv", ""), ("unlike.csv", "drift"), ("absent.csv", "check failed"),
     ("small.csv", "no verdict")],
)  # fmt: skip
def test_the_line_for_cron_tells_an_alarm_from_a_fault(sample, subject, folder, monkeypatch):
    write(check("a", sample))
    line = next(line for line in DOCS.splitlines() if line.startswith("0 6 * * *"))
    command = line.removeprefix("0 6 * * * ").replace("/srv/shop", str(folder))
    Path("bin").mkdir()
    scripts = {"kstest": f'exec {sys.executable} -m kstest "$@"', "mail": 'cat > "$2.mail"'}
    for name, text in scripts.items():
        (Path("bin") / name).write_text(f"#!/bin/sh\n{text}\n")
        (Path("bin") / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""
    mails = [p.stem for p in folder.glob("*.mail")]
    assert mails == ([subject] if subject else [])
