"""Keywords that give a density by functions of Python: scores, logdensity and name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ..contract import Inputs
from ..errors import UsageError
from ..run import described
from ..targets import Functions

KEYWORDS = ("scores", "logdensity", "name")


def able(inputs: Inputs[Any]) -> bool:
    """Whether the scores of any density serve a test: its options have columns of scores."""
    return {"target", "score_prefix"} <= {f.name for f in fields(inputs.params)}


def with_functions(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options with functions as the target, where functions were given.

    Raises
    ------
    UsageError
        For functions beside another target, or without a function that is one.
    """
    rest = {k: v for k, v in given.items() if k not in KEYWORDS}
    scores, density = given.get("scores"), given.get("logdensity")
    name = given.get("name")
    if scores is None and density is None:
        if name is not None:
            raise UsageError("name: names functions; give scores or logdensity with it")
        return rest
    for other in ("target", "score_prefix"):
        value = given.get(other)
        if value is not None and not (isinstance(value, str) and not value):
            both = "scores" if scores is not None else "logdensity"
            raise UsageError(f"{both} and {other}: both give the density; drop one")
    if isinstance(scores, str):
        raise UsageError(
            f"scores={scores!r}: give a function or an array; columns of the data that hold scores "
            "are named by score_prefix, and a density is a target"
        )
    if density is not None and not callable(density):
        found = type(density).__name__
        raise UsageError(f"logdensity: found a {found}; accepted: a function of rows, (n, d)")
    if name is not None and not isinstance(name, str):
        raise UsageError(f"name: found a {type(name).__name__}; accepted: text")
    return {**rest, "target": Functions(scores, density, name or "")}


def recorded(given: Mapping[str, Any], columns: tuple[str, ...], params: Any) -> dict[str, Any]:
    """What the record of an answer says of functions: which, and the order of their columns."""
    target = getattr(params, "target", None)
    if not isinstance(target, Functions):
        return {}
    named = {k: described(given[k]) for k in KEYWORDS[:2] if given.get(k) is not None}
    return {"target": target.called, **named, "order_of_columns": list(columns)}
