"""The perturbed KSD test: jumps against a twin and an integral, modes, verdicts, level."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import naive
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.stats import binom

import kstest
from kstest.engine import Work
from kstest.errors import DataError, UsageError
from kstest.methods import pksd
from kstest.methods.stein.modes import Modes, precision
from kstest.methods.stein.moves import automatic_scales, jump, perturb
from kstest.methods.stein.perturbed import Perturbation, signed, simulated
from kstest.methods.stein.search import search, spread_out
from kstest.methods.stein.signs import Signs
from kstest.methods.stein.starts import modes_of
from kstest.methods.stein.statistic import setup
from kstest.targets import resolve

DATA = Path(__file__).parent.parent / "datasets"
TWO = "gaussian_mixture([0.5, 0.5], means=[0, 6], covariances=1)"
UNEVEN = (
    "gaussian_mixture([0.2, 0.5, 0.3], means=[[0, 0], [5, 1], [-3, 6]], "
    "covariances=[1, [[0.5, 0.2], [0.2, 0.4]], [[2, -0.5], [-0.5, 1]]])"
)
QUIET = Work(threads=1)


def codes(result):
    return [w.code for w in result.warnings]


def target_of(text, d):
    return resolve(text, tuple(str(c + 1) for c in range(d)))


def modes_in(text, d, **options):
    params = pksd.Params(target=text, **options)
    return modes_of(target_of(text, d), params, None, np.random.default_rng(0), QUIET)


def mixture(delta, weights=(0.5, 0.5), d=1):
    means = [[0.0] * d, [float(delta)] + [0.0] * (d - 1)]
    return f"gaussian_mixture({list(weights)}, means={means}, covariances=1)"


def two_bumps(rng, n, delta, weight, d=1):
    """Rows of both components, the first with probability `weight`."""
    X = rng.normal(size=(n, d))
    X[:, 0] += delta * (rng.random(n) >= weight)
    return X


# --- jumps -----------------------------------------------------------------------------------


def test_jumps_acceptance_and_statistic_equal_the_twin(monkeypatch, rng):
    target = target_of(UNEVEN, 2)
    X, scales, steps = target.sample(40, rng), (0.8, 1.0, 1.3), 6
    modes = modes_in(UNEVEN, 2)
    covariances = np.linalg.inv(modes.precisions)
    params = pksd.Params(target=UNEVEN, scale="none", bandwidth="1.3", draws=19)
    moved = list(perturb(X, target, modes, scales, steps, np.random.default_rng(4)))
    twin = naive.perturbed(
        X, lambda x: target.logpdf(x[None])[0], modes.places, covariances, scales, steps,
        np.random.default_rng(4),
    )  # fmt: skip
    for k, found in enumerate(moved):
        np.testing.assert_allclose(found.rows, twin[k], atol=1e-8)
        assert found.jumped >= np.mean(np.abs(twin[k] - X).max(axis=1) > 1e-6) > 0.1

    made = setup(X, target, params, np.random.default_rng(1))
    how = Perturbation(target, modes, scales, steps, made)
    expected = []
    for rows in (X, *twin):
        U = naive.stein_matrix(rows, target.score(rows), "imq", 1.3)
        expected.append(U.sum() / (40 * 39))
    # Without signs of their own both nulls draw the same jumps.
    signs = Signs(np.arange(41), np.ones((40, 20), np.int8))
    monkeypatch.setattr("kstest.methods.stein.perturbed.random_signs", lambda *_: signs)
    by_signs = signed(X, target.score(X), how, "wild", params, np.random.default_rng(4), QUIET)
    by_samples = simulated(X, target.score(X), how, params, np.random.default_rng(4), QUIET)
    for found in (by_signs, by_samples):
        assert found.T[0, 0] == pytest.approx(sum(expected), rel=1e-6)
        assert found.unmoved[0, 0] == pytest.approx(expected[0], rel=1e-9)
        np.testing.assert_allclose(found.per_scale[:, 0], expected[1:], rtol=1e-6)


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.4])
def test_every_jump_is_undone_by_its_reverse_and_knows_its_volume(scale, rng):
    modes = modes_in(UNEVEN, 2)
    X = rng.normal(size=(50, 2)) * 4
    i = rng.integers(3, size=50)
    j = (i + rng.integers(1, 3, size=50)) % 3
    scales = np.full(50, scale)
    there, volume = jump(X, i, j, scales, modes)
    back, reverse = jump(there, j, i, scales, modes)
    np.testing.assert_allclose(back, X, atol=1e-9)
    np.testing.assert_allclose(volume, -reverse, atol=1e-12)
    for row in range(3):
        e = np.eye(2) * 1e-5
        ends = [
            jump((X[row] + s * e[c])[None], i[[row]], j[[row]], scales[:1], modes)[0][0]
            for c in range(2)
            for s in (1, -1)
        ]
        J = np.array([(ends[0] - ends[1]) / 2e-5, (ends[2] - ends[3]) / 2e-5])
        assert np.log(abs(np.linalg.det(J))) == pytest.approx(volume[row], abs=1e-6)


ONE_COLUMN = {
    "normal": "gaussian_mixture([0.3, 0.5, 0.2], means=[-4, 1, 7], covariances=[1, 0.3, 3])",
    "wrong modes": TWO,
    "logarithm": {
        "logp": "logsumexp(-log(x)**2/2, -2*(log(x) - 4)**2) - log(x)",
        "support": {"x": [0, "inf"]},
    },
}


def one_column(name, tmp_path):
    text = ONE_COLUMN[name]
    if isinstance(text, dict):
        (tmp_path / "target.json").write_text(json.dumps(text))
        text = str(tmp_path / "target.json")
    target, options = resolve(text, ("x",)), {}
    if name == "wrong modes":
        options["modes"] = np.array([[1.0], [4.0], [9.0]])
    params = pksd.Params(target=text, **options)
    return target, modes_of(target, params, None, np.random.default_rng(0), QUIET)


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.2])
@pytest.mark.parametrize("name", ONE_COLUMN)
def test_one_jump_leaves_the_target_as_it_is(name, scale, tmp_path):
    """E f(after) = E f(before) under the target, by integration over rows and all pairs of modes,
    for several f; no draws."""
    target, modes = one_column(name, tmp_path)
    assert len(modes) > 1
    sd = 1 / np.sqrt(modes.precisions.min())
    y = np.linspace(modes.places.min() - 14 * sd, modes.places.max() + 14 * sd, 100_001)[:, None]
    logs = target.log_density(y)
    p = np.exp(logs - logs.max())
    p /= p.sum()
    places = modes.places[:, 0]
    tests = [
        np.sin,
        np.tanh,
        lambda y: np.arctan(5 * (y - places.mean())),
        lambda y: np.abs(y) ** 0.5,
    ]
    before = np.array([p @ f(y[:, 0]) for f in tests])
    after = np.zeros(len(tests))
    pairs = [(i, j) for i in range(len(modes)) for j in range(len(modes)) if i != j]
    moved, here = 0.0, modes.log_shares(y)
    for i, j in pairs:
        full = np.full(len(y), i), np.full(len(y), j)
        there, ratio = jump(y, *full, np.full(len(y), scale), modes)
        ratio += target.log_density(there) - logs + modes.log_shares(there)[:, j] - here[:, i]
        chance = p * np.exp(here[:, i]) / (len(modes) - 1)  # of being there and trying this pair
        made = chance * np.minimum(1, np.exp(np.minimum(ratio, 0)))
        moved += made.sum()
        for k, f in enumerate(tests):
            after[k] += made @ f(there[:, 0]) + (chance - made) @ f(y[:, 0])
    assert moved > 0.005
    np.testing.assert_allclose(after, before, atol=2e-5)


def test_moved_draws_of_the_target_are_draws_of_the_target():
    """Kolmogorov-Smirnov against the known distribution function, each column, each scale."""
    rng = np.random.default_rng(7)
    target, modes = target_of(UNEVEN, 2), modes_in(UNEVEN, 2)
    X = target.sample(5000, rng)
    weights, means, sds = [0.2, 0.5, 0.3], [0, 5, -3], np.sqrt([1, 0.5, 2])

    def distribution(x):
        return sum(w * stats.norm.cdf(x, m, s) for w, m, s in zip(weights, means, sds, strict=True))

    for moved in perturb(X, target, modes, (0.6, 1.0, 1.3), 15, rng):
        assert moved.jumped > 0.15
        assert stats.kstest(moved.rows[:, 0], distribution).pvalue > 1e-3
        # Wrong acceptance shows: draws moved without it are no draws of the target.
    start = rng.integers(3, size=5000)
    wild, _ = jump(X, start, (start + 1) % 3, np.full(5000, 1.3), modes)
    assert stats.kstest(wild[:, 0], distribution).pvalue < 1e-6


@pytest.mark.parametrize("delta", [6, 600])
def test_automatic_scales_end_beside_the_mode_whatever_the_distance(delta):
    scales = np.array(automatic_scales(modes_in(mixture(delta), 1)))
    beside = np.abs(scales - 1) * delta
    assert len(scales) == 20
    assert (beside.min(), beside.max()) == (pytest.approx(0.9), pytest.approx(2.1))


def test_automatic_scales_of_several_distances_suit_each():
    mixed = modes_in("gaussian_mixture([0.4, 0.3, 0.3], means=[0, 6, 300], covariances=1)", 1)
    scales = np.array(automatic_scales(mixed))
    assert sum(1.1 < t < 1.4 for t in scales) >= 3
    assert sum(1 < t < 1.01 for t in scales) >= 3


# --- modes -----------------------------------------------------------------------------------


def test_search_finds_twenty_modes_from_a_box():
    rng = np.random.default_rng(3)
    centres = rng.uniform(-20, 20, (20, 2))
    text = f"gaussian_mixture({[0.05] * 20}, {centres.tolist()}, {[1.0] * 20})"
    target = replace(target_of(text, 2), modes=None, components=None, sample=None)
    params = pksd.Params(target=text, box="-20:20", starts=200)
    found = modes_of(target, params, None, rng, QUIET)
    nearest = np.linalg.norm(centres[:, None] - found.places[None], axis=2).min(axis=1)
    # Centres within three standard deviations of another one need not be modes.
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2) + 99 * np.eye(20)
    assert (nearest[apart.min(axis=1) > 3] < 0.1).all()
    assert len(found) <= 20


def test_search_without_any_hint_finds_modes_at_other_scales():
    for factor in (1e-2, 1.0, 1e3):
        text = f"logp: logsumexp(-0.5*(x/{factor})**2, -0.5*(x/{factor} - 8)**2)"
        found = modes_of(
            resolve(text, ("x",)), pksd.Params(target=text), None, np.random.default_rng(0), QUIET
        )
        np.testing.assert_allclose(np.sort(found.places[:, 0]), [0, 8 * factor], atol=factor / 100)


def test_precision_is_exact_for_normal_distributions_and_sound_elsewhere(rng):
    C = np.array([[2.0, 0.7], [0.7, 0.5]])
    target = target_of(f"multivariate_normal(mean=[3, -1], covariance={C.tolist()})", 2)
    for spread in (1e-2, 1.0, 1e3):
        H = precision(target, np.array([3.0, -1.0]), np.full(2, spread))
        np.testing.assert_allclose(H, np.linalg.inv(C), rtol=1e-6)
    # Far from a mode the second derivative is not negative: still a precision.
    saddle = precision(target_of(mixture(8), 1), np.array([4.0]), np.ones(1))
    assert np.linalg.eigvalsh(saddle).min() > 0


def test_ends_nearer_than_a_standard_deviation_are_one_mode_and_light_modes_go():
    many = np.random.default_rng(0).normal(size=(30, 2))
    target = target_of("normal(sd=[1, 100])", 2)
    assert len(search(target, many * [1, 100], np.tile([1.0, 100.0], (30, 1)), QUIET)) == 1
    starts = np.array([[0.0], [6.0]])
    for light, count in ((1e-10, 2), (1e-16, 1)):
        text = f"gaussian_mixture([{1 - light}, {light}], means=[0, 60], covariances=1)"
        found = search(target_of(text, 1), starts * 10, np.ones((2, 1)), QUIET)
        assert len(found) == count
    # A broad mode is low in many columns, and may be the heavier one.
    d = 30
    text = f"gaussian_mixture([0.1, 0.9], {[[0] * d, [99] * d]}, [0.01, 9])"
    assert len(modes_in(text, d)) == 2


def test_cusps_flat_stretches_and_densities_without_a_mode():
    cusps = resolve("logp: logsumexp(-abs(x), -abs(x - 20))", ("x",))
    params = pksd.Params(target="normal()")
    found = modes_of(cusps, params, None, np.random.default_rng(0), QUIET)
    np.testing.assert_allclose(np.sort(found.places[:, 0]), [0, 20], atol=1e-3)
    widths = np.sqrt(1 / found.precisions[:, 0, 0])
    assert ((widths > 0.2) & (widths < 2)).all()
    # In log x the density falls linearly to the left, where long steps end at x = 0 or infinity.
    shallow = modes_of(target_of("gamma(0.5)", 1), params, None, np.random.default_rng(0), QUIET)
    np.testing.assert_allclose(np.exp(shallow.places), [[0.5]], rtol=1e-4)
    for text, count in (("logp: x", 0), ("logp: 0*x", 1)):
        none = modes_of(resolve(text, ("x",)), params, None, np.random.default_rng(0), QUIET)
        assert len(none) == count


def test_starts_spread_to_rare_modes(rng):
    pool = np.concatenate([rng.normal(size=(999, 1)), [[50.0]]])
    assert 999 in spread_out(pool, 10, rng)
    assert len(spread_out(pool[:4], 10, rng)) == 4


def test_search_for_sp_never_looks_at_the_rows(monkeypatch, rng):
    """Other rows, the same starts: validity rests on it. The split test starts at its training
    half too, and at no tested row."""
    seen = []

    def spy(target, starts, spreads, work):
        seen.append((starts, spreads))
        return search(target, starts, spreads, work)

    monkeypatch.setattr("kstest.methods.stein.starts.search", spy)
    text = "logp: logsumexp(-0.5*x**2, -0.5*(x - 6)**2)"
    for X in (rng.normal(size=(80, 1)), rng.normal(size=(90, 1)) + 6):
        kstest.pksd(pd.DataFrame(X, columns=["x"]), target=text, draws=19)
    np.testing.assert_array_equal(seen[0][0], seen[1][0])
    np.testing.assert_array_equal(seen[0][1], seen[1][1])
    seen.clear()
    X = rng.normal(size=(80, 1))
    kstest.pksd(pd.DataFrame(X, columns=["x"]), target=text, variant="os", draws=19)
    taken = np.isin(X[:, 0], seen[0][0][:, 0])
    assert 10 <= taken.sum() <= 40


def test_modes_from_a_file_keep_their_order_and_need_no_search(tmp_path, monkeypatch, rng):
    monkeypatch.setattr("kstest.methods.stein.starts.search", None)
    pd.DataFrame({"more": [1, 2], "x": [6.0, 0.0]}).to_csv(tmp_path / "m.csv", index=False)
    X = pd.DataFrame({"x": rng.normal(size=300)})
    text = "logp: logsumexp(-0.5*x**2, -0.5*(x - 6)**2)"
    for modes in (str(tmp_path / "m.csv"), np.array([[6.0], [0.0], [6.0]])):
        found = kstest.pksd(X, target=text, modes=modes, draws=99)
        table = {m["mode"]: m["place"]["x"] for m in found.explanation["modes"]}
        assert table == {1: 6.0, 2: 0.0}
        assert found.reject
    with pytest.raises(DataError, match="modes: row 2"):
        kstest.pksd(X + 9, target="product(x=gamma(2))", modes=np.array([[1.0], [-1.0]]))
    with pytest.raises(DataError, match="modes"):
        kstest.pksd(X, target=text, modes=str(tmp_path / "none.csv"))
    with pytest.raises(DataError, match="modes: has 2 columns"):
        kstest.pksd(X, target=text, modes=np.zeros((2, 2)))


def test_nearest_modes_count_their_widths():
    modes = Modes(np.array([[0.0], [4.0]]), np.array([[[1.0]], [[100.0]]]), np.zeros(2))
    np.testing.assert_array_equal(
        modes.nearest(np.array([[0.0], [3.0], [3.9], [9.0]])), [0, 0, 1, 0]
    )


# --- verdicts --------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["sp", "os"])
@pytest.mark.parametrize("text", [TWO, "logp: logsumexp(-0.5*x**2, -0.5*(x - 6)**2)"])
def test_wrong_weights_are_found_and_explained_and_right_ones_pass(variant, text, rng):
    one = pd.DataFrame({"x": rng.normal(size=400)})
    assert not kstest.ksd(one, target=text).reject
    found = kstest.pksd(one, target=text, variant=variant)
    assert found.reject
    assert found.explanation["unmoved"]["p_value"] > 0.05
    assert "mode" in found.explanation["summary"]
    worst = found.explanation["modes"][0]
    assert worst["place"]["x"] == pytest.approx(0, abs=1e-3)
    assert worst["share"] > 0.98
    assert worst["target_share"] == pytest.approx(0.5, abs=0.02)
    both = pd.DataFrame({"x": two_bumps(rng, 400, 6, 0.5)[:, 0]})
    right = kstest.pksd(both, target=text, variant=variant)
    assert not right.reject
    assert right.explanation["summary"] == "no evidence at this level against the target"
    if variant == "os":
        assert (right.n, len(right.explanation["jumps"]["scales"])) == (
            {"data": 400, "tested": 200}, 1,
        )  # fmt: skip


def test_a_difference_within_modes_is_no_matter_of_weights(rng):
    X = two_bumps(rng, 1000, 6, 0.5)
    X[:, 0] += rng.normal(size=1000)
    found = kstest.pksd(X, target=TWO)
    assert found.reject
    assert "mode" not in found.explanation["summary"]
    assert found.explanation["drivers"]


def test_one_mode_has_no_verdict_unless_the_plain_test_rejects(rng):
    X = rng.normal(size=(300, 1))
    found = kstest.pksd(X, target="normal()")
    assert (found.verdict, found.exit_code, found.p_value) == ("no verdict", 3, None)
    assert codes(found) == ["too-few-modes"]
    assert "one mode" in found.warnings[0].message
    assert 0.05 < found.explanation["unmoved"]["p_value"] <= 1
    wide = kstest.pksd(X * 1.5, target="normal()")
    assert wide.reject
    assert wide.p_value == wide.explanation["unmoved"]["p_value"]
    still = kstest.pksd(X, target=mixture(60), scales="2.5")
    assert (still.verdict, codes(still)) == ("no verdict", ["too-few-modes"])
    assert "no row made a jump" in still.warnings[0].message


@pytest.mark.parametrize("options", [{}, {"variant": "os"}, {"bandwidth": "aggregate"}])
def test_answer_does_not_depend_on_row_order_nor_on_threads(options, rng):
    X = two_bumps(rng, 520, 6, 0.6)
    options = {"scales": "0.7,1,1.3", **options}
    base = kstest.pksd(X, target=TWO, draws=99, threads=1, **options)
    for other in (X[::-1], rng.permutation(X)):
        again = kstest.pksd(other, target=TWO, draws=99, threads=3, **options)
        assert (again.p_value, again.statistic) == (base.p_value, base.statistic)
    json.dumps(base.to_dict(), allow_nan=False)


def test_columns_with_a_support_are_moved_on_the_line(tmp_path, rng):
    file = tmp_path / "t.json"
    logp = "logsumexp(-log(x)**2/2, -(log(x) - 7)**2/2) - log(x)"
    file.write_text(json.dumps({"logp": logp, "support": {"x": [0, "inf"]}}))
    one = pd.DataFrame({"x": np.exp(rng.normal(size=300))})
    both = pd.DataFrame({"x": np.exp(two_bumps(rng, 300, 7, 0.5)[:, 0])})
    assert kstest.pksd(one, target=str(file)).reject
    right = kstest.pksd(both, target=str(file))
    assert not right.reject
    places = sorted(m["place"]["x"] for m in right.explanation["modes"])
    np.testing.assert_allclose(places, [1, np.exp(7)], rtol=1e-3)
    outside = kstest.pksd(-one, target=str(file))
    assert (outside.verdict, outside.p_value) == ("rejected", 1 / 1000)


class Object:
    """A target of the user's own."""

    def score(self, X):
        return -X + 6 / (1 + np.exp(18 - 6 * X))

    def logpdf(self, X):
        return np.logaddexp(-0.5 * X[:, 0] ** 2, -0.5 * (X[:, 0] - 6) ** 2)


def test_python_objects_with_a_density_can_move_rows(rng):
    X = rng.normal(size=(300, 1))
    assert kstest.pksd(X, target=Object()).reject
    assert not kstest.pksd(two_bumps(rng, 300, 6, 0.5), target=Object()).reject
    twice = Object()
    twice.logpdf = lambda X: 2 * Object().logpdf(X)
    with pytest.raises(UsageError, match=r"disagree: at row 1 .* 2 times"):
        kstest.pksd(X, target=twice)
    wrong = Object()
    wrong.logpdf = lambda X: np.zeros((len(X), 2))
    with pytest.raises(UsageError, match="logpdf of Object in the shape"):
        kstest.pksd(X, target=wrong)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"score_prefix": "s_"}, "score columns alone"),
        ({"target": ""}, "give target"),
        ({"target": lambda X: -X}, "scores alone"),
        ({"target": "normal(fit)"}, "fitted"),
        ({"target": "von_mises()"}, "angle"),
        ({"variant": "both"}, "variant"),
        ({"scales": "1:2"}, "scales"),
        ({"scales": "0.5:1.5:0"}, "scales"),
        ({"scales": "nan"}, "scales"),
        ({"steps": "0"}, "steps"),
        ({"starts": 0}, "starts"),
        ({"box": "3:1"}, "box"),
        ({"box": "a"}, "box"),
        ({"box": "0:1,0:1"}, "box"),
        ({"box": "0:1", "modes": np.zeros((2, 1))}, "modes"),
        ({"flip": 0.7}, "flip"),
        ({"bandwidth": "0"}, "bandwidth"),
        ({"target": Object(), "null": "parametric"}, "null"),
    ],
)
def test_unusable_options_are_named(options, words, rng):
    with pytest.raises(UsageError, match=words):
        kstest.pksd(rng.normal(size=(30, 1)), **{"target": TWO, **options})


def test_box_outside_the_support_and_rows_without_density_are_refused(rng):
    X = rng.gamma(2, 1, (50, 1))
    with pytest.raises(UsageError, match="leaves the support"):
        kstest.pksd(X, target="gamma(2)", box="-1:5")
    with pytest.raises(DataError, match="row 1 "):
        kstest.pksd(pd.DataFrame(X, columns=["x"]), target="logp: -0.5*x**2 - exp(800*x)")


@pytest.mark.parametrize("X", [np.zeros((50, 1)), np.linspace(1e30, 2e30, 50)[:, None]])
def test_rows_at_which_nothing_can_be_compared_are_no_disagreement(X):
    assert kstest.pksd(X, target=TWO).reject


def test_too_few_rows():
    found = kstest.pksd(np.zeros((3, 1)), target=TWO)
    assert (found.verdict, codes(found)) == ("no verdict", ["too-few-rows"])
    assert kstest.pksd(np.zeros((8, 1)), target=TWO, variant="os").verdict == "no verdict"


def test_simulation_is_exact_and_persistent_signs_keep_the_order(rng):
    X = rng.normal(size=(40, 1))
    found = kstest.pksd(X, target=TWO, null="parametric", draws=99)
    assert found.null["exact"]
    assert found.reject
    chain = kstest.pksd(X, target=TWO, null="markov")
    assert "persistent" in chain.null["scheme"]
    assert not chain.null["exact"]


# --- command ---------------------------------------------------------------------------------


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "kstest", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=DATA.parent,
    )


def test_readme_commands_run_and_only_the_perturbed_test_sees_the_weights():
    lines = [
        line
        for line in (DATA.parent / "docs" / "goodness-of-fit.md").read_text().splitlines()
        if line.startswith("kstest pksd datasets/")
    ]
    assert len(lines) == 2
    for line in lines:
        arguments = shlex.split(line, comments=True)[1:]
        done = run(*arguments)
        assert done.returncode == int("stuck" in line), done.stdout + done.stderr
        assert max(map(len, done.stdout.splitlines())) <= 80
        assert run("ksd", *arguments[1:]).returncode == 0
    assert (
        "holds" in run(*shlex.split(lines[-1], comments=True)[1:]).stdout
        or "stuck" not in lines[-1]
    )


def test_shipped_target_is_the_generator_s(tmp_path):
    sys.path.insert(0, str(DATA))
    try:
        import make_modes
    finally:
        sys.path.pop(0)
    assert (DATA / "modes.toml").read_text() == make_modes.TARGET
    assert len(pd.read_csv(DATA / "modes_stuck.csv")) == make_modes.ROWS


def test_score_columns_on_the_command_line_are_refused_with_the_reason():
    done = run("pksd", "datasets/posterior_exact.parquet", "--score-prefix", "score_")
    assert done.returncode == 2
    assert "score columns alone cannot drive this test" in done.stderr
    help_ = run("pksd", "--help").stdout
    assert "--score-prefix" not in help_
    assert "--modes" in help_
    assert "liu2023perturbation" in run("pksd", "--cite").stdout


def test_a_thousand_rows_answer_at_once(rng):
    X = rng.normal(size=(1000, 1))
    kstest.pksd(X, target=TWO)
    clock = time.process_time()
    kstest.pksd(X, target=TWO, threads=1)
    assert time.process_time() - clock < 1.5


# --- level and power -------------------------------------------------------------------------


def rejections(draw, repeats, **options):
    count = 0
    for repeat in range(repeats):
        X = draw(np.random.default_rng([2304, repeat]))
        count += kstest.pksd(X, draws=99, threads=1, **options).reject or False
    return count


def band(repeats, level=0.05):
    return binom.ppf([0.0005, 0.9995], repeats, level)


@pytest.mark.slow
def test_level_with_few_rows():
    """Every scale and every step costs time here, not validity: fewer of them."""
    options = {"target": TWO, "scales": "0.7,1.3", "steps": "5"}
    found = rejections(lambda g: two_bumps(g, 50, 6, 0.5), 500, **options)
    low, high = band(500)
    assert low <= found <= high


LEVELS = {
    "sp": ({}, 1, 6, 200),
    "sp far": ({}, 1, 12, 200),
    "sp aggregate": ({"bandwidth": "aggregate"}, 1, 6, 200),
    "os": ({"variant": "os"}, 1, 6, 200),
    "sp d 10": ({}, 10, 6, 300),
    "sp box": ({"box": "-10:10"}, 1, 6, 200),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LEVELS)
def test_level_matrix(name):
    options, d, delta, n = LEVELS[name]
    target = mixture(delta, d=d)
    found = rejections(lambda g: two_bumps(g, n, delta, 0.5, d), 500, target=target, **options)
    low, high = band(500)
    assert low <= found <= high


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["sp", "os"])
def test_level_without_a_sampler(variant):
    """Coordinates and bandwidths come from the rows, for ``os`` starts from half of them too."""
    options = {"target": "logp: logsumexp(-0.5*x**2, -0.5*(x - 6)**2)", "variant": variant}

    def draw(g):
        return pd.DataFrame({"x": two_bumps(g, 200, 6, 0.5)[:, 0]})

    low, high = band(500)
    assert low <= rejections(draw, 500, **options) <= high


@pytest.mark.slow
def test_level_of_simulation_is_exact():
    options = {"target": TWO, "null": "parametric", "scales": "0.7,1.3"}
    found = rejections(lambda g: two_bumps(g, 12, 6, 0.5), 500, **options)
    low, high = band(500)
    assert low <= found <= high


@pytest.mark.slow
@pytest.mark.parametrize("delta", [6, 8, 12])
def test_power_of_one_component_where_the_plain_test_has_none(delta):
    target = mixture(delta)
    draws = [two_bumps(np.random.default_rng([9, r]), 200, delta, 1.0) for r in range(100)]
    found = [kstest.pksd(X, target=target, draws=199, threads=1) for X in draws]
    assert np.mean([r.reject for r in found]) >= 0.97
    assert np.mean([kstest.ksd(X, target=target, draws=199).reject for X in draws]) <= 0.15
