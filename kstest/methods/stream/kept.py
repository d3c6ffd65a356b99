"""What the state files of the tests of streams hold: schemas of their cores, and the lengths.

The schemas of what bets keep are in `kstest.betting.schemas`; see `kstest.archive.schema`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ...archive.packing import Declared, unpack
from ...archive.schema import Number, Numbers, Part, Word
from ...betting import guard, relay, stein
from ...betting.rows import Rows, no_rows
from ...betting.schemas import COUNT, INVARIANTS, ROW, ROWS, SCHEMAS, SUM, sizes
from ...betting.scores import bins
from ...registry import METHODS
from ...sample import Columns
from .season import MOST_LEVELS, Season
from .skit_core import Core as SkitCore

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
# Parts that begin when there are rows enough, and not with the first row.
_LATER = ("blocks", "wings", "evidence", "watch")


def core_of(
    name: str, params: Any, columns: Columns, header: Any, arrays: Mapping[str, Any]
) -> Any:
    """Return the core of a state of the test `name`, from a file.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it cannot be the core of a stream with these options and columns.
    """
    module = METHODS[name].load()
    declared, lengths = declaration(name, params, columns)
    core = unpack(module.Core, header, arrays, declared, lengths)
    _require_parts(name, core, params, columns)
    return core


def declaration(name: str, params: Any, columns: Columns) -> tuple[Declared, dict[str, Any]]:
    """What a state of the test `name` may hold, and the lengths in it."""
    module = METHODS[name].load()
    maker = {"skit": _skit, "smmd": _smmd, "sksd": _sksd}[name]
    core, invariant, lengths = maker(module, params, columns)
    schemas = {**SCHEMAS, Season: _SEASON, module.Core: core}
    return Declared(schemas, {**INVARIANTS, module.Core: invariant}), lengths


def _skit(module: Any, params: Any, columns: Columns) -> tuple[Any, Any, dict[str, Any]]:
    sides = [no_rows(columns, names) for names in module.sides_of(params, columns)]
    design = module.design_of(params)
    known = {"V": sum(side.values.shape[1] for side in sides), "E_WEALTH": design.experts}
    if params.mode != "pairs":
        known |= sizes(design)
    if params.all_pairs:
        known |= {"E_WEALTH": 0, "PAIRS": len(sides) * (len(sides) - 1) // 2}
        known |= _each("FIRST", sides[:-1]) | _each("SECOND", sides[1:])
    else:
        known |= {"DX": sides[0].values.shape[1], "MX": sides[0].marks.shape[1]}
        known |= {"DY": sides[1].values.shape[1], "MY": sides[1].marks.shape[1]}

    def invariant(core: SkitCore) -> bool:
        if core.every is not None:
            counts = len(core.every.firsts), len(core.every.seconds)
            if counts != (len(sides) - 1,) * 2:
                return False
        return core.season is None or len(core.season.levels) <= MOST_LEVELS

    return _SKIT, invariant, known


def _each(place: str, sides: Sequence[Rows]) -> dict[str, Any]:
    """Lengths of the columns in one place of their pairs, one of each for every column."""
    return {
        f"D_{place}": tuple(side.values.shape[1] for side in sides),
        f"M_{place}": tuple(side.marks.shape[1] for side in sides),
    }


def _smmd(module: Any, params: Any, columns: Columns) -> tuple[Any, Any, dict[str, Any]]:
    rows = no_rows(columns, columns.names)
    design = module.design_of(params, rows.marks.shape[1])
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

    return _SMMD, invariant, {**sizes(design), **known}


def _sksd(module: Any, params: Any, columns: Columns) -> tuple[Any, Any, dict[str, Any]]:
    target, certificate = module.certified(params, columns)
    design = module.design_of(params, certificate)
    known = {"D": target.d, "M": 0, "E_WEALTH": design.experts}

    def invariant(core: Any) -> bool:
        return len(core.stein.z) <= stein.most_rows(target.d)

    return _SKSD, invariant, known


def _require_parts(name: str, core: Any, params: Any, columns: Columns) -> None:
    """Refuse a core that has other parts than one that begins with these options."""
    module = METHODS[name].load()
    nothing: list[Any] = [[]] * (len(module.SAMPLES) - 1)  # a reference without rows
    begun = module.init(params, columns, *nothing).core
    later = _LATER if nothing else ()
    for f in fields(core):
        there, expected = (getattr(c, f.name) is not None for c in (core, begun))
        if there != expected and f.name not in later:
            raise ValueError(f"{f.name} {'is' if there else 'is not'} there, against the options")
