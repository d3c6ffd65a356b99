"""Diagnostics: what may be wrong with data, whatever the test.

`dependence` looks for rows that are like their neighbours, `chains` at rows of samplers, `tracks`
for columns that tell two files apart by themselves, `missing` for cells and weights that differ
between samples; `digests` are numbers for rows. All of it looks at values and reads no file.
"""
