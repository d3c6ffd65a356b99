"""kstest dqm as a user meets it: files, exit codes, real data."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from kstest.cli import run
from kstest.dqm.history import read

DATA = Path(__file__).parent.parent / "datasets"
NAMES = ("good", "fine", "weak", "noisy", "nowhere")
HITS = DATA / "module10_early.parquet"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A reference, a pool, batches, and a calibration of events of a drift-tube chamber."""
    path = tmp_path_factory.mktemp("dqm")
    make = ["datasets", "make", "drift-tubes", "--seed"]
    files = {
        "ref": ["1", "--events", "1200"],
        "pool": ["2", "--events", "3000"],
        "good": ["3", "--events", "200"],
        "fine": ["4", "--events", "220"],
        "weak": ["5", "--events", "200", "--cathode", "0.25"],
        "noisy": ["6", "--events", "200", "--threshold", "0.25"],
    }
    for name, words in files.items():
        assert run([*make, *words, "-o", str(path / f"{name}.parquet")]) == 0
    assert run(calibrate(path, "k.cal")) == 0
    return path


def calibrate(path, name, *more):
    words = ["dqm", "calibrate", path / "ref.parquet", "--pool", path / "pool.parquet", "-o"]
    words += [path / name, "--batch-size", "200", "--toys", "199", "--centres", "50", "-q"]
    return [str(word) for word in (*words, *more)]


def check(path, *words):
    batches = [path / f"{word}.parquet" if word in NAMES else word for word in words]
    return run(["dqm", "check", str(path / "k.cal"), *map(str, batches)])


def test_exit_codes(folder, capsys):
    assert check(folder, "good") == 0
    assert check(folder, "weak") == 1
    assert check(folder, "weak", "--exit-zero") == 0
    assert check(folder, "good", "--min-events", "1000") == 3
    assert check(folder, "nowhere") == 2
    assert run(["dqm", "check", str(folder / "ref.parquet"), str(folder / "good.parquet")]) == 2
    assert run(["dqm", "show", str(folder / "k.cal")]) == 0
    capsys.readouterr()
    assert run(["dqm", "selftest", str(folder / "k.cal")]) == 0
    assert capsys.readouterr().out.startswith("PASSED")


def test_many_batches_as_lines_of_json(folder, capsys):
    assert check(folder, "good", "weak", "noisy", "fine", "good", "--format", "jsonl") == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["reject"] for line in lines] == [False, True, True, False, False]
    alarms = [line["explanation"]["alarm"]["alarm"] for line in lines]
    assert alarms == [False, False, True, True, False]  # two of the last three, and clear again
    assert lines[3]["n"]["batch"] == 220
    assert lines[3]["explanation"]["events_used"] == 200
    assert len(lines[1]["inputs"][0]["sha256"]) == 64


def test_many_batches_as_a_table(folder, capsys):
    assert check(folder, "good", "weak", "noisy", "--per-day", "24") == 1
    out = capsys.readouterr().out
    assert out.startswith("ALARM: 3 batches, 2 rejected, 1 with an alarm, it stands")
    assert out.count("alarm\n") == 1
    assert "3 batches, 2 rejected, 1 with an alarm" in out
    assert "false alarms a day" in out


def test_history_counts_batches_of_earlier_runs_once(folder, tmp_path, capsys):
    history = str(tmp_path / "history.jsonl")
    assert check(folder, "good", "--history", history) == 0
    assert check(folder, "weak", "--history", history, "--persistence", "2/3") == 0
    assert check(folder, "weak", "--history", history, "--persistence", "2/3") == 0
    assert check(folder, "noisy", "--history", history, "--persistence", "2/3") == 1
    assert len(read(history)[0]) == 3
    Path(history).write_text('{"p_value": 7}\n')
    assert check(folder, "good", "--history", history) == 2
    assert "line 1" in capsys.readouterr().err


def test_the_same_calibration_byte_for_byte(folder):
    # Nothing in the numbers depends on the clock; the record holds the time.
    from kstest.archive import load

    assert run(calibrate(folder, "again.cal")) == 0
    one, two = (load(folder / name, "calibration", (2,)) for name in ("k.cal", "again.cal"))
    assert all(np.array_equal(a, two[1][name]) for name, a in one[1].items())
    assert one[0]["settings"] == two[0]["settings"]


def test_a_pool_that_is_the_reference_is_refused(folder, capsys):
    words = calibrate(folder, "no.cal")
    words[words.index("--pool") + 1] = str(folder / "ref.parquet")
    assert run(words) == 2
    assert "same file" in capsys.readouterr().err
    assert not (folder / "no.cal").exists()


def as_version(source, target, version):
    """Write a calibration as an older or newer kstest would."""
    from kstest.archive import load, save

    header, arrays = load(source, "calibration", (2,))
    for name in ("kstest", "version"):
        header.pop(name)
    if version == 1:
        header.pop("scales")
        header["settings"].pop("scale")
    save(target, "calibration", version, header, arrays)


def test_a_calibration_of_version_1_means_what_it_meant(folder, capsys):
    # It has no axes: all widths are of distances between the columns.
    assert run([*calibrate(folder, "new.cal"), "--widths", "3,1"]) == 0
    as_version(folder / "new.cal", folder / "old.cal", 1)
    found = []
    for name in ("new.cal", "old.cal"):
        capsys.readouterr()
        run(["dqm", "check", str(folder / name), str(folder / "noisy.parquet"), "--format", "json"])
        found.append(json.loads(capsys.readouterr().out))
    for result in found:
        assert [k["scale"] for k in result["explanation"]["kernels"]] == ["standard"] * 2
    assert found[0]["p_value"] == found[1]["p_value"]
    assert found[0]["explanation"]["kernels"] == found[1]["explanation"]["kernels"]
    assert run(["dqm", "show", str(folder / "old.cal")]) == 0


def test_other_versions_are_refused(folder, capsys):
    as_version(folder / "k.cal", folder / "new.cal", 3)
    assert run(["dqm", "check", str(folder / "new.cal"), str(folder / "good.parquet")]) == 2
    assert "version 3" in capsys.readouterr().err


def test_a_batch_of_the_calibration_is_pointed_out(folder, capsys):
    assert check(folder, str(folder / "pool.parquet")) == 0
    assert "its p-value says nothing" in " ".join(capsys.readouterr().out.split())


def test_show_says_what_is_in_a_calibration(folder, capsys):
    assert run(["dqm", "show", str(folder / "k.cal"), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [c["name"] for c in found["columns"]] == ["t1", "t2", "t3", "t4", "theta", "n_hits"]
    assert found["sizes"][0]["events"] == 200
    assert found["sizes"][0]["toys"] == 199
    assert {i["sample"] for i in found["inputs"]} == {"reference", "pool"}
    assert all(len(i["sha256"]) == 64 for i in found["inputs"])
    assert found["provenance"]["seed"] == 0


def test_explain_writes_a_page_that_needs_nothing_else(folder, tmp_path, capsys):
    page = tmp_path / "why.html"
    words = ["dqm", "explain", folder / "k.cal", folder / "noisy.parquet", "--plot", page]
    assert run([str(word) for word in words]) == 1
    text = page.read_text()
    assert "REJECTED" in text
    assert "<svg" in text
    assert "reweighted by the learned ratio" in text
    assert "What to do" in text
    assert "Look at n_hits" in text or "Look first at n_hits" in text
    assert "none is as far from the reference" in text
    assert "<title>REJECTED – " in text
    assert "noisy.parquet" in text[text.index("<title>") : text.index("</title>")]
    checked = _Page()
    checked.feed(text)
    checked.close()
    assert (checked.open, checked.wrong) == ([], [])
    assert "n_hits: " in checked.labels[0]  # says in words what the picture shows
    assert set(checked.links) <= {f"#{name}" for name in checked.ids}
    assert len(checked.ids) == len(set(checked.ids))
    assert "http" not in text.replace("http://www.w3.org", "").replace("http-equiv", "")
    out = capsys.readouterr().out
    assert "driven by   n_hits" in out
    assert max(map(len, out.splitlines())) <= 80


class _Page(HTMLParser):
    """Elements left open or closed in the wrong order; ids, links and descriptions of pictures."""

    EMPTY = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.ids, self.links, self.labels = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[name] for name in ("href", "xlink:href", "src") if name in given]
        if tag == "svg":
            self.labels.append(given["aria-label"])
            assert given["role"] == "img"

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append((tag, self.getpos()))


def test_a_sick_module_alarms_and_its_tube_is_named(tmp_path, capsys):
    calibration = str(tmp_path / "modules.cal")
    words = ["dqm", "calibrate", HITS, "--pool", DATA / "module10_late.csv", "-o", calibration]
    words += ["--categorical", "pmt", "--batch-size", "80", "--toys", "499", "-q"]
    assert run([str(word) for word in words]) == 0
    sick = str(DATA / "module09.csv")
    assert run(["dqm", "check", calibration, sick, "--window", "80", "--format", "jsonl"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert np.mean([line["reject"] for line in lines]) > 0.9
    assert run(["dqm", "explain", calibration, sick]) == 1
    assert "driven by   pmt: share of '23': 2.22 % -> 41 %" in capsys.readouterr().out
    assert run(["dqm", "selftest", calibration]) == 0


def test_drift_tubes_look_like_drift_tubes(rng):
    from kstest.datasets.drift_tubes import make

    table = make(40_000, rng)
    quantiles = np.quantile(table["t1"], [0.01, 0.25, 0.5, 0.75, 0.99])
    # Frozen figures of an independent script with the same recipe.
    assert quantiles == pytest.approx([3, 93, 188, 284, 382], abs=4)
    assert np.corrcoef(table["t1"], table["t2"])[0, 1] == pytest.approx(-0.78, abs=0.03)
    assert np.corrcoef(table["t1"], table["t3"])[0, 1] == pytest.approx(0.44, abs=0.03)
    assert np.abs(table["theta"]).max() < 45
    steps = table["t1"] / (25 / 30)
    assert steps == pytest.approx(np.rint(steps), abs=1e-6)
    assert make(2000, rng, cathode=0.25)["t1"].max() > 420


def test_data_are_the_same_for_a_seed_and_refused_beyond_the_nominal(tmp_path, capsys):
    paths = [str(tmp_path / name) for name in ("a.csv", "b.csv")]
    for path in paths:
        assert run(["datasets", "make", "drift-tubes", "-o", path, "--events", "9"]) == 0
    assert Path(paths[0]).read_text() == Path(paths[1]).read_text()
    assert run(["datasets", "make", "drift-tubes", "-o", paths[0], "--cathode", "2"]) == 2
    assert run(["datasets", "make", "drift-tubes", "-o", str(tmp_path / "a.xls")]) == 2
    assert "--cathode 2" in capsys.readouterr().err


def test_several_batches_are_one_json_document(folder, capsys):
    assert check(folder, "good", "weak", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [r["verdict"] for r in found] == ["not rejected", "rejected"]
    assert [r["explanation"]["alarm"]["alarm"] for r in found] == [False, False]
    assert found[0]["explanation"]["calibration"] == found[1]["explanation"]["calibration"]
    assert check(folder, "good", "weak", "--format", "jsonl") == 0
    assert [json.loads(line)["n"] for line in capsys.readouterr().out.splitlines()] == [
        r["n"] for r in found
    ]
    assert check(folder, "weak", "--format", "json") == 1
    assert json.loads(capsys.readouterr().out)["explanation"]["alarm"]["alarm"]


def test_the_words_are_the_rule_that_is_in_force(folder, capsys):
    check(folder, "weak")
    out = " ".join(capsys.readouterr().out.split())
    assert "YES (1 of 1 rejected; a batch alone alarms if it is rejected)" in out
    assert "by chance 1 good one in 100 does" in out
    assert "the rule for more batches is 2 of the last 3" in out
    assert "5,1" not in out
    check(folder, "good", "weak")
    out = " ".join(capsys.readouterr().out.split())
    assert "no (1 of 2 rejected; of 2 batches all have to be) by chance 1 good one in 10" in out
    check(folder, "good", "weak", "fine")
    out = " ".join(capsys.readouterr().out.split())
    assert "no (1 of the last 3 rejected, an alarm takes 2) one false alarm in 5,1" in out
    check(folder, "weak", "--persistence", "1/1", "--per-day", "100")
    assert "0.99 false alarms a day expected" in " ".join(capsys.readouterr().out.split())


def test_a_file_of_many_batches_is_judged_whole(folder, capsys):
    words = ["datasets", "make", "drift-tubes", "--seed", "8", "--events", "1030", "-o"]
    assert run([*words, str(folder / "long.parquet")]) == 0
    assert check(folder, str(folder / "long.parquet")) == 0
    out = capsys.readouterr().out
    assert out.startswith("NO ALARM: 5 batches")
    assert "long.parquet: 30 of 1,030 events, at its end, are in" in " ".join(out.split())
    assert check(folder, "good", "fine") == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[2].split()[:4] == ["batch", "events", "judged", "p"]
    assert rows[4].split()[1:3] == ["220", "200"]  # all of the file that was not judged


def test_tolerance_is_said_wherever_it_matters(folder, tmp_path, capsys):
    pool = [str(tmp_path / f"run{k}.parquet") for k in range(20)]
    for k, path in enumerate(pool):
        words = ["datasets", "make", "drift-tubes", "--seed", str(20 + k), "--events", "250"]
        assert run([*words, "-o", path]) == 0
    made = str(tmp_path / "t.cal")
    words = ["dqm", "calibrate", str(folder / "ref.parquet"), "-o", made, "--tolerance"]
    words += [word for path in pool for word in ("--pool", path)]
    assert run([*words, "--batch-size", "200", "--toys", "40", "--centres", "50"]) == 0
    assert "tolerance   each toy from one of 20 good runs" in capsys.readouterr().out
    batch = ["dqm", "check", made, str(folder / "good.parquet"), "--alpha", "0.1"]
    assert run(batch) == 0
    assert "tolerance   usual differences between runs raise no alarm" in capsys.readouterr().out
    run([*batch, str(folder / "fine.parquet")])
    assert "from 20 good runs one by one" in " ".join(capsys.readouterr().out.split())
    run([*batch, "--format", "json"])
    assert json.loads(capsys.readouterr().out)["explanation"]["tolerance"] == 20
    run(["dqm", "explain", made, str(folder / "good.parquet"), "--alpha", "0.1"])
    assert "tolerance   usual differences" in capsys.readouterr().out


def test_explain_refuses_what_it_would_not_obey(folder):
    for option in ("--window", "--control", "--per-day", "--history"):
        words = ["dqm", "explain", folder / "k.cal", folder / "good.parquet", option, "1"]
        assert run([str(word) for word in words]) == 2
