"""What stands between the command line of `kstest mmd` and the test: is the reference a sketch?

It is asked before anything is read; what tests against a sketch is imported only if one is named.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..privacy.recognise import is_sketch


def around(run: Callable[..., int]) -> Callable[..., int]:
    """Return a callback that tests against a sketch where one is named, and else calls `run`."""

    def callback(**given: Any) -> int:
        if not given["cite"] and given["sample_column"] is None:
            named = [*given["files"], *given["role_reference"], *given["role_sample"]]
            if any(is_sketch(path) for path in named):
                from .sketched import run_against

                return run_against(given)
        return run(**given)

    return callback
