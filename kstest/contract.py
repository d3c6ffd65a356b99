"""The contract: what a test tells the rest of kstest, as one typed object.

A module of `kstest.methods` ends with ``TEST = Test(...)`` or ``TEST = StreamTest(...)``; the
registry returns it, and shell, Python functions, `dqm` and `plan` ask nothing else. mypy sees a
field that is missing, misspelt or of another type. Nothing here computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from kstest.frozen import frozen

if TYPE_CHECKING:
    import numpy as np

    from .archive.packing import Declared
    from .engine import Work
    from .picture import Picture
    from .result import Notice, Result
    from .sample import Columns, Input, Sample

P = TypeVar("P")
S = TypeVar("S", bound="State")

# What a test may make use of besides numeric columns; `missing` are cells marked by an indicator.
Feature = Literal[
    "categorical",
    "missing",
    "groups",
    "chains",
    "weights",
    "counts",
    "records",
    "streamed records",
]
# From the names of all columns of a file to those that are wanted.
Choice = Callable[[Sequence[str]], Sequence[str]]


@frozen
class Beside:
    """An option of a test that names further rows, read like its data before it starts.

    Attributes
    ----------
    option : str
        Its field in the Params, and the name of the Sample.
    drawn : bool
        Whether they are draws like the data, so that --where is about them too; points that are
        parameters are not.
    """

    option: str
    drawn: bool = True


def sample_of(samples: Sequence[Sample], option: str) -> Sample | None:
    """The sample that an option names, if it was given; see `Beside`."""
    return next((s for s in samples[1:] if s.name == option), None)


@frozen(kw_only=True)
class Inputs(Generic[P]):
    """What a command reads, and which options it has.

    Attributes
    ----------
    roles : tuple of str
        One Sample each, in this order.
    needed : int or None
        How many of them, the first, have to be there; all by default.
    params : type
        Frozen dataclass of the options (`kstest.params.option`), which checks itself.
    example : str
        A command line, for the help.
    description : str
        When to use it, for the help.
    reads : {'tables', 'sequences'}
    accepts : frozenset of str
        Everything else that data may have is refused.
    blocks : tuple of str
        Names for blocks of columns, where Python callers may give an object for each.
    beside : tuple of Beside
    columns : callable or None
        Options -> which columns of a file are worth reading, None for all.
    with_blocks : callable or None
        Options and the columns of each block that was given as an object -> options; together with
        `blocks`.
    parts : callable or None
        Options -> columns that are read as categories and have another part to play than to be
        tested, by the option that names them.
    check_given : callable or None
        Options and the names of those that were written -> refuses some that exclude each other,
        even at their default.
    """

    roles: tuple[str, ...]
    params: type[P]
    example: str
    description: str = ""
    reads: Literal["tables", "sequences"] = "tables"
    accepts: frozenset[Feature] = frozenset()
    blocks: tuple[str, ...] = ()
    beside: tuple[Beside, ...] = ()
    columns: Callable[[P], Choice | None] | None = None
    with_blocks: Callable[[P, Sequence[str]], P] | None = None
    needed: int | None = None
    check_given: Callable[[P, Set[str]], None] | None = None
    parts: Callable[[P], Mapping[str, str]] | None = None

    @property
    def least(self) -> int:
        """How many of the roles have to be there."""
        return len(self.roles) if self.needed is None else self.needed


class Readable(Protocol):
    """The one thing asked of a source of bytes."""

    def read(self, size: int, /) -> bytes | None: ...


class SpanReader(Protocol):
    """Reads spans of rows; can be pickled, so that another process may."""

    def samples(
        self, span: Any, counts: dict[int, tuple[int, ...]] | None = None
    ) -> Iterator[tuple[Any, Sample]]:
        """Yield the used rows of a span block by block, each with the piece of a file it is of.

        `counts`, by number of the file, are added to: rows read, used, dropped and filtered.
        """


class Spans(Protocol):
    """Files of two sides, cut into spans of rows; no row was read. See `kstest.sources.survey`."""

    @property
    def files(self) -> SpanReader: ...
    @property
    def spans(self) -> Sequence[Any]:
        """With `side`, `rows` (for progress) and `words` (for messages)."""

    @property
    def paths(self) -> Mapping[str, Sequence[str]]:
        """By side."""

    @property
    def columns(self) -> Sequence[str]:
        """Numeric ones."""

    @property
    def categorical(self) -> Sequence[str]: ...
    @property
    def names(self) -> Sequence[str]:
        """All columns of the files."""

    @property
    def kinds(self) -> Mapping[str, str]: ...
    def inputs(self, side: str, counts: Sequence[tuple[int, ...]]) -> tuple[Input, ...]:
        """Files of a side, from the rows read, used, dropped and filtered of each."""

    def notices(
        self,
        levels: Sequence[Mapping[str, Mapping[str, int]]],
        ranges: Mapping[str, tuple[Any, Any, Any]],
    ) -> tuple[Notice, ...]:
        """What there is to say of the columns once all rows were seen."""


@frozen(kw_only=True)
class Test(Generic[P]):
    """A test of samples.

    Attributes
    ----------
    inputs : Inputs
    references : str
        BibTeX.
    run : callable
        Samples, options, random numbers, threads -> Result. Its docstring is that of the Python
        function.
    picture : callable or None
        Samples, options and the Result -> what there is to draw.
    by_spans : callable or None
        The test of rows that nobody keeps: spans of files, options, random numbers, threads ->
        Result, and a few rows of each side whose inputs tell of all.
    check_spans : callable or None
        Options -> refuses some that need all rows at once; together with `by_spans`.
    copies : callable
        Number of columns -> what a run in memory takes, in copies of its rows as float64, about:
        files of which that is too much are read by spans.
    """

    __test__ = False  # no test of ours, whatever pytest makes of the name

    inputs: Inputs[P]
    references: str
    run: Callable[[Sequence[Sample], P, np.random.Generator, Work], Result]
    picture: Callable[[Sequence[Sample], P, Result], Picture] | None = None
    by_spans: (
        Callable[[Spans, P, np.random.Generator, Work], tuple[Result, Sequence[Sample]]] | None
    ) = None
    check_spans: Callable[[P], None] | None = None
    copies: Callable[[int], float] = lambda columns: 1.0


class Core(Protocol):
    """What a state keeps of the rows so far; a frozen dataclass, see `kstest.archive.packing`."""

    @property
    def rows(self) -> int:
        """Rows that came."""

    @property
    def used(self) -> int:
        """Rows that were looked at."""


class State(Protocol):
    """A stream under test."""

    @property
    def params(self) -> Any:
        """Options."""

    @property
    def columns(self) -> Columns:
        """Columns of its rows."""

    @property
    def core(self) -> Core:
        """What a file keeps."""


@frozen(kw_only=True)
class StreamTest(Test[P], Generic[P, S]):
    """A test whose rows come one after the other and that may be looked at always.

    Attributes
    ----------
    init : callable
        Options, columns, rows of the reference (none for a test of one sample) -> state before the
        first row.
    step : callable
        State and more rows -> state.
    decided : callable
        Whether later rows are not looked at.
    result : callable
        State, and the number of rows that came before this run -> Result so far.
    drawing : callable
        State -> what there is to draw.
    core : type
        Of the state's core.
    declared : callable
        Options and columns -> what a file may hold of a core, and the lengths in it.
    restore : callable
        Options, columns and a core -> state, as it was.
    later : frozenset of str
        Parts of the core that begin when there are rows enough, and not with the first row.
    attach : callable or None
        A restored state and the rows of its reference -> state that can go on.
    require : callable or None
        Options and columns -> refuses early what `init` would refuse.
    """

    init: Callable[[P, Columns, Iterable[Sample]], S]
    step: Callable[[S, Sample], S]
    decided: Callable[[S], bool]
    result: Callable[[S, int], Result]
    drawing: Callable[[S], Picture]
    core: type
    declared: Callable[[P, Columns], tuple[Declared, Mapping[str, Any]]]
    restore: Callable[[P, Columns, Any], S]
    later: frozenset[str] = frozenset()
    attach: Callable[[S, Iterable[Sample]], S] | None = None
    require: Callable[[P, Columns], None] | None = None
