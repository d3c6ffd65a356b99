"""Whole numbers beyond 2^53, of which float64 makes equal ones, are refused as numbers."""

import json
from decimal import Decimal

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


def test_long_fractions_are_measurements():
    cells = [Decimal(f"0.1234567890123456{k:02d}") for k in range(ROWS)]
    table = pa.table({"v": pa.array(cells, pa.decimal128(30, 18))})
    notes = [w for w in taken(table)[1] if w.code == "rounded"]
    assert "v, row 1: 0.123456789012345600" in notes[0].message
    short = pa.table({"v": pa.array([Decimal(f"0.5{k:02d}") for k in range(ROWS)])})
    assert not [w for w in taken(short)[1] if w.code == "rounded"]


def test_hexadecimal_text_is_no_number(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id\n" + "".join(f"0x2{k:015x}\n" for k in range(ROWS)))
    with pytest.raises(DataError, match="id"):
        taken(str(path))
