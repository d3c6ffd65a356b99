"""The drawings of a panel, one function per kind of `kstest.picture`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize, to_rgb
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from ..picture import LOG_RATIO, Band, Bars, Curve, Drawing, HeatMap, Histogram, Points
from .lettering import cut

# Of the palette of Okabe and Ito, which people with any colour vision can tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
# The first series is an area, the others lie on top of it.
ALPHAS = (0.45, 1.0, 1.0, 1.0)
DARK, GREY, LIGHT = "#1a1a1a", "#666666", "#dddddd"
DIVERGING = LinearSegmentedColormap.from_list("kstest", [COLORS[0], "#ffffff", COLORS[1]])
SHADES = 64
SMALL = 7.0
POINTS = 72


def distribution(ax: Axes, drawing: Drawing, label_width: float) -> None:
    """Draw whatever stands on top of a panel; names at its left are cut to `label_width` inches."""
    if isinstance(drawing, Histogram):
        _histogram(ax, drawing)
    elif isinstance(drawing, Bars):
        _bars(ax, drawing, label_width)
    elif isinstance(drawing, Curve):
        path(ax, drawing)
    elif isinstance(drawing, Band):
        _band(ax, drawing)
    elif isinstance(drawing, Points):
        _points(ax, drawing)


def _points(ax: Axes, drawing: Points) -> None:
    """Dots, small ones for many; the first series pale, as in distributions."""
    for place, (points, color) in enumerate(zip(drawing.places, COLORS, strict=False)):
        size = float(np.clip(120 / np.sqrt(max(len(points), 1)), 2, 5 if place else 3))
        alpha = (0.35, 0.85)[place > 0]
        ax.plot(*points.T, "o", color=color, markersize=size, alpha=alpha, markeredgewidth=0)
    ax.margins(0.02)
    ax.yaxis.set_major_locator(MaxNLocator(5))
    width, _ = _size(ax)
    ax.set_xlabel(cut(drawing.across, width, SMALL), size=SMALL, color=GREY, loc="right",
                  labelpad=2)  # fmt: skip
    ax.text(0.0, 1.02, cut(drawing.upwards, width, SMALL), transform=ax.transAxes, size=SMALL,
            color=GREY, ha="left", va="bottom")  # fmt: skip


def _band(ax: Axes, drawing: Band) -> None:
    """A line in its band, or points with bars where places are levels; what is expected broken."""
    x, y = drawing.x, drawing.y
    if drawing.labels or len(x) == 1:
        errors = np.array([y - drawing.low, drawing.high - y])
        ax.errorbar(x, y, errors, fmt="o", color=COLORS[0], markersize=4, capsize=3, linewidth=1.2)
        ax.set_xlim(x[0] - 0.6, x[-1] + 0.6)
    else:
        ax.fill_between(x, drawing.low, drawing.high, color=COLORS[0], alpha=0.25, linewidth=0)
        ax.plot(x, y, color=COLORS[0], linewidth=1.4)
        ax.set_xlim(x[0], x[-1])
    ends = ax.get_xlim() if drawing.labels or len(x) == 1 else x
    ax.plot(ends, np.resize(drawing.expected, len(ends)), color=DARK, linewidth=0.9,
            linestyle=(0, (3, 2)))  # fmt: skip
    if drawing.logarithmic:
        ax.set_xscale("log")
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.grid(axis="y", color=LIGHT, linewidth=0.6)
    ax.text(0.0, 1.02, drawing.label, transform=ax.transAxes, size=SMALL, color=GREY,
            ha="left", va="bottom")  # fmt: skip
    ax.set_xlabel(drawing.across, size=SMALL, color=GREY, loc="right", labelpad=2)


def name_distribution(upper: Axes, lower: Axes, drawing: Drawing, across: str) -> None:
    """Name both axes of shares: the height above, the values below the lowest drawing."""
    if not isinstance(drawing, Histogram | Bars):
        return
    lying = isinstance(drawing, Bars) and not drawing.upright
    width = _size(lower)[0]
    below = "share" if lying else cut(across, width, SMALL)
    above = cut(across, width, SMALL) if lying else "share"
    lower.set_xlabel(below, size=SMALL, color=GREY, loc="right", labelpad=2)
    upper.text(0.0, 1.02, above, transform=upper.transAxes, size=SMALL, color=GREY,
               ha="right" if lying else "left", va="bottom")  # fmt: skip


def _histogram(ax: Axes, drawing: Histogram) -> None:
    """Steps: the first series filled, the others as lines on top of it."""
    for place, (shares, color) in enumerate(zip(drawing.shares, COLORS, strict=False)):
        if place == 0:
            ax.stairs(shares, drawing.edges, fill=True, color=color, alpha=0.25, linewidth=0)
        ax.stairs(shares, drawing.edges, color=color, linewidth=1.1 + 0.4 * (place > 0))
    if drawing.logarithmic:
        ax.set_xscale("log")
    ax.set_xlim(drawing.edges[0], drawing.edges[-1])
    _share_axis(ax, drawing.shares)


def _bars(ax: Axes, drawing: Bars, label_width: float) -> None:
    """Bars of all series side by side."""
    count, series = len(drawing.labels), len(drawing.shares)
    place, thick = np.arange(count), 0.8 / series
    for k, (shares, color) in enumerate(zip(drawing.shares, COLORS, strict=False)):
        draw = ax.bar if drawing.upright else ax.barh
        draw(place + (k - (series - 1) / 2) * thick, shares, thick, color=color, alpha=ALPHAS[k])
    if drawing.upright:
        ax.set_xlim(-0.6, count - 0.4)
        _share_axis(ax, drawing.shares)
        return
    ax.set_ylim(count - 0.4, -0.6)
    ax.set_yticks(place, [cut(x, label_width * POINTS, SMALL) for x in drawing.labels])
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0, _top(drawing.shares))
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.xaxis.set_major_formatter(_percent)
    ax.grid(axis="x", color=LIGHT, linewidth=0.6)


def name_values(axes: Iterable[Axes], drawing: Drawing, width: float) -> None:
    """Name the values below axes of `width` inches; every k-th bar if all have no room."""
    if isinstance(drawing, Bars) or (isinstance(drawing, Band) and drawing.labels):
        longest = max(map(len, drawing.labels))
        room = max(1, int(width * POINTS / (SMALL * (0.7 * longest + 1))))
        step = -(-len(drawing.labels) // room)
        for ax in axes:
            ax.set_xticks(range(0, len(drawing.labels), step), drawing.labels[::step])
        return
    if isinstance(drawing, Band | Histogram) and drawing.logarithmic:
        for ax in axes:
            ax.set_xscale("log")
            subs = (1, 2, 5) if isinstance(drawing, Band) else (1,)
            ax.xaxis.set_major_locator(LogLocator(subs=subs, numticks=8))
            ax.xaxis.set_major_formatter(_plain_number)
            ax.xaxis.set_minor_locator(NullLocator())
        return
    for ax in axes:
        # The numbers below a curve are printed without decimals.
        whole = isinstance(drawing, Curve)
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=whole))
        ax.xaxis.get_offset_text().set_fontsize(SMALL)


def mark(ax: Axes, places: Iterable[float]) -> None:
    """Vertical lines."""
    for place in places:
        ax.axvline(place, color=DARK, linewidth=0.8, linestyle=(0, (3, 2)))


def curve(ax: Axes, drawing: Curve, limit: float, separate: bool) -> None:
    """A signed function, as bars where its points are `separate` values."""
    x, y = drawing.x, drawing.y
    if separate:
        ax.bar(x, y, 0.5, color=[COLORS[int(v > 0)] for v in y])
    else:
        ax.fill_between(x, 0, y, where=[*(y > 0)], interpolate=True, color=COLORS[1], linewidth=0)
        ax.fill_between(x, 0, y, where=[*(y < 0)], interpolate=True, color=COLORS[0], linewidth=0)
    mark(ax, () if drawing.marks is None else drawing.marks)
    ax.axhline(0, color=GREY, linewidth=0.7)
    ax.set_ylim(-1.05 * limit, 1.05 * limit)
    ax.set_yticks([])
    ax.text(-0.02, 0.5, drawing.label, transform=ax.transAxes, size=SMALL, color=GREY,
            ha="right", va="center")  # fmt: skip
    if drawing.scale == LOG_RATIO:
        factor = f"{10**limit:.2g}"
        for edge, text, side in ((0.97, f"×{factor}", "top"), (0.06, f"÷{factor}", "bottom")):
            ax.text(1.005, edge, text, transform=ax.transAxes, size=SMALL - 0.5, color=GREY,
                    ha="left", va=side)  # fmt: skip


def path(ax: Axes, drawing: Curve) -> None:
    """A signed function that is a panel by itself: with numbers at its axis."""
    fill = replace(drawing, y=drawing.y * (not drawing.dots))
    curve(ax, fill, float(np.abs(drawing.y).max()) or 1.0, separate=False)
    if drawing.dots:
        _dots(ax, drawing)
    heights = [*drawing.y, 0.0]
    if drawing.level is not None:
        heights.append(drawing.level)
        ax.axhline(drawing.level, color=DARK, linewidth=0.8, linestyle=(0, (1, 2)))
    low, high = float(min(heights)), float(max(heights))
    room = 0.05 * (high - low) or 1.0
    ax.set_ylim(low - room, high + room)
    first, last = float(drawing.x.min()), float(drawing.x.max())
    side = 0.02 * (last - first) or 1.0
    ax.set_xlim(first - side * drawing.dots, last + side)
    if drawing.base:
        _number_powers(ax, drawing)
    else:
        ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.texts[-1].set(position=(0.0, 1.02), ha="left", va="bottom")
    ax.set_xlabel(drawing.across, size=SMALL, color=GREY, loc="right", labelpad=2)
    if drawing.level is not None:
        middle = drawing.level < (low + high) / 2
        behind = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1}
        ax.annotate(drawing.level_words, (0.01, drawing.level), (0, 2 if middle else -2),
                    ("axes fraction", "data"), "offset points", size=SMALL, color=DARK,
                    va="bottom" if middle else "top", bbox=behind)  # fmt: skip


def _dots(ax: Axes, drawing: Curve) -> None:
    """A dot for every point; those that reach the level are larger and coloured."""
    x, y = drawing.x, drawing.y
    size = float(np.clip(400 / len(x), 1.2, 3))
    ax.plot(x, y, color=GREY, linewidth=0.8, zorder=2)
    ax.plot(x, y, "o", color=DARK, markersize=size, linewidth=0, zorder=3)
    if drawing.level is not None:
        over = y >= drawing.level
        ax.plot(x[over], y[over], "o", color=COLORS[1], markersize=2 * size, zorder=3)


def _number_powers(ax: Axes, drawing: Curve) -> None:
    """Number an axis of logarithms by powers of ten, and by the level, where that has room."""
    low, high = ax.get_ylim()
    ten = np.log(10) / np.log(drawing.base)  # a factor of ten, on the axis
    powers = np.sort([low / ten, high / ten])
    step = max(1, int(np.ceil((powers[1] - powers[0]) / 5)))
    first = step * int(np.ceil(powers[0] / step))
    places = ten * np.arange(first, powers[1] + 1e-9, step)
    if drawing.level is not None:
        near = 0.11 * (high - low)
        places = np.append(places[np.abs(places - drawing.level) > near], drawing.level)
    ax.set_yticks(places, [_plain_number(drawing.base**place, 0) for place in places])


def heat_map(ax: Axes, bar: Axes, drawing: HeatMap, label_widths: tuple[float, float]) -> None:
    """Cells with their numbers, and a bar that explains the colours.

    Names are cut to `label_widths` inches, at the left and below.
    """
    kind: Any = LogNorm if drawing.logarithmic else Normalize
    norm = kind(drawing.lowest, drawing.highest)
    rows, columns = drawing.values.shape
    masked: Any = np.ma.masked_invalid(drawing.values)
    if drawing.logarithmic:
        masked = np.maximum(masked, drawing.lowest)  # 0, too, has a colour
    colors = (DIVERGING if drawing.diverging else colormaps["cividis"]).resampled(SHADES)
    mesh = ax.pcolormesh(masked, cmap=colors, norm=norm, edgecolors="white", linewidth=1)
    ax.set_ylim(rows, 0)
    size = min(SMALL, 140 / max(rows, columns))
    names = [
        [cut(x, label_width * POINTS, size) for x in side]
        for side, label_width in zip((drawing.rows, drawing.columns), label_widths, strict=True)
    ]
    ax.set_yticks(np.arange(rows) + 0.5, names[0], size=size)
    ax.set_xticks(np.arange(columns) + 0.5, names[1], size=size, rotation=90)
    ax.tick_params(length=0)
    if max(rows, columns) <= 12:
        for (i, j), value in np.ndenumerate(drawing.values):
            if np.isfinite(value):
                text = f"{value:.1g}" if drawing.diverging and value < 0.1 else f"{value:.2g}"
                color = readable(colors(norm(masked[i, j])))
                ax.text(j + 0.5, i + 0.5, text, ha="center", va="center", size=size,
                        color=color)  # fmt: skip
    for i, j in zip(*np.nonzero(_marks(drawing)), strict=True):
        frame = Rectangle((j, i), 1, 1, fill=False, edgecolor=COLORS[1], linewidth=1.6, zorder=3)
        frame.set_clip_on(False)
        ax.add_patch(frame)
    figure: Any = ax.figure
    shown = figure.colorbar(
        mesh, cax=bar, format="%g", extend="both" if drawing.diverging else "neither"
    )
    if drawing.diverging and drawing.logarithmic:
        lowest, highest = np.log2([drawing.lowest, drawing.highest])
        bar.set_yticks(2.0 ** np.arange(np.ceil(lowest), highest + 1))
    # As shapes: a page's policy loads no image, not even one that is part of it.
    shown.solids.set(rasterized=False, edgecolor="face")
    bar.minorticks_off()
    bar.set_ylabel(drawing.label, size=SMALL)
    widths = _size(ax)
    ax.set_xlabel(cut(drawing.across, widths[0], SMALL), size=SMALL, color=GREY, labelpad=2)
    ax.set_ylabel(cut(drawing.upwards, widths[1], SMALL), size=SMALL, color=GREY, labelpad=2)
    bar.tick_params(labelsize=SMALL)


def _marks(drawing: HeatMap) -> Any:
    return np.zeros(drawing.values.shape) if drawing.marked is None else drawing.marked


def _share_axis(ax: Axes, shares: Sequence[Any]) -> None:
    ax.set_ylim(0, _top(shares))
    ax.yaxis.set_major_locator(MaxNLocator(3))
    ax.yaxis.set_major_formatter(_percent)
    ax.grid(axis="y", color=LIGHT, linewidth=0.6)


def luminance(color: Any) -> float:
    """Relative luminance of a colour, 0 to 1 (WCAG 2.2)."""
    c = np.array(to_rgb(color))
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: Any, other: Any) -> float:
    """Contrast of two colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def readable(background: Any) -> str:
    """The colour of text that stands out more: 4.5 or more on whatever it is."""
    return max(("white", "black"), key=lambda color: contrast(color, background))


def _size(ax: Axes) -> tuple[float, float]:
    """Width and height in points."""
    figure: Any = ax.figure
    width, height = ax.get_position().size * figure.get_size_inches() * POINTS
    return float(width), float(height)


def _plain_number(value: float, place: float) -> str:
    return f"{value:,.0f}" if 1 <= value < 1e6 else f"{value:.3g}"


def _percent(share: float, place: float) -> str:
    return f"{100 * share:.3g} %"


def _top(shares: Sequence[Any]) -> float:
    return 1.08 * max(float(max(map(np.max, shares))), 1e-9)
