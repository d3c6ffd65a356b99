"""Choose the rows that stand for a file, and say how well they do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..contract import Inputs
from ..engine import Work
from ..errors import DataError, UsageError
from ..kernels import (
    KERNELS,
    SCALES,
    BandwidthGrid,
    Rows,
    bandwidth_grid,
    pair_distances,
)
from ..kernels.bandwidths import quantile
from ..methods.common import one_bandwidth
from ..methods.dependence.column_blocks import Block
from ..methods.stein.options import allow_python as python_allowed
from ..methods.stein.options import param, target
from ..params import check_choices, option, seed
from ..result import Notice, document
from ..run import origin, require_accepted
from ..sample import Sample
from .certificate import Distance, compared, distances
from .halving import Points, load, thinned
from .stein import stein_thinned

Index = NDArray[np.int64]

DISTANCE_ROWS = 1000

REFERENCES = """\
@inproceedings{dwivedi2022generalized,
  title     = {Generalized Kernel Thinning},
  author    = {Dwivedi, Raaz and Mackey, Lester},
  booktitle = {International Conference on Learning Representations},
  year      = {2022}, note = {arXiv:2110.01593}
}
@inproceedings{shetty2022distribution,
  title     = {Distribution Compression in Near-linear Time},
  author    = {Shetty, Abhishek and Dwivedi, Raaz and Mackey, Lester},
  booktitle = {International Conference on Learning Representations},
  year      = {2022}, note = {arXiv:2111.07941}
}
@article{riabiz2022optimal,
  title   = {Optimal Thinning of {MCMC} Output},
  author  = {Riabiz, Marina and Chen, Wilson Ye and Cockayne, Jon and Swietach, Pawel and Niederer,
             Steven A. and Mackey, Lester and Oates, Chris J.},
  journal = {Journal of the Royal Statistical Society Series B},
  volume  = {84}, year = {2022}, note = {arXiv:2005.03952}
}
@inproceedings{benard2023kernel,
  title     = {Kernel {S}tein Discrepancy Thinning: a Theoretical Perspective of Pathologies and a
               Practical Fix with Regularization},
  author    = {B{\\'e}nard, Cl{\\'e}ment and Staber, Brian and Da Veiga, S{\\'e}bastien},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2023}, note = {arXiv:2301.13528}
}
"""


@frozen
class Params:
    """Options of `thin`; see the help of each field."""

    rows: int = option(1000, "Rows to keep.", brief="Rows to keep; 1000 by default.")
    by: str = option(
        "kernel",
        "How rows are chosen: by kernel halving (kernel), every k-th (every), or at random "
        "(random). kernel compares its choice with the other two, and keeps the best.",
        choices=("kernel", "every", "random"),
        brief="kernel, every or random.",
    )
    target: Any = target("; rows are then chosen by it (Stein thinning)")
    param: Any = param()
    allow_python: bool = python_allowed()
    distinct: bool = option(False, "With --target: choose no row twice.")
    scale: str = option(
        "robust",
        "Unit of each column: median absolute deviation, standard deviation, or as it is.",
        choices=SCALES,
    )
    bandwidth: str = option(
        "aggregate",
        "Bandwidths of the Gaussian kernel: a grid of them, summed (aggregate); the median "
        "distance (median); or a number, in units of the scaled columns.",
        metavar="aggregate|median|NUMBER",
    )
    coordinates: str = option(
        "whiten",
        "With --target: coordinates of unit variance without correlation, of unit variance, or as "
        "they are.",
        choices=("whiten", "standard", "none"),
    )
    seed: int = seed()

    def __post_init__(self) -> None:
        check_choices(self)
        if self.rows < 1:
            raise UsageError(f"--rows {self.rows}: give a whole number, 1 or larger")
        if self.bandwidth != "aggregate":
            one_bandwidth(self.bandwidth, "--bandwidth")
        density = not isinstance(self.target, str) or bool(self.target)
        if density and self.by != "kernel":
            raise UsageError(
                f"--target and --by {self.by}: rows are chosen by the target; drop one"
            )
        if self.distinct and not density:
            raise UsageError("--distinct: is for --target; halving chooses no row twice")


INPUTS = Inputs(
    roles=("data",),
    accepts=frozenset({"categorical", "missing"}),
    params=Params,
    example="kstest thin draws.parquet --rows 1000 --output thin.parquet",
    description="""\
Chooses the rows that stand for a big file: means of smooth functions over them are nearer to those
over the whole file than with as many random rows, and a certificate says how near. With --target,
the rows of a Markov chain that stand for a density, whose start and bias are left behind.""",
)


@frozen
class Thinned:
    """The rows that are kept; the attributes but `index` are the keys of the JSON object.

    Attributes
    ----------
    index : ndarray of int (M,)
        Places of the rows in the data as they were read, from 0.
    rows, of : int
        Kept, and read.
    by : str
        What chose them: ``kernel``, ``every``, ``random``, ``stein``, or ``all``.
    left_out : int
        Rows that halving left out at random.
    distances : tuple of Distance
        The MMD to all rows at every bandwidth.
    worth : tuple of (float, float) or None
        The smallest and the largest number of random rows that are as near, over the bandwidths.
    stein : mapping or None
        Kernel Stein discrepancies of the chosen rows, every k-th, and random ones.
    """

    index: Index
    rows: int
    of: int
    by: str
    distances: tuple[Distance, ...]
    worth: tuple[float, float] | None
    stein: dict[str, float] | None
    columns: tuple[str, ...]
    n: dict[str, int]
    warnings: tuple[Notice, ...]
    inputs: tuple[Any, ...]
    params: Any
    provenance: Any

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object as plain Python values."""
        return document("thin", self, "index")


def thin(
    samples: Sequence[Sample], params: Params, notices: Sequence[Notice], work: Work
) -> Thinned:
    """Choose the rows that stand for a sample.

    Parameters
    ----------
    samples : one Sample
        n rows, in the order of the file, and those that options name.
    params : Params
    notices : sequence of Notice
        What the reading of the data had to say.
    work : Work

    Returns
    -------
    Thinned

    Raises
    ------
    DataError
        If there are no rows, or the target has no finite score at one.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    sample = samples[0]
    require_accepted("thin", INPUTS.accepts, samples)
    if sample.n == 0:
        raise DataError("data: has no rows; give at least 1")
    rng, warnings = np.random.default_rng(params.seed), list(notices)
    told: tuple[Distance, ...] = ()
    stein = None
    if not isinstance(params.target, str) or params.target:
        index, stein = stein_thinned(samples, params, rng, work)
        by = "stein"
        warnings += _repeated(index)
    elif params.rows >= sample.n:
        index, by = np.arange(sample.n), "all"
    else:
        index, by, told = _by_kernel(sample, params, rng, work)
    worths = [d.worth for d in told]
    return Thinned(
        index=index,
        rows=len(index),
        of=sample.n,
        by=by,
        distances=told,
        worth=(min(worths), max(worths)) if told else None,
        stein=stein,
        columns=(*sample.columns, *sample.categorical),
        n={sample.name: sample.n},
        warnings=tuple(warnings),
        **origin(list(samples), params, started, time.perf_counter() - clock, work),
    )


def _by_kernel(
    sample: Sample, params: Params, rng: np.random.Generator, work: Work
) -> tuple[Index, str, tuple[Distance, ...]]:
    load(work)
    block = Block.of(sample, (*sample.columns, *sample.categorical))
    rows, n, m = block.scaled(params.scale), sample.n, params.rows
    few = rows.take(rng.choice(n, min(n, DISTANCE_ROWS), replace=False))
    grid = _grid(few, params.bandwidth)
    points = Points.of(rows, grid)
    choices = {
        "every": np.linspace(0, n - 1, m).astype(np.int64),
        "random": np.sort(rng.choice(n, m, replace=False)),
    }
    best = params.by
    if best == "kernel":
        choices["kernel"] = np.sort(thinned(points, m, rng, work))
        scores = compared(points, list(choices.values()), rng, work)
        best = list(choices)[int(np.argmin(scores))]
    return choices[best], best, distances(rows, points, grid, choices[best], rng, work)


def _grid(few: Rows, bandwidth: str) -> BandwidthGrid:
    """The bandwidths of the Gaussian kernel, each the one before divided by sqrt(2)."""
    kernel, distances = KERNELS["gaussian"], pair_distances(few, "euclidean")
    if bandwidth == "aggregate":
        return bandwidth_grid(kernel, distances)
    width = one_bandwidth(bandwidth, "--bandwidth") or quantile(distances, 0.5)
    return BandwidthGrid(kernel, (width,), squaring=True)


def _repeated(index: Index) -> list[Notice]:
    distinct = len(np.unique(index))
    if distinct > 0.5 * len(index):
        return []
    return [
        Notice(
            "repeated-rows",
            f"only {distinct:,} of the {len(index):,} chosen rows differ: few rows are where the "
            "target has its mass; a longer chain, fewer --rows, or --distinct",
        )
    ]
