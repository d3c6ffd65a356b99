"""kstest beside the tools of Python: assertions, pytest, scikit-learn."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from sklearn.utils.estimator_checks import check_estimator

import kstest
from kstest.errors import UsageError
from kstest.pandera import same_distribution
from kstest.testing import assert_same as asserted

# A verdict is about a batch: its rows are not judged one by one.
OF_A_BATCH = "the verdict is about the whole batch"
EXPECTED = {
    "check_methods_subset_invariance": OF_A_BATCH,
    "check_methods_sample_order_invariance": OF_A_BATCH,
}

pytest_plugins = ["pytester"]


def test_a_difference_fails_with_the_report(rng):
    x, y = rng.normal(size=(60, 2)), rng.normal(size=(60, 2))
    assert asserted(x, y, alpha=0.001).verdict == "not rejected"
    with pytest.raises(AssertionError, match=r"REJECTED: .*\n(.*\n)*.*p-value"):
        asserted(x, y + 2)
    with pytest.raises(AssertionError, match="column 2"):
        asserted(x, y + np.array([0, 2]), test="ks")
    with pytest.raises(AssertionError, match="NO VERDICT"):
        asserted(x, y[:1])
    with pytest.raises(TypeError, match="no test 'hsic'"):
        asserted(x, y, test="hsic")


def test_fixture_writes_into_the_report(pytester):
    pytester.makepyfile(
        """
        import numpy as np

        rng = np.random.default_rng(1)

        def test_same(assert_same):
            assert_same(rng.normal(size=(40, 1)), rng.normal(size=(40, 1)), alpha=0.001)

        def test_other(assert_same):
            assert_same(rng.normal(size=(40, 1)), rng.normal(size=(40, 1)) + 3)
        """
    )
    found = pytester.runpytest_subprocess("--junitxml=out.xml")
    found.assert_outcomes(passed=1, failed=1)
    found.stdout.fnmatch_lines(["*REJECTED: *"])
    text = (pytester.path / "out.xml").read_text()
    assert text.count('name="kstest_p_value"') == 2
    assert 'value="rejected"' in text


def test_detector_is_an_estimator():
    """By scikit-learn's own checks, but for those that ask for a verdict per row."""
    detector = kstest.DriftDetector(permutations=39)
    found = check_estimator(detector, expected_failed_checks=EXPECTED, on_skip=None)
    failed = {f["check_name"]: f["exception"] for f in found if f["status"] == "failed"}
    assert not failed
    assert sum(f["status"] == "passed" for f in found) > 25


@pytest.mark.parametrize("test", ["mmd", "ks"])
def test_detector_is_the_test(test, rng):
    x, y = rng.normal(size=(60, 2)), rng.normal(size=(50, 2)) + 1
    detector = kstest.DriftDetector(test=test, seed=3).fit(x)
    result = detector.test_batch(y)
    assert result.p_value == getattr(kstest, test)(x, y, seed=3).p_value
    assert detector.predict(y).tolist() == [-1] * 50
    assert set(detector.predict(rng.normal(size=(50, 2)))) == {1}
    assert detector.predict(y[:1]).tolist() == [0]
    with pytest.raises(ValueError, match="accepted: 'mmd', 'ks'"):
        kstest.DriftDetector(test="hsic").fit(x).predict(y)


def test_detector_takes_frames(rng):
    frame = __import__("pandas").DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"])
    detector = kstest.DriftDetector().fit(frame)
    assert detector.feature_names_in_.tolist() == ["a", "b"]
    assert set(detector.predict(frame + 3)) == {-1}
    with pytest.raises(ValueError, match="feature names"):
        detector.predict(frame.rename(columns={"a": "c"}))
    assert np.array_equal(detector.reference_, frame.to_numpy())


@pytest.mark.parametrize("option", ["permutations", "alpha", "kernel"])
def test_none_for_an_option_that_needs_a_value_is_refused_by_name(option):
    with pytest.raises(UsageError, match=f"{option}: found NoneType; accepted: "):
        kstest.mmd(np.arange(40.0), np.arange(40.0), **{option: None})


@pytest.fixture
def tables(rng):
    return [pd.DataFrame(rng.normal(size=(60, 2)), columns=["a", "b"]) for _ in range(2)]


def test_pandera_checks_tables_and_columns(tables):
    reference, batch = tables
    table = pa.DataFrameSchema(checks=same_distribution(reference, alpha=0.001))
    column = pa.DataFrameSchema({"a": pa.Column(float, same_distribution(reference, test="ks"))})
    for schema in (table, column):
        assert schema.validate(batch).equals(batch)
        with pytest.raises(pa.errors.SchemaError, match=r"(?s)REJECTED: .*p-value"):
            schema.validate(batch + 2)
        assert schema.validate(batch).equals(batch)
    with pytest.raises(pa.errors.SchemaError, match="NO VERDICT"):
        table.validate(batch[:1])
    holes = batch.where(batch > -1)
    with pytest.raises(pa.errors.SchemaError, match="missing='drop'"):
        table.validate(holes)
    with pytest.raises(pa.errors.SchemaError, match="Only in sample: 'c'"):
        table.validate(batch.rename(columns={"b": "c"}))
    dropping = same_distribution(holes, missing="drop", columns=["a"], alpha=0.001)
    assert pa.DataFrameSchema(checks=dropping).validate(holes.assign(z="x")) is not None
    warning = pa.DataFrameSchema(checks=same_distribution(reference, raise_warning=True))
    with pytest.warns(pa.errors.SchemaWarning, match="REJECTED"):
        warning.validate(batch + 2)


def test_a_check_of_pandera_knows_its_options_when_it_is_made(tables):
    with pytest.raises(TypeError, match="did you mean 'alpha'"):
        same_distribution(tables[0], alhpa=0.1)
    with pytest.raises(TypeError, match="no test 'hsic'"):
        same_distribution(tables[0], test="hsic")


def test_nothing_imports_pandera_but_its_own_module():
    code = "import sys, kstest.testing; from kstest import *; print('pandera' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
