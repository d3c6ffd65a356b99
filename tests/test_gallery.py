"""Every picture of the gallery against a small one, and what can be read in pictures and pages.

The small ones are in tests/gallery: 160 pixels wide, of one channel. After a change that is meant:

    python3 -m tests.test_gallery && git diff --stat tests/gallery
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from docs import gallery  # noqa: E402
from kstest.plot import headings, panels  # noqa: E402

SMALL = Path(__file__).parent / "gallery"
WIDTH = 160
# Blue and orange are as bright as each other to the eye; like this they are not.
CHANNELS = 0.7, 0.3, 0.0
# Root mean square of the differences, of 255, of pictures that count as the same; letters and
# lines of another release of matplotlib differ by a pixel.
TOLERANCE = 9.0
QUICK = ("ks.svg", "mmd-by.svg", "moments.svg", "pksd.svg", "skit.svg", "hsic.svg")


def small(image):
    """A picture as it is kept: an array (height, 160) of whole numbers to 255."""
    color = np.asarray(image.convert("RGB"), np.float64) @ CHANNELS
    height = round(image.height * WIDTH / image.width)
    gray = Image.fromarray(color.round().astype(np.uint8))
    return np.asarray(gray.resize((WIDTH, height), Image.Resampling.BOX), np.float64)


def difference(one, other):
    """Largest root mean square over squares of 40 pixels; infinite if the sizes differ."""
    if abs(len(one) - len(other)) > 2:
        return np.inf
    height = min(len(one), len(other))
    square = (one[:height] - other[:height]) ** 2
    parts = [
        square[i : i + 40, j : j + 40].mean()
        for i in range(0, max(1, height - 20), 40)
        for j in range(0, WIDTH, 40)
    ]
    return float(np.sqrt(max(parts)))


def pictures(entries, folder):
    gallery.draw(entries, folder, ".png")
    return {
        e.file: small(Image.open(folder / e.file.replace(".svg", ".png")))
        for e in entries
        if e.file.endswith(".svg")
    }


def kept(file):
    return np.asarray(Image.open(SMALL / file.replace(".svg", ".png")), np.float64)


def require_as_kept(entries, folder):
    off = {file: difference(found, kept(file)) for file, found in pictures(entries, folder).items()}
    wrong = {file: value for file, value in off.items() if value > TOLERANCE}
    assert not wrong, f"changed pictures, see {__name__}: {wrong}"


def test_pictures_are_as_kept(tmp_path):
    require_as_kept([e for e in gallery.ENTRIES if e.file in QUICK], tmp_path)


@pytest.mark.slow
def test_all_other_pictures_are_as_kept(tmp_path):
    require_as_kept([e for e in gallery.ENTRIES if e.file not in QUICK], tmp_path)
    for name in ("run.html", "dqm-status.html"):
        assert "<h1" in (tmp_path / name).read_text()


def test_every_picture_is_kept_and_they_are_small():
    names = {e.file for e in gallery.ENTRIES}
    assert len(names) == len(gallery.ENTRIES)
    images = {name.replace(".svg", ".png") for name in names if name.endswith(".svg")}
    assert {path.name for path in SMALL.iterdir()} == images
    assert sum(path.stat().st_size for path in SMALL.iterdir()) < 300_000


def test_every_command_with_a_picture_is_in_the_gallery():
    import click

    from kstest.cli import cli

    def drawing(command, name, parent):
        context = click.Context(command, info_name=name, parent=parent)
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                yield from drawing(command.get_command(context, inner), inner, context)
        elif any(parameter.name == "plot" for parameter in command.params):
            yield context.command_path

    shown = [entry.line + " " for entry in gallery.ENTRIES]
    for path in drawing(cli, "kstest", None):
        assert any(line.startswith(f"{path} ") for line in shown), path


@pytest.mark.parametrize("file", ["mmd.svg", "moments.svg", "skit.svg"])
def test_a_change_that_is_seen_is_found(file):
    """The legend or a name removed, an axis turned round, colours swapped."""
    image = kept(file)
    assert difference(image, image) == 0
    blank = image.copy()
    rows = np.flatnonzero((image < 200).any(axis=1))
    blank[rows[-1] - 45 : rows[-1] - 25] = 255  # an axis with its numbers
    assert difference(image, blank) > TOLERANCE
    assert difference(image, image[:, ::-1]) > TOLERANCE
    lower = image.copy()
    lower[len(image) // 2 :] = image[len(image) // 2 :][::-1]
    assert difference(image, lower) > TOLERANCE
    moved = np.roll(image, 1, axis=1)
    moved = (image * 3 + moved) / 4  # a quarter of a pixel: letters of another release
    assert difference(image, moved) < TOLERANCE


def drawn(change):
    """A small picture of two columns, changed before it is saved."""
    import io

    from kstest.picture import Histogram, Panel, Picture
    from kstest.plot import as_figure
    from kstest.result import Result

    edges = np.linspace(0, 1, 21)
    shares = np.exp(-9 * (edges[1:] - 0.2) ** 2), np.exp(-9 * (edges[1:] - 0.6) ** 2)
    histogram = Histogram(edges, tuple(s / s.sum() for s in shares))
    picture = Picture(("reference: a.csv, 90 rows", "sample: b.csv, 80 rows"),
                      (Panel("speed", ("p 0.01",), (histogram,)),))  # fmt: skip
    figure = as_figure(Result(method="mmd", verdict="rejected", alpha=0.05), picture)
    change(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100)
    return small(Image.open(stream))


def without_legend(figure):
    for artist in [*figure.artists, *figure.patches, *figure.texts[2:4]]:
        if artist is not figure.patch:
            artist.set_visible(False)


def test_a_missing_legend_and_a_swapped_axis_are_found():
    whole = drawn(lambda figure: None)
    assert difference(whole, drawn(lambda figure: None)) == 0
    assert difference(whole, drawn(without_legend)) > TOLERANCE
    assert difference(whole, drawn(lambda figure: figure.axes[0].invert_xaxis())) > TOLERANCE
    assert difference(whole, drawn(lambda figure: figure.axes[0].invert_yaxis())) > TOLERANCE


def test_text_of_pictures_stands_out():
    """WCAG 2.2, AA: 4.5 for text, on white and on every colour of a map."""
    for color in (*headings.COLORS.values(), headings.WARNING, panels.DARK, panels.GREY, "#444444"):
        assert panels.contrast(color, "white") >= 4.5, color
    for colors in (colormaps["cividis"], panels.DIVERGING):
        for background in colors(np.linspace(0, 1, 101)):
            assert panels.contrast(panels.readable(background), background) >= 4.5, background
    assert panels.contrast("black", "white") == pytest.approx(21)
    assert panels.contrast("#767676", "white") == pytest.approx(4.54, abs=0.01)
    # Areas and lines are seen with 3.
    for color in panels.COLORS[:2]:
        assert panels.contrast(color, "white") >= 3


def test_the_page_has_every_line_and_picture():
    page = gallery.page("gallery/")
    for entry in gallery.ENTRIES:
        assert entry.written in page
        assert f"gallery/{entry.file}" in page
    assert len(re.findall("^### ", page, re.M)) == len(gallery.ENTRIES)


def main():
    import tempfile

    SMALL.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        found = pictures(gallery.ENTRIES, Path(folder))
    keep(found)


def keep(found):
    for file, image in found.items():
        shown = Image.fromarray(image.round().astype(np.uint8))
        shown.save(SMALL / file.replace(".svg", ".png"), optimize=True)


if __name__ == "__main__":
    main()
