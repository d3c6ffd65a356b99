"""The manual page of `kstest`, made of the help: share/man/man1/kstest.1, installed by the wheel.

After a command has come or a summary has changed: python3 -m tests.manual
"""

from __future__ import annotations

from pathlib import Path

import click

from kstest.cli import cli
from kstest.registry import COMMANDS, METHODS

PAGE = Path(__file__).parent.parent / "share" / "man" / "man1" / "kstest.1"
FILES = {
    "kstest.toml": "checks of kstest run: here, in a folder above, or where KSTEST_CONFIG says",
    ".kstest": "history of the runs, beside kstest.toml",
}
EXITS = {
    "0": "ran, not rejected",
    "1": "ran, rejected",
    "2": "could not run; the message names file, column, row or option",
    "3": "no verdict, for example too few rows",
    "70": "a bug in kstest",
    "130, 143, 129": "interrupted by Ctrl-C, SIGTERM, SIGHUP",
}
VARIABLES = {
    "KSTEST_CACHE_DIR": "where compiled code is kept",
    "KSTEST_CONFIG": "the file of checks",
    "NO_COLOR": "if set, no colours on a terminal",
}


def roff(text: str) -> str:
    """Text that roff prints as it is."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line[:1] in ".'" else line for line in plain.splitlines())


def entries(pairs: dict[str, str]) -> list[str]:
    """Terms and what they mean."""
    return [
        line for term, text in pairs.items() for line in (".TP", f".B {roff(term)}", roff(text))
    ]


def page() -> str:
    """Return the page."""
    tests = {n: e.summary for n, e in METHODS.items()}
    tests |= {n: e.summary for n, e in COMMANDS.items() if e.judges}
    others = {n: e.summary for n, e in COMMANDS.items() if not e.judges}
    for name in cli.commands:
        others[name] = cli.commands[name].get_short_help_str(limit=100)
    lines = [
        '.TH KSTEST 1 "" kstest "User Commands"',
        ".SH NAME",
        r"kstest \- kernel hypothesis tests for data files (not the Kolmogorov\-Smirnov test)",
        ".SH SYNOPSIS",
        r".B kstest",
        r".I COMMAND",
        r"[\fIOPTIONS\fR] [\fIFILE\fR ...]",
        ".SH TESTS",
        *entries(tests),
        ".SH OTHER COMMANDS",
        *entries(others),
        ".SH OPTIONS",
        roff("kstest COMMAND -h shows what most people use, kstest COMMAND --help all options."),
        ".SH EXIT STATUS",
        *entries(EXITS),
        ".SH ENVIRONMENT",
        *entries(VARIABLES),
        ".SH FILES",
        *entries(FILES),
        ".SH EXAMPLES",
        *entries({
            METHODS[name].load().inputs.example: METHODS[name].summary for name in METHODS
        }),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())
    click.echo(PAGE)
