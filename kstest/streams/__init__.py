"""Streams: which rows of a run are new, and the state file that remembers what they taught.

`batch` are the rows of a run while they come, `state_file` what is kept between runs, `fingerprint`
whether a run may go on with it. No statistics here: they are in the test (`kstest.contract`).
"""
