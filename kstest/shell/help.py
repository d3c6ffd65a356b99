"""Help in sections: `-h` shows what most people use, a line each; `--help` shows all."""

from __future__ import annotations

from typing import Any

import click

from ..params import DIALECT, INPUT, NULL, OUTPUT, STREAM, TEST
from . import completion

# In this order.
SECTIONS = (INPUT, DIALECT, TEST, NULL, STREAM, OUTPUT)
# Of what an option takes, in the short help.
MOST_LETTERS = 12


class Option(click.Option):
    """An option that knows its section, and what `-h` says of it (nothing: it is not there)."""

    def __init__(
        self, declarations: list[str], *, section: str = OUTPUT, brief: str = "", **given: Any
    ) -> None:
        if (complete := completion.of_metavar(given.get("metavar"))) is not None:
            given.setdefault("shell_complete", complete)
        super().__init__(declarations, **given)
        self.section, self.brief = section, brief


class Argument(click.Argument):
    """An argument that names files."""

    def __init__(self, declarations: list[str], **given: Any) -> None:
        super().__init__(declarations, shell_complete=completion.files, **given)


class Command(click.Command):
    """A command whose options are shown in sections."""

    def __init__(self, name: str, **given: Any) -> None:
        given["params"] = [
            *given["params"],
            Option(
                ["-h"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_short,
                help="Show the options that most people use, and exit.",
            ),
        ]
        given.setdefault("context_settings", {"help_option_names": ["--help"]})
        super().__init__(name, **given)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write all options, section by section."""
        found: dict[str, list[tuple[str, str]]] = {section: [] for section in SECTIONS}
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx)
            if record is not None:
                section = option.section if isinstance(option, Option) else OUTPUT
                found[section].append(record)
        for section, records in found.items():
            if records:
                with formatter.section(section):
                    formatter.write_dl(records)

    def short_help_text(self, ctx: click.Context) -> str:
        """What `-h` shows."""
        formatter = ctx.make_formatter()
        self.format_usage(ctx, formatter)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(self.short_help or "")
        shown = [o for o in self.get_params(ctx) if isinstance(o, Option) and o.brief]
        shown.sort(key=lambda option: SECTIONS.index(option.section))
        with formatter.section(f"Options ({ctx.command_path} --help shows all)"):
            rows = [(_written(option, ctx), option) for option in shown]
            width = max(len(words) for words, _ in rows)
            for words, option in rows:
                formatter.write(f"  {words:<{width}}  {option.brief}\n")
        self.format_epilog(ctx, formatter)
        return formatter.getvalue().rstrip("\n")


def _written(option: click.Option, ctx: click.Context) -> str:
    """An option and what it takes, in few letters: `--help` has all words that it accepts."""
    names = ", ".join(sorted(option.opts, key=len))
    if option.is_flag:
        return names
    takes = option.metavar or option.make_metavar(ctx)
    if len(takes) > MOST_LETTERS:
        takes = "WORD" if isinstance(option.type, click.Choice) else "VALUE"
    return f"{names} {takes}"


def _short(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if asked and isinstance(ctx.command, Command):
        click.echo(ctx.command.short_help_text(ctx))
        ctx.exit()
