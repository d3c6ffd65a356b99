"""The tests, one module each; what several of them share lies beside them in folders.

Every module of a test has the same few names: `SAMPLES` (the roles of its inputs), `EXAMPLE`,
`REFERENCES` (BibTeX), `Params` and `run`. `kstest.registry` lists them with a summary each. The
folders: `two_samples`, `dependence`, `stein`, `sequence`, `stream`; `common`, `describe` and
`distribution` serve all.
"""
