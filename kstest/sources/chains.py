"""Chains of a sampler: rows of one column's value (--chain), or as the files know by themselves.

A chain lies within a file: the same value in another file is another chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kstest.result import Notice
from kstest.sample import Sample
from kstest.sources.options import ReadOptions
from kstest.sources.rows import Part
from kstest.wording import listed


def left_out(counters: Sequence[str]) -> tuple[Notice, ...]:
    """Say which columns are not tested because they number the draws."""
    if not counters:
        return ()
    return (
        Notice(
            "counters-left-out",
            f"{listed(counters)}: numbers of draws within the chains, left out; --columns takes "
            "them all the same",
        ),
    )


def with_chains(
    sample: Sample, parts: Sequence[Part], chains: Sequence[int], options: ReadOptions
) -> Sample:
    """Tell the chains of a sample apart, by --chain or by what its files know.

    Parameters
    ----------
    sample : Sample
        Its `groups` are the values of --chain, if that was given.
    parts : sequence of Part
        Its files.
    chains : sequence of int
        `Table.chains` of each.
    options : ReadOptions
    """
    if sample.chained:
        assert sample.groups is not None
        codes, names = sample.groups, sample.group_names
        found, chained = _in_order(sample.row_inputs * len(names) + codes)
        several = len(parts) > 1
        texts = tuple(
            names[k % len(names)] + (f" of {parts[k // len(names)].label}" if several else "")
            for k in found.tolist()
        )
        return replace(sample, groups=chained, group_names=texts)
    even = all(c and part.total % c == 0 for c, part in zip(chains, parts, strict=True))
    if not (options.own_chains and options.chain is None and even):
        return sample
    length = np.array([part.total // c for c, part in zip(chains, parts, strict=True)])
    before = np.cumsum([0, *chains])[:-1]
    of = sample.row_inputs
    codes = before[of] + (sample.row_numbers - 1) // length[of]
    found, chained = _in_order(codes)
    return replace(
        sample,
        groups=chained,
        group_names=tuple(str(k + 1) for k in found.tolist()),
        chained="known",
    )


def _in_order(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Different codes in the order in which they first come, and the place there of each."""
    found, first, place = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return found[order], rank[place]
