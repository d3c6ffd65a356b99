"""No verdict out of cells that were not read as what they are: files as people have them."""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

import kstest
from kstest.cli import run as command
from kstest.errors import DataError, UsageError

FAST = ("--permutations", "99")
N = 60


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command in a folder of its own; return exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = command([str(a) for a in arguments])
        said = capsys.readouterr()
        return code, " ".join(said.out.split()), said.err

    return call


@pytest.fixture
def write(tmp_path):
    def make(name, header, rows, line="{}"):
        text = "".join(line.format(*(r if isinstance(r, tuple) else (r,))) + "\n" for r in rows)
        (tmp_path / name).write_text(f"{header}\n{text}" if header else text)

    return make


def numbers(rng, n=N, at=0.0):
    return rng.normal(at, 1, n)


SPELLINGS = [
    ('"${:,.2f}"', 1e4, "thousands"),
    ("np.float64({:.3f})", 0, "inside the name of a type"),
    ("{:.1f}%", 0, "percentages"),
    ("${:.2f}", 50, "money"),
    ("{:.2f} V", 0, "unit"),
    ("{:.4f}D+01", 5, "Fortran"),
    ('"({:.2f})"', 5, "brackets"),
    ("'{:.2f}'", 5, "quotes"),
    ("{:.2f}±0.1", 5, "uncertainty"),
    ("<{:.2f}", 5, "limits"),
    ("1{:+.3f}j", 0, "complex"),
]


@pytest.mark.parametrize(("spelling", "at", "word"), SPELLINGS)
@pytest.mark.parametrize("test", ["mmd", "ks"])
def test_numbers_in_a_foreign_spelling_are_refused_by_name(
    run, write, rng, spelling, at, word, test
):
    for name, shift in (("a.csv", 0), ("b.csv", 10)):
        write(name, "w,v", zip(*(numbers(rng, at=x) for x in (0, 100 * (at > 100) + at + shift)),
                               strict=True), "{:.4f}," + spelling)  # fmt: skip
    code, out, err = run(test, "a.csv", "b.csv", *FAST)
    assert (code, out) == (2, "")
    assert word in err
    assert "column 'v'" in err
    assert "a.csv" in err
    assert "--exclude v" in err


@pytest.mark.parametrize("test", ["smmd", "hsic", "skit", "ksd", "calibrate"])
def test_so_they_are_in_every_test(run, write, rng, test):
    for name in ("a.csv", "b.csv"):
        cells = zip(numbers(rng), numbers(rng, at=1e4), strict=True)
        write(name, "w,v", cells, '{:.4f},"${:,.2f}"')
    code, out, err = {
        "smmd": lambda: run("smmd", "a.csv", "b.csv"),
        "hsic": lambda: run("hsic", "a.csv", "--x", "w", "--y", "v", *FAST),
        "skit": lambda: run("skit", "a.csv", "--x", "w", "--y", "v"),
        "ksd": lambda: run("ksd", "a.csv", "--target", "normal(0, 1)"),
        "calibrate": lambda: run("dqm", "calibrate", "a.csv", "--pool", "b.csv",
                                 "--batch-size", 20, "-o", "c.cal"),
    }[test]()  # fmt: skip
    assert (code, out) == (2, "")
    assert "thousands" in err


@pytest.mark.parametrize("mark", [" ", "|"])
@pytest.mark.parametrize("test", ["mmd", "ks", "smmd"])
def test_rows_of_numbers_are_cut_at_blanks_and_bars(run, write, rng, mark, test):
    for name, at in (("a.txt", 0), ("b.txt", 10)):
        cells = zip(*(numbers(rng, at=at) for _ in "xyz"), strict=True)
        write(name, mark.join("xyz"), cells, mark.join(["{:.4f}"] * 3))
    code, out, err = run(test, "a.txt", "b.txt")
    assert (code, err.replace("compiling", "")[:0]) == (1, "")
    named = {" ": "whitespace", "|": "|"}[mark]
    assert run(test, "a.txt", "b.txt", "--delimiter", named)[:2] == (1, out)


@pytest.mark.parametrize("test", ["mmd", "ks", "smmd"])
def test_rows_that_were_not_cut_name_the_delimiter(run, write, rng, test):
    for name, at in (("a.txt", 0), ("b.txt", 10)):
        cells = zip(*(numbers(rng, at=at) for _ in "xyz"), strict=True)
        write(name, ":".join("xyz"), cells, ":".join(["{:.4f}"] * 3))
    code, out, err = run(test, "a.txt", "b.txt")
    assert (code, out) == (2, "")
    assert "--delimiter ':'" in err


def test_a_message_about_the_delimiter_leads_to_the_verdict(run, write, rng):
    for name, at in (("a.txt", 0), ("b.txt", 1), ("c.txt", 0)):
        cells = zip(*(numbers(rng, at=at) for _ in "xyz"), strict=True)
        write(name, "x y z", cells, " ".join(["{:.4f}"] * 3))
    assert run("mmd", "a.txt", "b.txt", "--delimiter", "space", *FAST)[0] == 1
    assert run("mmd", "a.txt", "c.txt", "--delimiter", "space", *FAST)[0] == 0


def test_runs_of_blanks_are_squeezed(run, write, rng):
    for name in ("a.txt", "b.txt"):
        write(name, "", zip(numbers(rng), numbers(rng), strict=True), "{:12.4f}{:12.4f}")
    assert "say --no-header" in run("mmd", "a.txt", "b.txt")[2]
    code, out, _ = run("mmd", "a.txt", "b.txt", "--no-header", *FAST)
    assert (code, "columns 1, 2" in out) == (0, True)
    for name in ("a.txt", "b.txt"):  # two words may be a text
        write(name, "full name", [("John", "Mary Ann")[k % 2] for k in range(N)], "{} Smith")
    _, out, err = run("mmd", "a.txt", "b.txt", *FAST)
    assert "columns full name" in out or "--delimiter" in err


@pytest.mark.parametrize("test", ["mmd", "ks"])
def test_text_that_never_repeats_is_an_identifier_at_any_size(run, write, rng, test):
    for n in (10, 200):
        for side, name in enumerate(("a.csv", "b.csv")):
            rows = [(x, f"N{side}{k}") for k, x in enumerate(numbers(rng, n))]
            write(name, "x,name", rows, "{:.4f},{}")
        code, out, err = run(test, "a.csv", "b.csv", *FAST)
        assert (code, out) == (2, "")
        assert "identifier" in err
        assert "--exclude name" in err
        assert "--categorical" in err
        assert run(test, "a.csv", "b.csv", "--exclude", "name", *FAST)[0] == 0


def test_the_same_identifiers_on_both_sides_are_no_categories(run, write, rng):
    for name in ("a.csv", "b.csv"):
        write(name, "x,name", [(x, f"N{k}") for k, x in enumerate(numbers(rng))], "{:.4f},{}")
    assert run("mmd", "a.csv", "b.csv", *FAST)[0] == 2


ORDINARY = {
    "levels": lambda rng, n: [f"c{k}" for k in rng.integers(0, 200, n)],
    "postcodes": lambda rng, n: [f"{k:05d}x" for k in rng.integers(100, 250, n)],
    "post codes": lambda rng, n: [f"10{k} {chr(65 + k % 6)}B" for k in rng.integers(10, 99, n)],
    "seats": lambda rng, n: [f"{1 + k // 6}{'ABCDEF'[k % 6]}" for k in rng.integers(0, 60, n)],
    "months": lambda rng, n: list(rng.choice(["Jan", "Feb", "March", "April"], n)),
    "ratings": lambda rng, n: [f"{k} stars" for k in rng.integers(1, 6, n)],
    "ages": lambda rng, n: list(rng.choice(["18-24", "25-34", "35-44"], n)),
    "rates": lambda rng, n: list(rng.choice(["7%", "19%"], n)),
    "short": lambda rng, n: list(rng.choice(["very good", "not bad", "so so"], n)),
    "years": lambda rng, n: list(rng.integers(1990, 2024, n)),
    "codes": lambda rng, n: list(rng.integers(0, 9999, n)),
    "latitudes": lambda rng, n: list(rng.uniform(40, 50, n).round(5)),
    "days": lambda rng, n: [f"2024-0{m}-1{d}" for m, d in rng.integers(1, 9, (n, 2))],
    "clock": lambda rng, n: [f"1{h}:0{m}:00" for h, m in rng.integers(0, 4, (n, 2))],
    "versions": lambda rng, n: list(rng.choice(["v1.2", "v1.3", "1.10.2"], n)),
    "truth": lambda rng, n: list(rng.choice(["yes", "no"], n)),
}  # fmt: skip


@pytest.mark.parametrize("kind", [*ORDINARY])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_ordinary_columns_are_read_as_ever(run, tmp_path, rng, kind, suffix):
    for name in ("a", "b"):
        frame = pd.DataFrame({"x": numbers(rng, 300), "c": ORDINARY[kind](rng, 300)})
        path = tmp_path / f"{name}.{suffix}"
        frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    code, out, err = run("ks", f"a.{suffix}", f"b.{suffix}", *FAST)
    assert (code in (0, 1), err) == (True, "")
    assert "--exclude" not in out


def test_few_rows_of_categories_are_no_identifier(run, write):
    for name, cells in (("a.csv", "FR DE IT ES PL"), ("b.csv", "FR AT IT CH PL")):
        write(name, "country", cells.split())
    assert run("mmd", "a.csv", "b.csv", *FAST)[0] == 0


@pytest.mark.parametrize("test", ["mmd", "ks", "smmd"])
def test_all_rows_equal_is_no_verdict(run, write, test):
    write("a.csv", "x,y", [(5, "u")] * N, "{},{}")
    code, out, _ = run(test, "a.csv", "a.csv")
    assert code == 3
    assert "same under every" in out


def test_a_constant_block_is_no_verdict():
    x, y = np.ones(100), np.random.default_rng(1).normal(size=100)
    for result in (
        kstest.hsic(x, y, permutations=99),
        kstest.hsic(np.column_stack([x, x]), all_pairs=True, permutations=99),
        kstest.skit(x, y),
        kstest.smmd(x, x),
        kstest.smmd(np.ones(300), x, mode="blocks"),
        kstest.mmd(x, x, permutations=99),
        kstest.mmd(x, x, permutations=99, kernel="gaussian", bandwidth="1", tolerance=0.01),
        kstest.ks(x, x, permutations=99),
    ):
        assert (result.verdict, result.reject) == ("no verdict", None)
        assert "constant-statistic" in {w.code for w in result.warnings}


def test_an_event_number_that_goes_on_is_named(run, write, rng):
    for name, first in (("a.csv", 1000), ("b.csv", 1060)):
        write(name, "event,x", enumerate(numbers(rng), first), "{},{:.4f}")
    for test in ("mmd", "ks", "smmd"):
        _code, out, _ = run(test, "a.csv", "b.csv")
        assert "column 'event': 1000 to 1059 (reference), 1060 to 1119 (sample) in steps" in out
        assert "--exclude event" in out
    assert run("mmd", "a.csv", "b.csv", "--exclude", "event", *FAST)[0] == 0


def test_a_clock_is_named_in_dates(run, tmp_path, rng):
    for name, day in (("a.csv", "2024-01-01"), ("b.csv", "2024-02-01")):
        waits = pd.to_timedelta(np.cumsum(rng.exponential(60, N)).round(), unit="s")
        frame = pd.DataFrame({"t": pd.Timestamp(day) + waits, "x": numbers(rng)})
        frame.to_csv(tmp_path / name, index=False)
    code, out, _ = run("mmd", "a.csv", "b.csv", *FAST)
    assert code == 1
    assert "column 't': 2024-01-01 00:" in out
    assert "in the order of the rows" in out
    assert re.search(r"t \(p 0\.0\d+\), higher: median 2024-01-01 00:", out)
    assert "e+09" not in out


def test_ranges_side_by_side_are_named(run, write, rng):
    for name, at in (("a.csv", 0), ("b.csv", 50)):
        write(name, "run", numbers(rng, at=at), "{:.4f}")
    assert "the ranges of both sides do not overlap: column 'run'" in run("ks", "a.csv", "b.csv")[1]


def test_sorted_measurements_are_no_running_number(rng):
    for seed in range(20):
        a, b = (np.sort(np.random.default_rng([seed, k]).normal(size=50)) for k in (0, 1))
        codes = {w.code for w in kstest.ks(a, b, permutations=99).warnings}
        assert not codes & {"counts-on", "ranges-apart"}


def test_days_that_no_two_files_share_are_named(run, write, rng):
    for name, month in (("a.csv", "March"), ("b.csv", "April")):
        write(name, "x,day", [(x, f"{month} {k % 9}") for k, x in enumerate(numbers(rng))],
              "{:.4f},{}")  # fmt: skip
    assert "'day' has no value in common" in run("mmd", "a.csv", "b.csv", *FAST)[1]


def test_a_new_category_is_named_beside_the_lost_one(run, write):
    write("a.csv", "c", ["old"] * 30 + ["a"] * 30)
    write("b.csv", "c", [" new"] * 30 + ["a"] * 30)
    words = "share of 'old': 50 % -> 0 %; share of ' new': 0 % -> 50 %"
    for test in ("mmd", "ks"):
        code, out, _ = run(test, "a.csv", "b.csv", *FAST)
        assert (code, words in out) == (1, True)
        code, out, _ = run(test, "a.csv", "b.csv", "--format", "json", *FAST)
        assert json.loads(out)["explanation"]["columns"][0]["words"] == words


TRUTH = ["true false", "TRUE FALSE", "True False", "t f", "T F", "yes no", "y n", "1 0", "Yes No"]


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(TRUTH, 2))[::2])
def test_truth_values_in_two_spellings_are_one_or_refused(run, write, one, other):
    for name, words in (("a.csv", one), ("b.csv", other)):
        write(name, "ok,x", [(w, k % 5) for k in range(20) for w in words.split()], "{},{}")
    code, _, err = run("ks", "a.csv", "b.csv", *FAST)
    assert (code, "column 'ok'" in err) in ((0, False), (2, True))


def test_categories_that_differ_in_case_are_named(run, write):
    write("a.csv", "sex", ["Male", "Female"] * 20)
    write("b.csv", "sex", ["male", "female "] * 20)
    code, out, _ = run("mmd", "a.csv", "b.csv", *FAST)
    assert (code, "'Male' in the reference and 'male' in the sample" in out) == (1, True)


SENTINELS = [("-999", "-999.00"), ("-999.0", "-999"), ("-999", "-9.99e+02"), ("-999.9", "-999.90")]


@pytest.mark.parametrize(("named", "written"), SENTINELS)
@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet", "float32", "arrow", "frame"])
def test_sentinels_are_compared_as_numbers(run, tmp_path, rng, named, written, form):
    clean = [numbers(rng), numbers(rng)]
    expected = kstest.mmd(*clean, permutations=99)
    files = []
    for k, x in enumerate(clean):
        full = np.concatenate([x, np.full(5 + 20 * k, float(written))])
        if form.startswith("csv"):
            cells = [f"{v!r}" for v in x.tolist()] + [written] * (5 + 20 * k)
            pd.DataFrame({"x": cells}).to_csv(tmp_path / f"{k}.{form}", index=False)
        elif form == "frame":
            files.append(pd.DataFrame({"x": full}))
            continue
        else:
            table = pa.table({"x": pa.array(full, pa.float32() if form == "float32" else None)})
            write = pa.feather.write_feather if form == "arrow" else pa.parquet.write_table
            write(table, tmp_path / f"{k}.{form.replace('float32', 'parquet')}")
        files.append(f"{k}.{form.replace('float32', 'parquet')}")
    if form == "frame":
        found = kstest.mmd(*files, null_values=named, missing="drop", permutations=99)
        assert found.p_value == expected.p_value
        return
    _code, out, _ = run("mmd", *files, f"--null-values={named}", "--missing", "drop", *FAST)
    assert "5 (5 of 65 rows)" in out
    assert "25 (25 of 85 rows)" in out
    assert form == "float32" or f"p-value {expected.p_value:.4g}" in out


def test_a_column_of_sentinels_alone_holds_nothing(run, write, rng):
    write("a.csv", "x,y", [(x, -200) for x in numbers(rng)], "{:.4f},{}")
    code, _, err = run("mmd", "a.csv", "a.csv", "--null-values=-200.0", "--missing", "drop")
    assert (code, "Without any value: 'y'" in err) == (2, True)


def test_a_sentinel_that_no_cell_holds_is_said(run, write, rng):
    write("a.csv", "x", numbers(rng), "{:.4f}")
    write("b.csv", "x", [*numbers(rng)], "{:.4f}")
    (_, out, _) = run("mmd", "a.csv", "b.csv", "--null-values=-9999", *FAST)
    assert "no cell holds '-9999'" in out
    write("b.csv", "x", [*(f"{x:.4f}" for x in numbers(rng)), "-9999.0"])
    (_, out, _) = run("mmd", "a.csv", "b.csv", "--null-values=-9999", "--missing", "drop", *FAST)
    assert "no cell holds" not in out


def test_sentinels_leave_truth_values_and_dates_alone(run, write):
    write("a.csv", "ok,t", [("true", "1970-01-01"), ("false", "2024-01-02")] * 20, "{},{}")
    code, out, _ = run("mmd", "a.csv", "a.csv", "--null-values", "0,1", *FAST)
    assert (code, "dropped" in out) == (0, False)


@pytest.mark.parametrize("text", ['{{"e": {:.4f}}}', '{{"e": {:.4f}, "t": 1}}'])
def test_json_lines_of_records_are_read(run, write, rng, text):
    for name, at in (("a.jsonl", 0), ("b.jsonl", 10)):
        write(name, text.format(0), numbers(rng, at=at), text)
    assert run("mmd", "a.jsonl", "b.jsonl", *FAST)[0] == 1


def test_json_lines_of_lists_are_named(run, write, rng):
    write("a.jsonl", "[0, 2]", numbers(rng), "[{:.4f}, 2]")
    code, out, err = run("mmd", "a.jsonl", "a.jsonl")
    assert (code, out, "is JSON lines" in err, "records such as" in err) == (2, "", True, True)


def test_json_over_several_lines_is_read_or_named(run, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([{"e": x} for x in range(20)], indent=2))
    assert run("mmd", "a.json", "a.json", *FAST)[0] == 0
    (tmp_path / "b.json").write_text("[\n  [1.5,\n    2\n  ]\n]\n")
    assert "is JSON" in run("mmd", "b.json", "b.json")[2]


def test_comments_that_were_not_named_are(run, tmp_path, rng):
    rows = "".join(f"{x:.4f}\n" for x in numbers(rng))
    (tmp_path / "a.csv").write_text(f"# made by x\n# today\ntheta\n{rows}")
    args = ("ksd", "a.csv", "--columns", "theta", "--target", "normal(0, 1)", "--draws", "99")
    plain = run(*args)
    assert (plain[0], run(*args, "--comment", "#")[1]) == (0, plain[1])
    args = ("ksd", "a.csv", "--columns", "theta", "--target", "normal(0, 1)", "--comment", "#")
    assert run(*args, "--draws", "99")[0] == 0


def test_names_in_the_last_comment_are_no_comment(run, tmp_path, rng):
    for name in ("a.tsv", "b.tsv"):
        rows = "".join(f"{k % 7}\t{x:.3f}\n" for k, x in enumerate(numbers(rng)))
        (tmp_path / name).write_text(f"##format\n##by\n#POS\tQUAL\n0\t1.5\n{rows}")
    plain = run("mmd", "a.tsv", "b.tsv", *FAST)
    assert (plain[0], "columns POS, QUAL" in plain[1]) == (0, True)
    assert "61 reference, 61 sample" in plain[1]
    for mark in ("#", "##"):
        assert run("mmd", "a.tsv", "b.tsv", "--comment", mark, *FAST)[:2] == plain[:2]


def test_units_below_the_header_are_named(run, tmp_path, rng):
    rows = "".join(f"{x:.3f},{y:.3f}\n" for x, y in rng.normal(size=(N, 2)))
    (tmp_path / "a.csv").write_text(f"temp,press\ndegC,hPa\n{rows}")
    code, out, _ = run("mmd", "a.csv", "a.csv", *FAST)
    assert (code, "units below the names are skipped: 'degC', 'hPa'" in out) == (0, True)
    assert f"{N} reference, {N} sample" in out
    (tmp_path / "a.csv").write_text(f"temp,press\nwarm,heavy\n{rows}")
    code, _, err = run("mmd", "a.csv", "a.csv")
    assert code == 2
    assert "row 1" in err
    assert "'warm'" in err
    assert "units" in err
    assert "--units-row" in err
    code, out, _ = run("mmd", "a.csv", "a.csv", "--units-row", *FAST)
    assert (code, f"{N} reference, {N} sample" in out) == (0, True)
    (tmp_path / "a.csv").write_text(f"temp,press\ndegC,hPa\n{rows}")
    options = ("--null-values", "degC,hPa", "--missing", "drop")
    assert run("mmd", "a.csv", "a.csv", *options, *FAST)[0] == 0


def test_a_line_that_names_the_delimiter_is_obeyed(run, tmp_path, rng):
    for name in ("a.csv", "b.csv"):
        rows = "".join(f"{x:.3f};{y:.3f}\n" for x, y in rng.normal(size=(N, 2)))
        (tmp_path / name).write_text(f"sep=;\nx;y\n{rows}")
    code, out, _ = run("mmd", "a.csv", "b.csv", *FAST)
    assert (code, "columns x, y" in out) == (0, True)


def test_quoted_decimal_commas_are_read(run, tmp_path, rng):
    for name, at in (("a.csv", 0), ("b.csv", 0), ("c.csv", 2)):
        rows = "".join(f'"{x:.3f}","{y:.3f}"\n'.replace(".", ",") for x, y in
                       rng.normal(at, 1, size=(N, 2)))  # fmt: skip
        (tmp_path / name).write_text(f"x,y\n{rows}")
    assert run("mmd", "a.csv", "b.csv", "--decimal", ",", *FAST)[0] == 0
    assert run("mmd", "a.csv", "c.csv", "--decimal", ",", *FAST)[0] == 1


def test_thousands_among_plain_numbers_do_not_lead_to_a_decimal_comma(run, tmp_path):
    (tmp_path / "a.csv").write_text('x\n12\n15\n"1,234"\n18\n')
    err = run("mmd", "a.csv", "a.csv")[2]
    assert "Does the comma separate thousands?" in err


REFERENCES = {
    "null values": (("--null-values=-999", "--missing", "drop"), "x,y\n-999.0,-999\n{}", "{},{}"),
    "missing": (("--missing", "drop"), "x,y\nNA,1\n{}", "{},{}"),
    "delimiter": (("--delimiter", "|"), "x|y\n{}", "{}|{}"),
    "comment": (("--comment", "#"), "#by me\nx,y\n{}", "{},{}"),
    "columns": (("--columns", "x,y"), "z,y,x\n{}", "9,{1},{0}"),
    "where": (("--where", "x < 90"), "x,y\n99,99\n{}", "{},{}"),
    "no header": (("--no-header",), "{}", "{},{}"),
}


@pytest.mark.parametrize("kind", [*REFERENCES])
def test_a_reference_is_read_by_the_options_of_the_command(run, tmp_path, rng, kind):
    options, text, line = REFERENCES[kind]
    draws = {"b": rng.normal(size=(40, 2)).round(4), "ref": rng.normal(size=(150, 2)).round(4)}

    def said(form, row, *more):
        for name, rows in draws.items():
            body = "".join(row.format(*r) + "\n" for r in rows)
            (tmp_path / f"{name}.csv").write_text(form.format(body))
        return run("ksd", "b.csv", "--target", "fit:gmm:1", "--reference", "ref.csv",
                   "--draws", 39, "--format", "json", *more)  # fmt: skip

    _code, out, err = said(text, line, *options)
    assert err == ""
    plain = json.loads(said("x,y\n{}", "{},{}")[1])
    found = json.loads(out)
    assert (found["p_value"], found["statistic"]) == (plain["p_value"], plain["statistic"])
    assert [i["sample"] for i in found["inputs"]] == ["data", "reference"]


def test_a_reference_in_python_is_read_like_the_data(rng):
    X, R = rng.normal(size=(40, 2)), rng.normal(size=(150, 2))
    plain = kstest.ksd(X, target="fit:gmm:1", reference=R, draws=39)
    holes = np.vstack([R, [[np.nan, 0.0]]])
    found = kstest.ksd(X, target="fit:gmm:1", reference=holes, missing="drop", draws=39)
    assert found.p_value == plain.p_value
    frames = [pd.DataFrame(Z, columns=["u", "v"]) for Z in (X, R)]
    found = kstest.ksd(frames[0], target="fit:gmm:1", reference=frames[1], draws=39)
    assert found.p_value == plain.p_value
    found = kstest.ksd(frames[0], target="fit:gmm:1", reference=R, draws=39)
    assert found.p_value == plain.p_value
    with pytest.raises(DataError, match="reference: has no column 'u'"):
        kstest.ksd(frames[0], target="fit:gmm:1", reference=frames[1][["v"]])


def test_a_reference_of_events_is_read_as_the_events_of_the_data(run, tmp_path, rng):
    for name, seed in (("data.csv", 1), ("ref.csv", 2)):
        draw = np.random.default_rng(seed)
        events = [f"{i}|{s}" for i in range(40) for s in draw.choice(["a", "b"], 4)]
        (tmp_path / name).write_text("id|s\n" + "\n".join(events) + "\n")
    options = ("--id", "id", "--symbol", "s", "--delimiter", "|", "--draws", 39)
    given = ("--target", "fit:order=1", "--reference", "ref.csv")
    code, _out, err = run("seqksd", "data.csv", *given, *options)
    said = [line for line in err.splitlines() if not re.search("compiling|to go$", line)]
    assert (code, said) == (0, [])


def test_a_result_is_neither_true_nor_false(rng):
    result = kstest.mmd(rng.normal(size=30), rng.normal(size=30), permutations=99)
    with pytest.raises(TypeError, match=r"result\.reject"):
        assert result


def test_no_seed_is_a_fresh_seed_that_is_recorded(rng):
    X, Y = rng.normal(size=(2, 40))
    first, second = (kstest.mmd(X, Y, seed=None, permutations=99) for _ in range(2))
    seed = first.params["seed"]
    assert (first.provenance["seed"], second.params["seed"] != seed) == (seed, True)
    assert kstest.mmd(X, Y, seed=seed, permutations=99).p_value == first.p_value
    assert kstest.mmd(X, Y, seed=np.int64(3), permutations=99).params["seed"] == 3
    with pytest.raises(UsageError, match="seed"):
        kstest.mmd(X, Y, seed=1.5)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (["true", "false"], ["t", "f"], "truth values? Then write true and false"),
        (["true", "false"], ["yes", "no"], "truth values? Then write true and false"),
        (["2024-01-02", "2024-02-03"], ["02/01/2024", "03/02/2024"], "Write both as 2024-05-01"),
        (["2024-01-02", "2024-02-03"], ["20240102", "20240203"], "Write both in one way"),
    ],
)
def test_advice_on_columns_of_two_kinds_does_not_lead_to_a_verdict_on_spelling(
    run, write, one, other, words
):
    for name, cells in (("a.csv", one), ("b.csv", other)):
        write(name, "c", cells * 30)
    code, _, error = run("mmd", "a.csv", "b.csv", *FAST)
    assert code == 2
    assert words in error
    assert "--categorical" not in error


def test_columns_of_one_name_are_chosen_by_position(run, write, rng):
    rows = [tuple(r) for r in rng.normal(size=(2 * N, 3))]
    for name, some in (("a.csv", rows[:N]), ("b.csv", rows[N:])):
        write(name, "x,x,y", some, "{:.4f},{:.4f},{:.4f}")
        write(f"one-{name}", "x,y", [(r[0], r[2]) for r in some], "{:.4f},{:.4f}")
    code, _, error = run("mmd", "a.csv", "b.csv", *FAST)
    assert code == 2
    assert "'x' (columns 1,2)" in error
    assert "--exclude 2" in error
    _, out, _ = run("mmd", "a.csv", "b.csv", "--exclude", "2", *FAST)
    _, alone, _ = run("mmd", "one-a.csv", "one-b.csv", *FAST)
    assert "columns x (column 1), y" in out
    assert out.replace("x (column 1)", "x") == alone
    code, out, _ = run("mmd", "a.csv", "b.csv", "--columns", "1,2", *FAST)
    assert "columns x (column 1), x (column 2)" in out
    code, _, error = run("mmd", "a.csv", "b.csv", "--columns", "x", *FAST)
    assert code == 2
    assert "'x (column 2)'" in error
    # In the second file alone, too, and beside a name that looks like a told apart one.
    code, _, error = run("mmd", "one-a.csv", "b.csv", *FAST)
    assert (code, "'x' (columns 1,2)" in error) == (2, True)
    write("c.csv", "x,x,x (column 1)", rows[:N], "{:.4f},{:.4f},{:.4f}")
    code, _, error = run("mmd", "c.csv", "c.csv", *FAST)
    assert (code, "same name: 'x'" in error) == (2, True)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ("0.5,1.5", "2.5,3.5", "say --no-header"),
        ("Temp,y", "temp,y", "'Temp' and 'temp' differ in case"),
        ("a ,y", "a,y", "'a ' and 'a' differ in case, blanks"),
        ("gro\u0308sse,y", "gr\u00f6sse,y", "'gro\\u0308sse' and 'gr\\xf6sse' differ"),
    ],
)
def test_names_that_nearly_agree(run, write, rng, one, other, words):
    for name, header in (("a.csv", one), ("b.csv", other)):
        write(name, header, [tuple(r) for r in rng.normal(size=(N, 2))], "{:.3f},{:.3f}")
    code, _, error = run("mmd", "a.csv", "b.csv", *FAST)
    assert code == 2
    assert words in error
    assert ("--exclude" in error) == ("y" in one)  # never an advice that leaves no column


@pytest.mark.parametrize("text", ["\t", "  \n", ";\t \n \t\n", "\n\n", ",\n", "\ufeff\t\n"])
def test_files_of_blanks_alone(run, write, rng, tmp_path, text):
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    write("b.csv", "x", rng.normal(size=N))
    code, _, error = run("mmd", "a.csv", "b.csv", *FAST)
    assert (code, error.startswith("kstest: error: a.csv: ")) == (2, True)


def test_all_columns_without_a_name_are_named_at_once(run, write, rng):
    for name in ("a.csv", "b.csv"):
        write(name, "x,,", [(x,) for x in rng.normal(size=N)], "{:.3f},5,")
    code, _, error = run("mmd", "a.csv", "b.csv", *FAST)
    assert (code, "--exclude 2" in error) == (2, True)
    assert run("mmd", "a.csv", "b.csv", "--exclude", "2", *FAST)[0] in (0, 1)


@pytest.mark.parametrize(("cell", "units"), [("degC", 1), ("-", 0), ("--", 0), (" NA ", 0)])
def test_a_mark_for_missing_in_the_first_row_is_no_row_of_units(run, write, rng, cell, units):
    cells = [cell, *(f"{x:.3f}" for x in rng.normal(size=N))]
    for name in ("a.csv", "b.csv"):
        write(name, "x,y", [(c, 1.5) for c in cells], "{},{}")
    code, _, error = run("mmd", "a.csv", "b.csv", *FAST)
    assert code == 2
    assert ("units" in error) == bool(units)
    assert "--null-values" in error


def test_the_bins_of_a_histogram_are_no_running_number(run, write, rng):
    for name in ("a.csv", "b.csv"):
        write(name, "bin,n", list(zip(range(30), rng.poisson(50, 30), strict=True)), "{},{}")
    for test in ("mmd", "ks"):
        _, out, _ = run(test, "a.csv", "b.csv", "--counts", "n", *FAST)
        assert "entries" in out
        assert "warning" not in out
    code, _, error = run("mmd", "a.csv", "b.csv", "--counts", "n", "--tolerance", "0.1", *FAST)
    assert (code, "--tolerance with --counts" in error) == (2, True)


@pytest.mark.parametrize("order", [("a.csv", "b.csv"), ("b.csv", "a.csv")])
def test_weights_in_one_file_only(run, write, rng, order):
    write("a.csv", "x", rng.normal(size=N))
    write("b.csv", "x,w", [tuple(r) for r in rng.uniform(1, 2, (N, 2))], "{:.3f},{:.3f}")
    code, _, error = run("mmd", *order, "--weights", "w", *FAST)
    assert code == 2
    assert "a.csv: has no column 'w', which --weights names" in error
    assert "a column of ones" in error
