"""What the state files of the tests of streams hold: schemas of their cores, and the lengths.

The schemas of what bets keep are in `kstest.betting.schemas`; see `kstest.archive.schema`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...archive.packing import Declared
from ...archive.schema import Number, Numbers, Part, Word
from ...betting import blocks, guard, pairs, relay, stein
from ...betting.rows import Rows
from ...betting.schemas import COUNT, INVARIANTS, ROW, ROWS, SCHEMAS, SUM, sizes
from ...betting.scores import bins
from .season import MOST_LEVELS, Season
from .skit_core import Core
from .skit_options import Params as SkitParams

_WEALTH, _GUARD_WEALTH = (Part({"e": e}, optional=True) for e in ("E_WEALTH", guard.EXPERTS))
_COURSE = {
    "rows": ROW,
    "used": ROW,
    "verdict": Word(("", "rejected", "unsound")),
    "row": ROW,
    "wealth": _WEALTH,
    "detector": _WEALTH,
    "guard": Part({"d": "D", "m": "M"}),
    "guard_wealth": Part({"e": guard.EXPERTS}),
}
_SKIT: Mapping[str, Any] = {
    **{name: rule for name, rule in _COURSE.items() if not name.startswith("guard")},
    "blocks": Part({}, optional=True),
    "pairs": Part({}, optional=True),
    "guard_x": Part({"d": "DX", "m": "MX"}, optional=True),
    "guard_y": Part({"d": "DY", "m": "MY"}, optional=True),
    "wealth_x": _GUARD_WEALTH,
    "wealth_y": _GUARD_WEALTH,
    "watch": Part({}, optional=True),
    "near": _WEALTH,
    "beyond": _WEALTH,
    "season": Part({}, optional=True),
    "every": Part({}, optional=True),
    "detector_x": _GUARD_WEALTH,
    "detector_y": _GUARD_WEALTH,
    "doubtful": ROWS,
}
_SEASON = {
    "levels": Numbers(("k",), "u8"),
    "counts": Numbers(("k",), "f8", 0, SUM),
    "sums": Numbers(("k", "V")),
    "sizes": Numbers(("k", "V"), "f8", 0),
}
_SMMD = {
    **_COURSE,
    "reference_rows": COUNT,
    "reference_digest": Word(),
    "blocks": Part({}, optional=True),
    "wings": Part({}, optional=True),
    "evidence": Part({}, optional=True),
    "watch": Part({}, optional=True),
}
_SKSD = {**_COURSE, "stein": Part({}), "impossible": Word(), "impossible_row": Number(0)}
# Parts of `smmd` that begin when there are rows enough, and not with the first row.
LATER = frozenset({"blocks", "wings", "evidence", "watch"})
# What a file may hold of a core, and the lengths in it.
Found = tuple[Declared, dict[str, Any]]


def skit(sides: Sequence[Rows], design: blocks.Design | pairs.Design, params: SkitParams) -> Found:
    """Of the independence test of a stream, whose blocks have these columns."""
    known = {"V": sum(side.values.shape[1] for side in sides), "E_WEALTH": design.experts}
    if isinstance(design, blocks.Design):
        known |= sizes(design)
    if params.all_pairs:
        known |= {"E_WEALTH": 0, "PAIRS": len(sides) * (len(sides) - 1) // 2}
        known |= _each("FIRST", sides[:-1]) | _each("SECOND", sides[1:])
    else:
        known |= {"DX": sides[0].values.shape[1], "MX": sides[0].marks.shape[1]}
        known |= {"DY": sides[1].values.shape[1], "MY": sides[1].marks.shape[1]}

    def invariant(core: Core) -> bool:
        if core.every is not None:
            counts = len(core.every.firsts), len(core.every.seconds)
            if counts != (len(sides) - 1,) * 2:
                return False
        return core.season is None or len(core.season.levels) <= MOST_LEVELS

    return _declared(Core, _SKIT, invariant), known


def _each(place: str, sides: Sequence[Rows]) -> dict[str, Any]:
    """Lengths of the columns in one place of their pairs, one of each for every column."""
    return {
        f"D_{place}": tuple(side.values.shape[1] for side in sides),
        f"M_{place}": tuple(side.marks.shape[1] for side in sides),
    }


def smmd(core: type, rows: Rows, design: blocks.Design, params: Any) -> Found:
    """Of the test of a stream against a reference, whose rows have these columns."""
    columns_of_scores = 1 + rows.values.shape[1] + rows.marks.shape[1]
    known = {
        "D": rows.values.shape[1],
        "M": rows.marks.shape[1],
        "E_WEALTH": design.experts,
        "E_RELAY": relay.design_of(design).experts,
        "S": columns_of_scores,
        "W": columns_of_scores + 1,
        "B": bins(columns_of_scores - 1),
    }

    def invariant(core: Any) -> bool:
        if core.blocks is not None and core.blocks.taken > core.reference_rows:
            return False
        if core.wings is not None and core.wings.relay.taken > core.reference_rows:
            return False
        begun = core.wings is not None
        watched = (core.watch is not None) == (begun and params.detect)
        counted = (core.evidence is not None) == (begun and not params.detect)
        modes = (core.blocks is None or params.mode == "blocks") and (
            not begun or params.mode == "conformal"
        )
        return bool(watched and counted and modes)

    return _declared(core, _SMMD, invariant), {**sizes(design), **known}


def sksd(core: type, d: int, design: stein.Design) -> Found:
    """Of the test of a stream against a density of d columns."""
    known = {"D": d, "M": 0, "E_WEALTH": design.experts}

    def invariant(core: Any) -> bool:
        return len(core.stein.z) <= stein.most_rows(d)

    return _declared(core, _SKSD, invariant), known


def _declared(core: type, schema: Mapping[str, Any], invariant: Callable[[Any], bool]) -> Declared:
    schemas = {**SCHEMAS, Season: _SEASON, core: schema}
    return Declared(schemas, {**INVARIANTS, core: invariant})
