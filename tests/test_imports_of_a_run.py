"""A small run imports what it needs: not the rooms of options that were not given."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from kstest.betting.warm import use_loops

HEAVY = "pandas scipy matplotlib jinja2 dask pyarrow.parquet pyarrow.dataset"
# Conditions, hits, records, sequences, objects, and streams.
SOURCES = (
    "where_parse where_tree split pivot_rows units unit_streams feeds objects sequences "
    "sequence_options csv_grouped csv_errors columnar spans pieces sequence_spans "
    "sequence_parts sequence_objects"
)
TWO_SAMPLES = "streamed streamed_columns passes prepared massed differences segments picture"
DEPENDENCE = "picture pairs_map delay_test pairwise conditional_notes doubt passes streamed cells"


def modules(names: str, room: str = "kstest") -> set[str]:
    return {f"{room}.{name}" for name in names.split()}


SMALL = (
    {*HEAVY.split(), "numba"}
    | modules("syntax picture targets nulls.bounds nulls.multipliers nulls.tables")
    | modules(SOURCES, "kstest.sources")
    | modules("stein residuals smoothers tensors sequences", "kstest.engine")
    | modules("privacy.sketch privacy.against shell.sketched shell.release jit.objects")
)
COLUMN_WISE = (
    SMALL
    | modules("engine.margins engine.products nulls.pairings")
    | modules(TWO_SAMPLES, "kstest.methods.two_samples")
    | modules("sketch spans", "kstest.methods.two_passes")
)
# What a command does not import.
LEFT_OUT = {
    "mmd a.csv b.csv": COLUMN_WISE | modules("columns cells", "kstest.methods.two_samples"),
    "ks a.csv b.csv": COLUMN_WISE,
    "hsic a.csv --x a --y b": (SMALL - modules("engine.residuals engine.smoothers engine.tensors"))
    | modules(DEPENDENCE, "kstest.methods.dependence"),
    # Loops that were compiled before are called without what compiles.
    "skit a.csv --x a --y b": (SMALL - modules("sources.feeds jit.objects"))
    | {"llvmlite"}
    | modules("jit.compiling jit.numba"),
}


@pytest.mark.parametrize("command", LEFT_OUT)
def test_a_small_run_imports_no_room_of_another_option(command, tmp_path, rng):
    if command.startswith("skit"):
        use_loops("skit blocks")
    for name in ("a", "b"):
        values = rng.normal(size=(40, 2))
        np.savetxt(tmp_path / f"{name}.csv", values, delimiter=",", header="a,b", comments="")
    code = (
        "import json, sys\nfrom kstest.cli import run\n"
        f"assert run({[*command.split(), '--quiet']!r}) in (0, 1)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert LEFT_OUT[command] & set(json.loads(done.stdout)) == set()
