"""ROOT files by uproot: the tree (TTree or RNTuple) that is there, or that ``FILE:TREE`` names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import awkward as ak
import pyarrow as pa
import uproot

from kstest.errors import DataError
from kstest.sources.arrow_file import ArrowFile
from kstest.sources.stream import Opened, seekable
from kstest.wording import label, listed, shown

STEP = 1 << 14  # entries
_TREES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple")


def open_root(opened: Opened) -> ArrowFile:
    """Open a tree: read the names and types of its branches."""
    file, digest, close = seekable(opened)
    tree = _tree(uproot.open(file), opened)
    names = _branches(tree)
    types = _types(tree, names)
    total = int(tree.num_entries)

    def batches(wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for start in range(0, total, STEP):
            found = _arrow(tree, wanted, start, min(start + STEP, total))
            if found.num_rows != min(STEP, total - start):
                raise EOFError(f"entries from {start:,} on are not there")
            yield from found.combine_chunks().to_batches()

    return ArrowFile(pa.schema(list(types.items())), batches, digest, close)


def _tree(file: Any, opened: Opened) -> Any:
    kinds = file.classnames(recursive=True, cycle=False)
    trees = [name for name, kind in kinds.items() if kind in _TREES]
    if opened.part is not None:
        part = opened.part.partition(";")[0]
        if part not in trees:
            raise DataError(
                f"{opened.label}: has no tree {shown(opened.part)}; it has {listed(trees)}."
            )
        return file[opened.part]
    if len(trees) != 1:
        others = [name for name in kinds if name not in trees]
        found = f"{len(trees)} trees: {listed(trees)}" if trees else f"no tree: {listed(others)}"
        more = f" Name one, as in {opened.label}:{label(trees[0])}." if trees else ""
        raise DataError(f"{opened.label}: holds {found}.{more}")
    return file[trees[0]]


def _branches(tree: Any) -> list[str]:
    """Names of the branches that hold values, and not other branches."""
    if not hasattr(tree, "branches"):  # RNTuple
        return [str(name) for name in tree.keys(recursive=False)]
    return [str(name) for name, branch in tree.iteritems() if not branch.branches]


def _types(tree: Any, names: Sequence[str]) -> dict[str, pa.DataType]:
    """The type of every branch; one that uproot cannot read is a record without fields."""
    found: dict[str, pa.DataType] = {}
    for name in names:
        try:
            field = _arrow(tree, [name], 0, 0).schema.field(0)
            found[name] = field.type
        except Exception:  # any class of somebody's program
            found[name] = pa.struct([])
    return found


def _arrow(tree: Any, names: Sequence[str], start: int, stop: int) -> pa.Table:
    arrays = tree.arrays(list(names), entry_start=start, entry_stop=stop, library="ak")
    columns = [ak.to_arrow(arrays[name], extensionarray=False) for name in names]
    return pa.table(columns, names=list(names))
