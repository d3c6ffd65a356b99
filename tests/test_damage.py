"""Damaged data files and archives with foreign content: exit 2, and never other numbers."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from test_state import answer, batches, run  # noqa: F401  (a fixture)

from kstest.archive import ledger, schema
from kstest.archive.packing import _inner
from kstest.contract import StreamTest
from kstest.errors import DataError
from kstest.registry import METHODS
from kstest.sample import Columns
from kstest.sources import ReadOptions, read_samples

FUZZ = Path(__file__).parent.parent / "benchmarks" / "fuzz.py"


def table():
    rng = np.random.default_rng(0)
    words = np.array(["alpha", "beta", "gamma"])[rng.integers(0, 3, 60)]
    return pa.table({"a": rng.normal(size=60), "b": rng.integers(0, 9, 60), "s": pa.array(words)})


def read(path):
    samples, _ = read_samples({"data": [str(path)]}, ReadOptions())
    (sample,) = samples
    texts = [[sample.levels[0][c] for c in sample.codes[:, 0]]] if sample.categorical else []
    return sample.columns, sample.values.tobytes(), texts


def written(kind, path):
    found = table()
    if kind == "feather":
        feather.write_feather(found, path)
    elif kind == "parquet":
        pq.write_table(found, path, write_page_checksum=True)
    else:
        make = pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream
        with make(path, found.schema) as writer:
            writer.write_table(found, 25)
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["arrow", "arrows", "feather", "parquet"])
def test_every_flipped_byte_is_refused_or_read_without_harm(kind, tmp_path):
    path, rng = tmp_path / f"t.{kind}", np.random.default_rng(1)
    content = written(kind, path)
    right, refused = read(path), 0
    for k in rng.permutation(len(content))[:400]:
        damaged = bytearray(content)
        damaged[k] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            found = read(path)
        except DataError:
            refused += 1
        else:
            # Arrow has no checksums: there a number may be another one. Parquet has, of all but the
            # names of columns.
            assert kind != "parquet" or found[1:] == right[1:]
    assert refused > 40


def test_rows_that_a_parquet_file_states_have_to_come(tmp_path):
    """The number of rows in the footer has no checksum."""
    path = tmp_path / "t.parquet"
    content = written("parquet", path)
    footer = int.from_bytes(content[-8:-4], "little")
    wrong = 0
    for k in range(len(content) - 8 - footer, len(content) - 8):
        damaged = bytearray(content)
        damaged[k] ^= 4
        path.write_bytes(damaged)
        try:
            read(path)
        except DataError as error:
            wrong += "it states" in str(error)
    assert wrong > 0


def test_a_million_columns_are_refused_at_once(tmp_path):
    path = tmp_path / "wide.csv"
    names = [f"c{k}" for k in range(120_000)]
    path.write_text(",".join(names) + "\n" + ",".join("1" * len(names)) + "\n")
    with pytest.raises(DataError, match="120,000 columns are to be read; at most 100,000"):
        read(path)
    samples, _ = read_samples({"data": [str(path)]}, ReadOptions(columns="c0,c119999"))
    assert samples[0].columns == ("c0", "c119999")


def classes(kind, found):
    """A dataclass and all that its fields hold."""
    if kind in found:
        return found
    found.append(kind)
    for hint in get_type_hints(kind).values():
        inner, _ = _inner(hint)
        if inner is not None:
            classes(inner, found)
    return found


STREAMS = {
    "skit": {"x": "a", "y": "b"},
    "smmd": {},
    "sksd": {"target": "normal(mean=0, sd=1)"},
}


@pytest.mark.parametrize("name", [n for n in METHODS if isinstance(METHODS[n].load(), StreamTest)])
def test_every_field_of_a_state_is_declared(name):
    """A new field of a state needs a line in `kstest.betting.schemas` or `stream.kept`."""
    test = METHODS[name].load()
    columns = Columns(("a", "b") if name != "sksd" else ("a",), (), ("a", "b"))
    declared, _ = test.declared(test.inputs.params(**STREAMS[name]), columns)
    for kind in classes(test.core, []):
        assert is_dataclass(kind)
        missing = {f.name for f in fields(kind)} - set(declared.schemas[kind])
        assert not missing, f"{kind.__module__}.{kind.__qualname__}: {missing}"
    assert ledger.DECLARED.schemas.keys() == {ledger.Ledger, ledger.Open}


def test_rules_of_an_archive():
    sizes = {"D": 2}
    schema.Numbers(("k", "D")).check("x", np.zeros((3, 2)), sizes)
    assert sizes == {"D": 2, "k": 3}
    schema.Numbers(("k",), "i8", 0, below="D").check("x", np.array([0, 1, 1]), sizes)
    schema.Numbers(("q",), or_none=True).check("x", np.empty(0), sizes)
    for rule, value in (
        (schema.Numbers(("k", "D")), np.zeros((3, 3))),
        (schema.Numbers(("k", "D")), np.zeros(3)),
        (schema.Numbers(("k", "D")), np.zeros((4, 2))),
        (schema.Numbers(("D", "D")), np.zeros((2, 3))),
        (schema.Numbers(("k",)), np.zeros(3, "f4")),
        (schema.Numbers(("k",)), np.zeros(3, ">f8")),
        (schema.Numbers(("k",)), np.array([0, np.nan, 0])),
        (schema.Numbers(("k",), "f8", 0), np.array([0, -1.0, 0])),
        (schema.Numbers(("k",), "i8", 0, below="D"), np.array([0, 1, 2])),
        (schema.Numbers(("k",)), None),
        (schema.Number(), -1),
        (schema.Number(), 1.0),
        (schema.Number(), True),
        (schema.Number(), 10**400),
        (schema.real(0), float("nan")),
        (schema.real(0), "1"),
        (schema.Word(("a",)), "b"),
        (schema.Word(), 1),
    ):
        with pytest.raises(ValueError, match="x "):
            rule.check("x", value, dict(sizes))
    for value in (float("inf"), 10**30, [[float("nan")]]):
        with pytest.raises(ValueError, match="header"):
            schema.require_header({"a": [value]})


def rewritten(path, change):
    """Change the members of an archive; the checksums are right again."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)


def test_foreign_content_with_right_checksums_is_refused(batches, tmp_path):  # noqa: F811
    state = tmp_path / "s.kst"
    answer(batches[0], "--state", state)
    good = state.read_bytes()

    def array(name, make):
        def change(members):
            stream = io.BytesIO()
            np.save(stream, make(np.load(io.BytesIO(members[name]))))
            members[name] = stream.getvalue()

        return change

    def header(*path, value):
        def change(members):
            found = json.loads(members["header.json"])
            table = found
            for key in path[:-1]:
                table = table[key]
            table[path[-1]] = value
            members["header.json"] = json.dumps(found).encode()

        return change

    for change in (
        array("core.blocks.joint.npy", lambda a: a[:, :, :, :1]),
        array("core.blocks.weight.npy", lambda a: np.zeros(0)),
        array("core.blocks.x_values.npy", lambda a: np.repeat(a, 2, axis=1)),
        array("core.guard_x.waves.npy", lambda a: a * np.nan),
        array("core.wealth.experts.npy", lambda a: a[:3]),
        array("ledger.records.npy", lambda a: a[:, :8]),
        header("core", "blocks", value=None),
        header("core", "wealth", "rounds", value=-1),
        header("core", "wealth", "stride", value=0),
        header("core", "verdict", value="accepted"),
        header("core", "rows", value=10**400),
        header("core", "detector", value={}),
        header("params", "block", value=16.5),
        header("params", "detect", value=True),
        header("columns", "numeric", value=["a", 1]),
        header("ledger", "count", value=0),
        header("method", value="ks"),
        header("method", value=["skit"]),
        header("core", value=[[[]]]),
        lambda members: members.pop("core.doubtful.npy"),
        lambda members: members.update({"header.json": b"[" * 100_000}),
    ):
        state.write_bytes(good)
        rewritten(state, change)
        for arguments, name in (
            ((batches[1], "--state", state), "skit"),
            (("show", state), "state"),
        ):
            code, message = run(*arguments, name=name)
            assert code == 2
            assert "s.kst" in message
    state.write_bytes(good)
    assert answer(batches[1], "--state", state)[1]["n"] == {"data": 200}


def test_a_thousand_damaged_files_harm_nobody():
    """All kinds of files; see `benchmarks/fuzz.py`."""
    words = [sys.executable, str(FUZZ), "--count", "1000", "--seed", "20240"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "1000 cases ended, 0 faults" in done.stdout
