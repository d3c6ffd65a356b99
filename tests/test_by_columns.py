"""--by with columns as people have them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.cli import run
from kstest.errors import KstestError
from kstest.methods.two_samples.levels import MOST, levels_of
from kstest.sources import ReadOptions, samples_from_objects

ROWS = 60
LEAST = {"permutations": 99, "threads": 1, "explain": "none"}


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def sides(rng, levels, **more):
    """Rows of the levels in turn; of the first one the sample is shifted."""
    frames, place = [], np.arange(ROWS) % len(levels)
    for far in (0, 1):
        seg = np.array(levels, dtype=object)[place]
        x = rng.normal(size=ROWS) + 4 * far * (place == 0)
        frames.append(pd.DataFrame({"seg": seg, "x": x, **more}))
    return frames


@pytest.mark.parametrize(
    ("levels", "named"),
    [
        ([True, False], "true"),
        (["2024-01-01", "2024-01-02"], "2024-01-01"),
        (["10:00:00", "11:30:00"], "10:00:00"),
        ([1, 2, 10], "1"),
        ([1.5, 2.5], "1.5"),
        ([9007199254740993, 9007199254740995], "9007199254740993"),
        (["a ", "a", "A"], "a "),
        ([None, "missing", "b"], "no value"),
        (["missing", None, "b"], "missing"),
        (["it's", 'a "b"', "<i>"], "it's"),
    ],
)
def test_levels_of_every_kind(levels, named, rng, tmp_path, capsys):
    paths = []
    for frame, name in zip(sides(rng, levels), "ab", strict=True):
        paths.append(str(tmp_path / f"{name}.csv"))
        frame.to_csv(paths[-1], index=False)
    words = ["--by=seg", "--missing=indicator", "--permutations=99", "--explain=none"]
    assert run(["mmd", *paths, *words, "--threads=1", "--format=json"]) == 1
    found = json.loads(capsys.readouterr().out)
    table = found["explanation"]["levels"]
    assert [r["level"] for r in table if r["adjusted_p_value"] <= 0.05] == [named]
    assert len(table) == len(levels)
    alike = [w["message"] for w in found["warnings"] if w["code"] == "levels-alike"]
    assert len(alike) == (named == "a ")
    assert all("'A' and 'a' and 'a '" in text for text in alike)


def test_a_level_with_markup_and_line_ends_stays_text(rng, tmp_path, capsys):
    level = "<script>x</script>\n\x1b[31m"
    frames, page = sides(rng, [level, "b"]), tmp_path / "page.html"
    a, b = (str(tmp_path / f"{k}.parquet") for k in "ab")
    for frame, path in zip(frames, (a, b), strict=True):
        frame.to_parquet(path)
    words = ["mmd", a, b, "--by=seg", "--permutations=99", "--threads=1"]
    assert run(words) == 1
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "<script>x</script>\\n\\x1b[31m" in " ".join(said.split())
    assert run([*words, "--format=html", f"--output={page}"]) == 1
    assert "<script>x" not in page.read_text()
    assert "&lt;script&gt;x" in page.read_text()
    assert run([*words, "--format=markdown"]) == 1
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "scheme"),
    [
        ({"weights": "w"}, "permutation"),
        ({"counts": "w"}, "entries dealt"),
        ({"group": "w"}, "swap of the two sides"),
        ({"block_length": "2"}, "blocks of 2 rows"),
    ],
)
def test_beside_options_of_the_design(given, scheme, rng):
    w = 1 if "counts" in given else np.arange(ROWS) // 2 % 15 + 1
    frames = [f.sort_values("seg") for f in sides(rng, ["a", "b"], w=w)]
    exclude = {} if set(given) & {"weights", "counts", "group"} else {"exclude": "w"}
    found = kstest.mmd(*frames, by="seg", **given, **exclude, **LEAST)
    table = found.explanation["levels"]
    assert [r["level"] for r in table if r["adjusted_p_value"] <= 0.05] == ["a"]
    assert scheme in found.null["scheme"]


def test_what_one_level_cannot_do_names_it(rng):
    a, b = sides(rng, ["a", "b"], run=1)
    with pytest.raises(KstestError, match=r"at most a tenth of the 60 rows, or none \(seg 'a'\)"):
        kstest.mmd(a, b, by="seg", exclude="run", features="10", **LEAST)
    with pytest.raises(KstestError, match="by and unit: a record has no column left"):
        kstest.mmd(a, b, by="seg", unit="run", **LEAST)


def test_many_levels_are_refused_by_those_that_could_be_tested():
    seg = np.repeat(np.arange(MOST + 1).astype(str), 8)
    (some, *_), _ = samples_from_objects({"a": pd.DataFrame({"s": seg})}, ReadOptions())
    found = levels_of([some, some], 0)
    with pytest.raises(KstestError, match="1,001 levels with 8 rows on every side; accepted: at"):
        found.require_few()
    few = levels_of([some.take(np.arange(8 * MOST)), some], 0)
    few.require_few()
    assert len(few.tested) == MOST
    assert [n.code for n in few.left_out()] == ["levels-on-one-side"]
    ids = levels_of([some.take(np.arange(0, some.n, 8))] * 2, 0)
    with pytest.raises(KstestError, match="by 's': has 1,001 levels; accepted: at most 1,000"):
        ids.require_few("")
