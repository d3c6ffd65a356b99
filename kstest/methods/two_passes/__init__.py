"""Tests of rows that nobody keeps: what all of them share.

The first pass counts rows and draws a few of them by their number (`sketch`). These are spent: they
give units, bandwidths, cells and landmarks, and are left out of the second pass, which adds up sums
by bin (`spans`). A test brings the sums, and the test that is made of them: `two_samples.streamed`
for `mmd`, `two_samples.streamed_columns` for `ks`, `stein.streamed` for `ksd`,
`dependence.streamed` for `hsic`, `sequence.streamed` for `seqksd`, which spends nothing.
"""
