"""The file of a sketch: JSON with a closed set of keys and a digest of itself.

Nothing in it is executed, and every value is checked before anything is computed. It holds what the
release says to anybody: the noisy sum of features, what it protects, n, the seed of the
frequencies, units and columns. It never holds a path, a name of a user, or a time.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from kstest.frozen import frozen

from ..about import __version__
from ..archive.schema import Number, Word, real
from ..errors import DataError
from ..wording import label, meant_file
from .accounting import DELTA, EPSILON, Privacy, epsilon_of, sensitivity_squared
from .features import AMPLITUDE, BANDWIDTHS, PAIRS, STEPS, WIDTH, Frequencies
from .recognise import KIND
from .units import Declared, declared, frequencies

VERSION = 1
MOST_BYTES = 50_000_000
# The map of rows to features; another one is another version.
FEATURES = {
    "pairs": PAIRS, "bandwidths": list(BANDWIDTHS), "steps": STEPS, "amplitude": AMPLITUDE,
}  # fmt: skip
REVIEW = "experimental: no outside review of this release has been made"


@frozen
class Sketch:
    """What may leave.

    Attributes
    ----------
    columns : tuple of Declared
        Numeric ones first.
    seed : int
        Of the frequencies.
    n : int
        Rows in the sum.
    sums : tuple of int
        Of the features of all rows, with noise; `WIDTH` of them.
    privacy : Privacy
    digest : str
        Of the file; empty before it is one.
    """

    columns: tuple[Declared, ...]
    seed: int
    n: int
    sums: tuple[int, ...]
    privacy: Privacy
    digest: str = ""

    @property
    def frequencies(self) -> Frequencies:
        return frequencies(self.columns, self.seed)


def text_of(sketch: Sketch) -> tuple[str, str]:
    """The content of the file, and its digest."""
    privacy = sketch.privacy
    found: dict[str, Any] = {
        "kstest": KIND,
        "version": VERSION,
        "review": REVIEW,
        "written_by": __version__,
        "privacy": {
            "epsilon": privacy.epsilon,
            "delta": privacy.delta,
            "rho": float(privacy.rho),
            "neighbours": "rows" if privacy.rows_per_group is None else "groups",
            "rows_per_group": privacy.rows_per_group,
            "noise": "discrete Gaussian",
            "sensitivity2": sensitivity_squared(privacy.rows_per_group),
            "sigma2": privacy.sigma2,
        },
        "n": sketch.n,
        "columns": {c.name: _said(c) for c in sketch.columns},
        "features": {**FEATURES, "seed": sketch.seed, "check": sketch.frequencies.check},
        "sum": list(sketch.sums),
    }
    digest = _digest(found)
    found["sha256"] = digest
    lines = (f"{json.dumps(key)}: {_json(value)}" for key, value in found.items())
    return "{" + ",\n ".join(lines) + "}\n", digest


def _said(column: Declared) -> dict[str, Any]:
    if column.levels:
        return {"levels": list(column.levels)}
    return {"unit": column.unit, "centre": column.centre}


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=True)


def _digest(found: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in found.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def load(path: str) -> Sketch:
    """Read a sketch.

    Raises
    ------
    DataError
        If the file cannot be read, is no sketch, is damaged, or of another version.
    """
    found = load_json(path, KIND, VERSION)
    try:
        sketch = _sketch(found)
        if sketch.frequencies.check != found["features"]["check"]:
            raise ValueError("its frequencies cannot be drawn again")
        expected = json.loads(text_of(sketch)[0])
        for key in ("written_by", "sha256", "review"):
            expected[key] = found[key]
        if expected != found:
            wrong = [key for key in {*found, *expected} if found.get(key) != expected.get(key)]
            raise ValueError(f"{', '.join(sorted(wrong))} cannot be")
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, DataError) as error:
        raise DataError(
            f"{label(path)}: is a sketch, but none that this kstest writes ({error}); ask for it "
            "again"
        ) from error
    return sketch


def _sketch(found: Mapping[str, Any]) -> Sketch:
    privacy, features, sums = found["privacy"], found["features"], found["sum"]
    rows = privacy["rows_per_group"]
    sizes: dict[str, Any] = {}
    real(*EPSILON).check("epsilon", privacy["epsilon"], sizes)
    real(*DELTA).check("delta", privacy["delta"], sizes)
    Number(1, 10**60).check("sigma2", privacy["sigma2"], sizes)
    Number(0, 2**32 - 1).check("seed", features["seed"], sizes)
    Number(1).check("n", found["n"], sizes)
    for name in ("written_by", "review"):
        Word().check(name, found[name], sizes)
    if rows is not None:
        Number(1, 10**9).check("rows_per_group", rows, sizes)
    held = Privacy(float(privacy["epsilon"]), float(privacy["delta"]), privacy["sigma2"], rows)
    if epsilon_of(float(held.rho), held.delta) > held.epsilon * (1 + 1e-6):
        raise ValueError("its noise does not keep what it promises")
    # The noise is beyond 40 standard deviations in one of 10^340 releases.
    most = found["n"] * AMPLITUDE + 40 * (math.isqrt(held.sigma2) + 1)
    if not isinstance(sums, list) or len(sums) != WIDTH:
        raise ValueError(f"sum has not {WIDTH} numbers")
    for value in sums:
        Number(-most, most).check("sum", value, sizes)
    columns = declared(found["columns"], "columns")
    ordered = tuple(sorted(columns, key=lambda c: bool(c.levels)))
    return Sketch(ordered, features["seed"], found["n"], tuple(sums), held, found["sha256"])


def load_json(path: str, kind: str, version: int) -> dict[str, Any]:
    """Read a JSON object of kstest that holds its own digest.

    Raises
    ------
    DataError
    """
    try:
        with open(path, "rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        hint = meant_file(path) if isinstance(error, FileNotFoundError) else ""
        reason = error.strerror or error
        raise DataError(f"{label(path)}: cannot be read: {reason}{hint}") from error
    except ValueError as error:  # a zero byte in the name
        raise DataError(f"{label(path)}: cannot be read: {error}") from error
    try:
        if len(content) > MOST_BYTES:
            raise ValueError("it is too large")
        found = json.loads(content.decode("ascii"), object_pairs_hook=_once)
        if not isinstance(found, dict) or found.get("kstest") != kind:
            raise ValueError("it does not begin like one")
        if found.get("version") != version or isinstance(found["version"], bool):
            raise DataError(
                f"{label(path)}: is a {kind} of version {found.get('version')!r:.20}; this kstest "
                f"reads version {version}: use the kstest that wrote it"
            )
        if found.get("sha256") != _digest(found):
            raise ValueError("its content does not have the digest that it names")
    except DataError:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(
            f"{label(path)}: is no {kind} of kstest, or is damaged ({str(error)[:100]}); give a "
            "file as kstest wrote it"
        ) from error
    return found


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def dump_json(found: dict[str, Any]) -> str:
    """Write a JSON object so that `load_json` reads it."""
    return json.dumps({**found, "sha256": _digest(found)}, indent=1, allow_nan=False) + "\n"
