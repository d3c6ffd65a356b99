"""The `kstest` command: a lazy group, and the one place that turns outcomes into exit codes.

0 not rejected, 1 rejected, 2 could not run, 3 no verdict, 70 a bug in kstest, 130 interrupted.
Click alone would exit 1 on a traceback, on Ctrl-C and on a closed pipe, which a CI job reads as
"rejected"; `main` owns them all.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from . import __version__
from .errors import KstestError
from .registry import COMMANDS, METHODS

BUG = 70
INTERRUPTED = 130

UTILITIES = {
    "completions": "Print the completion script of a shell.",
    "warmup": "Compile everything now, so that no later run has to.",
}


class LazyGroup(click.Group):
    """A group whose help needs no command to be imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*METHODS, *COMMANDS, *UTILITIES]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in METHODS:
            from .shell.command import build

            return build(name)
        if name in COMMANDS:
            command: click.Command = COMMANDS[name].load().build(COMMANDS[name].summary)
            return command
        return super().get_command(ctx, name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Tests"):
            formatter.write_dl([(name, entry.summary) for name, entry in METHODS.items()])
        with formatter.section("Utilities"):
            commands = {name: entry.summary for name, entry in COMMANDS.items()}
            formatter.write_dl(list({**commands, **UTILITIES}.items()))


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
def warmup() -> int:
    import time

    from .betting.warm import load
    from .engine import Work
    from .engine.warm import warm

    clock = time.process_time()
    compiling: list[str] = []
    work = Work(notify=compiling.append)
    where = warm(work)
    load(work)
    seconds = f"in {time.process_time() - clock:.1f} s of CPU time"
    click.echo(
        f"compiled {seconds}; kept in {where}"
        if compiling
        else f"already compiled; kept in {where}"
    )
    return 0


@cli.command(help=UTILITIES["completions"])
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completions(shell: str) -> int:
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(found(cli, {}, "kstest", "_KSTEST_COMPLETE").source())
    return 0


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    import kstest

    kstest.own_process = True
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    code = run(arguments)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    # Not sys.exit: a thread of pyarrow that still reads ahead would abort the interpreter's end
    # with code 134. Nothing is left to be written: output files were closed and renamed.
    os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code; nothing escapes."""
    try:
        code = cli.main(list(arguments), prog_name="kstest", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return 2
    except KstestError as error:
        click.echo(f"kstest: error: {error}", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("kstest: interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        from .shell.output import silence_stdout

        silence_stdout()
        return 0
    except MemoryError:
        click.echo("kstest: error: not enough memory for this many rows and columns", err=True)
        return 2
    except Exception as error:
        if "--debug" in arguments:
            traceback.print_exc()
        click.echo(
            f"kstest: internal error: {type(error).__name__}: {error}\n"
            f"This is a bug in kstest {__version__}, not in your data; please report it with the "
            "command and the output of --debug.",
            err=True,
        )
        return BUG
