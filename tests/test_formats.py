"""Every file format is read alike, and a new one is added as CONTRIBUTING says."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import re
import sqlite3
import sys
import types
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kstest.errors import DataError, UsageError
from kstest.sources import ReadOptions, columnar, compression, csv_read, formats, read_samples
from kstest.sources.sequence_options import SequenceOptions
from kstest.sources.sequences import read_sequences

CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"
TABLE = pa.table(
    {
        "x": [1.5, None, 3.0, -4.25],
        "n": pa.array([1, 2, 3, 4], pa.int32()),
        "word": ["a", "b", "a", "c"],
        "at": pa.array([0, 10**6, 2 * 10**6, 3 * 10**6], pa.timestamp("us")),
    }
)


@pytest.fixture
def orc(monkeypatch):
    """Follow the text: a file, and a line in the table."""
    pytest.importorskip("pyarrow.orc")
    text = CONTRIBUTING.read_text().partition("**Add a file format.**")[2]
    file, line = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[:2]
    name = re.search(r'"(kstest[.\w]*):', line)[1]
    module = types.ModuleType(name)
    exec(file, module.__dict__)
    monkeypatch.setitem(sys.modules, name, module)
    added = eval(line, vars(formats))
    shipped = next(f for f in formats.FORMATS if f.name == "orc")
    assert added == shipped
    formats.FORMATS.remove(shipped)
    formats.FORMATS.append(added)
    return added


def orc_bytes(table):
    out = io.BytesIO()
    sys.modules["pyarrow.orc"].write_table(table, out)
    return out.getvalue()


def read(path, **options):
    return read_samples({"r": [str(path)]}, ReadOptions(**options))[0][0]


def test_a_format_is_added_as_contributing_says(orc, tmp_path):
    pq.write_table(TABLE, tmp_path / "t.parquet")
    (tmp_path / "t.orc").write_bytes(orc_bytes(TABLE))
    (tmp_path / "t.orc.gz").write_bytes(gzip.compress(orc_bytes(TABLE)))
    options = {"missing": "drop", "where": "n < 4 and word != 'b'", "categorical": "n"}
    expected = read(tmp_path / "t.parquet", **options)
    for name in ("t.orc", "t.orc.gz"):
        found = read(tmp_path / name, **options)
        assert found.values.tobytes() == expected.values.tobytes()
        assert (found.columns, found.levels) == (expected.columns, expected.levels)
        assert np.array_equal(found.codes, expected.codes)
        assert found.inputs[0].sha256 is not None
    assert formats.names()[-1] == "orc"


def test_a_new_format_has_the_messages_of_all(orc, tmp_path):
    whole = orc_bytes(TABLE)
    lists = orc_bytes(pa.table({"x": [[1.0]]}))
    for name, content, words in [
        ("a.parquet", whole, ["the name says Parquet, but the content is ORC"]),
        ("a.orc", b"x\n1\n", ["the name says ORC", "text that starts with"]),
        ("cut.orc", whole[: len(whole) // 2], ["cannot be read", "Is the file complete?"]),
        ("lists.orc", lists, ["column 'x' holds lists (row 1: '[1.0]')"]),
        ("c.csv", b"\0\1\2", ["accepted: CSV in UTF-8, Parquet, Arrow IPC, ", "ORC, each also"]),
        ("b.csv", b"PK\x03\x04\0", ["a damaged zip archive"]),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError) as caught:
            read(tmp_path / name)
        assert all(word in str(caught.value) for word in words), caught.value


def test_what_a_library_raises_is_about_the_file_and_what_python_raises_is_not(
    tmp_path, monkeypatch
):
    def open_broken(opened):
        raise sqlite3.DatabaseError("malformed")

    def open_mistaken(opened):
        raise IndexError("a mistake")

    module = types.ModuleType("broken")
    module.__dict__.update(open_broken=open_broken, open_mistaken=open_mistaken)
    monkeypatch.setitem(sys.modules, "broken", module)
    for name, error, words in [
        ("open_broken", DataError, "cannot be read: malformed. Is the file complete?"),
        ("open_mistaken", IndexError, "a mistake"),
    ]:
        added = formats.Format("broken", "Broken", b"BRO\0KEN", (".broken",), f"broken:{name}")
        monkeypatch.setattr(formats, "FORMATS", [added])
        (tmp_path / "a.broken").write_bytes(b"BRO\0KEN")
        with pytest.raises(error, match=words):
            read(tmp_path / "a.broken")


def test_a_compression_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "CODECS", [*compression.CODECS])
    compression.CODECS.append(compression.Codec("bz2", "bzip2", re.compile(b"BZh"), ".bz2"))
    (tmp_path / "a.csv.bz2").write_bytes(bz2.compress(b"x\n1\n2\n"))
    assert read(tmp_path / "a.csv.bz2").values.tolist() == [[1], [2]]
    (tmp_path / "a.parquet.bz2").write_bytes(bz2.compress(b"x\n1\n2\n"))
    with pytest.raises(DataError, match="the name says Parquet"):
        read(tmp_path / "a.parquet.bz2")


def test_sequences_are_read_from_a_new_format(orc, tmp_path):
    (tmp_path / "s.orc").write_bytes(orc_bytes(pa.table({"s": [["a", "b"], ["b"]]})))
    sample = read_sequences({"data": [str(tmp_path / "s.orc")]}, SequenceOptions())[0][0]
    assert sample.sequences.alphabet == ("a", "b")
    assert sample.sequences.offsets.tolist() == [0, 2, 3]


def test_a_name_of_no_format_is_refused():
    with pytest.raises(UsageError, match="accepted: csv, parquet, arrow"):
        ReadOptions(input_format="xml")


NUMBERS = st.one_of(
    st.none(), st.floats(-1e6, 1e6, width=32).map(lambda x: x + 0.0), st.sampled_from([0.0, 1.0])
)
SOME = ["a", "b", "a b", 'q"q', "x,y", "two\nlines", "\u00e9"]
WORDS = st.one_of(st.none(), st.sampled_from(SOME))
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, WORDS), min_size=1, max_size=60)


@given(ROWS, st.sampled_from([40, 1 << 20]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_random_tables_are_read_alike_from_every_format(tmp_path_factory, rows, block, drop):
    # The first row makes the kinds plain; the last two let a side have rows whatever is dropped.
    rows = [(1.5, 2.5, "a"), *rows, (0.25, 0.5, "a"), (0.25, 0.75, "a")]
    folder = tmp_path_factory.mktemp("t")
    table = pa.table(dict(zip("xyc", map(list, zip(*rows, strict=True)), strict=True)))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([["x", "y", "c"], *[["" if v is None else v for v in r] for r in rows]])
    (folder / "t.csv").write_text(out.getvalue())
    pq.write_table(table, folder / "t.parquet", row_group_size=7)
    with pa.OSFile(str(folder / "t.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as w:
        w.write_table(table, max_chunksize=5)
    kept = [r for r in rows if r[0] is not None and r[0] < 1e5]  # --where: missing is false
    if drop:
        kept = [r for r in kept if None not in r]
    missing = "drop" if drop else "indicator"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columnar, "BLOCK_ROWS", 3 if block == 40 else 1 << 16)
        # The types are seen from the whole file, and every cell fits into a block.
        for name in ("BLOCK_BYTES", "QUOTED_BYTES"):
            patch.setattr(csv_read, name, block + 1000)
        for kind in ("csv", "parquet", "arrow"):
            options = ReadOptions(missing=missing, where="x < 1e5", categorical="c")
            sample = read_samples({"r": [str(folder / f"t.{kind}")]}, options)[0][0]
            assert sample.values.flags.c_contiguous
            assert sample.values.tolist() == [[r[0], r[1] or 0.0] for r in kept]
            words = [None if k < 0 else sample.levels[0][k] for k in sample.codes[:, 0]]
            assert words == [r[2] for r in kept]
            assert sample.levels[0] == tuple(sorted({r[2] for r in kept} - {None}))
            holes = [r[1] is None for r in kept]
            found = [False] * len(kept) if sample.missing is None else sample.missing[:, 1].tolist()
            assert found == holes
