"""Evidence over time, as coordinates of a small drawing: the farther up, the smaller the p-value.

A place per run, whatever the clocks said. The templates of `kstest.report.pages` draw it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from kstest.frozen import frozen

from ..findings import number

WIDTH, HEIGHT, STEP = 1000, 100, 10
# The axis ends at the smallest p-value, not above the first and not below the last of these.
LEAST, MOST = 2.0, 12.0
TICKS = 4


@frozen
class Point:
    """What there is of one run.

    Attributes
    ----------
    p : float or None
        None without a verdict.
    rejected : bool
    alarm : bool
        Whether there was an alarm after it.
    words : str
        Said where it is pointed at.
    """

    p: float | None
    rejected: bool
    alarm: bool
    words: str = ""


@frozen
class Trend:
    """A drawing 1000 wide and 100 high, its origin above.

    Attributes
    ----------
    line, dots, gaps : str
        Paths: from point to point, of the points, of runs without a verdict.
    hits : tuple of (x, y, words)
        Rejections.
    bands : tuple of (x, width)
        Where alarms stand.
    marks : tuple of (x, words)
        Acknowledgements and the like.
    ticks : tuple of (y, text)
    level : float or None
        Height of the level, `level_words` at it.
    first, last : str
        At the ends of the axis.
    words : str
        All of it, for who cannot see it.
    """

    line: str
    dots: str
    gaps: str
    hits: tuple[tuple[float, float, str], ...]
    bands: tuple[tuple[float, float], ...]
    marks: tuple[tuple[float, str], ...]
    ticks: tuple[tuple[float, str], ...]
    level: float | None
    level_words: str
    first: str
    last: str
    words: str
    width: int = WIDTH


def trend(
    points: Sequence[Point],
    level: float | None,
    ends: tuple[str, str],
    marks: Sequence[tuple[int, str]] = (),
) -> Trend | None:
    """Lay points out; None where there are too few for a trend.

    Parameters
    ----------
    points : sequence of Point
        In order of time.
    level : float or None
        A line is drawn at it.
    ends : (str, str)
        Words for the first and the last.
    marks : sequence of (int, str)
        Vertical lines before the points of these numbers.
    """
    if len(points) < 2:
        return None
    top = _top(points, level)
    step = WIDTH / len(points)
    xs = [round((k + 0.5) * step, 1) for k in range(len(points))]
    placed = [(x, _height(p.p, top), p) for x, p in zip(xs, points, strict=True) if p.p is not None]
    rejected = sum(p.rejected for p in points)
    return Trend(
        line=_path((x, y) for x, y, _ in placed),
        dots="".join(f"M{x} {y}h0" for x, y, p in placed if not p.rejected),
        gaps="".join(f"M{x} {HEIGHT}v-8" for x, p in zip(xs, points, strict=True) if p.p is None),
        hits=tuple((x, y, p.words) for x, y, p in placed if p.rejected),
        bands=tuple(_bands([p.alarm for p in points], step)),
        marks=tuple((round(k * step, 1), words) for k, words in marks),
        ticks=tuple(_ticks(top)),
        level=None if level is None else _height(level, top),
        level_words="" if level is None else f"level {number(level)}",
        first=ends[0],
        last=ends[1],
        words=f"p-values of {len(points):,} runs, {rejected:,} rejected",
    )


def _top(points: Sequence[Point], level: float | None) -> float:
    """The negative logarithm of p at the upper end."""
    every = [p.p for p in points if p.p is not None] + [level or 1.0]
    least = max(min(every), 10**-MOST)
    return max(LEAST, -1.08 * math.log10(least))


def _height(p: float, top: float) -> float:
    """From the upper end, in percent."""
    power = min(top, -math.log10(max(p, 1e-300)))
    return round(HEIGHT * (1 - power / top), 1)


def _path(places: Iterator[tuple[float, float]]) -> str:
    return "".join(f"{'L' if k else 'M'}{x} {y}" for k, (x, y) in enumerate(places))


def _bands(alarms: Sequence[bool], step: float) -> Iterator[tuple[float, float]]:
    begun: int | None = None
    for place, alarm in enumerate([*alarms, False]):
        if alarm and begun is None:
            begun = place
        if not alarm and begun is not None:
            yield round(begun * step, 1), round((place - begun) * step, 1)
            begun = None


def _ticks(top: float) -> Iterator[tuple[float, str]]:
    """Powers of ten, at most `TICKS` above p = 1."""
    every = max(1, math.ceil(top / TICKS))
    yield HEIGHT, "p = 1"
    for power in range(every, math.floor(top) + 1, every):
        yield round(HEIGHT * (1 - power / top), 1), number(10.0**-power)
