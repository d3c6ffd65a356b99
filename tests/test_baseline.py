"""`kstest baseline`: a reference in one file, read like the data it was made of."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kstest.archive import load, save
from kstest.checks.profile import profile
from kstest.cli import run as kstest
from kstest.sources import ReadOptions
from tests.test_checks import check, folder, report, table, write
from tests.test_checks_history import orders

__all__ = ["folder"]


def mixed(path, seed, rows=400, shift=0.0):
    """Numbers, truth values, text, times with nanoseconds, missing cells, no cells, lists."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": rng.normal(shift, 1, rows),
            "n": rng.integers(0, 9, rows),
            "flag": rng.random(rows) < 0.3,
            "kind": rng.choice(["a", "ü", "c,d"], rows),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.uniform(0, 9e5, rows), unit="s"),
            "took": pd.to_timedelta(rng.exponential(9, rows).round(3), unit="s"),
            "gaps": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
            "empty": pd.Series([None] * rows, dtype=object),
            "lists": [[1, 2]] * rows,
        }
    )
    frame.to_parquet(path)
    return path


def answer(capsys, *words):
    capsys.readouterr()
    code = kstest([*words, "--threads", "1", "--format", "json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else err


def stripped(found):
    """Of a time whose last digits are lost a baseline shows the ones that are left."""
    kept = {k: v for k, v in found.items() if k not in ("inputs", "provenance")}
    said = [
        {**w, "message": re.sub(r"(\.\d{0,3})\d* s\)", r"\1 s)", w["message"])}
        for w in found["warnings"]
    ]
    return {**kept, "warnings": said}


@pytest.mark.parametrize("test", ["mmd", "ks", "smmd"])
def test_the_answer_is_that_of_the_data(test, folder, capsys):
    mixed("r.parquet", 1)
    mixed("s.parquet", 2, shift=0.5)
    assert kstest(["baseline", "r.parquet"]) == 0
    said = capsys.readouterr().out
    assert "baseline.kst: all 400 rows, 8 columns\nwithout the cells of: 'lists'" in said
    more = ["--exclude", "empty,lists" + (",kind" if test == "smmd" else "")]
    more += ["--missing", "drop" if test == "smmd" else "indicator"]
    plain, kept = (answer(capsys, test, r, "s.parquet", *more) for r in
                   ("r.parquet", "baseline.kst"))  # fmt: skip
    assert plain[0] == kept[0] == 1
    assert stripped(plain[1]) == stripped(kept[1])
    zipped = Path("baseline.kst.gz")
    zipped.write_bytes(gzip.compress(Path("baseline.kst").read_bytes()))
    assert stripped(answer(capsys, test, str(zipped), "s.parquet", *more)[1]) == stripped(kept[1])


def test_the_description_is_that_of_all_rows(folder):
    mixed("r.parquet", 1)
    assert kstest(["baseline", "r.parquet", "--rows", "50", "-q"]) == 0
    header, _ = load("baseline.kst", "baseline", (1,))
    assert (header["rows"], header["of"]) == (50, 400)
    found, right = (profile([p], ReadOptions()) for p in ("baseline.kst", "r.parquet"))
    assert found.rows == right.rows == 400
    for name, column in right.columns.items():
        if name != "lists":
            kept = found.columns[name]
            for key in ("kind", "cells", "missing", "low", "high", "whole", "rising", "levels"):
                assert getattr(kept, key) == getattr(column, key), (name, key)
    assert not found.columns["lists"].kept


def test_equal_data_and_seeds_give_equal_bytes(folder):
    mixed("r.parquet", 1)
    found = []
    for seed in ("1", "1", "2"):
        assert kstest(["baseline", "r.parquet", "--rows", "50", "--seed", seed, "-q"]) == 0
        found.append(Path("baseline.kst").read_bytes())
    assert found[0] == found[1] != found[2]


def test_several_files_are_one_reference(folder, capsys):
    pd.DataFrame(
        {"a": [True, False] * 30, "k": [None] * 60, "t": pd.Timestamp("2026-01-01")}
    ).to_csv("p1.csv", index=False)
    pd.DataFrame({"k": list("xy") * 30, "a": [2, 0] * 30, "t": "2026-01-02T00:00:00.5"}).to_csv(
        "p2.csv", index=False
    )
    assert kstest(["baseline", "p*.csv", "-o", "b.kst"]) == 0
    Path("q.csv").write_text(Path("p2.csv").read_text() + "y,2,2026-01-03\n")
    plain, kept = (
        answer(capsys, "ks", *(w for p in r for w in ("--reference", p)), "--sample", "q.csv",
               "--missing", "indicator")
        for r in (["p1.csv", "p2.csv"], ["b.kst"])
    )  # fmt: skip
    assert stripped(plain[1]) == stripped(kept[1])
    pd.DataFrame({"a": ["x"] * 9, "k": 1, "t": 1}).to_csv("p3.csv", index=False)
    assert kstest(["baseline", "p*.csv", "-o", "c.kst"]) == 2
    assert "p3.csv: column 'a' holds text, in the files before" in capsys.readouterr().err
    assert not Path("c.kst").exists()


def test_checks_take_a_baseline(folder, capsys):
    table("ref.csv", 1, gone=np.arange(120) % 7, secret=np.arange(120))
    assert kstest(["baseline", "ref.csv", "--exclude", "secret", "-q"]) == 0
    assert not any(
        str(k).encode() in Path("baseline.kst").read_bytes() for k in ("ref.csv,secret",)
    )
    Path("ref.csv").unlink()
    table("like.csv", 2, secret=np.arange(120))
    table("unlike.csv", 3, shift=2.0, secret=np.arange(120))
    write(check("a", "like.csv", reference="baseline.kst"))
    code, found = report(capsys)
    (one,) = found["outcomes"]
    assert (code, one["status"]) == (0, "not rejected"), one
    assert [c["code"] for c in one["changes"]] == ["column-vanished"]
    assert one["result"]["columns"] == ["a", "b"]
    write(check("a", "unlike.csv", reference="baseline.kst"))
    code, found = report(capsys)
    assert code == 1
    assert "out-of-range" in {c["code"] for c in found["outcomes"][0]["changes"]}


def test_init_takes_a_baseline(folder, capsys):
    orders("monday.parquet", "2026-01-05", 1)
    orders("tuesday.parquet", "2026-01-06", 2, start=500)
    assert kstest(["baseline", "monday.parquet", "--rows", "300"]) == 0
    assert "a random sample of 300 of 500 rows" in capsys.readouterr().out
    Path("monday.parquet").unlink()
    assert kstest(["init", "baseline.kst", "tuesday.parquet"]) == 0
    text = Path("kstest.toml").read_text()
    for name in ("order_id", "uuid", "placed", "currency"):
        assert f"# left out: {name} " in text
    code, found = report(capsys)
    assert (code, found["outcomes"][0]["result"]["n"]) == (0, {"reference": 300, "sample": 500})
    orders("tuesday.parquet", "2026-01-06", 3, start=500, shift=0.6)
    assert report(capsys)[0] == 1


def test_a_random_sample_keeps_the_level(folder):
    """The rows that are kept are exchangeable with the rest."""
    x = np.arange(2000.0)  # sorted: the first rows would be another distribution
    pd.DataFrame({"a": x}).to_csv("sorted.csv", index=False)
    means = []
    for seed in range(60):
        words = ["baseline", "sorted.csv", "--rows", "100", "--seed", str(seed), "-q"]
        assert kstest(words) == 0
        found = profile(["baseline.kst", "baseline.kst"], ReadOptions())  # of the rows themselves
        column = found.columns["a"]
        assert column.cells == 200
        means.append((column.low, column.high))
    low, high = np.array(means).mean(axis=0)
    assert low == pytest.approx(20, rel=0.5)
    assert high == pytest.approx(1979, rel=0.01)


# --- damage -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sets", [150, pytest.param(5000, marks=pytest.mark.slow)])
def test_altered_bytes_are_exit_2_or_the_same_answer(sets, folder, capsys):
    mixed("r.parquet", 1, 60)
    mixed("s.parquet", 2, 60)
    kstest(["baseline", "r.parquet", "-q"])
    words = ["ks", "baseline.kst", "s.parquet", "--columns", "x,kind,at", "--permutations", "39"]
    right = stripped(answer(capsys, *words)[1])
    whole, rng = Path("baseline.kst").read_bytes(), np.random.default_rng(1)
    refused = 0
    for _ in range(sets):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            content[place] ^= 1 << int(rng.integers(8))
        if rng.random() < 0.1:
            content = content[: int(rng.integers(len(content)))]
        Path("baseline.kst").write_bytes(bytes(content))
        code, found = answer(capsys, *words)
        if code == 2:
            refused += 1
            assert "baseline.kst" in found
            assert "internal" not in found
        else:
            assert stripped(found) == right
        write(check("a", "s.parquet", "columns = 'x'", reference="baseline.kst"))
        assert kstest(["run", "--quiet", "--history", "none", "--threads", "1"]) in (0, 2)
    assert refused > sets // 2


def changed(key, value):
    def change(header, arrays):
        header[key] = value

    return change


def column(key, value):
    def change(header, arrays):
        header["columns"][0][key] = value

    return change


FOREIGN = {
    "rows": changed("rows", 0),
    "of": changed("of", 3),
    "columns": changed("columns", [[]]),
    "no columns": changed("columns", []),
    "twice": lambda header, arrays: header["columns"].append(header["columns"][0]),
    "name": column("name", "other"),
    "kept": column("kept", False),
    "cells": column("cells", -1),
    "missing": column("missing", 10**6),
    "low": column("low", 10.0**6),
    "table": lambda header, arrays: arrays.update(table=np.zeros(9, np.uint8)),
    "kind of table": lambda header, arrays: arrays.update(table=np.zeros(9)),
    "no table": lambda header, arrays: arrays.pop("table"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_content_is_refused(name, folder, capsys):
    mixed("r.parquet", 1, 60)
    mixed("s.parquet", 2, 60)
    kstest(["baseline", "r.parquet", "-q"])
    header, arrays = load("baseline.kst", "baseline", (1,))
    header = {k: v for k, v in header.items() if k not in ("kstest", "version")}
    FOREIGN[name](header, arrays)
    save("baseline.kst", "baseline", 1, header, arrays)
    code, found = answer(capsys, "ks", "baseline.kst", "s.parquet", "--columns", "n")
    assert code == 2
    assert "baseline.kst" in found


def test_other_archives_are_no_baseline(folder, capsys):
    table("r.csv", 1)
    kstest(["baseline", "r.csv", "-q"])
    kstest(["smmd", "r.csv", "like.csv", "--state", "s.kst", "--threads", "1"])
    header, arrays = load("baseline.kst", "baseline", (1,))
    rest = {k: v for k, v in header.items() if k not in ("kstest", "version")}
    save("later.kst", "baseline", 2, rest, arrays)
    with zipfile.ZipFile("book.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "x")
    Path("text.kst").write_text("a\n1\n")
    for name, says in (
        ("s.kst", "is a state of kstest; expected a baseline"),
        ("later.kst", "version 2"),
        ("book.xlsx", "Excel" if find_spec("openpyxl") is None else "book.xlsx"),
        ("text.kst", "the name says baseline of kstest"),
    ):
        code, found = answer(capsys, "ks", name, "like.csv")
        assert code == 2
        assert says in found
        assert "baseline" in found or name == "book.xlsx"
    assert kstest(["state", "show", "baseline.kst"]) == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["none.csv"], "no such file"),
        (["ref.csv", "-o", "ref.csv"], "would be destroyed"),
        (["ref.csv", "-o", "no/b.kst"], "does not exist"),
        (["ref.csv", "--exclude", "a,b"], "no column is left"),
        (["ref.csv", "--rows", "1"], "--rows"),
        ([], "REFERENCE"),
    ],
)
def test_what_cannot_be_kept(words, says, folder, capsys):
    assert kstest(["baseline", *words]) == 2
    assert says in capsys.readouterr().err
    assert not Path("baseline.kst").exists()


@pytest.mark.parametrize(
    ("head", "options"),
    [
        ("noted by hand\nx,y\n", ("--skip-rows", "1")),
        ("noted by hand\nx,y\n", ("--header-row", "2")),
        ("x,y\nmm,s\n", ("--units-row",)),
        ("x,y\n", ("--thousands", "'")),
    ],
)
def test_a_baseline_reads_text_in_every_way_that_a_test_does(folder, head, options):
    rows = "".join(f"{k / 7:.3f},{k % 5}\n" for k in range(30))
    (folder / "a.csv").write_text(head + rows)
    (folder / "plain.csv").write_text("x,y\n" + rows)
    assert kstest(["baseline", "a.csv", *options, "-o", "a.kst", "-q"]) == 0
    assert kstest(["mmd", "a.kst", "plain.csv", "-q"]) == 0
