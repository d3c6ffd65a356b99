"""Release a private sketch of rows: the noisy sum of their features.

Sketch = sum_i v(x_i) + N, with v of `kstest.privacy.features` and N discrete Gaussian, as in
Harder, Adamczewski and Park (2021), DP-MERF, arXiv 2002.11603, with whole numbers in place of
floats. What it protects is in `kstest.privacy.accounting`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..contract import Inputs
from ..engine import Work
from ..errors import DataError, UsageError
from ..params import check_choices, option, option_name
from ..result import Notice, document
from ..run import origin, require_accepted
from ..sample import Sample
from .accounting import DELTA, EPSILON, Privacy
from .discrete import discrete_gaussian
from .features import WIDTH, features
from .ledger import Entry, Ledger
from .sketch import Sketch
from .units import Declared, frequencies, placed, used

# Beyond it the promise means little; a delta of 1 / n allows to publish one row whole.
LARGE_EPSILON = 10.0
# Rows of a batch for which the answer says how large a reference had better be.
BATCH = 1000

REFERENCES = """\
@inproceedings{canonne2020discrete,
  title     = {The Discrete {G}aussian for Differential Privacy},
  author    = {Canonne, Cl{\\'e}ment L. and Kamath, Gautam and Steinke, Thomas},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2020}, note = {arXiv:2004.00010}
}
@inproceedings{harder2021dpmerf,
  title     = {{DP-MERF}: Differentially Private Mean Embeddings with Random Features for Practical
               Privacy-Preserving Data Generation},
  author    = {Harder, Frederik and Adamczewski, Kamil and Park, Mijung},
  booktitle = {Artificial Intelligence and Statistics},
  year      = {2021}, note = {arXiv:2002.11603}
}
@inproceedings{balog2018differentially,
  title     = {Differentially Private Database Release via Kernel Mean Embeddings},
  author    = {Balog, Matej and Tolstikhin, Ilya and Sch{\\"o}lkopf, Bernhard},
  booktitle = {International Conference on Machine Learning},
  year      = {2018}, note = {arXiv:1710.01641}
}
"""


@frozen
class Params:
    """Options of `release`; see the help of each field."""

    epsilon: str | None = option(
        None,
        "What the sketch may tell of a row at most: of any set of sketches the probability changes "
        "by a factor of e^EPSILON (and DELTA) where a row is replaced. 1 is usual.",
        metavar="EPSILON",
        brief="What it may tell of a row at most, such as 1.",
    )
    delta: str | None = option(
        None,
        "Probability that is left out of that; far below 1 / rows, such as 1e-6.",
        metavar="DELTA",
        brief="Probability left out of that, such as 1e-6.",
    )
    units: str | None = option(
        None,
        "TOML file with the unit of every column, such as temp = 5, or its levels, such as kind = "
        "{ levels = ['a', 'b'] }; written without a look at the private rows.",
        metavar="FILE",
        brief="TOML file with the unit of every column.",
    )
    units_from: str | None = option(
        None,
        "In place of --units: a file of public rows, whose medians and spreads are the units.",
        metavar="FILE",
        brief="Public rows, whose spreads are the units.",
    )
    rows_per_group: str | None = option(
        None,
        "With --group: protect all rows of a user, of whom the first so many are used.",
        metavar="ROWS",
    )
    seed: int = option(
        0, "Seed of the frequencies, which are public. The noise has none and is new every time."
    )

    def __post_init__(self) -> None:
        check_choices(self)
        for name, (low, high) in (("epsilon", EPSILON), ("delta", DELTA)):
            _number(name, getattr(self, name), low, high)
        if (self.units is None) == (self.units_from is None):
            raise UsageError(
                "--units: every column needs a unit that does not come from the private rows; give "
                "--units FILE.toml with lines such as temp = 5, or --units-from PUBLIC.csv (one of "
                "the two)"
            )
        if self.rows_per_group is not None:
            _ = self.most_rows
        if self.seed >= 2**32:
            raise UsageError(f"--seed {self.seed}: give a whole number below 2^32")

    @property
    def most_rows(self) -> int | None:
        """Rows of a user that are used."""
        if self.rows_per_group is None:
            return None
        try:
            rows = int(self.rows_per_group)
        except ValueError:
            rows = 0
        if not 1 <= rows <= 10**9:
            raise UsageError(
                f"--rows-per-group {self.rows_per_group}: give a whole number, 1 or larger"
            )
        return rows

    @property
    def privacy(self) -> Privacy:
        """The noise."""
        return Privacy.of(float(self.epsilon or 0), float(self.delta or 0), self.most_rows)


def _number(name: str, text: str | None, low: float, high: float) -> None:
    example = "1" if name == "epsilon" else "1e-6"
    try:
        value = float(text) if text is not None else None
    except ValueError:
        value = float("nan")
    if value is None or not low <= value <= high:
        found = "is missing" if text is None else f"found {text}"
        raise UsageError(
            f"{option_name(name)}: {found}; give a number from {low:g} to {high:g}, such as "
            f"{example}"
        )


INPUTS = Inputs(
    roles=("reference",),
    accepts=frozenset({"categorical", "groups"}),
    params=Params,
    example="kstest release a.csv --units u.toml --epsilon 1 --delta 1e-6 -o out",
    description="""\
EXPERIMENTAL: not reviewed by others yet. Writes a sketch of a reference that may leave where its
rows may not: differentially private, some kilobytes, and good for any number of tests by kstest
mmd ref.sketch batch.csv. Every release is entered in a ledger, which stays inside.""",
)


@frozen
class Released:
    """What `kstest release` answers, for those inside; the attributes are the keys of the JSON.

    Attributes
    ----------
    review : str
        That this is experimental.
    sketch : str
        Digest of the file.
    epsilon, delta, rho, noise : float
        Noise: standard deviation of a coordinate of the mean feature, whose length is 1.
    neighbours : str
        What is replaced: a row, or all rows of a group.
    rows_free : int
        Rows of a reference from which on privacy costs nearly nothing, for batches of `BATCH`.
    ledger : mapping
        Where it is, releases, and what they spend together.
    """

    review: str
    sketch: str
    epsilon: float
    delta: float
    rho: float
    noise: float
    neighbours: str
    rows_free: int
    ledger: dict[str, Any]
    columns: tuple[str, ...]
    n: dict[str, int]
    warnings: tuple[Notice, ...]
    inputs: tuple[Any, ...]
    params: Any
    provenance: Any

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object as plain Python values."""
        return document("release", self)


def sketch_of(
    sample: Sample, columns: Sequence[Declared], params: Params, where: str
) -> tuple[Sketch, tuple[Notice, ...]]:
    """Sum the features of rows, and add noise.

    Parameters
    ----------
    sample : Sample
        n rows, those with missing cells left out.
    columns : sequence of Declared
        All declarations; those of the columns of the sample are used.
    params : Params
    where : str
        Where they come from, for messages.

    Returns
    -------
    Sketch
    tuple of Notice
        What to know of the rows: for those inside only.

    Raises
    ------
    DataError, UsageError
        If there are no rows, a column has no declaration, or groups are not what they should be.
    """
    require_accepted("release", INPUTS.accepts, [sample])
    if (sample.groups is None) != (params.most_rows is None):
        raise UsageError(
            "--group and --rows-per-group: go together: the one names the column of users, the "
            "other says how many rows of each are used at most"
        )
    here = used(columns, sample, where)
    if sample.groups is not None:
        sample = sample.take(_first(sample.groups, params.most_rows or 1))
    if sample.n < 2:
        raise DataError(f"data: have {sample.n} usable rows; a sketch needs at least 2")
    rows, privacy = placed(sample, here), params.privacy
    sums = np.zeros(WIDTH, np.int64)
    for block in features(rows.values, rows.codes, frequencies(here, params.seed)):
        sums += block.sum(axis=0)
    noisy = tuple(int(s) + discrete_gaussian(privacy.sigma2) for s in sums)
    notices = _warnings(privacy, sample.n, rows.far)
    return Sketch(here, params.seed, sample.n, noisy, privacy), notices


def _first(groups: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Places of the first rows of every group: a rule that looks at no other group."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
    return np.sort(order[rank < most])


def _warnings(privacy: Privacy, n: int, far: dict[str, int]) -> tuple[Notice, ...]:
    found = []
    if privacy.epsilon > LARGE_EPSILON:
        found.append(
            Notice("large-epsilon", f"--epsilon {privacy.epsilon:g} protects little; 1 is usual")
        )
    if privacy.delta * n > 0.1:
        found.append(
            Notice(
                "large-delta",
                f"--delta {privacy.delta:g} is not far below 1 / rows ({1 / n:.2g}): it would "
                "allow to publish a row; take a tenth of 1 / rows or less",
            )
        )
    for name, rows in far.items():
        found.append(
            Notice(
                "far-values",
                f"{rows:,} rows have {name} beyond 2^20 units from its centre and count as being "
                "there: is the unit right?",
            )
        )
    return tuple(found)


def _replaced(ledger: Ledger) -> tuple[Notice, ...]:
    """A budget that somebody set before, and that no longer holds."""
    was, now = ledger.replaced, ledger.budget
    if was is None or now is None:
        return ()
    return (
        Notice(
            "budget-replaced",
            f"--budget {now.epsilon:g},{now.delta:g} replaces {was.epsilon:g},{was.delta:g}, which "
            "the ledger held until now",
        ),
    )


def entry_of(sketch: Sketch, digest: str, group: str | None) -> Entry:
    """What a ledger holds of a sketch."""
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return Entry(made=made, **asdict(sketch.privacy), group=group or "", n=sketch.n, sketch=digest)


def released(
    sketch: Sketch, digest: str, ledger: Ledger, path: str, notices: Sequence[Notice],
    samples: Sequence[Sample], params: Params, started: tuple[datetime, float], work: Work,
) -> Released:  # fmt: skip
    """What there is to say of a release; `started` is its time, and the clock then."""
    from .sketch import REVIEW

    privacy = sketch.privacy
    budget = ledger.budget
    delta = privacy.delta if budget is None else budget.delta
    return Released(
        review=REVIEW,
        sketch=digest,
        epsilon=privacy.epsilon,
        delta=privacy.delta,
        rho=float(privacy.rho),
        noise=privacy.noise(sketch.n),
        neighbours="row" if privacy.rows_per_group is None else "group",
        rows_free=privacy.rows_free(BATCH),
        ledger={
            "path": path,
            "releases": len(ledger.entries),
            "epsilon": ledger.epsilon(delta),
            "delta": delta,
            "rho": ledger.rho,
            "budget": None if budget is None else asdict(budget),
            "protects": ledger.protects,
        },
        columns=tuple(column.name for column in sketch.columns),
        n={"reference": sketch.n},
        warnings=(*notices, *_replaced(ledger)),
        **origin(samples, params, started[0], time.perf_counter() - started[1], work),
    )
