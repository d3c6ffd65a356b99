"""Where the forms of a report go: several files of one run, none of which is read by it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from ..errors import KstestError, UsageError
from ..files import destinations, output
from ..report import pages
from ..wording import printable
from .config import Config
from .forms import FORMS, render
from .outcome import Report


def targets(given: Sequence[str]) -> dict[str, str]:
    """The files of `--report FORM:FILE`, by form, as absolute paths.

    Raises
    ------
    UsageError
        For a form that is none, one that is given twice, or no file.
    """
    found: dict[str, str] = {}
    for one in given:
        form, _, path = one.partition(":")
        if form not in FORMS or not path:
            raise UsageError(
                f"--report {printable(one)}: is not FORM:FILE, with a form of {', '.join(FORMS)}; "
                "for example junit:out.xml"
            )
        if form == "html":
            pages.require()
        if form in found:
            raise UsageError(f"--report {form}: is given twice; give each form one file")
        found[form] = path if path == "-" else os.path.abspath(path)
    return found


def require(config: Config, now: datetime, target: str | None, reports: Mapping[str, str]) -> None:
    """Refuse files to write that cannot work, or are read: data, settings, history, states.

    Call it in the folder of the configuration. The files of all its checks count, those that do
    not run now, too.
    """
    read = [os.path.join(config.folder, os.path.basename(config.path))]
    read.append(os.path.join(".kstest", "states", "*"))
    history = config.settings.history
    if history != "none":
        read += [history, f"{history}-wal", f"{history}-shm"]
    for check in config.checks.values():
        with contextlib.suppress(KstestError):  # an error of the check, when it runs
            read += [path for paths in check.files(now).values() for path in paths]
        values = [*check.options.values(), check.state]
        read += [value for value in values if isinstance(value, str)]
    more = {f"--report {form}": path for form, path in reports.items()}
    destinations.require({"output": target}, read, more=more)
    for name, path in {"--output": target, **more}.items():
        # A history that does not exist yet is no input whose identity is known.
        same = path is not None and os.path.realpath(path) == os.path.realpath(history)
        if same and history != "none":
            raise UsageError(f"{name} {path}: is the history; give another name")


def deliver(report: Report, form: str, path: str | None, option: str, color: bool = False) -> None:
    """Write a report to a file, whole or not at all, or to standard output."""
    if form == "prometheus" and path is not None:
        from .formats import prometheus

        earlier = ""
        if os.path.isfile(path):
            with contextlib.suppress(OSError):
                earlier = Path(path).read_text(encoding="utf-8", errors="replace")
        text = prometheus.render(report, earlier=earlier)
    else:
        text = render(report, form, color)
    output.write(text, path, option)
    if form == "github":
        from .formats import github

        github.summarize(report)
