"""Batches that whoever judges them reads: a file each, here or on other machines.

A task reads a file and judges it; rows never travel, and what comes back is the answer that the
file has where all are read at once, to the bit (`Calibration.scores`). The calibration travels
once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kstest.frozen import frozen

from ..dqm.calibration import Calibration
from ..dqm.check import identity, judge_all
from ..dqm.history import Identity
from ..dqm.windows import Batch
from ..engine import Work
from ..engine.work import run_tasks, shared
from ..errors import KstestError, UsageError
from ..result import Result
from ..sample import Sample
from ..sources import ReadOptions
from ..sources.paths import expand, is_address, is_query, parted
from ..sources.pieces import require_unchanged
from ..sources.stores import absolute, stamp
from ..wording import label
from .batches import batch_options, from_files


@frozen
class BatchFile:
    """A file with a batch, or several.

    Attributes
    ----------
    written : str
        As the user wrote it.
    path : str
        As any process finds it.
    stamp : (int, int) or None
        Size and time of the local file when it was looked at first; None where it is not there.
    name : str
        By which a history knows it.
    named : bool
        Whether the name was given.
    """

    written: str
    path: str
    stamp: tuple[int, int] | None
    name: str = ""
    named: bool = False

    @classmethod
    def of(cls, written: str, name: str = "", named: bool = False) -> BatchFile:
        """Look whether a file is there.

        Raises
        ------
        UsageError
            For what only this process can read.
        """
        if written == "-" or is_query(written):
            raise UsageError(
                f"{label(written)}: not with --scheduler, whose workers read the batches "
                "themselves; accepted: files that all of them see, and addresses"
            )
        if is_address(written):
            return cls(written, written, None, name, named)
        return cls(written, absolute(written), stamp(parted(written)[0]), name, named)

    @property
    def file(self) -> str:
        """Path without the part."""
        return parted(self.path)[0]

    @property
    def words(self) -> str:
        """For messages."""
        return label(self.written)

    def read(self, calibration: Calibration, options: ReadOptions) -> Batch:
        """Read the batch; messages and the record have the path as it was written."""
        try:
            how = batch_options(calibration.layout, options, self.written)
            if self.stamp is not None:
                require_unchanged(self.file, self.stamp)
            sample, notices = from_files()("batch", [self.path], how)
            if self.stamp is not None:
                require_unchanged(self.file, self.stamp)
        except KstestError as error:
            raise type(error)(self._as_written(str(error)), error.more) from None
        said = tuple(replace(n, message=self._as_written(n.message)) for n in notices)
        return Batch(self.written, self._renamed(sample), said, name=self.name, named=self.named)

    def _renamed(self, sample: Sample) -> Sample:
        inputs = tuple(replace(i, path=self._as_written(i.path)) for i in sample.inputs)
        return replace(sample, inputs=inputs)

    def _as_written(self, text: str) -> str:
        return text.replace(self.path, self.written)


def batch_files(
    paths: Sequence[str], options: ReadOptions, batch_id: str | None
) -> list[BatchFile]:
    """Expand globs, and name the batches as a history does."""
    files = [one for path in paths for one in expand(path, "batch")]
    return [BatchFile.of(path, *name_of(path, files, options, batch_id)) for path in files]


def stamps_of(files: Sequence[BatchFile]) -> dict[str, tuple[int, int]]:
    """Size and time of every local file that is there."""
    return {file.file: file.stamp for file in files if file.stamp is not None}


def name_of(
    path: str, files: Sequence[str], options: ReadOptions, batch_id: str | None
) -> tuple[str, bool]:
    """The name by which a history knows a file's batch, and whether it was given.

    Raises
    ------
    UsageError
        For one name of several files.
    """
    if batch_id is not None and len(files) > 1:
        raise UsageError(f"--batch-id {batch_id}: names one batch, {len(files)} files are given")
    chosen = f" where {options.where}" if options.where else ""
    name = f"{os.path.basename(path)}{chosen}" if batch_id is None else batch_id
    return name, batch_id is not None


def judge_files(
    calibration: Calibration,
    files: Sequence[BatchFile],
    options: ReadOptions,
    params: Any,
    work: Work,
    where: Mapping[str, Any],
) -> tuple[list[Result], list[Identity]]:
    """Judge files, a task each; results of all batches in order, and what a history knows them by.

    Parameters
    ----------
    calibration : Calibration
    files : sequence of BatchFile
    options : ReadOptions
        How bytes are to be taken, and which rows.
    params : Params of `kstest.dqm.check`
    work : Work
    where : mapping
        On how many workers, for the record.

    Raises
    ------
    DataError, UsageError
        Of the first file, in their order, that cannot be judged.
    """
    known, machine = shared(calibration, work), {"threads": work.threads, **where}
    tasks = [(known, file, options, params) for file in files]
    costs = [float(file.stamp[0] + 1 if file.stamp else 1) for file in files]
    results: list[Result] = []
    identities: list[Identity] = []
    for found, names in run_tasks(judged, tasks, work, costs):
        results += [replace(r, provenance={**r.provenance, **machine}) for r in found]
        identities += names
    return results, identities


def judged(
    calibration: Calibration, file: BatchFile, options: ReadOptions, params: Any
) -> tuple[list[Result], list[Identity]]:
    """Read a file and judge its batches: a task."""
    batch, alone = file.read(calibration, options), Work(threads=1)
    parts, results = judge_all(calibration, [batch], params, alone)
    return results, [identity(calibration, part) for part in parts]
