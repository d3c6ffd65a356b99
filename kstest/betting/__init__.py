"""Betting: evidence that may be looked at after every row.

A p-value is made for one look. Here the evidence is a wealth: a game that is fair, or worse, if the
null hypothesis holds, so that its wealth, starting from 1, exceeds 1/alpha at any time with
probability at most alpha (Ville 1939). One may look always and stop when one likes::

      rows, in order of time        factors with mean <= 1 under H0      wealth of every expert
    +---+---+---+---+---+---+             +----+----+----+
    |   block   |   block   | ...  ---->  | E1 | E2 | E3 |  ----->      K = mean over experts
    +---+---+---+---+---+---+             +----+----+----+                    of E1 E2 E3 ...

- `features` turns rows into points on circles, whose means are characteristic functions; `blocks`
  bets on how the rows of a block are paired (independence), by the witness learned before it;
  `guard` bets that rows depend on their place, which would make such bets unfair.
- `lagged` asks whether dependence goes with the row or with the time.
- `payoffs`, `bets` and `symmetric` are the published test of pairs of rows (SKIT).
- `starts` keeps a wealth awake: the exact mixture over all rounds at which a bet may begin.
- `wealth` keeps the evidence: experts, running maximum, the row where the level was crossed.
- `packing` turns any state into a header that JSON can hold and named arrays, and back, to the bit.
- `loops` and `pair_loops` are the compiled loops.

States are frozen dataclasses; a step takes one and returns another. Everything random comes from
the stream's seed and the number of the block, and sums run in row order: a thousand rows at once or
in ten pieces give the same wealth to the last bit.

References: Shafer (2021), JRSS A 184; Ramdas, Gruenwald, Vovk, Shafer (2023), Statistical Science
38; Podkopaev, Bloebaum, Kasiviswanathan, Ramdas (2023), arXiv 2212.07383; Koning (2023), arXiv
2310.01153.
"""

# Rows that a test takes at a time: what is in memory does not depend on how long a chunk is.
STEP_ROWS = 1 << 14
