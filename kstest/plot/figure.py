"""The figure: verdict, legend, panels in two columns, notes; 8 inches wide, as high as it takes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from kstest.frozen import frozen

from ..picture import Bars, Curve, HeatMap, Panel, Picture, Points
from ..result import Answer, Result
from . import panels
from .headings import NORMAL, SMALL, Line, heading, notes
from .lettering import cut, wrapped

# Lengths in inches.
WIDTH, MARGIN, GAP = 8.0, 0.2, 0.3
WHOLE = WIDTH - 2 * MARGIN
HALF = (WHOLE - GAP) / 2
LEFT = 0.55  # for the numbers of the vertical axis
NAMES, LONG_NAMES = 1.15, 1.8  # for the names of lying bars
RIGHT = 0.17  # for half of a number below the end of an axis
BODY, STRIP, TICKS = 1.3, 0.42, 0.4
LOW = 0.55  # the body of a small panel
HIGH = 2.6  # of points
TITLE, LINE, LEGEND = 0.22, 0.15, 0.2
CELL = 0.8, 0.4  # of a heat map, at most
NARROW = 8  # columns of a map that half of the width has room for
MAP = 5.2
COLOR_BAR = 1.0
LETTER = 0.06
LEADING = 1.45  # of lines of text, in units of their size
DOTS = 200  # per inch, in a PNG

STYLE = {
    "text.color": panels.DARK,
    "text.parse_math": False,  # a $ in a column name is a dollar
    "axes.edgecolor": panels.GREY,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": panels.SMALL,
    "ytick.labelsize": panels.SMALL,
    "xtick.color": panels.GREY,
    "ytick.color": panels.GREY,
    "xtick.labelcolor": panels.DARK,
    "ytick.labelcolor": panels.DARK,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "svg.hashsalt": "kstest",  # names of SVG elements are random without it
    "svg.fonttype": "none",  # text stays text
}
# Without their dates and versions the same answer gives the same bytes.
NO_METADATA = {
    "svg": {"Creator": None, "Date": None, "Format": None, "Type": None},
    "png": {"Software": None},
}


def figure(result: Result | Answer, picture: Picture, form: str) -> bytes:
    """Draw everything, verdict, numbers and warnings too.

    Parameters
    ----------
    result : Result or Answer
    picture : Picture
    form : {'svg', 'png'}
    """
    with _styled():
        return _saved(sheet(result, picture), form)


def sheet(result: Result | Answer, picture: Picture) -> Figure:
    """The drawing of `figure`, before it is saved."""
    with _styled():
        return _Sheet(picture, list(heading(result, WHOLE * panels.POINTS))).figure


def drawings(picture: Picture) -> list[tuple[Panel, str, bool]]:
    """Return every panel with an SVG of its drawings alone, and whether that is a wide one.

    Title and words are left to a page, whose text breaks where it has to.
    """
    limits, found = _limits(picture), []
    with _styled():
        for row in map(_on_page, _rows(picture.panels)):
            for panel in row.panels:
                image = b""
                if panel.drawings:
                    image = _saved(_Single(panel, row, limits).figure, "svg")
                found.append((panel, image.decode("utf-8"), row.width > HALF))
    return found


@contextmanager
def _styled() -> Iterator[None]:
    with style.context(["default", STYLE]), warnings.catch_warnings():
        # Letters that our font lacks: a viewer of SVG has other fonts, a PNG shows a box.
        warnings.simplefilter("ignore", UserWarning)
        yield


def _saved(drawn: Figure, form: str) -> bytes:
    stream = io.BytesIO()
    drawn.savefig(stream, format=form, dpi=DOTS, metadata=NO_METADATA[form])
    return stream.getvalue()


@frozen
class _Row:
    """Panels side by side, each `width` inches wide."""

    panels: tuple[Panel, ...]
    width: float

    @property
    def words(self) -> list[list[str]]:
        points = self.width * panels.POINTS
        return [[line for t in p.words for line in wrapped(t, points, SMALL, 3)]
                for p in self.panels]  # fmt: skip

    @property
    def text_height(self) -> float:
        # The name of an axis may stand above a drawing, and needs a line where words are.
        named = any(not isinstance(d, HeatMap) for p in self.panels for d in p.drawings[:1])
        return TITLE + LINE * max(map(len, self.words)) + 0.5 * LINE * named

    @property
    def drawing_height(self) -> float:
        return max(_drawing_height(panel, self.width) for panel in self.panels)

    @property
    def height(self) -> float:
        return self.text_height + self.drawing_height + GAP


def _rows(every: Sequence[Panel]) -> Iterator[_Row]:
    """Two panels in a row; a heat map, and a panel that is alone, have a row of their own.

    So has the only one that is not small.
    """
    row: tuple[Panel, ...] = ()
    alone = sum(not panel.small for panel in every) == 1
    for panel in every:
        maps = [d for d in panel.drawings if isinstance(d, HeatMap)]
        wide = any(not d.diverging for d in maps) or (alone and not panel.small)
        if row and (wide or len(row) == 2):
            yield _Row(row, HALF)
            row = ()
        if wide:
            yield _Row((panel,), WHOLE)
        else:
            row = (*row, panel)
    if row:
        yield _Row(row, HALF)


def _on_page(row: _Row) -> _Row:
    """A page takes no more width than it needs: a phone has not more than half of ours."""
    columns = [len(d.columns) for p in row.panels for d in p.drawings if isinstance(d, HeatMap)]
    return row if max(columns, default=0) > NARROW else _Row(row.panels, HALF)


class _Paper:
    """A figure that is drawn on in inches from its upper left corner."""

    def __init__(self, width: float, height: float, limits: Mapping[str, float]) -> None:
        self.width, self.height, self.limits = width, height, limits
        self.figure = Figure(figsize=(width, height))

    def _axes(self, x: float, y: float, width: float, height: float) -> Axes:
        box = (x / self.width, 1 - (y + height) / self.height,
               width / self.width, height / self.height)  # fmt: skip
        return self.figure.add_axes(box)

    def _drawings(self, x: float, y: float, width: float, panel: Panel) -> None:
        if not panel.drawings:
            return
        main, curves = panel.drawings[0], [d for d in panel.drawings[1:] if isinstance(d, Curve)]
        if isinstance(main, HeatMap):
            left, wide, high, names = _map_size(main, width)
            ax = self._axes(x + left, y, wide, high)
            bar = self._axes(x + left + wide + 0.2, y, 0.14, high)
            taken = [0.1 + LINE * bool(name) for name in (main.upwards, main.across)]
            panels.heat_map(ax, bar, main, (left - taken[0], names - taken[1]))
            return
        lying = isinstance(main, Bars) and not main.upright
        left = _names(main.labels) if lying and isinstance(main, Bars) else LEFT
        whole, strip = _body(panel), STRIP * len(curves)
        ax = self._axes(x + left, y, width - left - RIGHT, whole - strip)
        panels.distribution(ax, main, left - 0.1)
        lowest = ax
        marks = {float(m) for d in curves for m in (() if d.marks is None else d.marks)}
        for k, drawing in enumerate(curves):
            top = y + whole - strip + k * STRIP + 0.06
            lowest.tick_params(labelbottom=False)
            lowest = self._axes(x + left, top, width - left - RIGHT, STRIP - 0.06)
            panels.curve(lowest, drawing, self.limits[drawing.common], isinstance(main, Bars))
            lowest.set_xlim(ax.get_xlim())
        panels.mark(ax, sorted(marks))
        if not lying:
            panels.name_values((ax, lowest), main, width - left - RIGHT)
        panels.name_distribution(ax, lowest, main, panel.across or panel.title)


class _Single(_Paper):
    """The drawings of one panel."""

    def __init__(self, panel: Panel, row: _Row, limits: Mapping[str, float]) -> None:
        # The name of an axis may stand above it.
        above = 0.05 if isinstance(panel.drawings[0], HeatMap) else LINE
        height = above + _drawing_height(panel, row.width) + 0.05
        super().__init__(row.width + RIGHT, height, limits)
        self._drawings(0.0, above, row.width, panel)


class _Sheet(_Paper):
    """Places blocks from top to bottom; the height is known before they are drawn."""

    def __init__(self, picture: Picture, above: Sequence[Line]) -> None:
        rows = list(_rows(picture.panels))
        below = list(notes(picture, WHOLE * panels.POINTS))
        legend = picture.series if rows else ()
        height = 2 * MARGIN + LEGEND * len(legend) + 0.15 + sum(row.height for row in rows)
        height += sum(line.size * LEADING / panels.POINTS for line in (*above, *below))
        super().__init__(WIDTH, height, _limits(picture))
        y = self._lines(MARGIN, above)
        y = self._legend(y + 0.05, legend)
        for row in rows:
            for place, (panel, words) in enumerate(zip(row.panels, row.words, strict=True)):
                x = MARGIN + place * (row.width + GAP)
                self._panel_text(x, y, row.width, panel, words)
                self._drawings(x, y + row.text_height + 0.05, row.width, panel)
            y += row.height
        self._lines(y, below)

    def _lines(self, y: float, lines: Sequence[Line]) -> float:
        for line in lines:
            self._write(MARGIN, y, line)
            y += line.size * LEADING / panels.POINTS
        return y

    def _write(self, x: float, y: float, line: Line) -> None:
        weight = "bold" if line.bold else "normal"
        self.figure.text(x / WIDTH, 1 - y / self.height, line.text, size=line.size,
                         color=line.color, weight=weight, va="top")  # fmt: skip

    def _legend(self, y: float, series: Sequence[str]) -> float:
        for text, color, alpha in zip(series, panels.COLORS, panels.ALPHAS, strict=False):
            corner = MARGIN / WIDTH, 1 - (y + 0.13) / self.height
            size = 0.13 / WIDTH, 0.13 / self.height
            box = Rectangle(corner, *size, facecolor=color, alpha=alpha, linewidth=0)
            self.figure.add_artist(box)
            shown = cut(text, (WHOLE - 0.2) * panels.POINTS, NORMAL)
            self._write(MARGIN + 0.2, y - 0.01, Line(shown, NORMAL))
            y += LEGEND
        return y + 0.1

    def _panel_text(
        self, x: float, y: float, width: float, panel: Panel, words: Sequence[str]
    ) -> None:
        title = cut(panel.title, width * panels.POINTS, NORMAL, panel.strong)
        self._write(x, y, Line(title, NORMAL, bold=panel.strong))
        for k, line in enumerate(words):
            self._write(x, y + TITLE - 0.03 + LINE * k, Line(line, color="#444444"))


def _drawing_height(panel: Panel, width: float) -> float:
    maps = [sum(_map_size(d, width)[2:]) for d in panel.drawings if isinstance(d, HeatMap)]
    if maps or not panel.drawings:
        return max(maps, default=0.0)
    return TICKS + _body(panel)


def _body(panel: Panel) -> float:
    """Height of the drawings of a panel that has no heat map."""
    if isinstance(panel.drawings[0], Points):
        return HIGH
    return LOW if panel.small else BODY + STRIP


def _names(labels: Sequence[str]) -> float:
    """Room for the names of lying bars: long ones have up to a half of the panel."""
    return float(np.clip(LETTER * max(map(len, labels)) + 0.15, NAMES, LONG_NAMES))


def _map_size(drawing: HeatMap, width: float) -> tuple[float, float, float, float]:
    """Room for the names at the left, width and height of the cells, room for the names below."""
    rows, columns = drawing.values.shape
    left, below = (min(NAMES, LETTER * max(map(len, s)) + 0.2) + LINE * bool(name)
                   for s, name in ((drawing.rows, drawing.upwards),
                                   (drawing.columns, drawing.across)))  # fmt: skip
    wide = min(CELL[0] * columns, width - left - COLOR_BAR, MAP)
    return left, wide, min(CELL[1] * rows, 0.6 * wide if columns > 1 else MAP), below


def _limits(picture: Picture) -> dict[str, float]:
    """One scale for the curves that share it: small ones look small."""
    limits: dict[str, float] = {}
    for panel in picture.panels:
        for d in panel.drawings:
            if isinstance(d, Curve):
                limits[d.common] = max(limits.get(d.common, 1e-12), float(np.abs(d.y).max()))
    return limits
