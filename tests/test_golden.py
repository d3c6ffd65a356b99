"""The command's output against tests/golden; `tests/golden.py` says how to write it anew."""

from __future__ import annotations

import golden
import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("golden")
    golden.write_data(path)
    return path


@pytest.mark.parametrize("name", golden.CASES)
def test_output_is_the_golden_one(name, folder):
    assert golden.produce(name, folder) == (golden.GOLDEN / name).read_text()


def test_no_golden_file_is_left_over():
    assert {path.name for path in golden.GOLDEN.iterdir()} == set(golden.CASES)


@pytest.mark.parametrize("name", [n for n in golden.CASES if n.endswith(".txt")])
def test_text_fits_80_columns_and_errors_are_one_paragraph(name):
    command, *lines = (golden.GOLDEN / name).read_text().splitlines()
    cut = lines.index("--- stderr")
    report, errors = lines[:cut], lines[cut + 1 : -1]
    assert command.startswith("$ kstest")
    if name != "cite.txt":  # BibTeX, for programs
        assert max(map(len, report), default=0) <= 80
    if name.startswith("error"):
        assert not report
        # Messages stay on one line, so that logs can be searched; click's own have a usage line.
        assert len(errors) == 1 or errors[0].startswith("Usage: ")
        assert errors[-1].startswith(("kstest: error: ", "Error: "))
    else:
        assert not errors
