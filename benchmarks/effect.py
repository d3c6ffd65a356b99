"""`effect`: level and power, beside `mmd` and the mean alone; coverage; real data; CPU time.

    python3 benchmarks/effect.py [level power hostile randomised files arm real cost] [--sets 100]
        [--start 50000]

level and power: 500 rows, five covariates that decide who is treated and explain the outcome by a
curved surface (`tests/test_effect.py`), at .05; beside them a test of the mean difference and its
coverage, `mmd` of the arms' outcomes, and with power the cross statistic. hostile: treatments that
do nothing, on data made to mislead (`tests/effect_nulls.py`). randomised: 200 rows,
half treated, with covariates and without, at two sizes of the noise. files: two files of 500 rows
whose covariate moved. arm: 500 rows, one arm beside a density and a fitted family. real: NHEFS,
the NSW experiment, and its controls beside those of CPS, if the package causaldata is there.
cost: 100,000 rows.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binom

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from effect_nulls import KINDS as NULLS
from test_effect import KINDS, NAMES, study

import kstest

START = 50_000


def band(sets):
    low, high = binom.ppf([0.0005, 0.9995], sets, 0.05) / sets
    return f"band {low:.3f} to {high:.3f}"


def observational(kind, sets, compared):
    """Shares of rejections by effect, the mean difference and mmd; coverage; no verdicts."""
    found, covered, plain, unsure = 0, 0, 0, 0
    cross, by_mean, true = 0, 0, {"shift": 0.25, "some": 0.24}.get(kind, 0.0)
    for seed in range(START, START + sets):
        data = study(np.random.default_rng(seed), 500, kind)
        result = kstest.effect(data, **NAMES, draws=499, threads=1)
        unsure += result.reject is None
        if result.reject is None:
            continue
        found += result.reject
        mean = result.explanation["mean_difference"][0]
        covered += mean["low"] <= true <= mean["high"]
        by_mean += not mean["low"] <= 0 <= mean["high"]
        if not compared:
            cross += kstest.effect(data, **NAMES, null="cross", threads=1).reject is True
        if compared and seed < START + 40:
            arms = [data.loc[data.arm == a, ["y"]] for a in (0, 1)]
            plain += kstest.mmd(*arms, permutations=199, threads=1, explain="none").reject
    print(
        f"{kind:7} effect {found / sets:.3f}, mean alone {by_mean / sets:.3f}, interval covers "
        f"{covered / sets:.3f}, no verdict {unsure / sets:.3f}, of {sets} ({band(sets)})"
        + (
            f"; mmd of the arms {plain / min(sets, 40):.3f} of {min(sets, 40)}"
            if compared
            else f"; cross statistic {cross / sets:.3f}"
        ),
        flush=True,
    )


def level(sets):
    observational("null", sets, compared=True)


def power(sets):
    for kind in KINDS:
        observational(kind, sets, compared=False)


def hostile(sets):
    for name, make in NULLS.items():
        for n in (200, 500):
            verdicts, warned, why = [], 0, Counter()
            for seed in range(START, START + sets):
                data = make(np.random.default_rng(seed), n)
                result = kstest.effect(data, **NAMES, draws=199, threads=1)
                if result.reject is None:
                    why[result.warnings[-1].code] += 1
                    continue
                verdicts.append(result.reject)
                warned += bool(result.warnings)
            share = np.mean(verdicts) if verdicts else np.nan
            print(f"{name:12} {n} rows: rejected {share:.3f} of {len(verdicts)} verdicts, warned "
                  f"{warned}, none {dict(why)} ({band(len(verdicts))})", flush=True)  # fmt: skip


def randomised(sets):
    for kind, noise in [("null", 1.0), *((kind, 1.0) for kind in KINDS), ("shift", 0.6)]:
        counts = []
        for covariates in ("x*", ""):
            options = {**NAMES, "covariates": covariates, "design": "randomised"}
            make = partial(study, n=200, kind=kind, randomised=True, noise=noise)
            counts.append(
                sum(
                    kstest.effect(
                        make(np.random.default_rng(seed)), **options, draws=299, threads=1
                    ).reject
                    for seed in range(START, START + sets)
                )
                / sets
            )
        print(f"randomised {kind:7} noise {noise}: with {counts[0]:.3f}, without {counts[1]:.3f}, "
              f"of {sets} ({band(sets)})", flush=True)  # fmt: skip


def files(sets):
    for change in (0.0, 0.3):
        found = unsure = 0
        for seed in range(START, START + sets):
            rng = np.random.default_rng(seed)
            x = [rng.normal(size=(500, 3)) + np.array([0.6 * k, 0, 0]) for k in (0, 1)]
            old, new = (
                np.column_stack([v, v[:, 0] + 0.3 * v[:, 0] ** 2 + rng.normal(size=500)]) for v in x
            )
            new[:, 3] += change
            result = kstest.effect(old, new, outcome="4", covariates="1-3", draws=299, threads=1)
            found += result.reject is True
            unsure += result.reject is None
        print(
            f"two files, outcome moved by {change}: {found / sets:.3f}, no verdict "
            f"{unsure / sets:.3f}, of {sets} ({band(sets)})",
            flush=True,
        )


def arm(sets):
    names = {**NAMES, "draws": 399, "threads": 1}
    for kind, true in (("null", (0, 1)), ("shift", (0.3, 1)), ("modes", (0, 1))):
        found, covered = np.zeros(2), np.zeros(2)
        for seed in range(START, START + sets):
            rng = np.random.default_rng(seed)
            X = rng.normal(size=(500, 5))
            treated = X[:, :3] @ [0.8, 0.5, -0.5] + rng.logistic(size=500) > 0
            y = 0.6 * X[:, 0] + 0.8 * rng.normal(size=500) + true[0]
            if kind == "modes":
                y = 0.44 * y + np.where(rng.random(500) < 0.5, 0.9, -0.9)
            data = pd.DataFrame(X, columns=[f"x{i}" for i in range(5)])
            data = data.assign(arm=treated * 1, y=np.where(treated, y, 0))
            fit = kstest.effect(data, **names, fit="normal")
            found += [kstest.effect(data, **names, target="normal(0, 1)").reject is True,
                      fit.reject is True]  # fmt: skip
            covered += [p["low"] <= t <= p["high"]
                        for p, t in zip(fit.explanation["fitted"], true, strict=True)]  # fmt: skip
        print(f"arm {kind:6} normal(0, 1) rejected {found[0] / sets:.3f}, fitted normal rejected "
              f"{found[1] / sets:.3f}, intervals cover {covered / sets}, of {sets} ({band(sets)})",
              flush=True)  # fmt: skip


def real(sets):
    from causaldata import cps_mixtape, nhefs_complete, nsw_mixtape

    nhefs = nhefs_complete.load_pandas().data
    given = "sex,race,age,education,smokeintensity,smokeyrs,exercise,active,wt71"
    for outcome in ("wt82_71", "ht"):
        columns = ["qsmk", outcome, *given.split(",")]
        frame = nhefs[columns].apply(pd.to_numeric)
        told(f"NHEFS {outcome}", frame, "qsmk", outcome, given, "observational")
    nsw, cps = nsw_mixtape.load_pandas().data, cps_mixtape.load_pandas().data
    given = "age,educ,black,hisp,marr,nodegree,re74,re75"
    for frame in (nsw, cps):
        frame["log_re78"] = np.log1p(frame["re78"])
    for design in ("randomised", "observational"):
        told(f"NSW experiment, {design}", nsw, "treat", "log_re78", given, design)
    controls = pd.concat([nsw[nsw.treat == 0].assign(here=1), cps.sample(3000, random_state=1)
                          .assign(here=0)], ignore_index=True)  # fmt: skip
    told("NSW controls and CPS", controls, "here", "log_re78", given, "observational")


def told(title, frame, treatment, outcome, given, design):
    columns = [treatment, outcome, *given.split(",")]
    result = kstest.effect(
        frame[columns].astype(float), treatment=treatment, outcome=outcome, covariates=given,
        design=design, threads=1,
    )  # fmt: skip
    mean = result.explanation.get("mean_difference", "")
    why = result.warnings[-1].message if result.verdict == "no verdict" else ""
    print(f"{title}: {result.verdict}, p {result.p_value}, {mean} {why}", flush=True)


def cost(sets):
    data = study(np.random.default_rng(1), 100_000)
    for design in ("observational", "randomised"):
        start = time.process_time()
        result = kstest.effect(data, **NAMES, design=design, threads=1)
        print(f"100,000 rows, {design}: {time.process_time() - start:.1f} CPU s, p "
              f"{result.p_value}", flush=True)  # fmt: skip


PARTS = {f.__name__: f for f in (level, power, hostile, randomised, files, arm, real, cost)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--sets", type=int, default=100)
    parser.add_argument("--start", type=int, default=START, help="the first seed")
    given = parser.parse_args()
    START = given.start
    for part in given.parts or PARTS:
        PARTS[part](given.sets)
