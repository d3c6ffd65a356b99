"""Keys of the JSON objects that are no result of a single test, for the schema.

A shape is the name of a JSON type, with ``?`` where null may stand, in brackets for a list of it;
``notice``, ``input`` and ``result`` are shapes by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Keys = Mapping[str, tuple[str, str]]

INPUT: Keys = {
    "sample": ("string", "The role of the file."),
    "path": ("string", "As it was given."),
    "rows_read": ("integer", "Rows of the file."),
    "rows_used": ("integer", "Rows that the test saw."),
    "rows_dropped": ("integer", "Rows dropped for missing cells."),
    "rows_filtered": ("integer", "Rows that --where left out."),
    "sha256": ("string?", "Digest of the bytes; null for what is no file."),
}
_RECORD: Keys = {
    "warnings": ("[notice]", "What the reader of the answer has to know."),
    "inputs": ("[input]", "Files with their rows and digests."),
    "provenance": ("object", "Versions, seed, time and threads."),
}
PLAN: Keys = {
    "schema_version": ("integer", "Of the object."),
    "command": ("string", "plan"),
    "rows": ("integer?", "The smallest tried number of rows a side that has the power."),
    "between": ("[integer?]", "Too few and enough rows, by two standard errors."),
    "power": ("number", "The wanted power."),
    "alpha": ("number", "Level of the test."),
    "sizes": ("[object]", "Power and its standard error at every number of rows tried."),
    "smallest_rows": ("integer", "Below it no p-value of the test reaches the level."),
    "change": ("object", "The change that the second file is given."),
    "test": ("object", "The test and its permutations."),
    "n": ("object", "Rows of the files."),
    "params": ("object", "Options, defaults included."),
    **_RECORD,
}
CALIBRATION: Keys = {
    "digest": ("string", "Of the calibration."),
    "columns": ("[object]", "Names, kinds and ranges."),
    "missing": ("string", "What is done about missing cells."),
    "pivot": ("object?", "How rows of hits became events."),
    "records": ("object?", "How rows became records."),
    "rows": ("object", "Rows of the reference and of the pool, good runs, and centres."),
    "widths": ("[number]", "Bandwidths of the features."),
    "scales": ("[string]", "The units of each bandwidth."),
    "ranks": ("[integer]", "Features kept at each bandwidth."),
    "smallest_p_value": ("number", "No batch has a smaller one."),
    "sizes": ("[object]", "Toys and the analytic distribution at each number of events."),
    "settings": ("object", "Options of the calibration, defaults included."),
    **_RECORD,
}
SELFTEST: Keys = {
    "passed": ("boolean", "Whether good events pass and changed ones are rejected."),
    "good": ("number", "p-value of good events that were put aside."),
    "changed": ("number", "p-value of the same events after the change."),
    "alpha": ("number", "Level."),
    "change": ("string", "What was changed, in words."),
    "events": ("integer", "Events of the batch."),
    "smallest_p_value": ("number", "No batch has a smaller one."),
}
RUN: Keys = {
    "schema_version": ("integer", "Of the object."),
    "exit_code": ("integer", "0 no alarm, 1 an alarm, 2 a check could not run, 3 no verdict."),
    "run": ("integer?", "Its number in the history."),
    "started": ("string", "Time, in UTC."),
    "date": ("string", "The day that dates in paths come from."),
    "seconds": ("number", "Wall time."),
    "config": ("string", "Path of the configuration."),
    "digest": ("string", "Of the configuration."),
    "settings": ("object", "Settings of the run."),
    "control": ("[string]", "How false alarms over time are controlled, in words."),
    "provenance": ("object", "Versions and threads."),
    "outcomes": ("[outcome]", "One of each check, or of each unit of it."),
}
OUTCOME: Keys = {
    "name": ("string", "Of the check."),
    "unit": ("string", "The level of a column, or the batch; empty where there is one only."),
    "test": ("string", "Name of the test."),
    "severity": ("string", "error or warn."),
    "over_time": ("string", "How false alarms over time are controlled."),
    "status": ("string", "rejected, not rejected, no verdict or error."),
    "alpha": ("number", "Level of the check, which the adjusted p-value is compared with."),
    "level": ("number?", "What of it this run may use, before the correction."),
    "p_value": ("number?", "Of the test."),
    "adjusted": ("number?", "Corrected over the checks of the run."),
    "message": ("string", "What was found, or why there is an error or no verdict."),
    "changes": ("[object]", "What changed in the schema of the files."),
    "schema": ("string", "Severity of the changes."),
    "acknowledged": ("string?", "Until when and why an alarm is known."),
    "repeated": ("boolean", "Whether the same data were checked before."),
    "seconds": ("number", "Wall time."),
    "result": ("result?", "The answer of the test; null after an error."),
}
THIN: Keys = {
    "schema_version": ("integer", "Of the object."),
    "command": ("string", "thin"),
    "rows": ("integer", "Rows kept."),
    "of": ("integer", "Rows read."),
    "by": ("string", "What chose them: kernel, every, random, stein or all."),
    "distances": ("[object]", "The MMD to all rows at every bandwidth, with bounds."),
    "worth": ("[number?]?", "Random rows that are as near: fewest and most over bandwidths."),
    "stein": ("object?", "Kernel Stein discrepancies, with --target."),
    "columns": ("[string]", "Columns used."),
    "n": ("object", "Rows of the files."),
    "params": ("object", "Options, defaults included."),
    **_RECORD,
}
RELEASE: Keys = {
    "schema_version": ("integer", "Of the object."),
    "command": ("string", "release"),
    "review": ("string", "That this is experimental."),
    "sketch": ("string", "Digest of the sketch."),
    "epsilon": ("number", "What the sketch tells of a row at most."),
    "delta": ("number", "Probability left out of that."),
    "rho": ("number", "The same by concentrated differential privacy, which adds up."),
    "noise": ("number", "Standard deviation of it in a coordinate of the mean feature."),
    "neighbours": ("string", "What is replaced: row, or group for all rows of a user."),
    "rows_free": ("integer", "Rows from which on privacy costs nearly nothing."),
    "ledger": ("object", "Where it is, releases so far, and what they spend together."),
    "columns": ("[string]", "Columns used."),
    "n": ("object", "Rows in the sketch."),
    "params": ("object", "Options, defaults included."),
    **_RECORD,
}
STATUS: Keys = {
    "courses": ("[object]", "Of each calibration or check: batches, alarm, since when."),
    "batches": ("[object]", "Every batch, the latest first."),
}
SHAPES: dict[str, tuple[Keys, str]] = {
    "input": (INPUT, "A file that was read."),
    "plan": (PLAN, "What kstest plan answers."),
    "thin": (THIN, "What kstest thin answers."),
    "release": (RELEASE, "What kstest release answers."),
    "calibration": (CALIBRATION, "What kstest dqm calibrate and show answer."),
    "selftest": (SELFTEST, "What kstest dqm selftest answers."),
    "status": (STATUS, "What kstest dqm status answers."),
    "run": (RUN, "What kstest run answers."),
    "outcome": (OUTCOME, "What came of a check."),
}


def shape(keys: Keys, description: str) -> dict[str, Any]:
    """The JSON Schema of an object with these keys, all of them required."""
    return {
        "type": "object",
        "description": description,
        "properties": {k: {**_value(v), "description": words} for k, (v, words) in keys.items()},
        "required": sorted(keys),
        "additionalProperties": False,
    }


def _value(text: str) -> dict[str, Any]:
    if text.startswith("["):
        kind = ["array", "null"] if text.endswith("]?") else "array"
        return {"type": kind, "items": _value(text.rstrip("?")[1:-1])}
    name = text.rstrip("?")
    if name in ("string", "number", "integer", "boolean", "object"):
        return {"type": [name, "null"] if text.endswith("?") else name}
    found = {"$ref": f"#/$defs/{name}"}
    return {"anyOf": [found, {"type": "null"}]} if text.endswith("?") else found
