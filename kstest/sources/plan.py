"""Plan: what is read as numbers, what as categories, and who plays which part.

Made by `planning`; everything after it asks the plan and no option.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen
from kstest.sources.table import Block, Coded, Table, Wanted

if TYPE_CHECKING:
    from kstest.sources.where_tree import Condition


@frozen
class Plan:
    """What to read, by name.

    Attributes
    ----------
    columns, categorical : tuple of str
        The tested columns: numeric ones and categories.
    numbers, texts : tuple of str
        All columns read as numbers, the tested ones first; likewise as text.
    by_value : frozenset of str
        Texts in which a number counts by its value.
    named : frozenset of str
        Columns that --categorical names: they may have as many categories as they like.
    kinds : dict of str to str
        What the columns of the first tables hold.
    weights, group : int or None
        Their position in `numbers` and `texts`.
    where : Condition or None
        Bound to what the columns hold.
    split : mapping of str to Condition
        Which rows belong to which side, with --sample-column.
    signed_weights : bool
        Whether weights may be negative.
    decimal : str
        The decimal sign of text.
    settled : bool
        Whether text is categories whatever it looks like.
    counted : bool
        Whether weights are the counts of --counts.
    chained : bool
        Whether the group is the chain of --chain.
    first : Table
        Named in messages.
    """

    columns: tuple[str, ...]
    categorical: tuple[str, ...]
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    by_value: frozenset[str]
    named: frozenset[str]
    kinds: Mapping[str, str]
    first: Table
    weights: int | None = None
    group: int | None = None
    where: Condition | None = None
    split: Mapping[str, Condition] = field(default_factory=dict)
    signed_weights: bool = False
    decimal: str = "."
    settled: bool = False
    counted: bool = False
    chained: bool = False

    @property
    def coded(self) -> tuple[str, ...]:
        """The first of `texts`, those that go into the Sample: the tested ones and the group."""
        return self.texts[: len(self.categorical) + (self.group is not None)]

    @property
    def names(self) -> tuple[str, ...]:
        """The tested columns."""
        return (*self.columns, *self.categorical)

    @property
    def all_names(self) -> tuple[str, ...]:
        """The tested columns, then those of --weights and --group: where cells are counted."""
        weights = () if self.weights is None else (self.numbers[self.weights],)
        group = () if self.group is None else (self.texts[self.group],)
        return (*self.names, *weights, *group)

    def wanted(self, table: Table) -> Wanted:
        """Find the columns in a table."""
        place = {name: j for j, name in enumerate(table.names)}
        return Wanted(
            tuple(place[name] for name in self.numbers),
            tuple(place[name] for name in self.texts),
            frozenset(place[name] for name in self.texts if name in self.by_value),
        )

    def cells(self, block: Block) -> dict[str, NDArray[np.float64] | Coded]:
        """The columns of a block by name, for conditions.

        A column that is read as both numbers and text is compared as the numbers that it holds.
        """
        columns: dict[str, NDArray[np.float64] | Coded] = dict(
            zip(self.texts, block.texts, strict=True)
        )
        return columns | {name: block.values[:, k] for k, name in enumerate(self.numbers)}
