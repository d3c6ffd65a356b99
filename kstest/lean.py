"""SciPy's compiled functions, without the packages around them.

Importing `scipy.linalg`, `scipy.special` and `scipy.optimize` takes as much CPU time as all the
rest of a small run, for a factor, a tail and a root that are compiled functions in modules of their
own. In a process that runs nothing but kstest, and as long as it has one thread, these modules are
loaded alone; elsewhere, or where SciPy keeps them otherwise, by their packages. They are the same
functions, so are the numbers.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import about

Array = NDArray[np.float64]


def log_ndtr(x: float) -> float:
    """Return the logarithm of the normal distribution function."""
    return float(_function("special", "_ufuncs", "log_ndtr")(x))


def ndtri_exp(y: float) -> float:
    """Return the x whose normal distribution function has the logarithm y."""
    return float(_function("special", "_ufuncs", "ndtri_exp")(y))


def ndtri(p: Array) -> Array:
    """Return the x of which the normal distribution function is p."""
    return np.asarray(_function("special", "_ufuncs", "ndtri")(p))


def fdtrc(many: float, free: float, x: float) -> float:
    """Return the probability that an F distribution of these degrees of freedom exceeds x."""
    return float(_function("special", "_ufuncs", "fdtrc")(many, free, x))


def brentq(f: Callable[[float], float], a: float, b: float, xtol: float, rtol: float) -> float:
    """Return a root between a and b, where f has different signs (Brent 1973)."""
    found = _function("optimize", "_zeros", "_brentq")(f, a, b, xtol, rtol, 100, (), False, True)
    return float(found)


def cholesky(matrix: Array) -> Array:
    """Factor a positive definite matrix, for `solve`; its upper triangle is left as it was.

    Raises
    ------
    numpy.linalg.LinAlgError
        If it is not positive definite.
    """
    potrf = _function("linalg", "_flapack", "dpotrf")
    factor, fault = potrf(np.asarray_chkfinite(matrix), lower=True, overwrite_a=False, clean=False)
    if fault:
        raise np.linalg.LinAlgError(f"leading minor {fault} is not positive definite")
    return np.asarray(factor)


def solve(factor: Array, right: Array) -> Array:
    """Solve A x = right for the matrix of which `factor` is the Cholesky factor."""
    potrs = _function("linalg", "_flapack", "dpotrs")
    return np.asarray(potrs(factor, np.asarray_chkfinite(right), lower=True, overwrite_b=False)[0])


@cache
def _function(package: str, module: str, name: str) -> Any:
    """A function of a compiled module of SciPy; of the package, where there is none of the kind."""
    found = vars(_alone(f"scipy.{package}", module)).get(name)
    return found if found is not None else vars(import_module(f"scipy.{package}"))[name]


def _alone(package: str, module: str) -> Any:
    """Import a module of a package; without running the package, if this process is ours alone.

    With a second thread the package is imported: that thread could ask for it while it is away.
    """
    full = f"{package}.{module}"
    if full in sys.modules:
        return sys.modules[full]
    if package in sys.modules or not about.own_process or threading.active_count() > 1:
        return _packaged(package, full)
    spec = find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        return _packaged(package, full)
    stand_in = ModuleType(package)
    stand_in.__path__ = list(spec.submodule_search_locations)
    sys.modules[package] = stand_in
    try:
        return import_module(full)
    except ImportError:
        pass
    finally:
        del sys.modules[package]
        vars(import_module("scipy")).pop(package.rpartition(".")[2], None)
    return _packaged(package, full)


def _packaged(package: str, full: str) -> ModuleType:
    """Import the package, then its module: at once, two threads could wait for each other."""
    import_module(package)
    return import_module(full)
