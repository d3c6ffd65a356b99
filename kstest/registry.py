"""Every test kstest has: name, module, one line for the help.

The command line, the Python API, the documentation and the contract tests go through this dict;
a new test is its module and one line here, and so is a new command. Nothing heavy is imported
until it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType


@dataclass(frozen=True)
class Entry:
    """A test: where it lives and what it answers, in one line of at most 55 characters."""

    module: str
    summary: str
    build: str = "build"  # the function of a command's module that makes it

    def load(self) -> ModuleType:
        return import_module(self.module)


METHODS: dict[str, Entry] = {
    "mmd": Entry("kstest.methods.mmd", "Do two samples come from the same distribution?"),
    "ks": Entry("kstest.methods.ks", "Does any column differ, by a classical test?"),
    "hsic": Entry("kstest.methods.hsic", "Are blocks of columns independent of each other?"),
    "skit": Entry("kstest.methods.skit", "Are blocks of columns of a stream independent?"),
    "smmd": Entry("kstest.methods.smmd", "Does a stream follow the law of a reference?"),
    "sksd": Entry("kstest.methods.sksd", "Does a stream come from a given density?"),
    "ksd": Entry("kstest.methods.ksd", "Does a sample come from a given density?"),
    "pksd": Entry("kstest.methods.pksd", "Does a sample fit a density of several modes?"),
    "seqksd": Entry("kstest.methods.seqksd", "Do sequences come from a given model?"),
}

# Commands that give no verdict of a test, or several kinds of answers: `build(summary)` in their
# module returns the click command or group.
COMMANDS: dict[str, Entry] = {
    "dqm": Entry("kstest.shell.dqm", "Does a batch of detector events look like good ones?"),
    "datasets": Entry("kstest.shell.datasets", "Make data by a formula, for trying the tests."),
    "plan": Entry("kstest.shell.plan", "How many rows does it take to find a given change?"),
    "run": Entry("kstest.checks.commands", "Run the checks of kstest.toml."),
    "init": Entry("kstest.checks.commands", "Write a kstest.toml for two files.", "build_init"),
    "validate": Entry("kstest.checks.commands", "Check kstest.toml.", "build_validate"),
    "config": Entry("kstest.checks.commands", "Show settings and their origin.", "build_config"),
    "history": Entry("kstest.checks.records", "Print what earlier runs found.", "build_history"),
    "show": Entry("kstest.checks.records", "Print all that a run found.", "build_show"),
    "ack": Entry("kstest.checks.records", "Silence a known alarm for a while.", "build_ack"),
    "reset": Entry("kstest.checks.records", "Begin a check anew.", "build_reset"),
    "state": Entry("kstest.shell.state", "Show what a state file of a stream holds."),
}
