"""What an explanation finds: by column, and the learned ratio."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

Array = NDArray[np.float64]


@frozen
class Column:
    """What one column has to do with it.

    Attributes
    ----------
    column, kind : str
    words : str
        How the column differs by itself.
    t, t_without : float, float or None
        Statistic at the strongest width with all columns, and without this one.
    log10_p, log10_p_without : float, float or None
        Analytic p-values of both.
    evidence : float
        log10_p_without - log10_p: powers of ten of evidence that are lost without the column.
    p_value : float or None
        Of a test of this column alone, corrected for all columns; None with weights.
    differs : bool
        Whether that is at most the level. A column may carry evidence and not differ: then it is
        how it goes together with others.
    """

    column: str
    kind: str
    words: str
    t: float
    t_without: float | None
    log10_p: float
    log10_p_without: float | None
    evidence: float
    p_value: float | None = None
    differs: bool = False


@frozen
class Ratios:
    """The learned log ratio f at every event.

    Attributes
    ----------
    reference, batch : ndarray (N_R,) and (n,)
    converged : bool
    ridge : float
        Penalty per unit of data weight.
    """

    reference: Array
    batch: Array
    converged: bool
    ridge: float
