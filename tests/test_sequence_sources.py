"""Sequences from files, tables and objects: the same sequences whatever they come in."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kstest.errors import DataError, UsageError
from kstest.sources.sequence_objects import sequences_from_objects
from kstest.sources.sequence_options import SequenceOptions
from kstest.sources.sequences import read_sequences

WORDS = [["log", "in"], ["na"], ["nan", "none", "true", "log"], ["NULL", "in"]]


def read(path, **options):
    (sample,), notices = read_sequences({"data": [str(path)]}, SequenceOptions(**options))
    return sample, notices


def lists(sample):
    found = sample.sequences
    return [list(found[i]) for i in range(len(found))]


def taken(rows, **options):
    (sample,), _ = sequences_from_objects({"data": rows}, SequenceOptions(**options))
    return sample


def test_characters_of_lines(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("na\nnan\nérié\r\n a\tb\nz".encode())
    sample, _ = read(path)
    assert lists(sample) == [list("na"), list("nan"), list("érié"), list(" a\tb"), ["z"]]
    assert list(sample.sequences.alphabet) == sorted(set("nanérié a\tbz"))
    assert (sample.n, sample.values.shape, sample.columns) == (5, (5, 0), ())
    assert sample.inputs[0].rows_read == 5
    assert len(sample.inputs[0].sha256) == 64


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))))
def test_any_text_comes_back(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("any") / "a.txt"
    content = "".join(text + "\n" for text in ["x", *texts])
    if "\0" in content or content.encode()[:4] in (b"PAR1", b"ARRO") or "\ufeff" in content:
        return
    path.write_bytes(content.encode())
    sample, _ = read(path, empty="keep")
    assert lists(sample) == [list(text) for text in ["x", *texts]]
    assert lists(taken(["x", *texts], empty="keep")) == lists(sample)


def test_blocks_of_lines_join(tmp_path, monkeypatch):
    from kstest.sources import sequence_text

    monkeypatch.setattr(sequence_text, "CHUNK_BYTES", 5)
    path = tmp_path / "a.txt"
    texts = ["a", "bcdefghijkl", "éé", "m" * 30, "z"]
    path.write_bytes("\r\n".join(texts).encode())
    assert lists(read(path)[0]) == [list(text) for text in texts]
    path.write_text(" ".join(map(str, range(20))) + "\n1 2\n")
    assert lists(read(path, tokens="integers")[0])[1] == ["1", "2"]


def test_words_in_every_container(tmp_path):
    lines = tmp_path / "a.txt"
    lines.write_text("".join(" ".join(row) + " \n" for row in WORDS))
    packed = tmp_path / "a.txt.gz"
    packed.write_bytes(gzip.compress(lines.read_bytes()))
    jsonl = tmp_path / "a.jsonl"
    jsonl.write_text("".join(json.dumps(row) + "\n" for row in WORDS))
    table = pa.table({"n": range(4), "s": WORDS, "t": [" ".join(row) for row in WORDS]})
    parquet, arrow = tmp_path / "a.parquet", tmp_path / "a.arrow"
    pq.write_table(table, parquet)
    with pa.OSFile(str(arrow), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    rows = [(f"v{i}", k, word) for i, row in enumerate(WORDS) for k, word in enumerate(row)]
    shuffled = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
    events = tmp_path / "events.csv"
    pd.DataFrame(shuffled, columns=["visit", "ts", "event"]).to_csv(events, index=False)
    long = {"id": "visit", "order": "ts", "symbol": "event"}
    found = [
        read(lines, tokens="words")[0],
        read(packed, tokens="words")[0],
        read(jsonl)[0],
        read(lines.rename(tmp_path / "b.txt"), tokens="words")[0],
        read(parquet)[0],
        read(arrow)[0],
        read(parquet, column="t", tokens="words")[0],
        read(events, **long)[0],
        taken(WORDS),
        taken([" ".join(row) for row in WORDS], tokens="words"),
        taken(pa.array(WORDS).to_pylist()),
    ]
    for sample in found:
        assert lists(sample) == WORDS
        assert sample.sequences.alphabet == found[0].sequences.alphabet
    assert found[4].sequences.name == "s"
    assert found[7].sequences.labels == ("v0", "v1", "v2", "v3")


def test_integers(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("1, 2,10\n+2 03\n")
    sample, _ = read(path, tokens="integers")
    assert lists(sample) == [["1", "2", "10"], ["2", "3"]]
    assert sample.sequences.alphabet == ("1", "2", "3", "10")
    assert lists(taken([[1, 2], np.array([10])])) == [["1", "2"], ["10"]]
    table = pa.table({"s": pa.array([[1, 2], [10]], pa.list_(pa.int16()))})
    pq.write_table(table.slice(1), tmp_path / "a.parquet")
    assert lists(read(tmp_path / "a.parquet")[0]) == [["10"]]


def test_events_in_order_of_rows_and_chosen_ones(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("v;s\nb;nan\na;x\nb;ping\nb;y\n")
    sample, _ = read(path, id="v", symbol="s", where="s != 'ping'")
    assert lists(sample) == [["x"], ["nan", "y"]]


def test_empty_lines(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("ab\n\nc\n")
    with pytest.raises(DataError, match=r"a.txt: line 2 is empty \(1 of 3 are\).*--empty drop"):
        read(path)
    assert lists(read(path, empty="keep")[0]) == [["a", "b"], [], ["c"]]
    dropped = read(path, empty="drop")[0]
    assert lists(dropped) == [["a", "b"], ["c"]]
    assert dropped.n_dropped == 1
    assert dropped.row_numbers.tolist() == [1, 3]
    listed = tmp_path / "a.json"
    listed.write_text('["a"]\n[]\n')
    assert lists(read(listed)[0]) == [["a"], []]


def test_several_files_are_one_sample(tmp_path):
    for name, text in (("a.txt", "b\n"), ("b.txt", "a\nb\n")):
        (tmp_path / name).write_text(text)
    (sample,), _ = read_sequences({"data": [str(tmp_path / "*.txt")]}, SequenceOptions())
    assert lists(sample) == [["b"], ["a"], ["b"]]
    assert sample.row_inputs.tolist() == [0, 1, 1]


MANY = "".join(f"{k:x}\n" for k in np.random.default_rng(0).integers(2**60, size=150_000)).encode()
FILES = {
    "latin.txt": (b"a\nb\xe9\n", {}, "line 2 is not UTF-8"),
    "nothing.txt": (b"", {}, "holds no sequence"),
    "zip.txt": (b"PK\x03\x04\0\0", {}, "zip archive"),
    "word.txt": (b"1 2\n3 x\n", {"tokens": "integers"}, "line 2 holds 'x'"),
    "float.txt": (b"1.5\n", {"tokens": "integers"}, "line 1 holds '1.5'"),
    "a.jsonl": (b'["a"]\n["a", null]\n', {}, "line 2 holds the symbol 'None'"),
    "b.jsonl": (b'["a"]\n[true]\n', {}, "line 2 holds the symbol 'True'"),
    "c.jsonl": (b'["a"]\n{"a": 1}\n', {}, "line 2 holds .*accepted: a list"),
    "d.jsonl": (b'["a"\n', {}, "line 1 is not JSON"),
    "e.jsonl": (b"[" * 100_000 + b"\n", {}, "line 1 is not JSON"),
    "f.jsonl": (b'[[1]]\n', {}, "line 1 holds the symbol"),
    "g.csv": (b"v,t,s\na,1,x\na,2,\n", {"id": "v", "order": "t", "symbol": "s"}, "no value in col"),
    "h.csv": (b"v,t,s\na,w,x\na,u,y\n", {"id": "v", "order": "t", "symbol": "s"}, "--order holds"),
    "i.csv": (b"v,t,s\na,1,x\n", {"id": "w", "symbol": "s"}, "'w'"),
    "j.csv": (b"v,t,s\na,1,x\n", {"id": "v", "symbol": "z"}, "z"),
    "k.txt": (b"ab\n", {"column": "x"}, "has no columns"),
    "l.txt": (b"ab\n", {"input_format": "parquet"}, "but the content is not"),
    "m.txt.gz": (gzip.compress(MANY)[:-9000], {}, "m.txt.gz: cannot be read: Truncated"),
    "n.txt.xz": (lzma.compress(MANY)[:-9000], {}, "n.txt.xz: cannot be read: .* end too early"),
    "o.txt.bz2": (bz2.compress(MANY)[:-9000], {}, "o.txt.bz2: cannot be read: .* end too early"),
    "p.txt": (b"ab\n" * 9, {"encoding": "utf-16"}, "p.txt: cannot be read: UTF-16"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_bad_files_are_named_with_the_line(name, tmp_path):
    content, options, words = FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises((DataError, UsageError), match=words) as caught:
        read(tmp_path / name, **options)
    assert name in str(caught.value) or "--" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tokens": "letters"}, "accepted: characters, words, integers"),
        ({"order": "t"}, "--order: .*needs --id"),
        ({"symbol": "t"}, "needs --id"),
        ({"id": "a"}, "--symbol"),
        ({"id": "a", "symbol": "a"}, "different columns"),
        ({"id": "a", "column": "b"}, "give one"),
        ({"id": "a", "input_format": "lines"}, "events are read from"),
        ({"input_format": "csv"}, "needs --id"),
    ],
)
def test_options_that_cannot_be(options, words, tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match=words):
        read(tmp_path / "a.csv", **options)


def test_columns_that_hold_no_sequences(tmp_path):
    path = tmp_path / "a.parquet"
    table = {"x": [1.5], "s": [["a"]], "t": [["b"]], "m": [["a", None]], "f": [[1.5]]}
    pq.write_table(pa.table(table), path)
    for options, words in [
        ({}, "several such columns"),
        ({"column": "u"}, "no column 'u'"),
        ({"column": "x"}, "accepted: lists"),
        ({"column": "f"}, "accepted: lists"),
        ({"column": "m"}, "row 1 holds a missing value"),
    ]:
        with pytest.raises(DataError, match=words):
            read(path, **options)
    pq.write_table(pa.table({"s": [["a"], None]}), path)
    with pytest.raises(DataError, match="row 2 holds no value"):
        read(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=r"a\.parquet"):
        read(path)


@pytest.mark.parametrize(
    "rows", [3, "abc", b"abc", {"a": 1}, [1.5], [["a"], 3], [["a", 1.5]], [None], np.zeros((2, 2))]
)
def test_objects_that_are_no_sequences(rows):
    with pytest.raises(DataError, match="data"):
        taken(rows)


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_texts_stored_as_a_dictionary_are_texts(tmp_path, kind):
    table = pa.table({"s": pa.array(["ab", "b", "ab"]).dictionary_encode(), "n": [1, 2, 3]})
    sample = read_sequences({"d": [written(tmp_path, kind, table)]}, SequenceOptions())[0][0]
    assert sample.sequences.alphabet == ("a", "b")
    assert sample.sequences.offsets.tolist() == [0, 2, 3, 5]


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_columns_of_one_name_are_refused(tmp_path, kind):
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["c"])], names=["s", "s"])
    path = written(tmp_path, kind, table)
    for options in (SequenceOptions(), SequenceOptions(column="s")):
        with pytest.raises(DataError, match="several columns have the same name: 's'"):
            read_sequences({"d": [path]}, options)


def written(folder, kind, table):
    path = str(folder / f"t.{kind}")
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    return path
