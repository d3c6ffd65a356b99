"""The option of reading that names the chains of a sampler; see `chains`."""

from __future__ import annotations

from kstest.errors import UsageError
from kstest.frozen import frozen
from kstest.params import option

# In place of a column: the rows are one sequence, whatever the files know of chains.
NONE = "none"


@frozen
class ChainOptions:
    """The part of `ReadOptions` about chains; see the help of the field."""

    chain: str | None = option(
        None,
        "Column that tells the chains of a sampler apart; not tested itself. Rows of a chain "
        "depend on each other, in their order. Files of CmdStan and ArviZ tell by themselves; "
        f"{NONE} takes their rows as one sequence.",
        metavar=f"COLUMN|{NONE}",
        brief="Column with the chain of a sampler's draws.",
    )
    # Whether the test makes use of chains that files know by themselves.
    own_chains: bool = False

    def check_chains(self) -> None:
        """Refuse chains beside other units of rows."""
        if self.chain is None or self.chain == NONE:
            return
        for name in ("group", "unit", "counts", "explode"):
            if getattr(self, name, None) is not None:
                raise UsageError(
                    f"--chain and --{name}: rows belong together in one way or the other; give "
                    "one of the two"
                )
