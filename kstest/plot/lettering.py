"""Text from files made harmless, and cut or wrapped to a width."""

from __future__ import annotations

from functools import cache
from typing import Any

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from ..wording import printable

# Viewers of SVG may take another font, a little wider than ours.
RESERVE = 0.93
# No line holds more than this many characters, whatever the file says.
LONGEST = 400


def wrapped(text: str, width: float, size: float, lines: int, bold: bool = False) -> list[str]:
    """Break text into at most `lines` lines of `width` points; what does not fit is cut."""
    out: list[str] = []
    words = printable(text)[: LONGEST * lines].split()
    while words and len(out) < lines:
        line = words.pop(0)
        while words and _width(f"{line} {words[0]}", size, bold) <= RESERVE * width:
            line += f" {words.pop(0)}"
        if len(out) == lines - 1 and words:
            line = " ".join([line, *words])
            words = []
        out.append(cut(line, width, size, bold))
    return out


def cut(text: str, width: float, size: float, bold: bool = False) -> str:
    """Cut text to `width` points, with an ellipsis where something is missing."""
    text = printable(text)
    whole, text = text, text[:LONGEST]
    shown = text if text == whole else text + "…"
    while text and (size_now := _width(shown, size, bold)) > RESERVE * width:
        keep = int(len(text) * RESERVE * width / size_now)
        text = text[: min(keep, len(text) - 1)].rstrip()
        shown = text + "…"
    return shown


def _width(text: str, size: float, bold: bool) -> float:
    measured: Any = text_to_path.get_text_width_height_descent(text, _font(size, bold), False)
    return float(measured[0])


@cache
def _font(size: float, bold: bool) -> FontProperties:
    return FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
