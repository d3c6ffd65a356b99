"""The Result that Python functions return: the same, and ways to look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar

from kstest.frozen import frozen

from .. import result as plain
from ..errors import UsageError
from ..findings import number
from ..report import render
from ..report.outline import sentence
from .language import in_keywords

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..picture import Picture


class Reported:
    """Ways to look at an answer: as text, in a notebook, as a page, as a picture."""

    # () -> Picture, where there is one.
    _picture: ClassVar[Any] = None

    def _report(self) -> plain.Result | plain.Answer:
        """What reports show."""
        raise NotImplementedError

    def __str__(self) -> str:
        return render(self._report(), "text").rstrip("\n")

    def _repr_markdown_(self) -> str:
        """What a notebook shows where it has no `_repr_html_`."""
        return render(self._report(), "markdown")

    def _repr_html_(self) -> str | None:
        """What a notebook shows: the core of the page, or None without jinja2."""
        from ..report.html import core

        try:
            return core(self._report())
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
            return render(self._report(), "html")
        from ..plot import check, draw

        check("page.html")
        return draw(self._report(), self._picture(), "page.html").decode()

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

        report = self._report()
        if self._picture is None:
            raise UsageError(f"{getattr(report, 'method', 'this')} has no picture")
        return as_figure(report, self._picture())


@frozen
class Result(Reported, plain.Result):
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

    @property
    def summary(self) -> str:
        """What was found, in a sentence."""
        return sentence(self.findings)

    def _report(self) -> plain.Result:
        return in_keywords(self)


def shown(result: plain.Result, picture: Callable[[], Picture] | None = None) -> Result:
    """Return the same Result with ways to look at it."""
    found = Result(**{f.name: getattr(result, f.name) for f in fields(result)})
    if picture is not None:
        object.__setattr__(found, "_picture", picture)
    return found


def headed(name: str, answer: plain.Answer) -> str:
    """The repr of an answer that is no Result: its headline."""
    head = answer.headline
    words = [] if head is None else [head.title.lower(), head.sentence]
    return f"<kstest.{name}: {'; '.join(filter(None, words))}>"
