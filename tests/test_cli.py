"""The command as a user meets it: exit codes, streams, errors, real data, README."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
DATA = ROOT / "datasets"
EARLY = str(DATA / "module10_early.parquet")


def kstest(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "kstest", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def table(path, rows, header="a,b"):
    path.write_text(header + "\n" + "".join(",".join(map(str, r)) + "\n" for r in rows))
    return path


@pytest.fixture
def good(tmp_path, rng):
    return table(tmp_path / "good.csv", rng.normal(size=(30, 2)))


LATE = DATA / "module10_late.csv"


@pytest.mark.parametrize(
    ("healthy", "file", "code"),
    [
        ([EARLY], "module10_late.csv", 0),
        ([EARLY], "module09.csv", 1),
        ([EARLY, LATE], "module09.csv", 1),
        ([EARLY, LATE], "module09_without_tube23.csv", 0),
    ],
)
def test_verdicts_on_real_modules(healthy, file, code):
    reference = [word for path in healthy for word in ("--reference", path)]
    done = kstest("mmd", *reference, DATA / file, "--columns", "tot_ns")
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout.startswith("REJECTED" if code else "NOT REJECTED")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stderr == ""


def test_sick_module_is_explained_by_its_noisy_tube():
    done = kstest("mmd", EARLY, DATA / "module09.csv", "--format", "json")
    first, second = json.loads(done.stdout)["explanation"]["columns"]
    assert first["column"] == "pmt"
    assert first["words"].startswith("share of 23: 2")
    assert second["column"] == "tot_ns"
    assert second["words"].startswith(("narrower", "lower"))  # its pulses are short


def test_json_is_strict_and_has_every_key():
    done = kstest("mmd", EARLY, DATA / "module10_late.csv", "--format", "json")
    found = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(name))
    keys = (
        "schema_version method verdict reject statistic p_value e_value alpha threshold n d "
        "columns kernel null explanation warnings inputs params provenance"
    )
    assert sorted(found) == sorted(keys.split())
    assert found["null"]["exact"] is True
    assert found["inputs"][0]["rows_read"] == found["n"]["reference"]
    assert len(found["inputs"][0]["sha256"]) == 64


BAD = {
    "empty": (b"", "is empty"),
    "header only": (b"a,b\n", "no rows"),
    "text": (b"a,b\n1,2\n1,cat\n", "row 2"),
    "all text": (b"a,b\nx,2\ny,3\n", "text"),
    "duplicate header": (b"a,a\n1,2\n", "same name"),
    "ragged": (b"a,b\n1,2\n1\n", "row 2"),
    "binary": (bytes(range(256)) * 20, "binary"),
    "latin-1": ("a,b\n1,\xe9\n".encode("latin-1"), "--encoding"),
    "missing": (b"a,b\n1,\n2,3\n", "--missing drop"),
    "infinite": (b"a,b\n1,inf\n2,3\n", "--missing drop"),
    "all missing": (b"a,b\n,1\n,2\n", "Without any value"),
    "other columns": (b"a,c\n1,2\n", "--columns"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_exit_2_with_a_helpful_line(name, good, tmp_path):
    content, expected = BAD[name]
    bad = tmp_path / "bad.csv"
    bad.write_bytes(content)
    done = kstest("mmd", good, bad)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("path", ["nowhere.csv", ".", "*.nothing"])
def test_paths_that_are_no_files(path, good):
    done = kstest("mmd", good, path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_truncated_parquet(good, tmp_path):
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(Path(EARLY).read_bytes()[:-20])
    done = kstest("mmd", EARLY, cut)
    assert done.returncode == 2
    assert "cut.parquet" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_row_is_no_verdict(good, tmp_path):
    done = kstest("mmd", good, table(tmp_path / "one.csv", [(1, 2)]))
    assert done.returncode == 3
    assert "rows" in done.stdout


def test_standard_input_gzip_and_semicolons(good, tmp_path):
    import gzip

    text = good.read_text()
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(text.replace(",", ";").encode()))
    done = kstest("mmd", packed, "-", "--input-format", "csv", input=text)
    assert done.returncode == 0, done.stderr
    assert "30 reference, 30 sample" in done.stdout


def test_output_replaces_a_file_only_when_there_is_an_answer(good, tmp_path):
    target = tmp_path / "answer.json"
    target.write_text("old")
    assert kstest("mmd", good, "nowhere.csv", "--output", target).returncode == 2
    assert target.read_text() == "old"
    done = kstest("mmd", good, good, "--output", target, "--format", "json")
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads(target.read_text())["warnings"][0]["code"] == "same-file"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["answer.json", "good.csv"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_is_exit_2(good):
    assert kstest("mmd", good, good, "--output", "/dev/full").returncode == 2
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kstest", "mmd", good, good],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 2
    assert b"cannot be written" in done.stderr


def test_closed_pipe_keeps_the_verdict_and_is_silent():
    command = f"{sys.executable} -m kstest mmd {EARLY} {DATA / 'module09.csv'} --columns tot_ns"
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "1"
    assert done.stderr == ""


def test_quiet_exit_zero_and_cite(good, tmp_path, rng):
    far = table(tmp_path / "far.csv", rng.normal(size=(30, 2)) + 5)
    done = kstest("mmd", good, far, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert kstest("mmd", good, far, "--exit-zero").returncode == 0
    assert "@article" in kstest("mmd", "--cite").stdout


def test_help_is_light():
    code = (
        "import sys\nfrom kstest.cli import run\nassert run(['--help']) == 0\n"
        "heavy = {'numpy', 'numba', 'scipy', 'pandas', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_a_small_csv_needs_neither_numba_nor_pandas_nor_scipy(good):
    code = (
        f"import sys\nfrom kstest.cli import run\nassert run(['mmd', {str(good)!r}, "
        f"{str(good)!r}]) == 0\n"
        "heavy = {'numba', 'scipy', 'pandas', 'pyarrow.parquet'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path, rng):
    evil = table(tmp_path / "evil.csv", rng.normal(size=(30, 2)), header="a\x1b[2J,b")
    done = kstest("mmd", evil, evil)
    assert "\x1b" not in done.stdout + done.stderr


def test_readme_commands_are_true():
    text = (ROOT / "README.md").read_text()
    ci = (ROOT / ".ci" / "run").read_text()
    set_up = re.findall(r"^python3 -m pip install .*$", text, flags=re.MULTILINE)
    assert len(set_up) == 2
    assert all(line in ci for line in set_up)
    for line in re.findall(r"kstest mmd datasets/\S+ datasets/\S+(?: --columns \w+)?", text):
        assert kstest(*line.split()[1:], cwd=ROOT).returncode in (0, 1)


def test_python_gives_the_same_answer_as_the_command(good, tmp_path, rng):
    import pandas as pd

    import kstest as library

    other = table(tmp_path / "other.csv", rng.normal(size=(40, 2)))
    answer = json.loads(kstest("mmd", good, other, "--format", "json").stdout)
    frames = [pd.read_csv(p) for p in (good, other)]
    for data in (frames, [np.asarray(f) for f in frames]):
        result = library.mmd(*data, seed=0)
        assert result.p_value == answer["p_value"]
        assert result.statistic == pytest.approx(answer["statistic"])


@pytest.fixture
def linked(tmp_path, rng):
    x = rng.normal(size=(80, 3))
    x[:, 2] += 2 * x[:, 0]
    return table(tmp_path / "linked.csv", x, header="a,b,c")


def test_independence_of_columns_of_a_file(linked):
    done = kstest("hsic", linked, "--x", "a,b", "--y", "c")
    assert done.returncode == 1, done.stderr
    assert "a ~ c: increasing" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert kstest("hsic", linked, "--x", "a", "--y", "b", "--quiet").returncode == 0
    done = kstest("hsic", "-", "--x=1", "--y=3", "--input-format=csv", input=linked.read_text())
    assert done.returncode == 1
    assert "@inproceedings{gretton2007kernel" in kstest("hsic", "--cite").stdout


@pytest.mark.parametrize(
    ("file", "more", "code"),
    [
        ("module09.csv", [], 1),
        ("module10_early.parquet", [], 0),
        ("module10_early.parquet", ["--categorical", "pmt"], 1),
    ],
)
def test_pulse_size_depends_on_the_tube(file, more, code):
    """Without the noisy tube only as a category: tubes differ, but their numbers mean nothing."""
    done = kstest("hsic", DATA / file, "--x", "tot_ns", "--y", "pmt", *more)
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr == ""


def test_all_pairs_of_columns_of_a_file(linked):
    done = kstest("hsic", linked, "--all-pairs")
    assert done.returncode == 1, done.stderr
    assert "1 of 3 pairs" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    found = json.loads(kstest("hsic", linked, "--all-pairs", "--format", "json").stdout)
    assert [p["reject"] for p in found["explanation"]["all_pairs"]] == [False, True, False]
    assert found["null"]["correction"] == "Holm"


def test_only_the_columns_of_the_blocks_are_read(tmp_path, rng):
    rows = [(x, y, "text") for x, y in rng.normal(size=(30, 2))]
    mixed = table(tmp_path / "mixed.csv", rows, header="a,b,c")
    assert kstest("hsic", mixed, "--x", "a", "--y", "b").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "--all-pairs"),
        (["--x", "a"], "--y"),
        (["--x", "a", "--y", "a,b"], "also in '--x a'"),
        (["--x", "a", "--y", "d"], "--y: no column 'd'"),
        (["--block", "a", "--block", "b", "--x", "c", "--y", "a"], "--block"),
    ],
)
def test_unusable_blocks_are_exit_2(arguments, expected, linked):
    done = kstest("hsic", linked, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert expected in done.stderr


def test_json_records_the_options_of_reading_that_were_given(good):
    given = ("--where", "a < 9", "--missing", "drop", "--permutations", "39")
    done = kstest("mmd", good, good, *given, "--format", "json")
    params = json.loads(done.stdout)["params"]
    assert (params["where"], params["missing"]) == ("a < 9", "drop")
    assert "delimiter" not in params


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["mmm"], "'mmd'"),
        (["dqm", "chek"], "'check'"),
        (["datasets", "make", "drift-tube"], "'drift-tubes'"),
        (["state", "shwo"], "'show'"),
        (["config", "shwo"], "'show'"),
        (["mmd", "good.csv", "god.csv"], "good.csv"),
        (["mmd", "good.csv", "GOOD.CSV"], "good.csv"),
        (["mmd", "./goood.csv", "good.csv"], "./good.csv"),
        (["dqm", "check", "good.cvs", "good.csv"], "good.csv"),
        (["ksd", "good.csv", "--target", "godd.toml"], "good.toml"),
        (["ksd", "good.csv", "--target", "nromal(0, 1)"], "normal"),
        (["mmd", "good.csv", "good.csv", "--columns", "sped"], "'speed'"),
        (["hsic", "good.csv", "--x", "Speed", "--y", "mass"], "'speed'"),
        (["ks", "good.csv", "good.csv", "--where", "sped > 0"], "'speed'"),
        (["mmd", "good.csv", "good.csv", "--colums", "speed"], "'--columns'"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_right_one(words, meant, tmp_path, rng, monkeypatch,
                                                        capsys):  # fmt: skip
    from kstest.cli import run

    monkeypatch.chdir(tmp_path)
    table(tmp_path / "good.csv", rng.normal(size=(20, 2)), header="speed,mass")
    (tmp_path / "good.toml").touch()
    assert run(words) == 2
    said = capsys.readouterr().err
    assert re.search(rf"[Dd]id you mean (one of: )?.*{re.escape(meant)}", said), said


def test_nothing_is_meant_by_a_name_like_no_other(tmp_path, monkeypatch, capsys):
    from kstest.cli import run

    monkeypatch.chdir(tmp_path)
    for words in (["zzzz"], ["mmd", "no/folder/a.csv", "b.csv"], ["mmd", "\x00", "b"], [""]):
        assert run(words) == 2
        assert "did you mean" not in capsys.readouterr().err
    (tmp_path / "other.csv").touch()
    assert run(["mmd", "nowhere.csv", "b"]) == 2
    assert "did you mean" not in capsys.readouterr().err
    (tmp_path / "evil\x1b[2J.csv").touch()
    assert run(["mmd", "evil[2J.csv", "b"]) == 2
    assert "\x1b" not in capsys.readouterr().err
