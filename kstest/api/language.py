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
# What only a command has: where its answer goes.
COMMANDS_OWN = ("format", "output", "quiet", "exit_zero", "cite", "debug")
# An option with what may be its value: items with commas between them.
_ITEM = r"""(?:'[^']*'|"[^"]*"|-?[0-9][^\s:;,()]*|[A-Za-z_](?:[\w.*=|-]|:(?=\w))*)"""
_OPTION = re.compile(rf"(?<!\w)--([a-z][a-z0-9-]*)(?:[ =]({_ITEM}(?:,{_ITEM})*))?")
# Before an option that is written out for the reader, with its value.
_WRITTEN_OUT = ("for example ", "such as ")


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
    ends = [-2]  # of the last option with a value

    def keyword(match: re.Match[str]) -> str:
        name, value = match[1].replace("-", "_"), match[2]
        if value is None:
            return name
        one = re.fullmatch(_ITEM, value) is not None
        bare = value.strip("'\"") if one else value
        word = bare.rstrip(".")
        shown: str | None = repr(word.replace("'", ""))  # a list of names or numbers
        if one:
            shown = _keyword_value(word, value, given.get(name), choices.get(name, ()))
        before = message[: match.start()]
        # Written out, or the next option of the same line, or another one in its place.
        between = message[ends[-1] : match.start()] if ends[-1] >= 0 else ""
        out = before.endswith(_WRITTEN_OUT) or between in (" ", " or ")
        if shown is None and (out or f"'{word}'" in message):
            shown = repr(word)
        if shown is None:
            return match[0].replace(f"--{match[1]}", name, 1)
        ends.append(match.end())
        return f"{name}={shown}" + ("" if one and value[0] in "'\"" else bare[len(word) :])

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


def _keyword_value(word: str, value: str, given: Any, choices: Collection[str]) -> str | None:
    """How a value is written in Python; None for a word that may be none."""
    if given is not None and word in (str(given), repr(given)):
        return repr(given)
    if value[0] in "'\"":
        return value
    if word in choices:
        return repr(word)
    return word if word.isupper() or re.fullmatch(r"-?[0-9.eE+-]+", word) else None


def unknown(name: str, option: str, accepted: Collection[str]) -> TypeError:
    """The error for a keyword that a function does not have, with the name that is meant."""
    named = next((n for n in SYNONYMS.get(option.lower(), ()) if n in accepted), None)
    if option in ("scores", "logdensity"):
        return TypeError(
            f"kstest.{name} has no option {option!r}, as nothing is proved of a function; "
            "kstest.ksd, kstest.pksd and kstest.thin take one"
        )
    if option in COMMANDS_OWN:
        return TypeError(
            f"kstest.{name} has no option {option!r}, which is one of the command; the answer has "
            "print(...), .to_dict(), .to_html() and .figure()"
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
