"""The Stein statistic of sequences and its replicates: random signs, or simulated data sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...engine import Work, signed_sums
from ...engine.sequence_near import Neighbourhood
from ...engine.sequences import Features, Subsequences, hamming_blocks, stein_features
from ...engine.work import silent, single_blas
from ...nulls import aggregate, independent_signs, informative, sign_bins
from ...targets import SequenceModel
from ...targets.sequence_model import Distribution, Drawn

Array = NDArray[np.float64]

# Cells of the features of a batch of simulated data sets, and symbols in one.
BATCH_CELLS = 1 << 22
BATCH_SYMBOLS = 1 << 22
HASHED_SYMBOLS = 1 << 19


@frozen
class Setup:
    """What does not depend on the data: kernel, neighbours, balancing.

    With `hamming` the kernel is the exponentiated Hamming kernel, and `kernel` only explains.
    With `counting` the product of the numbers of symbols is a second kernel: shares of subsequences
    hardly tell long sequences from short ones.
    """

    kernel: Subsequences
    near: Neighbourhood
    balancing: str
    hamming: bool = False
    counting: bool = False


def setup(model: SequenceModel, params: Any) -> Setup:
    """Kernel and neighbours of the options, for a model."""
    shortest, longest = params.span(model.order)
    equal = params.length_kernel == "equal"
    kernel = Subsequences(len(model.alphabet), shortest, longest, equal)
    near, hamming = params.near(), params.kernel == "hamming"
    linear = params.length_kernel == "linear" and not hamming
    counting = linear and (near.insertion or near.deletion)
    return Setup(kernel, near, params.balancing, hamming, counting)


@frozen
class Evidence:
    """Replicates of the statistics and the number of bins of sequences.

    Attributes
    ----------
    T : ndarray (L, B + 1)
        The observed ones first. A row per kernel: subsequences, and with `Setup.counting` the
        number of symbols.
    bins : int
    """

    T: Array
    bins: int

    @property
    def combined(self) -> Array:
        """One statistic (B + 1,) out of the rows, which treats all data sets alike."""
        size = self.T.std(axis=1)
        keep = informative(self.T, size)
        if len(self.T) == 1 or keep.sum() == 1:
            return np.asarray(self.T[int(np.argmax(keep))])
        return (
            aggregate(self.T[keep], size[keep], "studentised", self.bins)
            if keep.any()
            else self.T[0]
        )


def wild(
    data: Drawn, distribution: Distribution, made: Setup, draws: int, rng: np.random.Generator,
    work: Work, hashes: NDArray[np.uint64],
) -> Evidence:  # fmt: skip
    """Random signs for bins of sequences, formed at random but in no way by the file's order."""
    n = len(data[1]) - 1
    drawn = int(rng.integers(2**63))
    rng = np.random.default_rng([drawn, int(np.add.reduce(hashes))])
    starts = sign_bins(n)
    groups = len(starts) - 1
    order = np.argsort(hashes, kind="stable")[rng.permutation(n)]
    bins = np.empty(n, np.int64)
    bins[order] = np.repeat(np.arange(groups), np.diff(starts))
    if made.hamming:
        blocks = hamming_blocks(*data, distribution, made.near, made.balancing, bins, groups, work)[
            None
        ]
    else:
        found = stein_features(
            *data, distribution, made.kernel, made.near, made.balancing, bins, groups, work
        )
        growth = np.bincount(bins, found.growth, groups).astype(float)
        blocks = products(found.bins, growth if made.counting else None)
    return signed(blocks, np.diff(starts), draws, rng)


def products(features: Array, growth: Array | None) -> Array:
    """Sums of the Stein kernel between bins, (L, G, G), from the features that bins sum up."""
    both = [features] if growth is None else [features, growth[:, None]]
    with single_blas():
        return np.array([values @ values.T for values in both])


def signed(
    blocks: Array, sizes: NDArray[np.int64], draws: int, rng: np.random.Generator
) -> Evidence:
    """Statistics and replicates with random signs for bins of so many sequences.

    `blocks` loses its diagonals: pairs within a bin see no sign.
    """
    groups, n = len(sizes), int(sizes.sum())
    within = np.arange(groups)
    blocks[:, within, within] = 0.0
    signs = independent_signs(groups, draws, rng)
    pairs = n**2 - float((sizes**2).sum())
    return Evidence(signed_sums(blocks, signs) / pairs, groups)


def parametric(
    data: Drawn, model: SequenceModel, made: Setup, draws: int, rng: np.random.Generator,
    work: Work,
) -> Evidence:  # fmt: skip
    """Data sets simulated from the model, each with the statistic that the data have."""
    n = len(data[1]) - 1
    statistic = _statistic(n, made, silent(work))
    T = np.empty((1 + made.counting, draws + 1))
    T[:, :1] = statistic(data, model.distribution, 1)
    if model.simulate is not None:
        for b in range(draws):
            drawn, distribution = model.simulate(n, rng)
            T[:, b + 1 : b + 2] = statistic(drawn, distribution, 1)
            work.progress((b + 1) / draws)
    else:
        assert model.sample is not None
        mean = max(1.0, len(data[0]) / n)
        batch = max(
            1, min(draws, BATCH_CELLS // made.kernel.cells, int(BATCH_SYMBOLS / (n * mean)))
        )
        for b in range(0, draws, batch):
            sets = min(batch, draws - b)
            T[:, b + 1 : b + 1 + sets] = statistic(
                model.sample(n * sets, rng), model.distribution, sets
            )
            work.progress((b + sets) / draws)
    return Evidence(T, n)


def _statistic(n: int, made: Setup, work: Work) -> Callable[[Drawn, Distribution, int], Array]:
    def statistic(drawn: Drawn, distribution: Distribution, sets: int) -> Array:
        bins = np.repeat(np.arange(sets), n)
        if made.hamming:
            parts = [_part(drawn, k * n, n) for k in range(sets)]
            sums = [
                hamming_blocks(
                    *part, distribution, made.near, made.balancing, bins[:n] * 0, 1, work
                )[0, 0]
                for part in parts
            ]
            return np.array(sums)[None] / (n * (n - 1))
        found = stein_features(
            *drawn, distribution, made.kernel, made.near, made.balancing, bins, sets, work
        )
        sums = [
            np.einsum("sd,sd->s", found.bins, found.bins) - np.bincount(bins, found.norms, sets)
        ]
        if made.counting:
            squares = np.bincount(bins, found.growth**2, sets)
            sums.append(np.bincount(bins, found.growth, sets) ** 2 - squares)
        return np.array(sums) / (n * (n - 1))

    return statistic


def _part(drawn: Drawn, first: int, n: int) -> Drawn:
    """Return some sequences in a row."""
    codes, offsets = drawn
    own = offsets[first : first + n + 1]
    return codes[own[0] : own[-1]], own - own[0]


def features_of(data: Drawn, distribution: Distribution, made: Setup, work: Work) -> Features:
    """Sums of the Stein features of sequences, all in one bin."""
    bins = np.zeros(len(data[1]) - 1, np.int64)
    return stein_features(
        *data, distribution, made.kernel, made.near, made.balancing, bins, 1, work
    )


def sequence_hashes(codes: NDArray[np.int32], offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return a number per sequence; equal sequences have equal numbers."""
    out, first, n = np.empty(len(offsets) - 1, np.uint64), 0, len(offsets) - 1
    while first < n:  # in blocks: the numbers of all symbols are eight times their codes
        stop = int(np.searchsorted(offsets, offsets[first] + HASHED_SYMBOLS, side="right")) - 1
        stop = min(max(stop, first + 1), n)
        own = offsets[first : stop + 1]
        out[first:stop] = _hashes(codes[own[0] : own[-1]], own - own[0])
        first = stop
    return out


def _hashes(codes: NDArray[np.int32], offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
    place = np.arange(len(codes), dtype=np.uint64)
    place -= np.repeat(offsets[:-1], np.diff(offsets)).astype(np.uint64)
    word = (codes.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    word ^= (place + np.uint64(1)) * np.uint64(0xC2B2AE3D27D4EB4F)
    word ^= word >> np.uint64(29)
    word *= np.uint64(0xBF58476D1CE4E5B9)
    word ^= word >> np.uint64(32)
    # An empty sequence sums over nothing.
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(word)])
    hashes = (sums[offsets[1:]] - sums[offsets[:-1]]) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(hashes ^ (hashes >> np.uint64(29)))
