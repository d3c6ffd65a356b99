"""`mmd --features`: kernels summed at landmark rows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

import kstest
from kstest.cli import run
from kstest.errors import UsageError
from kstest.methods.mmd import Params
from kstest.methods.two_samples import landmarks

DISTRIBUTIONS = {
    "normal": lambda rng, n: rng.normal(size=(n, 3)),
    "cauchy": lambda rng, n: rng.standard_cauchy(size=(n, 2)),
    "counts": lambda rng, n: rng.poisson(1.5, size=(n, 2)).astype(float),
}


def rejections(distribution, m, n, sets, features):
    count = 0
    for seed in range(sets):
        rng = np.random.default_rng([seed, m, n])
        X, Y = DISTRIBUTIONS[distribution](rng, m), DISTRIBUTIONS[distribution](rng, n)
        found = kstest.mmd(
            X, Y, features=features, permutations=99, seed=seed, threads=1, explain="none"
        )
        count += found.p_value <= 0.05
    return count


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_level_is_kept(distribution):
    low, high = stats.binom.ppf([0.0005, 0.9995], 40, 0.05)
    assert low <= rejections(distribution, 300, 900, 40, "64") <= high


@pytest.mark.slow
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("sizes", [(640, 640), (320, 960), (100, 10_000)])
def test_level_matrix(distribution, sizes):
    low, high = stats.binom.ppf([0.0005, 0.9995], 1000, 0.05)
    assert low <= rejections(distribution, *sizes, 1000, "64") <= high


def test_power_is_that_of_all_pairs():
    """The statistic of the same permutations: landmarks see what the sum over pairs sees."""
    z = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X, Y = rng.normal(size=(3000, 4)), rng.normal(size=(3000, 4))
        Y[:, 0] += 0.08
        pair = [
            max(k["z"] for k in kstest.mmd(X, Y, features=f, threads=1).explanation["kernels"])
            for f in ("none", "320")
        ]
        z.append(pair)
    full, few = np.mean(z, axis=0)
    assert few > 0.8 * full


def test_the_effect_is_that_of_all_pairs(rng):
    X, Y = rng.normal(size=(4000, 3)), rng.normal([0.3, 0, 0], size=(4000, 3))
    full, few = (kstest.mmd(X, Y, features=f, bandwidth="2", threads=1) for f in ("none", "200"))
    assert few.explanation["effect"]["mmd"] == pytest.approx(
        full.explanation["effect"]["mmd"], rel=0.03
    )
    assert few.statistic == pytest.approx(full.statistic, rel=0.06)
    assert (full.kernel.get("landmarks"), few.kernel["landmarks"]) == (None, 200)


def test_many_rows_are_summed_at_landmarks_and_the_report_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(landmarks, "MANY_ROWS", 6000)
    rng = np.random.default_rng(5)
    for name in ("a", "b"):
        np.savetxt(tmp_path / f"{name}.csv", rng.normal(size=(3000, 3)), header="x,y,z",
                   delimiter=",", comments="")  # fmt: skip
    files = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    assert run(["mmd", *files]) == 0
    assert "summed at 256 landmark rows" in capsys.readouterr().out
    assert run(["mmd", *files, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["kernel"]["landmarks"] == 256
    assert run(["mmd", *files, "--features", "none", "--format", "json"]) == 0
    assert "landmarks" not in json.loads(capsys.readouterr().out)["kernel"]


def test_one_column_needs_no_landmarks(rng, monkeypatch):
    monkeypatch.setattr(landmarks, "MANY_ROWS", 6000)
    found = kstest.mmd(rng.normal(size=(4000, 1)), rng.normal(size=(4000, 1)))
    assert "landmarks" not in found.kernel


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"features": "3"}, "5 to 4096"),
        ({"features": "many"}, "auto, none or a number"),
        ({"features": "100"}, "at most a tenth of the 400 rows"),
        ({"features": "20", "permute": "rows"}, "permute='rows'"),
        ({"features": "20", "tolerance": 0.01}, "tolerance"),
    ],
)
def test_what_cannot_be_is_refused(options, said, rng):
    with pytest.raises(UsageError, match=said):
        kstest.mmd(rng.normal(size=(200, 3)), rng.normal(size=(200, 3)), **options)


@pytest.mark.parametrize("options", [{"permute": "rows"}, {"tolerance": 0.01}])
def test_auto_sums_all_pairs_where_landmarks_cannot_be(options):
    assert landmarks.landmarks_of_each(Params(**options), 10**6, 10**6) == (0, 0)


@pytest.mark.parametrize("m", [1000, 50_000, 10**6])
def test_each_sample_gives_landmarks_and_a_small_one_a_twentieth_at_most(m):
    counts = landmarks.landmarks_of_each(Params(), m, 10**6)
    assert sum(counts) == 1024
    assert counts[0] == min(512, m // 20)


@pytest.mark.parametrize(
    "columns", [["--group", "g"], ["--weights", "w"], ["--block-length", "30"]]
)
def test_groups_weights_and_blocks_work_with_landmarks(columns, tmp_path, capsys):
    rng = np.random.default_rng(6)
    for number, name in enumerate(("a", "b")):
        table = np.column_stack([
            rng.normal([number, 0, 0], size=(1500, 3)),
            np.repeat(np.arange(100), 15) + 1000 * number,
            rng.exponential(size=1500),
        ])  # fmt: skip
        left_out = {"--group": "w", "--weights": "g"}.get(columns[0], "g,w")
        np.savetxt(tmp_path / f"{name}.csv", table, header="x,y,z,g,w", delimiter=",", comments="")
    files = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    options = ["--exclude", left_out, "--features", "100", "--format", "json"]
    assert run(["mmd", *files, *columns, *options]) == 1
    assert json.loads(capsys.readouterr().out)["kernel"]["landmarks"] == 100
