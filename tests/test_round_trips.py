"""The same table in every format and compression gives the same digest and the same p-value."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import hashlib
import io
import json
import lzma
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq
import pytest

import kstest
from kstest.cli import run as command
from kstest.sources import ReadOptions, compression, formats, read_samples, samples_from_objects

ROWS = 24
FUZZ = Path(__file__).parents[1] / "benchmarks" / "fuzz_values.py"


def column(kind, values):
    """A column that repeats some values."""
    return pa.array([values[i % len(values)] for i in range(ROWS)], kind)


STAMPS = [dt.datetime(2024, 1, 1, 12, 30, 15, 250_000), dt.datetime(1969, 12, 31, 23, 59, 59), None,
          dt.datetime(2024, 2, 29)]  # fmt: skip
WORDS = ["a", "é", "日本", "x,y", 'q"q', "b c", "ß"]
# One column for everything that a format may hold or not, in the order of their names: some files
# keep no other order.
COLUMNS = {
    "clock": column(pa.time32("s"), [dt.time(1, 2, 3), dt.time(), dt.time(23, 59, 59), None]),
    "day": column(pa.date32(), [dt.date(2024, 1, 1), dt.date(1900, 3, 1), None]),
    "decimal": column(pa.float64(), [0.1, 1 / 3, -2 / 3, 123456.789, -1e30, 1e-30, 2.0]),
    "empty": column(pa.string(), ["a", "", "b", None, "a"]),
    "extreme": column(pa.float64(), [-0.0, 5e-324, -1e-310, 1.7976931348623157e308, 1e23, 0.0]),
    "flag": column(pa.bool_(), [True, False, False]),
    "holes": column(pa.float64(), [1.5, None, float("nan"), -3.0, 2.5]),
    "int8": column(pa.int8(), [-128, 127, 0, 5]),
    "label": column(pa.string(), ["u", "v", "w", "v", "u"]).dictionary_encode(),
    "large": column(pa.int64(), [2**31, -(2**31) - 1, 2**53, -(2**53), 0, 7, 2**40 + 1]),
    "maybe": column(pa.bool_(), [True, None, False, True, True]),
    "plain": column(pa.string(), ["up", "down", "down", "left", "up"]),
    "record": column(
        pa.struct([("a", pa.float64()), ("b", pa.int64())]), [{"a": 1.5, "b": 2}, None, {"b": 3}]
    ),
    "single": column(pa.float32(), [0.1, 1e-45, 3.4e38, -0.0, 1.0]),
    "some": column(pa.int64(), [2**40 + 1, None, 3, 4]),
    "stamp": column(pa.timestamp("us"), STAMPS),
    "unsigned": column(pa.uint64(), [2**53 - 1, 2**32, 0, 1]),
    "vector": column(pa.list_(pa.float64(), 2), [[1.0, 2.0], [3.0, None], None]),
    "word": column(pa.string(), WORDS),
    "word_holes": column(pa.string(), ["é", None, "b", "ß", "b"]),
    "zone": column(pa.timestamp("ms", "Europe/Berlin"), STAMPS[1:]),
}
TEXT = {
    "empty": "an empty cell is a missing one",
    "single": "of single precision as many digits are written as tell its numbers apart",
    "record": "cells are no records",
    "vector": "cells are no lists",
}
NO_MISSING_TEXT = dict.fromkeys(("empty", "label", "word_holes"), "text is never missing")
NO_TIMES = dict.fromkeys(("clock", "day", "stamp", "zone"), "there are no times")
NESTED = dict.fromkeys(("record", "vector"), "columns are single values")
ARRAYS = {**NO_MISSING_TEXT, "clock": "no times of day", "zone": "no zones of time",
          "record": "records are columns there"}  # fmt: skip
OBJECTS = dict.fromkeys(
    ("maybe", "day", "clock", "empty", "label", "plain", "word", "word_holes"),
    "an object of Python",
)
BLANK = {"empty": "an empty text is a missing one"}
LISTS = {"vector": "lists have no fixed length"}


def csv(table, *, delimiter=","):
    out = io.BytesIO()
    pa.csv.write_csv(table, out, pa.csv.WriteOptions(delimiter=delimiter, quoting_style="needed"))
    return out.getvalue()


def zipped(content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("some/t.csv", content)
    return out.getvalue()


def streamed(write):
    def saved(table):
        out = io.BytesIO()
        write(table, out)
        return out.getvalue()

    return saved


def ipc(make):
    def write(table, out):
        with make(out, table.schema) as writer:
            writer.write_table(table, 5)

    return streamed(write)


def records(table):
    def plain(value):
        return value.isoformat() if isinstance(value, dt.date | dt.time) else value

    return [{k: plain(v) for k, v in row.items()} for row in table.to_pylist()]


def lines(table):
    return "".join(json.dumps(row) + "\n" for row in records(table)).encode()


def array(values):
    """What NumPy holds of a column."""
    kind, cells = values.type, values.to_pylist()
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        unit = "D" if pa.types.is_date(kind) else kind.unit
        return np.array([np.datetime64("NaT") if v is None else v for v in cells], f"M8[{unit}]")
    if pa.types.is_fixed_size_list(kind):
        rows = [[None] * kind.list_size if row is None else row for row in cells]
        return np.array([[np.nan if v is None else v for v in row] for row in rows])
    if values.null_count:
        return np.array([np.nan if v is None else v for v in cells], float)
    return np.array(cells, None if pa.types.is_string(kind) else kind.to_pandas_dtype())


def arrays(table):
    return {name: array(table[name].combine_chunks()) for name in table.column_names}


def npy(table, out):
    columns = arrays(table)
    rows = np.empty(len(table), [(n, v.dtype, v.shape[1:]) for n, v in columns.items()])
    for name, values in columns.items():
        rows[name] = values
    np.save(out, rows)


def excel(table, path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [table.column_names, *([*row.values()] for row in table.to_pylist())]:
        book.active.append(row)
    book.save(path)


def root(table, path):
    uproot, ak = pytest.importorskip("uproot"), pytest.importorskip("awkward")
    columns = arrays(table)
    with uproot.recreate(path) as file:
        texts = {n: ak.Array(v.tolist()) for n, v in columns.items() if v.dtype.kind == "U"}
        kinds = {n: np.dtype((v.dtype, v.shape[1:])) for n, v in columns.items() if n not in texts}
        file.mktree("tree", kinds | {n: v.type for n, v in texts.items()})
        file["tree"].extend(columns | texts)


def rntuple(table, path):
    uproot, ak = pytest.importorskip("uproot"), pytest.importorskip("awkward")
    with uproot.recreate(path) as file:
        columns = arrays(table)
        texts = {n: ak.Array(v.tolist()) for n, v in columns.items() if v.dtype.kind == "U"}
        file.mkrntuple("tree", columns | texts)


def fits(table, path):
    tables = pytest.importorskip("astropy.table")
    columns = {}
    for name, values in zip(table.column_names, table.columns, strict=True):
        cells, kind = values.to_pylist(), values.type
        if values.null_count and not pa.types.is_floating(kind) and not pa.types.is_nested(kind):
            filler = "" if pa.types.is_string(kind) else 0
            filled = [filler if v is None else v for v in cells]
            columns[name] = tables.MaskedColumn(filled, mask=[v is None for v in cells])
        else:
            columns[name] = array(values.combine_chunks())
    tables.Table(columns).write(path, format="fits")


def hdf5(table, path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for name, values in arrays(table).items():
            text = values.dtype.kind == "U"
            kind = h5py.string_dtype() if text else None
            file.create_dataset(name, data=values.tolist() if text else values, dtype=kind)


def pandas_hdf5(how):
    def write(table, path):
        pytest.importorskip("tables")
        pytest.importorskip("h5py")
        table.to_pandas().to_hdf(path, key="t", format=how)

    return write


def stata(table, path):
    table.to_pandas().to_stata(path, write_index=False, version=118)


def spss(table, path):
    pytest.importorskip("pyreadstat").write_sav(table.to_pandas(), path)


def transport(table, path):
    library = pytest.importorskip("pyreadstat")
    library.write_xport(table.to_pandas(), path, table_name="t", file_format_version=5)


def dataset(table):
    xarray = pytest.importorskip("xarray")
    places = {n: (("row", "place")[: v.ndim], v) for n, v in arrays(table).items()}
    return xarray.Dataset(places)


def netcdf(table, path):
    pytest.importorskip("h5netcdf")
    dataset(table).to_netcdf(path, engine="h5netcdf")


def zarr(table, path):
    pytest.importorskip("zarr")
    dataset(table).to_zarr(path)


def database(table, path):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(str(path)) as base:
        base.register("given", table)
        base.execute("create table runs as select * from given")


# File name to what writes it, and to the columns that it cannot hold as they are, with the reason.
FILES = {
    "t.csv": (csv, TEXT),
    "pandas.csv": (lambda t: t.to_pandas().to_csv(index=False).encode(), TEXT),
    "semicolon.csv": (lambda t: csv(t, delimiter=";"), TEXT),
    "t.tsv": (lambda t: csv(t, delimiter="\t"), TEXT),
    "t.csv.gz": (lambda t: gzip.compress(csv(t)), TEXT),
    "t.csv.bz2": (lambda t: bz2.compress(csv(t)), TEXT),
    "t.csv.xz": (lambda t: lzma.compress(csv(t)), TEXT),
    "t.csv.zst": (lambda t: pa.compress(csv(t), "zstd", asbytes=True), TEXT),
    "t.zip": (lambda t: zipped(csv(t)), TEXT),
    "t.parquet": (streamed(pq.write_table), {}),
    "old.parquet": (streamed(lambda t, f: pq.write_table(t, f, version="1.0", use_dictionary=[],
                                                         compression="gzip")), {}),
    "pandas.parquet": (streamed(lambda t, f: t.to_pandas().to_parquet(f)), LISTS),
    "t.parquet.xz": (lambda t: lzma.compress(streamed(pq.write_table)(t)), {}),
    "t.arrow": (ipc(pa.ipc.new_file), {}),
    "t.arrows": (ipc(pa.ipc.new_stream), {}),
    "t.arrows.gz": (lambda t: gzip.compress(ipc(pa.ipc.new_stream)(t)), {}),
    "t.feather": (streamed(pa.feather.write_feather), {}),
    "t.orc": (streamed(pa.orc.write_table),
              {**LISTS, "clock": "no times of day", "label": "no dictionaries",
               "unsigned": "integers have signs"}),
    "t.jsonl": (lines, {**LISTS, "clock": "times of day are texts"}),
    "t.json.gz": (lambda t: gzip.compress(json.dumps(records(t), indent=1).encode()),
                  {**LISTS, "clock": "times of day are texts"}),
    "t.npy": (streamed(npy), ARRAYS),
    "t.npz": (streamed(lambda t, f: np.savez(f, **arrays(t))), ARRAYS),
    "t.npz.bz2": (lambda t: bz2.compress(streamed(lambda s, f: np.savez(f, **arrays(s)))(t)),
                  ARRAYS),
    "t.xlsx": (excel, {**NESTED, **BLANK, "zone": "no zones of time",
                       "decimal": "15 to 16 digits", "extreme": "15 to 16 digits",
                       "single": "15 to 16 digits"}),
    "t.root": (root, {**NO_TIMES, **NO_MISSING_TEXT, "record": "not written by uproot"}),
    "ntuple.root": (rntuple, {**NO_TIMES, **NO_MISSING_TEXT, "record": "not written by uproot",
                              "vector": "not written by uproot"}),
    "t.fits": (fits, {**NO_TIMES, **BLANK, "word": "ASCII only", "word_holes": "ASCII only",
                      "label": "no dictionaries", "int8": "bytes have no sign",
                      "record": "columns are no records"}),
    "t.h5": (hdf5, {**NO_TIMES, **NO_MISSING_TEXT, "record": "records are columns there"}),
    "table.h5": (pandas_hdf5("table"), {**NESTED, "maybe": "an object of Python",
                                        "day": "an object of Python",
                                        "clock": "an object of Python"}),
    "fixed.h5": (pandas_hdf5("fixed"), {**NESTED, **OBJECTS}),
    "t.dta": (stata, {**NESTED, **BLANK, "maybe": "an object of Python",
                      "day": "an object of Python", "clock": "an object of Python",
                      "zone": "no zones of time", "extreme": "at most 8.9e307",
                      "single": "at most 1.7e38", "unsigned": "not written by pandas"}),
    "t.sav": (spss, {**NESTED, **BLANK, "zone": "not written by pyreadstat",
                     "extreme": "the largest number is a missing one"}),
    "t.xpt": (transport, {**NESTED, **BLANK, "zone": "not written by pyreadstat",
                          "word_holes": "names of eight letters",
                          "extreme": "numbers of another base", "single": "numbers of another base",
                          "clock": "seconds"}),
    "t.nc": (netcdf, {**ARRAYS, "flag": "truth values are numbers"}),
    "t.zarr": (zarr, ARRAYS),
    "t.db": (database, {}),
}  # fmt: skip


def digest(sample):
    """Everything that a test gets to see of a table."""
    parts = (sample.columns, sample.categorical, sample.levels, dict(sample.kinds),
             dict(sample.n_missing), sample.codes.tolist(),
             None if sample.missing is None else sample.missing.tolist())  # fmt: skip
    return hashlib.sha256(sample.values.tobytes() + repr(parts).encode()).hexdigest()


def table_without(lacks, rows=ROWS):
    every = pa.table(COLUMNS)
    return every.select([n for n in every.column_names if n not in lacks]).slice(0, rows)


def read(address):
    return read_samples({"r": [address]}, ReadOptions(missing="indicator"))[0][0]


def written(name, table, path):
    """Write a file and return how it is called in a command."""
    write = FILES[name][0]
    if write.__code__.co_argcount == 1:
        path.write_bytes(write(table))
    else:
        write(table, path)
    return f"duckdb:{path}?runs" if name == "t.db" else str(path)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore")
def test_every_format_gives_the_digest_of_the_table(tmp_path, name):
    table = table_without(FILES[name][1])
    found = read(written(name, table, tmp_path / name))
    wanted = samples_from_objects({"r": table}, ReadOptions(missing="indicator"))[0][0]
    assert found.columns == wanted.columns
    assert (found.categorical, found.levels) == (wanted.categorical, wanted.levels)
    for j, column_name in enumerate(found.columns):
        assert found.values[:, j].tobytes() == wanted.values[:, j].tobytes(), column_name
    assert digest(found) == digest(wanted)


def test_every_format_and_compression_is_among_them():
    endings = tuple(FILES)
    for each in formats.FORMATS:
        if each.name not in ("baseline", "stata", "sas"):
            assert any(name.endswith(each.extensions) for name in endings), each.name
    for codec in compression.CODECS:
        assert any(name.endswith(codec.extension) for name in endings), codec.name


@pytest.mark.filterwarnings("ignore")
def test_every_format_gives_the_p_value_of_the_table(tmp_path, monkeypatch, capsys):
    """Of columns that all of them hold; not of formats that take a process to read."""
    monkeypatch.chdir(tmp_path)
    names = ("flag", "holes", "large", "plain", "some")
    rng = np.random.default_rng(8)
    tables = []
    for shift in (0.0, 0.4):
        order = rng.integers(0, ROWS, 40)
        values = pa.table(COLUMNS).select(names).take(order)
        noise = pa.array((rng.normal(size=40) + shift).round(6))
        tables.append(values.set_column(1, "holes", noise))
    how = {"permutations": 99, "missing": "indicator", "seed": 3}
    wanted = kstest.mmd(*tables, **how)
    alone = ("t.root", "ntuple.root", "t.fits", "t.h5", "table.h5", "fixed.h5", "t.sav", "t.nc")
    for name in FILES:
        if name in alone or name == "t.zarr":
            continue
        paths = [written(name, t, tmp_path / f"{k}{name}") for k, t in enumerate(tables)]
        options = [f"--{key}={value}" for key, value in how.items()]
        command(["mmd", *paths, *options, "--format", "json"])
        answer = json.loads(capsys.readouterr().out)
        assert (answer["p_value"], answer["statistic"]) == (wanted.p_value, wanted.statistic), name


def test_objects_give_the_digest_of_the_table():
    table = pa.table(COLUMNS)
    polars = pytest.importorskip("polars")
    wanted = digest(samples_from_objects({"r": table}, ReadOptions(missing="indicator"))[0][0])
    flat = table_without(LISTS)
    kept = digest(samples_from_objects({"r": flat}, ReadOptions(missing="indicator"))[0][0])
    for given, expected in (
        (table.to_reader(5), wanted),
        (polars.from_arrow(table), wanted),
        (table.to_pandas(types_mapper=pd.ArrowDtype), wanted),
        (flat.to_pandas(), kept),
    ):
        sample = samples_from_objects({"r": given}, ReadOptions(missing="indicator"))[0][0]
        assert digest(sample) == expected, type(given)


@pytest.mark.filterwarnings("ignore")
def test_arrays_side_by_side_keep_the_order_that_their_file_has(tmp_path):
    h5py = pytest.importorskip("h5py")
    values = np.arange(3.0)
    for tracked, order in ((False, ("a", "z")), (True, ("z", "a"))):
        with h5py.File(tmp_path / "t.h5", "w", track_order=tracked) as file:
            file["z"], file["a"] = values, values
        assert read(str(tmp_path / "t.h5")).columns == order
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("zarr")
    for names in ("za", "az"):
        shutil.rmtree(tmp_path / "t.zarr", ignore_errors=True)
        xarray.Dataset(dict.fromkeys(names, ("row", values))).to_zarr(tmp_path / "t.zarr")
        assert read(str(tmp_path / "t.zarr")).columns == ("a", "z")


def test_what_pandas_keeps_in_hdf5(tmp_path):
    pytest.importorskip("tables")
    path = tmp_path / "t.h5"
    frame = pd.DataFrame({"z": [1.5, 2.5, 3.5], "a": [1, 2, 3]})
    for how in ("table", "fixed"):
        frame.to_hdf(path, key="t", format=how, mode="w")
        assert read(str(path)).columns == ("z", "a")
        frame["z"].to_hdf(path, key="t", format=how, mode="w")
        found = read(str(path))
        assert (found.columns, found.values.tolist()) == (("z",), [[1.5], [2.5], [3.5]])
        pd.DataFrame(frame.to_numpy()).to_hdf(path, key="t", format=how, mode="w")
        assert read(str(path)).columns == ("0", "1")
    labels = pd.DataFrame({"c": pd.Categorical([0.5, None, 0.5]), "w": ["nan", "b", None]})
    labels.to_hdf(path, key="t", format="table", mode="w", nan_rep="-")
    found = read(str(path))
    assert found.levels == (("0.5",), ("b", "nan"))
    assert found.codes.tolist() == [[0, 1], [-1, 0], [0, -1]]


@pytest.mark.slow
def test_a_thousand_damaged_files_are_refused_or_keep_what_a_checksum_covers():
    """Some of each format; see `benchmarks/fuzz_values.py`."""
    words = [sys.executable, str(FUZZ), "--count", "1000", "--seed", "7"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "1000 cases ended, 0 faults" in done.stdout
