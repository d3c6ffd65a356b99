"""JSON, ORC, NumPy, compressed files and lists: the rows of the CSV, or a message."""

from __future__ import annotations

import bz2
import io
import json
import lzma
import pickle
import random
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq
import pytest

import kstest
from kstest.cli import run as command
from kstest.errors import DataError, UsageError
from kstest.sources import ReadOptions, read_options, read_samples, records

COLUMNS = {
    "x": [1.5, None, 3.0, -4.25, 1e300],
    "n": [1, 2, 3, 4, 5],
    "w": ["a", "b", "é", "b", "a"],
}
CSV = "x,n,w\n1.5,1,a\n,2,b\n3.0,3,é\n-4.25,4,b\n1e300,5,a\n"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command in a folder of its own; return exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = command([str(a) for a in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def rows():
    return [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]


def zipped(name, content, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(zipfile.ZipInfo(name), content, method)  # without the time of day
    return out.getvalue()


def saved(write, *what, **named):
    out = io.BytesIO()
    write(out, *what, **named)
    return out.getvalue()


def structured(order="<"):
    kinds = [("x", f"{order}f8"), ("n", f"{order}i4"), ("w", f"{order}U2")]
    some = [(np.nan if r["x"] is None else r["x"], r["n"], r["w"]) for r in rows()]
    return np.array(some, dtype=kinds)


def written(table, write):
    out = io.BytesIO()
    write(table, out)
    return out.getvalue()


def every():
    """Name to content of the same table in every format."""
    table = pa.table(COLUMNS)
    lines = "".join(json.dumps(r) + "\n" for r in rows())
    plain = CSV.encode()
    arrays = structured()
    return {
        "t.csv.bz2": bz2.compress(plain[:20]) + bz2.compress(plain[20:]),
        "t.csv.xz": lzma.compress(plain[:9]) + lzma.compress(plain[9:]) + b"\0" * 8,
        "t.zip": zipped("some/t.csv", plain),
        "t.csv.zip": zipped("t.csv", plain, zipfile.ZIP_BZIP2),
        "t.orc": written(table, pa.orc.write_table),
        "t.feather": written(table, pa.feather.write_feather),
        "zstd.feather": written(table, lambda t, f: pa.feather.write_feather(t, f, "zstd")),
        "t.parquet.xz": lzma.compress(written(table, pq.write_table)),
        "t.jsonl": lines.encode(),
        "bom.ndjson": b"\xef\xbb\xbf\n" + lines.replace("\n", "\r\n\r\n").encode(),
        "t.json": json.dumps(rows(), ensure_ascii=False).encode(),
        "pretty.json": json.dumps(rows(), indent=2).encode(),
        "many.json": "\n".join(json.dumps(r, indent=1) for r in rows()).encode(),
        "absent.jsonl": lines.replace('"x": null, ', "").encode(),
        "t.npy": saved(np.save, arrays),
        "t.npy.bz2": bz2.compress(saved(np.save, structured(">"))),
        "t.npz": saved(np.savez_compressed, x=arrays["x"], n=arrays["n"], w=arrays["w"]),
        "one.npz": saved(np.savez, arrays),
    }


def read(path, **options):
    return read_samples({"r": [str(path)]}, ReadOptions(missing="drop", **options))[0][0]


@pytest.mark.parametrize("small", [False, True])
def test_every_format_gives_the_table_of_the_csv(tmp_path, monkeypatch, small):
    if small:
        monkeypatch.setattr(records, "BLOCK_BYTES", 7)
    (tmp_path / "t.csv").write_text(CSV)
    expected = read(tmp_path / "t.csv")
    for name, content in every().items():
        (tmp_path / name).write_bytes(content)
        found = read(tmp_path / name)
        assert found.values.tobytes() == expected.values.tobytes(), name
        assert (found.columns, found.levels) == (expected.columns, expected.levels), name
        assert np.array_equal(found.codes, expected.codes), name
        assert len(found.inputs[0].sha256) == 64


def test_every_format_gives_the_p_value_of_the_csv(run, tmp_path):
    rng = np.random.default_rng(1)
    for name in "ab":
        x, n = rng.normal(size=60).round(6).tolist(), rng.integers(0, 9, 60).tolist()
        pairs = list(zip(x, n, strict=True))
        text = "x,n\n" + "".join(f"{a},{b}\n" for a, b in pairs)
        (tmp_path / f"{name}.csv").write_text(text)
        (tmp_path / f"{name}.zip").write_bytes(zipped("t.csv", text))
        lines = "".join(json.dumps({"x": a, "n": b}) + "\n" for a, b in pairs)
        (tmp_path / f"{name}.jsonl").write_text(lines)
        (tmp_path / f"{name}.npz").write_bytes(saved(np.savez, x=x, n=n))
        named = np.array(pairs, [("x", "f8"), ("n", "f4")])
        (tmp_path / f"{name}.npy").write_bytes(saved(np.save, named))
        pa.orc.write_table(pa.table({"x": x, "n": n}), tmp_path / f"{name}.orc")
    wanted = None
    for ending in ("csv", "zip", "jsonl", "npz", "npy", "orc"):
        files = (f"a.{ending}", f"b.{ending}")
        code, out, _ = run("mmd", *files, "--permutations", 199, "--format", "json")
        found = json.loads(out)
        wanted = wanted or (code, found["p_value"], found["statistic"])
        assert (code, found["p_value"], found["statistic"]) == wanted, ending


def test_arrays_have_the_columns_of_python_arrays(tmp_path):
    values = np.arange(12.0).reshape(4, 3)
    at = np.array(["2024-01-01", "NaT", "1969-12-31", "2024-01-02"], "M8[h]")
    for array in (values, np.asfortranarray(values), values.astype(">f4"), values.astype("f2")):
        np.save(tmp_path / "a.npy", array)
        sample = read(tmp_path / "a.npy")
        assert (sample.columns, sample.values.tolist()) == (("1", "2", "3"), values.tolist())
        np.savez(tmp_path / "one.npz", e=array)
        assert read(tmp_path / "one.npz").values.tolist() == values.tolist()
        np.savez(tmp_path / "a.npz", e=array, t=values[:, 0], other=np.zeros(9), version=1)
        assert read(f"{tmp_path / 'a.npz'}:e").values.tolist() == values.tolist()
        assert read(f"{tmp_path / 'a.npz'}:t").columns == ("t",)
        with pytest.raises(DataError, match=r"different lengths: e \(4, 3\), t \(4,\).*a\.npz:e"):
            read(tmp_path / "a.npz")
        np.savez(tmp_path / "b.npz", e=array, t=values[:, 0], version=1)
        assert read(tmp_path / "b.npz").columns == ("e[0]", "e[1]", "e[2]", "t")
        assert read(tmp_path / "b.npz", columns="e").columns == ("e[0]", "e[1]", "e[2]")
        assert read(tmp_path / "b.npz", exclude="e").columns == ("t",)
    np.savez(tmp_path / "t.npz", at=at, yes=np.array([True, False, True, True]))
    sample = read(tmp_path / "t.npz")
    assert sample.values.tolist() == [[1704067200, 1], [-86400, 1], [1704153600, 1]]
    np.save(tmp_path / "s.npy", np.ones(2, [("v", "f4", (2,)), ("k", "S3")]))
    assert read(tmp_path / "s.npy").columns == ("v[0]", "v[1]")


class Trap:
    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


def test_nothing_is_unpickled(tmp_path):
    trap = np.array([Trap()], object)
    np.save(tmp_path / "a.npy", trap, allow_pickle=True)
    np.savez(tmp_path / "a.npz", a=trap)
    (tmp_path / "b.npy").write_bytes(b"\x93NUMPY" + pickle.dumps([1]))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match="Python objects, as a pickle, which is never loaded"):
            read(tmp_path / name)
    with pytest.raises(DataError, match="version"):
        read(tmp_path / "b.npy")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.npy", saved(np.save, np.ones((2, 2, 2))), "3 dimensions"),
        ("a.npy", saved(np.save, np.ones(3, complex)), "complex128"),
        ("a.npy", saved(np.save, np.ones((1, 10**6), "i1")), "at most 100,000"),
        ("a.npy", saved(np.save, np.ones(4))[:-3], "is damaged"),
        ("a.npy", saved(np.save, np.ones(4)) + b"\0", "is damaged"),
        ("a.npy", saved(np.save, np.ones(9)).replace(b"(9,)", b"(9**99,)"), "cannot be read"),
        ("a.npz", saved(np.savez, a=1.0), "0 dimensions"),
        ("a.zip", zipped("x.csv", b"")[:40], "damaged zip archive"),
        ("a.zip", zipped("x.csv", b"x\n1\n", zipfile.ZIP_LZMA), "packed in an unusual way"),
        ("a.csv.bz2", bz2.compress(b"x\n" + b"1\n" * 99)[:-5], "cannot be read"),
        ("a.csv.bz2", bz2.compress(b"x\n1\n") + b"rest", "cannot be read"),
        ("a.csv.xz", lzma.compress(b"x\n1\n")[:-5], "cannot be read"),
        ("a.csv.xz", lzma.compress(b"x\n1\n") + b"rest", "cannot be read"),
        ("a.jsonl", b'{"x": 1}\n{"x": "a"}\n', "changed from number to string"),
        ("a.jsonl", b'{"x": 1}\n{"x": 2', "cannot be read"),
        ("a.jsonl", b'{"x": 1, "x": 2}\n', "twice"),
        ("a.json", b'[{"x": 1}, {"x": 2}', "after 2 records: the list does not end"),
        ("a.json", b'[{"x": 1}, 5]', "after 1 records: found '5]'"),
        ("a.json", b'[{"x": 1}] {"x": 2}', "found '{"),
        ("a.json", b'[{"x": 1}, {"x": }]', "after 1 records: Expecting value"),
        ("a.csv:b", b"x\n1\n", "no such file"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, name, content, words):
    (tmp_path / name.partition(":")[0]).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(tmp_path / name)
    assert words in str(caught.value)


def test_text_that_begins_like_a_format_is_text(tmp_path):
    for head in ("ORC", "BZh9", "root"):
        (tmp_path / "t.csv").write_text(f"{head},x\n1,2\n3,4\n")
        assert read(tmp_path / "t.csv").columns == (head, "x")


def test_archives_of_several_files_take_a_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("__MACOSX/a.csv", b"\0")
        archive.writestr("a.csv", "x\n1\n2\n")
        archive.writestr("b.csv", "x\n3\n4\n")
    assert read(f"{tmp_path / 't.zip'}:b.csv").values[:, 0].tolist() == [3, 4]
    with pytest.raises(DataError, match=r"2 files: 'a\.csv', 'b\.csv'.*t\.zip:a\.csv"):
        read(tmp_path / "t.zip")
    with pytest.raises(DataError, match=r"without 'c\.csv'"):
        read(f"{tmp_path / 't.zip'}:c.csv")


def test_types_of_json_are_found_in_all_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "BLOCK_BYTES", 8)
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n{"x": null}\n{"x": 1.5, "y": true}\n{"x": 2}\n')
    sample = read(tmp_path / "a.jsonl", columns="x")
    assert sample.values[:, 0].tolist() == [1, 1.5, 2]
    (tmp_path / "b.jsonl").write_text('{"x": 1}\n{"x": "a"}\n')
    with pytest.raises(DataError, match="int64 in some records and string in others"):
        read(tmp_path / "b.jsonl")
    (tmp_path / "c.jsonl").write_text('{"x": "2024-01-01"}\n{"x": "soon"}\n{"x": "soon"}\n')
    assert read(tmp_path / "c.jsonl").levels == (("2024-01-01", "soon"),)


def test_places_of_lists_of_fixed_length_are_columns(tmp_path):
    inner = pa.array([[1.0, 2.0], [3.0, None], None, [5.0, 6.0]], pa.list_(pa.float64(), 2))
    deep = pa.FixedSizeListArray.from_arrays(pa.array(range(16)), 2)
    deep = pa.FixedSizeListArray.from_arrays(deep, 2)
    table = pa.table({"e": inner, "d": deep, "x": [1, 2, 3, 4]})
    pq.write_table(table, tmp_path / "t.parquet")
    pa.feather.write_feather(table, tmp_path / "t.feather", chunksize=3)
    for name in ("t.parquet", "t.feather"):
        sample = read(tmp_path / name, columns="e,x")
        assert sample.columns == ("e[0]", "e[1]", "x")
        assert sample.values.tolist() == [[1, 2, 1], [5, 6, 4]]
        sample = read(tmp_path / name, exclude="e,x")
        assert sample.columns == ("d[0][0]", "d[0][1]", "d[1][0]", "d[1][1]")
        assert sample.values.tolist() == np.arange(16).reshape(4, 4).tolist()


def jagged(seed, events=60, shift=0.0):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, events)
    pt = [(rng.normal(size=k) + shift).tolist() for k in counts]
    eta = [rng.normal(size=k).tolist() for k in counts]
    return pa.table({"pt": pt, "eta": eta, "n": rng.normal(size=events), "tag": [[1]] * events})


def test_lists_are_taken_apart_and_stay_together(tmp_path, run):
    for name, seed in (("a", 1), ("b", 2)):
        pq.write_table(jagged(seed), tmp_path / f"{name}.parquet")
    code, _, err = run("mmd", "a.parquet", "b.parquet")
    assert (code, "--explode pt,eta,tag" in err, "--pivot file_row" in err) == (2, True, True)
    table = jagged(1)
    given = {"explode": "pt,eta", "exclude": "tag"}
    sample = read_samples({"r": [str(tmp_path / "a.parquet")]}, read_options(("r",), given))[0][0]
    assert sample.columns == ("pt", "eta", "n")
    assert sample.values[:, 0].tolist() == [x for some in table["pt"].to_pylist() for x in some]
    lengths = [len(some) for some in table["pt"].to_pylist()]
    numbers = table["n"].to_numpy()
    assert sample.values[:, 2].tolist() == np.repeat(numbers, lengths).tolist()
    assert sorted(np.bincount(sample.groups)) == sorted(k for k in lengths if k)
    assert len(set(sample.groups[: lengths[0]])) == 1
    args = ("--explode", "pt,eta", "--exclude", "tag", "--permutations", 199, "--format", "json")
    code, out, _ = run("mmd", "a.parquet", "b.parquet", *args)
    found = json.loads(out)
    same = kstest.mmd(jagged(1), jagged(2), explode="pt,eta", exclude="tag", permutations=199)
    assert (code, found["p_value"]) == (0, same.p_value)
    assert found["null"]["scheme"] == "permutation of groups"
    assert run("mmd", "a.parquet", "b.parquet", "--explode", "pt,tag")[0] == 2
    assert "equally long" in run("mmd", "a.parquet", "b.parquet", "--explode", "pt,tag")[2]
    assert "columns of lists" in run("mmd", "a.parquet", "b.parquet", "--explode", "n")[2]


def test_python_functions_of_rows_take_no_lists_apart():
    with pytest.raises(UsageError, match="group"):
        kstest.ksd(jagged(1), target="normal", explode="pt,eta", columns="pt")


def test_damaged_files_are_refused_or_read(tmp_path):
    """Random bytes in random places: an error, or rows; of formats with checksums, the rows."""
    rnd = random.Random(5)
    (tmp_path / "t.csv").write_text(CSV)
    expected = read(tmp_path / "t.csv").values.tobytes()
    for name, content in every().items():
        for _ in range(12):
            damaged = bytearray(content)
            for _ in range(rnd.choice([1, 1, 3])):
                damaged[rnd.randrange(len(damaged))] = rnd.randrange(256)
            if rnd.random() < 0.2:
                del damaged[rnd.randrange(len(damaged)) :]
            (tmp_path / name).write_bytes(damaged)
            try:
                found = read(tmp_path / name).values.tobytes()
            except (DataError, UsageError):
                continue
            checked = name.endswith((".bz2", ".xz", ".zip", ".npz"))
            assert found == expected or not checked, name
