"""A group of commands that answers a misspelt one with the name that was perhaps meant."""

from __future__ import annotations

import click


class Group(click.Group):
    """A group whose commands may be known to `list_commands` only, not imported yet."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; see `click.Group.resolve_command`."""
        name = args[0]
        if name[:1].isalnum() and not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            from ..wording import meant

            ctx.fail(f"No such command {name[:100]!r}{meant(name, self.list_commands(ctx), '.')}")
        return super().resolve_command(ctx, args)
