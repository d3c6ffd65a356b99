"""Options of the sequential independence test."""

from __future__ import annotations

from kstest.frozen import frozen

from ...betting import bets, payoffs, symmetric
from ...errors import UsageError
from ...kernels import lacking
from ...params import alpha, check_common, option, option_name, seed
from ..common import one_bandwidth, require_both
from . import detection


@frozen
class Params:
    """Options of `run`; see the help of each field."""

    x: str = option(
        "",
        "First block of columns, such as a,b,3-5,'x*'.",
        metavar="LIST",
        brief="First block of columns, such as a,b,3-5,'x*'.",
    )
    y: str = option(
        "", "Second block of columns.", metavar="LIST", brief="Second block of columns."
    )
    all_pairs: bool = option(
        False,
        "Test all pairs of columns in one run, by e-BH: of the pairs called dependent at most a "
        "share alpha are not, in the mean, whenever one looks.",
        brief="Test all pairs of columns in one run.",
    )
    alpha: float = alpha()
    seed: int = seed()
    mode: str = option(
        "blocks",
        "Bet on blocks of rows, by permuting them; or on pairs of rows, as published.",
        choices=("blocks", "pairs"),
    )
    block: int = option(16, "Rows of a block, within which one of both sides is exchangeable.")
    kernel: str = option(
        "gaussian",
        "Kernel; linear only with --mode pairs and --symmetric.",
        choices=tuple(payoffs.CODES),
        refused=lacking(*payoffs.NEEDS),
    )
    bandwidth: str = option(
        "median",
        "The median distance of the first 20 rows, or a number in units of the scaled columns. "
        "With --mode blocks four bandwidths from twice to a quarter of it are used.",
        metavar="median|NUMBER",
    )
    bandwidth_x: str = option("", "The same for the first block only.", metavar="median|NUMBER")
    bandwidth_y: str = option("", "The same for the second block only.", metavar="median|NUMBER")
    scale: str = option(
        "robust",
        "Unit of each column, from the first 20 rows: median absolute deviation, standard "
        "deviation, or as it is.",
        choices=("robust", "standard", "none"),
    )
    payoff: str = option("hsic", "With --mode pairs: the witness.", choices=payoffs.PAYOFFS)
    bet: str = option("mixture", "With --mode pairs: how much is bet.", choices=bets.BETS)
    symmetric: str = option(
        "none",
        "With --mode pairs: bet on sign and size of the witness difference, for drifting data.",
        choices=symmetric.TRANSFORMS,
    )
    witness_rows: int = option(2000, "With --mode pairs: rows that the witness keeps.")
    guard: str = option(
        "on",
        "Watch whether both sides depend on the time of the row, and give no verdict if they do.",
        choices=("on", "off"),
    )
    thin: int = option(1, "Use every N-th row only.", metavar="N", brief="Use every N-th row only.")
    strided: int = option(
        1,
        "Blocks of every N-th row, N of them side by side, whose evidence is averaged: for rows "
        "that depend on their neighbours.",
        metavar="N",
    )
    detect: bool = detection.detect()
    run_length: int = detection.run_length()
    on_alarm: str = detection.on_alarm()
    detector: str = detection.detector()
    residualise: str = option(
        "",
        "A calendar column, such as the hour: subtract from every number the mean of the earlier "
        "rows with the same value, and divide it by their spread. Not tested itself.",
        metavar="COLUMN",
        brief="Calendar column whose season is taken out.",
    )

    def __post_init__(self) -> None:
        check_common(self)
        detection.check_detection(self)
        require_both(self.x, self.y)
        for name, least, most in (("block", 2, 64), ("thin", 1, 10**6), ("strided", 1, 1000)):
            if not least <= getattr(self, name) <= most:
                raise UsageError(
                    f"--{name} {getattr(self, name)}: give a whole number from {least} to {most}"
                )
        if not 2 <= self.witness_rows <= 20_000:
            raise UsageError(
                f"--witness-rows {self.witness_rows}: give a whole number from 2 to 20000"
            )
        for name in ("bandwidth", "bandwidth_x", "bandwidth_y"):
            if getattr(self, name) or name == "bandwidth":
                one_bandwidth(getattr(self, name), option_name(name))
        self._check_mode()
        self._check_pairs()

    def _check_mode(self) -> None:
        pairs_only = {"payoff": "hsic", "bet": "mixture", "symmetric": "none"}
        for name, default in pairs_only.items():
            if self.mode == "blocks" and getattr(self, name) != default:
                raise UsageError(f"--{name} {getattr(self, name)}: is for --mode pairs")
        if self.mode == "pairs" and self.strided > 1:
            raise UsageError("--strided is for --mode blocks; with --mode pairs use --thin")
        if self.mode == "pairs" and self.detect:
            raise UsageError("--detect is for --mode blocks, whose evidence comes block by block")
        if self.kernel == "linear" and (self.mode == "blocks" or self.symmetric == "none"):
            raise UsageError(
                "--kernel linear: is not bounded; use it with --mode pairs and --symmetric tanh, "
                "sign, rank or predictive"
            )

    def _check_pairs(self) -> None:
        if not self.all_pairs:
            return
        for name, value in (
            ("x", self.x),
            ("bandwidth_x", self.bandwidth_x),
            ("bandwidth_y", self.bandwidth_y),
        ):
            if value:
                raise UsageError(f"{option_name(name)} and --all-pairs: use one of them")
        if self.mode == "pairs":
            raise UsageError(
                "--all-pairs is for --mode blocks, which keeps no rows of a pair; with --mode "
                "pairs test one pair, --x and --y"
            )
        if self.detect:
            raise UsageError(
                "--detect and --all-pairs: use one of them. e-BH needs evidence against a fixed "
                "hypothesis of every pair, and an alarm has none; watch blocks with --x and --y"
            )
