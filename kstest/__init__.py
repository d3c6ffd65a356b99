"""Kernel hypothesis tests for data files, arrays and frames.

Every test in `kstest.registry` is a function here, imported when it is first used::

    import kstest
    result = kstest.mmd(X, Y, seed=0, permutations=999)
    result.p_value, result.verdict

Arguments are arrays, pandas DataFrames or Arrow tables; keywords are the options of the command
line with underscores; the answer is a `kstest.Result`, whose attributes are the keys of the
command's JSON. ``help(kstest.mmd)`` has all options.
"""

import os.path
from importlib import import_module
from typing import Any

from .about import __version__ as __version__

# What is no test: "module:name", imported when first used.
FUNCTIONS = {
    "DriftDetector": "kstest.api.detector:DriftDetector",
    "Result": "kstest.api.shown:Result",
    "plan": "kstest.api.planned:plan",
    "thin": "kstest.api.thinned:thin",
    "dqm_calibrate": "kstest.api.dqm:calibrate",
    "dqm_check": "kstest.api.dqm:check",
    "dqm_compare": "kstest.api.dqm:compare",
    "dqm_explain": "kstest.api.dqm:explain",
    "dqm_load": "kstest.api.dqm:load",
}
# Modules for users, the same.
MODULES = ("testing",)
# Those that need an extra: no star import brings them.
EXTRAS = ("pandera",)


def __getattr__(name: str) -> Any:
    from .registry import METHODS

    if name == "__all__":
        return __dir__()
    if name in FUNCTIONS:
        module, _, function_name = FUNCTIONS[name].partition(":")
        return getattr(import_module(module), function_name)
    if name in (*MODULES, *EXTRAS):
        return import_module(f"kstest.{name}")
    if name not in METHODS:
        # `from . import name` asks here first, before the module is looked for.
        if any(os.path.exists(os.path.join(__path__[0], name + end)) for end in ("", ".py")):
            raise AttributeError(f"module 'kstest' has no attribute {name!r}")
        import difflib

        close = difflib.get_close_matches(name.lower(), __dir__(), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise AttributeError(f"module 'kstest' has no attribute {name!r}{hint}")
    from .api import function

    return function(name)


def __dir__() -> list[str]:
    from .registry import METHODS

    return [*METHODS, *FUNCTIONS, *MODULES, "__version__"]
