"""Result: one shape for every test, and the only thing reports may look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields, replace
from typing import TYPE_CHECKING, Any

from kstest.frozen import frozen

from .findings import (
    Column,
    Facts,
    Finding,
    Headline,
    Line,
    Table,
    Verdict,
    joined,
    plain,
    summary,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EXIT_CODES", "SCHEMA_VERSION", "Answer", "Notice", "Result", "Verdict", "plain"]

SCHEMA_VERSION = 1

EXIT_CODES: dict[Verdict, int] = {"not rejected": 0, "rejected": 1, "no verdict": 3}


@frozen
class Notice:
    """Something the user should know about the run; `code` is stable, `message` is for people."""

    code: str
    message: str


@frozen
class Result:
    """What a test found, what that rests on, and where it came from.

    The attributes are the keys of the JSON object, in its order. Absent numbers are None, so
    the JSON is always valid.

    Attributes
    ----------
    method : str
        Name in the registry, for example ``mmd``.
    verdict : {'rejected', 'not rejected', 'no verdict'}
        "not rejected" is never evidence that the null hypothesis is true.
    reject : bool or None
        None when there is no verdict.
    statistic, p_value, e_value : float or None
        The evidence; a test gives a p-value or an e-value.
    alpha : float
        Level of the test.
    threshold : float or None
        The value of the statistic from which on the test rejects.
    n : mapping of str to int
        Rows used, by sample name.
    d : int
        Number of columns used.
    columns : tuple of str
        Their names.
    kernel : mapping
        ``name`` and ``bandwidths`` (in units of the scaled columns; where each block of columns
        has its own, a list per combination).
    null : mapping
        ``scheme``, ``replicates`` and ``exact``: whether the p-value is valid at every sample
        size, over the data and the random seed.
    findings : tuple of Finding
        What drives the verdict; see `kstest.findings`.
    explanation : mapping
        The same, as values by their keys; in the JSON object this stands for the findings.
    warnings : tuple of Notice
        What may weaken it.
    inputs : tuple of mapping
        The files and what was read, used and dropped of each.
    params : mapping
        Every option of the run.
    provenance : mapping
        Versions, seed, start time (UTC), seconds and threads.
    """

    method: str
    verdict: Verdict
    alpha: float
    statistic: float | None = None
    p_value: float | None = None
    e_value: float | None = None
    threshold: float | None = None
    n: Mapping[str, int] = field(default_factory=dict)
    d: int = 0
    columns: tuple[str, ...] = ()
    kernel: Mapping[str, Any] = field(default_factory=dict)
    null: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    warnings: tuple[Notice, ...] = ()
    inputs: tuple[Mapping[str, Any], ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def reject(self) -> bool | None:
        return None if self.verdict == "no verdict" else self.verdict == "rejected"

    @property
    def explanation(self) -> dict[str, Any]:
        return {f.key: f.value for f in self.findings}

    def told(self, *findings: Finding, **changes: Any) -> Result:
        """Return the result with more findings, in place of those of the same keys, and changes."""
        return replace(self, findings=joined(self.findings, findings), **changes)

    def __bool__(self) -> bool:
        """Refuse: a Result would be true whatever it says, and `assert test(X, Y)` always pass."""
        raise TypeError(
            "a Result is neither true nor false; ask result.reject (True, False, or None where "
            "there is no verdict) or result.verdict"
        )

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object as plain Python values; NaN and infinities become None."""
        order = ("schema_version", "method", "verdict", "reject", "statistic", "p_value")
        rest = (f.name for f in fields(self) if f.name not in order)
        names = ("explanation" if name == "findings" else name for name in (*order, *rest))
        return {name: plain(getattr(self, name)) for name in names}

    def documents(self) -> list[dict[str, Any]]:
        """The JSON object alone; see `Answer.documents`."""
        return [self.to_dict()]

    def to_frame(self, key: str | None = None) -> pd.DataFrame:
        """Return the result, or a table among its findings, as a pandas DataFrame.

        Parameters
        ----------
        key : str, optional
            Of a finding that is a list of rows, for example ``columns``: a row for each. By
            default one row with the numbers of the result, so that many results are put below
            each other by `pandas.concat`.

        Raises
        ------
        KeyError
            If no finding of that key has rows.

        Examples
        --------
        >>> import kstest, numpy
        >>> rng = numpy.random.default_rng(1)
        >>> result = kstest.ks(rng.normal(size=(90, 2)), rng.normal(size=(90, 2)))
        >>> result.to_frame().shape, len(result.to_frame("columns"))
        ((1, 12), 2)
        """
        import pandas as pd

        if key is not None:
            tables = {f.key: f for f in self.findings if not isinstance(f.value, str | Mapping)}
            tables = {k: f for k, f in tables.items() if _has_rows(f.to_json())}
            if key not in tables:
                found = ", ".join(tables) or "none"
                raise KeyError(f"no finding {key!r} has rows; those that have: {found}")
            return pd.DataFrame(tables[key].to_json())
        row = self.to_dict()
        simple = {k: v for k, v in row.items() if not isinstance(v, list | dict)}
        named = {f"n_{name}": rows for name, rows in self.n.items()}
        return pd.DataFrame([{**simple, **named}])


def _has_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


@frozen
class Answer:
    """What a command says that runs no single test: a plan, a calibration, many batches.

    Attributes
    ----------
    findings : tuple of Finding
        In the JSON object each under its key, in this order.
    headline : Headline or None
    warnings : tuple of Notice
        For people; the JSON object has them where a finding says so.
    parts : tuple of Result
        For an answer of several results, of which its findings tell in short. The JSON document
        is the list of them.
    """

    findings: tuple[Finding, ...]
    headline: Headline | None = None
    warnings: tuple[Notice, ...] = ()
    parts: tuple[Result, ...] = ()

    def documents(self) -> list[dict[str, Any]]:
        """The JSON objects, one for each line of JSON lines."""
        if self.parts:
            return [part.to_dict() for part in self.parts]
        return [{f.key: f.to_json() for f in self.findings}]


def document(command: str, answer: Any, *left_out: str) -> dict[str, Any]:
    """The JSON object of an answer that is a dataclass: its fields under the name of a command."""
    names = (f.name for f in fields(answer) if f.name not in left_out)
    found = {"schema_version": SCHEMA_VERSION, "command": command}
    return {**found, **{name: plain(getattr(answer, name)) for name in names}}


def answered(
    found: Mapping[str, Any],
    said: Mapping[str, Sequence[tuple[str, str]]],
    headline: Headline,
    warnings: Sequence[Notice],
    table: tuple[str, Sequence[Column], str] = ("", (), ""),
) -> Answer:
    """An answer from its JSON object, and from labels with texts of some of its keys.

    `table` names the key whose rows are shown, with their columns and a title.
    """
    findings: list[Finding] = []
    for order, (key, value) in enumerate(found.items()):
        lines = tuple(Line(label, text, order=order) for label, text in said.get(key, ()))
        if key == table[0] and value:
            columns = tuple(table[1])
            findings.append(Table(key, value, columns, table[2], lines=lines, printed="last"))
        else:
            findings.append(Facts(key, value, lines))
    return Answer(tuple(findings), headline, tuple(warnings))


def unvarying(base: Result, draws: str, when: str) -> Result:
    """No verdict, because the statistic is the same under every draw of the null.

    p would be 1 whatever the data are, so that "not rejected" would mean nothing.

    Parameters
    ----------
    base : Result
        As it stands before the verdict.
    draws : str
        What the null draws, after "the same under every".
    when : str
        How that comes about, after "as when".
    """
    notice = Notice(
        "constant-statistic",
        f"the statistic is the same under every {draws}, so the test sees nothing in these "
        f"data, as when {when}",
    )
    if base.e_value is None:  # evidence that grows is told as it is
        base = replace(base, statistic=None, p_value=None, threshold=None)
    return base.told(
        summary("no decision is possible: the test sees nothing in these data"),
        verdict="no verdict",
        warnings=(notice, *base.warnings),
    )
