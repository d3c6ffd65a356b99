"""How numbers and foreign text appear in reports."""

from __future__ import annotations


def number(value: float) -> str:
    return f"{value:.4g}"


def printable(text: str) -> str:
    """Escape control characters: column names come from files, and a terminal obeys them."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
