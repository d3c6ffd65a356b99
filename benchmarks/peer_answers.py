"""What one package answers about many data sets; `peer_tables.py` runs it in an environment each.

    PYTHON peer_answers.py KIND NAME DATA.npz SECONDS

Arrays of DATA.npz have one data set a row. Prints JSON: an answer for every set until SECONDS of
CPU have gone (rows of alarms of a stream, p-value of a test), CPU seconds of each, what failed.
Every package first runs untimed on the first 100 rows, so that compilation is not counted.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np


def river(name):
    """Detectors of river at their defaults; they begin anew after an alarm by themselves."""
    from river import drift

    make = getattr(drift.binary if name in ("DDM", "EDDM", "HDDMA", "HDDMW") else drift, name)

    def answer(stream, reference):
        detector, alarms = make(), []
        for row, value in enumerate(stream.tolist()):
            detector.update(value)
            if detector.drift_detected:
                alarms.append(row)
        return alarms

    return answer


def frouros(name):
    """Detectors of frouros at their defaults; reset after an alarm, as its manual has it."""
    from frouros.detectors import concept_drift

    make = getattr(concept_drift, name)

    def answer(stream, reference):
        detector, alarms = make(), []
        for row, value in enumerate(stream.tolist()):
            detector.update(value=value)
            if detector.status["drift"]:
                alarms.append(row)
                detector.reset()
        return alarms

    return answer


def stream(name):
    """Tests of streams of kstest: an alarm is a rejection, or the detector's."""
    import kstest

    def answer(stream, reference):
        if name == "sksd":
            found = kstest.sksd(stream, target="normal(0, 1)", threads=1)
        elif name == "smmd --detect":
            found = kstest.smmd(reference, stream, detect=True, on_alarm="restart", threads=1)
            return [alarm["after_row"] for alarm in found.explanation["detector"]["alarms"]]
        else:
            found = kstest.smmd(reference, stream, threads=1)
        row = found.explanation["evidence"]["decided_after_row"]
        return [] if row is None else [row]

    return answer


def permuted(statistic, draws=199):
    """The p-value of a permutation test of y, written out."""

    def answer(x, y):
        rng, observed = np.random.default_rng(0), statistic(x, y)
        larger = sum(statistic(x, rng.permutation(y)) >= observed for _ in range(draws))
        return (1 + larger) / (1 + draws)

    return answer


def dependence(name):
    """Independence of two columns."""
    if name.startswith("hsic"):
        import kstest

        return lambda x, y: kstest.hsic(x, y, permutations=199, threads=1).p_value
    import dcor

    if name == "dcor t test":
        return lambda x, y: float(dcor.independence.distance_correlation_t_test(x, y).pvalue)
    return permuted(lambda x, y: dcor.distance_covariance_sqr(x, y, method="avl"))


def random_features(x, y, draws=199, count=256):
    """MMD of random Fourier features (Rahimi and Recht, 2007) of one Gaussian kernel, permuted."""
    rng = np.random.default_rng(0)
    both = np.concatenate([x, y]).reshape(len(x) + len(y), -1)
    some = both[rng.choice(len(both), min(len(both), 1000), replace=False)]
    width = np.sqrt(((some[::2, None] - some[None, 1::2]) ** 2).sum(-1))
    phases = both @ (rng.standard_normal((both.shape[1], count)) / np.median(width))
    features = np.hstack([np.cos(phases), np.sin(phases)])
    sign = np.r_[np.full(len(x), 1 / len(x)), np.full(len(y), -1 / len(y))]
    signs = np.column_stack([sign, *(rng.permutation(sign) for _ in range(draws))])
    T = ((features.T @ signs) ** 2).sum(axis=0)
    return (1 + (T[1:] >= T[0] * (1 - 1e-12)).sum()) / (1 + draws)


def column(name):
    """Two samples of one column."""
    if name == "random features":
        return random_features
    if name in ("ks", "mmd", "ks --statistic energy"):
        import kstest

        options = {"statistic": "energy"} if "energy" in name else {}
        test = getattr(kstest, name.split()[0])
        return lambda x, y: test(x, y, permutations=199, threads=1, **options).p_value
    from scipy import stats

    if name == "scipy ks_2samp":
        return lambda x, y: float(stats.ks_2samp(x, y).pvalue)

    def energy(x, y):
        one = stats.permutation_test(
            (x, y), stats.energy_distance, n_resamples=199, alternative="greater", rng=0
        )
        return float(one.pvalue)

    return energy


KINDS = {f.__name__: f for f in (river, frouros, stream, dependence, column)}


def main():
    kind, name, path, limit = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))  # more is a MemoryError
    data = dict(np.load(path))
    answer = KINDS[kind](name)
    told = {"answers": [], "seconds": [], "failed": ""}
    try:
        answer(*(rows[0][:100] for rows in data.values()))
        for sets in zip(*data.values(), strict=True):
            clock = time.process_time()
            told["answers"].append(answer(*sets))
            told["seconds"].append(time.process_time() - clock)
            if sum(told["seconds"]) > float(limit):
                break
    except (ValueError, TypeError, MemoryError) as error:
        told["failed"] = f"{type(error).__name__}: {error}"
    print(json.dumps(told, default=float))


if __name__ == "__main__":
    main()
