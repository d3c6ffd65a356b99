"""The command `kstest schema`: the JSON Schema of the answers."""

from __future__ import annotations

import json

import click

from ..files import output


def build(summary: str) -> click.Command:
    """Return the command."""
    return click.Command(
        "schema",
        callback=_run,
        help=f"{summary}\n\nAny library of JSON Schema (2020-12) validates with it what --format "
        "json prints; a line of --format jsonl is one answer.",
        short_help=summary,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _run() -> int:
    from ..report.schema import schema

    output.write(json.dumps(schema(), indent=2) + "\n", None)
    return 0
