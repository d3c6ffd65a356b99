"""A fixture for pytest, which finds this file by the metadata of the package."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .api.shown import Result


@pytest.fixture
def assert_same(record_property: Callable[[str, object], None]) -> Callable[..., Result]:
    """`kstest.testing.assert_same`; its p-values go into the JUnit report."""

    def asserted(*samples: Any, **options: Any) -> Result:
        from . import testing

        __tracebackhide__ = True
        result = testing.compared(*samples, **options)
        for name in ("method", "verdict", "p_value", "alpha"):
            record_property(f"kstest_{name}", getattr(result, name))
        return testing.require(result)

    return asserted
