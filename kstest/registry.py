"""Every test kstest has: name, module, one line for the help.

The command line, the Python API, the documentation and the contract tests go through this dict;
a new test is its module and one line here, and so is a new command. Nothing heavy is imported
until it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kstest.frozen import frozen

if TYPE_CHECKING:
    import click

    from .contract import Test


@frozen
class Entry:
    """A test: the module whose TEST it is, and what it answers, in at most 55 characters.

    `around`, ``module:function``, stands between its command line and the test, and may answer
    itself.
    """

    module: str
    summary: str
    around: str = ""

    def load(self) -> Test[Any]:
        """Import the module and return its test (`kstest.contract`)."""
        found: Test[Any] = import_module(self.module).TEST
        return found

    def wrapped(self, run: Callable[..., int]) -> Callable[..., int]:
        """What the command line calls: `run`, or what stands around it."""
        if not self.around:
            return run
        module, _, name = self.around.partition(":")
        found: Callable[..., int] = getattr(import_module(module), name)(run)
        return found


@frozen
class Command:
    """A command that is no test: a function of its module, of the summary, returns that of click.

    One that `judges` data stands among the tests in the help.
    """

    module: str
    summary: str
    judges: bool = False
    maker: str = "build"

    def build(self) -> click.Command:
        """Import the module and return the command or the group."""
        built: click.Command = getattr(import_module(self.module), self.maker)(self.summary)
        return built


METHODS: dict[str, Entry] = {
    "mmd": Entry(
        "kstest.methods.mmd",
        "Do two samples come from the same distribution?",
        around="kstest.shell.around_mmd:around",
    ),
    "ks": Entry("kstest.methods.ks", "Does any column differ, by a classical test?"),
    "hsic": Entry("kstest.methods.hsic", "Are blocks of columns independent of each other?"),
    "effect": Entry("kstest.methods.effect", "Does a treatment change an outcome's distribution?"),
    "moments": Entry(
        "kstest.methods.moments", "Is what a formula leaves over unrelated to columns?"
    ),
    "skit": Entry("kstest.methods.skit", "Are blocks of columns of a stream independent?"),
    "smmd": Entry("kstest.methods.smmd", "Does a stream follow the distribution of a reference?"),
    "sksd": Entry("kstest.methods.sksd", "Does a stream come from a given density?"),
    "ksd": Entry("kstest.methods.ksd", "Does a sample come from a given density?"),
    "pksd": Entry("kstest.methods.pksd", "Does a sample fit a density of several modes?"),
    "seqksd": Entry("kstest.methods.seqksd", "Do sequences come from a given model?"),
}

CHECKS = "kstest.checks"
COMMANDS: dict[str, Command] = {
    "dqm": Command(
        "kstest.shell.dqm", "Does a batch of detector events look like good ones?", judges=True
    ),
    "datasets": Command("kstest.shell.datasets", "Make data by a formula, for trying the tests."),
    "plan": Command("kstest.shell.plan", "How many rows does it take to find a given change?"),
    "thin": Command("kstest.shell.thin", "Which rows stand for a big file?"),
    "release": Command("kstest.shell.release", "Write a private sketch of a reference."),
    "run": Command(f"{CHECKS}.commands", "Run the checks of kstest.toml.", judges=True),
    "baseline": Command(f"{CHECKS}.baseline", "Keep a reference in one file, for CI."),
    "init": Command(f"{CHECKS}.commands", "Write a kstest.toml for two files.", maker="init"),
    "validate": Command(f"{CHECKS}.commands", "Check kstest.toml without data.", maker="validate"),
    "config": Command(f"{CHECKS}.commands", "Show settings and their origin.", maker="config"),
    "history": Command(f"{CHECKS}.records", "Print what earlier runs found.", maker="history"),
    "show": Command(f"{CHECKS}.records", "Print all that a run found.", maker="show"),
    "ack": Command(f"{CHECKS}.records", "Silence a known alarm for a while.", maker="ack"),
    "reset": Command(f"{CHECKS}.records", "Begin a check anew after a change.", maker="reset"),
    "sniff": Command("kstest.shell.sniff", "Say how files are written and what reads them."),
    "doctor": Command("kstest.shell.doctor", "Show versions, cache, threads and speed."),
    "schema": Command("kstest.shell.schema", "Print the JSON Schema of the answers."),
    "state": Command("kstest.shell.state", "Show what a state file of a stream holds."),
}
