"""The `kstest` command: a lazy group, and the one place that turns outcomes into exit codes.

0 not rejected, 1 rejected, 2 could not run, 3 no verdict, 70 a bug in kstest, 130 interrupted, 143
and 129 ended by SIGTERM and SIGHUP. Click alone would exit 1 on a traceback, on Ctrl-C and on a
closed pipe, which a CI job reads as "rejected"; `main` owns them all.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

import click

from . import about
from .about import __version__
from .errors import KstestError
from .registry import COMMANDS, METHODS
from .shell.group import Group

BUG = 70
INTERRUPTED = 130
COMPLETION = "_KSTEST_COMPLETE"

UTILITIES = {
    "completions": "Print the completion script of a shell.",
    "warmup": "Compile everything now, so that no later run has to.",
}


class LazyGroup(Group):
    """A group whose help needs no command to be imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*METHODS, *COMMANDS, *UTILITIES]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in METHODS:
            from .shell.command import build

            return build(name)
        if name in COMMANDS:
            return COMMANDS[name].build()
        return super().get_command(ctx, name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        tests = {name: entry.summary for name, entry in METHODS.items()}
        tests |= {name: entry.summary for name, entry in COMMANDS.items() if entry.judges}
        others = {name: entry.summary for name, entry in COMMANDS.items() if not entry.judges}
        for title, commands in (("Tests", tests), ("Utilities", others | UTILITIES)):
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Exit codes: 0 not rejected, 1 rejected, 2 could not run, 3 no verdict.
Every test has its own help: kstest mmd --help""",
)
@click.version_option(__version__, prog_name="kstest")
def cli() -> None:
    """Kernel hypothesis tests for data files (not the Kolmogorov-Smirnov test)."""


@cli.command(help=UTILITIES["warmup"])
@click.option(
    "--shared",
    metavar="DIR",
    help="Keep the compiled code in DIR, for other users to read: those of a container image or a "
    "cluster, who set KSTEST_CACHE_DIR to it. Nobody but you and root may be able to write there.",
)
def warmup(shared: str | None) -> int:
    import time

    from .files import output

    clock = time.process_time()
    if shared is None:
        from .shell.warmup import warm
    else:
        from .shell.warmup import warm_shared

        warm = partial(warm_shared, shared)
    where, compiled = warm()
    seconds = f"in {time.process_time() - clock:.1f} s of CPU time"
    how = f"compiled {seconds}" if compiled else "already compiled"
    output.write(f"{how}; kept in {where}\n", None)
    return 0


@cli.command(help=UTILITIES["completions"])
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completions(shell: str) -> int:
    from click.shell_completion import get_completion_class

    from .files import output

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    output.write(found(cli, {}, "kstest", COMPLETION).source() + "\n", None)
    return 0


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    code = BUG
    try:
        from .files import messages
        from .shell import signals

        about.own_process = True
        # Imports make a hundred thousand objects that stay; looking for cycles among them after
        # every 700 takes a twentieth of a small command.
        gc.set_threshold(50_000, 20, 50)
        messages.occupy_closed()
        signals.install()
        code = run(list(sys.argv[1:] if arguments is None else arguments))
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
    except KeyboardInterrupt as error:  # a second one, while the first was answered
        code = getattr(error, "exit_code", INTERRUPTED)
    finally:
        # Not sys.exit: a thread of pyarrow that still reads ahead would abort the interpreter's end
        # with code 134. Nothing is left to be written: output files were closed and renamed.
        os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code; nothing escapes."""
    from .files.messages import say, silence

    try:
        return _invoke(arguments)
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        say(text.getvalue().rstrip())
        return 2
    except KstestError as error:
        say(f"kstest: error: {error}")
        if error.more:
            say(f"kstest: try: {shlex.join(['kstest', *arguments, *error.more])}")
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        say(f"kstest: interrupted{f' by {error}' if str(error) else ''}")
        return getattr(error, "exit_code", INTERRUPTED)
    except BrokenPipeError:
        silence(sys.stdout)
        return 0
    except MemoryError:
        say("kstest: error: not enough memory for this many rows and columns")
        return 2
    except OSError as error:  # the help on a full disk, no free descriptor
        silence(sys.stdout)
        _trace(arguments)
        where = f"{error.filename}: " if error.filename else ""
        say(f"kstest: error: {where}the system refuses: {error.strerror or error}")
        return 2
    except Exception as error:
        _trace(arguments)
        say(
            f"kstest: internal error: {type(error).__name__}: {error}\n"
            f"This is a bug in kstest {__version__}, not in your data; please report it with the "
            "command and the output of --debug."
        )
        return BUG


def _invoke(arguments: Sequence[str]) -> int:
    """Run the command; unlike click's own `main` it exits nowhere and writes no message."""
    try:
        if COMPLETION in os.environ:
            cli.main(list(arguments), prog_name="kstest", standalone_mode=False)
        with cli.make_context("kstest", list(arguments)) as context:
            code = cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except SystemExit as end:  # of a completion
        return 0 if end.code in (0, None) else 2
    return code if isinstance(code, int) else 0


def _trace(arguments: Sequence[str]) -> None:
    from .files.messages import say

    if "--debug" in arguments:
        say(traceback.format_exc().rstrip())
