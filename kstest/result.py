"""Result: one shape for every test, and the only thing reports may look at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal

SCHEMA_VERSION = 1

Verdict = Literal["rejected", "not rejected", "no verdict"]

EXIT_CODES: dict[Verdict, int] = {"not rejected": 0, "rejected": 1, "no verdict": 3}


@dataclass(frozen=True)
class Notice:
    """Something the user should know about the run; `code` is stable, `message` is for people."""

    code: str
    message: str


@dataclass(frozen=True)
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
    explanation : mapping
        What drives the verdict.
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
    explanation: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[Notice, ...] = ()
    inputs: tuple[Mapping[str, Any], ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def reject(self) -> bool | None:
        return None if self.verdict == "no verdict" else self.verdict == "rejected"

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
        return {name: plain(getattr(self, name)) for name in (*order, *rest)}


def unvarying(base: Result, labellings: str, when: str) -> Result:
    """No verdict, because the statistic is the same under every draw of the null.

    p would be 1 whatever the data are, so that "not rejected" would mean nothing.

    Parameters
    ----------
    base : Result
        As it stands before the verdict.
    labellings : str
        What the null draws, after "the same under every".
    when : str
        How that comes about, after "as when".
    """
    notice = Notice(
        "constant-statistic",
        f"the statistic is the same under every {labellings}, so the test sees nothing in these "
        f"data, as when {when}",
    )
    if base.e_value is None:  # evidence that grows is told as it is
        base = replace(base, statistic=None, p_value=None, threshold=None)
    return replace(
        base,
        verdict="no verdict",
        explanation={
            **base.explanation,
            "summary": "no decision is possible: the test sees nothing in these data",
        },
        warnings=(notice, *base.warnings),
    )


def plain(value: Any) -> Any:
    """Reduce `value` to what JSON can say: mappings, lists, strings, finite numbers, None."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, without importing NumPy
        return plain(value.tolist())
    return [plain(v) for v in value]
