"""Time the two-sample permutation MMD of kstest and of other packages.

Set up the peers once, each in an environment of its own, then print the table:

    python benchmarks/peers.py --setup DIR
    python benchmarks/peers.py --peers DIR

One line per peer and n (rows a side). How to read the columns:

cpu s, wall s   the whole process, start and imports included; CPU of all its threads
import s        wall time of the peer's imports; kstest, timed from file to verdict, has no split
test s          wall time of the test call alone, data in memory
peak MB         peak resident memory: the larger of the kernel's figure for one process and the
                sum over the process tree, looked at every 50 ms
p               the p-value. Statistics and bandwidths differ, so p-values need not agree: Gaussian
                kernels near the median bandwidth, but the energy distance in dcor, permuted bins of
                a compressed sample in goodpoints, and a grid of bandwidths in kstest. "random
                features" is our own writing of the plain method, one kernel and 256 frequencies.
                scipy has one column only (--columns 1).

"failed" names the limit that was hit or the last line of the error; larger n are not tried then.
Every peer first runs once untimed on 50 rows, so that compiled code is cached where it can be.
All threads are allowed; --threads 1 compares work instead of cores. river has no test of two
samples; `peer_tables.py` asks it, and others, what they answer.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

SIZES = (500, 1000, 2000, 5000, 10000, 20000)

# In the order of installation, one pip call each: torch's CPU build first, so that nothing pulls in
# a GPU build. alibi-detect holds numpy and numba back, hence one environment per peer.
ALONE = ("hyppo", "alibi-detect", "frouros", "dcor", "goodpoints", "scikit-learn")
PACKAGES = {peer: (peer,) for peer in (*ALONE, "river")}
PACKAGES["alibi-detect"] = ("torch==2.13.0", "alibi-detect")
SHARED = {"random features": "scikit-learn", "scipy": "scikit-learn"}  # in the environment of
PEERS = (*ALONE, *SHARED)

# (imports, test): the test sees X, Y (n, d), B, h (median bandwidth), np and leaves p behind.
SNIPPETS: dict[str, tuple[str, str]] = {
    "hyppo": (
        "from hyppo.ksample import MMD",
        "p = MMD().test(X, Y, reps=B, auto=False)[1]",
    ),
    "alibi-detect": (
        "from alibi_detect.cd import MMDDrift",
        """
test = MMDDrift(X.astype(np.float32), backend="pytorch", n_permutations=B)
p = test.predict(Y.astype(np.float32))["data"]["p_val"]
""",
    ),
    "frouros": (
        """
from functools import partial
from frouros.callbacks import PermutationTestDistanceBased
from frouros.detectors.data_drift import MMD
from frouros.utils.kernels import rbf_kernel
""",
        """
null = PermutationTestDistanceBased(B, num_jobs=JOBS, method="conservative", random_state=0)
test = MMD(kernel=partial(rbf_kernel, sigma=h), callbacks=null)
test.fit(X=X)
p = test.compare(X=Y)[1]["PermutationTestDistanceBased"]["p_value"]
""",
    ),
    "dcor": (
        "import dcor",
        "p = dcor.homogeneity.energy_test(X, Y, num_resamples=B, random_state=0).pvalue",
    ),
    "goodpoints": (
        "from goodpoints.ctt import ctt",
        """
found = ctt(X, Y, 2, B=B, lam=2**0.5 * h, null_seed=0, statistic_seed=0)
# estimator_values come partitioned at the threshold: their last one is not the observed statistic
T = np.ravel(found.estimator_values)
p = (T >= np.ravel(found.statistic_values)[0]).sum() / (1 + B)
""",
    ),
    "scikit-learn": (
        "from sklearn.metrics.pairwise import rbf_kernel",
        """
K = rbf_kernel(np.vstack([X, Y]), gamma=0.5 / h**2)
np.fill_diagonal(K, 0)
rng, s = np.random.default_rng(0), np.repeat([1.0, -1.0], len(X))
V = np.column_stack([s] + [rng.permutation(s) for _ in range(B)])
T = (V * (K @ V)).sum(axis=0)  # for equal sizes the MMD grows with v'Kv
p = (1 + (T[1:] >= T[0] * (1 - 1e-12)).sum()) / (1 + B)
""",
    ),
    "random features": (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from peer_answers import random_features",
        "p = random_features(X, Y, draws=B)",
    ),
    "scipy": (
        "from scipy.stats import energy_distance, permutation_test",
        """
assert X.shape[1] == 1, "SciPy's energy distance has one column only"
p = permutation_test((X[:, 0], Y[:, 0]), energy_distance, n_resamples=B, rng=0,
                     alternative="greater").pvalue
""",
    ),
}

CHILD = """
import json, time
import numpy as np
here = __file__.removesuffix("cell.py")
X, Y, B, h, JOBS = np.load(here + "X.npy"), np.load(here + "Y.npy"), {B}, {h!r}, {jobs}
if __name__ == "__main__":
    start = time.perf_counter()
    exec({imports!r}, globals())
    ready = time.perf_counter()
    exec({test!r}, globals())
    done = time.perf_counter()
    print()
    print(json.dumps(dict(import_s=ready - start, test_s=done - ready, p_value=float(p))))
"""


def write_data(n: int, d: int, folder: Path) -> float:
    """Write one pair of samples as .npy and Parquet; return the median distance of 1000 rows."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng([2024, n, d])
    X, Y = rng.standard_normal((n, d)), rng.standard_normal((n, d))
    Y[:, 0] += 0.15
    for name, Z in (("X", X), ("Y", Y)):
        np.save(folder / f"{name}.npy", Z)
        pq.write_table(pa.table({f"x{j}": Z[:, j] for j in range(d)}), folder / f"{name}.parquet")
    Z = np.vstack([X[:500], Y[:500]])
    distance = np.sqrt(((Z[:, None] - Z) ** 2).sum(axis=-1))
    return float(np.median(distance[np.triu_indices(len(Z), 1)]))


def tree_bytes(group: int) -> int:
    """Resident bytes of all processes of one process group (0 where there is no /proc)."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # the process ended meanwhile
        if int(fields[2]) == group:
            total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return total


def measure(command: list[str], folder: Path, args: argparse.Namespace) -> dict[str, object]:
    """Run one cell in a process group of its own, under the limits of time and memory."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    env = {**os.environ, **dict.fromkeys(threads, str(args.threads))}
    out, err = folder / "stdout", folder / "stderr"
    start, failed, peak = time.perf_counter(), "", 0
    with out.open("w") as o, err.open("w") as e:
        child = subprocess.Popen(command, stdout=o, stderr=e, env=env, start_new_session=True)
        try:
            while True:
                pid, status, usage = os.wait4(child.pid, os.WNOHANG)
                if pid:
                    break
                peak = max(peak, tree_bytes(child.pid))
                late = time.perf_counter() - start > args.time_limit
                if late or peak > args.memory_limit * 1e9:
                    limit = f"{args.time_limit:g} s" if late else f"{args.memory_limit:g} GB"
                    failed = failed or f"over {limit}"
                    os.killpg(child.pid, signal.SIGKILL)
                time.sleep(0.05)
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            raise
    child.returncode = os.waitstatus_to_exitcode(status)  # reaped here, so tell Popen
    cell: dict[str, object] = {
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "wall_s": time.perf_counter() - start,
        "peak_mb": max(peak, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)) / 1e6,
    }
    try:
        text = "\n" + out.read_text()
        cell |= json.loads(text[text.rindex("\n{") :])  # the last object, after any chatter
    except ValueError:
        message = err.read_text().strip().splitlines() or [f"exit code {child.returncode}"]
        cell["failed"] = failed or message[-1][:60]
    return cell


def run_cell(peer: str, n: int, args: argparse.Namespace) -> dict[str, object]:
    """Measure one peer at one n."""
    home = args.peers / SHARED.get(peer, peer)
    if peer != "kstest" and not (home / "ready").exists():
        return {"failed": "not installed"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Written by another process: a child's peak memory starts from what its parent holds.
        with ProcessPoolExecutor(1) as pool:
            h = pool.submit(write_data, n, args.columns, folder).result()
        if peer == "kstest":
            # kstest exits with 1 when it rejects, which is no failure: the JSON decides.
            command = [sys.executable, "-m", "kstest", "mmd"]
            command += [str(folder / "X.parquet"), str(folder / "Y.parquet"), "--format", "json"]
            command += ["--permutations", str(args.permutations), "--threads", str(args.threads)]
        else:
            imports, test = SNIPPETS[peer]
            values = {"B": args.permutations, "h": h, "jobs": args.threads}
            (folder / "cell.py").write_text(CHILD.format(imports=imports, test=test, **values))
            command = [str(home / "bin" / "python"), str(folder / "cell.py")]
        return measure(command, folder, args)


def set_up(folder: Path, peers: list[str]) -> None:
    """Create one virtual environment per peer; a peer that does not install is reported."""
    for peer in peers:
        home = folder / peer
        (home / "ready").unlink(missing_ok=True)
        commands = [[sys.executable, "-m", "venv", str(home)]]
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        commands += [[*pip, package] for package in PACKAGES[peer]]
        ready = all(subprocess.run(c, check=False).returncode == 0 for c in commands)
        if ready:
            (home / "ready").touch()
        print(peer, "ready" if ready else "could not be installed", flush=True)


def main() -> None:
    """Parse the options, then set up the peers or print the table."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--setup", type=Path, metavar="DIR", help="create the environments here")
    where.add_argument("--peers", type=Path, metavar="DIR", help="environments made by --setup")
    parser.add_argument("--only", nargs="+", choices=("kstest", *PEERS, "river"), metavar="PEER")
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), metavar="N")
    parser.add_argument("--columns", type=int, default=10, metavar="D")
    parser.add_argument("--permutations", type=int, default=200, metavar="B")
    parser.add_argument("--time-limit", type=float, default=120, metavar="S", help="wall seconds")
    parser.add_argument("--memory-limit", type=float, default=12, metavar="GB")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the cells here")
    args = parser.parse_args()
    peers = args.only or ["kstest", *PEERS]
    if args.setup:
        set_up(args.setup.absolute(), [peer for peer in PACKAGES if not args.only or peer in peers])
        return
    args.peers = args.peers.absolute()
    shape = "{:<13}{:>7}{:>9}{:>9}{:>10}{:>9}{:>9}{:>8}  {}"
    print(shape.format("peer", "n", "cpu s", "wall s", "import s", "test s", "peak MB", "p", ""))
    digits = {"cpu_s": 2, "wall_s": 2, "import_s": 2, "test_s": 2, "peak_mb": 0, "p_value": 3}
    cells: list[dict[str, object]] = []
    for peer in peers:
        run_cell(peer, 50, args)
        for n in sorted(args.sizes):
            cell = run_cell(peer, n, args)
            cell = {k: cell[k] for k in (*digits, "failed") if cell.get(k) is not None}
            cells.append({"peer": peer, "n": n, **cell})
            texts = [f"{cell[k]:.{r}f}" if k in cell else "-" for k, r in digits.items()]
            reason = f"failed: {cell['failed']}" if "failed" in cell else ""
            print(shape.format(peer, n, *texts, reason), flush=True)
            if reason:
                break
    if args.json:
        args.json.write_text(json.dumps(cells, indent=1) + "\n")


if __name__ == "__main__":
    main()
