"""Monitoring from Python: calibrations and checks of arrays, frames and tables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any

from ..clusters import check_scheduler, working_at
from ..dqm import calibrate as calibrating
from ..dqm import check as checking
from ..dqm import compare as comparing
from ..dqm import explain as explaining
from ..dqm.calibration import Calibration, load
from ..dqm.over_time import with_alarms
from ..dqm.reachable import require_reachable
from ..dqm.windows import Batch
from ..engine import Work
from ..errors import UsageError
from ..inputs import params_of
from ..inputs.batch_files import batch_files, judge_files, stamps_of
from ..inputs.batches import batch_options, calibrated, from_objects
from ..run import execute
from ..sources import ReadOptions
from .binding import MACHINE, Drawn, bind, options_of, work_of
from .language import speaking
from .shown import Result, shown
from .signatures import Keywords, declare, options, own

# Options of reading of a reference and a pool.
READING = [f for f in Keywords.of(calibrating.INPUTS, ()).reading if f.name != "sample_column"]

__all__ = ["calibrate", "check", "compare", "explain", "load"]


@speaking(lambda: options(calibrating.INPUTS))
def calibrate(
    reference: Any, pool: Any, *, threads: int | None = None, **given: Any
) -> Calibration:
    """Learn from good events what the test statistic of a batch is when nothing is wrong.

    Parameters
    ----------
    reference, pool : array, DataFrame or Arrow table
        N_R and N_P good events with the same columns, none of them in both.
    threads : int, optional

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
    inputs = calibrating.INPUTS
    reading = {f.name for f in READING}
    written = options_of("dqm_calibrate", inputs, given, set(), reading)
    how = ReadOptions(**{name: written[name] for name in reading & set(written)})
    params = params_of(inputs, written, set(written))
    data = {"reference": reference, "pool": pool}
    return calibrated(data, params, how, from_objects, work_of(threads))


@speaking(lambda: options(checking.INPUTS))
def check(
    calibration: Calibration,
    *batches: Any,
    threads: int | None = None,
    scheduler: Any = None,
    **given: Any,
) -> list[Result]:
    """Judge batches by a calibration; one Result each.

    Parameters
    ----------
    calibration : Calibration
    *batches : array, DataFrame or Arrow table
        With the columns of the calibration, in order of time; with `scheduler` files or globs.
    threads : int, optional
    scheduler : str or distributed.Client, optional
        ``"local"``, or the address or the Client of a dask scheduler whose workers read and judge
        the files.

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
    _require(calibration)
    written = options_of("dqm_check", checking.INPUTS, given, set(), set())
    params = params_of(checking.INPUTS, written, set(written))
    if scheduler is not None:
        return _check_files(calibration, batches, params, scheduler, work_of(threads))
    found = [_batch(calibration, data, place) for place, data in enumerate(batches, 1)]
    return [shown(r) for r in checking.check(calibration, found, params, work_of(threads))]


def _check_files(
    calibration: Calibration, batches: Sequence[Any], params: Any, scheduler: Any, work: Work
) -> list[Result]:
    """Judge files by tasks, as `kstest dqm check --scheduler` does."""
    check_scheduler(scheduler)
    require_reachable(calibration, params, params.control)
    for place, path in enumerate(batches, 1):
        if not isinstance(path, str | os.PathLike):
            raise UsageError(
                f"batch {place}: found {type(path).__name__}; with scheduler= the name of a file "
                "or a glob is accepted, which the workers read themselves."
            )
    files = batch_files([os.fspath(path) for path in batches], ReadOptions(), None)
    with working_at(scheduler, stamps_of(files), work) as (inside, where):
        results, _ = judge_files(calibration, files, ReadOptions(), params, inside, where)
    return [shown(r) for r in with_alarms(calibration, results, params)]


@speaking(lambda: options(explaining.INPUTS))
def explain(
    calibration: Calibration,
    batch: Any,
    *,
    plot: str | PathLike[str] | None = None,
    label: Mapping[str, str] | None = None,
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
    label : mapping of str to str, optional
        Names of axes by column, in all pictures of the result.
    threads : int, optional

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
    _require(calibration)
    written = options_of("dqm_explain", explaining.INPUTS, given, set(), set())
    params = params_of(explaining.INPUTS, written, set(written))
    drawn = Drawn.of({"plot": plot, "label": label})
    own = _batch(calibration, batch, 1)
    result, picture = explaining.explain(calibration, own, params, work_of(threads))
    return shown(result, drawn.picture(result, partial(replace, picture)))


@speaking(lambda: options(comparing.TEST.inputs))
def compare(reference: Any, batch: Any, *, threads: int | None = None, **given: Any) -> Result:
    """Judge one batch against one reference by permutations, without a pool.

    Parameters
    ----------
    reference, batch : array, DataFrame or Arrow table
        N_R and N_D events with the same columns.
    threads : int, optional

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
    test = comparing.TEST
    given = {**given, "threads": threads}
    call = bind("dqm_compare", test.inputs, (reference, batch), given, set(MACHINE))
    result = execute(
        "dqm compare", call.samples, call.params, call.notices, call.work, call.reading, test
    )
    return shown(result)


def _require(calibration: object) -> None:
    if not isinstance(calibration, Calibration):
        raise UsageError(
            f"calibration: found {type(calibration).__name__}; accepted: a Calibration, of "
            "kstest.dqm_calibrate or kstest.dqm_load."
        )


def _batch(calibration: Calibration, data: Any, place: int) -> Batch:
    label = f"batch {place}"
    options = batch_options(calibration.layout, ReadOptions(), label)
    return Batch(label, *from_objects("batch", data, options))


declare(calibrate, Keywords(own(calibrating.INPUTS), READING), "Calibration")
declare(check, Keywords(own(checking.INPUTS)), "list[Result]")
declare(explain, Keywords(own(explaining.INPUTS)), "Result")
declare(compare, Keywords.of(comparing.TEST.inputs, ("executor",)), "Result")
