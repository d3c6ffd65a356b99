"""Hits to events: a table with a row per hit becomes one with a row per event."""

from __future__ import annotations

from dataclasses import replace

import naive
import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.cli import run
from kstest.errors import DataError, UsageError
from kstest.sources import ReadOptions, pivot_of, read_samples, samples_from_objects

HITS = pd.DataFrame(
    {
        "event": [7, 7, 7, 3, 9, 9],
        "layer": [2, 1, 2, 4, 1, 3],
        "t": [30.0, 10.0, 20.0, 5.0, 8.0, 4.0],
        "run": [1, 1, 1, 1, 2, 2],
        "kind": ["x", "y", "z", "x", "y", "y"],
    }
)


def gather(data, missing="indicator", columns=None, **how):
    options = ReadOptions(pivot=replace(pivot_of(**how), strict=False), missing=missing)
    (sample,), _ = samples_from_objects({"data": data}, replace(options, columns=columns))
    return sample


def table(sample):
    values = np.where(sample.missing, np.nan, sample.values)
    return {name: values[:, j].tolist() for j, name in enumerate(sample.columns)}


def test_hits_in_the_order_of_a_column():
    sample = gather(HITS, event="event", order="t", hits=2, per_event="run")
    assert sample.columns == ("run", "layer_1", "layer_2", "t_1", "t_2", "hits")
    found = table(sample)
    assert found["run"] == [1, 1, 2]
    assert found["t_1"] == [10, 5, 4]
    assert found["t_2"] == pytest.approx([20, np.nan, 8], nan_ok=True)
    assert found["layer_1"] == [1, 4, 3]
    assert found["hits"] == [3, 1, 2]
    kinds = [[sample.level_name(j, int(c)) for c in sample.codes[:, j]] for j in (0, 1)]
    assert kinds[0] == ["y", "x", "y"]
    assert kinds[1][0::2] == ["z", "y"]
    assert sample.codes[1, 1] == -1
    assert sample.inputs[0].rows_read == 3


def test_hits_in_the_order_of_the_file():
    found = table(gather(HITS, event="event", hits=3, columns="t_1,t_3,hits"))
    assert found["t_1"] == [30, 5, 8]
    assert found["t_3"] == pytest.approx([20, np.nan, np.nan], nan_ok=True)


def test_columns_by_channel_hold_its_first_hit():
    sample = gather(HITS, event="event", order="t", channels="layer=1-3", columns="t_*,hits")
    assert sample.columns == ("t_1", "t_2", "t_3", "hits")
    found = np.array(list(table(sample).values())).T
    nan = np.nan
    expected = [[10, 20, nan, 3], [nan, nan, nan, 1], [8, nan, 4, 2]]
    assert found == pytest.approx(np.array(expected), nan_ok=True)


def test_channels_may_have_names():
    sample = gather(HITS, event="event", channels="kind=x,'y'", columns="t_x,t_y")
    found = table(sample)
    assert found["t_x"] == pytest.approx([30, 5, np.nan], nan_ok=True)
    assert found["t_y"] == pytest.approx([10, np.nan, 8], nan_ok=True)


@pytest.mark.parametrize("channels", [None, "layer=1-4"])
def test_blocks_of_any_size_give_the_same_events(channels, rng, monkeypatch, tmp_path):
    from kstest.sources import columnar

    sizes = rng.integers(1, 9, 400)
    n = int(sizes.sum())
    frame = pd.DataFrame(
        {
            "event": np.repeat(rng.permutation(400), sizes),
            "layer": rng.integers(1, 6, n),
            "t": rng.integers(0, 50, n),
            "word": rng.choice(["a", "b", "c"], n),
        }
    )
    path = tmp_path / "hits.parquet"
    frame.to_parquet(path, index=False)
    how = pivot_of("event", "t", 5, channels)
    options = ReadOptions(pivot=how, missing="indicator")
    found = []
    for rows in (1 << 16, 700, 1):
        # Blocks end within events; one row at a time an event spans many of them.
        monkeypatch.setattr(columnar, "BLOCK_ROWS", rows)
        monkeypatch.setattr(columnar, "BLOCK_CELLS", 1)
        (sample,), _ = read_samples({"data": [str(path)]}, options)
        found.append(sample)
    slow = naive.events(frame, "event", "t", 5, None if channels is None else ("layer", "1234"))
    for sample in found:
        for j, name in enumerate(sample.columns):
            values = np.where(sample.missing[:, j], np.nan, sample.values[:, j])
            assert values == pytest.approx(np.array(slow[name], float), nan_ok=True)
        for j, name in enumerate(sample.categorical):
            words = [None if c < 0 else sample.level_name(j, int(c)) for c in sample.codes[:, j]]
            assert words == slow[name]


def test_events_whose_hits_are_apart_are_refused():
    apart = pd.concat([HITS, HITS.iloc[3:4]])
    with pytest.raises(DataError, match="row 7: hits of event '3' come after"):
        gather(apart, event="event")


def test_the_same_event_in_two_files_is_two_events(tmp_path):
    paths = [str(tmp_path / name) for name in ("a.csv", "b.csv")]
    for path in paths:
        HITS.to_csv(path, index=False)
    options = ReadOptions(pivot=pivot_of("event", hits=3), missing="indicator")
    (sample,), _ = read_samples({"data": paths}, options)
    assert sample.n == 6


def test_long_numbers_of_events_stay_apart():
    # Beyond 2^53 neighbours are one float.
    frame = pd.DataFrame({"event": [2**60, 2**60 + 1, 2**60 + 2], "t": [1.0, 2.0, 3.0]})
    assert gather(frame, event="event", hits=1).n == 3


def test_a_missing_cell_of_a_hit_is_no_missing_hit():
    holes = HITS.assign(t=[30, None, 20, 5, 8, 4])
    options = ReadOptions(pivot=pivot_of("event", hits=3), missing="indicator")
    with pytest.raises(DataError, match=r"column 't', row 2 \(event '7'\) is missing"):
        samples_from_objects({"data": holes}, options)
    assert gather(holes, event="event", hits=2, columns="t_2").missing[0, 0]
    # Dropping leaves complete events alone: those with all hits.
    sample = gather(HITS, "drop", event="event", hits=2, columns="t_1,t_2")
    assert (sample.n, sample.n_dropped) == (2, 1)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"event": "evnt"}, "has no column 'evnt', which --pivot names"),
        ({"event": "event", "order": "tt"}, "no column 'tt', which --hit-order names"),
        ({"event": "event", "channels": "chan=1"}, "no column 'chan', which --channels names"),
        ({"event": "event", "order": "kind"}, "'kind' of --hit-order holds text"),
        ({"event": "event", "per_event": "layer"}, "'layer' changes within event '7'"),
        ({"event": "event", "per_event": "laye"}, "no column 'laye'"),
    ],
)
def test_what_cannot_be_gathered_is_refused(how, message):
    with pytest.raises((DataError, UsageError), match=message):
        gather(HITS, **how)


@pytest.mark.parametrize(
    "how",
    [
        {"hits": 0}, {"channels": "layer"}, {"channels": "=1"}, {"channels": "layer=4-1"},
        {"channels": "layer=1-99999"}, {"order": "event"}, {"channels": "event=1"},
    ],
)  # fmt: skip
def test_options_are_checked(how):
    with pytest.raises(UsageError, match="--"):
        pivot_of("event", **how)


def test_an_event_needs_a_number():
    with pytest.raises(DataError, match="row 3 has no value in column 'event'"):
        gather(HITS.assign(event=[7, 7, None, 3, 9, 9]), event="event")


# --- in calibrations


def long_table(n, rng, slow=0.0):
    """Events with 2 to 4 hits; `slow` delays the second and later ones."""
    sizes = rng.integers(2, 5, n)
    rank = np.concatenate([np.arange(k) for k in sizes])
    t = 10 * rank + rng.exponential(5, len(rank)) + slow * (rank > 0)
    frame = pd.DataFrame({"event": np.repeat(np.arange(n), sizes), "t": t, "q": rng.random(len(t))})
    shuffled = frame.sample(frac=1, random_state=int(rng.integers(1 << 30)))
    return shuffled.sort_values("event", kind="stable")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("hits")
    rng = np.random.default_rng(8)
    for name, n, slow in (("ref", 800, 0), ("pool", 2200, 0), ("good", 100, 0), ("bad", 100, 8)):
        long_table(n, rng, slow).to_csv(path / f"{name}.csv", index=False)
    words = ["dqm", "calibrate", path / "ref.csv", "--pool", path / "pool.csv", "-o"]
    words += [path / "k.cal", "--pivot", "event", "--hit-order", "t", "--hits", "3"]
    words += ["--batch-size", "100", "--toys", "199", "--centres", "40", "-q"]
    assert run([str(word) for word in words]) == 0
    return path


def test_a_calibration_keeps_how_hits_become_events(folder, capsys):
    assert run(["dqm", "check", str(folder / "k.cal"), str(folder / "good.csv")]) == 0
    assert run(["dqm", "check", str(folder / "k.cal"), str(folder / "bad.csv")]) == 1
    assert run(["dqm", "explain", str(folder / "k.cal"), str(folder / "bad.csv")]) == 1
    out = capsys.readouterr().out
    assert any(f"driven by   {name}: " in out for name in ("t_2", "t_3"))
    assert run(["dqm", "show", str(folder / "k.cal")]) == 0
    out = capsys.readouterr().out
    assert "t_1, t_2, t_3, q_1, q_2, q_3, hits" in out
    assert "hits by event, in the order of t, the first 3" in out


def test_batches_of_another_shape_are_refused(folder, tmp_path, capsys):
    wide = tmp_path / "wide.csv"
    wide.write_text("t_1,t_2,t_3,q_1,q_2,q_3,hits\n1,2,3,4,5,6,3\n")
    assert run(["dqm", "check", str(folder / "k.cal"), str(wide)]) == 2
    assert "no column 'event', which --pivot names" in capsys.readouterr().err
    lacking = tmp_path / "lacking.csv"
    lacking.write_text("event,t\n1,2\n1,3\n")
    assert run(["dqm", "check", str(folder / "k.cal"), str(lacking)]) == 2
    assert "'q_1'" in capsys.readouterr().err


def test_the_file_is_read_back_as_it_was(folder):
    known = kstest.dqm_load(str(folder / "k.cal"))
    assert known.layout.pivot == pivot_of("event", "t", 3)
    assert known.layout.missing == "indicator"


def test_weights_and_runs_are_of_events(rng):
    def weighted(n):
        return long_table(n, rng).assign(w=lambda f: 1.0 + f["event"] % 2)

    known = kstest.dqm_calibrate(
        long_table(400, rng), weighted(900), batch_size=60, toys=99, centres=20, pivot="event",
        hits=2, weights="w", threads=1,
    )  # fmt: skip
    (result,) = kstest.dqm_check(known, weighted(60), alpha=0.02)
    assert result.n["batch"] == 60
    assert result.columns == ("t_1", "t_2", "q_1", "q_2", "hits")


def test_a_silent_layer_is_an_alarm_and_no_error(rng):
    def layers(n, silent=0):
        frame = pd.DataFrame({"event": np.repeat(np.arange(n), 3), "layer": [1, 2, 3] * n})
        frame["t"] = rng.normal(size=3 * n)
        return frame[frame["layer"] != silent]

    known = kstest.dqm_calibrate(
        layers(400), layers(900), batch_size=60, toys=99, centres=20, pivot="event",
        channels="layer=1-3", exclude="hits", threads=1,
    )  # fmt: skip
    assert known.layout.names == ("t_1", "t_2", "t_3")
    good, bad = kstest.dqm_check(known, layers(60), layers(60, silent=2), alpha=0.01)
    assert (good.reject, bad.reject) == (False, True)
    ranking = kstest.dqm_explain(known, layers(60, silent=2), alpha=0.01).explanation["ranking"]
    assert ranking[0].column == "t_2"


def test_options_of_hits_need_the_event(capsys):
    words = ["dqm", "calibrate", "a.csv", "--pool", "b.csv", "-o", "c.cal", "--hit-order", "t"]
    assert run([*words, "--batch-size", "9"]) == 2
    assert "--hit-order: needs --pivot" in capsys.readouterr().err
