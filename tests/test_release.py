"""Private sketches: features, sensitivity, exact noise, accounting, ledger, files, the test."""

from __future__ import annotations

import contextlib
import json
import math
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kstest.cli import run
from kstest.errors import DataError, UsageError
from kstest.privacy import accounting, against, discrete, ledger, release, sketch, units
from kstest.privacy.accounting import Privacy, epsilon_of, rho_for, sensitivity_squared
from kstest.privacy.features import AMPLITUDE, PAIRS, STEPS, WIDTH, Frequencies, _table, features
from kstest.privacy.units import Declared
from kstest.sample import Sample

LINES = "a = 1\nb = { unit = 2, centre = 10 }\nkind = { levels = ['x', 'y'] }\n"
ASK = ["--epsilon", "1", "--delta", "1e-6", "--units", "units.toml"]


def numbers(x, at):
    """Features of rows without categories, as one array."""
    x = np.asarray(x, float)
    return np.vstack(list(features(x, np.empty((len(x), 0), np.int64), at)))


def below(seed):
    """A source of chance that can be had again: for tests of the sampler only."""
    return random.Random(seed).randrange


# ---- features


def test_features_are_those_of_plain_loops(rng):
    at = Frequencies.drawn(2, (2,), 5)
    values, codes = rng.normal(size=(7, 2)) * 30, np.array([[0], [1], [2], [0], [2], [1], [0]])
    found = np.vstack(list(features(values, codes, at)))
    for i in range(7):
        for q in range(PAIRS):
            phase = values[i, 0] * at.numeric[0, q] + values[i, 1] * at.numeric[1, q]
            phase += at.levels[0][codes[i, 0], q]
            turn = 2 * math.pi * (round(phase * STEPS) % STEPS) / STEPS
            assert found[i, q] == round(AMPLITUDE * math.cos(turn))
            assert found[i, PAIRS + q] == round(AMPLITUDE * math.sin(turn))


def test_their_products_are_the_kernel(rng):
    """The mean over seeds tends to the mean of the four Gaussian kernels; categories count 2."""
    x, codes = rng.normal(size=(12, 2)), rng.integers(0, 3, (12, 1))
    square = ((x[:, None] - x[None]) ** 2).sum(-1) + 2.0 * (codes != codes.T)
    wanted = np.mean([np.exp(-square / (2 * 3 * h * h)) for h in (0.5, 1, 2, 4)], axis=0)
    total = np.zeros((12, 12))
    for seed in range(100):
        v = np.vstack(list(features(x, codes, Frequencies.drawn(2, (2,), seed)))) / against.UNIT
        total += v @ v.T
    assert np.abs(total / 100 - wanted).max() < 0.04


def test_a_row_is_mapped_by_itself(rng):
    """Neighbours, place and number of rows do not change a bit of it."""
    at, x = Frequencies.drawn(3, (), 0), rng.normal(size=(9001, 3)) * 100
    whole = numbers(x, at)
    for i in (0, 1, 4095, 4096, 9000):
        np.testing.assert_array_equal(numbers(x[i : i + 1], at)[0], whole[i])
    np.testing.assert_array_equal(numbers(x[::-1], at)[::-1], whole)


def test_the_frequencies_stay_as_they_are():
    """A sketch is read by later versions: these numbers must not change."""
    at = Frequencies.drawn(2, (3,), 7)
    assert at.check == pytest.approx(PINNED, rel=1e-8)
    assert at.levels[0].shape == (4, PAIRS)


PINNED = 24.2268383


# ---- sensitivity


HOSTILE = (0.0, -0.0, 1e-320, 1.0, -1.0, 0.25, 1e6, -1e6, 2.0**53, 1e300, -1e308, np.inf, -np.inf)


def test_no_pair_of_rows_is_beyond_the_bound(rng):
    at, most = Frequencies.drawn(2, (), 0), sensitivity_squared()
    grid = np.array([(a, b) for a in HOSTILE for b in HOSTILE])
    x = np.vstack([grid, rng.normal(size=(500, 2)), rng.standard_cauchy((500, 2))])
    v = numbers(x, at).astype(float)  # whole numbers below 2^53: sums are exact
    lengths = (v**2).sum(axis=1)
    assert lengths.max() <= accounting.length_squared()
    assert 4 * accounting.length_squared() == most
    distances = lengths[:, None] + lengths[None] - 2 * (v @ v.T)
    assert distances.max() <= most


def test_the_bound_is_nearly_reached():
    """One column and one frequency in mind: rows half a turn apart; the bound is no luxury."""
    at = Frequencies(np.full((1, PAIRS), 0.5), ())
    v = numbers([[0.0], [1.0]], at)
    assert ((v[0] - v[1]) ** 2).sum() > 0.999 * sensitivity_squared()


def test_every_place_of_the_table_is_within():
    cosines, longest = _table()
    pairs = cosines**2 + cosines[(np.arange(STEPS) - STEPS // 4) % STEPS] ** 2
    assert pairs.max() == longest
    assert accounting.length_squared() == PAIRS * longest
    assert accounting.length_squared() < PAIRS * (AMPLITUDE + 1) ** 2


def test_users_change_the_sum_by_their_rows(rng):
    at = Frequencies.drawn(1, (), 0)
    one, other = numbers(rng.normal(size=(4, 1)), at), numbers(rng.normal(size=(4, 1)) + 9, at)
    change = one.sum(axis=0) - other.sum(axis=0)
    assert (change**2).sum() <= sensitivity_squared(4) == 16 * sensitivity_squared()


def test_only_the_first_rows_of_a_user_are_used():
    groups = np.array([2, 0, 2, 2, 1, 0, 2, 1])
    assert release._first(groups, 2).tolist() == [0, 1, 2, 4, 5, 7]
    assert release._first(groups, 9).tolist() == list(range(8))


# ---- the sampler


@pytest.mark.parametrize("sigma2", [1, 4, 30])
def test_draws_follow_the_exact_probabilities(sigma2):
    draw, count = below(3), 6000
    x = np.array([discrete.discrete_gaussian(sigma2, draw) for _ in range(count)])
    most = int(3.2 * math.sqrt(sigma2)) + 1
    support = np.arange(-50 * most, 50 * most + 1)
    weights = np.exp(-(support.astype(float) ** 2) / (2 * sigma2))
    p = weights / weights.sum()
    cells = np.clip(x, -most, most)
    seen = np.bincount(cells + most, minlength=2 * most + 1)
    clipped = np.clip(support, -most, most) + most
    wanted = count * np.bincount(clipped, p)
    assert stats.chisquare(seen, wanted).pvalue > 1e-4


def test_draws_of_the_size_of_a_release_are_normal():
    draw, sigma = below(1), 2_300_097
    x = np.array([discrete.discrete_gaussian(sigma**2, draw) for _ in range(2000)]) / sigma
    assert stats.kstest(x, "norm").pvalue > 1e-3
    assert len(set(np.round(x * sigma).astype(int) % 7)) == 7


def test_the_parts_of_the_sampler():
    draw = below(2)
    for p, q in ((0, 5), (1, 3), (7, 3), (5, 1)):
        hits = sum(discrete._exponential(p, q, draw) for _ in range(3000))
        assert stats.binomtest(hits, 3000, math.exp(-p / q)).pvalue > 1e-4
    x = np.array([discrete._laplace(3, draw) for _ in range(3000)])
    share = (math.exp(1 / 3) - 1) / (math.exp(1 / 3) + 1)
    assert stats.binomtest(int((x == 0).sum()), 3000, share).pvalue > 1e-4
    assert stats.binomtest(int((x > 0).sum()), int((x != 0).sum()), 0.5).pvalue > 1e-4


# ---- accounting


def exact_delta(shifts, sigma2, epsilon):
    """Delta of independent discrete Gaussians whose centres are shifted, by summing: a twin."""
    reach = int(9 * math.sqrt(sigma2)) + max(shifts)
    axis = np.arange(-reach, reach + 1)
    logs = []
    for shift in (0, *shifts):
        w = -((axis - shift) ** 2) / (2 * sigma2)
        logs.append(w - np.log(np.exp(w).sum()))
    if len(shifts) == 1:
        one, other = logs
    else:
        one = logs[0][:, None] + logs[0][None]
        other = logs[1][:, None] + logs[2][None]
    return float(np.maximum(np.exp(one) - math.exp(epsilon) * np.exp(other), 0).sum())


@pytest.mark.parametrize(("epsilon", "delta"), [(0.5, 1e-3), (1, 1e-6), (4, 1e-5)])
def test_the_promise_holds_by_summing_the_probabilities(epsilon, delta):
    """In one and in two coordinates, of the same length; and it is not far from what is needed."""
    rho = rho_for(epsilon, delta)
    for shifts in ((10,), (6, 8)):
        sigma2 = math.ceil(100 / (2 * rho))
        assert 0.1 * delta < exact_delta(shifts, sigma2, epsilon) <= delta


def test_conversion_against_a_grid_and_back():
    for rho, delta in ((1e-6, 1e-9), (0.02, 1e-6), (3.0, 0.05)):
        a = 1 + np.exp(np.linspace(-9, 16, 200_001))
        grid = a * rho + np.log1p(-1 / a) - (np.log(delta) + np.log(a)) / (a - 1)
        assert epsilon_of(rho, delta) == pytest.approx(grid.min(), rel=1e-6)
        assert rho_for(epsilon_of(rho, delta), delta) == pytest.approx(rho, rel=1e-6)


def test_noise_is_that_of_the_promise():
    """Whole numbers in, never more rho than asked for; 4.23 is the continuous Gaussian's."""
    found = Privacy.of(1.0, 1e-6)
    assert float(found.rho) <= rho_for(1.0, 1e-6)
    assert math.sqrt(found.sigma2 / sensitivity_squared()) == pytest.approx(4.53, abs=0.01)
    assert Privacy.of(1.0, 1e-6, 3).sigma2 == pytest.approx(9 * found.sigma2, rel=1e-9)
    assert found.rows_free(1000) == pytest.approx(9927, abs=2)


# ---- units


@pytest.mark.parametrize(
    "text",
    ["", "a = 0", "a = -1", "a = 'x'", "a = true", "a = {}", "a = inf", "a = nan",
     "a = { centre = 1 }", "a = { unit = 1, levels = ['x'] }", "a = { range = [2, 1] }",
     "a = { range = [1] }", "a = { levels = [] }", "a = { levels = ['x', 'x'] }",
     "a = { levels = [1] }", "a = [1", "a = { unit = 1, centre = 1e999 }"],
)  # fmt: skip
def test_a_wrong_unit_is_refused(text, tmp_path):
    (tmp_path / "u.toml").write_text(text)
    with pytest.raises(DataError, match="--units"):
        units.from_file(str(tmp_path / "u.toml"))


def test_units_of_a_range_and_of_public_rows(rng):
    assert units.declared({"a": {"range": [0, 100]}}, "u") == (Declared("a", 25.0, 50.0),)
    x = rng.normal(3, 2, 4001)
    public = Sample(
        "data", x[:, None], ("a",), categorical=("k",), levels=(("p", "q", "secret"),),
        codes=rng.integers(0, 2, (4001, 1)).astype(np.int32),
    )  # fmt: skip
    a, k = units.from_public(public)
    assert (a.unit, a.centre) == (pytest.approx(2, rel=0.1), pytest.approx(3, abs=0.1))
    assert k.levels == ("p", "q")  # not what only private rows have


# ---- files and the ledger


@pytest.fixture
def folder(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    frame(rng, 2000).to_parquet("ref.parquet")
    frame(rng, 150).to_csv("like.csv", index=False)
    frame(rng, 150, 1).to_csv("far.csv", index=False)
    (tmp_path / "units.toml").write_text(LINES)
    return tmp_path


def frame(rng, n, shift=0.0):
    a, b = rng.normal(shift, 1, n), rng.normal(10, 2, n)
    return pd.DataFrame({"a": a, "b": b, "kind": rng.choice(["x", "y"], n)})


@pytest.fixture(scope="module")
def unreleased(tmp_path_factory):
    """A folder whose rows were never released."""
    place = tmp_path_factory.mktemp("unreleased")
    with contextlib.chdir(place):
        frame(np.random.default_rng(9), 60).to_parquet("ref.parquet")
        Path("units.toml").write_text(LINES)
    return place


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder with a sketch that tests only read."""
    place = tmp_path_factory.mktemp("kept")
    with contextlib.chdir(place):
        rng = np.random.default_rng(8)
        frame(rng, 2000).to_parquet("ref.parquet")
        frame(rng, 150).to_csv("like.csv", index=False)
        Path("units.toml").write_text(LINES)
        made()
    return place


def made(*more):
    assert run(["release", "ref.parquet", *ASK, "-o", "ref.sketch", "-q", *more]) == 0
    return sketch.load("ref.sketch")


def test_a_sketch_is_a_small_closed_file(folder):
    found = made()
    content = (folder / "ref.sketch").read_text()
    held = json.loads(content)
    assert set(held) == {
        "kstest", "version", "review", "written_by", "privacy", "n", "columns", "features", "sum",
        "sha256",
    }  # fmt: skip
    assert len(content) < 6000
    assert "ref.parquet" not in content
    assert str(folder) not in content
    assert found.n == held["n"] == 2000
    assert len(found.sums) == WIDTH
    assert "experimental" in held["review"]


def test_the_noise_is_new_at_every_release_of_one_seed(folder):
    first, second = made("--seed", "3"), made("--seed", "3")
    assert first.frequencies.check == second.frequencies.check
    apart = np.subtract(first.sums, second.sums) / math.sqrt(2 * first.privacy.sigma2)
    assert stats.kstest(apart, "norm").pvalue > 1e-6
    assert len(ledger.read("ref.parquet.ledger").entries) == 2


def test_the_sum_is_that_of_the_rows(folder):
    """Without noise to speak of, it is what plain features add up to."""
    found = made("--epsilon", "1000")
    data = pd.read_parquet("ref.parquet")
    values = np.column_stack([data["a"], (data["b"] - 10) / 2])
    codes = (data["kind"] == "y").to_numpy().astype(np.int64)[:, None]
    plain = np.vstack(list(features(values, codes, found.frequencies))).sum(axis=0)
    off = np.subtract(found.sums, plain) / math.sqrt(found.privacy.sigma2)
    assert np.abs(off).max() < 6


def test_missing_rows_are_dropped_before_they_are_counted(folder):
    data = pd.read_parquet("ref.parquet")
    data.loc[:9, "a"] = np.nan
    data.loc[10:19, "a"] = np.inf
    data.to_parquet("holes.parquet")
    assert run(["release", "holes.parquet", *ASK, "-o", "h.sketch"]) == 2
    assert run(["release", "holes.parquet", *ASK, "-o", "h.sketch", "--missing", "drop"]) == 0
    assert sketch.load("h.sketch").n == 1980


def test_releases_add_up_and_the_budget_holds(folder, capsys):
    made("--budget", "1.5")
    made()
    book = ledger.read("ref.parquet.ledger")
    assert book.budget == ledger.Budget(1.5, 1e-6)
    assert book.rho == pytest.approx(2 * float(Privacy.of(1, 1e-6).rho))
    assert book.epsilon(1e-6) == pytest.approx(1.4513, abs=1e-3)
    before = (folder / "ref.parquet.ledger").read_bytes()
    (folder / "ref.sketch").unlink()
    capsys.readouterr()
    assert run(["release", "ref.parquet", *ASK, "-o", "ref.sketch"]) == 2
    said = capsys.readouterr().err
    assert "budget" in said
    assert "at most --epsilon 0.3" in said
    assert not (folder / "ref.sketch").exists()
    assert (folder / "ref.parquet.ledger").read_bytes() == before
    left = said.split("--epsilon ")[1].split()[0]
    assert run(["release", "ref.parquet", *ASK, "-o", "x", "-q", "--epsilon", left]) == 0
    assert ledger.read("ref.parquet.ledger").epsilon(1e-6) == pytest.approx(1.5, rel=1e-3)


def test_a_budget_is_not_replaced_in_silence(folder, capsys):
    for budget, replaced in (("2", 0), ("2,1e-6", 0), ("3", 1)):
        asked = ["release", "ref.parquet", *ASK, "-o", "ref.sketch", "--format", "json"]
        assert run([*asked, "--budget", budget]) == 0
        said = json.loads(capsys.readouterr().out)["warnings"]
        assert sum("--budget 3,1e-06 replaces 2,1e-06" in str(words) for words in said) == replaced
    assert ledger.read("ref.parquet.ledger").budget == ledger.Budget(3, 1e-6)


def test_killed_in_between_it_has_spent_and_not_released(folder, monkeypatch):
    from kstest.shell import release as command

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command.output, "write", killed)
    assert run(["release", "ref.parquet", *ASK, "-o", "ref.sketch"]) == 130
    assert not (folder / "ref.sketch").exists()
    assert len(ledger.read("ref.parquet.ledger").entries) == 1


def test_a_link_leads_to_the_same_ledger(folder):
    (folder / "link.parquet").symlink_to("ref.parquet")
    assert run(["release", "link.parquet", *ASK, "-o", "x", "-q"]) == 0
    assert len(ledger.read("ref.parquet.ledger").entries) == 1


def test_a_damaged_ledger_stops_releases(folder, capsys):
    made()
    path = folder / "ref.parquet.ledger"
    good = path.read_text()
    for bad in ("", "{}", good[:100], good.replace('"n": 2000', '"n": 1000'), "[" * 9000):
        path.write_text(bad)
        assert run(["release", "ref.parquet", *ASK, "-o", "new.sketch"]) == 2
        assert not (folder / "new.sketch").exists()
        assert path.read_text() == bad
    assert "Traceback" not in capsys.readouterr().err


def test_another_process_is_waited_for(folder, capsys):
    from kstest.archive import locked

    with locked("ref.parquet.ledger"):
        words = ["release", "ref.parquet", *ASK, "-o", "x", "--lock-timeout", "0.1"]
        assert run(words) == 2
    assert "another process" in capsys.readouterr().err
    assert not (folder / "x").exists()


def test_a_damaged_sketch_is_refused(kept, tmp_path, monkeypatch, capsys):
    good, folder = (kept / "ref.sketch").read_text(), tmp_path
    monkeypatch.chdir(tmp_path)
    held = json.loads(good)
    draw = random.Random(4)
    for _ in range(25):
        at = draw.randrange(len(good))
        bad = good[:at] + draw.choice('0"{,x') + good[at + 1 :]
        if bad != good:
            (folder / "bad.sketch").write_text(bad)
            with pytest.raises(DataError):
                sketch.load("bad.sketch")
    for key in held:
        for value in (None, 0, -1, "x", [], {}, 1e300, True):
            changed = {**held, key: value}
            changed["sha256"] = sketch._digest(changed)
            free = key in ("written_by", "review") and value == "x"
            if changed != held and not free:
                (folder / "bad.sketch").write_text(json.dumps(changed))
                with pytest.raises(DataError, match="sketch"):
                    sketch.load("bad.sketch")
    (folder / "bad.sketch").write_text(good[:900])
    assert run(["mmd", "bad.sketch", str(kept / "like.csv")]) == 2
    assert "damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [("privacy", "epsilon", 0.1), ("privacy", "sigma2", 1), ("privacy", "rho", 0.5),
     ("privacy", "rows_per_group", 2), ("privacy", "noise", "none"), ("features", "seed", 1),
     ("features", "pairs", 61), ("columns", "a", {"unit": 0, "centre": 0}), ("columns", "z", 1)],
)  # fmt: skip
def test_a_sketch_that_contradicts_itself_is_refused(part, key, value, kept, tmp_path):
    held = json.loads((kept / "ref.sketch").read_text())
    held[part][key] = value
    held["sha256"] = sketch._digest(held)
    (tmp_path / "bad.sketch").write_text(json.dumps(held))
    with pytest.raises(DataError, match="none that this kstest writes"):
        sketch.load(str(tmp_path / "bad.sketch"))


# ---- the command line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("release ref.parquet -o x --delta 1e-6 --units units.toml", "--epsilon"),
        ("release ref.parquet -o x --epsilon 1 --units units.toml", "--delta"),
        ("release ref.parquet -o x --epsilon 1 --delta 1e-6", "--units"),
        ("release ref.parquet -o x --epsilon nan --delta 1e-6 --units units.toml", "--epsilon"),
        ("release ref.parquet -o x --epsilon 1 --delta 0 --units units.toml", "--delta"),
        ("release ref.parquet --epsilon 1 --delta 1e-6 --units units.toml", "--output"),
        ("release ref.parquet -o x --epsilon 1 --delta 1e-6 --units-from ref.parquet", "private"),
        ("release ref.parquet -o x --epsilon 1 --delta 1e-6 --units none.toml", "none.toml"),
        ("release - -o x --epsilon 1 --delta 1e-6 --units units.toml", "--ledger"),
        ("release ref.parquet -o x --epsilon 1 --delta 1e-6 --units units.toml --group kind",
         "--rows-per-group"),
        ("release ref.parquet -o x --epsilon 1 --delta 1e-6 --units units.toml --rows-per-group 0",
         "--rows-per-group"),
        ("release ref.parquet -o x --epsilon 1 --delta 1e-6 --units units.toml --budget x",
         "--budget"),
        ("release ref.parquet -o x --epsilon 1 --delta 1e-6 --units units.toml --categorical a",
         "--categorical"),
        ("release ref.parquet -o units.toml --epsilon 1 --delta 1e-6 --units units.toml",
         "destroyed"),
        ("release ref.parquet -o x --epsilon 1 --delta 1e-6 --units units.toml --ledger x",
         "--ledger x"),
        ("release ref.parquet -o x --epsilon 1 --delta 1e-6 --units units.toml --missing indicator",
         "--missing"),
    ],
)  # fmt: skip
def test_what_release_refuses(words, said, unreleased, monkeypatch, capsys):
    monkeypatch.chdir(unreleased)
    assert run(words.split()) == 2
    assert said in capsys.readouterr().err
    assert not (unreleased / "x").exists()
    assert not (unreleased / "ref.parquet.ledger").exists()


@pytest.mark.parametrize(
    "more",
    ["--scale auto", "--group kind", "--weights a", "--counts a", "--by kind", "--columns a",
     "--exclude a", "--where a>0", "--plot x.svg", "--scheduler local", "--features 9",
     "--block-length 3", "--tolerance .1", "--min-effect 2%", "--kernel laplace", "--unit a",
     "--bandwidth 1", "--explain all", "--explain rows=3", "--missing indicator", "--permute bins",
     "--categorical kind", "--reference-delimiter ;", "--aggregate fuse"],
)  # fmt: skip
def test_what_a_sketch_cannot_answer(more, kept, monkeypatch, capsys):
    monkeypatch.chdir(kept)
    assert run(["mmd", "ref.sketch", "like.csv", *more.split()]) == 2
    said = capsys.readouterr().err
    assert more.split()[0] in said
    assert "internal" not in said


def test_verdicts_and_their_codes(folder, capsys):
    made("--epsilon", "10")
    assert run(["mmd", "ref.sketch", "like.csv"]) == 0
    assert "experimental" in capsys.readouterr().out
    assert run(["mmd", "--sample", "far.csv", "--reference", "ref.sketch"]) == 1
    assert "differ in   a" in capsys.readouterr().out
    assert run(["mmd", "ref.sketch", "far.csv", "--exit-zero", "-q"]) == 0
    pd.read_csv("far.csv")[:9].to_csv("few.csv", index=False)
    assert run(["mmd", "ref.sketch", "few.csv"]) == 3
    capsys.readouterr()
    assert run(["mmd", "like.csv", "ref.sketch"]) == 2
    assert "name it first" in capsys.readouterr().err
    assert run(["mmd", "ref.sketch", "ref.sketch"]) == 2
    assert "two sketches" in capsys.readouterr().err
    assert run(["mmd", "ref.sketch", "far.csv", "--format", "json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["null"]["exact"] is False
    assert answer["explanation"]["sketch"]["epsilon"] == 10
    assert answer["params"]["reference"] == "ref.sketch"
    assert {w["code"] for w in answer["warnings"]} == set()


@pytest.mark.parametrize("words", ["ks ref.sketch like.csv", "mmd like.csv ref.parquet.ledger"])
def test_others_say_what_a_sketch_is(words, kept, monkeypatch, capsys):
    monkeypatch.chdir(kept)
    assert run(words.split()) == 2
    assert "of kstest, which holds no rows" in capsys.readouterr().err


def test_warnings_of_a_batch(folder, capsys, rng):
    made()
    data = frame(rng, 400)
    data.loc[0, "b"], data.loc[1, "kind"] = 1e30, "new"
    data.to_csv("odd.csv", index=False)
    assert run(["mmd", "ref.sketch", "odd.csv", "--format", "json"]) in (0, 1)
    found = json.loads(capsys.readouterr().out)["warnings"]
    assert {w["code"] for w in found} == {"large-batch", "far-values", "undeclared-levels"}


def test_a_column_of_the_wrong_kind_or_none(folder, capsys):
    made()
    data = pd.read_csv("like.csv")
    for bad, said in (
        (data.drop(columns="a"), "no column 'a'"),
        (data.assign(a="text"), "holds text"),
    ):
        bad.to_csv("bad.csv", index=False)
        assert run(["mmd", "ref.sketch", "bad.csv"]) == 2
        assert said in capsys.readouterr().err


def test_users_are_capped_and_the_null_allows_for_them(folder, rng):
    data = frame(rng, 1000).assign(user=np.repeat(np.arange(125), 8))
    data.to_parquet("users.parquet")
    words = ["release", "users.parquet", *ASK, "-o", "u.sketch", "-q"]
    assert run([*words, "--group", "user", "--rows-per-group", "5"]) == 0
    found = sketch.load("u.sketch")
    assert found.n == 625
    assert found.privacy.rows_per_group == 5
    assert ledger.read("users.parquet.ledger").protects == "users (user)"
    sampling, _ = against._variances(found, against._Moments(np.zeros(1), np.zeros((1, 1)), 100))
    assert sampling == pytest.approx(5 / 625 + 1 / 100)


# ---- level


def levels(n, m, sets, law=np.random.Generator.normal):
    """Shares of true nulls that are rejected at .05, for epsilon 1 and .1."""
    columns = (Declared("a"), Declared("b"))
    at, hits = units.frequencies(columns, 0), np.zeros(2)
    kinds = [Privacy.of(1.0, 1e-6), Privacy.of(0.1, 1e-6)]
    params = against.Params(permutations=99, explain="none")
    for r in range(sets):
        rng = np.random.default_rng([n, m, r])
        sums = numbers(law(rng, size=(n, 2)), at).sum(axis=0)
        batch = Sample("sample", law(rng, size=(m, 2)), ("a", "b"))
        for k, privacy in enumerate(kinds):
            sigma = math.sqrt(privacy.sigma2)
            noisy = tuple(int(s) for s in sums + np.rint(sigma * rng.normal(size=WIDTH)))
            found = sketch.Sketch(columns, 0, n, noisy, privacy)
            hits[k] += bool(against.run(found, [batch], params, rng).reject)
    return hits


def test_level_of_a_small_reference():
    """Within the 99.9 % band of .05 of 100 sets."""
    assert (levels(1000, 100, 100) <= stats.binom.ppf(0.9995, 100, 0.05)).all()


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m"), [(1000, 1000), (10_000, 1000), (10_000, 50)])
def test_level_of_larger_ones(n, m):
    hits = levels(n, m, 300)
    most = 0.09 if n == m else 0.05  # as the warning says
    assert (hits <= stats.binom.ppf(0.9995, 300, most)).all()


@pytest.mark.parametrize("epsilon", [0.5, 1000])
def test_the_statistic_is_that_of_matrices(epsilon, rng):
    """A twin: traces and inverses in place of eigenvectors."""
    columns, params = (Declared("a"),), against.Params(permutations=99)
    at, privacy = units.frequencies(columns, 0), Privacy.of(epsilon, 1e-6)
    X, Y = rng.normal(size=(900, 1)), rng.normal(0.3, 1, (60, 1))
    noise = rng.normal(size=WIDTH) * math.sqrt(privacy.sigma2)
    sums = numbers(X, at).sum(axis=0) + np.rint(noise).astype(np.int64)
    found = sketch.Sketch(columns, 0, 900, tuple(map(int, sums)), privacy)
    result = against.run(found, [Sample("sample", Y, ("a",))], params, rng)
    v = numbers(Y, at) / against.UNIT
    mean, s2 = sums / 900 / against.UNIT, privacy.noise(900) ** 2
    delta = mean - v.mean(axis=0)
    C = np.cov(v.T) * (1 / 900 + 1 / 60)
    whole = C + s2 * np.eye(WIDTH)
    plain = (delta @ delta - np.trace(whole)) / math.sqrt(2 * np.trace(whole @ whole))
    weighed = delta @ C @ np.linalg.solve(whole, delta) - np.trace(C)
    wanted = max(plain, weighed / math.sqrt(2 * np.trace(C @ C)))
    assert result.statistic == pytest.approx(wanted, rel=1e-6)
    mmd2 = result.explanation["sketch"]["mmd2"]
    assert mmd2 == pytest.approx(delta @ delta - np.trace(whole), rel=1e-6)


def test_a_batch_may_lack_what_is_rare():
    """Of 20 rows with events of 2 %, two batches in three have none of a column: no rejection."""

    def rare(rng, size):
        return (rng.random(size) < 0.02) * 5.0

    assert (levels(2000, 20, 60, rare) <= stats.binom.ppf(0.9995, 60, 0.05)).all()


@pytest.mark.parametrize("stuck", [0.0, 1.0, 50.0])
def test_a_batch_that_does_not_vary_is_rejected(stuck, rng):
    columns, privacy = (Declared("a"),), Privacy.of(1.0, 1e-6)
    sums = numbers(rng.normal(size=(2000, 1)), units.frequencies(columns, 0)).sum(axis=0)
    found = sketch.Sketch(columns, 0, 2000, tuple(map(int, sums)), privacy)
    for batch in (
        np.full((50, 1), stuck),
        np.full((50, 1), stuck) + 1e-9 * rng.normal(size=50)[:, None],
    ):
        result = against.run(found, [Sample("sample", batch, ("a",))], against.Params(), rng)
        assert result.reject


def test_options_that_cannot_be():
    with pytest.raises(UsageError, match="--explain"):
        against.Params(explain="pairs")
    with pytest.raises(UsageError, match="--alpha"):
        against.Params(alpha=2.0)
