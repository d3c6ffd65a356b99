"""The page of a test with its picture: that of `kstest.report.html`, and every panel as an SVG."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from ..picture import Panel, Picture
from ..report.html import page as answer_page
from ..report.pages import LONGEST, cut, markup
from ..result import Answer, Result
from ..wording import printable
from .headings import explained
from .panels import ALPHAS, COLORS

Drawn = Sequence[tuple[Panel, str, bool]]


def page(result: Result | Answer, picture: Picture, drawn: Drawn) -> str:
    """Return the page as text.

    Parameters
    ----------
    result : Result or Answer
    picture : Picture
    drawn : sequence of (Panel, str, bool)
        Each panel, an SVG document of it, and whether it takes the whole width.
    """
    return answer_page(result, shown(picture, drawn))


def shown(picture: Picture, drawn: Drawn, name: str = "p") -> dict[str, Any]:
    """What a template needs of a picture.

    `name` tells the ids of its drawings from those of other pictures of the same page.
    """
    keys = zip(picture.series, COLORS, ALPHAS, strict=False)
    return {
        "series": [{"text": t, "color": color, "alpha": alpha} for t, color, alpha in keys],
        "figures": [
            {"panel": panel, "svg": _svg(f"{name}{place}-", panel, image), "whole": whole}
            for place, (panel, image, whole) in enumerate(drawn)
        ],
        "notes": explained(picture) if drawn else [],
    }


def _svg(name: str, panel: Panel, image: str) -> Any:
    """The drawing of a panel as a part of a page; its ids begin with `name`."""
    # The document's own head has no place inside a page.
    svg = re.sub(r"\A.*?(?=<svg\b)", "", image, flags=re.DOTALL)
    own = partial(re.sub, r'(\bid="|href="#|url\(#)', rf"\g<1>{name}")
    svg = re.sub(r"<[^>]*>", lambda tag: own(tag[0]), svg)
    # For who cannot see it: what is drawn, with which words.
    words = cut(printable(f"{panel.title}: {'; '.join(panel.words)}"), LONGEST)
    alt = html.escape(words)
    return markup(svg.replace("<svg ", f'<svg role="img" aria-label="{alt}" ', 1))
