"""The types of the functions for checkers and editors, kstest/__init__.pyi, made from the options.

After a change of options: python3 -m tests.stub
"""

from __future__ import annotations

from pathlib import Path

import kstest
from kstest.api.signatures import stub

PATH = Path(kstest.__file__).with_name("__init__.pyi")

if __name__ == "__main__":
    PATH.write_text(stub(kstest))
