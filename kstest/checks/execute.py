"""The one place that knows how a test is run: name, files and options in, Results out.

Options have the names of the command line without the dashes, and are checked by the test itself.
Nothing is printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from kstest.frozen import frozen

from ..columns import parse_items
from ..contract import Inputs, StreamTest, Test
from ..engine.work import Work
from ..errors import UsageError
from ..inputs import choose, of_files, params_of
from ..params import as_options
from ..picture import Picture
from ..registry import METHODS
from ..result import Result
from ..run import execute
from ..sources import OPTIONS, ReadOptions, given_options, reader, side_options
from ..sources.paths import expand
from ..wording import shown

DQM = "dqm check"
TESTS = (*METHODS, DQM)
# What `dqm check` says about many batches; the checks of a file have their own rules over time.
OVER_TIME = {"control", "persistence", "per_day"}
# Batches of a run whose pictures are made; each takes seconds.
EXPLAINED = 4


@frozen
class Kind:
    """A test as the file of checks sees it.

    Attributes
    ----------
    name : str
    inputs : Inputs
    roles : tuple of str
        Names of its files.
    options : mapping of str to dataclass field
        By key: those of the test, and those of reading.
    test : Test or None
        None for `dqm check`.
    """

    name: str
    inputs: Inputs[Any]
    roles: tuple[str, ...]
    options: Mapping[str, Any]
    test: Test[Any] | None = None

    @property
    def stream(self) -> bool:
        """Whether its evidence grows with rows that come, and may be kept in a file."""
        return isinstance(self.test, StreamTest)

    @property
    def split(self) -> bool:
        """Whether both sides may be in one table."""
        return "sample-column" in self.options


@frozen
class Answer:
    """A Result, which part of the data it is about (empty for all), and its picture."""

    label: str
    result: Result
    picture: Picture | None = None


@cache
def kind_of(test: str) -> Kind:
    """Look a test up."""
    if test == DQM:
        from ..dqm.check import INPUTS
        from ..shell.dqm import BATCH_READING

        own = [f for f in fields(INPUTS.params) if f.name not in OVER_TIME]
        reading = [f for f in OPTIONS if f.name in BATCH_READING]
        return Kind(test, INPUTS, ("calibration", "batch"), _by_key([*own, *reading]))
    from ..shell.command import offered

    found = METHODS[test].load()
    inputs = found.inputs
    own = [f for f in fields(inputs.params) if not f.metadata.get("hidden")]
    reading = [f for f in reader(inputs.reads).options if offered(f.name, inputs)]
    if len(inputs.roles) > 1 and inputs.reads == "tables":
        reading += [f for role in inputs.roles for f in side_options(role)]
    return Kind(test, inputs, inputs.roles, _by_key([*own, *reading]), found)


def values_keys(kind: Kind) -> tuple[str, ...]:
    """The keys that say which values of sample-column make which side."""
    return tuple(f"{role}-values" for role in kind.roles) if kind.split else ()


def _by_key(declared: Sequence[Any]) -> dict[str, Any]:
    return {f.name.replace("_", "-"): f for f in declared}


def prepared(kind: Kind, options: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Check options without any data; return all of them by name, and the Params.

    Raises
    ------
    UsageError
        As the command of the test has it.
    """
    declared = {f.name: f for f in kind.options.values()}
    for name, value in options.items():
        if name in declared:
            _require_value(name.replace("_", "-"), value, str(declared[name].type))
    given = {f.name: f.default for f in declared.values()}
    given |= {f"{role}_values": None for role in kind.roles if kind.split}
    given |= as_options(tuple(declared.values()), options)
    for name, f in declared.items():
        if isinstance(f.default, tuple):
            given[name] = (given[name],) if isinstance(given[name], str) else tuple(given[name])
    for name in ("columns", "exclude", "categorical"):
        if given.get(name) is not None:
            parse_items(given[name], f"--{name}")
    params = params_of(kind.inputs, given, set(options))
    if kind.test is not None:
        choose(kind.inputs, params, given)
    return given, params


def _require_value(key: str, value: Any, kind: str) -> None:
    """Refuse what TOML can say and an option cannot."""
    several = isinstance(value, list) and kind not in ("int", "float", "bool")
    plain = (str, int, float)
    fits = all(isinstance(v, plain) and not isinstance(v, bool) for v in (value if several else ()))
    if isinstance(value, bool):
        fits = kind == "bool"
    elif not several:
        fits = isinstance(value, plain) and kind != "bool"
    if not fits:
        wanted = {"bool": "true or false", "int": "a whole number", "float": "a number"}
        raise UsageError(f"{key} = {shown(value)}: give {wanted.get(kind, 'text')}.")


def answers(
    kind: Kind,
    inputs: Mapping[str, Sequence[str]],
    options: Mapping[str, Any],
    threads: int,
    state: str | None = None,
    lock_timeout: float = 10.0,
    pictures: bool = False,
) -> list[Answer]:
    """Run a test on files; one answer, or one per batch.

    Parameters
    ----------
    kind : Kind
    inputs : mapping of str to sequence of str
        Files and globs by role; ``table`` alone with the option sample_column.
    options : mapping
        By name, as they were written.
    threads : int
    state : str, optional
        File that keeps the evidence of a stream.
    lock_timeout : float
        Seconds to wait for another process that uses it.
    pictures : bool
        Whether to make pictures of what is rejected.

    Raises
    ------
    KstestError
    """
    given, params = prepared(kind, options)
    sides = {role: list(paths) for role, paths in inputs.items()}
    if kind.test is None:
        return _batches(sides, given, params, threads, pictures)
    if isinstance(kind.test, StreamTest):
        shell = {"state": state, "lock_timeout": lock_timeout, "threads": threads}
        return [Answer("", _streamed(kind.name, kind.test, sides, params, {**given, **shell}))]
    samples, notices = of_files(kind.inputs, params, given, sides)
    reading = given_options(given, reader(kind.inputs.reads).options)
    work = Work(threads=threads)
    result = execute(kind.name, samples, params, notices, work, reading)
    picture = None
    if pictures and result.reject and kind.test.picture is not None:
        picture = kind.test.picture(samples, params, result)
    return [Answer("", result, picture)]


def _streamed(
    name: str,
    test: StreamTest[Any, Any],
    sides: dict[str, list[str]],
    params: Any,
    given: Mapping[str, Any],
) -> Result:
    from ..shell.sequential import taken

    if given["state"] is not None:
        Path(given["state"]).parent.mkdir(parents=True, exist_ok=True)
    shell = {
        "batch_id": None, "allow_duplicate": False, "follow": False, "look_every": None,
        "form": "text", "output": None, "quiet": True,
    }  # fmt: skip
    result, _, _ = taken(name, test, {**given, **shell}, sides, params)
    return result


def _batches(
    inputs: Mapping[str, Sequence[str]],
    given: Mapping[str, Any],
    params: Any,
    threads: int,
    pictures: bool,
) -> list[Answer]:
    from ..dqm.calibration import load
    from ..dqm.check import Judging, judge_all
    from ..dqm.explain import Params, explain
    from ..dqm.windows import Batch
    from ..inputs.batches import batch_options, from_files
    from ..shell.dqm import BATCH_READING

    (calibration,) = inputs["calibration"]
    known = load(calibration)
    how = ReadOptions(**{name: given[name] for name in BATCH_READING})
    read = from_files(None)
    files = [p for path in inputs["batch"] for p in expand(path, "batch")]
    batches = [
        Batch(path, *read("batch", [path], batch_options(known.layout, how, path)), name=path)
        for path in files
    ]
    work = Work(threads=threads)
    parts, results = judge_all(known, batches, params, work)
    found = [Answer(str(r.explanation["batch"]), r) for r in results]
    some = [k for k, r in enumerate(results) if r.reject][:EXPLAINED] if pictures else []
    same = Params(**{f.name: getattr(params, f.name) for f in fields(Judging)})
    for k in some:
        found[k] = replace(found[k], picture=explain(known, parts[k], same, work)[1])
    return found


def begun_alpha(state: str) -> float | None:
    """The level with which the stream in a file was begun; None where there is none yet."""
    from ..streams import state_file

    return state_file.begun_alpha(state) if state_file.exists(state) else None
