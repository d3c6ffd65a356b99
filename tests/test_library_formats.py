"""Files of Excel, ROOT, FITS, HDF5, Stata, SAS, SPSS and databases give the verdict of the CSV."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kstest.cli import run as command
from kstest.errors import DataError, UsageError
from kstest.sources import ReadOptions, formats, read_options, read_samples

LIBRARIES = ("openpyxl", "uproot", "awkward", "astropy", "h5py", "pyreadstat", "duckdb",
             "pyarrow.orc", "pyarrow.json", "xarray", "polars")  # fmt: skip


def frame(seed, rows=60):
    rng = np.random.default_rng(seed)
    words = np.array(["a", "b", "é"])[rng.integers(0, 3, rows)]
    return pd.DataFrame(
        {"x": rng.normal(size=rows).round(6), "n": rng.integers(0, 9, rows), "w": words}
    )


def read(path, **options):
    return read_samples({"r": [str(path)]}, ReadOptions(missing="drop", **options))[0][0]


def excel(table, path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.create_sheet("empty", 0)
    for row in [list(table.columns), *table.astype(object).to_numpy().tolist(), [None]]:
        book["Sheet"].append(row)
    book.save(path)


def root(table, path):
    uproot = pytest.importorskip("uproot")
    with uproot.recreate(path) as file:
        columns = {"x": table["x"].to_numpy(), "n": table["n"].to_numpy()}
        file.mktree("tree", {"x": "f8", "n": "i8"})
        file["tree"].extend(columns)


def rntuple(table, path):
    uproot = pytest.importorskip("uproot")
    with uproot.recreate(path) as file:
        if not hasattr(file, "mkrntuple"):
            pytest.skip("this uproot writes no RNTuple")
        file.mkrntuple("tree", {"x": table["x"].to_numpy(), "n": table["n"].to_numpy()})


def fits(table, path):
    tables = pytest.importorskip("astropy.table")
    tables.Table.from_pandas(table.assign(w=["z"] * len(table))).write(path)


def hdf5(table, path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        group = file.create_group("some").create_group("deep")
        for name in table.columns:
            kind = h5py.string_dtype() if name == "w" else None
            group.create_dataset(name, data=list(table[name]), dtype=kind)


def pandas_table(table, path):
    pytest.importorskip("tables")
    pytest.importorskip("h5py")
    table[["x", "n"]].to_hdf(path, key="t", format="table")


def pandas_fixed(table, path):
    pytest.importorskip("tables")
    pytest.importorskip("h5py")
    table[["x", "n"]].to_hdf(path, key="t", format="fixed")


def stata(table, path):
    table.to_stata(path, write_index=False, version=118)


def old_stata(table, path):
    table[["x", "n"]].to_stata(path, write_index=False, version=114)


def spss(table, path):
    pytest.importorskip("pyreadstat").write_sav(table, path)


def sas(table, path):
    library = pytest.importorskip("pyreadstat")
    library.write_xport(table[["x", "n"]].round(3), path, table_name="t", file_format_version=5)


WRITERS = {
    "a.xlsx": excel, "a.root": root, "rn.root": rntuple, "a.fits": fits, "a.h5": hdf5,
    "t.h5": pandas_table, "f.h5": pandas_fixed, "a.dta": stata, "old.dta": old_stata,
    "a.sav": spss, "a.xpt": sas,
}  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.filterwarnings("ignore")
def test_what_a_library_writes_is_read_as_the_csv(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    answers = []
    for seed in (1, 2):
        table = frame(seed)
        WRITERS[name](table, f"{seed}{name}")
        table = table.round(3) if name == "a.xpt" else table
        table.to_csv(f"{seed}.csv", index=False)
    found, wanted = read(f"1{name}"), read("1.csv")
    for column in ("x", "n"):
        at, there = found.columns.index(column), wanted.columns.index(column)
        tolerance = 1e-14 if name == "a.xpt" else 0
        assert np.allclose(found.values[:, at], wanted.values[:, there], 0, tolerance), column
    if found.levels and name != "a.fits":
        assert found.levels == wanted.levels
        assert np.array_equal(found.codes, wanted.codes)
    for files in ((f"1{name}", f"2{name}"), ("1.csv", "2.csv")):
        arguments = [*files, "--columns", "x,n", "--permutations", "99", "--format", "json"]
        code = command(["mmd", *arguments])
        answer = json.loads(capsys.readouterr().out)
        answers.append((code, answer["p_value"], round(answer["statistic"], 9)))
    assert answers[0] == answers[1]


def test_databases_are_queried_and_only_read(tmp_path, monkeypatch, capsys):
    duckdb = pytest.importorskip("duckdb")
    monkeypatch.chdir(tmp_path)
    for seed in (1, 2):
        rows = frame(seed)
        rows.to_csv(f"{seed}.csv", index=False)
        with duckdb.connect(f"{seed}.db") as base:
            base.execute("create table runs as select * from rows")
    wanted = read("1.csv")
    for query in ("runs", "select * from runs", "with r as (from runs) select * from r;"):
        found = read(f"duckdb:1.db?{query}")
        assert found.values.tobytes() == wanted.values.tobytes()
        assert (found.columns, found.levels) == (wanted.columns, wanted.levels)
    some = read("duckdb:1.db?select x, n + 1 as m from runs where n > 4")
    assert some.values.tolist() == (wanted.values[wanted.values[:, 1] > 4] + [0, 1]).tolist()
    csv = read("duckdb:?select x from '1.csv'")
    assert csv.values.tobytes() == wanted.values[:, :1].tobytes()
    lists = read("duckdb:?select [1.5, x]::double[2] as e from '1.csv'")
    assert lists.columns == ("e[0]", "e[1]")
    arguments = ["duckdb:1.db?runs", "duckdb:2.db?runs", "--permutations", "99", "--format", "json"]
    assert command(["mmd", *arguments]) == 0
    first = json.loads(capsys.readouterr().out)
    assert command(["mmd", "1.csv", "2.csv", *arguments[2:]]) == 0
    assert json.loads(capsys.readouterr().out)["p_value"] == first["p_value"]
    for query, words in [
        ("drop table runs", "no query"),
        ("select y from runs", "the query fails: Binder Error"),
        ("select 1) ; drop table runs; --", "the query fails"),
        ("with d as (delete from runs returning x) select * from d", "the query fails"),
        ("select map([x], [x]) s from runs", "holds maps"),
    ]:
        with pytest.raises((DataError, UsageError), match=words):
            read(f"duckdb:1.db?{query}")
    with pytest.raises(DataError, match="no such file"):
        read("duckdb:none.db?runs")
    (tmp_path / "bad.db").write_bytes(b"DUCK" * 2000)
    with pytest.raises(DataError, match="cannot be opened"):
        read("duckdb:bad.db?runs")
    assert read("1.csv").values.tobytes() == wanted.values.tobytes()


@pytest.fixture
def postgres(tmp_path_factory):
    """The address of a server on loopback, which is there for one test."""
    pytest.importorskip("adbc_driver_postgresql")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders or os.name != "posix":
        pytest.skip("no PostgreSQL server is installed")
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    data = folder / "data"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    who: dict[str, object] = {}
    if os.getuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres")
        who = {"user": "postgres", "group": "postgres", "extra_groups": []}

    def call(name, *arguments):
        command = [str(folders[-1] / name), "-D", str(data), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, **who)

    call("initdb", "-A", "trust", "-U", "postgres")
    call(
        "pg_ctl", "-o", f"-p {port} -h 127.0.0.1 -k {folder}", "-l", f"{folder}/log", "-w", "start"
    )
    yield f"postgresql://postgres:secret@127.0.0.1:{port}/postgres"
    call("pg_ctl", "-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.mark.services
def test_a_server_is_queried_and_only_read(tmp_path, postgres):
    from adbc_driver_postgresql import dbapi

    rows = frame(1)
    rows.to_csv(tmp_path / "1.csv", index=False)
    with dbapi.connect(postgres) as base, base.cursor() as cursor:
        cursor.adbc_ingest("runs", pa.Table.from_pandas(rows, preserve_index=False))
        base.commit()
    wanted = read(tmp_path / "1.csv")
    for query in ("runs", "select x::numeric(12, 6) as x, n, w from runs"):
        found = read(f"{postgres}?{query}")
        assert found.values.tobytes() == wanted.values.tobytes()
        assert (found.columns, found.levels) == (wanted.columns, wanted.levels)
        assert "secret" not in found.inputs[0].path
    with pytest.raises(DataError, match=r"'id', row 1: found 9007199254740993, a whole number"):
        read(f"{postgres}?select 9007199254740993::bigint as id")
    numerics = "select x from (values (12345678901234567.88), (12345678901234567.89)) as t(x)"
    with pytest.raises(DataError, match=r"'x', row 1: found 12345678901234567\.88"):
        read(f"{postgres}?{numerics}")
    found = read(f"{postgres}?values (0.1::numeric), (1.234567), (1e22), ('NaN')")
    assert found.values[:, 0].tolist() == [0.1, 1.234567, 1e22]
    for query in ("none", "with d as (delete from runs returning x) select * from d"):
        with pytest.raises(DataError) as caught:
            read(f"{postgres}?{query}")
        assert "secret" not in str(caught.value)
    assert len(read(f"{postgres}?runs").values) == len(rows)


def test_jagged_branches_are_taken_apart(tmp_path):
    uproot = pytest.importorskip("uproot")
    ak = pytest.importorskip("awkward")
    counts = np.arange(40) % 4
    pt = np.arange(counts.sum()) * 1.5
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mktree("ev", {"x": "f8", "pt": "var * float64", "v": np.dtype(("f8", (2,)))})
        flat = np.arange(40.0)
        jagged = ak.unflatten(pt, counts)
        file["ev"].extend({"x": flat, "pt": jagged, "v": np.c_[flat, -flat]})
        file.mktree("other", {"y": "f8"})
        file["other"].extend({"y": np.arange(3.0)})
    with pytest.raises(DataError, match=r"2 trees: 'ev', 'other'\. Name one, as in .*a\.root:ev"):
        read(tmp_path / "a.root")
    path = f"{tmp_path / 'a.root'}:ev"
    with pytest.raises(DataError, match="--explode pt"):
        read(path)
    assert read(path, exclude="pt,npt").columns == ("x", "v[0]", "v[1]")
    how = read_options(("r",), {"explode": "pt", "columns": "x,pt"})
    sample = read_samples({"r": [path]}, how)[0][0]
    assert sample.values[:, 1].tolist() == pt.tolist()
    assert sample.values[:, 0].tolist() == np.repeat(flat, counts).tolist()
    assert len(sample.group_names) == 30


def test_sheets_are_named_and_cells_typed(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book["Sheet"]
    for row in [[None], [None, "x", "mix", "when", "w"], [None], [None, 1, 2, "2024-01-01", "NA"],
                [None, "#N/A", "b", None, "u"], [None, 2.5, True, None, "u"]]:  # fmt: skip
        sheet.append(row)
    other = book.create_sheet("other")
    other.append(["y"])
    other.append([3])
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match=r"2 sheets with cells: 'Sheet', 'other'.*a\.xlsx:Sheet"):
        read(tmp_path / "a.xlsx")
    assert read(f"{tmp_path / 'a.xlsx'}:other").values.tolist() == [[3]]
    path = f"{tmp_path / 'a.xlsx'}:Sheet"
    assert read(path, columns="x").values.tolist() == [[1], [2.5]]
    assert read(path, columns="mix").levels == (("2", "b", "true"),)
    assert read(path, columns="w").levels == (("u",),)
    sheet["Z9"] = "a remark"
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match=r"'a remark'\. A sheet has to be one table"):
        read(path)


def test_objects_in_hdf5_are_no_data(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.arange(4.0)
        file["c"] = np.ones(4, complex)
        file["m"] = np.arange(8).reshape(4, 2)
        file["short"] = np.arange(3)
    with pytest.raises(DataError, match="complex128"):
        read(tmp_path / "a.h5")
    assert read(f"{tmp_path / 'a.h5'}:m").columns == ("m[0]", "m[1]")
    with pytest.raises(DataError, match="has no 'y'"):
        read(f"{tmp_path / 'a.h5'}:y")


@pytest.mark.parametrize(
    ("head", "library", "extra"),
    [
        (b"root\0\0", "uproot", "root"),
        (b"SIMPLE  = T", "astropy", "astro"),
        (b"\x89HDF\r\n\x1a\n\0", "h5py", "hdf5"),
        (b"PK\x03\x04" + bytes(22) + b"\x13\0\0\0[Content_Types].xml", "openpyxl", "excel"),
    ],
)
def test_without_a_library_the_extra_is_named(tmp_path, monkeypatch, head, library, extra):
    for name in [n for n in sys.modules if n.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    for found in formats.FORMATS:
        monkeypatch.delitem(sys.modules, found.opener.partition(":")[0], raising=False)
    (tmp_path / "a").write_bytes(head)
    with pytest.raises(UsageError, match=rf"needs {library}.*'kstest\[{extra}\]'"):
        read(tmp_path / "a")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(UsageError, match=r"needs duckdb.*'kstest\[sql\]'"):
        read("duckdb:?select 1")


def test_a_run_of_csv_imports_none_of_them(tmp_path):
    frame(1).to_csv(tmp_path / "a.csv", index=False)
    code = (
        "import sys\nfrom kstest.cli import run\n"
        "run(['--help'])\nrun(['mmd', 'a.csv', 'a.csv', '--permutations', '9'])\n"
        f"print(sorted(set({LIBRARIES!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
