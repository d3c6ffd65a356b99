"""The engine: the only code that walks over pairs of rows.

A kernel test of N rows needs sums over N^2 pairs, for several bandwidths, under a thousand
permutations of the rows. Done as written that is N^2 x bandwidths x permutations, in an N x N
matrix. The engine never holds that matrix and never repeats the sweep::

      rows, in blocks              one sweep over pairs             all permutations at once
    +---+---+---+---+           +----+----+----+----+
    | 1 | 2 | 3 | 4 |  ----->   | 11 | 12 | 13 | 14 |             q_b = v_b' A v_b
    +---+---+---+---+           |    | 22 | 23 | 24 |  ----->
     h rows each                |    |    | 33 | 34 |             A: (bandwidths, blocks, blocks)
                                +----+----+----+----+             v_b: a sign per block

- `blocks` sums the kernel over pairs of blocks. It has three ways to make the values, chosen by
  size: NumPy in float64 (small inputs, which then need no compiled code), and two compiled float32
  sweeps, with direct distances (few columns) or from a matrix product (many columns). `fourier`
  makes the same sums without pairs, of Gaussian kernels in one or two columns; `landmarks` those of
  the Nystrom kernel, for very many rows.
- `forms` turns block sums, or for single rows the kernel tiles themselves, into the quadratic
  forms v' K v of all permutations.
- `margins` and `products` do the same for independence tests, where the rows of one kernel matrix
  are permuted against those of another: centred kernel values strip by strip, and the sums of their
  products for all permutations at once; `residuals` takes another block of columns out first.
- `smoothers` and `tensors` do it from explicit features, where given columns hardly repeat:
  features less what the given columns predict, under random signs, and sums over pairs without any
  matrix of pairs. Import them by their own names.
- `stein` does the same for the Stein kernel of a goodness-of-fit test: rows and their scores in,
  block sums out, in float64.
- `sequences` sums Stein features of sequences of symbols: no pairs at all, the kernel has an
  explicit feature map; its compiled loops are in `sequence_loops`. Import it by its own name:
  nothing else needs it, and start-up counts.
- `tiles` is the NumPy evaluation of a rectangle of kernel values; `loops` the compiled loops,
  whose formulas are in `kstest.kernels.compiled`; `work` threads, executors and progress;
  `denormals` keeps the processor from spending its time on numbers that count as zero.

A task is a function of a module that takes arrays and returns its part of the sums; whoever asked
(`work.run_tasks`) adds the parts in float64 and in a fixed order, and the matrix products are kept
on one thread each: the answer does not depend on the number of threads, nor on the executor that
runs the tasks, as `Work(executor=...)` takes any of `concurrent.futures`.

Which rows form a block, and which permutations are drawn, is the business of `kstest.nulls`. The
rounding of a float32 sweep cannot hurt validity: the blocks lie in random order, so the
rounded statistic of a permutation is a function of positions that are exchangeable under the null.

Read next: `blocks`, then `forms`, then `kstest.methods.mmd` for how a test uses them.
"""

from .blocks import Sums, block_sums
from .forms import Forms, quadratic_forms, signed_sums
from .landmarks import landmark_count, landmark_sums
from .tiles import cross_values, mean_similarity
from .work import Work, single_blas, stage

__all__ = [
    "Forms",
    "Sums",
    "Work",
    "block_sums",
    "cross_values",
    "landmark_count",
    "landmark_sums",
    "mean_similarity",
    "quadratic_forms",
    "signed_sums",
    "single_blas",
    "stage",
]
