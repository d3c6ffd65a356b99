"""What the test rests on, as BibTeX."""

REFERENCES = """\
@article{letizia2022learning,
  title   = {Learning New Physics Efficiently with Nonparametric Methods},
  author  = {Letizia, Marco and Losapio, Gianvito and Rando, Marco and Grosso, Gaia and
             Wulzer, Andrea and Pierini, Maurizio and Zanetti, Marco and Rosasco, Lorenzo},
  journal = {The European Physical Journal C},
  volume  = {82}, pages = {879}, year = {2022}, note = {arXiv:2204.02317}
}
@article{grosso2023fast,
  title   = {Fast Kernel Methods for Data Quality Monitoring as a Goodness-of-Fit Test},
  author  = {Grosso, Gaia and Lai, Nicol{\\`o} and Letizia, Marco and Pazzini, Jacopo and
             Rando, Marco and Rosasco, Lorenzo and Wulzer, Andrea and Zanetti, Marco},
  journal = {Machine Learning: Science and Technology},
  volume  = {4}, pages = {035029}, year = {2023}, note = {arXiv:2303.05413}
}
@misc{grosso2024multiple,
  title  = {Multiple Testing for Signal-Agnostic Searches of New Physics with Machine Learning},
  author = {Grosso, Gaia and Letizia, Marco},
  year   = {2024}, note = {arXiv:2408.12296}
}
@article{lugannani1980saddle,
  title   = {Saddle Point Approximation for the Distribution of the Sum of Independent Random
             Variables},
  author  = {Lugannani, Robert and Rice, Stephen},
  journal = {Advances in Applied Probability},
  volume  = {12}, number = {2}, pages = {475--490}, year = {1980}
}
"""
