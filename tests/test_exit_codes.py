"""What every command exits with, in one table; a command that is not in it fails."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest

from kstest.cli import cli, run

TOML = '[checks.{0}]\ntest = "{1}"\nreference = "ref.csv"\nsample = "{2}"\n'
LAW = ["--target", "normal()"]
MODES = ["--target", "gaussian_mixture([0.5, 0.5], [[-3], [3]], 1)", "--columns", "a"]

# command: exit code and words; files are those of `folder`
TABLE: dict[str, list[tuple[int, str]]] = {
    "": [(0, "--help"), (0, "--version"), (2, "--no-such"), (2, "no-such")],
    "mmd": [
        (0, "ref.csv like.csv"),
        (1, "ref.csv far.csv"),
        (0, "ref.csv far.csv --exit-zero"),
        (0, "ref.csv far.csv --min-effect 0.9%-points,95%"),
        (2, "ref.csv absent.csv"),
        (2, "ref.csv broken.parquet"),
        (2, "ref.csv like.csv --no-such"),
        (2, "ref.csv like.csv --alpha 7"),
        (2, "ref.csv"),
        (2, "ref.csv like.csv -o absent/x"),
        (3, "ref.csv one.csv"),
        (0, "--cite"),
        (0, "--help"),
        (0, "-h"),
    ],
    "ks": [(0, "ref.csv like.csv"), (1, "ref.csv far.csv"), (2, "ref.csv none*.csv"),
           (3, "ref.csv one.csv"), (3, "flat.csv flat.csv")],
    "hsic": [(0, "ref.csv --x a --y b"), (1, "tied.csv --x a --y b"), (2, "ref.csv --x a"),
             (3, "one.csv --x a --y b")],
    "skit": [(0, "ref.csv --x a --y b"), (1, "tied.csv --x a --y b"), (2, "ref.csv --x a --y z"),
             (2, "ref.csv --x a --y b --state broken.kst")],
    "smmd": [(0, "ref.csv like.csv"), (1, "ref.csv far.csv"), (2, "ref.csv absent.csv")],
    "sksd": [(0, "ref.csv --target normal() --columns a"),
             (1, "far.csv --target normal() --columns a"), (2, "ref.csv")],
    "ksd": [(0, "ref.csv --target normal()"), (1, "far.csv --target normal()"),
            (2, "ref.csv --target nrmal()"), (3, "one.csv --target normal()")],
    "pksd": [(0, "both.csv --columns a --target MIXTURE"),
             (1, "far.csv --columns a --target MIXTURE"), (2, "both.csv --columns a"),
             (3, "one.csv --columns a --target MIXTURE")],
    "seqksd": [(0, "words.txt --target fit:order=1 --draws 99"),
               (2, "words.txt --target fit:order=x"), (3, "word.txt --target fit:order=1")],
    "dqm calibrate": [(2, "ref.csv --pool absent.csv -o x.cal"), (2, "ref.csv")],
    "dqm check": [(0, "k.cal batch.csv"), (1, "k.cal bad.csv"), (0, "k.cal bad.csv --exit-zero"),
                  (2, "k.cal absent.csv"), (2, "ref.csv batch.csv"), (3, "k.cal one.csv")],
    "dqm explain": [(0, "k.cal batch.csv"), (1, "k.cal bad.csv"), (2, "k.cal absent.csv")],
    "dqm selftest": [(0, "k.cal"), (2, "absent.cal")],
    "dqm compare": [(0, "ref.csv like.csv"), (1, "ref.csv far.csv"), (2, "ref.csv absent.csv")],
    "dqm show": [(0, "k.cal"), (2, "ref.csv")],
    "dqm status": [(0, "good.log"), (1, "bad.log"), (2, "absent.log"), (2, "ref.csv")],
    "dqm ack": [(0, "bad.log --until 2999-01-01 --why known"), (2, "bad.log --until 2999-01-01"),
                (2, "bad.log --until 2999-01-01 --why known --calibration nosuch"),
                (2, "absent.log --until 2999-01-01 --why known")],
    "effect": [(0, "ref.csv like.csv --outcome b --design randomised"),
               (1, "ref.csv far.csv --outcome a --design randomised"),
               (2, "ref.csv like.csv --outcome z --design randomised")],
    "moments": [(0, "ref.csv --residual a --given b"), (1, "tied.csv --residual a --given b"),
                (2, "ref.csv --residual z --given b"), (3, "one.csv --residual a --given b")],
    "release": [(0, "ref.csv --epsilon 1 --delta 1e-6 --units units.toml -o made.sketch"),
                (2, "ref.csv --epsilon 1 --delta 1e-6 -o made.sketch"),
                (2, "ref.csv --epsilon 1 --delta 1e-6 --units units.toml -o x --budget 0.5")],
    "thin": [(0, "ref.csv --rows 20 -o made.csv"), (2, "absent.csv --rows 20 -o made.csv")],
    "sniff": [(0, "ref.csv"), (2, "absent.csv"), (2, "broken.parquet")],
    "datasets make drift-tubes": [(0, "--seed 1 --events 20 -o made.parquet"),
                                  (2, "-o absent/made.parquet")],
    **{f"datasets make {name}": [(0, "--rows 50 -o made"), (2, "--rows 0")]
       for name in ("orders", "weather", "stream", "hits")},
    "plan": [(0, "ref.csv --shift 3 --test ks --draws 20"), (2, "ref.csv"),
             (2, "one.csv --shift 3")],
    "run": [
        (0, "like --history none"),
        (1, "far --history none"),
        (1, "--history none"),  # an alarm comes before a check that could not run
        (2, "absent --history none"),
        (3, "one --history none"),
        (0, "far --history none --fail-on never"),
        (2, "no-such --history none"),
        (2, "like --history none --config absent.toml"),
        (2, "like --history none --alpha 7"),
        (0, "like --history none --format nagios"),
        (2, "far --history none --format nagios"),  # of Nagios: critical
        (3, "absent --history none --format nagios"),  # of Nagios: unknown
    ],
    "baseline": [(0, "ref.csv -o made.kst"), (2, "absent.csv"), (2, "ref.csv -o ref.csv")],
    "init": [(0, "ref.csv like.csv -o made.toml"), (2, "ref.csv like.csv -o kstest.toml"),
             (2, "ref.csv absent.csv -o made.toml")],
    "validate": [(0, ""), (2, "--config bad.toml"), (2, "--config absent.toml")],
    "config show": [(0, ""), (2, "--config bad.toml"), (2, "--keep 0")],
    "history": [(0, ""), (0, "like --format csv"), (0, "like --plot made.svg"),
                (2, "like --plot made.txt"), (2, "no-such"), (2, "--history absent.db"),
                (2, "--history broken.db")],
    "show": [(0, "1"), (0, "1 --format html"), (2, "99"), (2, "x"), (2, "1 --history broken.db")],
    "ack": [(0, "like --until 2999-01-01 --why known"), (2, "like --until 2999-01-01"),
            (2, "no-such --until 2999-01-01 --why known"), (2, "like --until soon --why known")],
    "reset": [(0, "like --why moved"), (2, "no-such --why moved")],
    "doctor": [(0, "")],
    "schema": [(0, "")],
    "state show": [(0, "good.kst"), (2, "broken.kst"), (2, "absent.kst"), (2, "ref.csv")],
    "completions": [(0, "bash"), (2, "no-such")],
    "warmup": [(2, "--no-such")],
}  # fmt: skip
ROWS = [(name, words, code) for name, rows in TABLE.items() for code, words in rows]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The files of the table."""
    path = tmp_path_factory.mktemp("codes")
    rng = np.random.default_rng(11)
    for name, rows, shift in (
        ("ref", 300, 0), ("like", 200, 0), ("far", 200, 2), ("one", 1, 0), ("pool", 900, 0),
        ("batch", 120, 0), ("bad", 120, 1.5),
    ):  # fmt: skip
        frame = pd.DataFrame({"a": rng.normal(shift, 1, rows), "b": rng.normal(size=rows)})
        frame.to_csv(path / f"{name}.csv", index=False)
    a = rng.normal(size=300)
    pd.DataFrame({"a": a, "b": a + 0.1 * rng.normal(size=300)}).to_csv(path / "tied.csv")
    both = rng.normal(size=300) + 3 * rng.choice([-1, 1], 300)
    pd.DataFrame({"a": both}).to_csv(path / "both.csv", index=False)
    pd.DataFrame({"a": [1.0] * 40}).to_csv(path / "flat.csv", index=False)
    words = ["".join(rng.choice(list("abc"), 12)) for _ in range(60)]
    (path / "words.txt").write_text("\n".join(words) + "\n")
    (path / "word.txt").write_text("ab\n")
    (path / "units.toml").write_text("a = 1\nb = 1\n")
    (path / "broken.parquet").write_bytes(b"PAR1 broken")
    (path / "broken.kst").write_bytes(b"PK\x03\x04 broken")
    checks = [TOML.format(name, "ks", f"{name}.csv") for name in ("like", "far", "absent", "one")]
    (path / "kstest.toml").write_text("".join(checks))
    (path / "bad.toml").write_text("[checks.a]\ntest = 'no-such'\n")
    (path / "broken.db").write_bytes(b"SQLite format 3\0 broken")
    with contextlib.chdir(path):
        assert run(["run", "like", "-q", "--threads", "1"]) == 0
        assert run(["smmd", "ref.csv", "like.csv", "--state", "good.kst", "-q"]) == 0
        calibrate = "ref.csv --pool pool.csv --batch-size 100 --toys 99 --centres 20 --widths 2,1"
        assert run(["dqm", "calibrate", *calibrate.split(), "-o", "k.cal", "-q"]) == 0
        for name, batches in (("good", ["batch.csv"]), ("bad", ["bad.csv"])):
            run(["dqm", "check", "k.cal", *batches, "--history", f"{name}.log", "-q"])
    return path


@pytest.fixture
def folder(made, monkeypatch):
    for name in ("made.kst", "made.toml", "made.parquet", "made.csv", "made.svg"):
        (made / name).unlink(missing_ok=True)
    monkeypatch.chdir(made)
    return made


@pytest.mark.parametrize(("name", "words", "code"), ROWS, ids=[f"{n} {w}" for n, w, _ in ROWS])
def test_exit_code(name, words, code, folder, capsys):
    given = [MODES[1] if w == "MIXTURE" else w for w in words.split()]
    if name in ("history", "show", "ack", "reset") and "--history" not in given:
        given += ["--history", str(folder / ".kstest" / "history.db")]
    before = {p.name: p.read_bytes() for p in folder.glob("*.csv")}
    assert run([*name.split(), *given]) == code, capsys.readouterr()
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert "internal error:" not in out + err
    if code == 2 and "nagios" not in words:
        # of a check or a file, which stops no other
        report = name == "sniff" or (name == "run" and out.startswith("ERROR"))
        assert bool(err) != report
        assert bool(out) == report
    if code in (0, 1) and "--help" not in given:
        assert "kstest: error" not in err
    assert before.items() <= {p.name: p.read_bytes() for p in folder.glob("*.csv")}.items()


def leaves(command, names=()):
    """Every command that does something, by its words."""
    if not isinstance(command, click.Group):
        return {" ".join(names)}
    found = set()
    for name in command.list_commands(click.Context(command)):
        inner = command.get_command(click.Context(command), name)
        found |= leaves(inner, (*names, name))
    return found


def test_every_command_is_in_the_table():
    assert leaves(cli) == set(TABLE) - {""}
    for name, rows in TABLE.items():
        assert 2 in {code for code, _ in rows} or name in ("doctor", "schema")


@pytest.mark.parametrize(
    "words", [["mmd", "ref.csv", "like.csv"], ["validate"], ["baseline", "ref.csv"]]
)
def test_a_bug_is_70_and_says_so(words, folder, monkeypatch, capsys):
    def broken(*arguments, **given):
        raise RuntimeError("broken on purpose")

    for place in ("kstest.sources.opening.open_path", "kstest.checks.commands.load"):
        monkeypatch.setattr(place, broken)
    monkeypatch.setattr("kstest.checks.profile.open_table", broken)
    assert run(words) == 70
    err = capsys.readouterr().err
    assert "a bug in kstest" in err
    assert "Traceback" not in err
    assert not Path("baseline.kst").exists()


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_has_the_code_of_the_shell(number, code, folder):
    """Sent to itself once files are read."""
    text = (
        "import os, signal, sys, kstest.shell.call as call\n"
        "from time import sleep\n"
        f"end = lambda *a, **k: os.kill(os.getpid(), signal.{number}) or sleep(9)\n"
        "call.execute = end\n"
        "from kstest.cli import main\n"
        "sys.argv = ['kstest', 'ks', 'ref.csv', 'like.csv']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
