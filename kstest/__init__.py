"""Kernel hypothesis tests for data files, arrays and frames.

Every test in `kstest.registry` is a function here, imported when it is first used::

    import kstest
    result = kstest.mmd(X, Y, seed=0, permutations=999)
    result.p_value, result.verdict

Arguments are arrays, pandas DataFrames or Arrow tables; keywords are the options of the command
line with underscores; the answer is a `kstest.result.Result`, whose attributes are the keys of
the command's JSON.
"""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    from .registry import METHODS

    if name == "plan":
        from .api import plan

        return plan
    if name not in METHODS:
        raise AttributeError(f"module 'kstest' has no attribute {name!r}")
    from .api import function

    return function(name)


def __dir__() -> list[str]:
    from .registry import METHODS

    return [*METHODS, "plan", "__version__"]
