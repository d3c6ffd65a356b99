"""Power: how many rows a test needs to find a change that somebody cares about.

`alternative` changes rows of the reference as asked, `search` looks for the number of rows by
running the test itself on splits of the reference. Nothing here decides about data: see `methods`.
"""

from . import search
from .search import Params, Plan, Size, plan

__all__ = ["Params", "Plan", "Size", "plan", "search"]
