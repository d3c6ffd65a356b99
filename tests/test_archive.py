"""Files that keep a state or a calibration: whole, checked, and nothing in them runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from kstest.archive import load, locked, save
from kstest.errors import DataError, OutputError

ARRAYS = {
    "sums": np.arange(6.0).reshape(2, 3),
    "z": np.array([1 + 2j]),
    "none": np.zeros((0, 4)),
    "one": np.array(3),
    "names": np.array(["größe", "b"]),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.kst"
    save(path, "state", 2, {"rows": 10, "name": "é"}, ARRAYS)
    return path


def test_what_was_saved_comes_back(path):
    header, arrays = load(path, "state", {1, 2})
    assert header == {"kstest": "state", "version": 2, "rows": 10, "name": "é"}
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)
    arrays["sums"][0, 0] = 1  # not read-only


def test_equal_content_gives_equal_bytes_and_no_other_file_stays(path):
    before = path.read_bytes()
    save(path, "state", 2, {"rows": 10, "name": "é"}, ARRAYS)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["a.kst"]


@pytest.mark.parametrize(
    ("kind", "versions", "words"),
    [
        ("calibration", {2}, "is a state of kstest; expected a calibration"),
        ("state", {1}, "version 2"),
    ],
)
def test_another_kind_or_version_is_refused(path, kind, versions, words):
    with pytest.raises(DataError, match=words):
        load(path, kind, versions)


def test_every_damaged_byte_is_noticed_or_harmless(path):
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        try:
            header, arrays = load(path, "state", {2})
        except DataError:
            continue
        assert header["rows"] == 10
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, ARRAYS[name])


def test_every_cut_is_noticed(path):
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"a\.kst"):
            load(path, "state", {2})


def _zip(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_pickles_bombs_and_lies_about_size_are_refused(tmp_path):
    path = tmp_path / "evil.kst"
    header = json.dumps({"kstest": "state", "version": 1}).encode()
    objects = io.BytesIO()
    np.save(objects, np.array([{}], dtype=object), allow_pickle=True)
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        huge, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    )
    for content in (objects.getvalue(), huge.getvalue(), pickle.dumps({}), b""):
        _zip(path, {"header.json": header, "x.npy": content})
        with pytest.raises(DataError, match=r"evil\.kst"):
            load(path, "state", {1})
    _zip(path, {"header.json": header, "x.npy": b"0" * 10**6}, zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match="compressed"):
        load(path, "state", {1})
    for text in (b"[]", b"null", b"\xff", b"{}"):
        _zip(path, {"header.json": text})
        with pytest.raises(DataError, match=r"evil\.kst"):
            load(path, "state", {1})


def test_missing_file_and_directory(tmp_path):
    for path in (tmp_path / "no.kst", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            load(path, "state", {1})
    with pytest.raises(OutputError, match="cannot be written"):
        save(tmp_path / "no" / "a.kst", "state", 1, {}, {})


def test_a_failed_write_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        save(path, "state", 2, {"rows": 11}, {})
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["a.kst"]


def test_objects_and_nan_cannot_be_saved(tmp_path):
    with pytest.raises(ValueError, match="cannot be kept"):
        save(tmp_path / "a", "state", 1, {}, {"x": np.array([None])})
    with pytest.raises(ValueError, match="not JSON compliant"):
        save(tmp_path / "a", "state", 1, {"x": float("nan")}, {})
    assert not os.listdir(tmp_path)


def test_lock_keeps_others_out(tmp_path):
    path = tmp_path / "a.kst"
    with (
        locked(path),
        pytest.raises(OutputError, match="another process"),
        locked(path, seconds=0.05),
    ):
        raise AssertionError
    with locked(path, seconds=0.05):
        pass
