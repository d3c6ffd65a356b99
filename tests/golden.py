"""Golden output: what the command prints, character by character, in tests/golden/.

After a change that is meant, write the files anew and read the difference before committing:

    python3 -m tests.golden && git diff tests/golden

Every case runs in a directory of its own that holds the files of `write_data`. Versions, times,
seconds and threads are replaced, JSON numbers are rounded to six digits; where several kernels
are aggregated the statistic and the p-value are replaced too, for the tests of the statistic to
judge.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np

from kstest.cli import run
from kstest.privacy.accounting import Privacy
from kstest.privacy.features import WIDTH, features
from kstest.privacy.sketch import Sketch, text_of
from kstest.privacy.units import Declared, frequencies

GOLDEN = Path(__file__).parent / "golden"

ONE = ["--bandwidth", "median", "--permute", "rows"]

TIMED = ["--x", "speed", "--y", "mass", "--given", "time", "--permutations", "99"]

TRIAL = [
    "--treatment", "arm", "--control", "none", "--outcome", "pain", "--covariates", "age",
    "--draws", "99", "--threads", "1",
]  # fmt: skip
RESIDUAL = ["--residual", "rain - chance", "--given", "chance,place", "--bandwidth", "median"]

LINE = ["--residual", "speed - b0 - b1*mass", "--fit", "b0,b1", "--bandwidth", "median"]

SHORT = ["--test", "ks", "--draws", "20"]

CALIBRATION = [
    "--batch-size", "30", "--toys", "199", "--centres", "20", "--widths", "2", "--quiet",
    "--threads", "1",
]  # fmt: skip

PRIVATE = ["--epsilon", "1", "--delta", "1e-6", "--units", "units.toml"]

# name: arguments, exit code
CASES: dict[str, tuple[list[str], int]] = {
    "help.txt": (["--help"], 0),
    "help-mmd.txt": (["mmd", "--help"], 0),
    "help-short-mmd.txt": (["mmd", "-h"], 0),
    "help-ks.txt": (["ks", "--help"], 0),
    "ks.txt": (["ks", "good.csv", "far.csv"], 1),
    "ks-one-column.txt": (["ks", "good.csv", "far.csv", "--columns", "speed"], 1),
    "ks-not-rejected.txt": (["ks", "good.csv", "near.csv", "--statistic", "ad"], 0),
    "ks-min-effect.txt": (["ks", "good.csv", "far.csv", "--min-effect", "90%"], 0),
    "mmd-min-effect.txt": (["mmd", "good.csv", "far.csv", *ONE, "--min-effect", "20%"], 1),
    "ks.json": (["ks", "good.csv", "far.csv", "--format", "json"], 1),
    "help-plan.txt": (["plan", "--help"], 0),
    "plan.txt": (["plan", "series.csv", "--shift", "1", "--change", "mass", *SHORT], 0),
    "plan.json": (["plan", "good.csv", "--shift", "3", *SHORT, "--format", "json"], 0),
    "error-plan.txt": (["plan", "good.csv"], 2),
    "hsic-given.txt": (["hsic", "given.csv", *TIMED], 0),
    "hsic-given-few.txt": (["hsic", "given.csv", *TIMED, "--where", "time < 40"], 3),
    "effect.txt": (["effect", "trial.csv", *TRIAL], 1),
    "effect-randomised.txt": (["effect", "trial.csv", *TRIAL, "--design", "randomised"], 1),
    "effect-overlap.txt": (["effect", "trial.csv", *TRIAL, "--covariates", "age,time"], 3),
    "effect.json": (
        ["effect", "trial.csv", *TRIAL, "--design", "randomised", "--format", "json"],
        1,
    ),
    "help-effect.txt": (["effect", "--help"], 0),
    "help-moments.txt": (["moments", "--help"], 0),
    "moments.txt": (["moments", "forecast.csv", *RESIDUAL, "--plot", "why.svg"], 1),
    "moments.json": (["moments", "forecast.csv", *RESIDUAL, "--format", "json"], 1),
    "moments-fit.txt": (["moments", "series.csv", *LINE, "--given", "mass"], 0),
    "moments-few.txt": (["moments", "two.csv", *LINE, "--given", "mass"], 3),
    "error-moments.txt": (
        ["moments", "good.csv", "--residual", "speed - mas", "--given", "mass"],
        2,
    ),
    "version.txt": (["--version"], 0),
    "cite.txt": (["mmd", "--cite"], 0),
    "rejected.txt": (["mmd", "good.csv", "far.csv", *ONE], 1),
    "rejected-default.txt": (["mmd", "good.csv", "far.csv"], 1),
    "rejected-energy.txt": (["mmd", "good.csv", "far.csv", "--kernel", "energy"], 1),
    "not-rejected.txt": (["mmd", "good.csv", "near.csv", *ONE], 0),
    "no-verdict.txt": (["mmd", "good.csv", "one.csv"], 3),
    "no-verdict-permutations.txt": (["mmd", "two.csv", "two.csv"], 3),
    "warning-same-file.txt": (["mmd", "good.csv", "good.csv", *ONE], 0),
    "warning-series.txt": (["mmd", "good.csv", "series.csv", *ONE], 1),
    "warning-constant.txt": (["mmd", "constant.csv", "constant.csv"], 3),
    "dropped.txt": (["mmd", "good.csv", "gaps.csv", "--missing", "drop", *ONE], 0),
    "long-names.txt": (["mmd", "long.csv", "long.csv", *ONE], 0),
    "several-files.txt": (
        ["mmd", "--reference", "good.csv", "--reference", "near.csv", "--sample", "far.csv", *ONE],
        1,
    ),
    "quiet.txt": (["mmd", "good.csv", "far.csv", "--quiet"], 1),
    "exit-zero.txt": (["mmd", "good.csv", "far.csv", "--exit-zero", *ONE], 0),
    "rejected.json": (["mmd", "good.csv", "far.csv", *ONE, "--format", "json"], 1),
    "no-verdict.json": (["mmd", "good.csv", "one.csv", "--format", "json"], 3),
    "dropped.jsonl": (
        ["mmd", "good.csv", "gaps.csv", "--missing", "drop", *ONE, "--format", "jsonl"],
        0,
    ),
    "tolerance.txt": (["mmd", "good.csv", "far.csv", *ONE, "--tolerance", "0.05"], 1),
    "help-dqm-check.txt": (["dqm", "check", "--help"], 0),
    "dqm-show.txt": (["dqm", "show", "k.cal"], 0),
    "dqm-check.txt": (["dqm", "check", "k.cal", "batch.csv"], 0),
    "dqm-check-alarm.txt": (["dqm", "check", "k.cal", "moved.csv"], 1),
    "dqm-check.json": (["dqm", "check", "k.cal", "moved.csv", "--format", "json"], 1),
    "dqm-check-several.txt": (["dqm", "check", "k.cal", "batch.csv", "moved.csv"], 0),
    "dqm-check-several.json": (
        ["dqm", "check", "k.cal", "batch.csv", "moved.csv", "--format", "json"],
        0,
    ),
    "dqm-check-several.jsonl": (
        ["dqm", "check", "k.cal", "batch.csv", "moved.csv", "--format", "jsonl"],
        0,
    ),
    "dqm-check-windows.txt": (["dqm", "check", "k.cal", "many.csv"], 0),
    "dqm-check-few.txt": (["dqm", "check", "k.cal", "one.csv"], 3),
    "error-dqm-rule.txt": (["dqm", "check", "k.cal", "batch.csv", "--control", "lond"], 2),
    "dqm-explain.txt": (["dqm", "explain", "k.cal", "moved.csv"], 1),
    "help-release.txt": (["release", "--help"], 0),
    "release.txt": (
        ["release", "pool.csv", *PRIVATE, "-o", "pool.sketch", "--ledger", "pool.ledger"],
        0,
    ),
    "error-release.txt": (
        ["release", "pool.csv", "--epsilon", "1", "--delta", "1e-6", "-o", "pool.sketch"],
        2,
    ),
    "sketch.txt": (["mmd", "old.sketch", "moved.csv"], 1),
    "error-sketch.txt": (["mmd", "old.sketch", "moved.csv", "--scale", "auto"], 2),
    "error-no-file.txt": (["mmd", "good.csv", "nowhere.csv"], 2),
    "error-one-file.txt": (["mmd", "good.csv"], 2),
    "error-text-cell.txt": (["mmd", "good.csv", "text.csv"], 2),
    "error-ragged.txt": (["mmd", "good.csv", "ragged.csv"], 2),
    "error-other-columns.txt": (["mmd", "good.csv", "other.csv"], 2),
    "error-missing.txt": (["mmd", "good.csv", "gaps.csv"], 2),
    "error-column-name.txt": (["mmd", "good.csv", "far.csv", "--columns", "sped"], 2),
    "error-alpha.txt": (["mmd", "good.csv", "far.csv", "--alpha", "5"], 2),
    "error-permutations.txt": (["mmd", "good.csv", "far.csv", "--permutations", "9"], 2),
    "error-kernel.txt": (["mmd", "good.csv", "far.csv", "--kernel", "cubic"], 2),
    "error-bandwidth.txt": (["mmd", "good.csv", "far.csv", "--bandwidth", "0"], 2),
    "error-option.txt": (["mmd", "good.csv", "far.csv", "--colums", "a"], 2),
    "error-command.txt": (["mdm", "good.csv", "far.csv"], 2),
    "error-output.txt": (["mmd", "good.csv", "far.csv", "--output", "nowhere/answer.txt"], 2),
}


def numbers(seed: int, count: int) -> list[float]:
    """Roughly normal numbers that no version of any library changes."""
    out = []
    for _ in range(count):
        total = 0
        for _ in range(4):
            seed = (1103515245 * seed + 12345) % 2**31
            total += seed >> 16
        out.append(round((total / 2**15 - 2) * 1.7, 3))
    return out


def rows(seed: int, count: int, shift: float = 0.0) -> list[list[object]]:
    drawn = numbers(seed, 2 * count)
    pairs = zip(drawn[::2], drawn[1::2], strict=True)
    return [[round(a + shift, 3), round(10 * b, 2)] for a, b in pairs]


def write_data(folder: Path) -> None:
    """Write the files that the cases read."""
    good = rows(1, 40)
    gaps = rows(5, 45)
    for place in (3, 17, 29):
        gaps[place][0] = ""
    steps = numbers(6, 120)
    series = [[round(sum(steps[: i + 1]), 3), b] for i, (_, b) in enumerate(rows(7, 120))]
    long = ",".join(f"a_rather_long_name_of_a_column_{i}" for i in range(12))
    table = {
        "good": ("speed,mass", good),
        "near": ("speed,mass", rows(2, 50)),
        "far": ("speed,mass", rows(3, 40, shift=1.5)),
        "one": ("speed,mass", rows(4, 1)),
        "two": ("speed,mass", rows(4, 2)),
        "gaps": ("speed,mass", gaps),
        "series": ("speed,mass", series),
        "given": ("time,speed,mass", [[t, a + t, b - t] for t, (a, b) in enumerate(rows(8, 80))]),
        "constant": ("speed,mass", [[1.0, 2.0]] * 30),
        "long": (long, [numbers(10 + i, 12) for i in range(25)]),
        "text": ("speed,mass", [*good[:4], [1.0, "heavy"], *good[4:]]),
        "ragged": ("speed,mass", [*good[:4], [1.0], *good[4:]]),
        "other": ("speed,weight", good),
    }
    table["trial"] = (
        "time,arm,age,pain",
        [
            [t, "drug" if t >= 70 else "none", a, round(a + 0.1 * b + (t >= 70), 3)]
            for t, (a, b) in enumerate(rows(12, 140))
        ],
    )
    chances = [(1 + (7 * i) % 9) / 10 for i in range(120)]
    off = [0.3 * (-1) ** i for i in range(120)]
    came = [
        int((37 * i % 101) / 101 < p + d) for i, (p, d) in enumerate(zip(chances, off, strict=True))
    ]
    places = ["coast" if d > 0 else "hills" for d in off]
    table["forecast"] = (
        "rain,chance,place",
        [list(r) for r in zip(came, chances, places, strict=True)],
    )
    table["events"] = ("speed,mass", rows(8, 300))
    table["pool"] = ("speed,mass", rows(9, 600))
    table["batch"] = ("speed,mass", rows(20, 30))
    table["moved"] = ("speed,mass", rows(21, 33, shift=2.0))
    table["many"] = ("speed,mass", rows(22, 100))
    for name, (header, content) in table.items():
        lines = [",".join(map(str, row)) for row in content]
        (folder / f"{name}.csv").write_text("\n".join([header, *lines]) + "\n")
    (folder / "units.toml").write_text("speed = 1\nmass = { unit = 10, centre = 0 }\n")
    (folder / "old.sketch").write_text(sketch_with_known_noise())
    with contextlib.chdir(folder):
        run(["dqm", "calibrate", "events.csv", "--pool", "pool.csv", "-o", "k.cal", *CALIBRATION])


def sketch_with_known_noise() -> str:
    """A sketch of numbers that are the same everywhere."""
    columns = (Declared("speed"), Declared("mass", 10.0))
    sums = np.zeros(WIDTH, np.int64)
    values = np.array(rows(9, 600)) / [1, 10]
    for block in features(values, np.empty((600, 0), np.int64), frequencies(columns, 0)):
        sums += block.sum(axis=0)
    privacy = Privacy.of(1.0, 1e-6)
    noise = [round(x * privacy.sigma2**0.5) for x in numbers(30, WIDTH)]
    noisy = tuple(int(s) + z for s, z in zip(sums, noise, strict=True))
    return text_of(Sketch(columns, 0, 600, noisy, privacy))[0]


def produce(name: str, folder: Path) -> str:
    """Run a case in `folder` and return the normalised content of its golden file."""
    arguments, code = CASES[name]
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(streams[0]),
        contextlib.redirect_stderr(streams[1]),
        mock.patch.dict(os.environ, COLUMNS="80", NO_COLOR="1"),
    ):
        found = run(arguments)
    for stream in streams:
        stream.flush()
    stdout, stderr = (stream.buffer.getvalue().decode() for stream in streams)
    # A slow machine is told how far a run is.
    stderr = re.sub(r"(?m)^kstest: [a-z ]+: \d+% done.*\n", "", stderr)
    if found != code:
        raise AssertionError(f"{name}: exit code {found}, not {code}: {stderr}")
    if not name.endswith(".txt"):
        if stderr:
            raise AssertionError(f"{name}: {stderr}")
        # Of jsonl every line is a document, of json the whole is one.
        documents = stdout.splitlines() if name.endswith("l") else [stdout]
        written = [json.dumps(normal_json(json.loads(text)), indent=2) for text in documents]
        return "\n".join(written) + "\n"
    stderr = stderr.replace(str(folder.resolve()), "FOLDER")
    both = f"{normal_text(stdout)}--- stderr\n{stderr}"
    return f"$ kstest {' '.join(arguments)}\n{both}--- exit code {code}\n"


def normal_text(text: str) -> str:
    text = re.sub(r"(version )\d\S*", r"\1VERSION", text)
    text = re.sub(r"(?m)^(  digest +)\S+", r"\1DIGEST", text)
    text = re.sub(r"(?m)^(  calibrated +)\S+ \S+", r"\1TIME", text)
    if re.search(r"\d+ (combinations of )?bandwidths", text):
        text = re.sub(r"(?m)^(  statistic +).*", r"\1STATISTIC (rejects above THRESHOLD)", text)
        text = re.sub(r"(?m)^(  p-value +)\S+", r"\1P", text)
    return text


def normal_json(value: object, key: str = "") -> object:
    if isinstance(value, dict):
        return {k: normal_json(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [normal_json(v, key) for v in value]
    hidden = ("kstest", "python", "numpy", "numba", "started", "seconds", "threads", "calibration")
    if key in hidden:
        return key.upper()
    return float(f"{value:.6g}") if isinstance(value, float) else value


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for old in GOLDEN.iterdir():
        if old.name not in CASES:
            old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        write_data(Path(folder))
        for name in CASES:
            (GOLDEN / name).write_text(produce(name, Path(folder)))


if __name__ == "__main__":
    main()
