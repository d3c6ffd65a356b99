"""Targets: the distributions that a goodness-of-fit test can compare data with.

A `Target` gives the score (gradient of the log density) of rows, and where it can a density, a
sampler and its modes. A test asks for what it needs: the kernel Stein discrepancy for scores
only, so the density never has to be normalised.

=============================  =====================================================
what the user gives            where it is read
=============================  =====================================================
score columns in the data      `scores.paired`
``normal(mean=0, sd=1)``, ...  `language`, then `build` with `families`, `gaussian`
a YAML, TOML or JSON file            `files`, then as above
``poisson(rate=3)``, ...       `language`, then `discrete`, in `cells`: no score, but frequencies
``logp: -0.5*x**2``            `expression`
``fit:gmm:3``, ``fit:kde``     `reference`, from a file of its own
a Python object                `scores.from_object`
functions of Python            `functions`, called as `calls` finds out, derived by `gradients`
=============================  =====================================================

`transforms` maps positive, bounded and circular columns to where Stein's identity holds. Nothing a
user writes is evaluated as Python (`kstest.syntax`), except ``python:module:function``, which has
to be allowed.
"""

from .build import own_columns
from .cells import Cells, joined, on_grid
from .certificate import Certificate, tilted_bound
from .discrete import DISCRETE_NAMES, DiscreteTarget
from .families import FAMILIES
from .functions import Functions
from .resolve import SCORES, chosen_columns, resolve, resolve_discrete, speaks_of_values
from .scores import paired
from .sequence_model import Hidden, LogRatio, SequenceModel, Windows
from .target import Target
from .transforms import Transform

__all__ = [
    "DISCRETE_NAMES",
    "FAMILIES",
    "SCORES",
    "Cells",
    "Certificate",
    "DiscreteTarget",
    "Functions",
    "Hidden",
    "LogRatio",
    "SequenceModel",
    "Target",
    "Transform",
    "Windows",
    "chosen_columns",
    "joined",
    "on_grid",
    "own_columns",
    "paired",
    "resolve",
    "resolve_discrete",
    "speaks_of_values",
    "tilted_bound",
]
