"""Monitoring from Python: calibrations and checks of arrays, frames and tables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from .dqm import calibrate as calibrating
from .dqm import check as checking
from .dqm import compare as comparing
from .dqm import explain as explaining
from .dqm.calibration import Calibration, load
from .dqm.reading import batch_options, from_objects
from .dqm.windows import Batch
from .engine import Work
from .result import Result
from .run import record, require_accepted
from .sources import FILES_ONLY, OPTIONS, ReadOptions, given_options, samples_from_objects

__all__ = ["calibrate", "check", "compare", "explain", "load"]

READING = {f.name for f in OPTIONS} - FILES_ONLY - {"sample_column"}


def calibrate(
    reference: Any, pool: Any, *, threads: int | None = None, **given: Any
) -> Calibration:
    """Learn from good events what the test statistic of a batch is when nothing is wrong.

    Parameters
    ----------
    reference, pool : array, DataFrame or Arrow table
        N_R and N_P good events with the same columns, none of them in both.
    threads : int, optional
    **given
        Options of ``kstest dqm calibrate``, with underscores; ``batch_size`` is needed, an int or
        text such as ``"100..1000"``.

    Returns
    -------
    Calibration
        With `save(path)`; `kstest.dqm_load(path)` reads it.

    Raises
    ------
    DataError, UsageError
        If the pool holds rows of the reference, has fewer than a batch, or an option is wrong.

    Notes
    -----
    See `kstest.likelihood_ratio` for the test, `kstest.dqm.check` for what its p-value is worth.

    Examples
    --------
    >>> import kstest, numpy
    >>> rng = numpy.random.default_rng(1)
    >>> reference, pool = rng.normal(size=(1000, 2)), rng.normal(size=(4000, 2))
    >>> calibration = kstest.dqm_calibrate(reference, pool, batch_size=100, toys=200)
    >>> calibration.sizes
    (100,)
    """
    params = _params(calibrating.Params, given, "calibrate", READING)
    options = ReadOptions(**{k: v for k, v in given.items() if k in READING})
    data = {"reference": reference, "pool": pool}
    return calibrating.calibrate(data, params, options, from_objects, _work(threads))


def check(
    calibration: Calibration, *batches: Any, threads: int | None = None, **given: Any
) -> list[Result]:
    """Judge batches by a calibration; one Result each.

    Parameters
    ----------
    calibration : Calibration
    *batches : array, DataFrame or Arrow table
        With the columns of the calibration, in order of time.
    threads : int, optional
    **given
        Options of ``kstest dqm check``, with underscores.

    Returns
    -------
    list of Result
        `explanation["alarm"]["alarm"]` says whether there is an alarm after the batch.

    Examples
    --------
    >>> import kstest, numpy
    >>> rng = numpy.random.default_rng(1)
    >>> reference, pool = rng.normal(size=(1000, 2)), rng.normal(size=(4000, 2))
    >>> calibration = kstest.dqm_calibrate(reference, pool, batch_size=100, toys=200)
    >>> batches = rng.normal(size=(100, 2)), rng.normal(size=(100, 2)) + 1
    >>> [result.verdict for result in kstest.dqm_check(calibration, *batches)]
    ['not rejected', 'rejected']
    """
    params = _params(checking.Params, given, "check")
    found = [_batch(calibration, data, place) for place, data in enumerate(batches, 1)]
    return checking.check(calibration, found, params, _work(threads))


def explain(
    calibration: Calibration,
    batch: Any,
    *,
    plot: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    **given: Any,
) -> Result:
    """Judge a batch, and say which columns, which events, and whether rate or shape differ.

    Parameters
    ----------
    calibration : Calibration
    batch : array, DataFrame or Arrow table
    plot : path, optional
        File to draw: .svg, .png or .html.
    threads : int, optional
    **given
        Options of ``kstest dqm explain``, with underscores.

    Returns
    -------
    Result
        `explanation["ranking"]` is a list of columns, the most telling first.

    Examples
    --------
    >>> import kstest, numpy
    >>> rng = numpy.random.default_rng(1)
    >>> reference, pool = rng.normal(size=(1000, 2)), rng.normal(size=(4000, 2))
    >>> calibration = kstest.dqm_calibrate(reference, pool, batch_size=100, toys=200)
    >>> result = kstest.dqm_explain(calibration, rng.normal(size=(100, 2)) + [0, 1])
    >>> result.explanation["ranking"][0].column
    '2'
    """
    from .files import destinations, output
    from .plot import check as check_plot
    from .plot import draw

    params = _params(explaining.Params, given, "explain")
    path = None if plot is None else os.fspath(plot)
    if path is not None:
        check_plot(path)
        destinations.check(path, "plot")
    own = _batch(calibration, batch, 1)
    result, picture = explaining.explain(calibration, own, params, _work(threads))
    if path is not None:
        output.write(draw(result, picture, path), path, "plot")
    return result


def compare(reference: Any, batch: Any, *, threads: int | None = None, **given: Any) -> Result:
    """Judge one batch against one reference by permutations, without a pool.

    Parameters
    ----------
    reference, batch : array, DataFrame or Arrow table
        N_R and N_D events with the same columns.
    threads : int, optional
    **given
        Options of ``kstest dqm compare``, with underscores.

    Returns
    -------
    Result
        Exact if events are exchangeable under the null: see `kstest.dqm.compare.run`.

    Examples
    --------
    >>> import kstest, numpy
    >>> rng = numpy.random.default_rng(1)
    >>> X, Y = rng.normal(size=(200, 2)), rng.normal(size=(50, 2)) + [0, 1]
    >>> kstest.dqm_compare(X, Y, permutations=199).verdict
    'rejected'
    """
    params = _params(comparing.Params, given, "compare", READING)
    options = ReadOptions(**{k: v for k, v in given.items() if k in READING})
    data = dict(zip(comparing.SAMPLES, (reference, batch), strict=True))
    samples, notices = samples_from_objects(data, options)
    require_accepted("dqm compare", comparing.ACCEPTS, samples)
    return record(comparing.run, samples, params, notices, _work(threads), given_options(given))


def _batch(calibration: Calibration, data: Any, place: int) -> Batch:
    label = f"batch {place}"
    options = batch_options(calibration.layout, ReadOptions(), label)
    return Batch(label, *from_objects("batch", data, options))


def _params(kind: Any, given: Mapping[str, Any], name: str, others: set[str] | None = None) -> Any:
    options = {f.name for f in fields(kind)}
    unknown = sorted(set(given) - options - (others or set()))
    if unknown:
        accepted = ", ".join(sorted({*options, *(others or ())}))
        raise TypeError(f"kstest.dqm_{name} has no option {unknown[0]!r}; it has {accepted}")
    chosen = {k: v for k, v in given.items() if k in options}
    if "batch_size" in chosen:
        chosen["batch_size"] = str(chosen["batch_size"])
    return kind(**chosen)


def _work(threads: int | None) -> Work:
    return Work() if threads is None else Work(threads=threads)
