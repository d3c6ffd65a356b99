"""How numbers appear in reports."""

from __future__ import annotations


def number(value: float) -> str:
    return f"{value:.4g}"
