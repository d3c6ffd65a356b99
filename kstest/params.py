"""Options of a test, declared once.

Each test has one frozen dataclass `Params` whose fields are made here. The command line, the
Python API, the result's `params` and the documentation all read the same fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, fields
from numbers import Integral, Real
from typing import Any

from .errors import UsageError

# Sections of the help.
INPUT, DIALECT, TEST = "Input", "CSV dialect", "Test"
NULL, STREAM, OUTPUT = "Null and level", "Stream", "Output"


def option(
    default: Any,
    help: str,
    choices: Sequence[str] = (),
    metavar: str = "",
    hidden: bool = False,
    section: str = "",
    brief: str = "",
    refused: Mapping[str, str] | None = None,
) -> Any:
    """Declare a field of a Params class.

    Parameters
    ----------
    default : object
    help : str
        A sentence or two.
    choices : sequence of str
        Accepted words.
    metavar : str
        What it takes, for the help.
    hidden : bool
        Not in the help: it is there to be refused with a reason.
    section : str
        Of the help; by default `TEST`, and `INPUT` for an option of reading.
    brief : str
        A line for the short help; without it the option is not there.
    refused : mapping of str to str, optional
        Words that other tests accept, and why this one does not.
    """
    about = {
        "help": help,
        "choices": choices,
        "metavar": metavar,
        "hidden": hidden,
        "section": section,
        "brief": brief,
        "refused": refused or {},
    }
    return field(default=default, metadata=about)


def alpha() -> Any:
    text = "Level of the test: the share of false alarms to accept."
    return option(0.05, text, section=NULL, brief="Level of the test; 0.05 by default.")


def permutations() -> Any:
    text = "Permutations; p is at least 1 / (1 + permutations)."
    return option(999, text, section=NULL, brief="Permutations; 999 by default.")


def draws() -> Any:
    text = "Draws from the null distribution; p is at least 1 / (1 + draws)."
    return option(999, text, section=NULL, brief="Draws under the null; 999 by default.")


def seed() -> Any:
    text = "Seed of everything random; the same seed gives the same answer."
    return option(0, text, section=NULL, brief="Seed of everything random.")


def permute() -> Any:
    return option(
        "auto",
        "Permute rows, or random bins of rows (as valid, and the cost no longer grows with their "
        "number); auto takes rows while the smaller sample has fewer than 128.",
        choices=("auto", "rows", "bins"),
        section=NULL,
    )


def block_length() -> Any:
    return option(
        None,
        "For rows in order of time: permute blocks of this many consecutive rows, which is "
        "approximate; auto takes the length from the autocorrelation.",
        metavar="auto|ROWS",
        section=NULL,
        brief="For rows in order of time: permute blocks of them.",
    )


def option_name(name: str) -> str:
    return "--" + name.replace("_", "-")


def as_options(known: Iterable[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Take numbers and lists for options that are text in the shell: bandwidth=0.5, columns=["x"].

    Parameters
    ----------
    known : iterable of dataclass fields
    given : mapping of str to object
        By the names of the fields.

    Raises
    ------
    UsageError
        For other objects in place of text, or of a number.
    """
    kinds = {f.name: str(f.type) for f in known}
    return {name: _as_option(name, kinds.get(name, ""), value) for name, value in given.items()}


def _as_option(name: str, kind: str, value: Any) -> Any:
    base = kind.removesuffix(" | None")
    number = isinstance(value, Real) and not isinstance(value, bool)
    # A seed of None is a fresh one, as in NumPy.
    if base not in _ACCEPTED or (value is None and (base != kind or name == "seed")):
        return value
    if base == "str" and isinstance(value, list | tuple):
        return ",".join(map(_item, value))
    if base == "str" and number:
        return str(value)
    if base == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    right = {
        "str": isinstance(value, str),
        "int": isinstance(value, Integral) and number,
        "float": number,
        "bool": isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"),
    }
    if not right[base]:
        raise UsageError(
            f"{option_name(name)}: found {type(value).__name__}; accepted: {_ACCEPTED[base]}."
        )
    return value


_ACCEPTED = {"str": "text", "int": "a whole number", "float": "a number", "bool": "True or False"}


def _item(value: Any) -> str:
    """An entry of a list as the shell takes it, in quotes where it holds more than a name."""
    text = str(value)
    if isinstance(value, Real) or text.replace("_", "").isalnum():
        return text
    return "'" + text.replace("'", "''") + "'"


def check_choices(params: Any) -> None:
    """Check the seed and all fields with choices.

    Raises
    ------
    UsageError
    """
    for f in fields(params):
        value, choices = getattr(params, f.name), f.metadata.get("choices")
        if choices and value not in choices and (value is not None or f.default is not None):
            why = f.metadata.get("refused", {}).get(value) if isinstance(value, str) else None
            why = f"{why}; " if why else ""
            choose = f"{why}choose from {', '.join(choices)}"
            raise UsageError(f"{option_name(f.name)} {value!r}: {choose}")
    if params.seed is None:
        object.__setattr__(params, "seed", _fresh_seed())
    whole = isinstance(params.seed, Integral) and not isinstance(params.seed, bool)
    if not whole or params.seed < 0:
        raise UsageError(f"--seed {params.seed!r}: give a whole number, 0 or larger")
    object.__setattr__(params, "seed", int(params.seed))


def _fresh_seed() -> int:
    """A seed that was not used before, for seed=None as in NumPy; the result records it."""
    import secrets

    return secrets.randbits(32)


def check_common(params: Any) -> None:
    """Check the fields that every test has, and all fields with choices.

    Raises
    ------
    UsageError
        Naming the option, what was given and what is accepted.
    """
    check_choices(params)
    if not 0 < params.alpha < 1:
        raise UsageError(f"--alpha {params.alpha}: give a number between 0 and 1, such as 0.05")
    name = next((n for n in ("permutations", "draws") if hasattr(params, n)), None)
    if name is None:
        return
    count, needed = getattr(params, name), smallest_permutations(params.alpha)
    if count < needed:
        raise UsageError(
            f"--{name} {count}: the smallest possible p-value would be "
            f"{1 / (1 + max(count, 0)):.3g}, above --alpha {params.alpha}; "
            f"give at least {needed}"
        )


def smallest_permutations(alpha: float) -> int:
    """Smallest B with 1 / (1 + B) <= alpha."""
    count = max(1, int(1 / alpha) - 1)
    while 1 / (1 + count) > alpha * (1 + 1e-12):
        count += 1
    return count
