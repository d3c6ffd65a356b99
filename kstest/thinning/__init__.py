"""Thinning: the rows that stand for a big file, and how well they do.

`halving` takes one row of every two so that the kernel's means stay what they were, in a tree
whose cost grows like n log n; `certificate` measures the distance of what is kept from the whole;
`stein` chooses rows by a given density, however the file was drawn; `search` puts them together.
"""

from .search import INPUTS, REFERENCES, Params, Thinned, thin

__all__ = ["INPUTS", "REFERENCES", "Params", "Thinned", "thin"]
