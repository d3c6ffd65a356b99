"""Altered bytes of what `kstest run` reads beside data: configuration, history, baseline."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

from kstest.cli import run as kstest
from tests.test_checks import check, folder, report, write
from tests.test_checks_history import HISTORY

__all__ = ["folder"]
FEW_OR_MANY = pytest.mark.parametrize("sets", [30, pytest.param(1000, marks=pytest.mark.slow)])


def altered(content, rng):
    """Up to three bytes of other values, a piece doubled or lost, or the end cut off."""
    data = bytearray(content)
    for part in rng.random(rng.integers(1, 4)):
        place = int(part * len(data))
        how, length = rng.integers(4), int(rng.integers(1, 30))
        if how < 2:
            data[place] = rng.integers(256) if how else data[place] ^ (1 << rng.integers(8))
        elif how == 2:
            data[place:place] = data[place : place + length]
        else:
            del data[place : place + length]
            data += b" " * (not data)
    return bytes(data if rng.random() < 0.9 else data[: rng.integers(1, len(data))])


@FEW_OR_MANY
def test_a_configuration_is_refused_by_name_or_asks_what_it_says(sets, folder, capsys):
    """Where the same is asked, by other spaces or words of comments, the same is answered."""
    write(
        "# the shop, every morning at six; ask for the crew of the day before you change a level\n"
        "# and write the day and the reason beside it, so that others know of it\n"
        "[run]\nalpha = 0.04\n"
        + check("a", "unlike.csv", "# a sale in week 7", "seed = 3")
        + check("b", "like.csv")
    )
    whole, rng = Path("kstest.toml").read_bytes(), np.random.default_rng(6)
    asked = tomllib.loads(whole.decode())
    right = [o["status"] for o in report(capsys, "--history", "none")[1]["outcomes"]]
    same = refused = 0
    for _ in range(sets):
        content = altered(whole, rng)
        Path("kstest.toml").write_bytes(content)
        code, answer = report(capsys, "--history", "none")
        assert code in (0, 1, 2, 3), answer
        if isinstance(answer, str):
            refused += 1
            assert code == 2
            assert "kstest.toml" in answer
        elif tomllib.loads(content.decode("utf-8-sig")) == asked:
            same += 1
            assert [o["status"] for o in answer["outcomes"]] == right
    assert same
    assert refused


@FEW_OR_MANY
@pytest.mark.parametrize("control", ["per-run", "online-fdr"])
def test_a_history_is_refused_and_kept_or_changes_no_verdict(sets, control, folder, capsys):
    more = f'over-time = "{control}"'
    write("[run]\nevery = '1h'\n" + check("a", "unlike.csv", more) + check("b", "like.csv", more))
    for _ in range(3):
        report(capsys)
    whole, rng = HISTORY.read_bytes(), np.random.default_rng(7)
    right = [o["status"] for o in report(capsys)[1]["outcomes"]]
    refused = 0
    for _ in range(sets):
        shutil.rmtree(HISTORY.parent)
        HISTORY.parent.mkdir()
        content = altered(whole, rng)
        HISTORY.write_bytes(content)
        code, answer = report(capsys)
        assert code in (1, 2), answer
        if code == 2:
            refused += 1
            assert "history" in str(answer)
            assert HISTORY.read_bytes() == content
        else:
            assert [o["status"] for o in answer["outcomes"]] == right
    assert refused > sets // 20


@FEW_OR_MANY
def test_a_baseline_is_refused_by_name_or_is_the_one_it_was(sets, folder, capsys):
    assert kstest(["baseline", "ref.csv", "-q"]) == 0
    write(check("a", "unlike.csv", reference="baseline.kst") + check("b", "like.csv"))
    whole, rng = Path("baseline.kst").read_bytes(), np.random.default_rng(8)
    right = report(capsys, "--history", "none")[1]["outcomes"][0]["result"]["p_value"]
    refused = 0
    for _ in range(sets):
        Path("baseline.kst").write_bytes(altered(whole, rng))
        code, answer = report(capsys, "--history", "none")
        one, other = answer["outcomes"]
        assert other["status"] == "not rejected"
        if one["status"] == "error":
            refused += 1
            assert "baseline.kst" in one["message"], one
            assert code == 2
        else:
            assert (code, one["result"]["p_value"]) == (1, right)
    assert refused > sets // 2
