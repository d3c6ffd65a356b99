"""Messages in the words of Python: an option is a keyword, and other libraries' names are known."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import Field, replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from ..errors import KstestError
from ..findings import Note

P = ParamSpec("P")
R = TypeVar("R")

# What an option is called in scipy, scikit-learn and the like: our names, the first that there is.
SYNONYMS = {
    **dict.fromkeys(("rng", "random_state", "generator", "random_seed"), ("seed",)),
    **dict.fromkeys(
        ("n_resamples", "n_permutations", "num_permutations", "n_perm", "reps", "n_boot", "b"),
        ("permutations", "draws"),
    ),
    **dict.fromkeys(("n_jobs", "workers", "num_threads", "n_threads"), ("threads",)),
    **dict.fromkeys(("level", "significance", "significance_level"), ("alpha",)),
    **dict.fromkeys(
        ("gamma", "sigma", "lengthscale", "length_scale", "bandwidths"), ("bandwidth",)
    ),
    **dict.fromkeys(("metric", "kernel_name"), ("kernel",)),
    **dict.fromkeys(("nan_policy", "na", "dropna"), ("missing",)),
    **dict.fromkeys(("sample_weight", "weight"), ("weights",)),
    **dict.fromkeys(("groups", "cluster", "clusters"), ("group",)),
    **dict.fromkeys(("cols", "features", "variables"), ("columns",)),
}
_OPTION = re.compile(
    r"(?<!\w)--([a-z][a-z0-9-]*)"
    r"""(?:[ =]('[^']*'|"[^"]*"|-?[0-9][^\s:;,()]*|[A-Za-z_][\w.*=|-]*))?"""
)


def in_python(message: str, given: Mapping[str, Any], options: Iterable[Field[Any]]) -> str:
    """Turn the options of a message into keywords: ``--missing drop`` into ``missing='drop'``.

    Parameters
    ----------
    message : str
    given : mapping of str to object
        The keywords of the call: what follows an option is its value where it was given so, or
        stands in quotes elsewhere in the message.
    options : iterable of dataclass fields
        Their choices are values too.
    """
    choices = {f.name: f.metadata.get("choices", ()) for f in options}

    def keyword(match: re.Match[str]) -> str:
        name, value = match[1].replace("-", "_"), match[2]
        if value is None:
            return name
        bare = value.strip("'\"")
        if name in given and bare.rstrip(".") in (str(given[name]), repr(given[name])):
            return f"{name}={given[name]!r}"
        if value[0] in "'\"":
            return f"{name}={value}"
        word = bare.rstrip(".")
        if word in choices.get(name, ()) or f"'{word}'" in message:
            return f"{name}={word!r}" + bare[len(word) :]
        if word.isupper() or re.fullmatch(r"-?[0-9.eE+-]+", word):
            return f"{name}={word}" + bare[len(word) :]
        return match[0].replace(f"--{match[1]}", name, 1)

    return _OPTION.sub(keyword, message)


def in_keywords(result: R) -> R:
    """An answer whose warnings and sentences speak of keywords, as a report in Python shows it."""
    answer: Any = result

    def told(text: str) -> str:
        return in_python(text, {}, ())

    findings = []
    for finding in answer.findings:
        lines = tuple(replace(line, text=told(line.text)) for line in finding.lines)
        finding = replace(finding, lines=lines)
        if isinstance(finding, Note):
            texts = [finding.value] if isinstance(finding.value, str) else finding.value
            said = tuple(map(told, texts))
            value = said[0] if isinstance(finding.value, str) else said
            finding = replace(finding, value=value)
        findings.append(finding)
    warnings = tuple(replace(n, message=told(n.message)) for n in answer.warnings)
    return cast(R, replace(answer, findings=tuple(findings), warnings=warnings))


def unknown(name: str, option: str, accepted: Collection[str]) -> TypeError:
    """The error for a keyword that a function does not have, with the name that is meant."""
    named = next((n for n in SYNONYMS.get(option.lower(), ()) if n in accepted), None)
    if option in ("scores", "logdensity"):
        return TypeError(
            f"kstest.{name} has no option {option!r}, as nothing is proved of a function; "
            "kstest.ksd, kstest.pksd and kstest.thin take one"
        )
    close = difflib.get_close_matches(option, accepted, n=1)
    if named is not None:
        return TypeError(f"kstest.{name} has no option {option!r}; here it is called {named!r}")
    if close:
        return TypeError(f"kstest.{name} has no option {option!r}; did you mean {close[0]!r}?")
    known = ", ".join(sorted(accepted))
    return TypeError(f"kstest.{name} has no option {option!r}; it has {known}")


def speaking(
    options: Callable[[], Iterable[Field[Any]]],
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function's errors speak of keywords."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def spoken(*data: P.args, **given: P.kwargs) -> R:
            try:
                return function(*data, **given)
            except KstestError as error:
                error.args = (in_python(str(error), given, options()),)
                raise

        return spoken

    return decorate
