"""Pictures: the numbers behind them against slow twins, the files against hostile data."""

from __future__ import annotations

import html.parser
import itertools
import math
import re
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from naive import PROFILES

import kstest
from kstest import plot
from kstest.cli import run
from kstest.errors import OutputError, UsageError
from kstest.findings import Facts
from kstest.methods import mmd, smmd
from kstest.methods.distribution import (
    FEW_VALUES,
    MOST_LEVELS,
    bin_edges,
    largest_difference,
    number_labels,
    numeric,
)
from kstest.methods.two_samples.columns import labels
from kstest.methods.two_samples.picture import MOST_PANELS
from kstest.picture import Bars, Curve, HeatMap, Histogram
from kstest.plot import headings
from kstest.result import Notice
from kstest.run import execute
from kstest.sources import ReadOptions, samples_from_objects

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<script>alert(1)</script>",
    "a\"b'c & ]]> -->",
    "$x^2$ \\frac{1}{2}",
    "ctrl\x1b[2J\x07\x00",
    "\u202egnihtemos",
    "_" + "very long " * 60,
    "W" * 300,
    "列",
    " ",
]


def pictured(reference, sample, missing="error", weights=None, **options):
    """Result and Picture of two data frames."""
    params = mmd.Params(**{"permutations": 99, **options})
    reading = ReadOptions(missing=missing, weights=weights)
    sides = {"reference": pd.DataFrame(reference), "sample": pd.DataFrame(sample)}
    samples, notices = samples_from_objects(sides, reading)
    result = execute("mmd", samples, params, notices)
    return result, mmd.picture(samples, params, result)


def panel(picture, title):
    return next(p for p in picture.panels if p.title == title)


def svg_text(content):
    root = ElementTree.fromstring(content)
    return " ".join(node.text or "" for node in root.iter(f"{SVG}text"))


class Page(html.parser.HTMLParser):
    """All elements, attributes and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


# --- the numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["normal", "cauchy", "whole", "tenths", "far", "spike"])
@pytest.mark.parametrize("weighted", [False, True])
def test_shares_are_those_of_a_loop(kind, weighted, rng):
    parts = {
        "normal": [rng.normal(size=300), rng.normal(size=200) + 1],
        "cauchy": [rng.standard_cauchy(400), rng.standard_cauchy(300)],
        "whole": [rng.integers(0, 200, 500).astype(float), rng.integers(50, 300, 90).astype(float)],
        "tenths": [np.round(rng.normal(size=900), 1), np.round(rng.normal(size=900), 1)],
        "far": [rng.normal(size=50) + 4e15, rng.normal(size=50) * 1e3 + 4e15],
        "spike": [np.r_[np.zeros(500), rng.exponential(size=30)], rng.exponential(size=300)],
    }[kind]
    weights = [rng.random(len(p)) if weighted else None for p in parts]
    drawing = numeric(parts, weights)
    assert isinstance(drawing, Histogram)
    edges = drawing.edges
    assert (np.diff(edges) > 0).all()
    assert len(edges) <= 65
    for part, weight, shares in zip(parts, weights, drawing.shares, strict=True):
        w = np.ones(len(part)) if weight is None else weight
        expected = np.zeros(len(edges) - 1)
        for x, wx in zip(part, w, strict=True):
            for k, (low, high) in enumerate(itertools.pairwise(edges)):
                last = k == len(edges) - 2
                if low <= x < high or (last and x == high):
                    expected[k] += wx
        assert shares == pytest.approx(expected / w.sum(), abs=1e-12)
        # What lies beyond the axis is little of every sample, not only of the larger one.
        assert shares.sum() > 0.97 or weighted


def test_every_bin_of_a_lattice_holds_the_same_number_of_its_points(rng):
    for step, top in ((1.0, 150), (0.1, 300), (1000.0, 80), (0.3, 20)):
        lattice = step * np.arange(top + 1)
        parts = [rng.choice(lattice, 3000), rng.choice(lattice, 2000)]
        distinct = np.unique(np.concatenate(parts))
        held = np.histogram(lattice, bin_edges(parts, distinct))[0]
        assert set(held[:-1]) == {held[0]}
        assert held[-1] <= held[0]


def test_a_single_noisy_value_is_not_lost_in_its_bin(rng):
    pmt = [rng.integers(0, 31, 1600), rng.integers(0, 31, 1600)]
    pmt[1][:800] = 23
    drawing = numeric([p.astype(float) for p in pmt], [None, None])
    assert len(drawing.shares[0]) == 31
    assert drawing.shares[1][23] == np.mean(pmt[1] == 23)


def test_few_values_are_bars_and_labels_tell_them_apart(rng):
    drawing = numeric([np.array([1.0, 1.0, 2.5]), np.array([2.5])], [None, np.array([3.0])])
    assert drawing.labels == ("1", "2.5")
    assert [list(s) for s in drawing.shares] == [pytest.approx([2 / 3, 1 / 3]), [0, 1]]
    assert len(set(number_labels(1e9 + np.arange(FEW_VALUES) / 1e6))) == FEW_VALUES
    assert numeric([np.empty(0), np.empty(0)], [None, None]) is None
    assert numeric([np.array([1e300]), np.zeros(3)], [None, None]) is None


def test_largest_difference_is_kolmogorov_or_total_variation():
    shares = (np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.6, 0.2]))
    assert largest_difference(Bars(("a", "b", "c"), shares, True)) == pytest.approx(0.3)
    assert largest_difference(Bars(("a", "b", "c"), shares, False)) == pytest.approx(0.3)
    moved = (np.array([1.0, 0, 0]), np.array([0, 0.5, 0.5]))
    assert largest_difference(Histogram(np.arange(4.0), moved)) == 1


@pytest.mark.parametrize("kernel", ["gaussian", "laplace", "energy"])
def test_witness_is_the_difference_of_mean_similarities(kernel, rng):
    X, Y = rng.normal(size=80), 1 + 2 * rng.normal(size=90)
    result, found = pictured({"x": X}, {"x": Y}, kernel=kernel, scale="standard")
    curve = panel(found, "x").drawings[1]
    assert isinstance(curve, Curve)
    both = np.r_[X, Y]
    h = result.explanation["strongest"]["bandwidth"] or 1.0

    def k(a, b):
        return PROFILES[kernel](np.array([a]) / both.std(), np.array([b]) / both.std(), h)

    for x, y in list(zip(curve.x, curve.y, strict=True))[::25]:
        expected = np.mean([k(x, b) for b in Y]) - np.mean([k(x, a) for a in X])
        assert y == pytest.approx(expected, abs=1e-9)


def test_witness_of_many_or_weighted_rows_is_close_to_the_sum_over_all(rng):
    X, Y = rng.normal(size=20_000), rng.normal(size=15_000) * 1.2
    w = rng.random(len(Y)) * (1 + (Y > 0))
    frames = [{"x": X, "w": np.ones(len(X))}, {"x": Y, "w": w}]
    params = mmd.Params(permutations=99, scale="none", bandwidth="1")
    sides = dict(zip(("reference", "sample"), map(pd.DataFrame, frames), strict=True))
    samples, _ = samples_from_objects(sides, ReadOptions(weights="w"))
    result = kstest.result.Result(
        method="mmd", verdict="rejected", alpha=0.05, d=1,
        findings=(Facts("strongest", {"kernel": "gaussian", "bandwidth": 1.0}),),
    )  # fmt: skip
    curve = panel(mmd.picture(samples, params, result), "x").drawings[1]
    for x, y in list(zip(curve.x, curve.y, strict=True))[::40]:
        means = (
            np.exp(-((x - X) ** 2) / 2).mean(),
            np.average(np.exp(-((x - Y) ** 2) / 2), weights=w),
        )
        assert y == pytest.approx(means[1] - means[0], abs=1e-3)


def test_no_two_tested_things_have_one_name():
    assert labels(["a", "a missing", "b"], ["a", "b"]) == [
        "a", "a missing", "b", "a missing cells", "b missing",
    ]  # fmt: skip


def test_missing_cells_belong_to_the_panel_of_their_column(rng):
    X = {"a": rng.normal(size=200), "a missing": rng.normal(size=200)}
    Y = {"a": rng.normal(size=200), "a missing": rng.normal(size=200)}
    Y["a"][:80] = np.nan
    result, found = pictured(X, Y, missing="indicator")
    assert {p.title for p in found.panels} == {"a", "a missing"}
    assert found.panels[0].title == "a"
    words = " ".join(found.panels[0].words)
    assert "missing cells: 0 % -> 40 %" in words
    test = next(c for c in result.explanation["columns"] if c.column == "a missing cells")
    assert f"(p {test.adjusted_p_value:.3g})" in words
    assert not any("missing cells" in w for w in panel(found, "a missing").words)


def test_columns_come_by_evidence_and_the_rest_is_listed(rng):
    X, Y = ({f"c{i}": rng.normal(size=150) for i in range(40)} for _ in range(2))
    Y["c17"] += 1.5
    result, found = pictured(X, Y)
    order = [c.column for c in result.explanation["columns"]]
    assert order[0] == "c17"
    assert [p.title for p in found.panels] == order[:MOST_PANELS]
    assert list(found.left_out) == order[MOST_PANELS:]
    assert found.panels[0].strong


@pytest.mark.parametrize("options", [{}, {"explain": "none"}])
def test_without_tests_of_columns_the_largest_difference_comes_first(options, rng):
    X = {f"c{i}": rng.normal(size=60) for i in range(5)}
    Y = {name: x.copy() for name, x in X.items()}
    Y["c3"][: 4 if not options else 60] += 2
    result, found = pictured(X, Y, **options)
    assert result.reject == bool(options)
    assert found.panels[0].title == "c3"
    assert not any(p.strong for p in found.panels)
    curves = [d for p in found.panels for d in p.drawings if isinstance(d, Curve)]
    assert len(curves) == (5 if options else 0)  # chance drawn to scale would look like evidence


def test_levels_that_differ_are_kept_and_the_others_joined(rng):
    X = {"k": [f"level{i % 40:02}" for i in range(400)]}
    Y = {"k": ["level07"] * 60 + X["k"][:340]}
    bars = panel(pictured(X, Y)[1], "k").drawings[0]
    assert len(bars.labels) == MOST_LEVELS
    assert bars.labels[0] == "level07"
    assert bars.labels[-1] == "(31 others)"
    assert all(s.sum() == pytest.approx(1) for s in bars.shares)


def test_pairs_are_a_heat_map_of_their_p_values(rng):
    X = rng.multivariate_normal([0, 0], [[1, 0.95], [0.95, 1]], 200)
    Y = rng.multivariate_normal([0, 0], [[1, -0.95], [-0.95, 1]], 200)
    frames = [pd.DataFrame(Z, columns=["a", "b"]) for Z in (X, Y)]
    frames[1].loc[:20, "a"] = np.nan
    result, found = pictured(*frames, missing="indicator", explain="pairs")
    table = found.panels[-1].drawings[0]
    assert isinstance(table, HeatMap)
    assert set(table.rows) == {"a", "b", "a missing"}
    assert np.isfinite(table.values).sum() == len(result.explanation["pairs"]) == 6
    i, j = sorted((table.rows.index("a"), table.rows.index("b")))
    assert table.values[j, i] <= 0.05
    assert plot.draw(result, found, "x.svg").startswith(b"<?xml")


# --- the files -----------------------------------------------------------------------------


@pytest.fixture
def different(rng):
    return pictured(
        {"speed": rng.normal(size=60), "kind": rng.choice(["a", "b"], 60)},
        {"speed": rng.normal(size=60) + 2, "kind": rng.choice(["a", "b"], 60)},
    )


def test_every_ending_is_drawn_and_says_verdict_and_columns(different):
    text = svg_text(plot.draw(*different, "x.svg"))
    for word in ("REJECTED", "speed", "kind", "p-value: 0.01", "witness", "60 rows"):
        assert word in text
    assert plot.draw(*different, "X.PNG").startswith(b"\x89PNG")
    page = Page(plot.draw(*different, "x.html").decode())
    for word in ("REJECTED", "speed", "kind", "0.01 at level 0.05", "witness", "All columns (2)"):
        assert word in page.text
    assert page.tags.count("svg") == page.tags.count("figure") == 2


@pytest.mark.parametrize("ending", plot.ENDINGS)
def test_the_same_input_gives_the_same_bytes(different, ending):
    import matplotlib

    before = plot.draw(*different, f"a{ending}")
    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": "other", "lines.linewidth": 9}):
        settings = dict(matplotlib.rcParams)
        assert plot.draw(*different, f"b{ending}") == before
        assert dict(matplotlib.rcParams) == settings


@pytest.mark.parametrize("ending", plot.ENDINGS)
def test_names_and_values_of_a_file_are_text_and_nothing_else(ending, rng):
    X, Y = ({name: rng.normal(size=40) for name in HOSTILE} for _ in range(2))
    for side in (X, Y):
        side["levels"] = rng.choice(HOSTILE, 40)
    Y[HOSTILE[0]] = Y[HOSTILE[0]] + 3
    content = plot.draw(*pictured(X, Y), f"x{ending}")
    if ending == ".png":
        return
    assert not {"\x1b", "\x07", "\x00", "\u202e"} & set(content.decode())
    if ending == ".svg":
        assert "<script>alert(1)</script>" in svg_text(content)
        root = ElementTree.fromstring(content)
        assert not [e for e in root.iter() if e.tag.endswith("script")]
        assert "$x^2$" in svg_text(content)
        return
    page = Page(content.decode())
    assert "<script>alert(1)</script>" in page.text
    assert page.tags.count("script") == 1  # our own
    assert not [name for name, _ in page.attributes if name.startswith("on")]


@pytest.mark.parametrize("explain", ["columns", "pairs"])
def test_a_page_needs_nothing_from_elsewhere(explain, rng):
    tables = ({"a": rng.normal(size=60) + k, "b": rng.normal(size=60)} for k in range(2))
    page = Page(plot.draw(*pictured(*tables, explain=explain), "x.html").decode())
    allowed = ("http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink")
    for name, value in page.attributes:
        assert "//" not in (value or "") or value in allowed
        if name in ("href", "xlink:href", "src"):
            assert value.startswith("#")
    # Images that are part of it too: the policy keeps a browser from showing them.
    assert not {"link", "img", "image", "iframe", "object"} & set(page.tags)
    (policy,) = (v for n, v in page.attributes if n == "content" and "default-src" in v)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-")


def test_ids_of_a_page_are_of_one_element_and_references_find_theirs(different):
    page = Page(plot.draw(*different, "x.html").decode())
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids)) > 0
    used = [value for name, value in page.attributes if "href" in name]
    used += re.findall(r"url\((#[^)]*)\)", " ".join(v or "" for _, v in page.attributes))
    assert used
    assert {u.removeprefix("#") for u in used} <= set(ids)


def test_a_page_lists_all_columns_pairs_rows_and_warnings(rng):
    X, Y = ({f"c{i}": rng.normal(size=80).cumsum() for i in range(6)} for _ in range(2))
    result, found = pictured(X, Y, explain="columns,pairs,rows=3")
    page = Page(plot.draw(result, found, "x.html").decode())
    assert result.warnings
    for notice in result.warnings:
        assert notice.message in page.text
    for heading in ("All columns (6)", "Pairs of columns (21)", "Strangest rows (3)"):
        assert heading in page.text
    for word in (c.words for c in result.explanation["columns"]):
        assert word in page.text


@pytest.mark.parametrize("ending", plot.ENDINGS)
def test_unusual_columns_are_drawn(ending, rng):
    n = 50
    X = {
        "constant": np.ones(n),
        "one level": ["only"] * n,
        "gone": np.full(n, np.nan),
        "mostly gone": np.r_[1.5, np.full(n - 1, np.nan)],
        "levels gone": [None] * n,
        "huge": rng.normal(size=n) * 1e300,
        "large": rng.normal(size=n) * 1e99,
        "small": rng.normal(size=n) * 1e-300,
        "far": 1e16 + 2 * rng.integers(0, 40, n).astype(float),
        "outlier": np.r_[1e15, rng.normal(size=n - 1)],
    }
    Y = X | {"gone": rng.normal(size=n), "levels gone": ["here"] * n}
    for first, second in ((X, Y), (Y, X)):
        result, found = pictured(first, second, missing="indicator", permute="rows")
        content = plot.draw(result, found, f"x{ending}")
        assert len(content) > 1000
        if ending == ".svg":
            text = svg_text(content)
            assert all(name in text for name in X)
            assert "too large to draw" in text
            assert "nan" not in content.decode().replace("nan_", "").lower()


def test_verdicts_other_than_rejected_are_said(rng):
    same = {"x": rng.normal(size=60)}
    result, found = pictured(same, {"x": rng.permutation(same["x"])})
    assert "NOT REJECTED" in svg_text(plot.draw(result, found, "x.svg"))
    assert "no difference seen here counts as evidence" in svg_text(
        plot.draw(result, found, "x.svg")
    )
    page = Page(plot.draw(result, found, "x.html").decode())
    assert "no proof of the opposite" in page.text
    result, found = pictured(same, {"x": [1.0]})
    assert not found.panels
    assert "NO VERDICT" in svg_text(plot.draw(result, found, "x.svg"))
    page = Page(plot.draw(result, found, "x.html").decode())
    assert "NO VERDICT" in page.text
    assert result.warnings[0].message in page.text
    assert "svg" not in page.tags


def test_one_of_no_columns_differing_is_said(rng):
    X = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 200)
    Y = X * [1, -1]
    result, found = pictured(dict(zip("ab", X.T, strict=True)), dict(zip("ab", Y.T, strict=True)))
    assert result.reject
    assert not any(p.strong for p in found.panels)
    assert "No column differs by itself" in found.notes[0]


def test_text_is_cut_to_its_width():
    from kstest.plot.lettering import LONGEST, cut, wrapped

    assert cut("short", 100, 8) == "short"
    for text in ("W" * 10_000, "i" * 10_000, "two words " * 50, "\x1b" * 500):
        shown = cut(text, 100, 8)
        assert shown.endswith("…")
        assert len(shown) <= LONGEST
        assert shown.isprintable()
        lines = wrapped(text, 100, 8, 3)
        assert len(lines) <= 3
        assert lines[-1].endswith("…")
    assert cut("anything", 0.1, 8) == "…"
    assert wrapped("one two", 1000, 8, 3) == ["one two"]
    assert wrapped("", 100, 8, 3) == []


# --- the command ---------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path, rng):
    for name, shift in (("good", 0), ("far", 2)):
        pd.DataFrame(rng.normal(size=(40, 2)) + shift, columns=["a", "b"]).to_csv(
            tmp_path / f"{name}.csv", index=False
        )
    return [str(tmp_path / "good.csv"), str(tmp_path / "far.csv")]


def test_plot_is_written_beside_the_answer(files, tmp_path, capsys):
    target = tmp_path / "why.html"
    target.write_text("old")
    assert run(["mmd", *files, "--plot", str(target)]) == 1
    assert capsys.readouterr().out.startswith("REJECTED")
    assert Page(target.read_text()).tags.count("svg") == 2
    assert run(["mmd", *files, "--quiet", "--plot", str(tmp_path / "why.svg")]) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "far.csv", "good.csv", "why.html", "why.svg",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("why.pdf", "ends in .pdf; give a name that ends in .svg, .png or .html"),
        ("why", "has no ending"),
        ("nowhere/why.svg", "does not exist"),
        ("folder.svg", "is a directory"),
    ],
)
def test_a_plot_that_cannot_be_written_is_refused_before_the_computation(
    target, words, files, tmp_path, capsys
):
    (tmp_path / "folder.svg").mkdir()
    assert run(["mmd", "nothing.csv", "nothing.csv", "--plot", str(tmp_path / target)]) == 2
    message = capsys.readouterr()
    assert message.out == ""
    assert "--plot" in message.err
    assert words in message.err


def test_plot_and_output_cannot_be_one_file(files, tmp_path, capsys):
    target = str(tmp_path / "why.html")
    assert run(["mmd", *files, "--plot", target, "--output", target]) == 2
    assert "give two names" in capsys.readouterr().err


def test_a_failure_leaves_the_old_plot_and_no_other_file(files, tmp_path, monkeypatch, capsys):
    target = tmp_path / "why.svg"
    target.write_text("old")
    assert run(["mmd", files[0], "nothing.csv", "--plot", str(target)]) == 2

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert run(["mmd", *files, "--plot", str(target)]) == 2
    message = capsys.readouterr()
    assert message.out == ""  # no verdict on standard output with exit code 2
    assert f"--plot {target}: cannot be written: No space left" in message.err
    assert target.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["far.csv", "good.csv", "why.svg"]


@pytest.mark.parametrize("ending", plot.ENDINGS)
def test_without_the_library_the_message_says_how_to_install_it(
    ending, files, tmp_path, monkeypatch, capsys
):
    for name in [n for n in sys.modules if n.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    target = tmp_path / f"why{ending}"
    assert run(["mmd", *files, "--plot", str(target)]) == 2
    assert "pip install 'kstest[plot]'" in capsys.readouterr().err
    assert not target.exists()
    assert run(["mmd", *files, "--quiet"]) == 1


def test_the_library_is_imported_for_plots_only(files):
    import subprocess

    code = (
        f"import sys\nfrom kstest.cli import run\nassert run(['mmd', *{files!r}, '-q']) == 1\n"
        "assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_python_draws_too(tmp_path, rng):
    X, Y = rng.normal(size=(50, 1)), rng.normal(size=(50, 1)) + 2
    target = tmp_path / "why.svg"
    result = kstest.mmd(X, Y, plot=target)
    assert result.verdict == "rejected"
    assert "reference: 50 rows" in svg_text(target.read_bytes())
    with pytest.raises(UsageError, match="ends in"):
        kstest.mmd(X, Y, plot="why.gif")
    with pytest.raises(OutputError, match="does not exist"):
        kstest.mmd(X, Y, plot=tmp_path / "nowhere" / "why.svg")


def test_only_tests_with_a_picture_take_a_plot():
    from kstest.registry import METHODS
    from kstest.shell.command import build

    for name, entry in METHODS.items():
        takes = "plot" in {p.name for p in build(name).params}
        assert takes == (entry.load().picture is not None)


def test_many_columns_make_no_endless_figure(rng):
    X, Y = ({f"c{i}": rng.normal(size=12) for i in range(400)} for _ in range(2))
    result, found = pictured(X, Y)
    content = plot.draw(result, found, "x.svg")
    height = float(ElementTree.fromstring(content).get("height").removesuffix("pt"))
    assert math.isfinite(height)
    assert height < 72 * 30


@pytest.mark.parametrize("detect", [False, True])
def test_a_decision_is_on_the_curve(detect):
    """Paths are thinned; the point that decides must stay."""
    rng = np.random.default_rng(5)
    stream = np.concatenate([rng.normal(size=400), rng.normal(3, 1, 100)])
    params = smmd.Params(seed=1, **({"detect": True, "run_length": 1000} if detect else {}))
    sides = {"reference": rng.normal(size=200), "sample": stream}
    (reference, sample), _ = samples_from_objects(sides, ReadOptions())
    columns = smmd.Columns.of(sample, False)
    state = smmd.step(smmd.init(params, columns, [reference]), sample)
    result = smmd.result(state)
    drawn = smmd.drawing(state).panels[0].drawings[0]
    assert result.reject
    assert isinstance(drawn, Curve)
    assert drawn.y.max() >= math.log(1000 if detect else 20)
    assert drawn.x[-1] == result.n["sample"] == drawn.marks[-1]
    assert (np.diff(drawn.x) > 0).all()


@pytest.mark.parametrize(
    ("code", "label"), [("too-few-blocks", "Why"), ("serial-dependence", "Warning")]
)
def test_only_the_reason_of_no_verdict_is_called_why(code, label):
    result = replace(
        kstest.mmd(np.arange(3.0), np.arange(2.0)), warnings=(Notice(code, "something"),)
    )
    assert result.verdict == "no verdict"
    assert f"{label}: something" in [line.text for line in headings.heading(result, 500.0)]


def test_the_curve_of_ks_is_the_difference_of_distribution_functions(rng):
    from kstest.methods import ks

    frames = [
        {"x": rng.normal(size=300), "w": rng.random(300), "k": rng.integers(0, 4, 300)},
        {"x": rng.normal(0.7, 1, size=200), "w": rng.random(200), "k": rng.integers(0, 4, 200)},
    ]
    sides = dict(zip(("reference", "sample"), map(pd.DataFrame, frames), strict=True))
    for weights in (None, "w"):
        samples, notices = samples_from_objects(sides, ReadOptions(weights=weights))
        params = ks.Params(permutations=199)
        found = ks.TEST.picture(samples, params, execute("ks", samples, params, notices))
        curve = panel(found, "x").drawings[1]
        (x, v), (y, w) = ((f["x"], f["w"] if weights else np.ones(len(f["x"]))) for f in frames)
        apart = [w[y <= t].sum() / w.sum() - v[x <= t].sum() / v.sum() for t in curve.x]
        np.testing.assert_allclose(curve.y, apart, atol=1e-12)
        every = np.unique([*x, *y])
        far = [w[y <= t].sum() / w.sum() - v[x <= t].sum() / v.sum() for t in every]
        assert curve.marks == every[np.argmax(np.abs(far))]
        assert panel(found, "x").strong
        bars = panel(found, "k").drawings[1]
        assert list(bars.x) == [0, 1, 2, 3]
        assert bars.y[-1] == pytest.approx(0)
        assert bars.marks is None  # chance is not pointed at
        assert any("differ most" in note for note in found.notes)
    same = dict.fromkeys(("reference", "sample"), pd.DataFrame(frames[0]))
    samples, notices = samples_from_objects(same, ReadOptions())
    found = ks.TEST.picture(samples, params, execute("ks", samples, params, notices))
    assert not any(isinstance(d, Curve) for p in found.panels for d in p.drawings)
