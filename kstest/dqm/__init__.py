"""Data quality monitoring: is this batch of events what good events look like?

`calibrate` learns from a reference and a pool of good events what the statistic of
`kstest.likelihood_ratio` is when nothing is wrong, and writes a calibration; `check` judges
batches by it; `explain` says what drives an alarm; `selftest` shows that the calibration can raise
one. `alarms` and `online` turn the p-values of many batches into alarms.

::

    reference, pool -> calibrate -> calibration file -> check   -> one Result per batch -> alarms
                                                     -> explain -> Result with picture
                                                     -> selftest
"""
