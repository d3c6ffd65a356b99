"""What perturbed rows say: shares of the modes against those of the target, and how rows moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import printable
from ...findings import Column, Facts, Line, Table, listed, number, plain
from ...targets import Target
from .modes import Modes
from .moves import Moved
from .perturbed import Perturbation, Perturbed
from .result import fits
from .statistic import drawn

Array = NDArray[np.float64]

# Draws of the target that give its shares: to half a per cent.
DRAWS = 20_000
# Differences of more than this many standard deviations are worth a word.
NOTABLE = 3.0
# Modes that are said in words, and coordinates of each.
MOST_MODES = 8
MOST_COLUMNS = 4


def weights(
    Y: Array, target: Target, modes: Modes, rng: np.random.Generator
) -> tuple[list[dict[str, Any]], str]:
    """Return the modes, the most surprising share first, and where the target's shares come from.

    A row belongs to the mode whose normal distribution (mean there, precision that of the density)
    makes it most probable. The target's shares are those of its own draws, counted alike, or, where
    it cannot be sampled, Laplace's approximation of the mass around each mode. `z` is the
    difference in standard deviations of the counts; no part of the test.
    """
    count, n = len(modes), len(Y)
    seen = np.bincount(modes.nearest(Y), minlength=count) / n
    if target.sample is not None:
        own = drawn(target, DRAWS, rng)
        expected = np.bincount(modes.nearest(own), minlength=count) / DRAWS
        source, noise = "draws of the target", 1 / n + 1 / DRAWS
    else:
        mass = np.exp(modes.log_mass - modes.log_mass.max())
        expected, source, noise = mass / mass.sum(), "Laplace's approximation", 1 / n
    # A mode without a draw is not impossible, only rarer than one in so many.
    share = np.maximum(expected, 1 / DRAWS)
    z = (seen - expected) / np.sqrt(share * (1 - np.minimum(share, 1 - 1 / DRAWS)) * noise)
    places = target.constrain(modes.places)
    table = [
        {
            "mode": k + 1,
            "place": dict(zip(target.columns, map(float, places[k]), strict=True)),
            "log_density": float(modes.log_density[k]),
            "condition_number": float(modes.conditions[k]),
            "share": float(seen[k]),
            "target_share": float(expected[k]),
            "z": float(z[k]),
        }
        for k in range(count)
    ]
    return sorted(table, key=_surprise, reverse=True), source


def most_different(table: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the mode whose share differs most, if by more than the counts' noise."""
    far = [m for m in table if abs(m["z"]) > NOTABLE]
    return max(far, key=_surprise) if far else None


def _surprise(mode: dict[str, Any]) -> tuple[float, float]:
    """Of two modes that differ as much, the one that holds too many rows comes first."""
    difference = mode["share"] - mode["target_share"]
    return round(abs(difference), 2), difference


def sentence(table: list[dict[str, Any]]) -> str:
    """Say which mode holds too many rows or too few; empty where none does."""
    mode = most_different(table)
    if mode is None:
        return ""
    seen, expected = percent(mode["share"], mode["target_share"])
    return f"mode {mode['mode']} holds {seen} of the rows, the target gives it {expected}"


def without_effect(modes: Modes, moved: Sequence[Moved]) -> str:
    """Say why the perturbation has no effect; empty where it has one."""
    advice = "give others with --modes FILE, or a place to look for them with --box LOW:HIGH"
    if len(modes) < 2:
        what = "one mode" if len(modes) else "no mode was found"
        return (
            f"{what}: the perturbation has no effect, and KSD by itself does not see weights; if "
            f"the target has more modes, {advice}"
        )
    if not any(m.accepted for m in moved):
        return (
            f"no row made a jump between the {len(modes)} modes: the perturbation has no effect; "
            f"raise --steps, or {advice}"
        )
    return ""


def summary(rejected: bool, idle: str, table: list[dict[str, Any]]) -> str:
    if not rejected:
        return "the perturbation has no effect on this target" if idle else fits(False)
    why = "" if idle else sentence(table)
    return f"the data do not fit the target: {why}" if why else fits(True)


def jumps(how: Perturbation, found: Perturbed) -> dict[str, object]:
    """What moved, per scale, and how far the copies are from the target by themselves."""
    per_scale = [
        {"scale": m.scale, "accepted": m.accepted, "jumped": m.jumped, "ksd2": list(ksd2)}
        for m, ksd2 in zip(found.moved, found.per_scale, strict=True)
    ]
    return {"steps": how.steps if per_scale else 0, "scales": per_scale}


def modes_found(table: list[dict[str, Any]], source: str) -> tuple[Table, Facts]:
    """The findings ``modes`` and ``target_shares``: modes with their shares, and whence these."""
    texts = [
        f"{mode['mode']} at {place_of(mode['place'])}: {100 * mode['share']:.1f} % of the rows, "
        f"{100 * mode['target_share']:.1f} % of the target"
        for mode in table[:MOST_MODES]
    ]
    if len(table) > MOST_MODES:
        texts.append(f"and {len(table) - MOST_MODES} more modes")
    columns = (
        Column("mode", "mode"),
        Column("place", "place"),
        Column("share", "share of the rows", "share"),
        Column("target_share", "share of the target", "share"),
        Column("z", "z", ".1f"),
    )
    approximate = bool(table) and not source.startswith("draws")
    line = Line("", f"the target's shares are {source}")
    return (
        Table("modes", table, columns, "Modes", tuple(listed("modes", texts))),
        Facts("target_shares", source, (line,) if approximate else ()),
    )


def place_of(place: dict[str, float]) -> str:
    """Say where a mode is, by its first coordinates."""
    # The search ends near a mode, not on it: 3e-08 stands for 0.
    some = [
        f"{printable(c)} = {number(round(x, 6) + 0.0)}"
        for c, x in list(place.items())[:MOST_COLUMNS]
    ]
    return ", ".join(some) + ", ..." * (len(place) > MOST_COLUMNS)


def jumps_found(how: Perturbation, found: Perturbed) -> Facts:
    """The finding ``jumps``: how rows moved between modes."""
    value = jumps(how, found)
    scales: list[dict[str, Any]] = plain(value)["scales"]
    if not scales:
        return Facts("jumps", value)
    jumped, each = [s["jumped"] for s in scales], [s["scale"] for s in scales]
    best = number(max(scales, key=lambda s: float(max(s["ksd2"])))["scale"])
    if len(scales) == 1:
        text = (
            f"{how.steps} tried per row at scale {best}, which the other half chose; "
            f"{100 * jumped[0]:.0f} % of the rows moved"
        )
    else:
        share = f"{100 * min(jumped):.0f} to {100 * max(jumped):.0f} %"
        ends = f"{number(min(each))} to {number(max(each))}"
        text = (
            f"{how.steps} tried per row and scale, {len(scales)} scales {ends}; {share} of the "
            f"rows moved, strongest at {best}"
        )
    return Facts("jumps", value, (Line("jumps", text),))


def percent(*shares: float) -> list[str]:
    """Shares with as many digits as it takes to tell them apart."""
    digits = 0
    while digits < 4 and len({f"{100 * s:.{digits}f}" for s in shares}) < len(set(shares)):
        digits += 1
    return [f"{100 * s:.{digits}f} %" for s in shares]
