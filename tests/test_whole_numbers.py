"""Whole numbers beyond 2^53, of which float64 makes equal ones, are refused as numbers."""

import json
from decimal import Context, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kstest
from kstest.errors import DataError
from kstest.sources import ReadOptions, read_samples, samples_from_objects

ODD = 2**53 + 1
ROWS = 40


def taken(value, **options):
    """The first sample, of a file or an object, and the codes of what is said of it."""
    read = ReadOptions(**options)
    if isinstance(value, str):
        (sample, _), notices = read_samples({"reference": [value], "sample": [value]}, read)
    else:
        (sample, _), notices = samples_from_objects({"reference": value, "sample": value}, read)
    return sample, notices


def refused(value, **options):
    with pytest.raises(DataError) as caught:
        taken(value, **options)
    text = str(caught.value)
    assert "row 3: found" in text
    assert "beyond 2^53" in text
    assert "categorical" in text
    return text


def column(kind, cell, rest=1):
    return pa.table({"id": pa.array([rest] * 2 + [cell] + [rest] * (ROWS - 3), kind)})


ARROW = [
    (pa.int64(), ODD),
    (pa.int64(), -ODD),
    (pa.int64(), -(2**63) + 1),
    (pa.uint64(), 2**64 - 1),
    (pa.uint64(), 2**63 + 1),
    (pa.decimal128(38, 0), Decimal(10**30 + 1)),
    (pa.decimal128(20, 2), Decimal(f"{ODD}.00")),
    (pa.int64(), 1_700_000_000_123_456_789),  # nanoseconds
]


@pytest.mark.parametrize(("kind", "cell"), ARROW)
def test_arrow_and_parquet(kind, cell, tmp_path):
    table = column(kind, cell, 1 if not pa.types.is_decimal(kind) else Decimal(1))
    path = str(tmp_path / "a.parquet")
    pq.write_table(table, path)
    for value in (table, path):
        assert "column 'id'" in refused(value)


@pytest.mark.parametrize("cell", [ODD, -ODD, 2**63 + 1, 2**64 - 1, 10**25 + 1])
def test_text(cell, tmp_path):
    path = tmp_path / "a.csv"
    lines = [f"{k},{cell if k == 2 else k}" for k in range(ROWS)]
    path.write_text("\n".join(["x,id", *lines, ""]))
    assert f"found {cell}," in refused(str(path))
    if abs(cell) < 2**63:
        path = tmp_path / "a.jsonl"
        path.write_text("".join(json.dumps({"id": cell if k == 2 else k}) + "\n" for k in range(9)))
        assert f"found {cell}," in refused(str(path))


def test_far_into_a_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id\n" + "123456\n" * 200_000 + f"{ODD}\n")
    with pytest.raises(DataError, match=r"row 200,001: found about 900719925474099\d, a whole"):
        taken(str(path))


@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_objects(kind):
    import pandas as pd

    values = np.ones(ROWS, kind)
    values[2] = ODD
    refused(values)
    refused(values[:, None] * np.ones(2, kind))
    refused(pd.DataFrame({"id": values}))


def test_what_is_held_exactly_is_compared(tmp_path):
    whole = np.arange(ROWS) * 2**55
    assert taken(whole)[0].values[:, 0].tolist() == [float(v) for v in whole]
    path = tmp_path / "a.csv"
    path.write_text("x\n" + "".join(f"{k * 2**55}\n" for k in range(ROWS)))
    assert taken(str(path))[0].n
    path.write_text("x\n" + "".join(f"{k}.5e17\n" for k in range(ROWS)))
    assert taken(str(path))[0].n


def test_what_is_not_compared_is_not_refused(tmp_path):
    path = tmp_path / "a.csv"
    lines = [f"{k % 7},{ODD + k % 2}" for k in range(ROWS)]
    path.write_text("\n".join(["x,id", *lines, ""]))
    assert taken(str(path), exclude="id")[0].n
    found = taken(str(path), categorical="id")[0]
    assert found.levels == ((str(ODD), str(ODD + 1)),)
    # Rows that --where leaves out are not looked at.
    lines = [f"{k % 7},{ODD if k == 2 else k}" for k in range(ROWS)]
    path.write_text("\n".join(["x,id", *lines, ""]))
    assert taken(str(path), where="id < 100")[0].n
    table = column(pa.int64(), ODD)
    assert taken(table, where="id < 100")[0].n == ROWS - 1


def test_ids_as_categories_stay_two():
    a = pa.table({"id": pa.array([ODD, ODD - 1] * 50)})
    b = pa.table({"id": pa.array([ODD] * 100)})
    assert kstest.mmd(a, b, categorical="id").verdict == "rejected"


def test_a_bad_cell_after_long_numbers_is_named(tmp_path):
    path = tmp_path / "a.csv"
    lines = [str(ODD), "7", "x7"] + ["5"] * ROWS
    path.write_text("\n".join(["id", *lines, ""]))
    with pytest.raises(DataError, match=r"column 'id', row 3: found 'x7'"):
        taken(str(path), where="id < 100")


LONG = ["12345678901234567.88", "12345678901234567.89"]
EQUAL = ["1234567890.1234567891", "1234567890.1234567892"]


@pytest.mark.parametrize(("cells", "row"), [(LONG, 1), (LONG[:1] * 2, 1), (EQUAL, 2)])
def test_decimals_that_become_equal(cells, row, tmp_path):
    """Refused as whole numbers are, whatever holds them."""
    table = pa.table({"v": pa.array([Decimal(cell) for cell in cells])})
    values = [table, table.to_pandas()]
    for name in ("a.parquet", "a.csv", "b.csv", "c.csv"):
        values.append(str(tmp_path / name))
    pq.write_table(table, values[-4])
    for path, sign in zip(values[-3:], (".", ",", ","), strict=True):
        lines = [cell.replace(".", sign) for cell in cells]
        with open(path, "w") as file:
            file.write("\n".join(["v;w", *(f"{line};1" for line in lines), ""]))
    if cells[0] in LONG:  # others are doubles for the parser of JSON
        values.append(str(tmp_path / "a.jsonl"))
        with open(values[-1], "w") as file:
            file.write("".join(f'{{"v": {cell}}}\n' for cell in cells))
    for value in values:
        how = {"decimal": ","} if str(value).endswith(("b.csv", "c.csv")) else {}
        with pytest.raises(DataError, match=rf"column 'v', row {row:,}: found 12345678\d+.*equal"):
            taken(value, **how)
        assert taken(value, categorical="v", **how)[0].levels


def test_a_decimal_is_the_number_of_its_text(tmp_path):
    """Not one that is off by a last digit, so that other formats give the same."""
    rng = np.random.default_rng(0)
    for digits, scale in ((9, 6), (15, 6), (15, 14), (38, 30)):
        whole = [int("".join(map(str, rng.integers(0, 10, digits)))) for _ in range(200)]
        cells = [Decimal(k).scaleb(-scale, Context(60)) for k in whole]
        found = taken(pa.table({"v": pa.array(cells, pa.decimal128(digits, scale))}))[0]
        assert found.values[:, 0].tolist() == [float(str(cell)) for cell in cells]


def test_integers_of_any_length():
    import pandas as pd

    ids = pd.DataFrame({"id": pd.Series([2**70, 2**70, 2**70 + 1] * 4, dtype=object)})
    assert f"found {2**70 + 1}," in refused(ids)
    long_double = np.array([1, 1, np.longdouble(2) ** 53 + 1], np.longdouble)
    if np.finfo(np.longdouble).nmant > 52:
        with pytest.raises(DataError, match=r"row 3: found 9007199254740993\.0"):
            taken(long_double)
    assert taken(long_double[:2])[0].n == 2


def test_integers_of_json_that_fit_no_type(tmp_path):
    path = tmp_path / "a.jsonl"
    cells = [1, 2.5, 12345678901234567891, "1e300"]
    path.write_text("".join(f'{{"id": {cell}}}\n' for cell in cells[:3]))
    refused(str(path))
    path.write_text("".join(f'{{"id": {cell}}}\n' for cell in cells[:2] + cells[3:]))
    assert taken(str(path))[0].values[:, 0].tolist() == [1, 2.5, 1e300]


def test_grouped_numbers_beyond_the_exact(tmp_path):
    path = tmp_path / "a.csv"
    cells = ["1,000", "2,000", "9,007,199,254,740,993", "4,000"]
    path.write_text("\n".join(["id;x", *(f"{cell};1" for cell in cells), ""]))
    with pytest.raises(DataError, match=r"row 3: found 9,007,199,254,740,993, a whole"):
        taken(str(path), thousands=",", decimal=".")


@pytest.mark.parametrize("kind", ["array", "table"])
def test_nanoseconds_are_rounded_with_a_note(kind):
    times = np.array([1_700_000_000_000_001_000, 1_700_000_000_123_456_789], "M8[ns]")
    whole = times.astype("M8[us]").astype("M8[ns]")
    for values, codes in ((times, ["rounded"]), (whole, [])):
        value = values if kind == "array" else pa.table({"1": values})
        notes = [w for w in taken(value)[1] if w.code == "rounded"]
        assert [w.code for w in notes] == codes
        assert all("1, row 2: 1700000000.123456789 s" in w.message for w in notes)


def test_long_fractions_are_measurements():
    cells = [Decimal(f"0.1234567890123{k:02d}456") for k in range(ROWS)]
    table = pa.table({"v": pa.array(cells, pa.decimal128(30, 18))})
    notes = [w for w in taken(table)[1] if w.code == "rounded"]
    assert "v, row 1: 0.123456789012300456" in notes[0].message
    short = pa.table({"v": pa.array([Decimal(f"0.5{k:02d}") for k in range(ROWS)])})
    assert not [w for w in taken(short)[1] if w.code == "rounded"]


def test_hexadecimal_text_is_no_number(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id\n" + "".join(f"0x2{k:015x}\n" for k in range(ROWS)))
    with pytest.raises(DataError, match="id"):
        taken(str(path))


LONGER = np.finfo(np.longdouble).nmant > 52
TENTH = np.longdouble(1) / 10
CASES = {
    "exact": ([1.5, 2.0**60, -0.0], ""),
    "measured": ([1, TENTH, 3], "rounded"),
    "missing": ([1, np.nan, np.inf], "missing"),
    "tiny": ([1, np.longdouble("1e-4000"), 3], "rounded"),
    "whole": ([1, np.longdouble(2) ** 63 + 1, 3], r"row 2: found 9.2.*beyond 2\^53"),
    "vast": ([1, np.longdouble("-1e4000"), 3], r"row 2: found -1e\+4000, which is beyond the larg"),
    "equal": ([1 + np.longdouble(2) ** -60, 1, 2], "row 1: found 1.0.*more digits than"),
    "tinies": ([1, np.longdouble("1e-4000"), np.longdouble("2e-4000")], "row 3: found 2e-4000, wh"),
}


@pytest.mark.skipif(not LONGER, reason="long doubles are doubles here")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("form", ["array", "npy", "swapped", "fortran", "record", "npz", "h5"])
def test_long_doubles_follow_the_rule_of_decimals(case, form, tmp_path):
    cells, said = CASES[case]
    if form == "h5" and case not in ("measured", "whole"):
        return  # enough of what runs another process
    column, path = np.array(cells, np.longdouble), str(tmp_path / f"a.{form}")
    values = np.column_stack([np.arange(3), column])
    name = "2"
    if form == "array":
        path = values
    elif form == "npz":
        name = "v"
        np.savez(path, n=np.arange(3), v=column)
    elif form == "h5":
        name = "v"
        with pytest.importorskip("h5py").File(path, "w") as file:
            file["n"], file["v"] = np.arange(3), column
    else:
        path = str(tmp_path / "a.npy")
        swapped = column.dtype.newbyteorder("S")
        record = np.empty(3, [("n", "i4"), ("v", np.longdouble)])
        record["n"], record["v"] = np.arange(3), column
        name = "v" if form == "record" else "2"
        forms = {"npy": values, "swapped": values.astype(swapped), "record": record}
        np.save(path, forms.get(form, np.asfortranarray(values)))
    if said and said not in ("rounded", "missing"):
        with pytest.raises(DataError, match=f"column '{name}', {said}"):
            taken(path)
        assert taken(path, exclude=name)[0].n == 3
        return
    sample, notices = taken(path, missing="drop")
    codes = {notice.code for notice in notices}
    assert ("rounded" in codes) == (said == "rounded")
    if said != "missing":
        assert sample.values[:, 1].tolist() == [float(x) for x in column]


@pytest.mark.parametrize("form", ["array", "npy", "npz"])
def test_times_that_no_arrow_type_holds_are_refused(form, tmp_path):
    for cells, kind in (
        ([0, 2**62], "M8[D]"), ([0, 2**40], "M8[D]"), ([0, 2**62], "M8[h]"), ([0, 10**15], "M8[Y]"),
        ([0, 1], "M8[ps]"), ([0, 2**62], "m8[W]"), ([0, -1], "m8[as]"),
    ):  # fmt: skip
        column, path = np.array(cells, kind), str(tmp_path / f"a.{form}")
        if form == "npz":
            np.savez(path, column)
        elif form == "npy":
            np.save(path, column)
        with pytest.raises(DataError, match=rf"row 2: found the time {cells[1]} \(in units of"):
            taken(column if form == "array" else path)
    for kind, unit in (
        ("M8[Y]", 31536000.0),
        ("M8[D]", 86400.0),
        (">M8[ms]", 1e-3),
        ("m8[h]", 3600),
    ):
        np.save(tmp_path / "b.npy", np.array([0, 1], kind))
        found = taken(str(tmp_path / "b.npy"))[0].values[:, 0]
        assert found.tolist() == [0, unit]
        assert taken(np.array([0, 1], kind))[0].values[:, 0].tolist() == [0, unit]


def test_times_are_rounded_once(tmp_path):
    """The same time is the same number, whatever its unit."""
    rng = np.random.default_rng(2)
    micro = rng.integers(-(2**50), 2**51, 300)
    frame = {u: micro.astype("M8[us]").astype(f"M8[{u}]") for u in ("us", "ns")}
    np.savez(tmp_path / "t.npz", **frame)
    for value in (str(tmp_path / "t.npz"), pa.table(frame), np.column_stack([*frame.values()])):
        found = taken(value)[0].values
        assert np.array_equal(found[:, 0], micro / 1e6)
        assert np.array_equal(found[:, 1], micro / 1e6)


def test_text_of_numpy_may_hold_a_nul(tmp_path):
    np.save(tmp_path / "a.npy", np.array([b"a\0b", b"a", b"a\0b"]))
    assert taken(str(tmp_path / "a.npy"))[0].levels == (("a", "a\0b"),)
