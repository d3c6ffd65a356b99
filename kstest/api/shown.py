"""The Result that Python functions return: the same, and ways to look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from .. import result as plain
from ..errors import UsageError
from ..findings import number
from ..report import render
from ..report.outline import sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..picture import Picture


@dataclass(frozen=True, repr=False)
class Result(plain.Result):
    """What a test found; `print` shows the report, ``statistic, p_value = result`` unpacks it.

    The attributes are those of `kstest.result.Result`, which are the keys of the JSON object.

    Examples
    --------
    >>> import kstest, numpy
    >>> rng = numpy.random.default_rng(1)
    >>> result = kstest.ks(rng.normal(size=60), rng.normal(size=60) + 2)
    >>> result
    <kstest.ks: rejected, p_value=0.001, alpha=0.05, n=(60, 60), d=1>
    >>> statistic, p_value = result
    >>> p_value == result.pvalue == result.p_value
    True
    """

    # () -> Picture, where there is one.
    _picture: ClassVar[Any] = None

    @property
    def pvalue(self) -> float | None:
        """The p-value under SciPy's name."""
        return self.p_value

    def __iter__(self) -> Iterator[float | None]:
        yield self.statistic
        yield self.p_value

    def __repr__(self) -> str:
        named = {"p_value": self.p_value, "e_value": self.e_value, "alpha": self.alpha}
        numbers = ", ".join(f"{k}={number(v)}" for k, v in named.items() if v is not None)
        rows = tuple(self.n.values())
        counts = str(rows) if len(rows) > 1 else str(*rows)
        return f"<kstest.{self.method}: {self.verdict}, {numbers}, n={counts}, d={self.d}>"

    def __str__(self) -> str:
        return render(self, "text").rstrip("\n")

    def _repr_markdown_(self) -> str:
        """What a notebook shows where it has no `_repr_html_`."""
        return render(self, "markdown")

    def _repr_html_(self) -> str | None:
        """What a notebook shows: the core of the page, or None without jinja2."""
        from ..report.html import core

        try:
            return core(self)
        except UsageError:  # Markdown takes its place
            return None

    def to_html(self, picture: bool = True) -> str:
        """Return the report as one page of HTML, which needs nothing else and no network.

        Parameters
        ----------
        picture : bool
            With the picture of ``plot=``, if the test has one.

        Raises
        ------
        UsageError
            If jinja2 is missing, or matplotlib where there is a picture.
        """
        if not picture or self._picture is None:
            return render(self, "html")
        from ..plot import check, draw

        check("page.html")
        return draw(self, self._picture(), "page.html").decode()

    @property
    def summary(self) -> str:
        """What was found, in a sentence."""
        return sentence(self.findings)

    def figure(self) -> Figure:
        """Return the picture of ``plot=`` as a matplotlib figure.

        The data are needed for that, so a Result that a function returns holds them; what is kept
        for long is better kept as `to_dict()`.

        Raises
        ------
        UsageError
            If the test has no picture, or matplotlib is missing.
        """
        from ..plot import as_figure

        if self._picture is None:
            raise UsageError(f"{self.method} has no picture")
        return as_figure(self, self._picture())


def shown(result: plain.Result, picture: Callable[[], Picture] | None = None) -> Result:
    """Return the same Result with ways to look at it."""
    found = Result(**{f.name: getattr(result, f.name) for f in fields(result)})
    if picture is not None:
        object.__setattr__(found, "_picture", picture)
    return found
