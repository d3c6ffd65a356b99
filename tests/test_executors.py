"""Any executor runs the tasks of the engine, and the answer is the same to the bit."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.engine import Work, block_sums, blocks, forms, quadratic_forms, stein
from kstest.engine import work as engine_work
from kstest.engine.feature_margins import feature_margins, feature_products
from kstest.engine.landmarks import landmark_sums
from kstest.engine.margins import margins
from kstest.engine.products import grid_products, table_products
from kstest.engine.residuals import Basis, residuals
from kstest.engine.stein import SteinPoints, stein_sums
from kstest.engine.work import run_tasks
from kstest.errors import UsageError
from kstest.kernels import KERNELS, BandwidthGrid, Rows
from kstest.likelihood_ratio import permute, reference, toys
from kstest.likelihood_ratio.features import nystrom
from kstest.methods.dependence import signs

GAUSSIAN = BandwidthGrid(KERNELS["gaussian"], (2.0, 2.0**0.5, 1.0), squaring=True)
IMQ = BandwidthGrid(KERNELS["imq"], (2.0, 1.0))
N = 600
STARTS = np.arange(0, N + 1, 100)


@dataclass
class Elsewhere(Executor):
    """Runs every task from a copy of its bytes, as another machine would."""

    seen: list[str] = field(default_factory=list)

    def submit(self, function, /, *arguments, **options):
        self.seen.append(arguments[0].__name__)
        received, *copied = pickle.loads(pickle.dumps((function, *arguments)))
        inputs = [a for a in copied if not isinstance(a, np.random.Generator)]
        before = pickle.dumps(inputs)
        done: Future = Future()
        done.set_result(pickle.loads(pickle.dumps(received(*copied))))
        assert pickle.dumps(inputs) == before, f"{copied[0].__name__} writes into its arguments"
        return done


def rows(d, seed=0):
    return np.random.default_rng(seed).normal(size=(N, d))


def few(X, count=40):
    return Rows.of(X[:count])


def orders(count, bins, seed=1):
    rng = np.random.default_rng(seed)
    return np.array([rng.permutation(bins) for _ in range(count)])


def series_sums(work):
    return block_sums(rows(2), STARTS, [GAUSSIAN], work, weights=np.linspace(1, 2, N))


def direct_sums(work):
    return block_sums(rows(2), STARTS, [GAUSSIAN, IMQ], work)


def product_sums(work):
    return block_sums(rows(12), STARTS, [GAUSSIAN], work, weights=np.linspace(1, 2, N))


def row_forms(work):
    signs = np.random.default_rng(1).choice(np.array([-1, 1], np.int8), (N, 20))
    return quadratic_forms(rows(3), np.arange(N + 1), signs, [GAUSSIAN], work)


def landmark_forms(work):
    return landmark_sums(Rows.of(rows(3)), STARTS, few(rows(3), 64), [GAUSSIAN, IMQ], work)


def stein_blocks(work):
    X = rows(3)
    return stein_sums(SteinPoints.of(X, -X), STARTS, IMQ, work)


def two_margins(work):
    return margins([(rows(2), GAUSSIAN), (rows(1, 1), IMQ)], True, work)


def table(work):
    return table_products(two_margins(work), [(0, 1)], [orders(9, 8)], 60, work)


def grid(work):
    (x, y), kept = two_margins(work), orders(3, 20)
    return [
        grid_products([x], [y], ([kept], [orders(4, 20)]), size, crossed, work)
        for size in (1, 29)
        for crossed in (True, False)[: 1 if len(x.grid) != len(y.grid) else 2]
    ]


def residual_grid(work):
    basis = Basis(np.linalg.qr(np.c_[np.ones(N), rows(2, 2)])[0], np.array([np.inf, 2.0, 1.0]))
    X, Y = rows(2), rows(1, 1)
    both = [
        residuals(Rows.of(Z), GAUSSIAN, [basis], np.array([0.1, 1.0]), [None], work)[0]
        for Z in (X, Y)
    ]
    left, right = ([margin] for margin in both)
    return grid_products(left, right, ([orders(3, 20)], [orders(4, 20)]), 29, False, work)


def low_rank(work):
    X, Y = Rows.of(rows(2)), Rows.of(rows(1, 1))
    made = feature_margins([(X, GAUSSIAN), (Y, GAUSSIAN)], [few(rows(2)), few(rows(1, 1))], work)
    return feature_products(made, [(0, 1)], [orders(9, 8)], 60, work)


def toy_fits(work, converged=False):
    X, pool = rows(2), toys.Pool(Rows.of(rows(2, 3)), np.linspace(0.5, 1.5, N))
    features = nystrom(few(X), (2.0, 1.0), 1e-6)
    side = reference.Reference.of(Rows.of(X), None, few(X), features, work)
    draws = [np.arange(k, k + 50) for k in range(0, 300, 50)]
    return toys.toy_statistics(side, pool, draws, None, 1e-3, "extended", converged, work)


def converged_fits(work):
    return toy_fits(work, converged=True)


def permuted_fits(work):
    X = rows(2)
    chosen = [np.arange(k, k + 50) for k in range(0, 300, 50)]
    features = nystrom(few(X), (2.0, 1.0), 1e-6)
    return permute.permutation_statistics(Rows.of(X), chosen, few(X), features, 1e-3, work)


EVERY = [
    series_sums, direct_sums, product_sums, row_forms, landmark_forms, stein_blocks, two_margins,
    table, grid, residual_grid, low_rank, toy_fits, converged_fits, permuted_fits,
]  # fmt: skip


def flat(found):
    """All numbers of a result, as bytes."""
    if isinstance(found, np.ndarray):
        return found.tobytes()
    if isinstance(found, list | tuple):
        return b"".join(map(flat, found))
    if hasattr(found, "__dataclass_fields__"):
        return b"".join(flat(value) for value in vars(found).values())
    return repr(found).encode() if isinstance(found, float) else b""


@pytest.fixture
def small_tasks(monkeypatch):
    """Many tasks, and compiled loops, also for few rows."""
    monkeypatch.setattr(blocks, "NUMPY_STEPS", 0)
    monkeypatch.setattr(stein, "NUMPY_STEPS", 0)
    monkeypatch.setattr(blocks, "CALL_STEPS", 1e5)
    monkeypatch.setattr(stein, "CALL_STEPS", 1e5)
    monkeypatch.setattr(blocks, "PRODUCT_STEPS", 0)
    monkeypatch.setattr(blocks, "SHORT", 0)
    monkeypatch.setattr(forms, "MOST_STORED", 64)
    monkeypatch.setattr(reference, "TASK_ROWS", 128)


@pytest.mark.parametrize("sums", EVERY, ids=lambda f: f.__name__)
def test_tasks_can_be_sent_away(sums, small_tasks):
    executor = Elsewhere()
    here = flat(sums(Work(threads=1)))
    assert flat(sums(Work(threads=2))) == here
    assert flat(sums(Work(threads=2, executor=executor))) == here
    assert len(executor.seen) > 1
    assert here


def test_random_signs_can_be_sent_away(rng, monkeypatch):
    monkeypatch.setattr(signs, "BATCH_NUMBERS", 2000)
    data = pd.DataFrame(rng.normal(size=(150, 3)), columns=list("xyz"))
    options = {"x": "x", "y": "y", "given": "z", "permutations": 39}
    here = kstest.hsic(data, threads=1, **options)
    executor, run = Elsewhere(), engine_work._results
    monkeypatch.setattr(
        engine_work,
        "_results",
        lambda f, some, work, ahead: run(f, some, Work(work.threads, executor=executor), ahead),
    )
    there = kstest.hsic(data, threads=1, **options)
    assert (there.p_value, there.statistic) == (here.p_value, here.statistic)
    assert "_batch" in executor.seen


def test_the_functions_take_an_executor(rng, small_tasks):
    X, Y = rng.normal(size=(2, N, 2))
    here, executor = kstest.mmd(X, Y, threads=1, permute="rows"), Elsewhere()
    there = kstest.mmd(X, Y, threads=1, permute="rows", executor=executor)
    assert executor.seen
    assert (there.p_value, there.statistic) == (here.p_value, here.statistic)
    with pytest.raises(UsageError, match="executor: found int"):
        kstest.mmd(X, Y, executor=3)


def test_processes_give_the_bits_of_threads(small_tasks):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        for sums in (product_sums, stein_blocks, table):
            here = flat(sums(Work(threads=1)))
            assert flat(sums(Work(threads=2, executor=executor))) == here


def _number(k):
    if k == 7:
        raise ValueError("seven")
    return k


def test_results_come_in_order_and_errors_at_their_place():
    for work in (Work(1), Work(2), Work(2, executor=Elsewhere())):
        assert list(run_tasks(_number, [(k,) for k in range(7)], work)) == list(range(7))
    for work in (Work(1), Work(2)):
        found = run_tasks(_number, [(k,) for k in range(100)], work)
        assert [next(found) for _ in range(7)] == list(range(7))
        with pytest.raises(ValueError, match="seven"):
            next(found)


def test_progress_is_the_share_of_the_costs():
    shares = []
    work = Work(2, progress=shares.append)
    list(run_tasks(_number, [(1,), (2,), (3,)], work, [1.0, 1.0, 2.0]))
    assert shares == [0.25, 0.5, 1.0]
