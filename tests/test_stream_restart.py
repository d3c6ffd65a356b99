"""A monitor that begins anew after an alarm reports every batch by itself."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import streams

from kstest.cli import run
from kstest.methods import skit
from kstest.sample import Columns, Sample

COMMANDS = {
    "sksd": ["sksd", "BATCH", "--target", "normal(0, 1)"],
    "skit": ["skit", "BATCH", "--x", "a", "--y", "b"],
    "smmd": ["smmd", "REFERENCE", "BATCH", "--mode", "blocks"],
}


def batches(test, rng):
    """Good, changed, good again: 200 rows each."""
    for changed in (False, True, False, False):
        X = rng.normal(size=(200, 1 if test == "sksd" else 2))
        if changed:
            X[:, 0] += 0 if test == "skit" else 2
            X[:, -1] += 3 * X[:, 0] if test == "skit" else 0
        yield changed, pd.DataFrame(X, columns=list("ab")[: X.shape[1]])


@pytest.mark.parametrize("test", COMMANDS)
def test_only_the_batch_that_alarms_exits_1(test, tmp_path, capsys):
    rng = np.random.default_rng(4)
    reference, batch, state = (str(tmp_path / n) for n in ("ref.csv", "batch.csv", "s.kst"))
    pd.DataFrame(rng.normal(size=(900, 2)), columns=["a", "b"]).to_csv(reference, index=False)
    codes, found = [], []
    for changed, rows in batches(test, rng):
        rows.to_csv(batch, index=False)
        names = {"BATCH": batch, "REFERENCE": reference}
        words = [names.get(word, word) for word in COMMANDS[test]]
        words += ["--detect", "--run-length", "2000", "--on-alarm", "restart", "--state", state]
        capsys.readouterr()
        codes.append((changed, run([*words, "--format", "json"])))
        found.append(json.loads(capsys.readouterr().out))
    assert codes[:2] == [(False, 0), (True, 1)]
    # The witness that learned the change may see its end: that is a change, too.
    for (_, code), before, after in zip(codes[1:], found[:-1], found[1:], strict=True):
        rows = [alarm["after_row"] for alarm in after["explanation"]["detector"]["alarms"]]
        new = [row for row in rows if row > before["n"][next(iter(reversed(before["n"])))]]
        assert code == bool(new)
        assert after["reject"] == bool(new)
    assert codes[-1][1] == 0
    assert (
        "no alarm in the rows of this run; before them alarm after"
        in (found[-1]["explanation"]["summary"])
    )


def test_doubt_about_an_alarm_does_not_end_where_old_alarms_are_forgotten():
    """A season in both sides and a run length of 2: over 100 alarms, in doubt to the last."""
    values = np.column_stack(streams.season(24, 2)(np.random.default_rng(0), 3000))
    params = skit.Params(x="x", y="y", detect=True, on_alarm="restart", run_length=2)
    cores = []
    for pieces in (1, 30):
        state = skit.init(params, Columns.of(sample(values[:0])))
        for part in np.array_split(values, pieces):
            state = skit.step(state, sample(part))
        cores.append(state.core)
    whole, pieces = cores
    assert len(whole.detector.alarms) == 100
    assert whole.doubtful[-1] == whole.detector.alarms[-1]
    assert pieces.doubtful.tolist() == whole.doubtful.tolist()


def sample(values):
    return Sample("data", np.ascontiguousarray(values), ("x", "y"))
