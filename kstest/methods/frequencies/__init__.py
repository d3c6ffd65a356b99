"""The exact kernel test of frequencies against a discrete distribution, which `kstest ksd` runs.

`statistic` has the statistic and its draws, `verdict` runs the test, `explanation` says which cells
hold too many rows or too few, `rounded` sends rounded draws of a density here, `picture` draws.
"""
