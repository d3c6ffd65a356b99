"""A private sketch of a reference, which may leave where its rows may not, and tests against it.

::

    rows -- units (declared) --> features (integers) -- sum, discrete noise --> Sketch -- JSON
                                                                 ledger: what was spent
    Sketch, batch -- against --> Result

`features` maps a row, by itself, to whole numbers of a bounded length; `discrete` draws the noise;
`accounting` says what it protects; `ledger` adds up releases; `release` puts them together;
`against` tests a batch. Experimental: nobody outside has reviewed it.
"""
