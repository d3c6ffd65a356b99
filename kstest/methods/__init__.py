"""The tests, one module each.

Every module has the same few names: `SAMPLES` (the roles of its inputs), `EXAMPLE`,
`REFERENCES` (BibTeX), `Params` and `run`. `kstest.registry` lists them with a summary each.
"""
