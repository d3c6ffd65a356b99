"""Every public function as a user of a strict type checker calls it; checked, not run."""

from __future__ import annotations

import numpy as np

import kstest
from kstest.testing import assert_same


def use(x: np.ndarray, y: np.ndarray) -> list[kstest.Result]:
    rng = np.random.default_rng(1)
    found = [
        kstest.mmd(x, y, seed=rng, bandwidth=[0.5, 1], aggregate="fuse", plot="a.svg"),
        kstest.ks(reference=x, sample=y, columns=["1"], statistic="ad"),
        kstest.hsic(x, y, permutations=99),
        kstest.hsic(x, x="1", y="2"),
        kstest.ksd(x, target="normal()", threads=1),
        kstest.pksd(x, target="normal()"),
        kstest.seqksd(["ab", "b"], target="fit:order=1"),
        kstest.skit(x, x="1", y="2"),
        kstest.smmd(x, y, detect=True),
        kstest.sksd(x, target="normal()"),
    ]
    calibration = kstest.dqm_calibrate(x, y, batch_size=100)
    found += kstest.dqm_check(calibration, x)
    found += [kstest.dqm_explain(calibration, x), kstest.dqm_compare(x, y)]
    rows: int | None = kstest.plan(x, shift=0.2).rows
    kept = x[kstest.thin(x, rows=5, scores=x).index]
    found += [kstest.effect(x, treatment="1", outcome="2", covariates=["3"], draws=99)]
    found += [kstest.moments(kept, residual="a - b", given="c")]
    statistic, p_value = found[0]
    p: float | None = p_value
    words: str = f"{found[0].verdict} {found[0].summary} {rows} {statistic} {p}"
    assert_same(x, y, alpha=0.001)
    kstest.DriftDetector(alpha=0.01).fit(x).predict(y)
    found[0].figure().savefig(words)
    return found
