"""The test of sequences: features against double sums, Stein's identity, nulls, verdicts, level."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from pathlib import Path

import naive
import numpy as np
import pytest
from scipy.stats import binom

import kstest
from kstest.engine import Work
from kstest.engine.sequence_near import EVERYWHERE, Neighbourhood
from kstest.engine.sequences import Subsequences, log_weights, stein_features
from kstest.errors import UsageError
from kstest.targets.markov import chain
from kstest.targets.sequence_csv import read_csv_model

DATA = Path(__file__).parent.parent / "datasets"
MODEL = str(DATA / "female_markov1_model.csv")
KINDS = ("substitution", "insertion", "deletion")


def rows_of(order, rng, alphabet="abc", stop=0.3):
    """Transition probabilities of a random chain, the end under None."""
    out = {}
    for size in range(order + 1):
        for context in itertools.product(alphabet, repeat=size):
            p = rng.dirichlet(np.ones(len(alphabet))) * (1 - stop)
            out[context] = dict(zip(alphabet, p, strict=True)) | {None: stop}
    return out


def model_of(rows, order, alphabet="abc"):
    return chain("made", tuple(alphabet), order, rows)


def spelled(codes, offsets, alphabet="abc"):
    return [tuple(alphabet[c] for c in codes[a:b]) for a, b in itertools.pairwise(offsets)]


def features(model, drawn, kernel, near=None, balancing="barker", bins=None):
    n = len(drawn[1]) - 1
    bins = np.arange(n) if bins is None else bins
    near = near or Neighbourhood()
    return stein_features(
        *drawn,
        model.distribution,
        kernel,
        near,
        balancing,
        bins,
        int(bins.max()) + 1,
        Work(threads=1),
    )


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("kinds", [KINDS[:1], KINDS[1:], KINDS])
@pytest.mark.parametrize("last", [1, 2, EVERYWHERE])
@pytest.mark.parametrize("equal", [False, True])
def test_inner_products_of_features_are_the_double_sum(order, kinds, last, equal, rng):
    rows = rows_of(order, rng)
    model, weight = model_of(rows, order), naive.chain_weight(rows, order)
    drawn = model.sample(6, rng)
    data = spelled(*drawn)
    expected = np.log([weight(x) for x in data])
    assert log_weights(*drawn, model.distribution, Work()) == pytest.approx(expected)
    near = Neighbourhood(*(kind in kinds for kind in KINDS), last)
    for balancing, (low, high) in [("barker", (1, 3)), ("metropolis", (2, 2)), ("root", (1, 1))]:
        found = features(model, drawn, Subsequences(3, low, high, equal), near, balancing)
        H = [
            [
                naive.zanella_stein(
                    x, y, weight, "abc", kinds, last, balancing,
                    lambda u, v, a=low, b=high: naive.subsequence_kernel(u, v, a, b, equal),
                )
                for y in data
            ]
            for x in data
        ]  # fmt: skip
        assert found.bins @ found.bins.T == pytest.approx(np.array(H), abs=1e-12)
        assert found.norms == pytest.approx(np.diag(H), abs=1e-12)
        growth = [
            sum(
                naive.BALANCING[balancing](weight(u) / weight(x)) * (len(u) - len(x))
                for u in naive.edits(x, "abc", kinds, last)
            )
            for x in data
        ]
        assert found.growth == pytest.approx(np.array(growth), abs=1e-12)
        assert found.squares == pytest.approx((found.bins**2).sum(axis=0), abs=1e-12)


def test_features_have_mean_zero_under_the_model_exactly(rng):
    """Stein's identity over all sequences: a field of lengths 0 to 5 can be enumerated."""
    from kstest.targets import SequenceModel, Windows

    table = rng.normal(size=16) * 1.5
    table[5] = -np.inf  # an impossible pair
    model = SequenceModel("field", tuple("abc"), 1, Windows(3, 2, table, rng.normal(size=6)))
    every = [x for n in range(6) for x in itertools.product(range(3), repeat=n)]
    codes = np.array([c for x in every for c in x], np.int32)
    offsets = np.concatenate([[0], np.cumsum([len(x) for x in every])])
    p = np.exp(log_weights(codes, offsets, model.distribution, Work()))
    p /= p.sum()
    possible = np.flatnonzero(p > 0)
    assert len(possible) < len(every)
    kept = [every[i] for i in possible]
    drawn = (
        np.array([c for x in kept for c in x], np.int32),
        np.concatenate([[0], np.cumsum([len(x) for x in kept])]),
    )
    for balancing in ("barker", "metropolis", "root"):
        for near in (Neighbourhood(), Neighbourhood(True, False, False, 2)):
            xi = features(model, drawn, Subsequences(3, 1, 2), near, balancing).bins
            assert np.abs(xi).max() > 0.1
            assert p[possible] @ xi == pytest.approx(0, abs=1e-12)


def test_statistic_is_the_u_statistic(rng):
    rows = rows_of(1, rng)
    weight = naive.chain_weight(rows, 1)
    data = [x for x in spelled(*model_of(rows, 1).sample(30, rng)) if x][:9]

    class Target:
        alphabet = "abc"

        def log_ratio(self, x, y):
            return math.log(weight(y) / weight(x)) if weight(y) > 0 else -math.inf

        def sample(self, n, rng):
            return spelled(*model_of(rows, 1).sample(n, rng))

    total = sum(
        naive.zanella_stein(
            x, y, weight, "abc", KINDS, 99, "barker",
            lambda u, v: naive.subsequence_kernel(u, v, 2, 3),
        )
        for i, x in enumerate(data)
        for j, y in enumerate(data)
        if i != j
    )  # fmt: skip
    for null in ("parametric", "wild"):
        found = kstest.seqksd(data, target=Target(), null=null, draws=19, length_kernel="none")
        assert ("few-sequences" in [w.code for w in found.warnings]) == (null == "wild")
        assert found.statistic == pytest.approx(total / 72)
        assert found.null["exact"] == (null == "parametric")
    same = kstest.seqksd(data, target=model_of(rows, 1), draws=19, length_kernel="none")
    assert same.statistic == pytest.approx(total / 72)


@pytest.mark.parametrize("last", [2, 10**6])
def test_hamming_sums_are_the_double_sum(last, rng):
    from kstest.engine.sequences import hamming_blocks

    rows = rows_of(1, rng)
    model, weight = model_of(rows, 1), naive.chain_weight(rows, 1)
    drawn = model.sample(14, rng)
    data = spelled(*drawn)
    near = Neighbourhood(True, False, False, last)
    found = hamming_blocks(
        *drawn, model.distribution, near, "barker", np.arange(14) // 2, 7, Work()
    )
    H = np.array(
        [
            [
                naive.zanella_stein(
                    x, y, weight, "abc", KINDS[:1], last, "barker", naive.hamming_kernel
                )
                for y in data
            ]
            for x in data
        ]
    )
    assert np.abs(H).max() > 0.1
    np.fill_diagonal(H, 0)
    assert found == pytest.approx(H.reshape(7, 2, 7, 2).sum(axis=(1, 3)), abs=1e-12)
    options = {"target": model, "kernel": "hamming", "edits": "substitution", "draws": 99}
    for null in ("wild", "parametric"):
        answer = kstest.seqksd(data, null=null, positions=str(last), **options)
        assert answer.statistic == pytest.approx(H.sum() / (14 * 13))
    assert kstest.seqksd([["a"] * 3] * 40, **options).reject


def test_lengths_are_seen_by_their_own_kernel(rng):
    """Only the probability of the end is wrong: shares of pairs do not show it, lengths do."""
    rows = rows_of(1, np.random.default_rng(5), stop=0.2)
    longer = rows_of(1, np.random.default_rng(5), stop=0.1)
    data = spelled(*model_of(longer, 1).sample(150, rng))
    options = {"target": model_of(rows, 1), "draws": 99}
    for null in ("parametric", "wild"):
        assert kstest.seqksd(data, null=null, **options).p_value == 0.01
        blind = kstest.seqksd(data, null=null, length_kernel="none", **options)
        assert not blind.reject
    assert "numbers of symbols" in kstest.seqksd(data, **options).kernel["name"]


def test_hashed_features_are_a_kernel_too(rng):
    """More subsequences than cells: still features, of mean 0, near those of their own cells."""
    model = model_of(rows_of(1, rng), 1)
    drawn = model.sample(4000, rng)
    wide = Subsequences(3, 3, 3, most=16)
    assert wide.hashed
    assert wide.cells == 16
    found = features(model, drawn, wide, bins=np.zeros(4000, np.int64))
    used = found.squares > 0
    assert used.sum() > 10
    assert np.abs(found.bins[0][used] / np.sqrt(found.squares[used])).max() < 4.5


def test_row_order_and_bins(rng):
    lines = (DATA / "female_names.txt").read_text().split()
    first = kstest.seqksd(lines, target=MODEL, draws=99)
    again = kstest.seqksd([lines[i] for i in rng.permutation(len(lines))], target=MODEL, draws=99)
    assert first.statistic == pytest.approx(again.statistic, rel=1e-9)
    assert first.p_value == again.p_value
    assert first.null["bins"] == 256
    some = [lines[i] for i in rng.permutation(len(lines))[:100]]
    small = [kstest.seqksd(s, target=MODEL, draws=99) for s in (some, some[::-1])]
    assert small[0].statistic == pytest.approx(small[1].statistic, rel=1e-9)
    assert small[0].null["exact"]


def test_names(tmp_path):
    """Real names are rejected, simulated ones are not, and the reason is what chains cannot do."""
    kept = kstest.seqksd(
        (DATA / "female_markov1_sample.txt").read_text().split(), target=MODEL, draws=199
    )
    assert kept.verdict == "not rejected"
    done = subprocess.run(
        [sys.executable, "-m", "kstest", "seqksd", DATA / "female_names.txt", "--target", MODEL,
         "--format", "json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert found["p_value"] == 0.001
    assert "the model makes too few" in found["explanation"]["summary"]
    strongest = [row for row in found["explanation"]["subsequences"] if row["notable"]]
    assert len(strongest) >= 4
    assert all(row["model_makes"] == "too few" for row in strongest)
    assert all(row["share_data"] > 1.5 * row["share_model"] for row in strongest)
    assert {"ell", "ann"} <= {"".join(row["symbols"]) for row in strongest}


def test_events_of_a_table_are_put_in_order(tmp_path, capsys):
    from kstest.cli import run

    (tmp_path / "m.csv").write_text(",a,b,$\n^,1,0,0\na,0,1,0\nb,0,0,1\n")
    table = "visit,ts,event\nv,2,b\nw,1,a\nv,1,a\nw,2,b\n"
    (tmp_path / "e.csv").write_text(table)
    words = ["--id", "visit", "--symbol", "event", "--target", str(tmp_path / "m.csv")]
    assert run(["seqksd", str(tmp_path / "e.csv"), *words, "--order", "ts"]) == 3
    capsys.readouterr()
    assert run(["seqksd", str(tmp_path / "e.csv"), *words]) == 1
    assert "sequence 'v', 'ba', has probability 0" in " ".join(capsys.readouterr().out.split())


def test_too_few_doubled_letters_are_named(rng):
    """Data with 'nn' more often than the model says so."""
    names = (DATA / "female_markov1_sample.txt").read_text().split()
    names[::4] = [name.replace("n", "nn") for name in names[::4]]
    found = kstest.seqksd(names, target=MODEL, draws=99)
    assert found.reject
    rows = found.explanation["subsequences"]
    assert sum("nn" in "".join(r["symbols"]) and r["model_makes"] == "too few" for r in rows) >= 5


IMPOSSIBLE = {
    "an unknown symbol": (["ab", "aéb"], "row 2, 'aéb', holds the symbol 'é'"),
    "a beginning": (["ab", "ba"], "row 2, 'ba', has probability 0: 'b' after the beginning"),
    "a pair": (["ab", "abba"], "row 2, 'abba', has probability 0: 'b' after 'b'"),
    "an end": (["ab", "aba"], "row 2, 'aba', has probability 0: the end after 'a'"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_the_model_cannot_give_rejects_at_once(case, tmp_path):
    data, words = IMPOSSIBLE[case]
    (tmp_path / "m.csv").write_text(",a,b,$\n^,1,0,0\na,0.5,0.5,0\nb,0.5,0,0.5\n")
    found = kstest.seqksd(data, target=str(tmp_path / "m.csv"), draws=19)
    assert found.verdict == "rejected"
    assert words in found.explanation["summary"]
    assert found.p_value == 0.05


def test_too_few_sequences_give_no_verdict():
    for data, null in ((["anna"], "auto"), (["anna", "eve", "mary"], "wild")):
        found = kstest.seqksd(data, target=MODEL, null=null, draws=99)
        assert (found.verdict, found.exit_code) == ("no verdict", 3)
    assert kstest.seqksd(["anna", "eve"], target=MODEL, draws=99).verdict != "no verdict"


def test_words_against_a_model_of_words(tmp_path):
    (tmp_path / "m.csv").write_text(",log in,go,$\n^,1,0,0\nlog in,0,0.5,0.5\ngo,0.2,0.3,0.5\n")
    model = str(tmp_path / "m.csv")
    with pytest.raises(UsageError, match="tokens='words'"):
        kstest.seqksd(["log go", "log"], target=model)
    codes = read_csv_model(model).sample(60, np.random.default_rng(0))
    found = kstest.seqksd(spelled(*codes, ["log in", "go"]), target=model, draws=99)
    assert found.verdict == "not rejected"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": ""}, "target='model.csv' or target='fit:order=1'"),
        ({"target": "chain"}, "target='chain': give a CSV or JSON file"),
        ({"target": "fit:2"}, "write fit:order=1"),
        ({"target": "fit:order=1", "null": "wild"}, "is fitted to data"),
        ({"target": "fit:order=9"}, "more than"),
        ({"target": "python:os:getcwd"}, "allow_python"),
        ({"target": MODEL, "reference": str(DATA / "female_names.txt")}, "reference"),
        ({"target": MODEL, "lengths": "3-2"}, "lengths='3-2'"),
        ({"target": MODEL, "lengths": "x"}, "lengths='x'"),
        ({"target": MODEL, "edits": "swap"}, "edits='swap'"),
        ({"target": MODEL, "kernel": "hamming"}, "edits substitution"),
        ({"target": MODEL, "positions": "0"}, "positions='0'"),
        ({"target": MODEL, "balancing": "cubic"}, "balancing"),
        ({"target": lambda x, y: 0.0, "null": "parametric"}, "cannot be sampled"),
        ({"target": 3}, "log_ratio"),
        ({"target": lambda x, y: "z"}, "is no number"),
        ({"target": lambda x, y: math.nan}, "is no number"),
    ],
)
def test_options_that_cannot_be(options, words):
    from kstest.errors import KstestError

    with pytest.raises(KstestError, match=words):
        kstest.seqksd(["anna", "eve", "mary"] * 5, **options)


def test_python_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coin.py").write_text(
        "import math\n"
        "def ratio(x, y):\n"
        "    return (len(y) - len(x)) * math.log(0.25) + 0 * (len(y) > 0)\n"
    )
    rng = np.random.default_rng(4)
    data = ["".join(rng.choice(["a", "b"], rng.geometric(0.5) - 1)) for _ in range(60)]
    (tmp_path / "d.txt").write_text("".join(x + "\n" for x in data))
    command = [sys.executable, "-m", "kstest", "seqksd", "d.txt", "--target", "python:coin:ratio",
               "--empty", "keep", "--draws", "99"]  # fmt: skip
    environment = {"PYTHONPATH": str(DATA.parent)}
    refused, ran = (
        subprocess.run(c, capture_output=True, text=True, check=False, env=environment)
        for c in (command, [*command, "--allow-python"])
    )
    assert refused.returncode == 2
    assert "--allow-python" in refused.stderr
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "random signs" in ran.stdout


def test_fitted_chains(rng):
    """fit:order=K keeps chains of that order and rejects others; with and without a reference."""
    first, second = model_of(rows_of(1, rng), 1), model_of(rows_of(2, rng), 2)
    data = ["".join(x) for x in spelled(*first.sample(300, rng)) if x]
    other = ["".join(x) for x in spelled(*second.sample(600, rng)) if x]
    more = ["".join(x) for x in spelled(*first.sample(400, rng)) if x]
    options = {"draws": 99, "lengths": "2-3"}
    kept = [kstest.seqksd(data, target="fit:order=1", **options)]
    kept.append(kstest.seqksd(data, target="fit:order=1", reference=more, **options))
    assert all(answer.p_value > 0.01 and not answer.null["exact"] for answer in kept)
    assert kstest.seqksd(other, target="fit:order=1", **options).reject
    assert kstest.seqksd(other, target="fit:order=1", reference=more, **options).reject
    assert kstest.seqksd(other, target="fit:order=2", **options).p_value > 0.01


def band(runs, level=0.05):
    """The central 99.9 % of rejections at the level."""
    return binom.ppf([0.0005, 0.9995], runs, level)


def rejections(draw, runs, **options):
    rng = np.random.default_rng(2023)
    return sum(
        bool(kstest.seqksd(draw(rng), seed=run, threads=1, **options).reject) for run in range(runs)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "options"),
    [
        (30, {"null": "parametric"}),
        (30, {"null": "parametric", "balancing": "root", "lengths": "1-3"}),
        (150, {"null": "wild"}),
        (300, {"null": "wild", "length_kernel": "none"}),
        (600, {"null": "wild", "length_kernel": "equal"}),
    ],
)
def test_level(n, options):
    model = model_of(rows_of(1, np.random.default_rng(8)), 1)
    runs = 1000
    low, high = band(runs)
    found = rejections(
        lambda rng: spelled(*model.sample(n, rng)), runs, target=model, draws=99, **options
    )
    assert found <= high
    assert found >= low


@pytest.mark.slow
@pytest.mark.parametrize("reference", [False, True])
def test_level_of_fitted_chains(reference):
    model = model_of(rows_of(1, np.random.default_rng(8)), 1)
    rng, found, runs = np.random.default_rng(11), 0, 400
    for run in range(runs):
        data = spelled(*model.sample(60, rng))
        more = spelled(*model.sample(100, rng)) if reference else ""
        answer = kstest.seqksd(
            data, target="fit:order=1", reference=more, draws=99, seed=run, lengths="2-3", threads=1
        )
        found += bool(answer.reject)
    low, high = band(runs)
    assert low <= found <= high
