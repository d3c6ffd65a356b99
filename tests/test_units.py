"""Records as samples: --unit and --order."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.cli import run as cli
from kstest.errors import DataError, UsageError
from kstest.result import Notice, Result
from kstest.run import told_of_records
from kstest.sources.unit_features import features


def ar(count, rho, rng, rows=(60, 60)):
    parts = []
    for run in range(count):
        x = rng.normal(size=rng.integers(rows[0], rows[1] + 1))
        for t in range(1, len(x)):
            x[t] = rho * x[t - 1] + np.sqrt(1 - rho**2) * x[t]
        parts.append(pd.DataFrame({"run": run, "t": np.arange(len(x)), "x": x}))
    return pd.concat(parts, ignore_index=True)


def mmd(a, b, **given):
    given = {"unit": "run", "order": "t", "permutations": 99, "threads": 1, **given}
    return kstest.mmd(a, b, explain="none", **given)


def signature(path):
    """Iterated integrals of a path of straight pieces by its pieces' exponentials, in loops."""
    d = path.shape[1]
    one, two, three = np.zeros(d), np.zeros((d, d)), np.zeros((d, d, d))
    for step in np.diff(path, axis=0):
        for i in range(d):
            for j in range(d):
                for k in range(d):
                    three[i, j, k] += (
                        two[i, j] * step[k]
                        + one[i] * step[j] * step[k] / 2
                        + step[i] * step[j] * step[k] / 6
                    )
        for i in range(d):
            for j in range(d):
                two[i, j] += one[i] * step[j] + step[i] * step[j] / 2
        one += step
    return one, two, three


def test_features_are_those_of_a_naive_log_signature():
    x = np.random.default_rng(4).normal(size=12)
    z, clock = (x - x.mean()) / x.std(), np.linspace(0, 1, 12)
    path = [(0.0, z[0], z[0])]
    for k in range(1, 12):
        path += [(clock[k], z[k], z[k - 1]), (clock[k], z[k], z[k])]
    one, two, three = signature(np.array(path))
    bracket = two[1, 2] - one[1] * one[2] / 2
    cross = one[1] * two[1, 2] + two[1, 1] * one[2]
    aab = three[1, 1, 2] - cross / 2 + one[1] * one[1] * one[2] / 3
    values, names = features(x[None, :, None], ("x",), 0)
    found = dict(zip(names, values[0], strict=True))
    assert found["x: level"] == pytest.approx(x.mean())
    assert found["x: spread"] == pytest.approx(x.std())
    assert found["x: speed of change"] == pytest.approx(bracket)
    assert found["x: speed of change"] == pytest.approx((np.diff(z) ** 2).sum() / 2)
    assert found["x: asymmetry in time 1"] == pytest.approx(aab)


def test_constant_records_have_finite_features():
    values, _ = features(np.full((3, 20, 2), 0.1), ("x", "y"), 0)
    assert np.isfinite(values).all()
    assert (values[:, 1] == 0).all()


def test_a_change_of_memory_is_found_and_named_whatever_the_order_of_the_rows():
    rng = np.random.default_rng(1)
    a, b = ar(50, 0.2, rng), ar(50, 0.7, rng)
    found = mmd(a, b)
    assert found.verdict == "rejected"
    assert found.explanation["record_kinds"][0]["kind"] in ("x: speed of change", "x: shape")
    assert found.explanation["records"]["sample"]["rows"] == 60
    b["run"] += 1000
    again = mmd(a, b.sample(frac=1, random_state=3))
    assert again.n == {"reference": 50, "sample": 50}
    assert again.verdict == "rejected"


def test_lengths_alone_do_not_reject():
    rejected = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        a, b = ar(25, 0.9, rng, (30, 40)), ar(25, 0.9, rng, (60, 90))
        rejected += mmd(a, b).verdict == "rejected"
    assert rejected <= 4  # probability 6e-5 at .05
    assert mmd(a, b, unit_length=True).columns[-1] == "length"


def test_ties_are_refused_unless_the_rows_are_equal():
    a, b = ar(10, 0.4, np.random.default_rng(1)), ar(10, 0.4, np.random.default_rng(2))
    b.loc[5, "t"] = 4
    with pytest.raises(DataError, match="which comes first is not known"):
        mmd(a, b)
    b.loc[5, "x"] = b.loc[4, "x"]
    assert mmd(a, b).n["sample"] == 10


def test_records_with_holes_and_short_ones_are_left_out_and_counted():
    a, b = ar(20, 0.4, np.random.default_rng(1)), ar(20, 0.4, np.random.default_rng(2))
    b.loc[7, "x"] = np.nan
    b = b[~((b["run"] == 3) & (b["t"] > 0))]  # one row
    with pytest.raises(DataError, match="missing"):
        mmd(a, b)
    found = mmd(a, b, missing="drop")
    assert found.n == {"reference": 20, "sample": 18}
    said = " ".join(w.message for w in found.warnings)
    assert "1 with fewer than 60 rows and 1 with missing cells of 20" in said
    assert "occur on both sides" in said


def test_records_of_one_row_each_are_refused():
    a = ar(20, 0.4, np.random.default_rng(1))
    with pytest.raises(DataError, match="Is this the column"):
        mmd(a, a, unit="x", order="t")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"group": "run"}, "permuted as wholes already"),
        ({"missing": "indicator"}, "a record with a hole"),
        ({"unit_rows": "3"}, "whole number from 7"),
        ({"unit": None}, "needs unit, the column"),
        ({"order": "run"}, "tells records apart already"),
    ],
)
def test_what_makes_no_sense_is_refused(given, words):
    a = ar(8, 0.4, np.random.default_rng(1))
    with pytest.raises(UsageError, match=words):
        mmd(a, a, **given)


def test_weights_are_those_of_records():
    a, b = ar(20, 0.4, np.random.default_rng(1)), ar(20, 0.4, np.random.default_rng(2))
    a["w"], b["w"] = 1.0, 1.0 + b["run"]
    assert mmd(a, b, weights="w").n["sample"] == 20
    b.loc[0, "w"] = 9.0
    with pytest.raises(DataError, match="changes within record"):
        mmd(a, b, weights="w")


def test_a_stream_of_records_is_cut_at_records(tmp_path, capsys):
    rng = np.random.default_rng(1)
    ar(60, 0.4, rng).sample(frac=1, random_state=1).to_csv(tmp_path / "a.csv", index=False)
    b = ar(40, 0.4, rng)
    b.to_csv(tmp_path / "b.csv", index=False)
    b[:630].to_csv(tmp_path / "b1.csv", index=False)  # ends in the middle of a record
    b[630:].to_csv(tmp_path / "b2.csv", index=False)

    def run(*files):
        sides = [f"--sample={tmp_path / f}" for f in files]
        words = ["smmd", str(tmp_path / "a.csv"), *sides, "--unit", "run", "--order", "t"]
        words += ["--format", "json", "--threads", "1"]
        return subprocess.run(
            [sys.executable, "-m", "kstest", *words], capture_output=True, text=True, check=False
        )

    whole, parts = (json.loads(run(*f).stdout) for f in (("b.csv",), ("b1.csv", "b2.csv")))
    assert whole["n"] == parts["n"]
    assert whole["p_value"] == parts["p_value"]
    assert whole["explanation"]["records"]["sample"]["used"] == 40
    b.sample(frac=1, random_state=2).to_csv(tmp_path / "c.csv", index=False)
    refused = run("c.csv")
    assert refused.returncode == 2
    assert "are neighbours" in refused.stderr


def stream(tmp_path, *words):
    words = ["smmd", str(tmp_path / "a.csv"), *(str(w) for w in words), "--unit=run", "--threads=1"]
    return cli([*words, "--format=json"])


def test_the_rest_of_a_record_is_no_record_of_the_next_batch(tmp_path, capsys):
    rng = np.random.default_rng(1)
    ar(60, 0.4, rng).to_csv(tmp_path / "a.csv", index=False)
    b = ar(12, 0.4, rng, (80, 80))
    b.to_csv(tmp_path / "b.csv", index=False)
    b[:470].to_csv(tmp_path / "b1.csv", index=False)  # 70 of 80 rows of record 5, 60 looked at
    b[470:].to_csv(tmp_path / "b2.csv", index=False)
    kept = ["--order=t", f"--state={tmp_path / 's.kst'}"]
    assert stream(tmp_path, tmp_path / "b.csv", "--order=t") == 0
    whole = json.loads(capsys.readouterr().out)
    assert stream(tmp_path, tmp_path / "b1.csv", *kept) == 0
    assert json.loads(capsys.readouterr().out)["n"]["sample"] == 6
    for _ in range(2):  # the second time the batch is known, without the rest as before
        assert stream(tmp_path, tmp_path / "b2.csv", *kept) == 0
        parts = json.loads(capsys.readouterr().out)
        said = {w["code"]: w["message"] for w in parts["warnings"]}
        assert "record '5' of column 'run' began in an earlier batch" in said["record-goes-on"]
        assert "its rest, the first 10 rows" in said["record-goes-on"]
        assert parts["n"] == whole["n"]
        assert parts["p_value"] == whole["p_value"]
    assert "records were counted before" in said["batch-counted"]
    # A batch that is the rest of one record and nothing else.
    b[550:560].to_csv(tmp_path / "b3.csv", index=False)
    assert stream(tmp_path, tmp_path / "b1.csv", *kept) == 0  # known, too
    assert json.loads(capsys.readouterr().out)["n"] == whole["n"]


def test_a_state_goes_on_with_the_same_records_only(tmp_path, capsys):
    rng = np.random.default_rng(1)
    for name, count in (("a", 60), ("b", 12), ("c", 12)):
        frame = ar(count, 0.4, rng)
        frame["run"], frame["u"] = name + frame["run"].astype(str), frame["t"]
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    kept = [tmp_path / "c.csv", f"--state={tmp_path / 's.kst'}"]
    assert stream(tmp_path, tmp_path / "b.csv", kept[1], "--order=t", "--exclude=u") == 0
    before = (tmp_path / "s.kst").read_bytes()
    for words, said in (
        (["--order=u"], "with --order 't', now --order 'u'"),
        ([], "with --order 't', now without"),
        (["--order=t", "--unit-rows=50"], "with --unit-rows 'auto' (the default), now --unit"),
        (["--order=t", "--unit-length"], "without --unit-length, now --unit-length"),
    ):
        assert stream(tmp_path, *kept, *words, "--exclude=u") == 2
        assert said in capsys.readouterr().err
    rows = ["smmd", str(tmp_path / "a.csv"), *map(str, kept), "--exclude=u,run"]
    assert cli(rows) == 2
    assert "with --unit 'run', now without" in capsys.readouterr().err
    assert (tmp_path / "s.kst").read_bytes() == before
    assert stream(tmp_path, *kept, "--order=t", "--exclude=u") == 0
    capsys.readouterr()
    assert cli(["state", "show", str(tmp_path / "s.kst")]) == 0
    shown = capsys.readouterr().out
    assert "24 records in 2 batches" in shown
    assert "records     60 reference, 24 sample" in shown


def test_texts_speak_of_records(tmp_path, capsys):
    rng = np.random.default_rng(1)
    for name, rho in (("a", 0.4), ("rows", 0.9)):  # what a column or a file is called stays
        ar(60, rho, rng).rename(columns={"x": "rows"}).to_csv(tmp_path / f"{name}.csv", index=False)
    for test in ("mmd", "smmd"):
        words = [test, str(tmp_path / "a.csv"), str(tmp_path / "rows.csv"), "--unit=run"]
        assert cli([*words, "--order=t", "--threads=1"]) == 1
        said = capsys.readouterr().out
        assert "rows: speed of change" in said
        assert "records     60 reference, " in said
        assert "60 rows of each, told apart by run" in said
        left = said.replace("60 rows of each", "").replace("compared, not rows", "")
        assert not re.search(r"\brows?\b(?!:)", " ".join(left.split()).replace("column rows", ""))
    few = kstest.mmd(ar(20, 0.4, rng), ar(1, 0.4, rng), unit="run", order="t")
    assert few.warnings[-1].message.startswith("1 record in the sample: the test needs")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("8 rows, one row", "8 records, one record"),
        ("Events", "Records"),
        ("b.csv rows 1-60 and --min-events", "b.csv rows 1-60 and --min-events"),
        ("row 7 of rows.csv; begins in row 12", "row 7 of rows.csv; begins in row 12"),
        ("rows: level by rows: level.", "rows: level by rows: level."),
        ("rows, rows. from row 51 on", "records, records. from record 51 on"),
    ],
)
def test_words_for_records(text, said):
    found = Result("mmd", "no verdict", 0.05, warnings=(Notice("a", text), Notice("b", text)))
    told = told_of_records(found, ["rows: level", "e"], [found.warnings[1]])
    assert [w.message for w in told.warnings] == [said, text]


def test_records_as_people_have_them(tmp_path):
    a, b = ar(20, 0.4, np.random.default_rng(1)), ar(20, 0.4, np.random.default_rng(2))
    b["run"] += 100
    plain = mmd(a, b)
    # Names that come back, sorted by time of day as a logger of many machines writes them.
    mixed = b.sample(frac=1, random_state=1).sort_values("t", kind="stable")
    assert mmd(a, mixed).n == plain.n
    found = kstest.mmd(a.drop(columns="t"), mixed.drop(columns="t"), unit="run", threads=1)
    said = {w.code: w.message for w in found.warnings}
    assert "rows of a record do not stand together, sample: '" in said["records-scattered"]
    assert "records-scattered" not in {w.code for w in plain.warnings}
    # A place that is not known, and records of nothing but missing values.
    holes = b.copy()
    holes.loc[holes["run"] == 103, "x"] = np.nan
    holes.loc[holes.index[holes["run"] == 105][7], "t"] = np.nan
    found = mmd(a, holes, missing="drop")
    assert found.n["sample"] == 18
    assert "2 with missing cells of 20" in " ".join(w.message for w in found.warnings)
    with pytest.raises(DataError, match="missing"):
        mmd(a, holes)
    # Dates put rows in order, too; text does not.
    dated = [f.assign(t=pd.Timestamp("2024-01-01") + pd.to_timedelta(f["t"], "h")) for f in (a, b)]
    assert mmd(*dated).p_value == plain.p_value
    with pytest.raises((DataError, UsageError), match="'t'"):
        mmd(*(f.assign(t=f["t"].map("place {}".format)) for f in (a, b)))


def test_a_batch_of_which_no_record_is_left_is_refused_in_words():
    a = ar(20, 0.4, np.random.default_rng(1))
    with pytest.raises(DataError, match="no record is left: 0 have fewer than 60 rows and 20 have"):
        mmd(a.assign(y=1.0), a.assign(x=np.nan, y=1.0), missing="drop")


def test_batches_of_records_are_told_of_records(tmp_path):
    rng = np.random.default_rng(1)
    made = kstest.dqm_calibrate(ar(100, 0.4, rng), ar(200, 0.4, rng), unit="run", order="t",
                                batch_size=10, toys=99, scale="standard", threads=1)  # fmt: skip
    bad = ar(10, 0.98, rng)
    (found,), (few,) = (kstest.dqm_check(made, b, threads=1) for b in (bad, ar(3, 0.4, rng)))
    assert found.reject
    assert found.explanation["records"]["batch"]["used"] == 10
    for text in map(str, (found, few)):
        assert "records     100 reference, " in text
        left = " ".join(text.split()).replace("compared, not rows", "").replace("60 rows of", "")
        assert not re.search(r"\b(rows?|events?)\b", left)
    assert "3 records, at least 10 are needed" in " ".join(str(few).split())
    told = " ".join(str(kstest.dqm_explain(made, bad, threads=1)).split())
    assert "records the one that begins in row" in told
    assert "10 records" in told
    made.save(tmp_path / "c.cal")
    words = [sys.executable, "-m", "kstest", "dqm", "show", str(tmp_path / "c.cal")]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "reference   100 records" in shown
    assert "records     60 rows of each, told apart by run, in the order of t" in shown


def test_other_shapes_are_judged_and_other_units_of_records_refused():
    """A feature without a unit is no column in another unit."""
    rng = np.random.default_rng(3)

    def saws(count, reverse=False):
        parts = []
        for k in range(count):
            x = (np.arange(60) / 12 + rng.uniform()) % 1 + rng.normal(scale=0.02, size=60)
            parts.append(pd.DataFrame({"run": k, "t": range(60), "x": x[::-1] if reverse else x}))
        return pd.concat(parts, ignore_index=True)

    made = kstest.dqm_calibrate(saws(100), saws(200), unit="run", order="t", batch_size=10,
                                toys=99, threads=1)  # fmt: skip
    assert kstest.dqm_check(made, saws(10, reverse=True), threads=1)[0].reject
    other = saws(10)
    with pytest.raises(DataError, match=r"(level|spread)'.*another unit"):
        kstest.dqm_check(made, other.assign(x=1000 * other["x"]), threads=1)
