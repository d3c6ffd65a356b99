"""`kstest doctor`."""

from __future__ import annotations

import json

from kstest import __version__, jit
from kstest.cli import run


def test_doctor_says_what_is_there(capsys):
    assert run(["doctor", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kstest"] == __version__
    assert found["cache"] == str(jit.cache_directory())
    assert found["cache_lasts"] is jit.cache_lasts()
    assert found["libraries"]["numpy"]
    assert found["threads"] >= 1
    assert 1e5 < found["pairs_per_second"] < 1e12


def test_doctor_in_words(capsys, monkeypatch):
    monkeypatch.setattr("kstest.shell.doctor.LIBRARIES", ("numpy", "nosuchlibrary"))
    monkeypatch.setattr(jit, "cache_lasts", lambda: False)
    assert run(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "nosuchlibrary (each needed for some answers only)" in text
    assert "KSTEST_CACHE_DIR" in text
    assert "million pairs of rows" in text
