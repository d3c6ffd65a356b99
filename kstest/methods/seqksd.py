"""Goodness-of-fit test for sequences of varying length by the Zanella-Stein discrepancy.

Null hypothesis: the sequences are independent draws from a given model, known up to its constant.
`run` reads like the method: model, impossible sequences, kernel and neighbours, Stein features of
every sequence, random signs or simulated data sets, calibrate, explain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kstest.frozen import frozen

from ..contract import Beside, Inputs, Spans, Test
from ..engine import Work
from ..engine.sequence_near import EVERYWHERE, Neighbourhood
from ..engine.sequences import BALANCING
from ..engine.work import silent
from ..errors import UsageError
from ..params import NULL, alpha, check_common, draws, option, seed
from ..result import Result
from ..sample import Sample
from .sequence.data import Given, given_sequences, impossible
from .sequence.explanation import Totals, explain, explaining_kernel
from .sequence.picture import picture
from .sequence.result import alike, base_of, decided, few, too_few, undecided
from .sequence.statistic import Setup, parametric, sequence_hashes, setup, wild
from .stein.result import impossible as off_support

DESCRIPTION = (
    "The model is a file: in CSV a table of transition probabilities (^ is the beginning, $ the "
    "end) or counts of n-grams, in JSON a Markov chain, independent symbols, a Markov random field "
    "or a hidden Markov model. The data are a sequence per line, a JSON list per line, a column of "
    "lists, or a table with a row per event (--id, --order, --symbol)."
)
REFERENCES = """\
@inproceedings{baum2023kernel,
  title     = {A Kernel {Stein} Test of Goodness of Fit for Sequential Models},
  author    = {Baum, Jerome and Kanagawa, Heishiro and Gretton, Arthur},
  booktitle = {International Conference on Machine Learning}, pages = {1936--1953},
  year      = {2023}, note = {arXiv:2210.10741}
}
@article{zanella2020informed,
  title   = {Informed Proposals for Local {MCMC} in Discrete Spaces},
  author  = {Zanella, Giacomo},
  journal = {Journal of the American Statistical Association},
  volume  = {115}, number = {530}, pages = {852--865}, year = {2020},
  note    = {arXiv:1711.07424}
}
@inproceedings{yang2018goodness,
  title     = {Goodness-of-fit Testing for Discrete Distributions via {Stein} Discrepancy},
  author    = {Yang, Jiasen and Liu, Qiang and Rao, Vinayak and Neville, Jennifer},
  booktitle = {International Conference on Machine Learning}, pages = {5561--5570},
  year      = {2018}
}
"""

EDITS = ("substitution", "insertion", "deletion")
# Below so many sequences data sets are simulated, which is exact and does not take long.
PARAMETRIC_ROWS = 500
# Neighbours in all simulated data sets from which on the user is told that it takes long.
MANY_EDITS = 2e9

EXACT_INSTEAD = "A model that can be sampled has an exact null distribution (--null parametric)"


@frozen
class Params:
    """Options of `run`; see the help of each field."""

    target: Any = option(
        "",
        "The model: a CSV or JSON file; fit:order=K, a Markov chain fitted to the file of "
        "--reference or else to the data, its null distribution simulated with refitting; or "
        "python:module:name.",
        metavar="MODEL",
        brief="The model: a file, or fit:order=1.",
    )
    reference: Any = option(
        "",
        "A file of sequences that --target fit:order=K is fitted to.",
        metavar="FILE",
        brief="Sequences to fit the model to.",
    )
    allow_python: bool = option(
        False, "Let --target python:module:name import the module, which runs its code."
    )
    alpha: float = alpha()
    draws: int = draws()
    seed: int = seed()
    kernel: str = option(
        "subsequence",
        "Kernel: contiguous subsequences in common, in time linear in the number of sequences; or "
        "exp(-Hamming distance / length) for equal lengths, over all pairs, with --edits "
        "substitution.",
        choices=("subsequence", "hamming"),
    )
    lengths: str = option(
        "auto",
        "Lengths of the contiguous subsequences that the kernel compares, such as 2 or 1-3. auto: "
        "the order of the chain plus one and plus two, at least 2.",
        metavar="auto|NUMBER[-NUMBER]",
    )
    length_kernel: str = option(
        "linear",
        "How numbers of symbols count, which shares of subsequences hardly show: linear combines "
        "with it the test of their product; equal multiplies the kernel by 1 for equally many "
        "symbols, else 0; none.",
        choices=("linear", "equal", "none"),
    )
    edits: str = option(
        "substitution,insertion,deletion",
        "Which edits of one symbol make neighbours. Substitution alone is blind to the "
        "distribution of lengths.",
        metavar="LIST",
    )
    positions: str = option(
        "all", "Edit all positions of a sequence, or only so many last ones.", metavar="all|NUMBER"
    )
    balancing: str = option(
        "barker",
        "Weight of a neighbour whose probability is t times as large: t / (1 + t) (barker), "
        "min(1, t) (metropolis), or the root of t, which is not bounded.",
        choices=tuple(BALANCING),
    )
    null: str = option(
        "auto",
        "Null distribution: data sets simulated from the model (parametric), or random signs "
        f"(wild). auto simulates below {PARAMETRIC_ROWS} sequences where the model can, "
        "else takes signs.",
        choices=("auto", "parametric", "wild"),
        section=NULL,
    )

    def __post_init__(self) -> None:
        check_common(self)
        if isinstance(self.target, str) and not self.target.strip():
            raise UsageError("give a model, for example --target model.csv or --target fit:order=1")
        self.span(0)
        near = self.near()
        if self.kernel == "hamming" and (near.insertion or near.deletion):
            raise UsageError(
                "--kernel hamming: compares sequences of equal lengths, so that only --edits "
                "substitution has a meaning"
            )

    def span(self, order: int) -> tuple[int, int]:
        """Return shortest and longest subsequence for a model of this order."""
        if self.lengths == "auto":  # the window of the chain, and one more, to see longer memory
            return max(2, order + 1), order + 2
        low, mark, high = self.lengths.partition("-")
        if not (low.isdecimal() and (high.isdecimal() or not mark) and len(self.lengths) <= 5):
            raise UsageError(
                f"--lengths {self.lengths}: give auto, a number or a range such as 1-3"
            )
        span = int(low), int(high or low)
        if not 1 <= span[0] <= span[1] <= 20:
            raise UsageError(f"--lengths {self.lengths}: give lengths from 1 to 20")
        return span

    def near(self) -> Neighbourhood:
        """Return the neighbourhood."""
        kinds = [part.strip() for part in self.edits.split(",")]
        unknown = [kind for kind in kinds if kind not in EDITS]
        if unknown or len(set(kinds)) < len(kinds):
            raise UsageError(f"--edits {self.edits}: give one or more of {','.join(EDITS)}")
        last = EVERYWHERE
        if self.positions != "all":
            if not (self.positions.isdecimal() and 1 <= int(self.positions) <= 10**9):
                raise UsageError(f"--positions {self.positions}: give all, or a number from 1 on")
            last = int(self.positions)
        substitution, insertion, deletion = (kind in kinds for kind in EDITS)
        return Neighbourhood(substitution, insertion, deletion, last)


def run(samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test whether sequences are independent draws from a model, known up to its constant.

    Parameters
    ----------
    samples : one Sample
        n sequences.
    params : Params
        `target` is a text as on the command line, or in Python an object with `log_ratio(x, y)`
        or `logp(x)` on tuples of symbols, and optionally `sample(n, rng)` and `alphabet`.
    rng : numpy.random.Generator
    work : Work

    Returns
    -------
    Result
        With one kernel the statistic is the U-statistic sum_{i != j} h(x_i, x_j) / (n (n - 1)),
        an unbiased estimate of the squared discrepancy, with

            h(x, y) = sum_u sum_v g(p(u)/p(x)) g(p(v)/p(y)) [k(u,v) - k(u,y) - k(x,v) + k(x,y)]

        over the neighbours u of x and v of y. From 512 sequences on, sequences share random
        signs in bins formed at random, and pairs within a bin are left out. A sequence that the
        model cannot give rejects at once. No verdict with fewer than 2 sequences.

    Notes
    -----
    ``parametric`` is exact: p <= alpha has probability at most alpha at every n, over data and
    seed, because simulated data sets get their statistic exactly as the data do. With a chain
    fitted to the data or to a reference it is a parametric bootstrap with refitting, asymptotic.
    ``wild`` is asymptotic in n: the signs copy the null distribution of a degenerate statistic, and
    reject too often below about 100 sequences if the model makes some symbols very rarely (a
    warning says so). Measured levels are printed by ``benchmarks/sequences.py``.

    Files that are read in parts, of which no sequence is kept, get the same statistic, with other
    bins: these follow from the numbers of the sequences in the order of the files
    (`kstest.methods.sequence.streamed`).

    Shares of subsequences hardly tell long sequences from short ones. With ``length_kernel``
    "linear", the default, the U-statistic of the kernel |x| |y| of the numbers of symbols is
    combined with that of subsequences: the statistic is then without a unit (see
    `kstest.nulls.aggregate`, rule studentised).

    The kernel sums sqrt(share of z in x) sqrt(share of z in y) over subsequences z of the given
    lengths. It is not universal: what the frequencies of subsequences under the operator do not
    show, it does not see. Sequences must be independent of each other, symbols within need not.

    References
    ----------
    Baum, Kanagawa, Gretton (2023), arXiv 2210.10741; balancing functions: Zanella (2020), arXiv
    1711.07424; Yang, Liu, Rao, Neville (2018), ICML.

    Examples
    --------
    >>> import kstest
    >>> kstest.seqksd(["aabb", "ab", "aaabbb"] * 50, target="fit:order=1", draws=99).verdict
    'rejected'
    """
    given = given_sequences(samples, params)
    n, model = len(given.sequences), given.model
    base = base_of(params, n, given.sequences.name)
    distribution = _null(params, given, n)
    why = impossible(given, work)
    if why:
        return off_support(base, why, params, "model")
    if too_few(n, distribution, params.alpha):
        return undecided(base, params)

    made = setup(model, params)
    if distribution == "parametric":
        _say_if_long(given, made, params, work)
        found = parametric(given.drawn, model, made, params.draws, rng, work)
    else:
        hashes = sequence_hashes(*given.drawn)
        found = wild(given.drawn, model.distribution, made, params.draws, rng, work, hashes)
    warnings = (*alike(given.sequences.lengths), *few(n, distribution, EXACT_INSTEAD))

    def explanation() -> list[dict[str, Any]]:
        shown = replace(made, kernel=explaining_kernel(made.kernel, model.order))
        ours = Totals.of(given.drawn, model.distribution, shown, silent(work))
        return explain(ours, model, shown, params.alpha, rng, silent(work))

    return decided(base, model, made, found, distribution, params, warnings, explanation)


def _null(params: Params, given: Given, n: int) -> str:
    model = given.model
    if model.simulate is not None:
        if params.null == "wild":
            raise UsageError(
                f"--null wild: {model.name} is fitted to data, which random signs do not know "
                "about; use --null parametric"
            )
        return "parametric"
    if params.null == "parametric" and model.sample is None:
        raise UsageError("--null parametric: this model cannot be sampled from; use --null wild")
    if params.null != "auto":
        return params.null
    return "parametric" if model.sample is not None and n < PARAMETRIC_ROWS else "wild"


def _say_if_long(given: Given, made: Setup, params: Params, work: Work) -> None:
    edits = int(made.near.count(given.sequences.lengths, len(given.model.alphabet)).sum())
    if edits * params.draws > MANY_EDITS:
        other = ""
        if given.model.simulate is None:
            other = ", or --null wild,"
        work.notify(
            f"simulating {params.draws} data sets of {len(given.sequences):,} sequences takes "
            f"long; fewer --draws{other} is faster"
        )


def by_spans(
    spans: Spans, params: Params, rng: np.random.Generator, work: Work
) -> tuple[Result, Sequence[Sample]]:
    """Test sequences that nobody keeps: see `kstest.methods.sequence.streamed`."""
    from .sequence import streamed

    return streamed.run(spans, params, rng, work)


def check_spans(params: Params) -> None:
    """Refuse options that need all sequences at once."""
    from .sequence import streamed

    streamed.check_streamed(params)


TEST = Test(
    inputs=Inputs(
        reads="sequences",
        roles=("data",),
        params=Params,
        beside=(Beside("reference"),),
        example="kstest seqksd names.txt --target model.csv",
        description=DESCRIPTION,
    ),
    references=REFERENCES,
    run=run,
    picture=picture,
    by_spans=by_spans,
    check_spans=check_spans,
    copies=lambda columns: 2.0,
)
