"""The history of kstest dqm check: alarms over many runs, damage, repetition, time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import kstest
import kstest.result
from kstest.archive.database import Database, begin, opened
from kstest.cli import run
from kstest.dqm.check import Params
from kstest.dqm.history import History, Identity, read, remembered
from kstest.dqm.over_time import with_alarms
from kstest.dqm.status import courses
from kstest.errors import DataError
from kstest.findings import Facts
from kstest.result import Result

FAST = {"batch_size": 60, "toys": 199, "centres": 20, "threads": 1}


def events(n, rng, shift=0.0):
    return pd.DataFrame(rng.normal(size=(n, 2)) + shift, columns=["a", "b"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two calibrations and batches; `bad` ones are shifted."""
    path, rng = tmp_path_factory.mktemp("history"), np.random.default_rng(3)
    reference = events(700, rng)
    for name in ("one", "two"):
        kstest.dqm_calibrate(reference, events(1500, rng), **FAST).save(str(path / f"{name}.cal"))
    for name in ("good1", "good2", "good3", "bad1", "bad2"):
        shift = 1.0 if name.startswith("bad") else 0.0
        events(60, rng, shift).to_parquet(path / f"{name}.parquet")
    return path


def check(path, history, *names, calibration="one", options=()):
    batches = [str(path / f"{name}.parquet") for name in names]
    words = ["dqm", "check", str(path / f"{calibration}.cal"), *batches, "--threads", "1"]
    return run([*words, "--history", str(history), *options])


def lines(history):
    return read(str(history))[0]


def test_a_repeated_check_leaves_the_history_as_it_is(folder, tmp_path, capsys):
    history = tmp_path / "h.db"
    codes = [check(folder, history, name) for name in ("good1", "bad1", "bad2", "good2", "good3")]
    assert codes == [0, 0, 1, 1, 0]
    before, written = history.read_bytes(), history.stat().st_mtime_ns
    for name, code in zip(("bad2", "good1", "bad1", "good3"), (1, 0, 0, 0), strict=True):
        capsys.readouterr()
        assert check(folder, history, name) == code  # the answer that it had
        out = " ".join(capsys.readouterr().out.split())
        assert "was checked before" in out
        assert out.startswith("ALARM" if code else "NO ALARM")
    assert history.read_bytes() == before
    assert history.stat().st_mtime_ns == written
    # With another option the history keeps what was found first, and says so.
    assert check(folder, history, "good1", options=["--null", "analytic"]) == 0
    assert "the history keeps p" in " ".join(capsys.readouterr().out.split())
    assert history.read_bytes() == before


def test_the_headline_is_the_exit_code(folder, tmp_path, capsys):
    history = tmp_path / "h.db"
    for name, code, head in (
        ("bad1", 1, "ALARM: the batch differs from good events"),
        ("good1", 0, "NO ALARM: no evidence at this level"),
        ("bad2", 1, "ALARM: 2 of the last 3 batches are rejected"),
        ("good2", 0, "NO ALARM: no evidence"),
    ):
        assert check(folder, history, name) == code
        out = capsys.readouterr().out
        assert out.startswith(head)
        own = "rejected" if name.startswith("bad") else "not rejected"
        assert f"this batch  {own}, p " in out
    assert check(folder, history, "bad1", "bad2", options=["--batch-id", "x"]) == 2
    history.unlink()
    codes = [check(folder, history, name) for name in ("good1", "bad1", "bad2", "good2")]
    assert codes == [0, 0, 1, 1]
    out = capsys.readouterr().out
    assert "NO ALARM: 1 of the last 2 batches is rejected, an alarm takes 2" in out
    assert "ALARM: 2 of the last 3 batches are rejected; this one is not" in out


def test_rejections_by_another_calibration_do_not_count(folder, tmp_path, capsys):
    history = tmp_path / "h.db"
    check(folder, history, "good1", "good2", "bad1", calibration="one")
    check(folder, history, "good1", calibration="two")
    assert check(folder, history, "bad2", calibration="two") == 0  # 1 of the last 2
    out = " ".join(capsys.readouterr().out.split())
    assert "3 batches of another calibration" in out
    assert check(folder, history, "bad2", calibration="one") == 1  # 2 of the last 3
    digests = [line["calibration"] for line in lines(history)]
    assert len(set(digests)) == 2
    assert digests[3] == digests[4] != digests[0] == digests[5]


def test_a_calibration_made_again_is_the_same_one():
    made = []
    for _ in range(2):
        rng = np.random.default_rng(3)
        made.append(kstest.dqm_calibrate(events(300, rng), events(700, rng), **FAST))
    other = kstest.dqm_calibrate(events(300, rng), events(700, rng), **FAST)
    assert made[0].digest == made[1].digest != other.digest


def test_names_of_batches(folder, tmp_path, capsys):
    history, moved = tmp_path / "h.db", tmp_path / "good1.parquet"
    check(folder, history, "good1")
    moved.write_bytes((folder / "good1.parquet").read_bytes())
    assert check(tmp_path, history, "good1", calibration=folder / "one") == 0
    assert len(lines(history)) == 1  # the file under another path
    moved.write_bytes((folder / "good2.parquet").read_bytes())
    capsys.readouterr()
    assert check(tmp_path, history, "good1", calibration=folder / "one") == 0
    assert "another batch of this name" in " ".join(capsys.readouterr().out.split())
    assert len(lines(history)) == 2
    named = ["--batch-id", "run 7"]
    assert check(folder, history, "good3", options=named) == 0
    assert check(folder, history, "good3", options=named) == 0
    before = history.read_bytes()
    capsys.readouterr()
    assert check(folder, history, "bad1", options=named) == 2
    assert "--batch-id 'run 7'" in capsys.readouterr().err
    assert history.read_bytes() == before
    assert len(lines(history)) == 3
    assert run(["dqm", "check", str(folder / "one.cal"), str(moved), "--batch-id", "x"]) == 2


def test_windows_of_a_file_are_batches_of_the_history(folder, tmp_path):
    rng, history = np.random.default_rng(10), tmp_path / "h.db"
    pd.concat([events(120, rng), events(120, rng, 1.0)]).to_parquet(folder / "long.parquet")
    assert check(folder, history, "long") == 1
    assert [line["name"] for line in lines(history)] == [
        f"long.parquet rows {k}-{k + 59}" for k in (1, 61, 121, 181)
    ]
    assert [line["alarm"] for line in lines(history)] == [False, False, False, True]
    before = history.read_bytes()
    assert check(folder, history, "long") == 1
    assert history.read_bytes() == before
    assert check(folder, history, "good1") == 1  # two of the last three, still
    assert check(folder, history, "good2") == 0


def test_the_answer_is_not_written_over_the_history(folder, tmp_path, capsys):
    history = tmp_path / "h.db"
    check(folder, history, "good1")
    before = history.read_bytes()
    assert check(folder, history, "good2", options=["--output", str(history)]) == 2
    assert check(folder, folder / "one.cal", "good2") == 2
    assert check(folder, tmp_path, "good2") == 2
    assert history.read_bytes() == before


# --- damage


OLD = (
    '{"batch": "run1.csv", "sha256": null, "started": "2026-01-01T00:00:00", "p_value": 0.4, '
    '"alarm": false}\n'
)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("{}\n", "line 1"),
        ("\n", "line 1"),
        ("[" * 100_000 + "\n", "line 1 cannot be read"),
        (OLD.replace("0.4", "NaN"), "line 1 cannot be read"),
        (OLD.replace("0.4", "Infinity"), "line 1 cannot be read"),
        (OLD.replace("0.4", "1" * 400), "line 1 cannot be read"),
        (OLD.replace("0.4", "1e400"), "p-value"),
        (OLD.replace("0.4", "true"), "p-value"),
        (OLD.replace("0.4", "-0.0"), "p-value"),
        (OLD.replace("false", "0"), "alarm"),
        (OLD.replace("null", "[1]"), "sha256"),
        (OLD.replace('"alarm"', '"p_value": 0.001, "alarm"'), "line 1 cannot be read"),
        (OLD + OLD[:-1], "line 2 is cut off"),
        (OLD + "\n", "line 2"),
        (OLD.replace('"batch"', '"history": 3, "batch"'), "version 3"),
        (OLD.encode() + b"\xff\n", "line 2 holds bytes"),
    ],
)
def test_what_is_no_history_is_refused_and_kept(content, words, tmp_path):
    path = tmp_path / "h.db"
    raw = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(raw)
    with pytest.raises(DataError, match=words), remembered(str(path), "c"):
        raise AssertionError("was read")
    assert path.read_bytes() == raw


def test_histories_of_older_versions_are_kept_and_not_counted(folder, tmp_path, capsys):
    history = tmp_path / "h.db"
    old = OLD.replace("0.4", "0.005").replace("false", "true")
    history.write_text(old + old.replace("run1", "run2"))
    check(folder, history, "good1")
    assert "2 batches of another calibration, or of a kstest" in " ".join(
        capsys.readouterr().out.split()
    )
    found = lines(history)
    assert [line["p_value"] for line in found[:2]] == [0.005, 0.005]
    assert [line["calibration"] == "" for line in found] == [True, True, False]
    assert check(folder, history, "good2") == 0


def written(path, p_values, calibration="c"):
    with remembered(str(path), calibration) as history:
        for k, p in enumerate(p_values):
            line = history.add(f"b{k}", Identity(f"b{k}", f"content {k}"), "2026-01-01T00:00", p)
            line["alarm"] = bool(p < 0.01)
    return path.read_bytes()


def jsonl(path, p_values, calibration="c"):
    """A history as kstest wrote it before it had databases."""
    texts, before = [], ""
    for k, p in enumerate(p_values):
        line = {"history": 2, "batch": f"b{k}", "name": f"b{k}", "content": f"content {k}",
                "calibration": calibration, "started": "2026-01-01T00:00", "p_value": p,
                "alarm": bool(p < 0.01)}  # fmt: skip
        line |= {"last": True} if k == len(p_values) - 1 else {}
        body = json.dumps(line)[:-1]
        before = hashlib.blake2b(f"{before}\n{body}".encode(), digest_size=8).hexdigest()
        texts.append(f'{body}, "checksum": "{before}"}}\n')
    path.write_text("".join(texts))
    return path.read_bytes()


@pytest.mark.parametrize("make", [written, jsonl])
def test_no_mutation_of_a_history_is_read_as_other_numbers(make, tmp_path):
    path, rng = tmp_path / "h.db", np.random.default_rng(0)
    p_values = rng.random(12).round(6).tolist()
    whole = make(path, p_values)
    rows = whole.splitlines(keepends=True)
    accepted = 0
    for k in range(300):
        data = bytearray(whole)
        a, b = sorted(rng.integers(0, len(whole), 2).tolist())
        kind = k % 6
        if kind == 0:
            data[a] = int(rng.integers(256))
        elif kind == 1:
            data[a] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            del data[a : min(b, a + 40)]
        elif kind == 3:
            data[a:a] = data[b : b + 40]
        elif kind == 4:
            data = bytearray(b"".join(rng.permutation(np.array(rows, object)).tolist()))
        else:
            keep = rng.random(len(rows)) < 0.8
            data = bytearray(b"".join(r for r, yes in zip(rows, keep, strict=True) if yes))
        for leftover in tmp_path.glob("h.db?*"):
            leftover.unlink()
        path.write_bytes(bytes(data))
        found = None
        with contextlib.suppress(DataError), remembered(str(path), "c") as history:
            found = [line["p_value"] for line in history.counted]
        assert found in (None, p_values)
        accepted += found is not None
        assert path.read_bytes() == bytes(data)
    # Those that changed nothing; of a database much is empty.
    assert accepted <= (15 if make is jsonl else 150)


def test_every_line_that_is_lost_is_noticed(tmp_path):
    path = tmp_path / "h.jsonl"
    rows = jsonl(path, [0.1, 0.2, 0.3, 0.4]).splitlines(keepends=True)
    for k in range(len(rows)):
        path.write_bytes(b"".join(rows[:k] + rows[k + 1 :]))
        with pytest.raises(DataError, match="line"), remembered(str(path), "c"):
            raise AssertionError("was read")


@pytest.mark.parametrize("sql", [
    "DELETE FROM batches WHERE id = 2", "UPDATE batches SET p_value = 0.5 WHERE id = 2",
    "UPDATE batches SET calibration = 'd' WHERE id = 2", "DELETE FROM batches",
    "UPDATE batches SET id = id + 10 WHERE id > 1", "UPDATE batches SET alarm = 1 WHERE id = 2",
    "INSERT INTO batches SELECT 9, checksum, place, batch, name, content, calibration, started, "
    "p_value, verdict, events, judged, level, rule, alarm FROM batches WHERE id = 2",
])  # fmt: skip
def test_rows_that_were_altered_are_noticed(sql, tmp_path):
    path = tmp_path / "h.db"
    written(path, [0.1, 0.2, 0.3])
    with contextlib.closing(sqlite3.connect(path)) as base, base:
        base.execute(sql)
    with pytest.raises(DataError, match="is damaged"), remembered(str(path), "c"):
        raise AssertionError("was read")
    assert (tmp_path / "h.db.damaged").exists()


def test_lines_of_json_become_a_database_with_the_next_batch(folder, tmp_path):
    path = tmp_path / "h.jsonl"
    digest = kstest.dqm_load(str(folder / "one.cal")).digest
    whole = jsonl(path, [0.5, 0.004], digest)
    assert lines(path)[1]["p_value"] == 0.004
    assert path.read_bytes() == whole
    assert check(folder, path, "bad1") == 1  # 2 of the last 3, one of them of before
    assert (tmp_path / "h.jsonl.old").read_bytes() == whole
    found = lines(path)
    assert [line["p_value"] for line in found[:2]] == [0.5, 0.004]
    assert [line["verdict"] for line in found] == [None, None, "rejected"]
    assert found[2]["events"] == found[2]["judged"] == 60
    assert (found[2]["rule"], found[2]["level"], found[2]["alarm"]) == ("2/3", 0.01, True)
    assert check(folder, path, "good1") == 1
    names = [p.name for p in tmp_path.iterdir() if not p.name.startswith(".h")]
    assert sorted(names) == ["h.jsonl", "h.jsonl.old"]
    jsonl(tmp_path / "h.jsonl", [0.5])
    assert check(folder, path, "good1") == 0  # another file of this name: its copy has another
    assert (tmp_path / "h.jsonl.old.old").exists()


def test_a_file_of_checks_and_batches_of_both(tmp_path):
    """One database for a project; one of before batches were in it gets their table."""
    path = tmp_path / "h.db"
    begin(str(path))
    with opened(str(path), kind=Database) as base:
        base.add("runs", {"started": "2026-01-01", "heads": "{}"})
    with contextlib.closing(sqlite3.connect(path)) as base, base:
        base.execute("DROP TABLE batches")
        base.execute("PRAGMA user_version = 1")
    assert lines(path) == []
    written(path, [0.1, 0.2])
    assert [line["p_value"] for line in lines(path)] == [0.1, 0.2]
    with opened(str(path), new=False, kind=Database) as base:
        assert len(base.rows("runs")) == 1


def test_names_with_bytes_that_are_no_text_are_kept(tmp_path):
    path = str(tmp_path / "h.db")
    for _ in range(2):
        with remembered(path, "c") as history:
            batch = Identity("a", "b")
            if history.find(batch) is None:
                history.add("bad\udcff name\n", batch, "2026-01-01T00:00", 1)["alarm"] = False
    (line,) = lines(path)
    assert line["batch"].startswith("bad\\udcff")
    assert line["p_value"] == 1.0


def test_a_check_that_is_killed_leaves_the_history_whole(tmp_path):
    path = tmp_path / "h.db"
    written(path, [0.1])
    code = (
        "import os, sys\nfrom kstest.archive import database\n"
        "from kstest.dqm.history import Identity, remembered\n"
        "add = database.Database.add\n"
        "def dying(self, table, values, *more):\n"
        "    found = add(self, table, values, *more)\n"
        "    os.kill(os.getpid(), 9) if values['place'] == 2 else None\n"
        "    return found\n"
        "database.Database.add = dying\n"
        "with remembered(sys.argv[1], 'c') as history:\n"
        "    for k in range(1, 4):\n"
        "        history.add(f'b{k}', Identity(f'b{k}', f'{k}'), '2026', 0.5)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)])
    assert done.returncode == -9
    assert [line["p_value"] for line in lines(path)] == [0.1]
    with remembered(str(path), "c") as history:
        history.add("b1", Identity("b1", "1"), "2026", 0.5)
    assert len(lines(path)) == 2


def test_an_acknowledged_alarm_is_shown_and_leaves_the_exit_code(folder, tmp_path, capsys):
    history = tmp_path / "h.db"
    assert check(folder, history, "bad1") == 1
    words = ["dqm", "ack", str(history), "--why", "a tube was replaced"]
    assert run([*words, "--until", "2020-01-01"]) == 0
    assert check(folder, history, "bad2") == 1
    assert run([*words, "--until", "2999-01-01"]) == 0
    capsys.readouterr()
    assert check(folder, history, "bad2") == 0
    out = capsys.readouterr().out
    assert out.startswith("ACKNOWLEDGED ALARM: 2 of the last 2 batches are rejected")
    assert "until 2999-01-01: a tube was replaced" in " ".join(out.split())
    assert check(folder, history, "bad1", "bad2") == 0
    assert capsys.readouterr().out.startswith("ACKNOWLEDGED ALARM: 2 batches")
    assert lines(history)[1]["alarm"] is True
    for wrong in (["--until", "soon"], ["--until", "2999-01-01", "--why", " "]):
        assert run([*words, *wrong]) == 2
    jsonl(tmp_path / "old.jsonl", [0.5])
    for name in ("none.db", "old.jsonl"):
        wrong = ["dqm", "ack", str(tmp_path / name), "--until", "2999-01-01", "--why", "x"]
        assert run(wrong) == 2
    assert "of an earlier version" in capsys.readouterr().err


def test_an_acknowledgement_of_one_calibration_leaves_alarms_of_others(folder, tmp_path, capsys):
    history = tmp_path / "h.db"
    assert check(folder, history, "bad1") == 1
    with remembered(str(history), "0123456789abcdef") as other:
        for k in range(4):
            other.add(f"b{k}", Identity(f"b{k}", str(k)), f"2030-01-0{k + 1}", 0.5)
    with opened(str(history), new=False, kind=Database) as base:
        digest = base.rows("batches", "ORDER BY id")[0]["calibration"]
    words = ["dqm", "ack", str(history), "--until", "2999-01-01", "--why", "a tube"]
    for wrong in ("x" * 12, digest[:5], "", digest + "0"):
        assert run([*words, "--calibration", wrong]) == 2
        assert "0123456789ab" in capsys.readouterr().err
    assert run([*words, "--calibration", "0123456"]) == 0
    said = "until 2999-01-01: of calibration 0123456789ab, which has judged 4 batches"
    assert said in capsys.readouterr().out
    assert check(folder, history, "bad2") == 1
    assert run([*words, "--calibration", digest[:8].upper()]) == 0
    assert check(folder, history, "bad2") == 0
    capsys.readouterr()
    assert run([*words[:-1], "all"]) == 0
    assert "until 2999-01-01: of every calibration" in capsys.readouterr().out
    known = {course.name[-12:]: course.acknowledged for course in courses(str(history))}
    assert known[digest[:12]] == "until 2999-01-01: all"


def test_a_check_that_fails_leaves_the_history(folder, tmp_path):
    history = tmp_path / "h.db"
    check(folder, history, "good1")
    before = history.read_bytes()
    pd.DataFrame({"a": [1.0]}).to_parquet(folder / "narrow.parquet")
    assert check(folder, history, "good2", "narrow") == 2
    assert history.read_bytes() == before


# --- long histories


CALIBRATION = kstest.dqm_calibrate(
    events(700, np.random.default_rng(1)), events(1500, np.random.default_rng(2)), **FAST
)


def batches(rule, p_values, history):
    """Answers for batches with these p-values, one run each."""
    found, params = [], Params(control=rule, alpha=0.1)
    for p in p_values:
        name = f"b{len(history.lines)}"
        result = Result(
            "dqm", "not rejected", 0.1, p_value=p, null={"replicates": None},
            findings=(Facts("batch", name),), provenance={"started": "2026-01-01T00:00:00"},
        )  # fmt: skip
        identity = [Identity(name, name)]
        found += with_alarms(CALIBRATION, [result], params, history, identity)
    return found


@pytest.mark.parametrize("rule", ["persistence", "lond", "lord", "saffron", "addis"])
def test_one_run_for_all_batches_or_one_for_each_is_the_same(rule):
    rng = np.random.default_rng(5)
    p = np.where(rng.random(80) < 0.2, 1e-6, rng.random(80)).tolist()
    each = batches(rule, p, History("c"))
    params = Params(control=rule, alpha=0.1)
    plain = [Result("dqm", "not rejected", 0.1, p_value=x, null={"replicates": None}) for x in p]
    whole = with_alarms(CALIBRATION, plain, params)
    states = [[r.explanation["alarm"]["alarm"] for r in some] for some in (each, whole)]
    assert states[0] == states[1]
    assert any(states[0])


@pytest.mark.parametrize("rule", ["persistence", "lond", "lord", "saffron", "addis"])
def test_a_check_takes_no_longer_for_a_long_history(rule, tmp_path):
    rng, path = np.random.default_rng(6), tmp_path / "h.db"
    p = np.where(rng.random(2000) < 0.3, 1e-6, rng.random(2000))
    written(path, p.tolist())
    start = time.perf_counter()
    with remembered(str(path), "c") as history:
        batches(rule, [0.5], history)
    # Of 160 s that formulas take which begin anew for every batch.
    assert time.perf_counter() - start < 3
    assert len(lines(path)) == 2001


@pytest.mark.parametrize(
    ("rule", "most"), [("persistence", 40), ("lond", 3), ("lord", 3), ("saffron", 3), ("addis", 3)]
)
def test_good_batches_alarm_as_rarely_as_promised(rule, most):
    # 2,000 batches, independent uniform p-values: 2 of the last 3 at level 0.1 begin one false
    # alarm in 62 batches; of rules for the share of false ones any alarm would be one.
    p = np.random.default_rng(7).random(2000)
    results = [
        Result("dqm", "not rejected", 0.1, p_value=float(x), null={"replicates": None}) for x in p
    ]
    found = with_alarms(CALIBRATION, results, Params(control=rule, alpha=0.1))
    states = np.array([r.explanation["alarm"]["alarm"] for r in found])
    assert np.count_nonzero(states[1:] & ~states[:-1]) <= most


def test_no_mutation_of_a_calibration_is_read_as_another(tmp_path):
    path, rng = tmp_path / "k.cal", np.random.default_rng(1)
    CALIBRATION.save(str(path))
    whole = path.read_bytes()
    accepted = 0
    for k in range(150):
        data = bytearray(whole)
        # Half of them near the ends, where a zip file keeps its names, sizes and checksums.
        edge = 4000 if k % 2 else len(whole)
        a = int(rng.integers(edge)) if k % 4 < 2 else len(whole) - 1 - int(rng.integers(edge))
        kind = k % 5
        if kind == 0:
            data[a] = int(rng.integers(256))
        elif kind == 1:
            data[a] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            del data[a : a + int(rng.integers(1, 60))]
        elif kind == 3:
            data[a:a] = bytes(rng.integers(0, 256, 20).tolist())
        else:
            data[a : a + 8] = b"\xff" * 8
        path.write_bytes(bytes(data))
        found = None
        with contextlib.suppress(DataError):
            found = kstest.dqm_load(str(path))
        if found is not None:
            accepted += 1
            assert found.digest == CALIBRATION.digest
            assert found.record == kstest.result.plain(CALIBRATION.record)
    assert accepted < 75
