"""From what the user gave as a target to a Target for the data's columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UsageError
from .aliases import understood
from .build import build, own_columns
from .discrete import DiscreteTarget, build_discrete, is_discrete
from .expression import expression_target, names_in
from .files import SUFFIXES, Expression, read_file
from .language import Spec, read
from .reference import fitted_target
from .scores import from_object, imported, paired
from .target import Target

_LOGP = "logp:"
_PYTHON = "python:"
_FIT = "fit:"
# Columns that begin so hold the score at the row, as `--score-prefix` has it, and are no data.
SCORES = "score_"


def resolve(
    given: Any,
    columns: Sequence[str],
    param: Any = (),
    allow_python: bool = False,
    reference: NDArray[np.float64] | None = None,
) -> Target:
    """Return the Target for data with these columns.

    Parameters
    ----------
    given : str or object
        The text of --target, or a Python object (see `scores.from_object`).
    columns : sequence of str
        Of the data. Columns called 1, 2, ... (an array) take the target's names in its order.
    param : mapping, or sequence of 'NAME=NUMBER'
        Parameters of an expression.
    allow_python : bool
        Let ``python:module:name`` import a module.
    reference : ndarray (m, d), optional
        Rows of the same columns, for ``fit:gmm:K`` and ``fit:kde``.

    Raises
    ------
    UsageError, DataError
        Naming the option, the family, the parameter or the column.
    """
    columns = tuple(columns)
    if not isinstance(given, str):
        if reference is not None or param:
            raise UsageError(
                f"--{'param' if param else 'reference'}: is for a target that is a text; an object "
                "or a function has its numbers itself"
            )
        return from_object(given, columns)
    if given.strip().startswith(_FIT):
        if reference is None:
            raise UsageError(
                f"--target {given}: needs the file to fit, --reference FILE; normal(fit) and "
                "others fit the tested data"
            )
        return fitted_target(given, reference, columns, np.random.default_rng(0))
    if reference is not None:
        raise UsageError("--reference: only fit:gmm:K and fit:kde are fitted to a file")
    if given.strip().startswith(_PYTHON):
        return replace(from_object(imported(given, allow_python), columns), name=given.strip())
    source = _source(given)
    parameters = numbers(param)
    if parameters and not isinstance(source, Expression):
        raise UsageError("--param: only a target 'logp: ...' has parameters of that kind")
    wanted = _wanted(source, parameters)
    bare = columns == tuple(str(c + 1) for c in range(len(columns)))
    if wanted is not None and not set(wanted) <= set(columns):
        placed = bare and len(wanted) == len(columns)
        if not placed and isinstance(source, Spec):
            missing = ", ".join(repr(c) for c in wanted if c not in columns)
            raise DataError(
                f"--target: the data have no column {missing}; they have {', '.join(columns[:10])}"
            )
        if placed:
            target = _build(source, wanted, parameters, given)
            return replace(target, columns=columns)
    return _build(source, columns, parameters, given)


def resolve_discrete(given: Any, columns: Sequence[str]) -> DiscreteTarget | None:
    """Return the distributions of a discrete target for data with these columns; None for a
    density.

    Raises
    ------
    UsageError, DataError
        As `resolve`, and for a product of discrete distributions and densities.
    """
    source = _discrete_source(given)
    return None if source is None else build_discrete(source, tuple(columns), given.strip())


def speaks_of_values(given: Any) -> bool:
    """Whether a target is discrete: it gives probabilities of values and no score."""
    return _discrete_source(given) is not None


def _discrete_source(given: Any) -> Spec | None:
    if not isinstance(given, str) or given.strip().startswith((_PYTHON, _FIT, _LOGP)):
        return None
    source = _source(given)
    return source if isinstance(source, Spec) and is_discrete(source) else None


def chosen_columns(
    given: Any, prefix: str, param: Any = ()
) -> Callable[[Sequence[str]], Sequence[str]]:
    """Return a function from all columns of a file to those worth reading.

    Of all columns those are left out that begin with `SCORES`: they hold scores of the others. The
    answer is the argument itself where nothing is left out.
    """
    if prefix:
        return lambda names: [name for pair in paired(names, prefix) for name in pair]
    if not isinstance(given, str) or given.strip().startswith((_PYTHON, _FIT)):
        return _no_scores
    source = _source(given)
    wanted = _wanted(source, numbers(param))
    if wanted is None:
        return _no_scores
    return lambda names: [n for n in names if n in wanted] or list(names)


def _no_scores(names: Sequence[str]) -> Sequence[str]:
    kept = [name for name in names if not name.startswith(SCORES)]
    if names and not kept:
        raise UsageError(
            f"every column begins with {SCORES!r}, as scores do, which are never data by "
            "themselves; name those to be tested with --columns"
        )
    return names if len(kept) == len(names) else kept


def numbers(param: Any) -> dict[str, float]:
    """Read NAME=NUMBER items, separated by commas or given one by one."""
    if isinstance(param, Mapping):
        items = [(str(k), v) for k, v in param.items()]
    else:
        texts = [param] if isinstance(param, str) else list(param)
        parts = [p for text in texts for p in text.split(",") if p.strip()]
        items = [tuple(p.split("=", 1)) for p in parts]
    out: dict[str, float] = {}
    for item in items:
        name = item[0].strip().strip("`")
        try:
            value = float(item[1])
        except (IndexError, TypeError, ValueError):
            value = float("nan")
        if not name or name.isdecimal() or not abs(value) <= 1e300:
            text = "=".join(map(str, item))
            raise UsageError(f"--param {text}: give NAME=NUMBER, for example s=0.3")
        if name in out:
            raise UsageError(f"--param {name}: is given twice")
        out[name] = value
    return out


def _source(text: str) -> Spec | Expression:
    stripped = text.strip()
    if stripped.startswith(_LOGP):
        return Expression(stripped[len(_LOGP) :])
    found = read_file(stripped) if stripped.lower().endswith(SUFFIXES) else read(stripped)
    return understood(found) if isinstance(found, Spec) else found


def _wanted(source: Spec | Expression, parameters: Mapping[str, float]) -> tuple[str, ...] | None:
    """Columns that the target itself names, in its order."""
    if isinstance(source, Spec):
        return own_columns(source)
    return tuple(sorted(names_in(source.text) - set(parameters) - set(source.parameters)))


def _build(
    source: Spec | Expression, columns: tuple[str, ...], parameters: Mapping[str, float], name: str
) -> Target:
    if isinstance(source, Spec):
        return build(source, columns, name.strip())
    known = {**source.parameters, **parameters}
    return expression_target(source.text, known, columns, source.support)
