"""SciPy's compiled functions alone are SciPy's functions."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import scipy.special

from kstest import lean

ALONE = """
import sys
from kstest import about, lean
about.own_process = True
import numpy as np
matrix = np.array([[4.0, 1.0], [1.0, 3.0]])
print(*lean.solve(lean.cholesky(matrix), np.array([1.0, 2.0])))
root = lean.brentq(lambda x: x**3 - 2, 0, 5, 1e-15, 1e-13)
print(lean.log_ndtr(-3.3), lean.ndtri_exp(-5.0), root)
heavy = {"scipy.linalg", "scipy.special", "scipy.optimize"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
import scipy.linalg, scipy.special, scipy.optimize, scipy.stats
assert scipy.linalg.lapack.dpotrf is lean._function("linalg", "_flapack", "dpotrf")
assert scipy.special.log_ndtr is lean._function("special", "_ufuncs", "log_ndtr")
print(scipy.optimize.brentq(lambda x: x**3 - 2, 0, 5), scipy.stats.norm.cdf(0.0))
"""

# Loading waits a moment in the middle, as on a machine that is busy.
THREADS = """
import time
from concurrent.futures import ThreadPoolExecutor
from kstest import about, lean
about.own_process = True
found = lean.import_module
def slow(name):
    time.sleep(0.05)
    return found(name)
lean.import_module = slow
import numpy as np
with ThreadPoolExecutor(8) as pool:
    list(pool.map(lean.cholesky, [np.eye(3)] * 8))
"""


def test_threads_that_load_a_function_at_once_do_not_meet_the_stand_in():
    subprocess.run([sys.executable, "-c", THREADS], check=True)


def test_factors_and_solutions_are_scipys_to_the_bit(rng):
    matrix = np.cov(rng.normal(size=(30, 90)))
    right = rng.normal(size=(30, 4))
    factor = scipy.linalg.cho_factor(matrix, lower=True)
    np.testing.assert_array_equal(lean.cholesky(matrix), factor[0])
    for some in (right, right[:, 0]):
        np.testing.assert_array_equal(
            lean.solve(lean.cholesky(matrix), some), scipy.linalg.cho_solve(factor, some)
        )


def test_tails_and_roots_are_scipys_to_the_bit():
    for x in (-40.0, -3.0, 0.0, 2.5):
        assert lean.log_ndtr(x) == scipy.special.log_ndtr(x)
    for y in (-900.0, -3.0, -0.1):
        assert lean.ndtri_exp(y) == scipy.special.ndtri_exp(y)
    f = np.cos
    root = scipy.optimize.brentq(f, 0, 3, xtol=1e-12, rtol=1e-13)
    assert lean.brentq(f, 0, 3, 1e-12, 1e-13) == root


def test_what_has_no_solution_is_refused_as_by_scipy():
    with pytest.raises(np.linalg.LinAlgError):
        lean.cholesky(-np.eye(3))
    with pytest.raises(ValueError, match="infs or NaNs"):
        lean.cholesky(np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="different signs"):
        lean.brentq(lambda x: x * x + 1, -1, 1, 1e-9, 1e-13)


def test_alone_no_package_of_scipy_is_imported_and_later_they_can_be():
    done = subprocess.run(
        [sys.executable, "-c", ALONE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    solution, others, scipys = (np.array(line.split(), float) for line in done.stdout.splitlines())
    np.testing.assert_allclose(solution, [1 / 11, 7 / 11])
    np.testing.assert_allclose(
        others, [scipy.special.log_ndtr(-3.3), scipy.special.ndtri_exp(-5.0), 2 ** (1 / 3)]
    )
    np.testing.assert_allclose(scipys, [2 ** (1 / 3), 0.5])


THREADS = """
import sys, threading
from kstest import about, lean
about.own_process = True
import numpy as np
start, faults = threading.Barrier(6), []
def use(k):
    start.wait()
    try:
        if k % 3 == 0:
            lean.cholesky(np.eye(3))
        elif k % 3 == 1:
            lean.log_ndtr(-1.0), lean.brentq(lambda x: x, -1, 1, 1e-9, 1e-9)
        else:
            import scipy.linalg
            scipy.linalg.cho_factor(np.eye(3))
    except BaseException as fault:
        faults.append(repr(fault))
threads = [threading.Thread(target=use, args=(k,)) for k in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit("; ".join(faults) or 0)
"""


@pytest.mark.parametrize("turn", range(3))
def test_threads_that_begin_at_once_find_them(turn):
    done = subprocess.run(
        [sys.executable, "-c", THREADS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
