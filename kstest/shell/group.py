"""A group of commands that answers a misspelt one with the name that was perhaps meant."""

from __future__ import annotations

import click

# Commands of a group that are all named, at most.
MOST_NAMED = 12


class Group(click.Group):
    """A group whose commands may be known to `list_commands` only, not imported yet."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; see `click.Group.resolve_command`."""
        name = args[0]
        if name[:1].isalnum() and not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            ctx.fail(f"No such command {name[:100]!r}{self._instead(ctx, args)}")
        return super().resolve_command(ctx, args)

    def _instead(self, ctx: click.Context, args: list[str]) -> str:
        """How to go on: the help that was asked for, the name that was meant, or all names."""
        from ..wording import meant

        names = self.list_commands(ctx)
        if args[0] == "help":
            asked = next((f" {name}" for name in args[1:] if name in names), "")
            return f"; the help is {ctx.command_path}{asked} --help"
        every = "." if len(names) > MOST_NAMED else f"; there are: {', '.join(names)}"
        return meant(args[0], names, every)
