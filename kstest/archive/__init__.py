"""Files in which kstest keeps what it knows between runs: states of monitors, calibrations.

An archive is a zip file, not compressed, of `header.json` and one `NAME.npy` per array::

    drift.kst
      header.json   {"kstest": "state", "version": 1, ...}
      sums.npy      numpy's own format, numbers only

Nothing in it is ever executed (no pickle); every member carries a checksum, and no member can
claim to be larger than the file. Equal content gives equal bytes.
"""

from __future__ import annotations

from .lock import locked
from .store import load, own_json, save

__all__ = ["load", "locked", "own_json", "save"]
