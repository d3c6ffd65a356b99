"""From where compiled code is loaded, and from where it must not be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from kstest import caches, jit
from kstest.engine import Work
from kstest.engine.warm import warm
from kstest.jit import places

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners are told apart by number")

CANNOT_WRITE = """
from kstest.jit import places
places.is_own = lambda directory: False  # as for a user who cannot write there
"""
READS = """
import os, sys
from pathlib import Path
from kstest import caches, jit
from kstest.engine import loops, sweep
from kstest.jit import places
print(places.cache_place() == (Path(sys.argv[1]), True), jit.is_compiled())
for way in ("direct", "product"):
    sweep.warm(way)
swept = [loops.block_row, loops.product_tile]
print(sum(len(loop.signatures) for loop in swept) > 0)
print(all(set(loop.signatures) == loop.loaded for loop in swept), "numba" not in sys.modules)
"""


@pytest.fixture
def shared(tmp_path):
    """A shared cache: the one of this user, copied."""
    warm(Work())
    place = tmp_path / "shared"
    shutil.copytree(jit.cache_directory(), place)
    caches.share(place)
    return place


def everything(place):
    return sorted((str(p), p.stat().st_mtime_ns) for p in place.rglob("*"))


def test_code_is_read_from_a_shared_directory_and_nothing_is_written(shared):
    before = everything(shared)
    done = subprocess.run(
        [sys.executable, "-B", "-c", CANNOT_WRITE + READS, str(shared)],
        env=os.environ | {"KSTEST_CACHE_DIR": str(shared)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["True"] * 5, done.stderr
    assert everything(shared) == before


def as_nobody(code, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-B", "-c", code, *arguments],
        env=os.environ | environment,
        cwd="/",
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root is others")
def test_another_user_reads_what_root_has_compiled(shared):
    try:
        if as_nobody("import numba, kstest.engine").returncode:
            pytest.skip("other users cannot read this installation")
    except PermissionError:
        pytest.skip("other users cannot run this Python")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # others cannot enter pytest's own
        os.chmod(folder, 0o755)
        place = shutil.copytree(shared, os.path.join(folder, "shared"))
        caches.share(Path(place))
        before = everything(Path(place))
        done = as_nobody(READS, place, KSTEST_CACHE_DIR=place, HOME="/nonexistent")
        assert done.stdout.split() == ["True"] * 5, done.stderr
        assert everything(Path(place)) == before


def test_a_directory_without_the_code_of_this_processor_is_passed_over(tmp_path, monkeypatch):
    """It is the next one that counts, where this can be compiled and kept."""
    empty, own = tmp_path / "empty", tmp_path / "own"
    empty.mkdir(mode=0o755)
    monkeypatch.setattr(places, "candidates", lambda: iter([empty, own]))
    monkeypatch.setattr(places, "is_own", lambda directory: directory == own)
    assert caches.fault_of_shared(empty) is None
    assert places.cache_place.__wrapped__() == (own, False)


def filled(tmp_path):
    place = tmp_path / "above" / "cache"
    (place / "inside").mkdir(parents=True)
    (place / "inside" / "loop.code").write_bytes(b"code")
    caches.share(tmp_path / "above")
    return place


@pytest.mark.parametrize("what", [".", "inside", "inside/loop.code", ".."])
@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_what_others_can_write_to_is_no_cache(what, mode, tmp_path):
    place = filled(tmp_path)
    assert caches.fault_of_shared(place) is None
    (place / what).chmod(mode)
    assert "others than its owner may write" in caches.fault_of_shared(place)


def test_in_a_common_directory_that_protects_what_each_owns_it_may_stand(tmp_path):
    place = filled(tmp_path)
    place.parent.chmod(0o1777)  # like /tmp
    assert caches.fault_of_shared(place) is None
    place.chmod(0o1777)
    assert "may write" in caches.fault_of_shared(place)


def test_links_and_what_is_missing_are_no_cache(tmp_path):
    place = filled(tmp_path)
    assert "No such file" in caches.fault_of_shared(place / "nowhere")
    (place / "link").symlink_to(place / "inside" / "loop.code")
    assert "neither a file nor a directory" in caches.fault_of_shared(place)


def test_a_link_to_the_cache_is_judged_by_where_it_leads(tmp_path):
    place, link = filled(tmp_path), tmp_path / "link"
    link.symlink_to(place)
    assert caches.fault_of_shared(link) is None
    place.chmod(0o777)
    assert caches.fault_of_shared(link) is not None


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root gives away")
@pytest.mark.parametrize("what", [".", "inside", "inside/loop.code", ".."])
def test_what_another_user_owns_is_no_cache(what, tmp_path):
    place = filled(tmp_path)
    os.chown(place / what, 12345, 0)
    assert "belongs to user 12345" in caches.fault_of_shared(place)


def test_nothing_is_compiled_where_nobody_would_load_it(tmp_path):
    place = tmp_path / "open"
    place.mkdir()
    place.chmod(0o777)
    done = subprocess.run(
        [sys.executable, "-m", "kstest", "warmup", "--shared", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "others than its owner may write" in done.stderr
    assert "Choose a directory" in done.stderr
    assert not any(place.iterdir())


EXTENSIONS = """
import sys
from importlib import metadata
from kstest import about
from kstest.jit.numba import imported
about.own_process = sys.argv[1] == "ours"
looked = []
entry_points = metadata.entry_points
metadata.entry_points = lambda *what, **which: looked.append(1) or entry_points(group="none")
numba = imported()
assert numba.njit(lambda x: x + 1)(1) == 2
print(len(looked))
"""


@pytest.mark.parametrize(("whose", "times"), [("ours", "0"), ("another's", "1")])
def test_only_the_command_line_leaves_extensions_of_numba_unread(whose, times):
    done = subprocess.run(
        [sys.executable, "-c", EXTENSIONS, whose], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == times, done.stderr
