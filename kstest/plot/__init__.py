"""Plots: a Result and its Picture as an image or a page. Nothing is computed here.

`figure` lays out `headings` and `panels`, which draw the kinds of `kstest.picture`; `lettering`
fits text into its place; `page` puts drawings into the page of the answer. matplotlib, an optional
extra, does the drawing and is imported only when something is drawn. The same answer gives the same
bytes; the day that is written into it is that of the answer.
"""

from __future__ import annotations

import os.path
from importlib import import_module
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..result import Answer, Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..picture import Picture

ENDINGS = (".svg", ".png", ".html")


def check(path: str) -> None:
    """Refuse a file name that no plot can have, and a missing library, before the computation.

    Raises
    ------
    UsageError
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in ENDINGS:
        found = f"ends in {ending}" if ending else "has no ending"
        raise UsageError(f"--plot {path}: {found}; give a name that ends in .svg, .png or .html")
    try:
        import_module("matplotlib.figure")
    except ImportError as error:
        missing = getattr(error, "name", None) in ("matplotlib", None)
        reason = "is not installed" if missing else f"cannot be imported ({error})"
        raise UsageError(
            f"--plot {path}: plots are drawn by matplotlib, which {reason}; install it with: "
            "python3 -m pip install 'kstest[plot]'"
        ) from None
    if ending == ".html":
        from ..report import pages

        pages.require()


def as_figure(result: Result | Answer, picture: Picture) -> Figure:
    """Return the drawing as an object of matplotlib.

    Raises
    ------
    UsageError
        If matplotlib is missing.
    """
    check("figure.png")
    from .figure import sheet

    return sheet(result, picture)


def draw(result: Result | Answer, picture: Picture, path: str) -> bytes:
    """Return the content of the file `path`, in the form that its ending names."""
    from .figure import drawings, figure
    from .page import page

    ending = os.path.splitext(path)[1].lower()
    if ending == ".html":
        return page(result, picture, drawings(picture)).encode("utf-8")
    return figure(result, picture, ending[1:])
