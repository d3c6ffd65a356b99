"""`ksd` over files of which no row is kept: sums, the verdict, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

import kstest
from kstest.cli import run
from kstest.engine import Work
from kstest.engine.stein import SteinPoints, stein_sums
from kstest.errors import DataError, UsageError
from kstest.methods.stein import passes, streamed
from kstest.nulls import sign_bins
from kstest.registry import METHODS
from kstest.sources import survey as spans_room

NORMAL = "normal(mean=0, sd=1)"


def write(path, values, **more):
    columns = {f"c{j}": values[:, j] for j in range(values.shape[1])}
    pq.write_table(pa.table({**columns, **more}), path, row_group_size=500)


def parts(folder, values, count=3, name="a"):
    for k, x in enumerate(np.array_split(values, count)):
        write(folder / f"{name}-{k}.parquet", x)
    return str(folder / f"{name}-*.parquet")


@pytest.fixture
def files(tmp_path, rng):
    return parts(tmp_path, rng.normal([0, 0.15], size=(6000, 2)))


def test_the_answer_depends_on_neither_threads_nor_spans(files, monkeypatch):
    options = {"target": NORMAL, "scheduler": "local", "draws": 299}
    found = [kstest.ksd(files, threads=threads, **options) for threads in (1, 2)]
    assert len({(r.p_value, r.statistic, r.provenance["sums"]) for r in found}) == 1
    monkeypatch.setattr(spans_room, "SPAN_ROWS", 1300)
    found.append(kstest.ksd(files, threads=2, **options))
    assert found[2].provenance["spans"] > found[0].provenance["spans"]
    assert found[2].statistic == pytest.approx(found[0].statistic, rel=1e-9)
    assert [r.verdict for r in found] == ["rejected"] * 3
    assert found[0].kernel["landmarks"] == 300
    assert found[0].n == {"data": 6000}
    assert "c1" in str(found[0].explanation)


def test_sums_of_batches_are_those_of_all_rows(files, rng):
    """Against the sums in memory over the same landmarks and bins."""
    params = METHODS["ksd"].load().inputs.params(target=NORMAL)
    from kstest import inputs

    found = spans_room.survey(
        {"data": [files]}, inputs.choose(METHODS["ksd"].load().inputs, params, {})
    )
    (sketch,), rows = streamed.first_pass(found, 1, Work(1))
    sample = streamed._spent(found, sketch)
    target = streamed._target(found, params, Work(1))
    given = streamed.on_target(sample, target)
    test = streamed._Test.of(given, sketch, target, params, np.random.default_rng(1))
    sums = streamed._second_pass(found, rows, test.how, Work(1))
    how = test.how
    X = np.concatenate([pq.read_table(p).to_pandas().to_numpy() for p in found.paths["data"]])
    left = np.setdiff1d(np.arange(len(X)), how.spent)
    assert len(left) == how.rows == 5700
    place = passes.scattered(np.arange(how.rows), how.rows, how.keys)
    order = np.argsort(place)
    bins, r = sign_bins(how.rows), len(how.landmarks[0])
    points = how.points(X[left][order], -X[left][order])
    starts = np.concatenate([np.arange(r), r + bins])
    assert isinstance(points, SteinPoints)
    whole = stein_sums(points, starts, how.grid, Work(1), first=r).blocks[:, :r, r:]
    np.testing.assert_allclose(sums.cross, whole, rtol=1e-7, atol=1e-7)


def test_scores_conditions_and_missing_cells(tmp_path, rng):
    x = rng.normal(size=(4000, 1))
    x[::100] = np.nan
    write(tmp_path / "a.parquet", x, score_c0=-x[:, 0], day=np.arange(4000) % 10)
    options = {"score_prefix": "score_", "missing": "drop", "where": "day < 9", "exclude": "day"}
    here = kstest.ksd(tmp_path / "a.parquet", scheduler="local", **options)
    there = kstest.ksd(pq.read_table(tmp_path / "a.parquet"), **options)
    assert here.verdict == there.verdict == "not rejected"
    assert here.n == there.n
    assert "missing-values" in [w.code for w in here.warnings]


def test_a_value_outside_the_support_rejects_wherever_it_is(tmp_path, rng, capsys):
    x = rng.exponential(size=(4000, 1))
    files = parts(tmp_path, x)
    target = ["--target", "exponential(rate=1)", "--scheduler", "local", "--format", "json"]
    assert run(["ksd", files, *target]) == 0
    x[3999] = -1
    parts(tmp_path, x)
    capsys.readouterr()
    assert run(["ksd", files, *target]) == 1
    assert json.loads(capsys.readouterr().out)["p_value"] < 0.01
    assert run(["ksd", files, *target[:-2]]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "row 1,333 of" in said
    assert "a-2.parquet has c0 = -1, outside the target's support" in said
    x[3999] = 0
    parts(tmp_path, x)
    with pytest.raises(DataError, match=r"row 1,333 of .*a-2.parquet has c0 = 0, on the edge"):
        kstest.ksd(files, target="exponential(rate=1)", scheduler="local")


def test_no_verdict_of_few_rows_and_of_coarse_values(tmp_path, rng):
    few = parts(tmp_path, rng.normal(size=(300, 1)))
    found = kstest.ksd(few, target=NORMAL, scheduler="local")
    assert found.verdict == "no verdict"
    assert "two passes need 400 rows" in found.warnings[-1].message
    whole = parts(tmp_path, rng.normal(size=(5000, 1)).round(), name="b")
    found = kstest.ksd(whole, target=NORMAL, scheduler="local")
    assert found.verdict == "no verdict"
    assert "too-coarse" in [w.code for w in found.warnings]
    same = parts(tmp_path, np.zeros((900, 1)), name="c")
    assert kstest.ksd(same, target=NORMAL, scheduler="local").verdict == "rejected"


def test_rows_that_follow_each_other_are_named(tmp_path, rng):
    files = parts(tmp_path, np.sort(rng.normal(size=(3000, 1)), axis=0))
    found = kstest.ksd(files, target=NORMAL, scheduler="local")
    assert found.verdict == "not rejected"
    assert "serial-dependence" in [w.code for w in found.warnings]


REFUSED = [
    (["--null", "parametric"], "--null parametric: not with files"),
    (["--null", "markov"], "--null markov: not with files"),
    (["--features", "none"], "--features none: not with files"),
    (["--features", "1500"], "--features 1500: give 5 to 300 landmarks"),
    (["--statistic", "v"], "--statistic v: not with files"),
    (["--contamination", "0.1"], "--contamination 0.1: not with files"),
    (["--target", "normal(fit)"], "--target normal(fit): not with files"),
    (["--target", "poisson(3)"], "--target poisson(3): not with files"),
    (["--reference", "a.csv"], "--reference"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_options_that_need_all_rows_are_refused(files, options, words, capsys):
    target = [] if options[0] == "--target" else ["--target", NORMAL]
    assert run(["ksd", files, *target, "--scheduler", "local", *options]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_a_python_object_is_not_sent_to_workers(files):
    class Normal:
        def score(self, X):
            return -X

    found = kstest.ksd(files, target=Normal(), scheduler="local")
    assert found.verdict == "rejected"
    params = METHODS["ksd"].load().inputs.params(target=Normal())
    with pytest.raises(UsageError, match="a Python object is not sent to workers"):
        streamed._target(None, params, Work(1, executor=object()))


@pytest.mark.slow
def test_level_on_sorted_files(tmp_path):
    sets, rejected = 300, 0
    for seed in range(sets):
        x = np.sort(np.random.default_rng([5, seed]).normal(size=(4000, 1)), axis=0)
        found = kstest.ksd(
            parts(tmp_path, x, 8), target=NORMAL, scheduler="local", draws=99, explain="none",
            threads=1,
        )  # fmt: skip
        rejected += found.p_value <= 0.05
    assert stats.binom.ppf(5e-4, sets, 0.05) <= rejected <= stats.binom.ppf(1 - 5e-4, sets, 0.05)
