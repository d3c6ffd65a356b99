"""Objects of polars, xarray, ArviZ, DuckDB, torch and others are read like frames and arrays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pytest
import scipy.sparse

import kstest
from kstest.errors import DataError
from kstest.sources import ReadOptions, read_samples, samples_from_objects

DATA = {"x": [1.5, 2.5, 3.5], "w": ["a", "b", "a"]}


def take(obj, **options):
    return samples_from_objects({"r": obj}, ReadOptions(**options))[0][0]


def same(one, other):
    assert (one.columns, one.levels) == (other.columns, other.levels)
    assert one.values.tobytes() == other.values.tobytes()
    assert np.array_equal(one.codes, other.codes)


def test_polars():
    polars = pytest.importorskip("polars")
    frame, expected = polars.DataFrame(DATA), take(pd.DataFrame(DATA))
    same(take(frame), expected)
    same(take(frame.lazy()), expected)
    same(take(frame["x"]), take(pd.DataFrame(DATA)[["x"]]))
    assert take(polars.Series([1.0, 2.0])).columns == ("1",)
    words = frame.with_columns(polars.col("w").cast(polars.Categorical))
    same(take(words), expected)
    places = polars.DataFrame({"e": [[1.0, 2.0]]}, schema={"e": polars.Array(polars.Float64, 2)})
    assert take(places).columns == ("e[0]", "e[1]")
    with pytest.raises(DataError, match="--explode e"):
        take(polars.DataFrame({"e": [[1.0], [2.0, 3.0]]}))


def test_arrow_and_duckdb():
    table = pa.table(DATA)
    expected = take(table)
    same(take(table.to_reader()), expected)
    same(take(pyarrow.dataset.dataset(table)), expected)
    same(take(table.to_batches()[0]), expected)
    assert take(table["x"]).values.tolist() == [[1.5], [2.5], [3.5]]
    assert take(table["x"].chunk(0)).columns == ("1",)
    duckdb = pytest.importorskip("duckdb")
    same(take(duckdb.from_arrow(table)), expected)
    one, two = (duckdb.sql(f"select range + {k} as a from range(9)") for k in (0, 0))
    assert kstest.ks(one, two, permutations=19).n == {"reference": 9, "sample": 9}


def test_tensors_share_their_memory():
    class Tensor:
        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **how):
            return self.array.__dlpack__(**how)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    class Elsewhere(Tensor):
        def __dlpack_device__(self):
            return (2, 0)

        def __dlpack__(self, **how):
            raise BufferError("on another device")

    assert take(Tensor(np.arange(6.0).reshape(3, 2))).values.tolist() == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(DataError, match="cannot share: on another device"):
        take(Elsewhere(np.ones(3)))


def test_torch_and_jax():
    torch = pytest.importorskip("torch")
    values = torch.arange(6.0).reshape(3, 2).requires_grad_()
    assert take(values).values.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert take(values.to(torch.bfloat16)).values.tolist() == [[0, 1], [2, 3], [4, 5]]


def draws():
    rng = np.random.default_rng(1)
    return {"mu": rng.normal(size=(4, 25)), "theta": rng.normal(size=(4, 25, 2))}


def dataset(xarray):
    post = draws()
    variables = {
        "mu": (("chain", "draw"), post["mu"]),
        "theta": (("chain", "draw", "school"), post["theta"]),
    }
    return xarray.Dataset(variables, {"school": ["A", "B"]})


@pytest.mark.filterwarnings("ignore")
def test_labelled_arrays():
    xarray = pytest.importorskip("xarray")
    sample = take(dataset(xarray))
    assert sample.columns == ("mu", "theta[A]", "theta[B]")
    assert sample.values[:, 0].tolist() == draws()["mu"].reshape(-1).tolist()
    assert sample.values[:, 1:].tolist() == draws()["theta"].reshape(-1, 2).tolist()
    assert take(dataset(xarray).theta[:, :, 0].rename("t")[0]).columns == ("t",)
    assert take(xarray.DataArray(np.ones((3, 2)))).columns == ("1", "2")
    odd = dataset(xarray).assign(other=("k", np.ones(3)))
    with pytest.raises(DataError, match="variable 'other' has the dimensions 'k'"):
        take(odd)


@pytest.mark.filterwarnings("ignore")
def test_draws_of_a_sampler_in_files(tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    path = tmp_path / "a.nc"
    dataset(xarray).to_netcdf(path, group="posterior", engine="h5netcdf")
    dataset(xarray)[["mu"]].to_netcdf(path, mode="a", group="prior", engine="h5netcdf")
    text = pd.DataFrame(draws()["mu"].reshape(-1), columns=["mu"])
    text.to_csv(tmp_path / "a.csv", index=False)

    def read(name, **options):
        return read_samples({"r": [f"{tmp_path}/{name}"]}, ReadOptions(**options))[0][0]

    assert read("a.nc").columns == ("mu", "theta[A]", "theta[B]")
    assert read("a.nc", columns="theta").columns == ("theta[A]", "theta[B]")
    same(read("a.nc", columns="mu"), read("a.csv"))
    same(read("a.nc:prior"), read("a.csv"))
    pytest.importorskip("zarr")
    dataset(xarray).to_zarr(tmp_path / "a.zarr", group="posterior")
    same(read("a.zarr"), read("a.nc"))
    with pytest.raises(DataError, match="has no group none"):
        read("a.zarr:none")


@pytest.mark.filterwarnings("ignore")
def test_inference_data(tmp_path):
    arviz = pytest.importorskip("arviz")
    data = arviz.from_dict(posterior=draws())
    path = str(tmp_path / "a.nc")
    data.to_netcdf(path, engine="h5netcdf")
    same(take(data), read_samples({"r": [path]}, ReadOptions())[0][0])


def test_columns_of_frames_in_other_layouts():
    """Sparse, and in the byte order of other machines, as files of astronomy bring them."""
    X = np.array([[0.0, 1], [2, 0], [0, 3]])
    csr = scipy.sparse.csr_array(X)
    for frame in (pd.DataFrame.sparse.from_spmatrix(csr), pd.DataFrame(X.astype(">i4")),
                  pd.DataFrame(X.astype(">f8"))):  # fmt: skip
        assert take(frame).values.tolist() == X.tolist()
    with pytest.raises(DataError, match="column '0' holds complex numbers"):
        take(pd.DataFrame(X + 1j))


@pytest.mark.parametrize(
    ("obj", "words"),
    [
        (np.zeros((2, 3, 4)), r"reshape\(len\(X\), -1\)"),
        (np.zeros((2, 2), object), r"\.astype\(float\)"),
        (np.zeros((2, 2)) + 1j, "real and imaginary"),
        (np.zeros(2, [("a", float)]), r"pandas.DataFrame\(\.\.\.\)"),
        (scipy.sparse.csr_array(np.eye(2)), r"\.toarray\(\)"),
        ({"a": [1, 2]}, r"pandas.DataFrame\(\.\.\.\)"),
        ([{"a": 1}, {"a": 2}], r"pandas.DataFrame\(\.\.\.\)"),
        (iter([1, 2]), r"DataFrame\(list"),
        (None, "forgot to return"),
        (pd.DataFrame, "found a type"),
        ("a.csv", "found a str, 'a.csv'"),
        (["a", "b"], "text needs a DataFrame"),
    ],
)
def test_what_is_no_table_says_how_it_becomes_one(obj, words):
    with pytest.raises(DataError, match=words):
        take(obj)


def test_a_block_without_columns_is_named():
    with pytest.raises(DataError, match="x: has no columns"):
        kstest.hsic(np.zeros((5, 0)), np.arange(5.0))


@pytest.mark.parametrize(
    ("obj", "words"),
    [
        ((v for v in [1.0]), "found a generator; .*list"),
        ({"a": [1.0]}, "found a dict; .*DataFrame"),
        ({1.0, 2.0}, "found a set;"),
        ("a.csv", "found a str, 'a.csv'; .*read_csv"),
        ([{"a": 1}], "found 1 dimensions of object .list.*DataFrame"),
    ],
)
def test_what_is_no_table_is_named(obj, words):
    with pytest.raises(DataError, match=words):
        take(obj)


def test_the_detector_keeps_names_of_columns(rng):
    frame = pd.DataFrame(rng.normal(size=(50, 2)), columns=["speed", "lag"])
    detector = kstest.DriftDetector(permutations=99).fit(frame)
    assert detector.test_batch(frame + 1).columns == ("speed", "lag")


def test_the_detector_takes_frames_of_polars(rng):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"speed": rng.normal(size=50), "lag": rng.normal(size=50)})
    detector = kstest.DriftDetector(permutations=99).fit(frame.lazy())
    assert detector.test_batch(frame).columns == ("speed", "lag")
    assert detector.predict(frame.lazy()).tolist() == [1] * 50
