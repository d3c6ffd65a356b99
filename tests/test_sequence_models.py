"""Models of sequences: probabilities, ratios and draws against plain enumeration; bad files."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter

import naive
import numpy as np
import pytest
from scipy.stats import chi2

import kstest
from kstest.engine import Work
from kstest.engine.sequence_functions import neighbours
from kstest.engine.sequence_near import Neighbourhood
from kstest.engine.sequences import log_ratios, log_weights
from kstest.errors import DataError
from kstest.sources.sequence_objects import sequences_from_objects
from kstest.sources.sequence_options import SequenceOptions
from kstest.targets import Windows
from kstest.targets.lengths import length_distribution
from kstest.targets.markov import counted, fitted, window_counts
from kstest.targets.sequence_csv import read_csv_model
from kstest.targets.sequence_files import read_json_model

EDITS = ("substitution", "insertion", "deletion")
CHAIN = {
    "model": "markov",
    "order": 2,
    "transition": {
        "": {"a": 0.7, "b": 0.3},
        "a": {"a": 0.1, "b": 0.9},
        "b": {"a": 1.0},
        "aa": {"b": 1.0},
        "ab": {"a": 0.5, "b": 0.5},
        "ba": {"a": 0.2, "b": 0.8},
        "bb": {"a": 0.6, "b": 0.4},
    },
    "stop": {"": 0.1, "a": 0.3, "b": 0.2, "aa": 0.5, "ab": 0.25, "ba": 0.25, "bb": 0.4},
}
FIELD = {
    "model": "field",
    "weights": {"a": 0.1, "a a": 1.5, "b a b": -0.7, "^ a": 0.3, "c $": 0.4},
    "length": {"uniform": [1, 6]},
    "alphabet": ["a", "b", "c"],
}
HIDDEN = {
    "model": "hidden",
    "start": {"s": 0.6, "t": 0.4},
    "transition": {"s": {"s": 0.9, "t": 0.1}, "t": {"s": 0.3, "t": 0.7}},
    "emission": {"s": {"a": 0.7, "b": 0.3}, "t": {"b": 0.2, "c": 0.8}},
    "stop": {"s": 0.2, "t": 0.5},
}
FREE = {"model": "independent", "symbols": {"a": 0.25, "b": 0.75}, "length": {"poisson": 2}}
STOPPED = {"model": "independent", "symbols": {"a": 0.25, "b": 0.75}, "stop": 0.4}
DISTRIBUTION = {"model": "hidden", **{k: HIDDEN[k] for k in ("start", "transition", "emission")}}
DISTRIBUTION["length"] = {"0": 1, "2": 2, "3": 1.5, "5": 1}


def chain_weight(x):
    p = 1.0
    for i in range(len(x) + 1):
        context = "".join(x[max(0, i - 2) : i])
        stop = CHAIN["stop"][context]
        p *= stop if i == len(x) else (1 - stop) * CHAIN["transition"][context].get(x[i], 0)
    return p


def field_weight(x):
    if not 1 <= len(x) <= 6:
        return 0.0
    padded, energy = ("^", "^", *x, "$"), 0.0
    for i in range(2, len(padded)):
        for window, weight in FIELD["weights"].items():
            parts = tuple(window.split())
            energy += weight * (padded[i - len(parts) + 1 : i + 1] == parts)
    return math.exp(energy)


def hidden_weight(model):
    def weight(x):
        by_length = model.get("length")
        share = by_length.get(str(len(x)), 0) if by_length else 1
        if not x:
            return share if by_length else 0.0
        total = 0.0
        for path in itertools.product("st", repeat=len(x)):
            p = model["start"][path[0]]
            for i, (state, symbol) in enumerate(zip(path, x, strict=True)):
                if i:
                    p *= model["transition"][path[i - 1]][state]
                    p *= 1 if by_length else 1 - model["stop"][path[i - 1]]
                p *= model["emission"][state].get(symbol, 0)
            total += p * (1 if by_length else model["stop"][path[-1]])
        return total * share

    return weight


def free_weight(x):
    n = len(x)
    return 0.25 ** x.count("a") * 0.75 ** x.count("b") * 2**n / math.factorial(n)


def stopped_weight(x):
    return 0.25 ** x.count("a") * 0.75 ** x.count("b") * 0.6 ** len(x) * 0.4


CASES = {
    "chain": (CHAIN, chain_weight, "ab"),
    "field": (FIELD, field_weight, "abc"),
    "hidden": (HIDDEN, hidden_weight(HIDDEN), "abc"),
    "lengths": (DISTRIBUTION, hidden_weight(DISTRIBUTION), "abc"),
    "free": (FREE, free_weight, "ab"),
    "stopped": (STOPPED, stopped_weight, "ab"),
}


def made(tmp_path, model):
    path = tmp_path / "m.json"
    path.write_text(json.dumps(model))
    return read_json_model(str(path))


def drawn_of(lists, alphabet):
    codes = np.array([alphabet.index(s) for x in lists for s in x], np.int32)
    return codes, np.concatenate([[0], np.cumsum([len(x) for x in lists])]).astype(np.int64)


@pytest.mark.parametrize("case", CASES)
def test_weights_and_ratios(case, tmp_path):
    table, weight, alphabet = CASES[case]
    model = made(tmp_path, table)
    assert set(model.alphabet) == set(alphabet)
    every = [x for n in range(6) for x in itertools.product(alphabet, repeat=n)]
    logs = log_weights(*drawn_of(every, model.alphabet), model.distribution, Work())
    expected = np.array([weight(x) for x in every])
    assert ((logs > -np.inf) == (expected > 0)).all()
    difference = logs[expected > 0] - np.log(expected[expected > 0])
    assert np.ptp(difference) < 1e-10
    some = [x for x in every if weight(x) > 0][::7]
    for last in (1, 2, 99):
        near = Neighbourhood(positions=last)
        for first, stop, found in log_ratios(
            *drawn_of(some, model.alphabet), model.distribution, near, Work()
        ):
            known, at = {}, 0
            for x in some[first:stop]:
                for y in neighbours(x, model.alphabet, near):
                    if y is None:
                        assert found[at] == -np.inf
                    else:
                        assert (x, y) not in known  # neighbours are a set
                        known[x, y] = math.exp(found[at])
                    at += 1
            assert at == len(found)
            for x in some[first:stop]:
                assert {y for a, y in known if a == x} == naive.edits(x, alphabet, EDITS, last)
            for (x, y), ratio in known.items():
                assert ratio == pytest.approx(weight(y) / weight(x), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("case", CASES)
def test_draws_have_the_distribution(case, tmp_path, rng):
    """Chi-squared over all sequences that are drawn at least five times on average."""
    table, weight, alphabet = CASES[case]
    model, n = made(tmp_path, table), 40_000
    codes, offsets = model.sample(n, rng)
    counts = Counter(
        tuple(model.alphabet[c] for c in codes[a:b]) for a, b in itertools.pairwise(offsets)
    )
    every = [x for k in range(7) for x in itertools.product(alphabet, repeat=k)]
    p = np.array([weight(x) for x in every])
    if case in ("field", "lengths", "free"):
        whole = p.sum() if case != "free" else math.exp(2)
        p = p / whole
    observed, expected = np.array([counts[x] for x in every]), n * p
    assert (observed[p == 0] == 0).all()
    often = expected >= 5
    statistic = ((observed - expected)[often] ** 2 / expected[often]).sum()
    rest = max(n - expected[often].sum(), 1e-9)
    statistic += (n - observed[often].sum() - rest) ** 2 / rest if rest > 5 else 0
    assert chi2.sf(statistic, often.sum()) > 1e-3


def test_csv_of_second_order_and_of_counts(tmp_path):
    (tmp_path / "m.csv").write_text(
        ",a,b,$\n^^,0.63,0.27,0.1\n^a,0.07,0.63,0.3\n^b,0.8,0,0.2\naa,0,0.5,0.5\n"
        "ab,0.375,0.375,0.25\nba,0.15,0.6,0.25\nbb,0.36,0.24,0.4\n"
    )
    tables = read_csv_model(str(tmp_path / "m.csv")), made(tmp_path, CHAIN)
    assert tables[0].order == 2
    assert tables[0].distribution.table == pytest.approx(tables[1].distribution.table)
    (tmp_path / "n.csv").write_text("ngram,count\n^ a,3\na b,2\nb $,2\na $,1\n")
    counts = {"^ a": 3, "a b": 2, "b $": 2, "a $": 1}
    found = read_csv_model(str(tmp_path / "n.csv"))
    other = made(tmp_path, {"model": "ngram", "counts": counts})
    assert found.distribution.table == pytest.approx(other.distribution.table)
    # a: (b 2, end 1, a 0) + 1/2 each
    row = np.exp(found.distribution.table.reshape(3, 3))[found.alphabet.index("a")]
    assert row == pytest.approx(np.array([0.5, 2.5, 1.5]) / 4.5)


def test_counting_is_plain_counting(rng):
    lists = ["".join(rng.choice(list("ab"), k)) for k in (0, 1, 5, 9, 0, 3)]
    codes, offsets = drawn_of(lists, "ab")
    for size in (1, 2, 3):
        found = window_counts(codes, offsets, 2, size).reshape([3] * size)
        expected = np.zeros([3] * size)
        for x in lists:
            padded = [2] * (size - 1) + ["ab".index(c) for c in x] + [2]
            for i in range(len(x) + 1):
                expected[tuple(padded[i : i + size])] += 1
        assert (found == expected).all()
        table = counted(found.ravel().astype(float), 2, size - 1)
        assert table.sum(axis=1) == pytest.approx(1)


def test_fit_repeats_the_fit(rng):
    (sample,), _ = sequences_from_objects({"d": ["ab", "abb", "b"] * 20}, SequenceOptions())
    model = fitted("fit", ("a", "b"), 1, sample.sequences, False)
    (codes, offsets), distribution = model.simulate(5000, rng)
    assert isinstance(distribution, Windows)
    counts = window_counts(codes, offsets, 2, 2).astype(float)
    with np.errstate(divide="ignore"):
        assert distribution.table == pytest.approx(np.log(counted(counts, 2, 1)).ravel())
    assert np.exp(distribution.table) == pytest.approx(np.exp(model.distribution.table), abs=0.3)
    assert not (np.diff(offsets) == 0).any()


def test_lengths():
    assert np.exp(length_distribution({"fixed": 2}, "x")).tolist() == [0, 0, 1]
    assert np.exp(length_distribution({"uniform": [1, 2]}, "x")).tolist() == [0, 1, 1]
    assert np.exp(length_distribution({"0": 0.5, "3": 2}, "x")).tolist() == [0.5, 0, 0, 2]
    poisson = np.exp(length_distribution({"poisson": 3.0}, "x"))
    assert poisson[:3] == pytest.approx(np.exp(-3) * np.array([1, 3, 4.5]))
    assert poisson.sum() == pytest.approx(1)


BAD_JSON = {
    "no model": ({"model": "chain"}, "one of markov"),
    "no key": ({"model": "markov"}, "no key 'transition'"),
    "unknown key": ({**CHAIN, "steps": 1}, "unknown key 'steps'"),
    "sum": ({**CHAIN, "transition": {"": {"a": 0.5, "b": 0.3}}}, "sum to 0.8"),
    "no row": (
        {"model": "markov", "transition": {"": {"a": 1}, "a": {"b": 1}}, "stop": 0.1},
        "'b' can be reached but has no row",
    ),
    "no end": (
        {"model": "markov", "transition": {"": {"a": 1}, "a": {"a": 1}}, "stop": {"": 0.1}},
        "can never end",
    ),
    "both ends": ({**CHAIN, "length": {"fixed": 3}}, "either stop"),
    "order": ({**CHAIN, "order": 1}, "the order is 1"),
    "order text": ({**CHAIN, "order": "2"}, "order must be"),
    "order size": (
        {"model": "markov", "order": 20, "transition": {"": {"a": 0.5, "b": 0.5}}, "stop": 0.1},
        "more than",
    ),
    "strange symbol": ({**CHAIN, "stop": {"z": 0.5}}, "holds 'z'"),
    "text": ({**FREE, "symbols": {"a": "1"}}, "'a' is '1'; accepted: a number"),
    "truth": ({**FREE, "symbols": {"a": True}}, "accepted: a number"),
    "length": ({**FREE, "length": {"normal": 3}}, "accepted: .*fixed"),
    "long": ({**FREE, "length": {"fixed": 10**9}}, "up to 10,000"),
    "negative": ({**FREE, "symbols": {"a": -0.5, "b": 1.5}}, "probability"),
    "state": ({**HIDDEN, "start": {"u": 1}}, "'u' is not one of s, t"),
    "rows": ({**HIDDEN, "transition": {"s": {"s": 1}}}, "'t' has no row"),
    "window": ({**FIELD, "weights": {"$ a": 1}}, "for the end last"),
    "marks": ({"model": "ngram", "counts": {"a b": 3}}, "how sequences begin"),
    "list": ([1, 2], "one of markov"),
}


@pytest.mark.parametrize("case", BAD_JSON)
def test_bad_json_names_file_and_key(case, tmp_path):
    table, words = BAD_JSON[case]
    with pytest.raises(DataError, match=words) as caught:
        made(tmp_path, table)
    assert "m.json" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"model": "markov", "model": "field"}', "'model' is there twice"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('{"model": "independent", "symbols": {"a": NaN}, "stop": 0.5}', "finite"),
        ('{"model": "independent", "symbols": {"a": 1e999}, "stop": 0.5}', "finite"),
    ],
)
def test_attack_strings_in_json(text, words, tmp_path):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(DataError, match=words):
        read_json_model(str(tmp_path / "m.json"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (",a,b\n^,1,0\n", r"line 1: has no column \$"),
        (",a,a,$\n^,1,0,0\n", "line 1: expected an empty cell"),
        ("a\n", "line 1: expected"),
        ("", "line 1: expected"),
        (",a,b,$\n^,1,0\n", "line 2: has 3 cells"),
        (",a,b,$\n^,1,0,0\na,0.5,0.4,0.2\nb,0,0,1\n", r"line 3 \('a'\) sums to 1.1"),
        (",a,b,$\n^,1,0,0\na,0.5,x,0.2\n", "line 3: found 'x'"),
        (",a,b,$\n^,1,0,0\na,0.5,nan,0.2\n", "line 3: found 'nan'"),
        (",a,b,$\n^,1,0,0\na,2,-1,0\n", "line 3 .*accepted: 0 to 1"),
        (",a,b,$\n^,1,0,0\nz,0,0,1\n", "line 3: 'z' holds 'z'"),
        (",a,b,$\n^,1,0,0\na,0,0,1\na,0,0,1\n", "line 4: a second row"),
        (",a,b,$\n^,1,0,0\na^,0,0,1\n", "behind a symbol"),
        (",a,b,$\na,0,0,1\nb,0,0,1\n", "has no row"),
        (',a,b,$\n^,"1,0,0\n', "line 2"),
        ("ngram,count\n^ a,-3\n", "line 2"),
        ("ngram,count\n^ a,3,4\n", "line 2"),
        ("ngram,count\n", "how sequences begin"),
    ],
)
def test_bad_csv_names_file_and_line(text, words, tmp_path):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        read_csv_model(str(tmp_path / "m.csv"))
    assert "m.csv" in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere.csv", "nowhere.json"])
def test_files_that_are_not_there(name):
    with pytest.raises(DataError, match="No such file"):
        kstest.seqksd(["ab", "b"], target=name)


@pytest.mark.parametrize("case", CASES)
def test_whole_runs(case, tmp_path, rng):
    """Draws of the model are kept, exactly where it can be sampled, and others rejected."""
    table, _, alphabet = CASES[case]
    model = made(tmp_path, table)
    path = str(tmp_path / "m.json")
    codes, offsets = model.sample(80, rng)
    data = [[model.alphabet[c] for c in codes[a:b]] for a, b in itertools.pairwise(offsets)]
    found = kstest.seqksd(data, target=path, draws=99)
    assert found.p_value > 0.01
    assert found.null["exact"]
    longest = [x for x in data if x] + [x[::-1] for x in data if x]
    other = [sorted(x) for x in longest if model_gives(model, sorted(x))] * 3
    if case == "chain":
        assert kstest.seqksd(other, target=path, draws=99).reject
    assert set(alphabet) >= {s for x in data for s in x}


def model_gives(model, x):
    return log_weights(*drawn_of([x], model.alphabet), model.distribution, Work())[0] > -np.inf
