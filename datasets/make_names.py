"""Write the list of names and the model of names in this folder from the census list.

    python3 datasets/make_names.py census_female_names.txt

The list holds a name per line, by falling frequency. The first, third, ... give the model: counts
of each letter after each letter, of the first letter and of the end, one half added to each (but no
empty name). The second, fourth, ... are `female_names.txt`, which the model has not seen.
"""

import csv
import sys
from pathlib import Path

import numpy as np

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def main(path):
    names = Path(path).read_text().split()
    folder = Path(__file__).parent
    (folder / "female_names.txt").write_text("\n".join(names[1::2]) + "\n")
    counts = np.full((27, 27), 0.5)  # the first row is the beginning, the last column the end
    for name in names[::2]:
        codes = [LETTERS.index(letter) for letter in name]
        for before, after in zip([0, *(c + 1 for c in codes)], [*codes, 26], strict=True):
            counts[before, after] += 1
    counts[0, 26] = 0
    table = counts / counts.sum(axis=1, keepdims=True)
    with open(folder / "female_markov1_model.csv", "w", newline="") as stream:
        out = csv.writer(stream, lineterminator="\n")
        out.writerow(["", *LETTERS, "$"])
        for label, row in zip("^" + LETTERS, table, strict=True):
            out.writerow([label, *(f"{p:.17g}" for p in row)])


if __name__ == "__main__":
    main(sys.argv[1])
