"""What a Stein test knows before it sums: columns, target, support, scores, and their oddities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...contract import sample_of
from ...diagnostics.dependence import strongest_lag
from ...diagnostics.digests import row_hashes
from ...errors import DataError, UsageError
from ...result import Notice
from ...sample import Sample
from ...targets import SCORES, Functions, Target, Transform, paired, resolve
from .draws import Draws

Array = NDArray[np.float64]

# Share of rows with an equal row before them from which on a warning is given.
TIES = 0.01
# What columns of chains are called.
CHAINS = ("chain", ".chain")
# How far from 1 the parts of a row may sum up to without a word.
CLOSED = 1e-6
# A score beyond this overflows when its square is added n^2 times.
LARGEST_SCORE = 1e100


@frozen
class Given:
    """The tested columns in the data's units, with the target or the scores that came along.

    Of a composition `columns` and `X` are coordinates, and `parts` (n, d) the parts.
    """

    name: str
    columns: tuple[str, ...]
    X: Array
    target: Target | None
    sample: Sample
    scores: Array | None = None
    parts: Array | None = None
    part_names: tuple[str, ...] = ()

    @property
    def transforms(self) -> tuple[Transform, ...]:
        return self.target.transforms if self.target else (Transform(),) * len(self.columns)


def given_data(samples: Sequence[Sample], params: Any) -> Given:
    """Resolve --target for the first of the samples."""
    sample = samples[0]
    if params.score_prefix:
        return with_scores(sample, params.score_prefix)
    if isinstance(params.target, Functions):
        all_rows = sum(source.rows_read for source in sample.inputs)
        everything = sample.file_columns or sample.columns
        scores = params.target.values(sample.columns, everything, (all_rows, sample.row_numbers))
        if scores is not None:
            name = params.target.called
            return Given(name, sample.columns, sample.values, None, sample, scores)
    reference = rows_beside(samples, "reference", sample.columns)
    target = resolve(params.target, sample.columns, params.param, params.allow_python, reference)
    X = _columns(sample, target.columns)
    if target.met is not None:
        target = replace(target.met(X, sample.where), name=target.name)
    if target.refit is not None and target.find(X) is None and target.find(X, edge=True) is None:
        target = replace(target.refit(X), name=target.name)
    return on_target(sample, target)


def with_scores(sample: Sample, prefix: str) -> Given:
    """Data whose scores came along in columns that begin with `prefix`."""
    pairs = paired(sample.columns, prefix)
    names = tuple(x for x, _ in pairs)
    X, S = _columns(sample, names), _columns(sample, tuple(s for _, s in pairs))
    return Given(f"scores in {prefix}*", names, X, None, sample, S)


def on_target(sample: Sample, target: Target) -> Given:
    """The columns of a target; of a composition the coordinates."""
    X = _columns(sample, target.columns)
    if target.composed is not None:
        whole = Given(target.name, target.columns, X, target, sample)
        Y, inner = target.composed(X, whole.sample.where)
        inner = replace(inner, name=target.name)
        return Given(target.name, inner.columns, Y, inner, sample, None, X, target.columns)
    return Given(target.name, target.columns, X, target, sample)


def _columns(sample: Sample, names: Sequence[str]) -> Array:
    place = {name: c for c, name in enumerate(sample.columns)}
    return np.ascontiguousarray(sample.values[:, [place[name] for name in names]])


def require_numbers(sample: Sample) -> None:
    """Refuse names, which no density speaks of."""
    if sample.categorical:
        names = ", ".join(map(repr, sample.categorical[:5]))
        raise UsageError(
            f"data: columns of text or categories ({names}) have no density; leave them out with "
            "--exclude, or give a discrete target, such as categorical(red=0.4, blue=0.6)"
        )


def unused_scores(sample: Sample, params: Any) -> tuple[Notice, ...]:
    """Say that columns called as scores are were not taken for data."""
    if getattr(params, "score_prefix", ""):
        return ()
    used = {*sample.columns, *sample.categorical}
    spare = [c for c in sample.file_columns if c.startswith(SCORES) and c not in used]
    if not spare:
        return ()
    prefix = f" (test them with --score-prefix {SCORES})" if hasattr(params, "features") else ""
    more = f" and {len(spare) - 3} more" if len(spare) > 3 else ""
    return (
        Notice(
            "scores-left-out",
            f"{', '.join(map(repr, spare[:3]))}{more}: columns that begin with {SCORES!r} hold "
            f"scores{prefix} and are not tested as data unless --columns names them",
        ),
    )


def rows_beside(samples: Sequence[Sample], option: str, columns: tuple[str, ...]) -> Array | None:
    """Rows of the same columns that an option names."""
    sample = sample_of(samples, option)
    if sample is None:
        return None
    # Without names of its own it matches by position.
    names = columns if not set(columns) <= set(sample.columns) else sample.columns
    return np.ascontiguousarray(sample.values[:, [names.index(name) for name in columns]])


def on_edge(given: Given) -> bool:
    """Whether a value lies on an end of the support, where its coordinate is infinite."""
    return given.target is not None and given.target.find(given.X, edge=True) is not None


def outside_support(given: Given) -> str:
    """Say where a value lies outside the support; empty if none does."""
    if given.target is None:
        return ""
    found = given.target.find(given.X)
    if found:
        row, c = found
        return (
            f"{given.sample.where(row)} has {given.columns[c]} = {given.X[row, c]:.6g}, outside "
            f"the target's support {given.transforms[c]}"
        )
    edge = given.target.find(given.X, edge=True)
    if edge:
        row, c = edge
        raise DataError(
            f"data: {given.sample.where(row)} has {given.columns[c]} = {given.X[row, c]:.6g}, "
            f"on the edge of the target's support {given.transforms[c]}, where its coordinate "
            "is infinite. If values are rounded, add random digits below the "
            "rounding, or leave such rows out"
        )
    return ""


def coordinates(given: Given) -> tuple[Array, Array]:
    """Coordinates on the line or circle and finite scores."""
    if given.target is None:
        assert given.scores is not None
        Y, S = given.X, given.scores
    else:
        Y, S = given.target.unconstrain(given.X)
    bad = ~(np.isfinite(S) & np.isfinite(Y)).all(axis=1)
    bad |= (np.abs(S) > LARGEST_SCORE).any(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        c = int(np.argmax(~np.isfinite(S[row]) | (np.abs(S[row]) > LARGEST_SCORE)))
        raise DataError(
            f"data: the score of {given.sample.where(row)} is {S[row, c]:g} in column "
            f"{given.columns[c]} (value {given.X[row, c]:.6g}); {int(bad.sum()):,} rows have "
            "no finite score. The target's density vanishes or has no derivative there"
        )
    return Y, S


def arrangement(
    Y: Array,
    S: Array,
    distribution: str,
    rng: np.random.Generator,
    chain: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], np.random.Generator]:
    """Return the order in which rows are used, and the generator of everything random after.

    A random order that the rows alone decide: the answer does not depend on that of the file,
    except for ``markov``, whose signs follow it: chain after chain, where there are some.
    """
    if chain is not None:
        return np.argsort(chain, kind="stable"), rng
    if distribution == "markov":
        return np.arange(len(Y)), rng
    hashes = row_hashes(np.concatenate([Y, S], axis=1))
    order = np.argsort(hashes, kind="stable")
    drawn = int(rng.integers(2**63))
    rng = np.random.default_rng([drawn, int(np.add.reduce(hashes))])
    return order[rng.permutation(len(order))], rng


def oddities(
    Y: Array, S: Array, given: Given, distribution: str, draws: Draws | None = None
) -> tuple[Notice, ...]:
    out = [] if draws is None else [*draws.notices()]
    if given.target is not None and given.target.remark:
        out.append(Notice("differences", given.target.remark))
    found = strongest_lag(S)
    if found and distribution != "markov":
        possible = given.target is None or not given.target.fitted
        advice = ": use --null markov" if possible else ""
        named = [c for c in given.sample.file_columns if c in CHAINS]
        if possible and named and not given.sample.chained:
            advice += f", or --chain {named[0]} if that column tells chains apart"
        out.append(
            Notice(
                "serial-dependence",
                f"neighbouring rows have alike scores (lag-1 autocorrelation {found[0]:.2f} for "
                f"column {given.columns[found[1]]!r}). If the file is in order of time, false "
                f"alarms are likely{advice}; if it is only sorted, ignore this",
            )
        )
    marks = row_hashes(Y) if draws is None else draws.moved
    ties = 1 - len(np.unique(marks)) / len(marks)
    if ties > TIES:
        out.append(
            Notice(
                "ties",
                f"{ties:.0%} of the rows equal another row, which has probability 0 under a "
                "density: repeated or rounded values can cause a rejection by themselves",
            )
        )
    if given.parts is not None:
        off = float(np.abs(given.parts.sum(axis=1) - 1).max())
        if off > CLOSED:
            out.append(
                Notice(
                    "not-closed",
                    f"rows do not quite sum to 1 (by up to {off:.2g}); only the ratios of parts "
                    "are tested",
                )
            )
    whole = [c for c in range(Y.shape[1]) if len(Y) >= 20 and (given.X[:, c] % 1 == 0).all()]
    if whole and ties <= TIES:
        out.append(
            Notice(
                "whole-numbers",
                f"column {given.columns[whole[0]]!r} holds whole numbers only; a density says "
                "that this has probability 0",
            )
        )
    return tuple(out)


def movable(given: Given) -> Target:
    """Return the target, if rows can be moved by it.

    Raises
    ------
    UsageError
        For a target without density, with fitted parameters, or of angles.
    """
    target = given.target
    if target is None:
        raise UsageError(
            "scores: an array cannot drive this test, which moves rows and needs scores at other "
            "places; give functions scores and logdensity, or use kstest ksd"
        )
    if target.fitted:
        raise UsageError(
            f"--target {target.name}: is fitted; this test takes a target whose parameters are "
            "known. kstest ksd refits every simulated sample"
        )
    if target.logpdf is None:
        raise UsageError(
            f"target: {target.name} gives scores alone, which cannot drive this test: moved rows "
            "are accepted by their density. Give it a method logpdf(X), or logdensity beside "
            "scores, or use kstest ksd"
        )
    angles = [name for name, c in zip(target.columns, target.transforms, strict=True) if c.angle]
    if angles:
        raise UsageError(
            f"--target: column {angles[0]!r} is an angle; rows are moved on lines alone. Use "
            "kstest ksd"
        )
    return target


def require_density(target: Target, Y: Array, given: Given) -> None:
    """Refuse rows at which the log density is not a finite number, naming the first."""
    bad = ~np.isfinite(target.log_density(Y))
    if bad.any():
        row = int(np.argmax(bad))
        place = ", ".join(
            f"{c} = {x:.6g}" for c, x in zip(given.columns, given.X[row], strict=True)
        )
        raise DataError(
            f"data: the log density of {given.sample.where(row)} ({place}) is not a finite number; "
            f"{int(bad.sum()):,} rows have none. The target's density vanishes there"
        )
