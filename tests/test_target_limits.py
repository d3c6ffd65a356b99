"""What describes a target, damaged or hostile: refused in words, at once, and never half read."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

import kstest
from kstest.errors import KstestError
from kstest.targets import resolve

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from fuzz_targets import PATIENCE, attempt, mutations

FILES = {
    "deep.json": ('{"family": "normal", "mean": ' + "[" * 900 + "]" * 900 + "}", "nested"),
    "deeper.json": ("[" * 100_000, "cannot be read"),
    "dotted.toml": ("[" + ".".join("a" * 5000) + "]\nb = 1\n", "nested"),
    "dotted-key.toml": (".".join("a" * 100_000) + " = 1\n", "nested"),
    "brackets.toml": ("a = " + "[" * 40 + "]" * 40, "nested"),
    "brackets.yaml": ("a: " + "[" * 20_000 + "]" * 20_000, "nested"),
    "dashes.yaml": ("a:\n " + "- " * 20_000 + "1\n", "nested"),
    "large.yaml": ("# " + "x" * 300_000, "larger than"),
    "large.toml": ("# " + "x" * 1_100_000, "larger than"),
    "twice.json": ('{"family": "normal", "mean": 0, "mean": 5}', "'mean' is there twice"),
    "twice.toml": ('family = "normal"\nmean = 0\nmean = 5\n', "Cannot overwrite"),
    "twice.yaml": ("family: normal\nmean: 0\nmean: 5\n", "duplicate key"),
    "columns.json": ('{"family": "normal", "columns": ["x", "x"]}', "columns names 'x' twice"),
    "digits.json": ('{"family": "normal", "mean": ' + "9" * 5000 + "}", "cannot be read"),
    "digits.toml": ('family = "normal"\nmean = ' + "9" * 5000, "cannot be read"),
    "bytes.toml": (b'family = "n\xffrmal"', "not UTF-8"),
    "empty.toml": ("", "family is missing"),
    "empty.json": ("", "cannot be read"),
    "empty.yaml": ("", "table of keys"),
    "list.json": ("[1]", "table of keys"),
    "table.toml": ('family = "normal"\n[mean]\na = 1\n', "must hold numbers"),
    "word.json": ('{"family": "normal", "mean": "1"}', "must hold numbers"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_are_refused_at_once(name, tmp_path):
    content, words = FILES[name]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    began = time.process_time()
    with pytest.raises(KstestError, match=words) as refused:
        resolve(str(path), ("x",))
    assert time.process_time() - began < 1
    assert len(str(refused.value)) < 400 + len(str(path))


@pytest.mark.parametrize("suffix", [".json", ".toml", ".yaml"])
def test_a_byte_order_mark_is_no_part_of_the_file(suffix, tmp_path):
    text = {
        ".json": '{"family": "normal", "sd": 2}',
        ".toml": 'family = "normal"\nsd = 2\n',
        ".yaml": "family: normal\nsd: 2\n",
    }
    path = tmp_path / f"t{suffix}"
    path.write_text("\ufeff" + text[suffix], encoding="utf-8")
    assert resolve(str(path), ("x",)).score(np.ones((1, 1))) == pytest.approx(-0.25)


TEXTS = {
    "logp: -x**2/0": "divisors other than 0",
    "logp: 1/0 + x": "finite numbers",
    "logp: x/(1 - 1)": "divisors other than 0",
    "logp: log(0)*x": "log\\(0\\)",
    "logp: x + log(-1)": "log\\(-1\\)",
    "logp: exp(1000)*x": "exp\\(1000\\)",
    "logp: x*lgamma(-1)": "lgamma",
    "logp: x**1e9": "exponent",
    "logp: x**(10**10)": "exponent",
    "logp: 10**10**10 + x": "exponent",
    "logp: x + 9" + "9" * 400: "too large",
    "logp: " + "(" * 300 + "x" + ")" * 300: "cannot be parsed|too many nested|too large",
    "logp: " + "-" * 2000 + "x": "cannot be parsed|too large",
    "logp: " + "x + " * 300 + "x": "too large",
    "logp: " + "x" * 5000: "characters",
    "logp: exp": "neither a column",
    "normal(mean=1, mean=2)": "'mean' twice",
    "product(x=normal(), x=normal())": "'x' twice",
    "normal(0, mean=1)": "mean twice",
    "normal(mean=nan)": "not accepted",
    "normal(mean=inf)": "list of numbers",
    "normal(sd=-1)": "above 0",
    "normal(sd=0)": "above 0",
    "normal(sd=1e-200)": "accepted",
    "normal(mean=1e200)": "accepted",
    "gamma(2, rate=1e-200)": "rate must be above 0",
    "normal(mean=[[1]])": "list of numbers",
    "normal(mean=[1, 2])": "2 numbers",
    "multivariate_normal(covariance=[[-1]])": "above 0",
    "multivariate_normal(covariance=[[1, 2], [2, 1]])": "1 x 1",
    "gaussian_mixture([0.5, 0.6], [0, 1], 1)": "sum of 1.1",
    "gaussian_mixture([0.5, 0.5], [0, 1e200], 1)": "up to",
    "product(y=normal())": "no column 'y'",
}


@pytest.mark.parametrize("text", TEXTS, ids=lambda t: t[:40])
def test_texts_are_refused_in_words(text):
    with pytest.raises(KstestError, match=TEXTS[text]):
        resolve(text, ("x",))


def test_a_matrix_that_is_no_covariance_is_refused():
    for matrix in ("[[1, 2], [2, 1]]", "[[1, 1], [1, 1]]", "[[1, 0.5], [0.2, 1]]"):
        with pytest.raises(KstestError, match=r"symmetric|positive definite"):
            resolve(f"multivariate_normal(covariance={matrix})", ("x", "y"))


def test_a_parameter_as_divisor_may_not_be_zero():
    with pytest.raises(KstestError, match="divisors other than 0"):
        resolve("logp: -x**2 / s", ("x",), {"s": 0.0})


@pytest.mark.parametrize(
    "model",
    [
        '{"model": "independent", "symbols": {"a": 0.5, "b": 0.5}, "length": {"fixed": %s}}',
        '{"model": "independent", "symbols": {"a": %s}, "stop": 0.5}',
        '{"model": "ngram", "counts": {"^ a": 1, "a $": %s}}',
    ],
)
@pytest.mark.parametrize("digits", [400, 5000])
def test_numbers_of_many_digits_in_models_of_sequences(model, digits, tmp_path):
    path = tmp_path / "m.json"
    path.write_text(model % ("9" * digits))
    with pytest.raises(KstestError):
        kstest.seqksd(["ab", "ba"] * 5, target=str(path))


def test_log_weights_of_a_field_that_overflow_are_refused(tmp_path):
    path = tmp_path / "m.json"
    path.write_text('{"model": "field", "weights": {"a": 7e22}, "length": {"uniform": [1, 9]}}')
    with pytest.raises(KstestError, match="logarithms"):
        kstest.seqksd(["ab", "ba"] * 5, target=str(path))


def mutated(count, seed, folder):
    ends = {"read": 0, "refused": 0}
    for kind, content in mutations(seed, count):
        began = time.process_time()
        ends[attempt(kind, content, folder)] += 1
        assert time.process_time() - began < PATIENCE, (kind, content[:300])
    return ends


def test_mutations_are_read_or_refused(tmp_path):
    ends = mutated(200, 1, tmp_path)
    assert min(ends.values()) > 10  # neither all good nor all bad


@pytest.mark.slow
def test_many_mutations_are_read_or_refused(tmp_path):
    mutated(2000, 2, tmp_path)
