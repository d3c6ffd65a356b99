"""Chains of a sampler: how they are read, what they are worth, the level of tests of them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import binom

import kstest
from kstest.cli import run
from kstest.diagnostics.chains import memory, mixing, repeats, scores_of_ranks
from kstest.errors import DataError, UsageError
from kstest.methods.stein.draws import Draws
from kstest.methods.stein.signs import random_signs
from kstest.nulls import chain_bins, markov_signs
from kstest.sources import ReadOptions, read_samples, samples_from_objects
from kstest.sources.columnar import table_of

DATA = Path(__file__).parent.parent / "datasets"
QUICK = {"target": "normal(mean=0, sd=1)", "draws": 99, "threads": 1, "explain": "none"}


def chains_of(rng, phi, lengths, d=1):
    """Stationary AR(1) chains of a standard normal target, one after the other."""
    found = []
    for m in lengths:
        steps, x = rng.normal(size=(m, d)) * np.sqrt(1 - phi**2), np.empty((m, d))
        x[0] = rng.normal(size=d)
        for t in range(1, m):
            x[t] = phi * x[t - 1] + steps[t]
        found.append(x)
    return found


def table(chains, names=None):
    frame = pd.DataFrame(np.concatenate(chains))
    frame.columns = [f"x{c}" for c in range(frame.shape[1])]
    names = list(range(len(chains))) if names is None else names
    frame["chain"] = np.repeat(names, [len(x) for x in chains])
    return frame


def codes(result):
    return [w.code for w in result.warnings]


# What rows are worth.


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("lengths", [(500,) * 4, (1400, 600), (2000,)])
def test_autocorrelation_times_are_those_of_the_process(phi, lengths):
    times = [
        memory(
            scores_of_ranks(np.concatenate(chains_of(np.random.default_rng(s), phi, lengths))),
            np.array(lengths),
        ).times
        for s in range(12)
    ]
    values, sizes = np.mean(times, axis=0)
    assert values == pytest.approx((1 + phi) / (1 - phi), rel=0.25)
    assert 1 <= sizes < max(1.3, values)  # deviations remember for less


def test_signs_see_what_the_sum_over_lags_says(rng):
    x = np.concatenate(chains_of(rng, 0.8, (400, 300)))
    found = memory(x, np.array([400, 300]))
    r = found.correlations[0]
    twin = 1 + 2 * sum(r[k] * 0.7**k for k in range(1, len(r)))
    assert found.seen(0.7)[0] == pytest.approx(twin)
    assert found.seen(1.0) == pytest.approx(found.times)


def test_lag_one_is_that_of_a_loop_over_chains(rng):
    chains = [rng.normal(size=(m, 1)).cumsum(axis=0) for m in (50, 30)]
    found = memory(np.concatenate(chains), np.array([50, 30]), together=False)
    mean = np.concatenate(chains).mean()
    within = [sum(((x - x.mean())[k:] * (x - x.mean())[: len(x) - k]).sum() for x in chains) / 80
              for k in range(2)]  # fmt: skip
    between = sum(len(x) * (x.mean() - mean) ** 2 for x in chains) / 80
    together = memory(np.concatenate(chains), np.array([50, 30]))
    assert together.correlations[0][1] == pytest.approx(
        (within[1] + between) / (within[0] + between)
    )
    assert found.times[0] > 5


def test_chains_that_differ_have_not_mixed_and_slow_ones_have(rng):
    lengths = np.array([250] * 4)
    slow = [scores_of_ranks(np.concatenate(chains_of(rng, 0.95, lengths))) for _ in range(20)]
    assert not any(mixing(x, lengths).apart for x in slow)
    assert max(mixing(x, lengths).r_hat for x in slow) > 1.1  # which says nothing by itself
    chains = chains_of(rng, 0.5, lengths, 2)
    chains[2][:, 1] += 1
    found = mixing(scores_of_ranks(np.concatenate(chains)), lengths)
    assert found.apart
    assert found.column == 1
    wide = chains_of(rng, 0.5, lengths)
    wide[3] *= 3
    found = mixing(scores_of_ranks(np.concatenate(wide)), lengths)
    assert found.apart
    assert found.column == 1
    stuck = np.repeat([1.0, 2.0], 50)[:, None]
    assert mixing(stuck, np.array([50, 50])).apart
    assert mixing(np.ones((100, 1)), np.array([50, 50])).r_hat == 1
    assert mixing(np.arange(6.0)[:, None], np.array([3, 3])) is None
    many = np.array([20] * 40)  # halves too short to show their memory
    assert not mixing(scores_of_ranks(np.concatenate(chains_of(rng, 0.9, many))), many).apart


def test_repeats_do_not_cross_a_seam():
    marks, lengths = np.array([1, 1, 2, 2, 2, 3], np.uint64), np.array([3, 3])
    assert repeats(marks, lengths) == (6, 2)
    assert repeats(marks, lengths, 2) == (4, 0)


# Signs.


@pytest.mark.parametrize("lengths", [[7, 3], [600, 300, 2], [1, 1, 1], [5000]])
def test_bins_hold_rows_of_one_chain(lengths):
    starts, chain = chain_bins(np.array(lengths))
    of = np.repeat(np.arange(len(lengths)), lengths)
    assert starts[0] == 0
    assert starts[-1] == sum(lengths)
    for a, b, c in zip(starts[:-1], starts[1:], chain, strict=True):
        assert b > a
        assert set(of[a:b]) == {c}
    assert len(chain) <= max(512, len(lengths))


def test_signs_of_chains_persist_within_and_not_across(rng):
    starts, chain = chain_bins(np.array([30, 30]))
    signs = markov_signs(starts, 20_000, 0.1, rng, chain)[:, 1:].astype(float)
    found = signs @ signs.T / 20_000
    lag = np.abs(np.subtract.outer(np.arange(60), np.arange(60)))
    expected = np.where(chain[:, None] == chain, 0.8**lag, 0)
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_sums_leave_out_neighbours_of_one_chain(rng):
    class Params:
        flip, draws = "auto", 19

    x = np.concatenate(chains_of(rng, 0.9, (60, 60)))
    draws = Draws.of(x, -x, np.repeat([0, 1], 60), ("x",))
    signs = random_signs(120, "markov", Params(), rng, draws)
    blocks = rng.normal(size=(1, 120, 120))
    blocks += blocks.transpose(0, 2, 1)
    chain = np.repeat([0, 1], 60)
    twin = pairs = 0.0
    for i in range(120):
        for j in range(120):
            if i != j and not (chain[i] == chain[j] and abs(i - j) < draws.time):
                twin += blocks[0, i, j]
                pairs += 1
    assert signs.between(blocks) == pairs
    assert signs.sums(blocks)[0, 0] == pytest.approx(twin)
    v = signs.values[:, 3].astype(float)
    assert signs.sums(blocks)[0, 3] == pytest.approx(signs.wider * (v @ blocks[0] @ v))
    assert signs.wider > 1


# Reading.


def test_chains_are_told_by_a_column_and_never_tested(tmp_path, rng):
    frame = table([rng.normal(size=(5, 1)), rng.normal(size=(3, 1))], ["b", "a"])
    for name in ("a.csv", "b.csv"):
        frame.to_csv(tmp_path / name, index=False)
    files = {"data": [str(tmp_path / "a.csv")]}
    (one,), _ = read_samples(files, ReadOptions(chain="chain"))
    assert (one.columns, one.categorical, one.chained) == (("x0",), (), "named")
    assert [one.group_names[k] for k in one.groups] == ["b"] * 5 + ["a"] * 3
    (two,), _ = read_samples({"data": [str(tmp_path / "*.csv")]}, ReadOptions(chain="2"))
    assert len(np.unique(two.groups)) == 4
    assert two.group_names[0].startswith("b of ")
    with pytest.raises(UsageError, match="no column"):
        read_samples(files, ReadOptions(chain="chains"))
    with pytest.raises(UsageError, match="--chain and --group"):
        ReadOptions(chain="a", group="b")


def test_columns_that_number_draws_are_left_out(rng):
    frame = table(chains_of(rng, 0.5, (100, 100)))
    frame = frame.assign(draw=np.tile(np.arange(100), 2)).rename(columns={"chain": ".chain"})
    found = kstest.ksd(frame, chain=".chain", **QUICK)
    assert found.columns == ("x0",)
    assert codes(found) == ["counters-left-out"]
    assert kstest.ksd(frame, chain=".chain", columns=["x0", "draw"], **QUICK).d == 2
    assert kstest.ksd(frame, chain=".chain", exclude="draw", **QUICK).d == 1


CMDSTAN = "# method = sample\nlp__,accept_stat__,x\n# Adaptation terminated\n"


def test_files_of_cmdstan_are_chains(tmp_path, rng):
    chains = chains_of(rng, 0.9, (200, 200))
    for k, x in enumerate(chains):
        rows = "".join(f"{-v * v / 2},0.9,{v}\n" for v in x[:, 0])
        (tmp_path / f"out_{k}.csv").write_text(CMDSTAN + rows + "# Elapsed Time\n")
    files = {"data": [str(tmp_path / "out_*.csv")]}
    (known,), _ = read_samples(files, ReadOptions(own_chains=True))
    assert known.chained == "known"
    assert known.columns == ("x",)
    assert known.groups.tolist() == [0] * 200 + [1] * 200
    (where,), _ = read_samples(files, ReadOptions(own_chains=True, where="x > 0"))
    assert len(where.groups) == where.n < 400
    for options in ({}, {"own_chains": True, "chain": "none"}):
        (plain,), _ = read_samples(files, ReadOptions(**options))
        assert plain.groups is None
    with pytest.raises(UsageError, match="leave --chain out"):
        read_samples(files, ReadOptions(own_chains=True, chain="chain"))


@pytest.mark.filterwarnings("ignore")
def test_draws_of_arviz_know_their_chains(tmp_path, rng):
    xarray = pytest.importorskip("xarray")
    x = np.array(chains_of(rng, 0.9, (200,) * 3))[..., 0]
    data = xarray.Dataset({"mu": (("chain", "draw"), x)})
    by_object = kstest.ksd(data, **QUICK)
    by_column = kstest.ksd(table([c[:, None] for c in x]), chain="chain", **QUICK)
    assert by_object.p_value == by_column.p_value
    assert by_object.explanation["chains"]["shortest"] == 200
    assert "chains" not in kstest.ksd(data, chain="none", **QUICK).explanation
    (untold,), _ = samples_from_objects({"data": data}, ReadOptions())
    assert untold.groups is None  # for tests that ask nothing of chains
    pytest.importorskip("h5netcdf")
    data.to_netcdf(tmp_path / "a.nc", group="posterior", engine="h5netcdf")
    from kstest.sources.draws import open_group

    with open(tmp_path / "a.nc", "rb") as file:
        opened = open_group(file, "posterior", "a.nc", lambda: None, lambda: None)
        stream = io.BytesIO()
        with pa.ipc.new_stream(stream, opened.schema):  # as another process sends it
            pass
    sent = pa.ipc.open_stream(stream.getvalue()).schema
    assert table_of("a.nc", "a.nc", replace(opened, schema=sent)).chains == 3


# Verdicts.


def test_dependence_within_chains_is_allowed_for(rng):
    frame = table(chains_of(rng, 0.9, (500,) * 4))
    found = kstest.ksd(frame, chain="chain", **QUICK)
    assert found.verdict == "not rejected"
    assert codes(found) == []
    assert found.explanation["chains"]["effective"] == pytest.approx(105, rel=0.5)
    assert "within each chain (flip" in found.null["scheme"]
    assert kstest.ksd(frame[["x0"]], **QUICK).reject  # as if rows were independent
    assert kstest.ksd(frame.assign(x0=frame.x0 + 0.7), chain="chain", **QUICK).reject
    assert kstest.ksd(frame.assign(x0=frame.x0 * 1.7), chain="chain", **QUICK).reject


def test_the_answer_asks_neither_for_the_order_of_chains_nor_for_their_names(rng):
    frame = table(chains_of(rng, 0.8, (150,) * 3))
    base = kstest.ksd(frame, chain="chain", **QUICK)
    mixed = frame.iloc[np.arange(450).reshape(3, 150).T.ravel()]
    named = frame.assign(chain=frame.chain.map({0: "a", 1: "b c", 2: "\u00e4"}))
    for other in (mixed, named):
        again = kstest.ksd(other, chain="chain", **QUICK)
        assert (again.p_value, again.statistic) == (base.p_value, base.statistic)
    assert kstest.ksd(frame, chain="chain", **{**QUICK, "threads": 3}).p_value == base.p_value


def test_what_chains_cannot_say(rng):
    short = kstest.ksd(table(chains_of(rng, 0.9, (3,) * 4)), chain="chain", **QUICK)
    assert (short.verdict, codes(short)) == ("no verdict", ["too-few-draws"])
    assert "4 chains of 3 rows: too short" in short.warnings[0].message
    slow = kstest.ksd(table(chains_of(rng, 0.999, (100,) * 2)), chain="chain", **QUICK)
    assert slow.verdict == "no verdict"
    assert "worth about" in slow.warnings[0].message
    stuck = [np.full((100, 1), v) for v in rng.normal(size=4)]
    still = kstest.ksd(table(stuck), chain="chain", **QUICK)
    assert still.verdict == "no verdict"


@pytest.mark.parametrize("test", ["ksd", "pksd"])
def test_a_chain_that_is_stuck_gives_no_verdict(test, rng):
    chains = [x + rng.choice([-4.0, 4.0], (250, 1)) for x in chains_of(rng, 0.5, (250,) * 4)]
    modes = "gaussian_mixture(weights=[0.5, 0.5], means=[[-4], [4]], covariances=[1, 1])"
    how = {"draws": 99, "threads": 1}
    whole = getattr(kstest, test)(table(chains), target=modes, chain="chain", **how)
    assert whole.verdict != "no verdict"
    stuck = [np.repeat(chains[0][:1], 250, axis=0), *chains[1:]]
    found = getattr(kstest, test)(table(stuck), target=modes, chain="chain", **how)
    assert found.verdict == "no verdict"
    assert "stands still for 250 rows" in found.warnings[0].message
    # A sampler that often refuses is not stuck.
    held = [x[np.repeat(np.arange(50), 5)] for x in chains]
    again = getattr(kstest, test)(table(held), target=modes, chain="chain", **how)
    assert again.verdict != "no verdict"


def test_one_short_or_constant_chain_among_others(rng):
    chains = chains_of(rng, 0.7, (300, 40, 200, 3))
    assert kstest.ksd(table(chains), chain="chain", **QUICK).verdict == "not rejected"
    assert kstest.ksd(table(chains[:1]), chain="chain", **QUICK).verdict == "not rejected"
    chains[1] = np.full((40, 1), 2.5)
    found = kstest.ksd(table(chains), chain="chain", **QUICK)
    assert codes(found)[:2] == ["not-mixed", "repeated-rows"]
    assert found.warnings[0].message.startswith("the chains have not mixed: chains differ in")


@pytest.mark.parametrize("each", [1, 4])
def test_of_many_chains_each_has_a_sign(each, rng):
    found = kstest.ksd(table(chains_of(rng, 0.95, (each,) * 300)), chain="chain", **QUICK)
    assert found.verdict == "not rejected"
    assert (found.null["scheme"], found.null["bins"]) == ("random signs of chains", 256)


def test_rows_that_repeat_the_one_before_come_with_advice(rng):
    x = chains_of(rng, 0.5, (900,))[0]
    moves = rng.random(900) < 0.5
    moves[0] = True
    held = x[np.maximum.accumulate(np.where(moves, np.arange(900), 0))]
    found = kstest.ksd(table([held[:450], held[450:]]), chain="chain", **QUICK)
    assert codes(found) == ["repeated-rows"]
    assert "% of the rows repeat the row before" in found.warnings[0].message
    assert "row would leave" in found.warnings[0].message


REFUSED = {
    "fitted": {"target": "normal(fit)"},
    "wild": {"null": "wild"},
    "parametric": {"null": "parametric"},
    "contamination": {"contamination": 0.1, "bandwidth": "median"},
    "features": {"features": "20"},
    "discrete": {"target": "discrete_uniform(0, 4)", "columns": "k"},
}


@pytest.mark.parametrize("case", REFUSED)
def test_nulls_of_independent_rows_refuse_chains(case, rng):
    frame = table(chains_of(rng, 0.5, (200, 200))).assign(k=rng.integers(0, 5, 400))
    options = {"columns": "x0", **QUICK, **REFUSED[case]}
    with pytest.raises(UsageError, match=r"independent.*Thin the chains"):
        kstest.ksd(frame, chain="chain", **options)


@pytest.mark.parametrize("flip", ["0", "0.6", "fast"])
def test_a_flip_is_a_probability(flip):
    for test in (kstest.ksd, kstest.pksd):
        with pytest.raises(UsageError, match=f"flip={flip}|flip='?{flip}"):
            test(np.zeros(30), target="normal()", flip=flip)


def test_other_tests_make_no_use_of_chains(rng, tmp_path, capsys):
    frame = table(chains_of(rng, 0.5, (50, 50)))
    with pytest.raises(UsageError, match=r"ks makes no use of chain.*ksd and pksd take chains"):
        kstest.ks(frame, frame, chain="chain")
    frame.to_csv(tmp_path / "a.csv", index=False)
    words = ["sksd", str(tmp_path / "a.csv"), "--target", "normal()", "--chain", "chain"]
    assert run(words) == 2
    assert "each as a new draw given all" in capsys.readouterr().err
    with pytest.raises(DataError, match="chain"):
        kstest.ksd(frame.assign(chain=frame.chain.where(frame.index > 3)), chain="chain", **QUICK)


def test_perturbed_rows_keep_their_chains(rng):
    two = "gaussian_mixture([0.5, 0.5], means=[-2, 2], covariances=1)"
    side = np.where(rng.random(600) < 0.5, -2, 2)[:, None]
    frame = table(np.split(np.concatenate(chains_of(rng, 0.8, (300, 300))) + side, 2))
    options = {"target": two, "draws": 99, "threads": 1, "scales": "1,1.1", "starts": 10}
    found = kstest.pksd(frame, chain="chain", **options)
    assert found.verdict == "not rejected"
    assert "within each chain" in found.null["scheme"]
    assert found.explanation["chains"]["count"] == 2
    assert "signs of rows" in kstest.pksd(frame[["x0"]], **options).null["scheme"]


def test_checks_and_the_command_line_know_chains(tmp_path, monkeypatch, capsys, rng):
    monkeypatch.chdir(tmp_path)
    table(chains_of(rng, 0.8, (150, 150))).to_csv("a.csv", index=False)
    words = ["ksd", "a.csv", "--target", "normal()", "--chain", "chain", "--draws", "99"]
    assert run([*words, "--flip", "0.1"]) == 0
    assert "2 chains of 150 rows, worth about" in " ".join(capsys.readouterr().out.split())
    Path("kstest.toml").write_text(
        '[checks.k]\ntest = "ksd"\ndata = "a.csv"\ntarget = "normal()"\nchain = "chain"\n'
    )
    assert run(["run", "--format", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["outcomes"][0]["result"]["explanation"]["chains"]["count"] == 2


def test_draws_of_eight_schools():
    frame = pd.read_parquet(DATA / "eight_schools_centred.parquet").groupby("chain").head(200)
    options = {**QUICK, "target": "", "bandwidth": "median"}
    found = kstest.ksd(frame, score_prefix="score_", chain="chain", **options)
    assert found.explanation["chains"]["count"] == 4
    assert "repeated-rows" in codes(found)


# Level.


def rejections(phi, lengths, sets, d=1, **options):
    found = 0
    for s in range(sets):
        frame = table(chains_of(np.random.default_rng([s, 19]), phi, lengths, d))
        answer = kstest.ksd(frame, seed=s, **{**QUICK, "draws": 199, **options})
        found += answer.verdict == "rejected"
    return found


LEVELS = [(0.0, (250,) * 4), (0.5, (400,) * 4), (0.9, (250,) * 4), (0.9, (1000,) * 4),
          (0.95, (250,) * 4), (0.95, (900, 400, 100))]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("phi", "lengths"), LEVELS)
def test_level_of_chains(phi, lengths):
    """Within the 99.9 % band of .05; without the chains nearly all sets of phi .9 are rejected."""
    high = binom.ppf(0.9995, 300, 0.05)
    assert rejections(phi, lengths, 300, chain="chain") <= high
    if phi == 0.9:
        assert rejections(phi, lengths, 20, exclude="chain") > 10
