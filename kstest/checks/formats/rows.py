"""What the formats for programs say of an outcome, in one place."""

from __future__ import annotations

from ...findings import number
from ...wording import printable
from ..outcome import Outcome


def label(outcome: Outcome) -> str:
    """Name and unit on one line, without characters that a terminal or a parser would obey."""
    return printable(" ".join(outcome.label.split()))


def sentence(outcome: Outcome) -> str:
    """The outcome in one line: verdict, numbers, what was found, what of it is known."""
    words: list[str] = [outcome.status]
    if outcome.p_value is not None:
        words.append(f"p {number(outcome.p_value)}")
    if outcome.adjusted is not None and outcome.adjusted != outcome.p_value:
        words.append(f"adjusted {number(outcome.adjusted)}")
    text = ", ".join(words)
    if outcome.status != "not rejected" and outcome.message:
        text += f": {outcome.message}"
    text = "; ".join([text, *(change.message for change in outcome.changes)])
    if outcome.acknowledged is not None:
        text += f" (acknowledged {outcome.acknowledged})"
    return printable(" ".join(text.split()))
