"""Picture: what there is to draw about a result, as small arrays.

A test that can be drawn has a function `picture(samples, params, result) -> Picture`; the room
`plot` draws it and computes nothing. A panel holds one drawing, or several below each other that
share their horizontal axis. The kinds are `Histogram`, `Bars`, `Curve`, `Band`,
`Points` and `HeatMap`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

Array = NDArray[np.float64]

LOG_RATIO = "log ratio"


@frozen
class Histogram:
    """Distributions of numbers over common bins.

    Attributes
    ----------
    edges : ndarray (k + 1,)
        Increasing.
    shares : tuple of ndarray (k,)
        Share of each series in every bin, 0 to 1; not all of 1 where some lie outside.
    logarithmic : bool
        Whether the horizontal axis is; the edges are then positive.
    """

    edges: Array
    shares: tuple[Array, ...]
    logarithmic: bool = False

    def grid(self, count: int, low: float = -np.inf, high: float = np.inf) -> Array:
        """Return places at equal distances of the axis, between `low` and `high`."""
        ends = max(float(self.edges[0]), low), min(float(self.edges[-1]), high)
        spaced = np.geomspace if self.logarithmic else np.linspace
        return np.asarray(spaced(*ends, count))


@frozen
class Bars:
    """Shares of single values: upright for ordered ones, lying for names.

    Attributes
    ----------
    labels : tuple of str
        The k values; bar i stands at position i.
    shares : tuple of ndarray (k,)
        Share of each series, 0 to 1.
    upright : bool
    """

    labels: tuple[str, ...]
    shares: tuple[Array, ...]
    upright: bool = True


@frozen
class Curve:
    """A signed function around zero: above it the second series has more, below it the first.

    Curves of one `scale`, or else of one `label`, are drawn to one scale, so that panels can be
    compared.

    Attributes
    ----------
    x, y : ndarray (k,)
        With x in the units of the drawing above.
    label : str
    marks : ndarray or None
        Places on the horizontal axis that get a vertical line.
    scale : str
        `LOG_RATIO` for logarithms (base 10) of a ratio, whose strip says which ratio its edges are.
    level : float or None
        A height that gets a horizontal line, and `level_words` at it; this and `across`, the name
        of the horizontal axis, only of curves that are a panel by themselves.
    dots : bool
        Whether such a curve has a dot at every point.
    base : float
        Of logarithms y: the axis of such a curve is numbered by base ** y. 0 for other numbers.
    """

    x: Array
    y: Array
    label: str
    marks: Array | None = None
    scale: str = ""
    level: float | None = None
    level_words: str = ""
    across: str = ""
    dots: bool = False
    base: float = 0.0

    @property
    def common(self) -> str:
        """What curves of one scale share."""
        return self.scale or self.label


@frozen
class HeatMap:
    """A table of numbers as colours, dark where they are small.

    Where `diverging`, white in the middle between `lowest` and `highest` (of their logarithms
    where `logarithmic`), the first series' colour below and the second's above; such a map takes
    half of the width.

    Attributes
    ----------
    rows, columns : tuple of str
    values : ndarray (len(rows), len(columns))
        NaN for no value.
    label : str
        What the numbers are.
    lowest, highest : float
        Ends of the colours.
    logarithmic : bool
    diverging : bool
    marked : ndarray of bool, of the shape of `values`, or None
        Cells that get a frame.
    across, upwards : str
        Names of the axes, where rows and columns of the table do not say it.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: Array
    label: str
    lowest: float
    highest: float
    logarithmic: bool = False
    diverging: bool = False
    marked: NDArray[np.bool_] | None = None
    across: str = ""
    upwards: str = ""


@frozen
class Band:
    """A mean along an axis with its uncertainty, and what is expected of it.

    Attributes
    ----------
    x, y, low, high, expected : ndarray (k,)
        The expected mean is a broken line.
    label, across : str
        Names of the vertical and of the horizontal axis.
    labels : tuple of str
        Names of the k places, where they are levels without a line between them.
    logarithmic : bool
        Whether the horizontal axis is; `x` is then positive.
    """

    x: Array
    y: Array
    low: Array
    high: Array
    expected: Array
    label: str
    across: str
    labels: tuple[str, ...] = ()
    logarithmic: bool = False


@frozen
class Points:
    """Rows as points of a plane, those of later series on top; such a panel is high.

    Attributes
    ----------
    places : tuple of ndarray (k_s, 2)
        Of each series: how far to the right, and how far up.
    across, upwards : str
        Names of the axes.
    """

    places: tuple[Array, ...]
    across: str
    upwards: str


Drawing = Histogram | Bars | Curve | HeatMap | Band | Points


@frozen
class Panel:
    """A title, lines of text, and drawings below each other.

    `strong` panels stand out, `small` ones are low. `across` is the name of the horizontal axis of
    a distribution, where it is not the title.
    """

    title: str
    words: tuple[str, ...]
    drawings: tuple[Drawing, ...]
    strong: bool = False
    across: str = ""
    small: bool = False


@frozen
class Picture:
    """All panels, the most telling first.

    Attributes
    ----------
    series : tuple of str
        What the colours stand for, in the order of `shares`.
    panels : tuple of Panel
    left_out : tuple of str
        Titles of what is not drawn for want of space.
    notes : tuple of str
        How to read the panels.
    """

    series: tuple[str, ...] = ()
    panels: tuple[Panel, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def relabelled(picture: Picture, labels: Mapping[str, str]) -> tuple[Picture, set[str]]:
    """Name axes by `labels`, from the names of columns; also return the names that were used."""
    used: set[str] = set()

    def told(name: str) -> str:
        used.update({name} & set(labels))
        return labels.get(name, name)

    def drawn(drawing: Drawing) -> Drawing:
        match drawing:
            case HeatMap():
                rows, columns = (tuple(map(told, side)) for side in (drawing.rows, drawing.columns))
                across, upwards = told(drawing.across), told(drawing.upwards)
                if drawing.across:  # rows and columns are values, and no names
                    rows, columns = drawing.rows, drawing.columns
                return replace(drawing, rows=rows, columns=columns, across=across, upwards=upwards)
            case Points():
                across, upwards = told(drawing.across), told(drawing.upwards)
                return replace(drawing, across=across, upwards=upwards)
            case Band() | Curve():
                return replace(drawing, across=told(drawing.across))
        return drawing

    panels = []
    for panel in picture.panels:
        across = told(panel.across or panel.title)
        panels.append(replace(panel, across=across, drawings=tuple(map(drawn, panel.drawings))))
    return replace(picture, panels=tuple(panels)), used
