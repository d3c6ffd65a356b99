"""Tables that are no plain matrix: groups, time, weights, categories, tolerance, explanations."""

from __future__ import annotations

import itertools

import naive
import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.errors import DataError, UsageError
from kstest.methods.two_samples.effect import Pairs, effect, unbiased_mmd
from kstest.nulls import group_partition, partition, permuted_labels, step_down, time_partition
from kstest.nulls.several import holm, tie_ranks


def table(rng, n, shift=0.0):
    return pd.DataFrame({"x": rng.normal(size=n) + shift, "y": rng.normal(size=n)})


# --- groups


def test_groups_on_one_side_move_whole(rng):
    groups = np.array([3, 3, 1, 1, 1, 7, 9, 9, 8, 8, 8, 8])
    cut = group_partition(groups, 5, rng)
    assert (cut.movable, cut.paired, cut.unit) == (5, False, "groups")
    assert cut.distinct == 10
    for g in range(5):
        rows = cut.order[cut.starts[g] : cut.starts[g + 1]]
        assert len(set(groups[rows])) == 1
        assert (cut.labels[g] > 0) == (rows < 5).all()
    signs = permuted_labels(cut, 200, rng)
    assert (np.count_nonzero(signs > 0, axis=0) == 2).all()


def test_groups_on_both_sides_swap_their_parts(rng):
    groups = np.array([0, 0, 1, 2, 2, 0, 1, 1, 2])
    cut = group_partition(groups, 5, rng)
    assert (cut.movable, cut.paired, cut.distinct) == (6, True, 4)
    for g in range(0, 6, 2):
        a, b = (cut.order[cut.starts[k] : cut.starts[k + 1]] for k in (g, g + 1))
        assert (a < 5).all()
        assert (b >= 5).all()
        assert len({*groups[a], *groups[b]}) == 1
    signs = permuted_labels(cut, 300, rng)
    np.testing.assert_array_equal(signs[0::2], -signs[1::2])
    assert len({tuple(column) for column in signs.T}) == 8


@pytest.mark.parametrize("sides", [(2000, 3), (700, 900), (5, 6), (600, 600)])
def test_many_groups_stay_within_the_engines_blocks(sides, rng):
    a, b = sides
    cut = group_partition(np.arange(a + b), a, rng)
    assert cut.movable <= 512
    assert sorted(cut.order) == list(range(a + b))
    assert (np.diff(cut.starts) > 0).all()
    sizes = cut.sizes[: cut.movable]
    assert len(set(sizes)) == 1  # equally many groups move together


def test_groups_on_one_and_on_both_sides_are_refused(rng):
    with pytest.raises(DataError, match="1 groups have rows on both sides and 2 on one"):
        group_partition(np.array([0, 1, 1, 2]), 2, rng)


def test_few_groups_give_no_verdict(rng):
    X, Y = table(rng, 30), table(rng, 30)
    X["g"], Y["g"] = np.arange(30) % 2, 2 + np.arange(30) % 2
    result = kstest.mmd(X, Y, group="g")
    assert result.verdict == "no verdict"
    assert "more groups are needed" in result.warnings[-1].message


def test_group_ids_need_not_be_equal_in_number_to_reject(rng):
    X, Y = table(rng, 60), table(rng, 45, shift=2)
    X["g"], Y["g"] = np.arange(60) // 6, 100 + np.arange(45) // 3
    result = kstest.mmd(X, Y, group="g")
    assert result.reject
    assert result.null["scheme"] == "permutation of groups"
    assert result.null["exact"]


# --- time


def test_blocks_of_time_are_consecutive_and_keep_what_is_left_over(rng):
    cut = time_partition(23, 31, 5, rng)
    assert (cut.movable, cut.size, cut.exact) == (10, 5, False)
    for g in range(10):
        assert (np.diff(cut.order[cut.starts[g] : cut.starts[g + 1]]) == 1).all()
    assert set(cut.order[cut.starts[10] :]) == {20, 21, 22, 53}


def test_block_length_longer_than_a_sample_gives_no_verdict(rng):
    result = kstest.mmd(table(rng, 40), table(rng, 40), block_length="100")
    assert result.verdict == "no verdict"
    with pytest.raises(UsageError, match="block_length='x': give auto"):
        kstest.mmd(table(rng, 9), table(rng, 9), block_length="x")


def test_serial_dependence_names_the_remedy_and_the_remedy_is_silent(rng):
    X, Y = (table(rng, 400).cumsum() for _ in range(2))
    codes = [w.code for w in kstest.mmd(X, Y).warnings]
    assert "serial-dependence" in codes
    by_block = kstest.mmd(X, Y, block_length="20")
    assert not by_block.warnings
    assert by_block.null["exact"] is False


# --- the statistic under weights and unequal permutations


def weighted_mmd(K, x, y, w):
    def mean(a, b):
        pairs = [(i, j) for i in a for j in b if i != j]
        return sum(w[i] * w[j] * K[i, j] for i, j in pairs) / sum(w[i] * w[j] for i, j in pairs)

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)


@pytest.mark.parametrize("weighted", [False, True])
def test_statistic_equals_its_definition_for_groups_and_weights(weighted, rng):
    from kstest.engine import Work, quadratic_forms
    from kstest.kernels import KERNELS, BandwidthGrid

    rows, w = rng.normal(size=(12, 2)), rng.exponential(size=12) if weighted else np.ones(12)
    groups = np.array([0, 0, 0, 1, 2, 2, 3, 3, 4, 5, 5, 5])
    cut = group_partition(groups, 6, rng)
    signs = permuted_labels(cut, 9, rng)
    weights = w[cut.order] if weighted else None
    grid = BandwidthGrid(KERNELS["gaussian"], (1.3,))
    forms = quadratic_forms(rows[cut.order], cut.starts, signs, [grid], Work(1), weights)
    found = unbiased_mmd(forms, Pairs.of(cut.starts, signs, weights))[0]
    K = naive.kernel_matrix(rows, "gaussian", 1.3)
    for b in range(10):
        label = np.empty(12, int)
        label[cut.order] = np.repeat(signs[:, b], cut.sizes)
        x, y = np.flatnonzero(label > 0), np.flatnonzero(label < 0)
        np.testing.assert_allclose(found[b], weighted_mmd(K, x, y, w))


def test_equal_weights_change_nothing(rng):
    X, Y = table(rng, 50), table(rng, 50, shift=0.5)
    plain = kstest.mmd(X, Y, bandwidth="1")
    X["w"], Y["w"] = 3.0, 3.0
    weighted = kstest.mmd(X, Y, bandwidth="1", weights="w")
    np.testing.assert_allclose(weighted.statistic, plain.statistic)
    # Weights enter the order of tied rows only.
    assert abs(weighted.p_value - plain.p_value) < 0.02


def test_weights_of_another_distribution_are_not_permuted(rng):
    X, Y = table(rng, 300), table(rng, 300)
    X["w"], Y["w"] = rng.exponential(size=300), 1.0
    result = kstest.mmd(X, Y, weights="w")
    assert result.null["scheme"] == "Gaussian multipliers of rows"
    assert result.null["exact"] is False


# --- categories and missing cells


def test_text_columns_are_compared(rng):
    X = pd.DataFrame({"c": rng.choice(list("abc"), 200)})
    Y = pd.DataFrame({"c": rng.choice(list("abc"), 200, p=[0.6, 0.2, 0.2])})
    result = kstest.mmd(X, Y).to_dict()
    assert result["reject"]
    (column,) = result["explanation"]["columns"]
    assert column["words"].startswith("share of 'a': ")


def test_missing_cells_are_a_difference_of_their_own(rng):
    X, Y = table(rng, 200), table(rng, 200)
    Y.loc[rng.random(200) < 0.3, "x"] = np.nan
    result = kstest.mmd(X, Y, missing="indicator")
    assert result.reject
    first = result.to_dict()["explanation"]["columns"][0]
    assert first["column"] == "x missing"
    assert first["words"].startswith("share of missing cells: 0 % ->")
    for how in ("indicator", "drop"):
        codes = [w.code for w in kstest.mmd(X, Y, missing=how).warnings]
        assert "missingness-differs" in codes


def test_missing_cells_do_not_make_the_values_differ(rng):
    X, Y = table(rng, 300) + 2.0, table(rng, 300) + 2.0
    Y.loc[:149, "x"] = np.nan
    result = kstest.mmd(X, Y, missing="indicator").to_dict()
    p = {c["column"]: c["adjusted_p_value"] for c in result["explanation"]["columns"]}
    assert p["x missing"] <= 0.01
    assert p["x"] > 0.05


# --- tolerance


def test_tolerant_statistic_is_the_biased_mmd(rng):
    X, Y = rng.normal(size=(20, 1)), rng.normal(size=(25, 1)) + 1
    result = kstest.mmd(X, Y, tolerance=0.01, bandwidth="1", scale="none")
    rows = np.concatenate([X, Y])
    K = naive.kernel_matrix(rows, "gaussian", 1.0) + np.eye(45)
    a = np.r_[np.full(20, 1 / 20), np.full(25, -1 / 25)]
    np.testing.assert_allclose(result.statistic, np.sqrt(a @ K @ a))
    assert result.null["exact"]
    assert not kstest.mmd(X, Y, tolerance=0.01).null["exact"]


@pytest.mark.parametrize("pairs", list(itertools.product([5, 12], [5, 20])))
def test_one_row_moves_the_biased_mmd_by_no_more_than_the_bound(pairs, rng):
    m, n = pairs
    a = np.r_[np.full(m, 1 / m), np.full(n, -1 / n)]
    worst = 0.0
    for _ in range(200):
        rows = rng.normal(size=(m + n, 1)) * rng.choice([0.1, 1, 10])
        changed = rows.copy()
        changed[rng.integers(m + n)] = rng.normal() * 20
        values = []
        for r in (rows, changed):
            K = naive.kernel_matrix(r, "gaussian", 1.0) + np.eye(m + n)
            values.append(np.sqrt(max(a @ K @ a, 0)))
        worst = max(worst, abs(values[0] - values[1]))
    assert 0 < worst <= np.sqrt(2) / min(m, n)


def test_tolerance_forgives_few_foreign_rows_and_not_many(rng):
    X, Y = rng.normal(size=(2, 4000, 1))
    few, many = Y.copy(), Y.copy()
    few[:20], many[:200] = 9.0, 9.0
    assert kstest.mmd(X, few).reject
    assert not kstest.mmd(X, few, tolerance=0.01).reject
    assert kstest.mmd(X, many, tolerance=0.01).reject


def test_tolerance_refuses_unbounded_kernels():
    with pytest.raises(UsageError, match="energy"):
        kstest.mmd(np.zeros((9, 1)), np.ones((9, 1)), tolerance=0.1, kernel="energy")


# --- several tests on the same permutations


def test_step_down_equals_its_definition(rng):
    T = rng.normal(size=(4, 30))
    T[2, 0] = 5
    found = step_down(T)
    z = (T - T.mean(axis=1, keepdims=True)) / T.std(axis=1, keepdims=True)
    order = sorted(range(4), key=lambda k: -z[k, 0])
    running = 0.0
    for place, k in enumerate(order):
        rest = order[place:]
        share = np.mean([max(z[j, b] for j in rest) >= z[k, 0] - 1e-9 for b in range(30)])
        running = max(running, share)
        np.testing.assert_allclose(found[k], running)


def test_holm_equals_its_definition():
    T = np.zeros((3, 100))
    for k, above in enumerate((2, 0, 40)):
        T[k, 0] = 1
        T[k, 1 : 1 + above] = 2
    np.testing.assert_allclose(tie_ranks(T)[:, 0], [0.03, 0.01, 0.41])
    np.testing.assert_allclose(holm(T), [0.06, 0.03, 0.41])


# --- explanations


def test_pairs_find_what_no_column_shows(rng):
    X = rng.normal(size=(300, 3))
    Y = rng.normal(size=(300, 3))
    Y[:, 1] = 0.8 * Y[:, 0] + 0.6 * Y[:, 1]
    result = kstest.mmd(X, Y, explain="columns,pairs").to_dict()
    assert result["reject"]
    assert all(c["adjusted_p_value"] > 0.05 for c in result["explanation"]["columns"])
    first = result["explanation"]["pairs"][0]
    assert first["columns"] == ["1", "2"]
    assert first["adjusted_p_value"] <= 0.01


def test_rows_names_the_strange_ones_by_their_place_in_the_file(tmp_path, rng):
    X, Y = table(rng, 300), table(rng, 200)
    strange = list(range(40, 80))
    Y.loc[strange] = 6.0
    Y.loc[30, "x"] = np.nan  # a dropped row must not shift the numbers
    X.to_csv(tmp_path / "a.csv", index=False)
    Y.to_csv(tmp_path / "b.csv", index=False)
    _, result = run_json(
        tmp_path, "mmd", "a.csv", "b.csv", "--explain", "rows=40", "--missing", "drop",
        "--bandwidth", "1",
    )  # fmt: skip
    rows = result["explanation"]["rows"]
    assert sorted(r["row"] for r in rows) == [s + 1 for s in strange]
    assert all(r["file"].endswith("b.csv") for r in rows)


def run_json(folder, *arguments):
    import json

    from kstest.cli import run

    out = folder / "out.json"
    files = [str(folder / a) if a.endswith(".csv") else a for a in arguments]
    code = run([*files, "--format", "json", "--output", str(out)])
    return code, json.loads(out.read_text())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: y + 1, "higher: median"),
        (lambda y: y - 1, "lower: median"),
        (lambda y: 3 * y, "wider: middle half"),
        (lambda y: y / 3, "narrower: middle half"),
        (lambda y: np.where(np.arange(len(y)) % 3 == 0, 2.0, np.round(y)), "share of 2: "),
    ],
)
def test_words_say_what_changed(change, words, rng):
    x, y = rng.normal(size=(2, 400, 1))
    x = np.round(x) if "share of 2" in words else x
    result = kstest.mmd(x, change(y.ravel())[:, None] if y.ndim > 1 else change(y)).to_dict()
    assert result["explanation"]["columns"][0]["words"].startswith(words)


def test_interval_covers_the_mmd_of_a_known_shift(rng):
    """Gaussians a unit apart, bandwidth 1: MMD^2 = 2 (1/3)^{1/2} (1 - exp(-1/6))."""
    truth = np.sqrt(2 / np.sqrt(3) * (1 - np.exp(-1 / 6)))
    inside = 0
    for _ in range(60):
        X, Y = rng.normal(size=(2, 300, 1))
        found = kstest.mmd(X, Y + 1, bandwidth="1", scale="none", permutations=19, explain="none")
        low, high = found.explanation["effect"]["interval"]
        inside += low <= truth <= high
    assert 50 <= inside <= 60


def test_interval_equals_a_jackknife_by_hand(rng):
    from kstest.engine import Work, quadratic_forms
    from kstest.kernels import KERNELS, BandwidthGrid

    rows, cut = rng.normal(size=(24, 1)), partition(12, 12, 1, rng)
    signs = permuted_labels(cut, 1, rng)
    forms = quadratic_forms(
        rows[cut.order], cut.starts, signs, [BandwidthGrid(KERNELS["gaussian"], (1.0,))], Work(1)
    )
    found = effect(forms, Pairs.of(cut.starts, signs, None), cut, 0, 0.05, False)
    K = naive.kernel_matrix(rows, "gaussian", 1.0)
    x, y = np.arange(12), np.arange(12, 24)
    variance = 0.0
    for side in (x, y):
        values = [weighted_mmd(K, x[x != g], y[y != g], np.ones(24)) for g in side]
        variance += 11 / 12 * np.sum((np.array(values) - np.mean(values)) ** 2)
    high = weighted_mmd(K, x, y, np.ones(24)) + 1.959964 * np.sqrt(variance)
    np.testing.assert_allclose(found["interval"][1], np.sqrt(high), rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": "g", "block_length": "5"}, "group and block_length"),
        ({"group": "g", "permute": "rows"}, "group and permute='rows'"),
        ({"group": "g", "tolerance": 0.1}, "tolerance with group"),
        ({"weights": "w", "tolerance": 0.1}, "tolerance with weights"),
        ({"tolerance": 1.5}, "tolerance=1.5: give a share"),
        ({"explain": "rows=x"}, "explain='rows=x'"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message, rng):
    X, Y = table(rng, 40), table(rng, 40)
    for offset, part in ((0, X), (100, Y)):
        part["g"], part["w"] = offset + np.arange(40) // 2, 1.0
    with pytest.raises(UsageError, match=message):
        kstest.mmd(X, Y, **options)


@pytest.mark.parametrize(
    "wrong",
    [
        {"given": np.zeros(60)}, {"alpha": np.zeros(3)}, {"kernel": object()}, {"threads": "2"},
        {"permutations": 99.5}, {"permutations": True}, {"all_pairs": "yes"}, {"alpha": "0.05"},
        {"threads": 0}, {"aggregate": None}, {"seed": np.zeros(2)},
    ],
    ids=lambda wrong: f"{next(iter(wrong))}-{type(next(iter(wrong.values()))).__name__}",
)  # fmt: skip
def test_options_of_another_type_are_refused_by_name(wrong, rng):
    (name,) = wrong
    with pytest.raises(UsageError, match=f"{name}: "):
        kstest.hsic(rng.normal(size=(60, 3)), **wrong)
