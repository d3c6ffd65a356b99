"""E-detectors: an alarm whose false alarms are rare on average, without calibration.

Given factors E_t with E[E_t | past] <= 1 while nothing has changed,

    Shiryaev-Roberts:  M_t = (M_{t-1} + 1) E_t,      CUSUM:  C_t = max(C_{t-1}, 1) E_t.

While nothing has changed M_t - t is a supermartingale, so an alarm at the first N with M_N >= A has
E[N] >= E[M_N] >= A: the average run length to a false alarm is at least A rounds, at every
distribution. The mean of several M keeps that, and so does C <= M (Shin, Ramdas, Rinaldo 2023,
arXiv 2203.03532).

Unlike a wealth, which loses while nothing happens, these begin anew in every round; experts that
forget what they learned long ago (`Design.half_lives`) find late changes soon. The CUSUM of the
best expert says since when it won: there the change probably began.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from . import round_loops
from .decision import Ends
from .wealth import thinned

Array = NDArray[np.float64]

KINDS = ("sr", "cusum")
# Rows after which a witness has half forgotten; inf: never.
HALF_LIVES = (32.0, 128.0, 512.0, math.inf)
# Alarms that are remembered.
MOST_ALARMS = 100


@frozen
class Detector:
    """Where a detector stands.

    Attributes
    ----------
    rounds : int
    last : int
        Row at the end of the last round.
    log_m : float
        Log of the mean of the experts' statistics now.
    largest : float
        Its maximum since the last restart.
    sums, maxima : ndarray (E,)
        Log of Shiryaev-Roberts (-inf is kept as -1e300) and CUSUM of every expert.
    since : ndarray of int64 (E,)
        Row before the round from which on the CUSUM of an expert counts.
    alarms, begins : ndarray of int64 (k,)
        Rows of the alarms, and where the changes probably began.
    stride, rows, path
        Some rows and log_m there, as in `wealth`.
    """

    rounds: int
    last: int
    log_m: float
    largest: float
    sums: Array
    maxima: Array
    since: Ends
    alarms: Ends
    begins: Ends
    stride: int
    rows: Ends
    path: Array


NOTHING = -1e300


def begin(experts: int) -> Detector:
    """Nothing seen."""
    none = np.empty(0, np.int64)
    return Detector(
        0,
        0,
        NOTHING,
        NOTHING,
        np.full(experts, NOTHING),
        np.zeros(experts),
        np.zeros(experts, np.int64),
        none,
        none,
        1,
        none,
        np.empty(0),
    )


def follow(
    detector: Detector, ends: Ends, log_factors: Array, log_threshold: float, kind: str, mode: str
) -> tuple[Detector, Array]:
    """Take the factors of more rounds.

    Parameters
    ----------
    detector : Detector
    ends : ndarray of int64 (t,)
        Row of the stream at the end of every round.
    log_factors : ndarray (t, E)
    log_threshold : float
    kind : {'sr', 'cusum'}
    mode : {'stop', 'latch', 'restart'}
        After an alarm: take no more rounds; go on, with that alarm; begin anew.

    Returns
    -------
    detector : Detector
    log_m : ndarray
        After every round that was taken.
    """
    state: list[Any] = [a.copy() for a in (detector.sums, detector.maxima, detector.since)]
    path = np.empty(len(ends))
    alarms, begins, largest = list(detector.alarms), list(detector.begins), detector.largest
    t, before = 0, detector.last
    while t < len(ends):
        quiet = mode == "latch" and bool(alarms)
        stop = math.inf if quiet else log_threshold
        n = round_loops.detect(
            log_factors[t:], ends[t:], before, stop, kind == "sr", *state, path[t:]
        )
        largest = max(largest, float(path[t : t + n].max()))
        t += n
        if path[t - 1] >= stop:
            best = int(np.argmax(state[1]))
            alarms.append(int(ends[t - 1]))
            begins.append(int(state[2][best]))
            if mode == "stop":
                break
            if mode == "restart":
                state[0][:], state[1][:], state[2][:] = NOTHING, 0.0, ends[t - 1]
                largest = NOTHING
        before = int(ends[t - 1])
    known = detector.rows, detector.path, detector.stride
    rows, values, stride = thinned(known, detector.rounds, ends[:t], path[:t])
    return replace(
        detector,
        stride=stride,
        rows=rows,
        path=values,
        rounds=detector.rounds + t,
        last=before,
        log_m=float(path[t - 1]) if t else detector.log_m,
        largest=largest,
        sums=state[0],
        maxima=state[1],
        since=state[2],
        alarms=np.array(alarms[-MOST_ALARMS:], np.int64),
        begins=np.array(begins[-MOST_ALARMS:], np.int64),
    ), path[:t]
