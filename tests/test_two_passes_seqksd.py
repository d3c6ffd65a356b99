"""`seqksd` over files of which no sequence is kept: sums, the verdict, and what is refused."""

from __future__ import annotations

import gzip
import itertools
import json
import math
import os
from pathlib import Path

import naive
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats
from test_executors import Elsewhere

import kstest
from kstest import inputs as inputs_room
from kstest.cli import run
from kstest.engine import Work
from kstest.engine.sequences import stein_features
from kstest.errors import DataError, UsageError
from kstest.inputs import spans as inputs_spans
from kstest.methods.sequence import drawn as drawn_room
from kstest.methods.sequence import passes, streamed
from kstest.nulls import sign_bins
from kstest.registry import METHODS
from kstest.sources import sequence_spans as spans_room
from kstest.sources import sequence_text
from kstest.targets.sequence_csv import read_csv_model
from kstest.targets.sequence_resolve import resolve_sequences

DATA = Path(__file__).parent.parent / "datasets"
MODEL = str(DATA / "female_markov1_model.csv")
CHAIN = ",a,b,c,$\n^,.4,.3,.3,0\na,.5,.1,.1,.3\nb,.1,.4,.2,.3\nc,.2,.2,.3,.3\n"
EVENTS = {"id": "visit", "order": "ts", "symbol": "event"}


@pytest.fixture
def chain(tmp_path):
    path = tmp_path / "chain.csv"
    path.write_text(CHAIN)
    return str(path)


def drawn(n, seed=1, doubled=0.0, model=None):
    """Texts from the chain, of which a share has its first letter twice."""
    rng = np.random.default_rng(seed)
    codes, offsets = model.sample(n, rng)
    texts = ["".join("abc"[c] for c in codes[a:b]) for a, b in itertools.pairwise(offsets)]
    return [t[0] + t if u < doubled else t for t, u in zip(texts, rng.random(n), strict=True)]


def parts(folder, texts, cuts=(100, 700), name="a"):
    """Files of unequal sizes."""
    for k, some in enumerate(np.split(np.array(texts), cuts)):
        (folder / f"{name}-{k}.txt").write_text("".join(t + "\n" for t in some))
    return str(folder / f"{name}-*.txt")


@pytest.fixture
def texts(chain):
    return drawn(2500, doubled=0.2, model=read_csv_model(chain))


@pytest.fixture
def files(tmp_path, texts):
    return parts(tmp_path, texts)


def test_the_answer_depends_on_neither_threads_nor_spans(files, chain, monkeypatch):
    options = {"target": chain, "scheduler": "local", "draws": 199}
    found = [kstest.seqksd(files, threads=threads, **options) for threads in (1, 2)]
    for rows in (1, 100):
        monkeypatch.setattr(spans_room, "SPAN_ROWS", rows)
        found.append(kstest.seqksd(files, threads=2, **options))
    assert [r.provenance["spans"] for r in found] == [1, 1, 3, 3]
    assert len({(r.p_value, r.statistic, r.provenance["sums"]) for r in found}) == 1
    assert {r.verdict for r in found} == {"rejected"}
    assert found[0].n == {"data": 2500}
    assert [i["rows_used"] for i in found[0].inputs] == [100, 600, 1800]
    assert found[0].null["scheme"] == "random signs of sequences"
    assert found[0].null["bins"] == 256


def test_other_seeds_have_other_bins_and_other_data_too(tmp_path, chain):
    model = read_csv_model(chain)
    kept = [parts(tmp_path, drawn(900, seed, model=model), name=str(seed)) for seed in (1, 2)]
    options = {"target": chain, "scheduler": "local", "draws": 99}
    sums = {
        kstest.seqksd(kept[k], seed=seed, **options).provenance["sums"]
        for k, seed in ((0, 0), (0, 1), (1, 0))
    }
    assert len(sums) == 3
    # Mark, and with it the bins, of a file in another order: the same; the sums are others.
    lines = (tmp_path / "1-2.txt").read_text().split()
    (tmp_path / "1-2.txt").write_text("".join(t + "\n" for t in lines[::-1]))
    assert kstest.seqksd(kept[0], **options).provenance["sums"] not in sums


def test_the_statistic_is_that_of_all_pairs(tmp_path, chain):
    """The naive double sum of nine sequences, and the one in memory of 500."""
    rows = {(): {"a": 0.4, "b": 0.3, "c": 0.3, None: 0.0}}
    for line in CHAIN.splitlines()[2:]:
        name, *p = line.split(",")
        rows[(name,)] = dict(zip(("a", "b", "c", None), map(float, p), strict=True))
    weight, model = naive.chain_weight(rows, 1), read_csv_model(chain)
    data = [t for t in drawn(40, model=model) if len(t) < 5][:9]
    options = {"target": chain, "scheduler": "local", "length_kernel": "none", "lengths": "1-2"}
    found = kstest.seqksd(parts(tmp_path, data, (2,)), draws=99, **options)
    pairs = [
        naive.zanella_stein(
            tuple(x), tuple(y), weight, "abc", ("substitution", "insertion", "deletion"),
            10**9, "barker", lambda u, v: naive.subsequence_kernel(u, v, 1, 2),
        )
        for x, y in itertools.permutations(data, 2)
    ]  # fmt: skip
    assert found.statistic == pytest.approx(np.mean(pairs), rel=1e-9)
    assert "few-sequences" in [w.code for w in found.warnings]
    data = drawn(500, model=model)
    here = kstest.seqksd(parts(tmp_path, data, (20, 300), "b"), **options)
    del options["scheduler"]
    there = kstest.seqksd(data, null="wild", **options)
    assert here.statistic == pytest.approx(there.statistic, rel=1e-9)
    assert here.p_value == pytest.approx(there.p_value, abs=0.05)


@pytest.mark.parametrize("length_kernel", ["linear", "equal"])
def test_sums_of_batches_are_those_of_all_sequences(files, texts, chain, length_kernel):
    """Against the features in memory, by the same bins."""
    test = METHODS["seqksd"].load()
    params = test.inputs.params(target=chain, length_kernel=length_kernel)
    found = spans_room.survey_sequences(
        {"data": [files]}, inputs_room.choose(test.inputs, params, {})
    )
    model = streamed._model(params, Work(1))
    how = passes.Setting(model, streamed.setup(model, params), True, 1)
    first, rows = streamed._first_pass(found, how, Work(1))
    assert (first.rows, rows) == (2500, [2500])
    keys = np.arange(6, dtype=np.uint64)
    how = streamed.replace(how, rows=2500, keys=keys, grain=first.grain)
    sums = streamed.second_pass(
        passes.summed, found, rows, lambda side: (how,), passes.Sums.empty(how), Work(1)
    )
    codes = np.array(["abc".index(c) for text in texts for c in text], np.int32)
    offsets = np.concatenate([[0], np.cumsum([len(t) for t in texts])])
    starts = sign_bins(2500)
    bins = np.searchsorted(starts, passes.scattered(np.arange(2500), 2500, keys), "right") - 1
    assert set(np.bincount(bins)) == {9, 10}
    whole = stein_features(
        codes, offsets, model.distribution, how.made.kernel, how.made.near, "barker", bins, 256,
        Work(1),
    )  # fmt: skip
    np.testing.assert_allclose(sums.bins, whole.bins, rtol=1e-9, atol=1e-9)
    growth = np.bincount(bins, whole.growth)
    np.testing.assert_allclose(sums.growth, growth, rtol=1e-9, atol=1e-9)
    assert (sums.bins / how.grain == np.rint(sums.bins / how.grain)).all()
    assert np.abs(sums.bins).max() / how.grain < 2**53


def test_every_container_gives_the_same_answer(tmp_path, chain, texts, monkeypatch):
    texts = texts[:700]
    cuts = (150, 400)
    options = {"target": chain, "scheduler": "local", "draws": 99}
    wanted = kstest.seqksd(parts(tmp_path, texts, cuts), **options)
    for k, some in enumerate(np.split(np.array(texts), cuts)):
        lists = [list(t) for t in some]
        table = pa.table({"s": lists, "n": range(len(lists)), "t": list(some)})
        pq.write_table(table, tmp_path / f"p-{k}.parquet", row_group_size=60)
        arrow = str(tmp_path / f"q-{k}.arrow")
        with pa.OSFile(arrow, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        lines = "".join(t + "\n" for t in some)
        (tmp_path / f"z-{k}.txt.gz").write_bytes(gzip.compress(lines.encode()))
        (tmp_path / f"w-{k}.txt").write_text("".join(" ".join(t) + "\n" for t in some))
        (tmp_path / f"j-{k}.jsonl").write_text("".join(json.dumps(t) + "\n" for t in lists))
        events = [
            (f"v{k}{i:04d}", j, symbol) for i, t in enumerate(some) for j, symbol in enumerate(t)
        ]
        shuffled = np.random.default_rng(k).permutation(len(events))
        frame = pd.DataFrame([events[i] for i in shuffled], columns=["visit", "ts", "event"])
        frame.to_csv(tmp_path / f"e-{k}.csv", index=False)
        frame.to_parquet(tmp_path / f"f-{k}.parquet", row_group_size=100)
    monkeypatch.setattr(spans_room, "SPAN_ROWS", 200)
    monkeypatch.setattr(sequence_text, "CHUNK_BYTES", 999)
    for pattern, more in {
        "p-*.parquet": {},
        "p-?.parquet": {"column": "t"},
        "q-*.arrow": {},
        "z-*.gz": {},
        "w-*.txt": {"tokens": "words"},
        "j-*.jsonl": {},
        "e-*.csv": EVENTS,
        "f-*.parquet": EVENTS,
    }.items():
        found = kstest.seqksd(str(tmp_path / pattern), **options, **more)
        assert found.statistic == pytest.approx(wanted.statistic, rel=1e-9), pattern
        assert found.p_value == wanted.p_value
        if pattern[0] == "p":
            assert found.provenance["spans"] == 4  # row groups put together


def test_a_rejection_is_explained_as_in_memory(tmp_path, chain, capsys):
    texts = drawn(2500, doubled=0.7, model=read_csv_model(chain))
    files = parts(tmp_path, texts)
    here = kstest.seqksd(files, target=chain, scheduler="local", draws=99)
    there = kstest.seqksd(texts, target=chain, draws=99)
    assert here.p_value == there.p_value == 0.01
    assert here.statistic == pytest.approx(there.statistic, rel=0.1)
    pairs = zip(*(r.explanation["subsequences"] for r in (here, there)), strict=True)
    for one, other in pairs:
        assert one["symbols"] == other["symbols"]
        for key in ("mean", "share", "share_data"):
            assert one[key] == pytest.approx(other[key], rel=1e-9)
        assert one["z"] == pytest.approx(other["z"], rel=0.3)
    assert "the model makes too few" in here.explanation["summary"]
    assert run(["seqksd", files, "--target", chain, "--scheduler", "local"]) == 1
    captured = capsys.readouterr()
    assert "the files are read once more, for what explains it" in captured.err
    assert "the model makes too few" in captured.out


def test_sequences_that_the_model_cannot_give_reject_wherever_they_are(tmp_path, chain):
    texts = drawn(900, model=read_csv_model(chain))
    options = {"target": chain, "draws": 99}
    cases = (("ca", "caé", "holds the symbol 'é'"), ("a", "", "has probability 0"))
    for k, (start, strange, words) in enumerate(cases):
        place = next(i for i in range(750, 900) if texts[i].startswith(start))
        some = [*texts[:place], strange, *texts[place + 1 :]]
        files = parts(tmp_path, some, name=f"{k}-a")
        plot = tmp_path / f"{k}.svg"
        here = kstest.seqksd(files, scheduler="local", empty="keep", plot=plot, **options)
        assert plot.stat().st_size > 1000
        assert (here.verdict, here.p_value) == ("rejected", 0.01)
        said = here.explanation["summary"]
        assert f"row {place - 699:,} of " in said
        assert f"{k}-a-2.txt" in said
        assert words in said
        assert here.n == {"data": 900}
        there = kstest.seqksd(some, empty="keep", **options).explanation["summary"]
        assert there.partition(", ")[2] == said.partition(", ")[2]


def test_an_unknown_symbol_is_told_before_an_improbable_sequence(tmp_path, chain):
    Path(chain).write_text(CHAIN.replace("a,.5,.1,.1,.3", "a,.6,0,.1,.3"))
    files = parts(tmp_path, ["ab", "ac", "a", "d"] * 5, (2, 10))
    found = kstest.seqksd(files, target=chain, scheduler="local", draws=99)
    assert "holds the symbol 'd'" in found.explanation["summary"]


def test_a_model_of_other_symbols_is_a_matter_of_options(tmp_path, chain):
    Path(chain).write_text(",log,in,$\n^,1,0,0\nlog,0,.5,.5\nin,.2,.3,.5\n")
    files = parts(tmp_path, ["log in", "log in in"] * 9, (2, 9))
    with pytest.raises(UsageError, match=r"no symbol in common.*tokens='words'"):
        kstest.seqksd(files, target=chain, scheduler="local")
    found = kstest.seqksd(files, target=chain, scheduler="local", tokens="words", draws=99)
    assert found.verdict == "rejected"
    (tmp_path / "a-1.txt").write_text("\u00e9t\u00e9\n")  # in one part only: impossible sequences
    found = kstest.seqksd(files, target=chain, scheduler="local", tokens="words", draws=99)
    assert "holds the symbol 'été'" in found.explanation["summary"]


def events_of(path, ids, **more):
    pd.DataFrame({"visit": ids, "ts": range(len(ids)), "event": ["a"] * len(ids), **more}).to_csv(
        path, index=False
    )


def test_a_sequence_in_two_files_is_refused(tmp_path, chain, monkeypatch, capsys):
    for k in range(3):
        events_of(tmp_path / f"e-{k}.csv", [f"v{k}{i // 2}" for i in range(60)])
    pattern = str(tmp_path / "e-*.csv")
    options = {"target": chain, "scheduler": "local", "draws": 99, **EVENTS}
    wanted = kstest.seqksd(pattern, **options)
    assert wanted.n == {"data": 90}
    assert [i["rows_read"] for i in wanted.inputs] == [30, 30, 30]
    # Different ids with equal hashes, in one file and in several, are no sequence in two files.
    monkeypatch.setattr(passes, "hashed", lambda labels: np.arange(len(labels)) // 2)
    monkeypatch.setattr(streamed, "hashed", lambda labels: np.arange(len(labels)) // 2)
    assert kstest.seqksd(pattern, **options).provenance["sums"] == wanted.provenance["sums"]
    monkeypatch.undo()
    events_of(tmp_path / "e-2.csv", ["v20", "v07", "v21"])
    words = [f"--{k}={v}" for k, v in EVENTS.items()]
    assert run(["seqksd", pattern, "--target", chain, "--scheduler", "local", *words]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "sequence 'v07' has events in " in said
    assert said.index("e-0.csv") < said.index("e-2.csv")
    assert "--id" in said


def test_conditions_on_events(tmp_path, chain):
    for k in range(3):
        kind = ["ping" if k == 1 or i % 5 == 0 else "x" for i in range(60)]
        events_of(tmp_path / f"e-{k}.csv", [f"v{k}{i // 2}" for i in range(60)], kind=kind)
    options = {"target": chain, "scheduler": "local", "draws": 99, **EVENTS}
    pattern = str(tmp_path / "e-*.csv")
    found = kstest.seqksd(pattern, where="kind != 'ping'", **options)
    assert [i["rows_used"] for i in found.inputs] == [30, 0, 30]
    with pytest.raises(DataError, match="no sequence is left"):
        kstest.seqksd(pattern, where="kind == 'pong'", **options)
    events_of(tmp_path / "e-1.csv", ["v"], kind="x")
    (tmp_path / "e-1.csv").write_text("visit,ts,event,kind\nv,1,,x\nv,2,a,x\n")
    with pytest.raises(DataError, match=r"e-1.csv: 1 rows have no value in column 'event'"):
        kstest.seqksd(pattern, **options)


DISAGREEING = {
    "lists and texts": ({"s": [["a"]] * 3}, {"s": ["a"] * 3}, {}, "texts in column 's'.*lists in"),
    "columns": ({"s": [["a"]] * 3}, {"t": [["a"]] * 3}, {}, "lists in column 't'.*column 's'"),
    "no such column": ({"s": [["a"]] * 3}, {"t": [["a"]] * 3}, {"column": "s"}, "no column 's'"),
    "events without a column": (
        {"visit": [1], "ts": [1], "event": ["a"]}, {"visit": [1], "event": ["a"]}, EVENTS, "'ts'",
    ),
    "events of another type": (
        {"visit": [1], "ts": [1], "event": ["a"]}, {"visit": [2], "ts": ["x"], "event": ["a"]},
        EVENTS, "'ts' holds numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DISAGREEING)
def test_parts_that_differ_are_named_before_any_sequence_is_read(case, tmp_path, chain):
    one, other, options, words = DISAGREEING[case]
    for k, columns in enumerate((one, one, other)):
        pq.write_table(pa.table(columns), tmp_path / f"a-{k}.parquet")
    with pytest.raises(DataError, match=words) as caught:
        kstest.seqksd(str(tmp_path / "a-*.parquet"), target=chain, scheduler="local", **options)
    assert "a-2.parquet" in str(caught.value)
    assert "a-0.parquet" in str(caught.value) or case == "no such column"


def test_lines_and_lists_are_not_one_data_set(tmp_path, chain):
    (tmp_path / "a-0.txt").write_text("ab\n")
    (tmp_path / "a-1.jsonl").write_text('["a"]\n')
    with pytest.raises(DataError, match=r"a-1.jsonl holds JSON lists, and .*a-0.txt lines of text"):
        kstest.seqksd(str(tmp_path / "a-*"), target=chain, scheduler="local")


def test_empty_lines_and_empty_files(tmp_path, chain, texts):
    options = {"target": chain, "scheduler": "local", "draws": 99}
    files = parts(tmp_path, texts[:900])
    (tmp_path / "a-1.txt").write_text("ab\n\nc\n\n")
    with pytest.raises(DataError, match=r"a-1.txt: line 2 is empty. Say empty='drop'"):
        kstest.seqksd(files, **options)
    found = kstest.seqksd(files, empty="drop", **options)
    assert [i["rows_dropped"] for i in found.inputs] == [0, 2, 0]
    assert found.n == {"data": 302}
    assert kstest.seqksd(files, empty="keep", **options).n == {"data": 304}
    (tmp_path / "a-1.txt").write_text("\n\n")
    assert kstest.seqksd(files, empty="drop", **options).n == {"data": 300}
    (tmp_path / "a-1.txt").write_text("")
    with pytest.raises(DataError, match=r"a-1.txt: holds no sequence"):
        kstest.seqksd(files, **options)
    for k in range(3):
        (tmp_path / f"a-{k}.txt").write_text("\n")
    with pytest.raises(DataError, match="data: no sequence is left"):
        kstest.seqksd(files, empty="drop", **options)


def test_a_line_is_named_by_its_number_in_the_file(tmp_path, chain, monkeypatch):
    monkeypatch.setattr(sequence_text, "CHUNK_BYTES", 5)
    texts = ["ab", "", "c", "bb", "abc", "", "cd", "a"]
    (tmp_path / "a.txt").write_text("".join(t + "\n" for t in texts))
    found = kstest.seqksd(
        tmp_path / "a.txt", target=chain, scheduler="local", empty="drop", draws=99
    )
    assert "row 7, 'cd', holds the symbol 'd'" in found.explanation["summary"]
    table = pa.table({"s": [list(t) for t in texts]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=3)
    monkeypatch.setattr(spans_room, "SPAN_ROWS", 1)
    found = kstest.seqksd(
        tmp_path / "a.parquet", target=chain, scheduler="local", empty="drop", draws=99
    )
    assert found.provenance["spans"] == 3
    assert "row 7, 'cd', holds the symbol 'd'" in found.explanation["summary"]


def test_files_that_change_between_the_passes(files, chain, tmp_path, monkeypatch):
    first = streamed._first_pass

    def then(change):
        def done(*given):
            found = first(*given)
            change()
            return found

        monkeypatch.setattr(streamed, "_first_pass", done)
        kstest.seqksd(files, target=chain, scheduler="local", draws=99)

    with pytest.raises(DataError, match=r"a-1.txt: has changed while it was read"):
        then(lambda: os.utime(tmp_path / "a-1.txt", (1, 1)))
    with pytest.raises(DataError, match=r"a-2.txt: is not there any more"):
        then(lambda: os.remove(tmp_path / "a-2.txt"))


def test_few_sequences_and_equal_ones_give_no_verdict(tmp_path, chain):
    options = {"target": chain, "scheduler": "local", "draws": 99}
    found = kstest.seqksd(parts(tmp_path, ["ab", "c", "ab"], (1,)), **options)
    assert found.verdict == "no verdict"
    assert "3 sequences: the test needs at least 2" in found.warnings[-1].message
    (tmp_path / "one.csv").write_text(",a,$\n^,1,0\na,0,1\n")
    options["target"] = str(tmp_path / "one.csv")
    found = kstest.seqksd(parts(tmp_path, ["a"] * 900), edits="substitution", **options)
    assert found.verdict == "no verdict"


def test_sequences_that_follow_each_other_and_a_file_named_twice(tmp_path, chain, texts):
    files = parts(tmp_path, sorted(texts[:900], key=len), ())
    found = kstest.seqksd([files, files], target=chain, scheduler="local", draws=99)
    assert {"serial-dependence", "same-file"} <= {w.code for w in found.warnings}


def test_a_picture_is_drawn_of_a_few_sequences(files, chain, tmp_path, monkeypatch):
    monkeypatch.setattr(drawn_room, "DRAWN", 300)
    test = METHODS["seqksd"].load()
    params = test.inputs.params(target=chain, draws=99)
    found = spans_room.survey_sequences(
        {"data": [files]}, inputs_room.choose(test.inputs, params, {})
    )
    result, (sample,) = streamed.run(found, params, np.random.default_rng(0), Work(1))
    assert sample.n == 300
    assert test.picture((sample,), params, result).panels
    shares = np.bincount(np.diff(sample.sequences.offsets), minlength=3)[:3] / 300
    every = [len(t) for p in found.paths["data"] for t in Path(p).read_text().split()]
    assert shares == pytest.approx(np.bincount(every)[:3] / 2500, abs=0.1)
    monkeypatch.setattr(drawn_room, "DRAWN_SYMBOLS", 100)
    kstest.seqksd(files, target=chain, scheduler="local", draws=99, plot=tmp_path / "why.svg")
    assert (tmp_path / "why.svg").read_text().startswith("<?xml")


def test_the_few_sequences_are_the_same_whoever_reads_what(monkeypatch):
    """Also where their symbols are too many: none is kept behind one that was left out."""
    monkeypatch.setattr(drawn_room, "DRAWN_SYMBOLS", 60)
    rng = np.random.default_rng(1)
    lengths = rng.integers(0, 40, 200)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    codes, ranks = rng.integers(3, size=offsets[-1]).astype(np.int32), rng.permutation(200)

    def read(bounds):
        found = drawn_room.Few()
        for a, b in itertools.pairwise(bounds):
            part, own = drawn_room.Few(), offsets[a : b + 1]
            block = codes[own[0] : own[-1]], own - own[0]
            part.add(part.nearer(ranks[a:b].astype(np.uint64), *block))
            found.add(part)
        return found

    whole = read([0, 200])
    first = np.argsort(ranks)[: len(whole.ranks)]
    assert whole.ranks.tolist() == list(range(len(whole.ranks)))
    assert whole.lengths.tolist() == lengths[first].tolist()
    for bounds in ([0, 7, 90, 91, 200], range(201), [0, 100, 200]):
        found = read(bounds)
        assert found.ranks.tolist() == whole.ranks.tolist()
        assert np.array_equal(found.codes, whole.codes)


def test_a_picture_of_very_long_sequences_has_one_at_least(tmp_path, chain, monkeypatch):
    monkeypatch.setattr(drawn_room, "DRAWN_SYMBOLS", 5)
    (tmp_path / "a.txt").write_text("abcabcabc\n" * 50)
    options = {"target": chain, "scheduler": "local", "draws": 99}
    kstest.seqksd(str(tmp_path / "a.txt"), plot=tmp_path / "why.svg", **options)
    assert "nan" not in (tmp_path / "why.svg").read_text()


def test_a_local_file_that_is_cut_off_is_not_called_one_of_a_store(tmp_path, chain):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"a\.parquet: cannot be read.* Is the file complete\?"):
        kstest.seqksd(str(tmp_path / "a.parquet"), target=chain, scheduler="local")


def test_data_too_large_for_memory_are_read_in_passes(files, chain, monkeypatch, capsys):
    monkeypatch.setattr(inputs_spans, "memory", lambda: 50_000.0)
    words = ["seqksd", files, "--target", chain, "--format", "json", "--draws", "99"]
    assert run(words) == 1
    captured = capsys.readouterr()
    assert "the files are read in two passes" in captured.err
    assert json.loads(captured.out)["provenance"]["spans"] == 1
    assert run([*words, "--null", "parametric"]) == 1  # in memory, as it asks
    assert "spans" not in json.loads(capsys.readouterr().out)["provenance"]


def test_large_events_in_several_files_are_read_at_once(tmp_path, chain, monkeypatch, capsys):
    """Where nobody asked for passes, they are not what fails."""
    monkeypatch.setattr(inputs_spans, "memory", lambda: 100.0)
    for k, ids in enumerate((range(30), range(29, 60))):
        rows = "".join(f"v{i},{k},{'abc'[i % 3]}\n" for i in ids)
        (tmp_path / f"e-{k}.csv").write_text("visit,ts,event\n" + rows)
    names = [word for name, column in EVENTS.items() for word in (f"--{name}", column)]
    words = ["seqksd", str(tmp_path / "e-*.csv"), "--target", chain, *names, "--format", "json"]
    assert run([*words, "--draws", "99"]) in (0, 1)
    captured = capsys.readouterr()
    assert "a sequence has events in several files: they were read at once" in captured.err
    assert json.loads(captured.out)["n"]["data"] == 60
    assert run([*words, "--scheduler", "local"]) == 2
    assert "'v29' has events in" in capsys.readouterr().err


REFUSED = [
    (["--null", "parametric"], "--null parametric: not with files"),
    (["--target", "fit:order=1"], "--target fit:order=1: not with files"),
    (["--target", "fit:order=1", "--reference", "a.txt"], "--target fit:order=1: not with files"),
    (["--reference", "a.txt"], "--reference a.txt: not with files"),
    (["--kernel", "hamming", "--edits", "substitution"], "--kernel hamming: not with files"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_options_that_need_all_sequences_are_refused(files, chain, options, words, capsys):
    target = [] if options[0] == "--target" else ["--target", chain]
    assert run(["seqksd", files, *target, "--scheduler", "local", *options]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert words in said
    assert "--scheduler" in said


def test_standard_input_pipes_and_objects_are_refused(chain, tmp_path):
    with pytest.raises(UsageError, match="standard input can be read only once"):
        kstest.seqksd("-", target=chain, scheduler="local")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="pipe: is a pipe, which can be read only once"):
        kstest.seqksd(str(tmp_path / "pipe"), target=chain, scheduler="local")
    with pytest.raises(DataError, match="no such file"):
        kstest.seqksd("none.txt", target=chain, scheduler="local")
    with pytest.raises(UsageError, match="found dict; with scheduler="):
        kstest.seqksd({"a": 1}, target=chain, scheduler="local")


class Coin:
    """Letters by their own probabilities, and the end after each with probability .3."""

    alphabet = "abc"

    def logp(self, x):
        return sum(math.log(0.7 * {"a": 0.5, "b": 0.3, "c": 0.2}[symbol]) for symbol in x)


def test_python_objects_serve_in_this_process_with_an_alphabet_of_their_own(tmp_path, texts):
    files = parts(tmp_path, texts[:120], (30,))
    options = {"scheduler": "local", "draws": 99, "length_kernel": "none"}
    here = kstest.seqksd(files, target=Coin(), threads=2, **options)
    there = kstest.seqksd(texts[:120], target=Coin(), null="wild", draws=99, length_kernel="none")
    assert here.statistic == pytest.approx(there.statistic, rel=1e-9)
    with pytest.raises(UsageError, match="has no alphabet of its own"):
        kstest.seqksd(files, target=lambda x, y: 0.0, **options)
    params = METHODS["seqksd"].load().inputs.params(target=Coin())
    with pytest.raises(UsageError, match="a Python object is not sent to workers"):
        streamed._model(params, Work(1, executor=object()))


def test_words_of_a_model_find_their_place_in_every_block(tmp_path, chain):
    """Blocks meet the symbols in different orders."""
    texts = ["b a", "a c", "c b b", "a"] * 3
    codes = [t.split() for t in texts]
    (tmp_path / "a-0.txt").write_text("".join(t + "\n" for t in texts[:5]))
    (tmp_path / "a-1.txt").write_text("".join(t + "\n" for t in texts[5:]))
    options = {"target": chain, "draws": 99, "length_kernel": "none"}
    files = str(tmp_path / "a-*.txt")
    here = kstest.seqksd(files, tokens="words", scheduler="local", **options)
    there = kstest.seqksd(codes, null="wild", **options)
    assert here.statistic == pytest.approx(there.statistic, rel=1e-9)
    assert resolve_sequences(chain, None).alphabet == ("a", "b", "c")


HIDDEN = {
    "model": "hidden",
    "start": {"s": 0.6, "t": 0.4},
    "transition": {"s": {"s": 0.9, "t": 0.1}, "t": {"s": 0.3, "t": 0.7}},
    "emission": {"s": {"a": 0.7, "b": 0.3}, "t": {"b": 0.2, "c": 0.8}},
    "stop": {"s": 0.2, "t": 0.5},
}


@pytest.mark.parametrize("name", ["chain.csv", "hidden.json"])
def test_tasks_and_models_can_be_sent_away(name, tmp_path, files, chain):
    (tmp_path / "hidden.json").write_text(json.dumps(HIDDEN))
    test, elsewhere = METHODS["seqksd"].load(), Elsewhere()
    params = test.inputs.params(target=str(tmp_path / name), draws=99)
    found = spans_room.survey_sequences(
        {"data": [files]}, inputs_room.choose(test.inputs, params, {})
    )
    here, there = (
        streamed.run(found, params, np.random.default_rng(0), work)[0]
        for work in (Work(1), Work(1, executor=elsewhere))
    )
    assert here == there
    assert here.verdict == "rejected"
    assert elsewhere.seen == ["seen", "summed", "explained"]


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, 2000])
def test_level_on_sorted_files(n, tmp_path, chain):
    model, sets, rejected = read_csv_model(chain), 300, 0
    for seed in range(sets):
        texts = sorted(drawn(n, seed, model=model))
        found = kstest.seqksd(
            parts(tmp_path, texts, (n // 50, n // 5, n // 2)), target=chain, scheduler="local",
            draws=99, threads=1,
        )  # fmt: skip
        rejected += found.p_value <= 0.05
    assert stats.binom.ppf(5e-4, sets, 0.05) <= rejected <= stats.binom.ppf(1 - 5e-4, sets, 0.05)
