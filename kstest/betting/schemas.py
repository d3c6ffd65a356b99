"""What the states of bets hold, for the archive: type, shape and range of every field.

Read by `packing.unpack`. Names of lengths in capitals hold in a whole state and come from the test
(its `sizes`), small ones in one part. Whoever adds a field to a state adds it here; a test says
what is missing.

    H half-lives    R rungs of bandwidths    F frequencies    E experts    G games
    S conformal scores    B their bins
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..archive.schema import LARGEST, Flag, Number, Numbers, Part, real
from . import (
    blocks,
    column_pairs,
    conformal,
    decision,
    guard,
    pairs,
    relay,
    stein,
    symmetric,
    two_samples,
    wings,
)
from .column_margins import Margin
from .detector import Detector
from .features import BANDWIDTHS, Scale
from .wealth import Wealth

# Logarithms of wealths; sums of cosines over rows.
LOG, SUM = 1e301, float(LARGEST)
COUNT, ROW = Number(), Number()
LOGS = {"low": -LOG, "high": LOG}
SUMS = {"low": -SUM, "high": SUM}
FEATURES = Numbers(("H", "R", 2, "F"), **SUMS)  # type: ignore[arg-type]
ROWS = Numbers(("k",), "i8", 0, LARGEST)
WEIGHT = Numbers(("H",), "f8", 0, SUM)


def _log(*shape: int | str) -> Numbers:
    return Numbers(shape, "f8", -LOG, LOG)


def _begun(*shape: int | str, or_none: bool = False) -> Numbers:
    """Log wealths of what has begun to bet, which may be nothing."""
    return Numbers(shape, "f8", -LOG, LOG, or_none=or_none, or_nothing=True)


def _sums(*shape: int | str) -> Numbers:
    return Numbers(shape, "f8", -SUM, SUM)


def _values(rows: str, columns: str) -> Numbers:
    return Numbers((rows, columns))


def _marks(rows: str, columns: str) -> Numbers:
    return Numbers((rows, columns), "u8")


_SCALE_X, _SCALE_Y = Part({"p": "DX"}, optional=True), Part({"p": "DY"}, optional=True)
_SIDES = {
    "x_values": _values("k", "DX"),
    "x_marks": _marks("k", "MX"),
    "y_values": _values("k", "DY"),
    "y_marks": _marks("k", "MY"),
    "x_scale": _SCALE_X,
    "y_scale": _SCALE_Y,
}

SCHEMAS: dict[type, Mapping[str, Any]] = {
    Wealth: {
        "rounds": COUNT,
        "log_e": real(-LOG, LOG),
        "largest": real(0, LOG),
        "largest_row": ROW,
        "stride": Number(1),
        "experts": _begun("e"),
        "rows": ROWS,
        "path": _log("k"),
    },
    Detector: {
        "rounds": COUNT,
        "last": ROW,
        "log_m": real(-LOG, LOG),
        "largest": real(-LOG, LOG),
        "sums": _log("e"),
        "maxima": _log("e"),
        "since": Numbers(("e",), "i8", 0, LARGEST),
        "alarms": Numbers(("a",), "i8", 0, LARGEST),
        "begins": Numbers(("a",), "i8", 0, LARGEST),
        "stride": Number(1),
        "rows": ROWS,
        "path": _log("k"),
    },
    Scale: {
        "centre": Numbers(("p",)),
        "unit": Numbers(("p",), "f8", 1e-300),
        "bandwidth": real(1e-300, 1e300),
    },
    blocks.State: {
        "start": ROW,
        "windows": COUNT,
        **_SIDES,
        "joint": FEATURES,
        "first": FEATURES,
        "second": FEATURES,
        "weight": WEIGHT,
    },
    pairs.State: {
        "seen": ROW,
        "pairs": COUNT,
        "learned": COUNT,
        **_SIDES,
        "sums": _sums(2, "l"),
        "totals": _sums(1),
        "u": Numbers(("u",)),
        "v": Numbers(("v",)),
        "memory": _sums(2),
        "past": Part({}),
    },
    symmetric.Past: {
        "recent": Numbers(("k",), "f8", -SUM, SUM),
        "moments": Numbers((3,), "f8", -SUM, 1e300),
    },
    guard.State: {
        "start": ROW,
        "windows": COUNT,
        "values": _values("k", "d"),
        "marks": _marks("k", "m"),
        "waves": _sums(guard.LOOKS, "q", 2, guard.WAVES),
        "lags": _sums(guard.LOOKS, guard.SIZE - 1),
    },
    decision.Watch: {
        "log_e": _log(2),
        "largest": _log(2),
        "flagged": Numbers((2,), "i8", 0, LARGEST),
    },
    Margin: {
        "values": _values("k", "d"),
        "marks": _marks("k", "m"),
        "scale": Part({"p": "d"}, optional=True),
        "sums": Numbers(("H", "R", 2, "F"), "f8", -SUM, SUM, or_none=True),
        "guard": Part({"d": "d", "m": "m"}, optional=True),
        "experts": _begun(guard.EXPERTS, or_none=True),
        "log_e": real(-LOG, LOG),
        "flagged": ROW,
    },
    column_pairs.State: {
        "start": ROW,
        "windows": COUNT,
        "weight": WEIGHT,
        "firsts": Part({"d": "D_FIRST", "m": "M_FIRST"}),
        "seconds": Part({"d": "D_SECOND", "m": "M_SECOND"}),
        "open": Numbers(("a",), "i8", 0, below="PAIRS"),
        "joint": _sums("a", "H", "R", 2, "F"),
        "experts": _begun("a", "G", "E"),
        "near": _log("PAIRS"),
        "beyond": _log("PAIRS"),
        "log_e": _log("PAIRS"),
        "largest": Numbers(("PAIRS",), "f8", 0, LOG),
        "outcome": Numbers(("PAIRS",), "i8", column_pairs.OPEN, column_pairs.UNSOUND),
        "row": Numbers(("PAIRS",), "i8", 0, LARGEST),
        "guards": _log("PAIRS", 2),
        "flagged": Numbers(("PAIRS", 2), "i8", 0, LARGEST),
    },
    two_samples.State: {
        "start": ROW,
        "windows": COUNT,
        "taken": COUNT,
        "values": _values("k", "D"),
        "marks": _marks("k", "M"),
        "stream": FEATURES,
        "reference": FEATURES,
        "weights": Numbers((2, "H"), "f8", 0, SUM),
        "scale": Part({"p": "D"}),
        "exhausted": Flag(),
    },
    conformal.State: {"seen": ROW, "counts": Numbers(("S", "B"), "f8", 0, SUM)},
    relay.State: {
        "seen": ROW,
        "taken": COUNT,
        "least": COUNT,
        "aside": Number(0, 2),
        "blocks": COUNT,
        "values": _values("k", "D"),
        "marks": _marks("k", "M"),
        "held_values": _values("q", "D"),
        "held_marks": _marks("q", "M"),
        "stream": FEATURES,
        "reference": _sums(1, "R", 2, "F"),
        "weights": Numbers((2, "H"), "f8", 0, SUM),
        "begun": _begun("E_RELAY"),
        "recent": _log("r"),
        "scale": Part({"p": "D"}),
    },
    wings.State: {"conformal": Part({}), "relay": Part({})},
    wings.Evidence: {
        "rounds": COUNT,
        "begun": _begun("S", conformal.EXPERTS),
        "log_w": _log("W"),
        "largest": Numbers(("W",), "f8", 0, LOG),
    },
    wings.Watch: {
        "sums": _log("S", conformal.EXPERTS),
        "maxima": _log("S", conformal.EXPERTS),
        "since": Numbers(("S", conformal.EXPERTS), "i8", 0, LARGEST),
        "relay_sums": _log("E_RELAY"),
        "relay_maxima": _log("E_RELAY"),
        "relay_since": Numbers(("E_RELAY",), "i8", 0, LARGEST),
        "relay_end": ROW,
        "log_m": _log("W"),
    },
    stein.State: {
        "z": Numbers(("k", "D"), "f8", -stein.FARTHEST, stein.FARTHEST),
        "scores": Numbers(("k", "D"), "f8", -stein.FARTHEST, stein.FARTHEST),
        "later": Numbers(("k", len(stein.BANDWIDTHS)), "f8", -1e200, 1e200),
    },
}


def _both_scales(state: Any) -> bool:
    """Units are fixed once for both sides, before the first bet."""
    known = state.x_scale is not None
    return bool(known == (state.y_scale is not None))


def _blocks(state: blocks.State) -> bool:
    return _both_scales(state) and (state.x_scale is not None or not state.windows)


def _pairs(state: pairs.State) -> bool:
    rows = len(state.x_values)
    if state.x_scale is None:
        return _both_scales(state) and not state.learned
    known = state.sums.shape[1] == state.learned and max(len(state.u), len(state.v)) <= rows
    fits = state.learned <= rows <= state.learned + 1
    return bool(_both_scales(state) and known and fits)


def _guard(state: guard.State) -> bool:
    columns = state.values.shape[1] + state.marks.shape[1]
    return bool(state.waves.shape[1] == min(guard.MOST_SERIES, columns))


def _column_pairs(state: column_pairs.State) -> bool:
    """Open pairs are those that the outcome says, and their columns are kept."""
    places = column_pairs.pairs(len(state.firsts) + 1)
    if not np.array_equal(state.open, np.flatnonzero(state.outcome == column_pairs.OPEN)):
        return False
    needed = [
        *(state.firsts[i] for i in places[state.open, 0]),
        *(state.seconds[j] for j in places[state.open, 1]),
    ]
    alike = {
        (len(m.values), m.scale is None, m.guard is None, m.guard and m.guard.start) for m in needed
    }
    kept = all(m.sums.size and (m.guard is None or m.experts.size) for m in needed)
    begun = not needed or needed[0].scale is not None or not state.windows
    return bool(kept and begun and len(alike) <= 1)


def _relay(state: relay.State) -> bool:
    """The block is not full, and what was looked at last was a block."""
    recent = 1 <= len(state.recent) <= relay.RECENT
    return bool(recent and len(state.values) < relay.SIZE)


def _wings(state: wings.State) -> bool:
    return state.conformal.seen == state.relay.seen


INVARIANTS: dict[type, Callable[[Any], bool]] = {
    blocks.State: _blocks,
    pairs.State: _pairs,
    guard.State: _guard,
    column_pairs.State: _column_pairs,
    relay.State: _relay,
    wings.State: _wings,
}


def sizes(design: blocks.Design) -> dict[str, Any]:
    """The lengths that a design fixes."""
    return {
        "H": len(design.half_lives),
        "R": BANDWIDTHS,
        "F": design.features,
        "E": design.experts,
        "G": design.games,
    }
