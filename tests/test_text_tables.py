"""Text tables as people have them: read right at once, or by the option that the message names."""

from __future__ import annotations

import numpy as np
import pytest

from kstest.errors import KstestError
from kstest.sources import OPTIONS, ReadOptions, csv_read, read_samples
from tests.text_tables import FILES

LEAST_AT_ONCE = 45


@pytest.fixture(params=["one block", "small blocks"])
def read(tmp_path, request, monkeypatch):
    if request.param == "small blocks":
        monkeypatch.setattr(csv_read, "BLOCK_BYTES", 64)
        monkeypatch.setattr(csv_read, "BLOCK_ROWS", 1)

    def run(text, *options):
        path = tmp_path / "table.csv"
        path.write_text(text, encoding="utf-8", newline="")
        (sample,), notices = read_samples({"r": [str(path)]}, parsed(options))
        return sample, notices

    return run


def parsed(options):
    """ReadOptions of words of a command line."""
    flags = {f.name for f in OPTIONS if f.default is False}
    words, given = list(options), {"missing": "indicator"}
    while words:
        name = words.pop(0).removeprefix("--").replace("-", "_")
        given[name] = True if name in flags else words.pop(0)
    return ReadOptions(**given)


def test_there_are_three_of_each_convention_and_most_need_no_option():
    assert len(FILES) == 60
    assert sum(not file.needs for file in FILES.values()) >= LEAST_AT_ONCE


@pytest.mark.parametrize("name", FILES)
def test_tables_are_read_right_at_once_or_as_the_message_says(read, name):
    file = FILES[name]
    if file.needs:
        with pytest.raises(KstestError) as caught:
            read(file.text)
        assert caught.value.more in ((), file.needs), caught.value
        assert " ".join(file.needs) in str(caught.value)
    sample, _ = read(file.text, *file.needs)
    assert sample.columns == file.columns
    values = (
        np.where(sample.missing, np.nan, sample.values)
        if sample.missing is not None
        else sample.values
    )
    np.testing.assert_array_equal(values, file.values)
    found = {
        column: [sample.level_name(j, code) for code in sample.codes[:, j]]
        for j, column in enumerate(sample.categorical)
    }
    assert found == file.texts
