"""Compiled loops: called without numba they answer the same; what keeps them may be damaged."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from kstest import jit
from kstest.jit import entries, loops, objects, places


@jit.inline
def twice(x):
    return x + x


def weigh(x, parts, factor, count, key, flag, out):
    """Something of all that a loop may take, make and return."""
    weights, by = parts
    room = np.empty(x.shape[1])
    total = 0.0
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            room[c] = twice(x[i, c]) * factor
            total += np.exp(-room[c]) * weights[i]
        out[i] = total / count + by + float(key >> np.uint64(63))
    return total if flag else -total


def huge(count, out):
    room = np.empty(count)
    room[0] = 1.0
    out[0] = room[0]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "cache_place", lambda: (tmp_path, False))
    return tmp_path


def arguments(order="C"):
    x = np.asarray(np.random.default_rng(0).normal(size=(5, 3)), order=order)
    parts = (np.linspace(0, 1, 5), 2)
    return x, parts, np.float32(0.3), 7, 2**63 + 5, True, np.zeros(5)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """What keeps the code of `weigh`, compiled once for all tests."""
    place = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "cache_place", lambda: (place, False))
        loop, given = jit.loop(weigh), arguments()
        value = loop(*given)
        assert not loop.loaded
        by_python = arguments()
        slow = weigh(*by_python[:4], np.uint64(by_python[4]), *by_python[5:])
        assert value == pytest.approx(slow, rel=1e-12)
        np.testing.assert_allclose(given[-1], by_python[-1], rtol=1e-12)
    (file,) = place.glob("*.code")
    return file, value, given[-1]


placing = pytest.mark.skipif(not loops._placeable(), reason="numba keeps code on this system")


@placing
def test_kept_code_is_loaded_and_answers_to_the_bit(kept, cache):
    file, value, out = kept
    (cache / file.name).write_bytes(file.read_bytes())
    loop, given = jit.loop(weigh), arguments()
    assert loop(*given) == value
    np.testing.assert_array_equal(given[-1], out)
    assert loop.loaded == set(loop.signatures)
    assert len(loop.loaded) == 1
    # NumPy's numbers of the same types need no code of their own.
    loop(*given[:3], np.int64(7), np.uint64(2**63 + 5), np.True_, given[-1])
    assert len(loop.signatures) == 1


@placing
def test_threads_that_call_a_loop_at_once_load_it_once(kept, cache, monkeypatch):
    file, value, _ = kept
    (cache / file.name).write_bytes(file.read_bytes())
    read, found, loop = [], [], jit.loop(weigh)
    one = entries.read
    monkeypatch.setattr(entries, "read", lambda *a: read.append(1) or one(*a))
    threads = [threading.Thread(target=lambda: found.append(loop(*arguments()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [value] * 8
    assert len(read) == 1


@placing
def test_numbas_own_way_gives_the_same_bits(kept, cache, monkeypatch):
    """As on systems whose object code is of another kind."""
    monkeypatch.setattr(loops, "_placeable", lambda: False)
    loop, given = jit.loop(weigh), arguments()
    assert loop(*given) == kept[1]
    np.testing.assert_array_equal(given[-1], kept[2])
    assert list(cache.rglob("*.nbi"))


@placing
def test_damage_is_noticed_and_the_code_made_anew(kept, cache):
    content, name = kept[0].read_bytes(), kept[0].name
    key = content.split(b"\n")[1].split()[0].decode()
    place = cache / name
    for broken in (b"", content[:10], content[:-1], content[: len(content) // 2], content + b"x"):
        place.write_bytes(broken)
        assert entries.read(place, key) is None
    for at in range(0, len(content), 97):
        place.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        assert entries.read(place, key) is None
    loop = jit.loop(weigh)
    assert loop(*arguments()) == kept[1]
    assert not loop.loaded
    assert entries.read(place, key) is not None
    assert entries.read(place, key[::-1]) is None


@placing
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_code_that_others_may_write_is_not_run(mode, kept, cache):
    place = cache / kept[0].name
    place.write_bytes(kept[0].read_bytes())
    key = place.read_bytes().split(b"\n")[1].split()[0].decode()
    assert entries.read(place, key) is not None
    place.chmod(mode)
    assert entries.read(place, key) is None


@placing
def test_part_of_an_object_is_refused(kept):
    key = kept[0].read_bytes().split(b"\n")[1].split()[0].decode()
    whole = entries.read(kept[0], key).objects
    assert objects.place(whole)("entry") > 0
    for one in (0, 1):
        for size in range(0, len(whole[one]), 101):
            cut = list(whole)
            cut[one] = cut[one][:size]
            with pytest.raises(objects.Unplaceable):
                objects.place(cut)
    with pytest.raises(objects.Unplaceable, match="needs"):
        objects.place(whole[1:])  # calls what is in the other


@placing
def test_memory_that_is_not_there_is_an_error_and_no_crash(cache):
    loop, out = jit.loop(huge), np.zeros(1)
    with pytest.raises(MemoryError, match="huge"):
        loop(2**58, out)
    loop(10, out)
    assert out[0] == 1.0


def test_what_is_no_number_is_refused():
    with pytest.raises(TypeError, match="not str"):
        jit.loop(weigh)("x")


@placing
@pytest.mark.parametrize("name", ["NUMBA_CPU_NAME", "NUMBA_OPT"])
def test_what_a_user_tells_numba_is_a_part_of_the_key(name, monkeypatch):
    before = places._surroundings.__wrapped__()
    monkeypatch.setenv(name, "1")
    assert places._surroundings.__wrapped__() != before


@placing
def test_kept_code_needs_no_numba(kept):
    code = (
        "import sys\nfrom pathlib import Path\nfrom kstest.jit import places\n"
        "places.cache_place = lambda: (Path(sys.argv[2]), False)\n"
        "sys.path.insert(0, sys.argv[1])\nimport test_jit\nfrom kstest import jit\n"
        "print(jit.loop(test_jit.weigh)(*test_jit.arguments()).hex())\n"
        "print({'numba', 'llvmlite'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent), str(kept[0].parent)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == [kept[1].hex(), "set()"], done.stderr
