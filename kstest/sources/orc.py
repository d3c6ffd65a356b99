"""ORC files, a stripe at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.orc

from kstest.sources.arrow_file import ArrowFile
from kstest.sources.stream import Opened, seekable


def open_orc(opened: Opened) -> ArrowFile:
    """Open an ORC file: read its footer."""
    file, digest, close = seekable(opened)
    orc = pyarrow.orc.ORCFile(file)

    def stripes(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        seen = 0
        for k in range(orc.nstripes):
            batch = orc.read_stripe(k, list(names))
            seen += batch.num_rows
            yield batch
        if seen != orc.nrows:
            raise EOFError(f"{orc.nrows:,} rows are stated, {seen:,} were found")

    return ArrowFile(orc.schema, stripes, digest, close)
