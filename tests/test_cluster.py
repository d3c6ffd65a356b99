"""The two passes on workers of dask.distributed: the same sums, whatever happens to the workers."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kstest
from kstest.cli import run
from kstest.clusters import dask as cluster_room
from kstest.engine import Work
from kstest.errors import DataError, UsageError
from kstest.methods.two_samples import passes

distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.cluster,
    # What the library says of its own sockets and loops when a worker is killed.
    pytest.mark.filterwarnings("default"),
]


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        memory_limit=0,
        silence_logs=50,
    ) as found:
        yield found


@pytest.fixture
def address(cluster):
    return cluster.scheduler_address


@pytest.fixture
def files(tmp_path, monkeypatch):
    rng = np.random.default_rng(5)
    for name, count, shift in (("a", 4, 0.0), ("b", 3, 0.2)):
        for k in range(count):
            x = rng.normal([0, shift], size=(2000, 2))
            table = pa.table({"c0": x[:, 0], "c1": x[:, 1]})
            pq.write_table(table, tmp_path / f"{name}-{k}.parquet", row_group_size=500)
    monkeypatch.setattr("kstest.sources.survey.SPAN_ROWS", 1000)
    return str(tmp_path / "a-*.parquet"), str(tmp_path / "b-*.parquet")


@pytest.fixture
def here(files):
    return kstest.mmd(*files, scheduler="local", threads=1)


def same(one, other):
    assert one.provenance["sums"] == other.provenance["sums"]
    assert (one.p_value, one.statistic) == (other.p_value, other.statistic)


def test_an_address_or_a_client_give_the_sums_of_one_process(address, files, here, capsys):
    there = kstest.mmd(*files, scheduler=address)
    same(there, here)
    assert (there.provenance["workers"], there.provenance["spans"]) == (2, 14)
    with distributed.Client(address, set_as_default=False) as client:
        same(kstest.mmd(*files, scheduler=client), here)
        assert client.status == "running"  # somebody else's stays open
    assert run(["mmd", *files, "--scheduler", address, "--format", "json"]) == 1
    assert here.provenance["sums"] in capsys.readouterr().out


def test_a_killed_worker_is_survived(address, files, here):
    for there in while_one_is_killed(address, lambda: kstest.mmd(*files, scheduler=address)):
        same(there, here)


def while_one_is_killed(address, test):
    """Answers of a test during and after the death of a worker, of which there are two again."""
    ended = threading.Event()
    with distributed.Client(address, set_as_default=False) as client:
        victim = next(iter(client.run(os.getpid).values()))

        def kill():
            while not ended.is_set() and not any("kstest-" in key for key in tasks(client)):
                time.sleep(0.01)
            os.kill(victim, signal.SIGKILL)

        killing = threading.Thread(target=kill)
        killing.start()
        found = [test()]
        ended.set()
        killing.join()
        wait(lambda: victim not in client.run(os.getpid, on_error="ignore").values())
        found.append(test())
        client.wait_for_workers(2, timeout=30)
    return found


def test_a_task_that_always_kills_its_worker_is_named(files, monkeypatch):
    """With a cluster of its own, whose scheduler gives up after the first death."""
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as own,
        distributed.Client(own, set_as_default=False) as client,
    ):
        client.run_on_scheduler(
            lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 0)
        )
        monkeypatch.setattr("kstest.methods.two_samples.prepared.summed", dies)
        with pytest.raises(DataError, match=r"a-0.parquet.* rows from row 1: its worker died"):
            kstest.mmd(*files, scheduler=client)


def dies(*given):
    os.kill(os.getpid(), signal.SIGKILL)


def test_nobody_there(files, monkeypatch, capsys):
    monkeypatch.setattr(cluster_room, "ANSWER", 1)
    assert run(["mmd", *files, "--scheduler", "tcp://127.0.0.1:9"]) == 2
    words = " ".join(capsys.readouterr().err.split())
    assert "--scheduler tcp://127.0.0.1:9: no answer within 1 s; is a dask scheduler" in words
    with pytest.raises(UsageError, match="no answer within"):
        kstest.mmd(*files, scheduler="tcp://")


def test_the_extra_is_named(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'kstest\[dask\]'"):
        kstest.mmd(*files, scheduler="tcp://127.0.0.1:9")


def test_no_worker(files, monkeypatch):
    monkeypatch.setattr(cluster_room, "WORKERS", 1)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as empty,
        pytest.raises(UsageError, match="has no worker after 1 s"),
    ):
        kstest.mmd(*files, scheduler=empty.scheduler_address)


def test_a_worker_that_is_lost_while_connecting_is_waited_for():
    class Lost:
        def scheduler_info(self, n_workers):
            return {"workers": {}}

        def wait_for_workers(self, count, timeout):
            """One was there."""

    assert cluster_room._threads(Lost(), "scheduler", Work(1)) == 1


def test_other_versions(address, files, monkeypatch):
    there = cluster_room.versions()
    monkeypatch.setattr(cluster_room, "__version__", "9.9")
    with pytest.raises(
        UsageError, match=rf"versions differ: tcp.*: kstest {there['kstest']}, here 9.9"
    ):
        kstest.mmd(*files, scheduler=address)


def test_a_part_that_a_worker_does_not_see(address, files, tmp_path, monkeypatch):
    asked = cluster_room._require_files

    def without(client, stamps):
        os.rename(tmp_path / "a-2.parquet", tmp_path / "gone")
        asked(client, stamps)

    monkeypatch.setattr(cluster_room, "_require_files", without)
    words = r"a-2.parquet is not on 2 of 2 workers \(tcp.*\): put the files where all workers see"
    with pytest.raises(DataError, match=words):
        kstest.mmd(*files, scheduler=address)


def test_a_part_that_changes_between_the_passes(address, files, tmp_path, monkeypatch):
    from kstest.methods.two_samples import streamed

    first = streamed.prepared

    def then_changed(*given):
        found = first(*given)
        os.utime(tmp_path / "a-1.parquet", (1, 1))
        return found

    monkeypatch.setattr(streamed, "prepared", then_changed)
    with pytest.raises(DataError, match=r"a-1.parquet: has changed while it was read"):
        kstest.mmd(*files, scheduler=address)


def test_a_missing_cell_is_told_as_in_one_process(address, files, tmp_path):
    table = pa.table({"c0": [1.0, None], "c1": [1.0, 2.0]})
    pq.write_table(table, tmp_path / "a-9.parquet")
    said = []
    for scheduler in ("local", address):
        with pytest.raises(DataError, match=r"a-9\.parquet") as error:
            kstest.mmd(*files, scheduler=scheduler)
        said.append(str(error.value))
    assert said[0] == said[1]


def test_ksd_has_the_sums_of_one_process(address, files, capsys):
    options = {"target": "product(c0=normal(mean=0, sd=1), c1=normal(mean=0.2, sd=1))"}
    here = kstest.ksd(files[1], scheduler="local", threads=1, **options)
    same(kstest.ksd(files[1], scheduler=address, **options), here)
    same(kstest.ksd(files[1], scheduler="local", threads=2, **options), here)
    words = ["ksd", files[1], "--target", "python:os:path", "--allow-python", "--quiet"]
    assert run([*words, "--scheduler", address]) == 2
    assert "a Python object is not sent to workers" in " ".join(capsys.readouterr().err.split())


def test_ks_has_the_sums_of_one_process(address, files):
    here = kstest.ks(*files, scheduler="local", threads=1)
    same(kstest.ks(*files, scheduler=address), here)
    same(kstest.ks(*files, scheduler="local", threads=2), here)


def test_hsic_has_the_sums_of_one_process(address, files):
    blocks = {"x": "c0", "y": "c1"}
    here = kstest.hsic(files[0], scheduler="local", threads=1, **blocks)
    same(kstest.hsic(files[0], scheduler=address, **blocks), here)
    same(kstest.hsic(files[0], scheduler="local", threads=2, **blocks), here)


@pytest.fixture
def texts(tmp_path, monkeypatch):
    """Sequences in three files, of which each is a span, and a model of them."""
    rng = np.random.default_rng(6)
    (tmp_path / "chain.csv").write_text(",a,b,$\n^,.5,.5,0\na,.5,.2,.3\nb,.3,.4,.3\n")
    for k, count in enumerate((50, 800, 3000)):
        lines = ("".join(rng.choice(["a", "b"], 1 + rng.geometric(0.3))) for _ in range(count))
        (tmp_path / f"s-{k}.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr("kstest.sources.sequence_spans.SPAN_ROWS", 1)
    return str(tmp_path / "s-*.txt"), str(tmp_path / "chain.csv")


def test_seqksd_has_the_sums_of_one_process(address, texts, capsys):
    files, target = texts
    here = kstest.seqksd(files, target=target, scheduler="local", threads=1)
    assert here.verdict == "rejected"

    def test():
        return kstest.seqksd(files, target=target, scheduler=address)

    found = [test(), *while_one_is_killed(address, test)]
    for there in found:
        same(there, here)
        assert there.explanation == here.explanation
    assert (found[0].provenance["workers"], found[0].provenance["spans"]) == (2, 3)
    words = ["seqksd", files, "--target", "python:os:path", "--allow-python", "--quiet"]
    assert run([*words, "--scheduler", address]) == 2
    assert "a Python object is not sent to workers" in " ".join(capsys.readouterr().err.split())


def test_a_strange_symbol_is_told_as_in_one_process(address, texts, tmp_path):
    files, target = texts
    (tmp_path / "s-3.txt").write_text("ab\nabc\n")
    said = [
        kstest.seqksd(files, target=target, scheduler=scheduler).explanation["summary"]
        for scheduler in ("local", address)
    ]
    assert said[0] == said[1]
    assert "s-3.txt, 'abc', holds the symbol 'c'" in said[0]


@pytest.fixture
def batches(tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    known = kstest.dqm_calibrate(
        rng.normal(size=(400, 2)), rng.normal(size=(900, 2)), batch_size=60, toys=99, centres=30
    )
    known.save(str(tmp_path / "k.cal"))
    for k in range(5):
        x = rng.normal(k / 4, size=(60 + 70 * (k == 1), 2))
        np.savetxt(tmp_path / f"x{k}.csv", x, "%.6f", ",", header="1,2", comments="")
    monkeypatch.chdir(tmp_path)
    return ["dqm", "check", "k.cal", "x*.csv", "--format", "json"]


def answers(text):
    """Without the time and the place of the run."""
    return [{**one, "provenance": None} for one in json.loads(text)]


def test_batches_are_judged_by_workers_as_here(address, batches, capsys):
    said = []
    for more in ((), ("--scheduler", address), ("--scheduler", "local")):
        code = run([*batches, *more])
        said.append((code, answers(capsys.readouterr().out)))
    assert said[0] == said[1] == said[2]
    assert len(said[0][1]) == 6
    assert run([*batches, "--scheduler", address, "--history", "h.db"]) == said[0][0]
    assert '"workers": 2' in capsys.readouterr().out
    known = kstest.dqm_load("k.cal")
    with distributed.Client(address, set_as_default=False) as client:
        found = kstest.dqm_check(known, "x*.csv", scheduler=client)
    assert [r.p_value for r in found] == [r["p_value"] for r in said[0][1]]


def test_a_batch_that_cannot_be_read_is_told_as_here(address, batches, capsys, tmp_path):
    (tmp_path / "x3.csv").write_text("1,2\n1,x\n")
    said = []
    for more in ((), ("--scheduler", address)):
        assert run([*batches, "--quiet", *more]) == 2
        words = " ".join(capsys.readouterr().err.split())
        said.append(words.replace(f" --scheduler {address}", ""))
    assert said[0] == said[1]


def test_a_batch_that_a_worker_does_not_see(address, batches, tmp_path, monkeypatch, capsys):
    asked = cluster_room._require_files

    def without(client, stamps):
        os.rename(tmp_path / "x2.csv", tmp_path / "gone")
        asked(client, stamps)

    monkeypatch.setattr(cluster_room, "_require_files", without)
    assert run([*batches, "--scheduler", address]) == 2
    assert "x2.csv is not on 2 of 2 workers" in " ".join(capsys.readouterr().err.split())


def test_errors_travel():
    for error in (DataError("a", ["--x"]), UsageError("b")):
        back = pickle.loads(pickle.dumps(error))
        assert (str(back), back.more) == (str(error), error.more)


def test_an_interrupt_cancels_the_tasks(address, files):
    code = (
        "import sys, time\n"
        "from kstest.methods.two_samples import prepared\n"
        "from tests.test_cluster import slow\n"
        "prepared.summed = slow\n"
        "from kstest.cli import main\n"
        "sys.argv[1:] = ['mmd', *sys.argv[1:]]\n"
        "sys.exit(main())\n"
    )
    command = [sys.executable, "-c", code, *files, "--scheduler", address]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    with distributed.Client(address, set_as_default=False) as client:
        wait(lambda: any("slow" in key for key in tasks(client)))
        started.send_signal(signal.SIGINT)
        _, err = started.communicate(timeout=30)
        assert started.returncode == 130, err
        assert "Traceback" not in err
        wait(lambda: not tasks(client))


def slow(*given):
    time.sleep(2)
    return passes.summed(*given)


def tasks(client):
    return client.run_on_scheduler(lambda dask_scheduler: [*map(str, dask_scheduler.tasks)])


def wait(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_nothing_of_dask_is_imported_without_an_address():
    code = (
        "import sys\n"
        "from kstest.cli import run\n"
        "run(['mmd', '--help'])\n"
        "assert not {'dask', 'distributed', 'tornado', 'pyarrow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of Linux is told")
def test_workers_use_freed_memory_again():
    """Workers of dask are told to give memory back, which made every large array twice as dear."""
    script = """if True:
        import resource
        import numpy as np
        from kstest.clusters.dask import alone

        def faults():
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

        def work():
            before = faults()
            for _ in range(50):
                np.ones(500_000)
            return faults() - before

        print(alone(work), work(), alone(work))
    """
    environment = os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    kept, given_back, kept_again = map(int, done.stdout.split())
    assert max(kept, kept_again) < given_back / 5, done.stdout


@pytest.mark.parametrize(
    ("trim", "set_back"),
    [("65536", 65536), ("0", 0), ("4294967296", 2**31 - 1), ("9" * 30, 2**31 - 1)],
)
def test_the_limits_of_memory_are_set_back(trim, set_back, monkeypatch):
    """To what the environment says, or the largest number that the C library takes."""
    set_to = {}
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", trim)
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    monkeypatch.delenv("MALLOC_TOP_PAD_", raising=False)
    monkeypatch.setattr(cluster_room.sys, "platform", "linux")
    library = type("Library", (), {"mallopt": staticmethod(set_to.__setitem__)})
    monkeypatch.setattr(cluster_room.ctypes, "CDLL", lambda name: library)
    limits = cluster_room.MMAP_THRESHOLD, cluster_room.TRIM_THRESHOLD

    def task():
        with cluster_room._memory_kept():
            assert set_to == dict(zip(limits, (32 << 20, 64 << 20), strict=True))
            raise ValueError("a task")

    with pytest.raises(ValueError, match="a task"):
        task()
    assert set_to == dict(zip(limits, (128 << 10, set_back), strict=True))
