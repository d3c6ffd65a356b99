"""The sequential two-sample test, and the e-detector of both sequential tests."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import streams
from test_state import answer, core, run

import kstest
from kstest.archive import packing
from kstest.betting import blocks, detector, round_loops, two_samples, wealth
from kstest.betting.rows import Rows
from kstest.errors import UsageError
from kstest.methods import skit, sksd, smmd
from kstest.sample import Columns, Sample
from kstest.streams import state_file

MODES = ["conformal", "blocks"]


def draw(seed, m=1000, n=1000, d=2, shift=0.0, scale=1.0, change=0):
    rng = np.random.default_rng(seed)
    reference, stream = rng.normal(size=(m, d)), rng.normal(size=(n, d))
    stream[change:] *= scale
    stream[change:, 0] += shift
    return reference, stream


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("change", [{"shift": 0.5}, {"scale": 1.5}, {"scale": 0.6}])
def test_a_stream_of_another_distribution_is_rejected(mode, change):
    found = kstest.smmd(*draw(1, **change), mode=mode)
    assert found.verdict == "rejected"
    assert found.n["sample"] == found.explanation["evidence"]["decided_after_row"] < 600


@pytest.mark.parametrize("mode", MODES)
def test_level(mode):
    """300 streams of 400 rows: more than 27 rejections have probability 0.001 at level 0.05."""
    rejected = sum(
        kstest.smmd(*draw(seed, 400, 400), mode=mode, seed=seed).verdict == "rejected"
        for seed in range(300)
    )
    assert rejected <= 27


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("distribution", ["normal", "cauchy", "discrete", "wide"])
def test_level_of_many_distributions(mode, distribution):
    rejected = 0
    for seed in range(500):
        rng = np.random.default_rng(seed)
        make = {
            "normal": lambda n, rng=rng: rng.normal(size=(n, 1)),
            "cauchy": lambda n, rng=rng: rng.standard_cauchy((n, 2)),
            "discrete": lambda n, rng=rng: rng.poisson(1.0, (n, 2)),
            "wide": lambda n, rng=rng: rng.normal(size=(n, 10)),
        }[distribution]
        rejected += kstest.smmd(make(1000), make(1000), mode=mode, seed=seed).verdict == "rejected"
    assert rejected <= 500 * 0.05 + 2 * math.sqrt(500 * 0.05 * 0.95)


def test_conformal_p_values_are_those_of_the_definition(rng):
    bins, bag = rng.integers(0, 5, 30), rng.integers(0, 5, 20)
    counts, found = np.bincount(bag, minlength=5).astype(float), np.empty(30)
    round_loops.conformal_p_values(bins, np.uint64(3), np.uint64(10), counts, found)
    uniform = np.empty(1)
    members = bag.tolist()
    for t, (score, p) in enumerate(zip(bins.tolist(), found.tolist(), strict=True)):
        above, equal = sum(v > score for v in members), members.count(score) + 1
        low, high = above / (len(members) + 1), (above + equal) / (len(members) + 1)
        assert low < p < high, t
        members.append(score)
    assert uniform.shape == (1,)
    assert counts.tolist() == np.bincount(members, minlength=5).tolist()


def test_two_sample_blocks_are_fair_over_all_labels(rng):
    """Mean factor over all splits of one block of 3 + 3 rows, with many draws of arrangements."""
    from itertools import combinations

    rows, past = rng.normal(size=(6, 1)), rng.normal(size=(70, 1))
    total, count = 0.0, 0
    for seed in range(100):
        design = blocks.Design(size=3, features=8, seed=seed)
        for chosen in combinations(range(6), 3):
            rest = [k for k in range(6) if k not in chosen]
            reference = Rows.numbers(np.concatenate([past[:23], rows[rest]]))
            stream = Rows.numbers(np.concatenate([past[40:43] + 1, rows[list(chosen)]]))
            state = two_samples.begin(design, reference)
            _, ends, factors = two_samples.step(design, state, stream, reference)
            assert ends.tolist() == [3, 6]
            assert not factors[0].any()  # nothing was known of the stream
            total += np.exp(factors[1])
            count += 1
    assert total / count == pytest.approx(np.ones(20), abs=0.06)


ALARMS = {"detect": True, "run_length": 50}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"alpha": 1e-6},
        {"mode": "blocks"},
        {"mode": "blocks", "detect": True},
        {"detect": True},
        {**ALARMS, "on_alarm": "restart"},
        {**ALARMS, "on_alarm": "latch", "detector": "cusum"},
    ],
)
@pytest.mark.parametrize("thin", [1, 3])
def test_pieces_give_the_same_result_to_the_bit(options, thin):
    drawn = draw(2, m=200, n=900, shift=0.1)
    reference, stream = (Sample(name, v, ("a", "b")) for name, v in zip("rs", drawn, strict=True))
    params = smmd.Params(thin=thin, **options)
    start = smmd.init(params, Columns.of(stream), [reference])
    whole = smmd.step(start, stream)
    for size in (1, 50, 333):
        state = start
        for first in range(0, stream.n, size):
            state = smmd.step(state, stream.part(first, min(stream.n, first + size)))
        assert smmd.result(state) == smmd.result(whole)
        if not whole.core.verdict:
            assert packing.pack(state.core)[0] == packing.pack(whole.core)[0]
            arrays, expected = packing.pack(state.core)[1], packing.pack(whole.core)[1]
            for name, array in expected.items():
                np.testing.assert_array_equal(arrays[name], array, name)


def test_a_reference_is_used_up_by_blocks_and_lasts_for_conformal():
    reference, stream = draw(3, m=120, n=1000)
    used = kstest.smmd(reference, stream, mode="blocks")
    assert [w.code for w in used.warnings] == ["reference-used-up"]
    assert (used.verdict, used.exit_code) == ("no verdict", 3)
    assert "the last 904 rows were not tested" in used.explanation["summary"]
    enough = kstest.smmd(reference, stream[:90], mode="blocks")
    assert (enough.verdict, enough.warnings) == ("not rejected", ())
    lasting = kstest.smmd(reference, stream)
    assert lasting.warnings == ()
    assert lasting.explanation["evidence"]["bets"] == 1000


def test_too_few_rows():
    for m, n in ((10, 100), (100, 0)):
        reference, stream = draw(0, m, max(n, 1))
        found = kstest.smmd(reference, stream, mode="blocks")
        assert found.verdict == "no verdict"
        assert found.warnings[0].code == "too-few-rows"


def test_state_and_its_reference(tmp_path):
    reference, stream = draw(4)
    for name, rows in (
        ("ref", reference),
        ("other", reference + 1),
        ("1", stream),
        ("2", stream[::-1]),
    ):
        np.savetxt(tmp_path / f"{name}.csv", rows, delimiter=",", header="a,b", comments="")
    np.savetxt(
        tmp_path / "both.csv", np.r_[stream, stream[::-1]], delimiter=",", header="a,b", comments=""
    )
    state, one = tmp_path / "s.kst", tmp_path / "one.kst"
    ref = tmp_path / "ref.csv"
    answer(ref, tmp_path / "1.csv", "--state", state, name="smmd")
    before = state.read_bytes()
    code, message = run(tmp_path / "other.csv", tmp_path / "2.csv", "--state", state, name="smmd")
    assert code == 2
    assert "reference" in message
    assert state.read_bytes() == before
    answer(ref, tmp_path / "2.csv", "--state", state, name="smmd")
    answer(ref, tmp_path / "both.csv", "--state", one, name="smmd")
    assert core(state) == core(one)
    assert state.stat().st_size < 64_000
    _, text = run("show", state, "--format", "json", name="state")
    assert json.loads(text)["explanation"]["state"] == {"batches": 2, "rows": 2000}


def test_detector_statistics_are_those_of_the_definition(rng):
    factors = rng.normal(0, 0.5, size=(40, 3))
    ends = np.arange(10, 410, 10)
    for kind in detector.KINDS:
        found, path = detector.follow(detector.begin(3), ends, factors, math.inf, kind, "latch")
        m, c = np.zeros(3), np.zeros(3)
        expected = []
        for row in np.exp(factors):
            m, c = (m + 1) * row, np.maximum(c, 1) * row
            expected.append((m if kind == "sr" else c).mean())
        assert np.exp(path) == pytest.approx(expected, rel=1e-10)
        assert found.rounds == 40


def test_detector_stops_latches_restarts_and_says_when():
    factors = np.full((30, 1), -0.5)
    factors[10:] = 1.0
    ends = np.arange(16, 16 * 31, 16)

    def follow(mode, cut=30):
        found = detector.begin(1)
        for part in (slice(0, cut), slice(cut, 30)):
            found, _ = detector.follow(found, ends[part], factors[part], math.log(100), "sr", mode)
        return found

    stopped = follow("stop")
    assert stopped.rounds == 14  # e^4 + ... reaches 100 in the fourth round of the change
    assert stopped.alarms.tolist() == [224]
    assert stopped.begins.tolist() == [160]
    latched = follow("latch")
    assert latched.rounds == 30
    assert latched.alarms.tolist() == [224]
    again = follow("restart")
    assert again.alarms.tolist() == [224, 304, 384, 464]
    for mode in ("latch", "restart"):
        for cut in (1, 10, 12, 14, 15):
            assert follow(mode, cut).alarms.tolist() == follow(mode).alarms.tolist()
            assert follow(mode, cut).begins.tolist() == follow(mode).begins.tolist()


def test_run_length_to_a_false_alarm():
    """Threshold 20, 60 streams: the mean number of blocks is 20 or more; its error about 2.5."""
    lengths = []
    for seed in range(60):
        reference, stream = (Rows.numbers(v) for v in draw(seed, 3100, 3000, d=5))
        design = blocks.Design(size=12, half_lives=detector.HALF_LIVES, seed=seed)
        state = two_samples.begin(design, reference)
        _, ends, factors = two_samples.step(design, state, stream, reference)
        found, _ = detector.follow(
            detector.begin(design.experts), ends, factors, math.log(20), "sr", "stop"
        )
        lengths.append(found.rounds)
    assert np.mean(lengths) >= 20


def test_delay_until_an_alarm():
    """Mean shift 0.5 in one of five columns, threshold 100: 125 rows, and twice its error of 8."""
    delays = []
    for seed in range(60):
        found = kstest.smmd(
            *draw(seed, 2100, 2000, d=5, shift=0.5, change=960),
            mode="blocks", detect=True, run_length=100, seed=seed,
        )  # fmt: skip
        row = found.explanation["detector"]["alarms"][-1]["after_row"]
        if row > 960:
            delays.append(row - 960)
    assert np.mean(delays) <= 141


def test_alarm_of_dependence_and_its_guard():
    x, y = streams.gaussian(0)(np.random.default_rng(0), 4000)
    y[2000:] += x[2000:]
    found = kstest.skit(x, y, detect=True)
    (alarm,) = found.explanation["detector"]["alarms"]
    assert 2000 < alarm["after_row"] < 2300
    assert 1900 < alarm["probably_began_after_row"] < 2200
    assert found.verdict == "rejected"
    assert (found.p_value, found.e_value) == (None, None)
    assert found.statistic >= found.threshold == 10_000
    wave = np.zeros(4000)
    wave[2000:] = 2 * np.sin(np.arange(2000) * 2 * np.pi / 24)
    x, y = streams.gaussian(0)(np.random.default_rng(0), 4000)
    seasonal = kstest.skit(x + wave, y + wave, detect=True)
    assert seasonal.verdict == "no verdict"
    assert seasonal.warnings[0].code == "unsound-order"


@pytest.mark.parametrize("mode", ["stop", "latch", "restart"])
def test_detector_of_dependence_in_pieces(mode):
    x, y = streams.gaussian(0.6)(np.random.default_rng(1), 1500)
    sample = Sample("data", np.column_stack([x, y]), ("a", "b"))
    params = skit.Params(detect=True, run_length=50, on_alarm=mode)
    whole = skit.step(skit.init(params, Columns.of(sample)), sample)
    assert len(whole.core.detector.alarms) > 0
    state = skit.init(params, Columns.of(sample))
    for first in range(0, 1500, 70):
        state = skit.step(state, sample.part(first, min(1500, first + 70)))
    assert skit.result(state) == skit.result(whole)
    assert state.core.detector_x.rounds == whole.core.detector_x.rounds


@pytest.mark.parametrize(
    ("function", "options", "words"),
    [
        (kstest.smmd, {"detect": True, "alpha": 0.05}, "alpha=0.05"),
        (kstest.skit, {"detect": True, "alpha": 0.01}, "alpha=0.01"),
        (kstest.skit, {"detect": True, "mode": "pairs"}, "detect"),
        (kstest.skit, {"run_length": 50}, "run_length"),
        (kstest.skit, {"detect": True, "run_length": 1}, "run_length=1"),
        (kstest.smmd, {"on_alarm": "latch"}, "on_alarm"),
        (kstest.smmd, {"bandwidth": "wide"}, "bandwidth='wide'"),
    ],
)
def test_options_that_cannot_be_used(function, options, words):
    data = draw(0, 100, 100)
    with pytest.raises(UsageError, match=words):
        function(*(data if function is kstest.smmd else data[:1]), **options)


@pytest.mark.parametrize(
    ("name", "options", "titles"),
    [
        ("skit", [], ["dependence", "guard of x", "guard of y"]),
        ("skit", ["--detect"], ["dependence", "guard of x", "guard of y"]),
        ("sksd", ["--target", "normal(mean=0, sd=1)"], ["misfit", "guard"]),
        ("sksd", ["--target", "normal(mean=0, sd=1)", "--detect"], ["misfit", "guard"]),
        ("smmd", ["--mode", "blocks", "--detect"], ["difference", "guard"]),
        ("smmd", ["--detect"], ["difference", "guard"]),
        ("smmd", [], ["difference", "guard"]),
    ],
)
def test_the_evidence_path_is_drawn(name, options, titles, tmp_path):
    pytest.importorskip("matplotlib")
    reference, stream = draw(6, shift=0.7, change=500)
    for file, rows in (("ref", reference), ("stream", stream)):
        np.savetxt(tmp_path / f"{file}.csv", rows, delimiter=",", header="a,b", comments="")
    files = [tmp_path / "ref.csv"] * (name == "smmd") + [tmp_path / "stream.csv"]
    plot, state = tmp_path / "why.svg", tmp_path / "s.kst"
    code, _ = run(*files, *options, "--plot", plot, "--state", state, name=name)
    assert code in (0, 1)
    text = plot.read_text()
    assert "<svg" in text
    assert state.stat().st_size < 80_000
    module = {"skit": skit, "smmd": smmd, "sksd": sksd}[name]
    picture = module.drawing(state_file.read(str(state)).state)
    assert [panel.title for panel in picture.panels] == titles
    curve = picture.panels[0].drawings[0]
    assert 1 < len(curve.x) <= wealth.MOST_POINTS + 1
    assert (np.diff(curve.x) > 0).all()
    assert (curve.marks is not None) == (code == 1)
    assert curve.across == "rows of the stream"
    for panel in picture.panels:
        drawing = panel.drawings[0]
        assert drawing.x[-1] < curve.x[-1] + 16  # the guard ends where the test does, or a block on
        assert drawing.level_words in text
        words = "weighted wealth" if name == "smmd" else "e-value"
        assert drawing.label == ("statistic" if "--detect" in options else words) or (
            name != "skit" and panel.title == "guard"
        )
    page = tmp_path / "why.html"
    run(*files, *options, "--plot", page, name=name)
    false_alarms = "An alarm was raised. While nothing changes, alarms are 10,000"
    assert (false_alarms in page.read_text()) == ("--detect" in options and code == 1)
