"""Over time: adds to the Result of every batch whether there is an alarm after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np

from ..findings import Note
from ..nulls.online import Rule
from ..result import Notice, Result
from ..run import told_of_records
from . import alarms, words
from .calibration import Calibration
from .history import History, Identity
from .reachable import beyond_toys

SENTENCES = {
    True: "the batch differs from good events",
    False: "no evidence at this level that the batch differs from good events",
}


def with_alarms(
    calibration: Calibration,
    results: Sequence[Result],
    params: Any,
    history: History | None = None,
    identities: Sequence[Identity] = (),
) -> list[Result]:
    """Add to each result whether there is an alarm after it, and by which rule.

    Parameters
    ----------
    calibration : Calibration
    results : sequence of Result
        In order of time.
    params : Params of `check`
    history : History, optional
        Earlier batches; those of `results` that it does not know are added. One that it knows
        keeps its place and its p-value, and has the answer that it had there.
    identities : sequence of Identity
        Of every result, with a history.
    """
    lines: list[dict[str, Any]] = []
    said: list[list[Notice]] = [[] for _ in results]
    known = 0 if history is None else len(history.lines)
    if history is None:
        entries: list[float | None] = [r.p_value for r in results]
        places = list(range(len(results)))
    else:
        lines, said = _entered(results, history, identities)
        position = {id(line): k for k, line in enumerate(history.counted)}
        places = [position[id(line)] for line in lines]
        entries = [line["p_value"] for line in history.counted]
    if params.control == "persistence":
        found = _persistent(calibration, results, places, entries, params)
    else:
        found = _online(results, places, entries, params)
    out = []
    for result, notices in zip(found, said, strict=True):
        out.append(replace(result, warnings=(*result.warnings, *notices)))
    added = {id(line) for line in (history.lines[known:] if history else ())}
    for line, result in zip(lines, out, strict=False):
        if id(line) in added:
            line |= _found(result, params)
    known_until = None if history is None else history.acknowledged
    return [_in_units(_acknowledged(result, known_until)) for result in out]


def _in_units(result: Result) -> Result:
    """The same in the words of records, if these were judged."""
    if "records" not in result.explanation:
        return result
    return told_of_records(result, result.columns, result.warnings)


def _found(result: Result, params: Any) -> dict[str, Any]:
    """What a history keeps of a batch, besides its name and p-value."""
    state = result.explanation["alarm"]
    return {
        "alarm": state["alarm"],
        "verdict": result.verdict,
        "events": result.n.get("batch"),
        "judged": result.explanation.get("events_used"),
        "level": state.get("level", result.alpha),
        "rule": params.persistence if params.control == "persistence" else params.control,
    }


def _acknowledged(result: Result, until: str | None) -> Result:
    state = result.explanation["alarm"]
    if until is None or not state["alarm"]:
        return result
    return result.told(words.alarm({**state, "acknowledged": until}, result))


def _entered(
    results: Sequence[Result], history: History, identities: Sequence[Identity]
) -> tuple[list[dict[str, Any]], list[list[Notice]]]:
    """The line of each batch in the history, and what is to be said about it."""
    lines: list[dict[str, Any]] = []
    said: list[list[Notice]] = []
    for result, batch in zip(results, identities, strict=True):
        label = str(result.explanation["batch"])
        notices = [*_skipped(history)] if not lines else []
        line = history.find(batch)
        if line is None:
            notices += _alike(history, batch, label)
            started = str(result.provenance["started"])
            line = history.add(label, batch, started, result.p_value)
        else:
            notices.append(_repeated(line, result, label))
        lines.append(line)
        said.append(notices)
    return lines, said


def _skipped(history: History) -> Iterator[Notice]:
    if history.skipped:
        many = "1 batch" if history.skipped == 1 else f"{history.skipped:,} batches"
        yield Notice(
            "history-other-calibration",
            f"{history.path}: {many} of another calibration, or of a kstest that did not write "
            "down which, do not count for alarms of this one",
        )


def _repeated(line: Mapping[str, Any], result: Result, label: str) -> Notice:
    text = f"{label} was checked before ({line['started'][:16]}) and counts once, at its old place"
    if line["p_value"] != result.p_value:
        was = "no p-value" if line["p_value"] is None else f"p {line['p_value']:.4g}"
        text += f"; the history keeps {was}, from the options of then, and alarms go by that"
    return Notice("history-repeated", text)


def _alike(history: History, batch: Identity, label: str) -> Iterator[Notice]:
    named, equal = history.alike(batch)
    if named is not None:
        yield Notice(
            "history-same-name",
            f"{label}: another batch of this name with other events was checked "
            f"{named['started'][:16]}; both count. If the file has grown since, some events count "
            "twice; names given with --batch-id are kept apart",
        )
    if equal is not None:
        yield Notice(
            "history-same-events",
            f"{label} has the same events as {equal['batch']}, checked {equal['started'][:16]}; "
            "both count",
        )


def _persistent(
    calibration: Calibration,
    results: Sequence[Result],
    places: Sequence[int],
    entries: Sequence[float | None],
    params: Any,
) -> Iterator[Result]:
    k, n = alarms.parse(params.persistence)
    verdicts = [None if p is None else p <= params.alpha for p in entries]
    states = list(alarms.persistent(verdicts, k, n))
    rejections = [0, *accumulate(int(bool(v)) for v in verdicts)]
    judged = [x for x, v in enumerate(verdicts) if v is not None]
    counts = list(accumulate(int(v is not None) for v in verdicts))
    level = _level(calibration, params)
    for result, place in zip(results, places, strict=True):
        seen = counts[place]  # verdicts up to this batch
        among, needed = min(n, max(seen, 1)), min(k, max(seen, 1))
        first = judged[seen - among] if seen else place
        rate = alarms.false_alarms(level, k, n, seen)
        state = {
            "rule": f"{k} of the last {n}",
            "alarm": states[place],
            "needed": needed,
            "among": among,
            "judged": seen,
            "rejected": rejections[place + 1] - rejections[first],
            "false_alarms_per_batch": rate,
            "false_alarms_per_day": rate * params.per_day if params.per_day else None,
        }
        yield _with(result, state, _persistence_summary(state, verdicts[place]))


def _level(calibration: Calibration, params: Any) -> float:
    """The level that is used up: p-values of toys are multiples of the smallest."""
    if params.null != "toys" or calibration.settings["tolerance"]:
        return float(params.alpha)
    step = calibration.smallest_p_value
    return float(np.floor(params.alpha / step * (1 + 1e-12)) * step)


def _persistence_summary(state: Mapping[str, Any], rejected: bool | None) -> str:
    among = "the only batch so far is" if state["among"] == 1 else (
        f"{state['rejected']} of the last {state['among']} batches "
        f"{'is' if state['rejected'] == 1 else 'are'}"
    )  # fmt: skip
    if state["among"] == 1 and rejected is not None:
        return SENTENCES[bool(rejected)]
    if state["alarm"]:
        this = {True: "this one, too", False: "this one is not", None: "this one has no verdict"}
        more = f"; {this[rejected]}" if rejected is not True else ""
        return f"{among} rejected{more}"
    if rejected:
        return f"{among} rejected, an alarm takes {state['needed']}"
    return SENTENCES[False] if rejected is False else "too few events"


def _online(
    results: Sequence[Result], places: Sequence[int], entries: Sequence[float | None], params: Any
) -> Iterator[Result]:
    rule = Rule(params.control, params.alpha)
    judged = []
    for p in entries:
        level = rule.level
        judged.append((level, p is not None and rule.add(p)))
    for result, place in zip(results, places, strict=True):
        level, rejected = judged[place]
        toys = result.null.get("replicates")
        state = {
            "rule": params.control,
            "level": level,
            "possible": toys is None or 1 / (1 + toys) <= level,
            "alarm": rejected,
        }
        summary = SENTENCES[rejected]
        if result.p_value is not None:
            deaf = beyond_toys(result, level, params.control)
            summary = "farther than all toys, which are too few for this rule" if deaf else summary
            result = result.told(
                Note("summary", summary),
                verdict="no verdict" if deaf else "rejected" if rejected else "not rejected",
                threshold=None,
                warnings=(*result.warnings, *deaf),
            )
        else:
            summary = "too few events"
        result = replace(result, warnings=(*result.warnings, *_dependence(params.control)))
        yield _with(result, state, summary)


def _dependence(control: str) -> Iterator[Notice]:
    if control != "lond":
        yield Notice(
            "dependent-p-values",
            "p-values of one calibration depend on each other through its reference and toys; "
            f"{control} is proven for independent ones, lond holds for such dependence",
        )


def _with(result: Result, state: Mapping[str, Any], summary: str) -> Result:
    return result.told(words.alarm({**state, "summary": summary}, result))
