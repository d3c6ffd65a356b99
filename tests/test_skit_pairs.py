"""All pairs of columns of a stream: e-BH, the same wealths as single tests, state, wording."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
import streams
from test_state import answer, answer_show, core, run

import kstest
from kstest.betting import blocks, column_pairs, ebh
from kstest.betting.rows import Rows
from kstest.errors import UsageError
from kstest.methods import skit
from kstest.report import render
from kstest.sources import samples_from_objects
from kstest.sources.options import ReadOptions


def table(n=1500, seed=0):
    """a ~ b are dependent, c is not, s and t share a season, w is a category that follows c."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, n))
    s, t = streams.season(24, 2)(rng, n)
    w = np.where(c > 0.5, "high", np.where(c < -0.5, "low", "middle"))
    frame = {"a": a, "b": 0.6 * a + b, "c": c, "s": s, "t": t, "w": w, "hour": np.arange(n) % 24}
    return pd.DataFrame(frame)


TABLE = table()
COLUMNS = ["a", "b", "c", "s", "t"]


def pairs_of(result):
    return {(r["x"], r["y"]): r for r in result.explanation["all_pairs"]}


def naive_rejections(e, alpha):
    """The largest k whose k largest e-values are all at least m / (alpha k)."""
    m = len(e)
    for k in range(m, 0, -1):
        chosen = np.argsort(-e, kind="stable")[:k]
        if (e[chosen] >= m / (alpha * k)).all():
            return set(chosen.tolist())
    return set()


def test_ebh_is_its_definition(rng):
    for _ in range(300):
        e = np.exp(rng.normal(1.5, 2, size=rng.integers(1, 9)))
        for alpha in (0.05, 0.2, 0.5):
            found = ebh.rejected(np.log(e), np.log(1 / alpha))
            assert set(np.flatnonzero(found).tolist()) == naive_rejections(e, alpha)
            assert found.any() == (ebh.largest(np.log(e)) >= np.log(1 / alpha))
        adjusted = np.exp(ebh.adjusted(np.log(e)))
        at = [[j in naive_rejections(e, q * (1 + 1e-9)) for q in adjusted] for j in range(len(e))]
        assert all(at[j][j] or adjusted[j] == 1 for j in range(len(e)))
        assert np.exp(ebh.largest(np.log(e))) <= e.mean() * (1 + 1e-12)


def test_ebh_treats_equal_e_values_alike():
    assert ebh.rejected(np.log([30.0, 30.0]), np.log(20)).all()
    assert not ebh.rejected(np.log([30.0, 10.0]), np.log(20)).any()


def test_thresholds_of_ebh_are_where_it_rejects(rng):
    """The smallest e-value of one hypothesis, the others as they are, by trying them all."""
    for _ in range(50):
        e, level = np.exp(rng.normal(2, 2, size=rng.integers(1, 7))), np.log(20)
        m = len(e)
        least = np.exp(ebh.thresholds(m, level))
        np.testing.assert_allclose(least, 20 * m / np.arange(1, m + 1))
        for j, needed in enumerate(np.exp(ebh.needed(np.log(e), level))):
            for factor, rejects in ((1 + 1e-9, True), (1 - 1e-9, False)):
                other = e.copy()
                other[j] = needed * factor
                assert ebh.rejected(np.log(other), level)[j] == rejects


def test_thresholds_are_printed_drawn_and_in_the_json():
    data = TABLE[["a", "b", "c"]]
    found = kstest.skit(data, all_pairs=True)
    evidence = found.explanation["evidence"]
    assert evidence["pair_thresholds"] == pytest.approx([60, 30, 20])
    needed = {pair: row["e_value_needed"] for pair, row in pairs_of(found).items()}
    assert needed == pytest.approx({("a", "b"): 60, ("a", "c"): 30, ("b", "c"): 30})
    text = " ".join(render(found, "text").split())
    assert "one pair needs 60, 30 each for 2, 20 each for all 3" in text
    params = skit.Params(all_pairs=True)
    (sample,), _ = samples_from_objects({"data": data}, ReadOptions())
    panel = skit.picture([sample], params, found).panels[0]
    words = " ".join(panel.notes if hasattr(panel, "notes") else panel.words)
    assert "60 for one pair, 30 each for two, 20 each for all 3" in words


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"strided": 3},
        {"thin": 2, "kernel": "laplace"},
        {"residualise": "hour", "scale": "standard", "seed": 3},
        {"block": 8, "bandwidth": "0.7"},
    ],
)
def test_every_pair_is_the_test_of_that_pair_to_the_bit(options):
    columns = [*COLUMNS, "w", "hour"] if "residualise" in options else [*COLUMNS, "w"]
    data = TABLE[columns]
    found = pairs_of(kstest.skit(data, all_pairs=True, **options))
    assert set(found) == set(combinations([*COLUMNS, "w"], 2))
    assert {r["verdict"] for r in found.values()} >= {"rejected", "not rejected"}
    for (x, y), row in found.items():
        # A level that is never reached: the test stops only where this pair was decided.
        rows = row["decided_after_row"] or len(data)
        rows = data[: rows * options.get("thin", 1)] if "residualise" not in options else data
        if "residualise" in options and row["decided_after_row"]:
            continue  # rows used are not rows of the file
        alone = kstest.skit(rows, x=x, y=y, **options, alpha=1e-300)
        assert alone.e_value == row["e_value"]
        assert alone.p_value == row["p_value"]
        seen = alone.explanation["guard"]
        for mine, single in zip(row["guard"], seen, strict=True):
            assert mine["e_value"] == single["e_value"]
            assert mine["flagged_after_row"] == single["flagged_after_row"]
        assert (row["verdict"] == "no verdict") == (alone.verdict == "no verdict")


def test_two_columns_are_one_test():
    """But for a doubt of the guard: e-BH needs the wealth of the row where that ends."""
    same = 0
    for seed in range(8):
        data = table(600, seed)[["a", "b"]]
        one, alone = kstest.skit(data, all_pairs=True), kstest.skit(data, x="a", y="b")
        assert one.verdict == alone.verdict == "rejected"
        if alone.e_value >= 20:
            same += 1
            assert one.e_value == pytest.approx(alone.e_value, rel=1e-12)
            assert one.n == alone.n
        else:
            assert one.n["data"] > alone.n["data"]
    assert same >= 5


def test_a_pair_without_a_verdict_leaves_the_others_theirs():
    found = kstest.skit(TABLE[COLUMNS], all_pairs=True)
    rows = pairs_of(found)
    assert found.verdict == "rejected"
    assert rows["a", "b"]["reject"] is True
    assert rows["s", "t"]["reject"] is None
    assert rows["s", "t"]["adjusted_p_value"] == 1
    assert sum(bool(r["reject"]) for r in rows.values()) == 1
    assert found.explanation["summary"].startswith("1 of 10 pairs")
    notes = {w.code: w.message for w in found.warnings}
    assert "'s ~ t'" in notes["unsound-order"]
    assert "--thin" in notes["unsound-order"]
    alone = kstest.skit(TABLE[["s", "t"]], all_pairs=True)
    assert alone.verdict == "no verdict"
    assert alone.explanation["evidence"]["decided_after_row"] == rows["s", "t"]["decided_after_row"]
    off = kstest.skit(TABLE[COLUMNS], all_pairs=True, guard="off")
    assert pairs_of(off)["s", "t"]["reject"] is True
    assert off.warnings[0].code == "guard-off"


def test_no_rejection_is_taken_back_and_the_numbers_agree():
    lines = []
    for n in (100, 200, 300, 400, 600, 900, 1500):
        found = kstest.skit(TABLE[COLUMNS][:n], all_pairs=True)
        rows = found.explanation["all_pairs"]
        lines.append({(r["x"], r["y"]) for r in rows if r["reject"]})
        smallest = min(r["adjusted_p_value"] for r in rows)
        assert (found.verdict == "rejected") == (found.p_value <= 0.05) == bool(lines[-1])
        assert smallest == pytest.approx(min(1, 1 / found.e_value))
        assert all(bool(r["reject"]) == (r["adjusted_p_value"] <= 0.05) for r in rows)
        assert all(r["p_value"] <= r["adjusted_p_value"] + 1e-12 for r in rows)
    assert all(a <= b for a, b in pairwise(lines))


def test_it_ends_where_every_pair_is_decided():
    data = TABLE.assign(c=TABLE["a"] - TABLE["b"])[["a", "b", "c"]]
    found = kstest.skit(data, all_pairs=True)
    rows = found.explanation["all_pairs"]
    last = max(r["decided_after_row"] for r in rows)
    assert found.n == {"data": last}
    assert last < 1500
    assert f"decided after {last:,} rows" in found.explanation["summary"]


def test_too_few_rows():
    found = kstest.skit(TABLE[COLUMNS][:20], all_pairs=True)
    assert (found.verdict, found.warnings[0].code) == ("no verdict", "too-few-rows")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"x": "a", "y": "b"}, "x and all_pairs"),
        ({"mode": "pairs"}, "mode='blocks'"),
        ({"detect": True}, "detect and all_pairs"),
        ({"bandwidth_y": "1"}, "bandwidth_y and all_pairs"),
        ({"columns": "a"}, "at least 2 columns, found 1"),
        ({"columns": "a,b", "residualise": "hour"}, "residualise='hour'"),
        ({"residualise": "a,b"}, "name one column"),
    ],
)
def test_options_that_cannot_be_used(options, words):
    with pytest.raises(UsageError, match=words):
        kstest.skit(TABLE, all_pairs=True, **options)
    with pytest.raises(UsageError, match="all_pairs"):
        kstest.skit(TABLE["a"], TABLE["b"], all_pairs=True)


def test_ten_batches_are_one_to_the_bit(tmp_path):
    """Also when pairs are decided on the way, and the file shrinks with them."""
    chosen = ["--all-pairs", "--exclude", "hour"]
    TABLE.to_csv(tmp_path / "all.csv", index=False)
    code, whole = answer(tmp_path / "all.csv", *chosen, "--state", tmp_path / "one.kst")
    ten, sizes = tmp_path / "ten.kst", []
    for k in range(0, 1500, 150):
        TABLE[k : k + 150].to_csv(tmp_path / "batch.csv", index=False)
        last_code, last = answer(tmp_path / "batch.csv", *chosen, "--state", ten)
        sizes.append(ten.stat().st_size)
    assert core(tmp_path / "one.kst") == core(ten)
    assert code == last_code == 1
    assert whole["explanation"] == {**last["explanation"]}
    assert sizes[-1] < sizes[0] + 64_000  # what a picture keeps of the path, no more
    shown = answer_show(ten)
    assert shown["explanation"]["all_pairs"] == whole["explanation"]["all_pairs"]
    code, message = run(tmp_path / "batch.csv", *chosen, "--alpha", "0.1", "--state", ten)
    assert (code, "with --alpha 0.05 (the default), now --alpha 0.1" in message) == (2, True)


def test_text_fits_and_a_look_is_a_line(tmp_path):
    wide = TABLE.rename(columns={"a": "a" * 60, "b": "b\n" * 30})[["a" * 60, "b\n" * 30, "s", "t"]]
    text = render(kstest.skit(wide, all_pairs=True), "text")
    assert max(map(len, text.splitlines())) <= 80
    assert "? no verdict" in text
    assert "e-BH" in text
    TABLE[COLUMNS].to_csv(tmp_path / "t.csv", index=False)
    options = ["--all-pairs", "--format", "jsonl", "--look-every", 500]
    code, lines = run(tmp_path / "t.csv", *options)
    looks = [json.loads(line) for line in lines.splitlines()]
    assert code == 1
    assert [look["n"]["data"] for look in looks] == [500, 1000, 1500]
    assert all(len(look["explanation"]["all_pairs"]) == 10 for look in looks)
    assert looks[0]["null"]["correction"] == "e-BH"


def false_share(seed, n=400, alpha=0.2):
    """Share of false ones among the rejected pairs: a ~ b true, c to f independent of all."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 6))
    values[:, 1] += values[:, 0]
    names = list("abcdef")
    found = kstest.skit(pd.DataFrame(values, columns=names), all_pairs=True, alpha=alpha, seed=seed)
    rejected = [p for p, row in pairs_of(found).items() if row["reject"]]
    return np.mean([p != ("a", "b") for p in rejected]) if rejected else 0.0, len(rejected)


def test_false_discovery_rate():
    """60 tables at alpha .2 (.05 would leave nothing to see): mean share at most .2 + 2 errors.

    Without a correction (each pair at 1 / alpha), of 14 true hypotheses about 2 would be rejected
    beside one false one, a share of .5 or more.
    """
    found = [false_share(seed) for seed in range(60)]
    assert np.mean([share for share, _ in found]) <= 0.2 + 2 * np.sqrt(0.2 * 0.8 / 60)
    assert np.mean([count for _, count in found]) > 0.8  # and a ~ b is found


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.05, 0.3])
def test_false_alarms_where_no_pair_is_dependent(alpha):
    """300 tables of 5 columns: with no true discovery the FDR is the chance of any rejection."""
    wrong = 0
    for seed in range(300):
        data = np.random.default_rng(seed).normal(size=(500, 5))
        found = kstest.skit(data, all_pairs=True, alpha=alpha, seed=seed)
        wrong += found.verdict == "rejected"
    assert wrong <= 300 * alpha + 2 * np.sqrt(300 * alpha * (1 - alpha))


def test_the_picture_has_the_evidence_and_the_pairs(tmp_path):
    pytest.importorskip("matplotlib")
    file = tmp_path / "why.html"
    kstest.skit(TABLE[COLUMNS], all_pairs=True, plot=file)
    assert "e-BH" in file.read_text()


def test_a_pair_without_a_verdict_is_no_evidence():
    """Its wealth may stand before a block whose bet was never settled; others count as they are."""
    state = begun_pairs(3)
    state = replace(
        state,
        log_e=np.array([0.5, 0.7, -1.0]),
        beyond=np.full(3, 9.0),
        outcome=np.array([column_pairs.UNSOUND, column_pairs.REJECTED, column_pairs.OPEN]),
    )
    for guarded in (False, True):
        evidence = column_pairs.counted(state, 1000, guarded)
        assert evidence.tolist() == [-math.inf, 0.7, -1.0]
        assert math.isfinite(ebh.largest(evidence))
        assert not ebh.rejected(evidence, math.log(20))[0]


def begun_pairs(columns):
    nothing = [Rows.numbers(np.empty(0))] * columns
    return column_pairs.begin(blocks.Design(lagged=True), nothing, True)
