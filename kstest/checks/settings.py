"""What holds for a whole run, and where each value came from: flag, environment, file, default."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, fields
from typing import Any

from kstest.frozen import frozen

from ..errors import UsageError
from ..nulls.several import P_VALUE_CORRECTIONS
from ..params import option
from ..wording import shown
from .templates import duration

FAIL_ON = ("error", "warn", "never")


@frozen
class Settings:
    """Settings of a run: keys of ``[run]``, flags of ``kstest run``, variables ``KSTEST_NAME``.

    `origins` says of each where its value came from.
    """

    alpha: float = option(
        0.05, "Level over all checks of a run, and of a check that names no level of its own."
    )
    correction: str = option(
        "holm",
        "Correction for the number of checks in a run: holm keeps the chance of any false alarm, "
        "bh and by the share of false ones among the alarms.",
        choices=tuple(P_VALUE_CORRECTIONS),
    )
    fail_on: str = option(
        "error",
        "Which rejected checks make the exit code 1: those of severity error, warned ones too, or "
        "none.",
        choices=FAIL_ON,
    )
    threads: int = option(0, "Threads. 0: all processors. The answers do not depend on it.")
    history: str = option(
        ".kstest/history.db", "File that remembers every run; none remembers nothing."
    )
    every: str = option(
        "", "How often this runs, such as 1h, to state false alarms per month.", metavar="TIME"
    )
    keep: int = option(1000, "Runs whose whole results stay in the history; of others a line does.")
    origins: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for f in DECLARED:
            value, choices = getattr(self, f.name), f.metadata["choices"]
            if choices and value not in choices:
                raise self._wrong(f.name, f"choose from {', '.join(choices)}")
        if not 0 < self.alpha < 1:
            raise self._wrong("alpha", "give a number between 0 and 1, such as 0.05")
        if not 0 <= self.threads <= 1024:
            raise self._wrong("threads", "give a number from 0 to 1024")
        if self.keep < 1:
            raise self._wrong("keep", "give a number of runs, 1 or more")
        if not self.history:
            raise self._wrong("history", "give the name of a file, or none")
        if self.every:
            try:
                duration(self.every)
            except UsageError as error:
                raise self._wrong("every", str(error).partition(": ")[2]) from error

    def _wrong(self, name: str, advice: str) -> UsageError:
        where = self.origins.get(name, "")
        key = name.replace("_", "-")
        words = f"{where}: {key}" if where.endswith(tuple("0123456789")) else where or key
        return UsageError(f"{words} {shown(getattr(self, name))}: {advice.rstrip('.')}.")


DECLARED = tuple(f for f in fields(Settings) if "help" in f.metadata)
KEYS = tuple(f.name.replace("_", "-") for f in DECLARED)


def settings(
    flags: Mapping[str, Any],
    table: Mapping[str, Any],
    where: Callable[[str], str],
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Settings of a run: a flag before a variable, before the file, before the default.

    Parameters
    ----------
    flags : mapping
        By the names of the fields; None where a flag was not given.
    table : mapping
        ``[run]`` of the file, by key.
    where : callable
        Says of a key of the file where it stands.
    environment : mapping, optional

    Raises
    ------
    UsageError
    """
    environment = os.environ if environment is None else environment
    for key in table:
        if key not in KEYS:
            raise UsageError(f"{where(key)}: {unknown('[run]', key, KEYS)}")
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for f in DECLARED:
        key, variable = f.name.replace("_", "-"), f"KSTEST_{f.name.upper()}"
        if flags.get(f.name) is not None:
            values[f.name], origins[f.name] = flags[f.name], f"--{key}"
        elif environment.get(variable):
            values[f.name], origins[f.name] = environment[variable], variable
            values[f.name] = _number(environment[variable], type(f.default), variable)
        elif key in table:
            values[f.name], origins[f.name] = table[key], where(key)
            require_type(table[key], type(f.default), f"{where(key)}: {key}")
        else:
            origins[f.name] = "default"
    return Settings(**values, origins=origins)


def require_type(value: Any, kind: type, label: str) -> None:
    """Refuse a value of another type; a whole number does for one that need not be whole."""
    accepted = (int, float) if kind is float else (kind,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        words = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}
        raise UsageError(f"{label} = {shown(value)}: give {words[kind]}.")


def _number(text: str, kind: type, variable: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise UsageError(f"{variable}={shown(text)}: give {what}.") from None


def unknown(table: str, key: str, known: Sequence[str]) -> str:
    """What to say of a key that is none, with the one that was perhaps meant."""
    close = difflib.get_close_matches(key[:100].lower().replace("_", "-"), known, 1, 0.6)
    meant = f"; did you mean {close[0]!r}?" if close else "."
    return f"{table} has no key {shown(key)}{meant} It has {', '.join(sorted(known))}."
