"""Windows: a file that holds several batches, cut into them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kstest.frozen import frozen

from ..errors import UsageError
from ..result import Notice
from ..sample import Sample
from .calibration import Calibration


@frozen
class Batch:
    """A batch: its name, its rows, and what their reading had to say.

    Attributes
    ----------
    label : str
    sample : Sample
    notices : tuple of Notice
    rows : str
        Which rows of a file it is, such as ``501-1000``; empty for all.
    name : str
        By which a history knows it, without the rows; the label where it is empty.
    named : bool
        Whether the name was given, so that other events under it are refused.
    """

    label: str
    sample: Sample
    notices: tuple[Notice, ...] = ()
    rows: str = ""
    name: str = ""
    named: bool = False


def cut(calibration: Calibration, batch: Batch, window: int, step: int, least: int) -> list[Batch]:
    """Cut a file into windows, each a batch.

    Parameters
    ----------
    calibration : Calibration
    batch : Batch
    window, step : int
        Rows of a window, and from one to the next; 0 for windows of the largest size calibrated
        that fits, where the file holds two of them or more, and for windows side by side.
    least : int
        A file of fewer events stays whole, as there is no verdict on it.

    Notes
    -----
    With Poisson counts a batch is a stretch of time, and its number of events is tested: it stays
    whole, however many there are.

    Raises
    ------
    UsageError
        If a window is so long that its events could not all be judged together.
    """
    n = batch.sample.n
    if n < least:
        return [batch]
    if window:
        _require_size(calibration, window)
        return list(_windows(batch, window, step or window)) if n >= window else [batch]
    g = None if calibration.poisson else calibration.size_for(n)
    if g is None or n < 2 * calibration.sizes[g]:
        return [batch]
    return list(_windows(batch, calibration.sizes[g], calibration.sizes[g]))


def _require_size(calibration: Calibration, window: int) -> None:
    if calibration.poisson:
        return
    g = calibration.size_for(window)
    if g is not None and window >= 2 * calibration.sizes[g]:
        size = calibration.sizes[g]
        raise UsageError(
            f"--window {window}: the calibration judges {size:,} events of such a window and would "
            f"leave the others out; give --window {size}, or calibrate with --batch-size {window}"
        )


def _windows(batch: Batch, window: int, step: int) -> Iterator[Batch]:
    """Windows in the order of the file; an incomplete last one is left out, and that is said."""
    s, n = batch.sample, batch.sample.n
    last = (n - window) // step * step
    numbers = s.row_numbers
    for first in range(0, last + 1, step):
        stop = first + window
        place = f"{int(numbers[first])}-{int(numbers[stop - 1])}"
        notices = (*batch.notices, *_overlap(window, step)) if first == 0 else ()
        if first == last:
            notices = (*notices, *_left_out(batch, n, window, step, last))
        label = f"{batch.label} rows {place}"
        yield replace(batch, label=label, sample=s.part(first, stop), notices=notices, rows=place)


def _overlap(window: int, step: int) -> Iterator[Notice]:
    if step < window:
        yield Notice(
            "overlapping-windows",
            "windows overlap: their p-values depend on each other, and false alarms come in "
            "groups, more of them than is stated for independent batches",
        )


def _units(sample: Sample) -> str:
    return "events" if sample.records is None else "records"


def _left_out(batch: Batch, n: int, window: int, step: int, last: int) -> Iterator[Notice]:
    """Events in no window: those after the last, and those between windows."""
    gaps = max(step - window, 0) * (last // step)
    after = n - last - window
    if after + gaps:
        where = "at its end" if not gaps else f"between and after windows of {window:,}"
        yield Notice(
            "events-left-out",
            f"{batch.label}: {after + gaps:,} of {n:,} {_units(batch.sample)}, {where}, are in no "
            "window and were not judged",
        )
