"""Five newcomers, each from an empty folder to a right verdict within five commands.

Each has files that a colleague left, made here, and the commands that the pages of docs/ have. By
default they run in this process, which is quick; as commands of a shell among the slow tests.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kstest.cli import run

MOST_COMMANDS = 5


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Shell:
    """Runs commands as they are written and counts them."""

    def __init__(self, execute):
        self.commands, self.execute = 0, execute

    def __call__(self, line, code, *words):
        self.commands += 1
        assert self.commands <= MOST_COMMANDS
        found, said = self.execute(shlex.split(line)[1:])
        assert found == code, f"{line}\n{said}"
        flat = " ".join(said.split())
        for word in words:
            assert word in flat, f"{line}\n{said}"
        return flat


@pytest.fixture(params=["here", pytest.param("there", marks=pytest.mark.slow)])
def shell(request, folder, capsys):
    def here(words):
        code = run(words)
        return code, "".join(capsys.readouterr())

    def there(words):
        command = [sys.executable, "-m", "kstest", *words]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    return Shell(here if request.param == "here" else there)


def orders(path, day, factor=1.0):
    rng = np.random.default_rng(day)
    n = 600
    clock = pd.Timestamp(f"2026-11-{day:02d}") + pd.to_timedelta(rng.integers(86400, size=n), "s")
    table = {
        "order_id": 1000 * day + np.arange(n),
        "ordered_at": np.sort(clock.to_numpy().astype("datetime64[s]")),
        "country": rng.choice(["DE", "FR", "NL"], n, p=[0.5, 0.3, 0.2]),
        "items": 1 + rng.poisson(1.5, n),
        "amount": np.round(factor * rng.lognormal(3, 0.6, n), 2),
    }
    pd.DataFrame(table).to_csv(path, index=False)


def test_a_data_engineer_watches_an_export(shell):
    """docs/run.md: a good night, and one of prices in another currency."""
    orders("last.csv", 1)
    orders("today.csv", 2)
    shell("kstest init last.csv today.csv", 0, "left out: order_id, ordered_at")
    shell("kstest run", 0, "no alarm")
    orders("today.csv", 3, 1.3)
    shell("kstest run", 1, "ALARM: rows")
    shell("kstest show", 0, "run 2", "rows: rejected", "differ in amount")


def test_a_physicist_judges_a_run(shell):
    """docs/batches.md: the cathode of drift tubes at half its voltage."""
    make = "kstest datasets make drift-tubes -o"
    shell(f"{make} ref.parquet --events 1500 --seed 1", 0)
    shell(f"{make} good.parquet --events 3000 --seed 2", 0)
    shell(f"{make} run_0816.parquet --events 150 --seed 4 --cathode 0.5", 0)
    calibrate = "kstest dqm calibrate ref.parquet --pool good.parquet"
    shell(f"{calibrate} --batch-size 150 --toys 300 -o drift.cal", 0, "pool 3,000 rows")
    shell("kstest dqm check drift.cal run_0816.parquet", 1, "ALARM: the batch differs")


def test_a_bayesian_modeller_trusts_draws_or_not(shell):
    """docs/goodness-of-fit.md: a sampler that is right, and one whose scale is too large."""
    rng = np.random.default_rng(0)
    mu = rng.normal(size=1000)
    tau = 0.5 * mu + np.sqrt(0.75) * rng.normal(size=1000)
    for name, scale in (("nuts", 1.0), ("broken", 1.25)):
        pd.DataFrame({"mu": mu, "tau": scale * tau}).to_csv(f"{name}.csv", index=False)
    Path("posterior.toml").write_text(
        'family = "multivariate_normal"\nmean = [0, 0]\ncovariance = [[1, 0.5], [0.5, 1]]\n'
    )
    shell("kstest ksd nuts.csv --target posterior.toml", 0, "NOT REJECTED")
    shell("kstest ksd broken.csv --target posterior.toml", 1, "REJECTED", "driven by tau")
    shell("kstest thin nuts.csv --rows 100 -o few.csv", 0, "100 OF 1,000 ROWS")
    shell("kstest ksd few.csv --target posterior.toml --columns mu,tau", 0, "NOT REJECTED")


def test_an_epidemiologist_reads_a_trial(shell):
    """docs/effect.md: a drug that lowers blood pressure, and one more that only seems to."""
    rng = np.random.default_rng(0)
    n = 400
    age, sex = rng.integers(30, 80, n), rng.choice(["f", "m"], n)
    trial = pd.DataFrame({"patient": np.arange(n), "age": age, "sex": sex})
    noise = rng.normal(scale=10, size=n)
    arm = rng.permutation(np.repeat(["drug", "placebo"], n // 2))
    fall = 8 * (arm == "drug")
    table = trial.assign(arm=arm, sbp=110 + age / 2 + 4 * (sex == "m") - fall + noise)
    table.round(1).to_csv("trial.csv", index=False)
    young = age + rng.normal(scale=20, size=n) < 55  # who is young is treated
    table = trial.assign(arm=np.where(young, "drug", "placebo"), sbp=110 + age / 2 + noise)
    table.round(1).to_csv("register.csv", index=False)
    options = "--treatment arm --outcome sbp --covariates age,sex"
    lot = shell(f"kstest effect trial.csv {options} --design randomised", 1, "treated arm = drug")
    assert "mean sbp -" in lot
    shell("kstest mmd register.csv --sample-column arm --reference-values placebo "
          "--sample-values drug --columns sbp", 1, "REJECTED")  # fmt: skip
    shell(f"kstest effect register.csv {options}", 0, "NOT REJECTED")


def test_a_notebook_user_compares_two_frames(folder):
    """README.md: each cell is what is written there, or one word longer."""
    rng = np.random.default_rng(0)
    frames = {
        name: pd.DataFrame(
            {"speed": rng.normal(scale=scale, size=300), "mass": rng.normal(size=300)}
        )
        for name, scale in (("X", 1.0), ("Y", 1.6))
    }
    cells = (
        "import kstest",
        "result = kstest.mmd(X, Y, seed=0, permutations=999, plot='why.svg')",
        "statistic, p_value = result",
        "report = str(result)",
        "kstest.testing.assert_same(X, X, alpha=0.001)",
    )
    for cell in cells:
        exec(cell, frames)
    assert frames["result"].verdict == "rejected"
    assert frames["p_value"] == 0.001
    assert "speed" in frames["report"]
    assert Path("why.svg").stat().st_size
    with pytest.raises(AssertionError, match="REJECTED"):
        exec("kstest.testing.assert_same(X, Y, alpha=0.001)", frames)
