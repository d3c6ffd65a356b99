"""`kstest sniff`, and what the command line says of files in odd dialects."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kstest.cli import run as command
from kstest.errors import printable
from kstest.sources import ReadOptions
from kstest.sources.sniff import sniff
from tests.text_tables import FILES

FAST = ("--permutations", "99")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = command([str(a) for a in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.mark.parametrize("name", FILES)
def test_the_options_that_sniff_names_read_the_file(run, tmp_path, name):
    file = FILES[name]
    (tmp_path / "a.csv").write_text(file.text, encoding="utf-8", newline="")
    found = sniff("a.csv", ReadOptions())
    if found.error:  # two readings: the options of both are named, none is chosen
        assert " ".join(file.needs) in found.error
        return
    assert tuple(found.options[: len(file.needs)]) in (file.needs, ("--missing", "drop"), ())
    code, out, _ = run("sniff", "a.csv")
    assert (code, f"{len(file.values)} rows" in out) == (0, True)
    last = out.splitlines()[-1].split(maxsplit=1)
    assert last[0] == "options"
    words = [] if last[1] == "none needed" else shlex.split(last[1])
    assert run("mmd", "a.csv", "a.csv", *words, *FAST)[0] == 0


def test_what_it_sees(run, tmp_path, rng):
    rows = "".join(
        f"{k};{'-999' if k % 7 == 0 else f'{x:.2f}'.replace('.', ',')};N{k};{'ab'[k % 2]};"
        f"{k + 5}.01.2024\n"
        for k, x in enumerate(rng.normal(size=60))
    )
    (tmp_path / "a.csv").write_text(f"# by me\nevent;x;name;kind;day\n{rows}")
    code, out, _ = run("sniff", "a.csv")
    assert code == 0
    for words in (
        "delimiter    semicolon", "comments     lines that start with #", "decimal sign comma",
        "event  numbers, 0 to 59; counts on", "-999 in 9 cells, which may mean missing",
        "name   text, 60 different", "an identifier", "kind   text, 2 different: 'a', 'b'",
        "dates or times", "--null-values=-999 --missing drop --exclude event,name,day",
    ):  # fmt: skip
        assert words in out, out
    code, out, _ = run("sniff", "a.csv", "--format", "json")
    (found,) = json.loads(out)
    assert (code, found["rows"], found["dialect"]["delimiter"]) == (0, 60, "semicolon")
    assert [c["role"] for c in found["columns"][:3]] == ["running number", "sentinel", "identifier"]
    pq.write_table(pa.table({"x": [1.0, 2.0], "l": [[1], [2, 3]]}), tmp_path / "b.parquet")
    assert "--exclude l" in run("sniff", "b.parquet")[1]


def test_files_that_cannot_be_read(run, tmp_path):
    (tmp_path / "a.csv").write_text('x,y\n"1,234",1\n"5,678",2\n')
    code, out, err = run("sniff", "a.csv", "none.csv")
    assert (code, err) == (2, "")
    assert "--thousands ," in out
    assert "--decimal ," in out
    assert "no such file" in out
    assert run("sniff", "a.csv", "--thousands", ",")[0] == 0
    (tmp_path / "b.csv").write_text("\x1b[2J,y\n1,2\n")
    assert all(printable(line) == line for line in run("sniff", "b.csv")[1].splitlines())


def test_an_error_of_reading_ends_with_the_command_that_works(run, tmp_path, rng):
    rows = "".join(f"{a:.3f},{b:.3f}\n" for a, b in rng.normal(size=(40, 2)))
    (tmp_path / "a b.csv").write_text(f"x,y\nlow,high\n{rows}")
    code, _, err = run("mmd", "a b.csv", "a b.csv", *FAST)
    line = err.splitlines()[-1]
    assert (code, line.startswith("kstest: try: kstest mmd 'a b.csv'")) == (2, True)
    assert run(*shlex.split(line.partition("try: kstest ")[2]))[0] == 0


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("x,y\nlow,high\n{}", "--sample-units-row"),
        ("x,y\na,b\nc,d\n{}", "--sample-header-row 1-3"),
        ("{}", "--sample-no-header"),
    ],
)
def test_an_option_that_only_one_side_needs_is_named_for_it(run, tmp_path, rng, text, option):
    rows = "".join(f"{a:.3f},{b:.3f}\n" for a, b in rng.normal(size=(40, 2)))
    (tmp_path / "a.csv").write_text(f"x,y\n{rows}")
    (tmp_path / "b.csv").write_text(text.format(rows))
    code, _, err = run("mmd", "a.csv", "b.csv", *FAST)
    assert (code, option in err.splitlines()[-1]) == (2, True)
    code, out, err = run(*shlex.split(err.partition("try: kstest ")[2]))
    if "1-3" in option:  # names that no other file has
        assert "x_a_c" in err
    else:
        assert (code, "40 reference, 40 sample" in out) == (0, True)


def test_options_of_the_dialect_for_one_side(run, tmp_path, rng):
    draws = rng.normal(size=(40, 2)).round(3)
    rows = "".join(f"{a},{b}\n" for a, b in draws)
    (tmp_path / "a.csv").write_text(f"x,y\n{rows}")
    swapped = rows.replace(",", "|").replace(".", ",")
    (tmp_path / "b.csv").write_text(f"x:y\n{swapped.replace('|', ':')}")
    options = ("--sample-delimiter", ":", "--sample-decimal", ",")
    code, out, _ = run("mmd", "a.csv", "b.csv", *options, *FAST, "--format", "json")
    plain = run("mmd", "a.csv", "a.csv", *FAST, "--format", "json")[1]
    assert (code, json.loads(out)["statistic"]) == (0, json.loads(plain)["statistic"])
    code, out, _ = run(
        "mmd", "b.csv", "a.csv", *[o.replace("sample", "reference") for o in options]
    )
    assert code == 0
    _, _, err = run("mmd", "a.csv", "--sample-column", "x", "--reference-values", "1",
                    "--sample-values", "2", "--sample-decimal", ",")  # fmt: skip
    assert "--sample-decimal: with --sample-column" in err
    out = " ".join(run("mmd", "--help")[1].split())
    assert "for one side: --reference-decimal, --sample-delimiter" in out


def test_notes_of_several_files_share_a_line(run, tmp_path, rng):
    for k in range(4):
        rows = "".join(f"{a:.3f};{b:.3f}\n".replace(".", ",") for a, b in rng.normal(size=(9, 2)))
        (tmp_path / f"{k}.csv").write_text(f"x;y\nm;s\n{rows}")
    out = " ".join(run("mmd", *["--reference", "[012].csv", "--sample", "3.csv"], *FAST)[1].split())
    assert "0.csv, 1.csv and 2 more files: units below the names are skipped: 'm', 's'" in out
    assert np.count_nonzero([word == "warning" for word in out.split()]) == 2


@pytest.mark.parametrize("sign", [-1, 1])
def test_sniff_of_the_largest_numbers_there_are_prints_no_warning(run, tmp_path, sign):
    cells = [sign * c for c in (1e308, -1e308, 1.0, 2.0, 1e308, -1e308, 5.0, 6.0, 7.0, 8.0, 9.0)]
    (tmp_path / "a.csv").write_text(
        "x,y\n" + "".join(f"{c},{k % 3}\n" for k, c in enumerate(cells))
    )
    code, out, err = run("sniff", "a.csv")
    assert (code, err) == (0, "")
    assert "1e+308" in out
