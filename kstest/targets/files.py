"""Targets in a file: YAML 1.2, TOML or JSON, the same keys as the mini-language. In TOML

::

    family = "gaussian_mixture"             [columns.wait]
    columns = ["x", "y"]                    family = "exponential"
    weights = [0.3, 0.7]                    scale = 2.0
    means = [[0, 0], [3, 1]]                [columns.size]
    covariances = [1, 1]                    family = "gamma"
                                            shape = 2

or an expression: ``logp = "-0.5*x**2"``, a table ``parameters`` and a table ``support`` with
``x = [0, "inf"]`` or ``x = "angle"``. The second of these in YAML::

    columns:
      wait: {family: exponential, scale: 2}
      size: {family: gamma, shape: 2}
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from kstest.frozen import frozen

from ..errors import DataError
from ..syntax import shorten
from ..wording import meant_file
from .language import Spec
from .transforms import ANGLE, Transform

YAML_SUFFIXES = (".yaml", ".yml")
# By suffix, so that no file takes more than some seconds to read: JSON is parsed by compiled code.
MOST_BYTES = {".json": 10_000_000, ".toml": 1_000_000, ".yaml": 200_000, ".yml": 200_000}
# Tables and lists in each other; a list of matrices needs five.
MOST_DEPTH = 20
SUFFIXES = (".toml", ".json", *YAML_SUFFIXES)


@frozen
class Expression:
    """A log density in column names, with parameters and the support of columns."""

    text: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    support: Mapping[str, Transform] = field(default_factory=dict)


def read_file(path: str) -> Spec | Expression:
    """Read a target from a YAML, TOML or JSON file, by its suffix.

    Raises
    ------
    DataError
        Naming the file and the key.
    """
    file = Path(path)
    try:
        most = MOST_BYTES[file.suffix.lower()]
        with file.open("rb") as stream:
            content = stream.read(most + 1)
        if len(content) > most:
            other = "" if most == max(MOST_BYTES.values()) else "; larger ones are written in JSON"
            raise DataError(f"--target {path}: larger than {most:,} bytes{other}")
        text = content.decode("utf-8-sig")
    except OSError as error:
        hint = meant_file(path) if isinstance(error, FileNotFoundError) else ""
        raise DataError(f"--target {path}: cannot be read: {error.strerror}{hint}") from None
    except UnicodeDecodeError:
        raise DataError(f"--target {path}: is not UTF-8 text") from None
    try:
        table = _parse(text, file.suffix.lower())
        _require_shallow(table)
    except (ValueError, RecursionError) as error:
        raise DataError(f"--target {path}: cannot be read: {shorten(str(error), 200)}") from None
    if not isinstance(table, dict):
        raise DataError(f"--target {path}: expected a table of keys, such as family and mean")
    _check_keys(table, path)
    if "logp" in table:
        return _expression(table, path)
    return _spec(table, path)


def _parse(text: str, suffix: str) -> Any:
    """The table of a file; `ValueError` says what is wrong with it."""
    if suffix == ".json":
        return json.loads(text, object_pairs_hook=once)
    if suffix == ".toml":
        # The parser takes the square of the depth of a dotted name.
        for number, line in enumerate(text.splitlines(), 1):
            if line.partition("=")[0].count(".") > MOST_DEPTH and line.lstrip()[:1] != "#":
                raise ValueError(f"line {number}: {TOO_DEEP}")
        return tomllib.loads(text)
    # Loaded here because the other formats should not pay for it. YAML 1.2, where `1e-3` is a
    # number and a column may be called `no` or `y`.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

    try:
        depth = 0
        for event in YAML(typ="safe", pure=True).parse(text):
            # A few lines of references to references can stand for billions of values.
            if isinstance(event, AliasEvent):
                raise ValueError("write values out instead of referring to them by *")
            depth += isinstance(event, CollectionStartEvent)
            depth -= isinstance(event, CollectionEndEvent)
            if depth > MOST_DEPTH:
                raise ValueError(f"line {event.start_mark.line + 1}: {TOO_DEEP}")
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        said = getattr(error, "problem", None) or " ".join(str(error).split())
        raise ValueError(f"{where}{said}") from None


TOO_DEEP = f"tables or lists are nested more than {MOST_DEPTH} deep"


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A table of JSON, in which no key may come twice."""
    out = dict(pairs)
    if len(out) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {shorten(twice)!r} is there twice")
    return out


def _require_shallow(value: Any) -> None:
    """Refuse deep nesting, without a call per level."""
    level = [value]
    for _ in range(MOST_DEPTH + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise ValueError(TOO_DEEP)


def _check_keys(table: dict[Any, Any], path: str) -> None:
    """Only YAML has keys that are no texts: a column called 1 is to be written "1" there."""
    for key, value in table.items():
        if not isinstance(key, str):
            raise DataError(
                f"--target {path}: keys must be texts, found {shorten(repr(key))}; put it in quotes"
            )
        if isinstance(value, dict):
            _check_keys(value, path)


def _spec(table: dict[str, Any], path: str) -> Spec:
    values = dict(table)
    columns = values.pop("columns", None)
    family = values.pop("family", None)
    if isinstance(columns, dict):
        if family not in (None, "product") or values:
            raise DataError(f"--target {path}: beside [columns.NAME] tables no other key is read")
        parts = {}
        for name, part in columns.items():
            if not isinstance(part, dict):
                raise DataError(f"--target {path}: columns.{name} must be a table with family")
            parts[name] = _spec(part, path)
        return Spec("product", named=parts)
    if not isinstance(family, str):
        raise DataError(
            f'--target {path}: the key family is missing, for example family = "normal"'
        )
    fit = values.pop("fit", False)
    if not isinstance(fit, bool):
        raise DataError(f"--target {path}: fit must be true or false")
    if columns is not None and not (
        isinstance(columns, list) and columns and all(isinstance(c, str) for c in columns)
    ):
        raise DataError(f"--target {path}: columns must be a list of names")
    chosen = list(columns or ())
    twice = next((c for c in chosen if chosen.count(c) > 1), None)
    if twice is not None:
        raise DataError(f"--target {path}: columns names {twice!r} twice")
    named = {name: _number(value, path, name) for name, value in values.items()}
    return Spec(family, named=named, fit=fit, columns=None if columns is None else tuple(columns))


def _expression(table: dict[str, Any], path: str) -> Expression:
    unknown = sorted(set(table) - {"logp", "parameters", "support"})
    if unknown:
        raise DataError(
            f"--target {path}: unknown key {unknown[0]!r}; beside logp there may be parameters "
            "and support"
        )
    text, parameters = table["logp"], table.get("parameters", {})
    support = table.get("support", {})
    if (
        not isinstance(text, str)
        or not isinstance(parameters, dict)
        or not isinstance(support, dict)
    ):
        raise DataError(f"--target {path}: logp must be a text, parameters and support tables")
    transforms = {}
    for name, value in support.items():
        if value == "angle":
            transforms[name] = ANGLE
            continue
        ends = _number(value, path, f"support.{name}")
        if not (isinstance(ends, list) and len(ends) == 2 and ends[0] < ends[1]):
            raise DataError(
                f'--target {path}: support.{name} takes [low, high], such as [0, "inf"], or "angle"'
            )
        transforms[name] = Transform(ends[0], ends[1])
    values = {}
    for name, value in parameters.items():
        values[name] = _number(value, path, f"parameters.{name}")
        if not isinstance(values[name], float):
            raise DataError(f"--target {path}: parameters.{name} must be a number")
    return Expression(text, values, transforms)


def _number(value: Any, path: str, key: str) -> Any:
    """A number or nested list of numbers as floats."""
    if isinstance(value, list):
        return [_number(item, path, key) for item in value]
    if value in ("inf", "-inf"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"--target {path}: {key} must hold numbers, found {shorten(repr(value))}")
    try:
        number = float(value)
    except OverflowError:
        number = math.nan
    if math.isnan(number):
        raise DataError(f"--target {path}: {key} holds a number that is too large or not one")
    return number
