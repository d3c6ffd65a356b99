"""Which sequences are neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

EVERYWHERE = 1 << 60


@frozen
class Neighbourhood:
    """Which sequences are neighbours: one edit of the last `positions` places.

    Examples
    --------
    >>> Neighbourhood(True, False, False).count(np.array([0, 3]), 4)
    array([ 0, 12])
    """

    substitution: bool = True
    insertion: bool = True
    deletion: bool = True
    positions: int = EVERYWHERE

    def count(self, lengths: NDArray[np.int64], symbols: int) -> NDArray[np.int64]:
        """Return the number of entries per sequence; see `sequence_loops`."""
        places = np.minimum(lengths, self.positions)
        inserts = np.minimum(lengths + 1, self.positions)
        changes = symbols * (places * self.substitution + inserts * self.insertion)
        return np.asarray(changes + places * self.deletion)
