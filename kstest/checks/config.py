"""kstest.toml: named checks of any test, and the settings of a run.

::

    [run]
    correction = "holm"

    [checks.orders]
    test = "mmd"
    reference = "exports/{date-7d:%Y-%m-%d}.parquet"
    sample = "exports/{date:%Y-%m-%d}.parquet"
    columns = ["amount", "items"]
    severity = "warn"

Other keys of a check are the options of its test. A key that is none is an error, with its line.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from kstest.frozen import frozen

from ..errors import DataError, KstestError, UsageError
from ..nulls.online import SPENDING
from ..wording import label, shown
from .execute import DQM, TESTS, Kind, kind_of, prepared, values_keys
from .position import line_of
from .settings import Settings, require_type, settings, unknown
from .templates import render

FILE, PROJECT = "kstest.toml", "pyproject.toml"
LARGEST = 1 << 22
SEVERITIES = ("error", "warn")
SCHEMA = ("error", "warn", "off")
OVER_TIME = ("per-run", "spending", "online-fdr", "anytime")
RULES = ("lond", *SPENDING)
OWN = ("test", "severity", "over-time", "horizon", "rule", "by", "schema", "state")
CHOICES = {"severity": SEVERITIES, "over-time": OVER_TIME, "rule": RULES, "schema": SCHEMA}


@frozen
class Check:
    """A named check.

    Attributes
    ----------
    name : str
    kind : Kind
        Of its test.
    inputs : mapping of str to tuple of str
        Files by role, with templates and globs; ``table`` alone with sample-column.
    options : mapping
        Of the test, by the names of its fields, as they are written.
    alpha : float
        Level: of a run, or over all time, as `over_time` has it.
    severity : {'error', 'warn'}
    over_time : {'per-run', 'spending', 'online-fdr', 'anytime'}
    horizon : int
        With spending: the runs over which alpha is spent.
    rule : str
        With online-fdr.
    by : str or None
        Column with a check per level.
    schema : {'error', 'warn', 'off'}
        Severity of what is found about the columns.
    state : str or None
        Given name of the file of a stream.
    where : str
        File and line, for messages.
    """

    name: str
    kind: Kind
    inputs: Mapping[str, tuple[str, ...]]
    options: Mapping[str, Any]
    alpha: float
    severity: str = "error"
    over_time: str = "per-run"
    horizon: int = 0
    rule: str = "lond"
    by: str | None = None
    schema: str = "warn"
    state: str | None = None
    where: str = ""

    @property
    def digest(self) -> str:
        """Of all that decides what is tested, for telling whether data were looked at before."""
        told = [self.kind.name, self.inputs, self.options, self.alpha, self.by]
        text = json.dumps(told, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()

    def files(self, now: datetime) -> dict[str, list[str]]:
        """Its files in a run at some time."""
        return {role: [render(p, now) for p in paths] for role, paths in self.inputs.items()}


@frozen
class Config:
    """What a file says.

    Attributes
    ----------
    path : str
    folder : str
        Paths in the file are relative to it.
    digest : str
        SHA-256 of the bytes.
    settings : Settings
    checks : mapping of str to Check
    """

    path: str
    folder: str
    digest: str
    settings: Settings
    checks: Mapping[str, Check]

    def chosen(self, names: tuple[str, ...]) -> list[Check]:
        """The checks of these names, all without any.

        Raises
        ------
        UsageError
        """
        for name in names:
            if name not in self.checks:
                raise UsageError(unknown(f"{label(self.path)}: [checks]", name, [*self.checks]))
        return [c for c in self.checks.values() if not names or c.name in names]


def find(given: str | None, start: str = ".") -> str:
    """The file of checks: as given, or by KSTEST_CONFIG, or the nearest one upwards.

    The search ends at the root of a repository.

    Raises
    ------
    UsageError
    """
    named = given or os.environ.get("KSTEST_CONFIG")
    if named:
        return named
    here = Path(start).resolve()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return os.path.relpath(folder / FILE)
        if (folder / PROJECT).is_file() and _in_project(folder / PROJECT):
            return os.path.relpath(folder / PROJECT)
        if (folder / ".git").exists():
            break
    raise UsageError(
        f"no {FILE} here or above, and no [tool.kstest] in a {PROJECT}; kstest init REFERENCE NEW "
        "writes one, --config FILE names one."
    )


def _in_project(path: Path) -> bool:
    try:
        return "kstest" in tomllib.loads(path.read_text("utf-8")).get("tool", {})
    except (OSError, ValueError, AttributeError):
        return False


def load(path: str, flags: Mapping[str, Any]) -> Config:
    """Read a file of checks, and check all of it without any data.

    Parameters
    ----------
    path : str
    flags : mapping
        Settings from the command line, by name; None where one was not given.

    Raises
    ------
    DataError, UsageError
        With the file, and the line where there is one.
    """
    content = _read(path)
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
        whole = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise DataError(f"{label(path)}: is no text in UTF-8 ({error.reason}).") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        why = str(error) if isinstance(error, ValueError) else "too many brackets"
        raise DataError(f"{label(path)}: cannot be read as TOML: {why}.") from error
    above = ("tool", "kstest") if Path(path).name == PROJECT else ()

    def where(*keys: str) -> str:
        found = line_of(text, (*above, *keys))
        return label(path) if found is None else f"{label(path)}: line {found}"

    table: Any = whole
    for name in above:
        table = table.get(name, {}) if isinstance(table, dict) else {}
    for key in table if isinstance(table, dict) else ():
        if key not in ("run", "checks"):
            raise UsageError(f"{where(key)}: {unknown('the file', key, ('run', 'checks'))}")
    run, named = (_table(table, key, where) for key in ("run", "checks"))
    chosen = settings(flags, run, lambda key: where("run", key))
    checks = {}
    for name in named:
        entry = _table(named, name, lambda *keys: where("checks", *keys))
        checks[name] = _check(name, entry, chosen, lambda *keys, n=name: where("checks", n, *keys))
    if not checks:
        raise UsageError(f"{label(path)}: has no [checks.NAME]; write one, or try kstest init.")
    digest = hashlib.sha256(content).hexdigest()
    folder = os.path.dirname(os.path.abspath(path))
    return Config(path, folder, digest, chosen, checks)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            content = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(f"{label(path)}: cannot be read: {why}") from error
    if len(content) > LARGEST:
        raise DataError(f"{label(path)}: is too large to be a file of checks.")
    return content


Where = Callable[..., str]


def _table(table: Any, key: str, where: Where) -> dict[str, Any]:
    found = table.get(key, {}) if isinstance(table, dict) else {}
    if not isinstance(found, dict):
        raise UsageError(f"{where(key)}: {key} is no table; write [{key}] or [checks.{key}].")
    return found


def _check(name: str, table: dict[str, Any], run: Settings, where: Where) -> Check:
    title = f"[checks.{name}]"
    if not name or len(name) > 100 or not name.isprintable() or "/" in name:
        raise UsageError(
            f"{where()}: {shown(name)} is no name of a check; give one without a slash, of at most "
            "100 characters."
        )
    test = table.get("test")
    if test not in TESTS:
        what = f"has no test {shown(test)}" if "test" in table else "does not say which test"
        raise UsageError(f"{where('test')}: {title} {what}; choose from {', '.join(TESTS)}.")
    kind = kind_of(test)
    own = _own(table, title, where)
    roles = ("table",) if "sample-column" in table else kind.roles
    known = (*OWN, *kind.roles, *kind.options, *(("table",) if kind.split else ()))
    for key in table:
        if key not in (*known, *values_keys(kind)):
            raise UsageError(f"{where(key)}: {unknown(title, key, (*known, *values_keys(kind)))}")
    spare = kind.inputs.roles[kind.inputs.least :]
    roles = tuple(role for role in roles if role in table or role not in spare)
    inputs = {role: _files(table, role, title, where) for role in roles}
    taken = {*OWN, *kind.roles, "table"}
    options = {k.replace("-", "_"): v for k, v in table.items() if k not in taken}
    options.setdefault("alpha", run.alpha)
    try:
        prepared(kind, options)
    except KstestError as error:
        at = next((k for k in table if f"{k} " in str(error) or f"{k}:" in str(error)), "test")
        raise UsageError(f"{where(at)}: {title}: {error}") from error
    default = "anytime" if kind.stream else "per-run"
    own = {"over_time": default, **own}
    made = Check(name, kind, inputs, options, float(options["alpha"]), where=where(), **own)
    _require_consistent(made, title, where)
    return made


def _own(table: Mapping[str, Any], title: str, where: Where) -> dict[str, Any]:
    """The keys that every check has."""
    found: dict[str, Any] = {}
    for key in OWN[1:]:
        if key not in table:
            continue
        value = table[key]
        require_type(value, int if key == "horizon" else str, f"{where(key)}: {title} {key}")
        if value not in CHOICES.get(key, (value,)):
            raise UsageError(
                f"{where(key)}: {title} {key} = {shown(value)}: choose from "
                f"{', '.join(CHOICES[key])}."
            )
        found[key.replace("-", "_")] = value
    return found


def _files(table: Mapping[str, Any], role: str, title: str, where: Where) -> tuple[str, ...]:
    value = table.get(role)
    paths = [value] if isinstance(value, str) else value
    if not isinstance(paths, list) or not paths or not all(isinstance(p, str) for p in paths):
        raise UsageError(
            f"{where(role)}: {title} needs {role} = a file, a glob, or a list of them."
        )
    if "-" in paths:
        raise UsageError(f"{where(role)}: {title} {role}: standard input is for a single test.")
    for path in paths:
        try:
            render(path, datetime(2026, 1, 31))
        except UsageError as error:
            raise UsageError(f"{where(role)}: {title} {role} = {error}") from error
    return tuple(paths)


def _require_consistent(check: Check, title: str, where: Where) -> None:
    """Refuse keys that contradict each other."""
    stream, how = check.kind.stream, check.over_time
    if (how == "anytime") and not stream:
        raise UsageError(
            f"{where('over-time')}: {title} over-time = 'anytime' is for the tests of streams, "
            f"skit, smmd and sksd; for {check.kind.name} choose per-run, spending or online-fdr."
        )
    if how == "spending" and check.horizon < 1:
        raise UsageError(
            f"{where('over-time')}: {title} over-time = 'spending' needs horizon = the number of "
            "runs over which the level is spent."
        )
    if check.horizon and how != "spending":
        raise UsageError(f"{where('horizon')}: {title} horizon is for over-time = 'spending'.")
    if check.state is not None and how != "anytime":
        raise UsageError(f"{where('state')}: {title} state is for over-time = 'anytime'.")
    if check.by is not None and (stream or check.kind.name == DQM or "table" in check.inputs):
        raise UsageError(
            f"{where('by')}: {title} by is for tests of whole files with a file for each side; "
            "here write a check per level, with where."
        )
    if check.kind.name == DQM and len(check.inputs["calibration"]) != 1:
        raise UsageError(f"{where('calibration')}: {title} takes one calibration.")
