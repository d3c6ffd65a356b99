"""How several tests read their options."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from ..errors import UsageError
from ..kernels import KERNELS, BandwidthGrid, Rows, choose, pair_distances
from ..params import option_name

# Rows whose pairwise distances give the bandwidths; half a million pairs fix a quantile well.
DISTANCE_ROWS = 1000


def require_served(params: Any, served: Collection[str], others: Sequence[str] = ()) -> None:
    """Refuse options that need all rows at once: those not `served` and given, and `others`.

    Raises
    ------
    UsageError
    """
    unserved = [f for f in fields(params) if f.name not in served]
    names = [f.name for f in unserved if getattr(params, f.name) != f.default]
    for name in (*names, *others):
        raise UsageError(
            f"{option_name(name)} {getattr(params, name)}: not with files that are read in two "
            "passes (--scheduler), of which no row is kept; leave one of the two out"
        )


def check_block_length(params: Any) -> None:
    """Refuse --block-length together with options of another null."""
    text = params.block_length
    if text is None:
        return
    if text != "auto" and not (text.isdecimal() and int(text) > 0):
        raise UsageError(f"--block-length {text!r}: give auto, or a whole number of rows")
    if params.permute != "auto":
        raise UsageError(
            f"--block-length and --permute {params.permute}: blocks of time are permuted, or rows; "
            "give one of the two"
        )


def grids(
    rows: Rows, kernels: str, bandwidth: str, collection: str, rng: np.random.Generator
) -> list[BandwidthGrid]:
    """Kernels and bandwidths of --kernel and --bandwidth.

    Rows must be in an order that says nothing about their sample.
    """
    if len(rows) > DISTANCE_ROWS:
        rows = rows.take(rng.choice(len(rows), DISTANCE_ROWS, replace=False))
    found = []
    for name in kernel_names(kernels):
        kernel = KERNELS[name]
        numbers = bandwidth_numbers(bandwidth)
        if not kernel.has_bandwidth:
            found.append(BandwidthGrid(kernel, (1.0,)))
        elif numbers:
            found.append(BandwidthGrid(kernel, numbers))
        else:
            distances = pair_distances(rows, kernel.geometry)
            found.append(choose(kernel, distances, bandwidth, collection))
    return found


def kernel_names(text: str) -> tuple[str, ...]:
    """Return the kernels that --kernel names."""
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if name not in KERNELS:
            raise UsageError(f"--kernel {name!r}: choose from {', '.join(KERNELS)}")
    if len(set(names)) < len(names):
        raise UsageError(f"--kernel {text!r}: name each kernel once")
    return names


def bandwidth_numbers(text: str, name: str = "--bandwidth") -> tuple[float, ...]:
    """Return the numbers of a bandwidth option, widest first; empty for its two words."""
    if text in ("aggregate", "median"):
        return ()
    try:
        numbers = tuple(sorted({float(part) for part in text.split(",")}, reverse=True))
    except ValueError:
        numbers = (math.nan,)
    if not all(1e-12 <= h <= 1e12 for h in numbers):
        raise UsageError(
            f"{name} {text!r}: give aggregate, median, or positive numbers separated by "
            "commas, in units of the scaled columns"
        )
    return numbers


def one_bandwidth(text: str, name: str) -> float | None:
    """Read an option that is ``median`` (None) or one number.

    Raises
    ------
    UsageError
        Naming the option.
    """
    if text == "median":
        return None
    try:
        width = float(text)
    except ValueError:
        width = math.nan
    if not 1e-12 <= width <= 1e12:
        raise UsageError(
            f"{name} {text!r}: give median, or a positive number in units of the scaled columns"
        )
    return width


def require_both(x: str, y: str) -> None:
    """Refuse one of the options --x and --y without the other."""
    if bool(x) != bool(y):
        given, other = ("--x", "--y") if x else ("--y", "--x")
        raise UsageError(f"{given} {x or y!r}: give {other} too, the block to test it against")
