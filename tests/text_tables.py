"""Sixty small text tables, three of each of twenty conventions, and what they hold.

Every file is made of the same numbers, so that what is read can be held against them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

ROWS = 24


@dataclass(frozen=True)
class File:
    """A file, its columns and values, and the option that it takes (none: it reads as it is)."""

    name: str
    text: str
    columns: tuple[str, ...]
    values: np.ndarray
    needs: tuple[str, ...] = ()
    texts: dict[str, list[str]] = field(default_factory=dict)


def draws(columns: int = 2, digits: int = 2, at: float = 0.0, scale: float = 3.0) -> np.ndarray:
    return np.random.default_rng(8).normal(at, scale, (ROWS, columns)).round(digits)


def lines(rows, join=",", form="{}") -> str:
    return "".join(join.join(form.format(x) for x in row) + "\n" for row in rows)


X = draws()
Y = draws(3)
COMMA = lines(X, ";").replace(".", ",")


def blanks() -> Iterator[File]:
    yield File("single", f"x y\n{lines(X, ' ')}", ("x", "y"), X)
    yield File("aligned", f"{'x':>9}{'y':>9}\n" + lines(X, "", "{:9.2f}"), ("x", "y"), X)
    mixed = "".join(f"  {a}\t {b}   {c}  \r\n" for a, b, c in Y)
    yield File("mixed", f"x  y z\r\n{mixed}", ("x", "y", "z"), Y)


def titles() -> Iterator[File]:
    yield File("one", f"Station 7\nx,y\n{lines(X)}", ("x", "y"), X)
    yield File("notes", f"Made: today\nBy,hand\n\nx,y,z\n{lines(Y)}", ("x", "y", "z"), Y)
    wide = f"Report, of, all\nx,y\n{lines(X)}"
    yield File("wide", wide, ("x", "y"), X, ("--header-row", "2"))


def headers() -> Iterator[File]:
    both = f"air,air\nmin,max\n{lines(X)}"
    yield File("two", both, ("air_min", "air_max"), X, ("--header-row", "1-2"))
    spread = f"air,,sea\nmin,max,mean\n{lines(Y)}"
    names = ("air_min", "air_max", "sea_mean")
    yield File("spread", spread, names, Y, ("--header-row", "1-2"))
    three = f"a;a\nlow;high\nfirst;last\n{lines(X, ';')}"
    yield File("three", three, ("a_low_first", "a_high_last"), X, ("--header-row", "1-3"))


def units() -> Iterator[File]:
    yield File("plain", f"t,p\ndegC,hPa\n{lines(X)}", ("t", "p"), X)
    yield File("brackets", f"t;p\n[K];(W m-2)\n{lines(X, ';')}", ("t", "p"), X)
    yield File("words", f"t,p\nwarmth,pressing\n{lines(X)}", ("t", "p"), X, ("--units-row",))


def variants() -> Iterator[File]:
    notes = "##fileformat=VCFv4.2\n##source=x\n"
    yield File("notes", f"{notes}#POS\tQUAL\n{lines(X, chr(9))}", ("POS", "QUAL"), X)
    words = "".join(f"chr{k % 2}\t{a}\n" for k, a in enumerate(X[:, 0]))
    texts = {"CHROM": [f"chr{k % 2}" for k in range(ROWS)]}
    yield File("words", f"{notes}#CHROM\tPOS\n{words}", ("POS",), X[:, :1], (), texts)
    yield File("bare", f"#x,y\n{lines(X)}", ("x", "y"), X)


def savetxt() -> Iterator[File]:
    yield File("blanks", f"# x y\n{lines(X, ' ', '{:.18e}')}", ("x", "y"), X)
    yield File("commas", f"# x, y\n{lines(X)}", ("x", "y"), X)
    yield File("notes", f"# made by me\n# x\n{lines(X[:, :1])}", ("x",), X[:, :1])


def ecsv() -> Iterator[File]:
    top = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: x, datatype: float64}\n"
    yield File("blanks", f"{top}# schema: astropy-2.0\nx y\n{lines(X, ' ')}", ("x", "y"), X)
    yield File("commas", f"{top}# delimiter: ','\nx,y\n{lines(X)}", ("x", "y"), X)
    words = "".join(f'{a} "a b"\n' for a in X[:, 0])
    texts = {"c": ["a b"] * ROWS}
    yield File("quotes", f"{top}x c\n{words}", ("x",), X[:, :1], (), texts)


def loggers() -> Iterator[File]:
    top = '"TOA5","st","CR1000","1","std","prog","2","Tab"\n'
    four = f'{top}"t","p"\n"degC","hPa"\n"Avg","Smp"\n'
    yield File("four", four + lines(X), ("t", "p"), X)
    odd = f'{top}"t","p"\n"warm",""\n"",""\n'
    yield File("odd units", odd + lines(X), ("t", "p"), X)
    holes = lines(X[1:]).replace("\n", "\r\n")
    values = np.vstack([[np.nan, X[0, 1]], X[1:]])
    yield File("holes", f'{four}"NAN",{X[0, 1]}\r\n{holes}', ("t", "p"), values)


def sextractor() -> Iterator[File]:
    top = "#   1 MAG_AUTO   Kron-like magnitude   [mag]\n#   2 FLUX   Flux\n"
    body = lines(X, "", "{:11.2f}")
    yield File("two", top + body, ("MAG_AUTO", "FLUX"), X)
    body = lines(Y, "", "{:11.2f}")
    yield File("vector", top + body, ("MAG_AUTO", "FLUX", "FLUX_1"), Y)
    yield File(
        "three", f"{top}#   3 FLAG   Extraction flags\n{body}", ("MAG_AUTO", "FLUX", "FLAG"), Y
    )


def table_of_r() -> Iterator[File]:
    quoted = "".join(f'"{k + 1}" {a} {b}\n' for k, (a, b) in enumerate(X))
    yield File("quoted", f'"x" "y"\n{quoted}', ("x", "y"), X)
    named = "".join(f"Mazda {k}\t{a}\t{b}\n" for k, (a, b) in enumerate(X))
    yield File("words", f"x\ty\n{named}", ("x", "y"), X)
    shuffled = "".join(f"{(k * 7) % ROWS},{a},{b}\n" for k, (a, b) in enumerate(X))
    yield File("numbers", f"x,y\n{shuffled}", ("x", "y"), X, ("--row-names",))


def indexes() -> Iterator[File]:
    counted = "".join(f"{k},{a},{b}\n" for k, (a, b) in enumerate(X))
    yield File("pandas", f",x,y\n{counted}", ("x", "y"), X)
    quoted = "".join(f'"{k + 1}",{a},{b}\n' for k, (a, b) in enumerate(X))
    yield File("R", f'"","x","y"\n{quoted}', ("x", "y"), X)
    named = "".join(f"n{k};{a};{b}\n" for k, (a, b) in enumerate(X))
    yield File("words", f";x;y\n{named}", ("x", "y"), X)


def trailing() -> Iterator[File]:
    yield File("rows", f"x,y\n{lines(X).replace(chr(10), ',' + chr(10))}", ("x", "y"), X)
    both = lines(X, ";").replace("\n", ";;\n")
    yield File("columns", f"x;y;;\n{both}", ("x", "y"), X)
    yield File("header", f"x\ty\t\n{lines(X, chr(9))}", ("x", "y"), X)


def separators() -> Iterator[File]:
    yield File("semicolon", f"sep=;\nx;y\n{lines(X, ';')}", ("x", "y"), X)
    yield File("comma", f'"sep=,"\r\n"x;1","y"\r\n{lines(X)}', ("x;1", "y"), X)
    yield File("bar", f"\ufeffSEP=|\nx|y\n{lines(X, '|')}", ("x", "y"), X)


def quoted_commas() -> Iterator[File]:
    rows = "".join(f'"{a}","{b}"\n'.replace(".", ",") for a, b in X)
    yield File("all", f"x,y\n{rows}", ("x", "y"), X)
    whole = np.column_stack([X[:, 0], np.arange(ROWS)])
    rows = "".join(f'"{a}";{k:.0f}\n'.replace(".", ",").replace(";", ",") for a, k in whole)
    yield File("one", f"x,n\n{rows}", ("x", "n"), whole)
    three = draws(1, 3, at=5.0, scale=0.5)  # 4,971: thousands or a fraction?
    rows = "".join(f'"{a:.3f}"\n'.replace(".", ",") for (a,) in three)
    yield File("either", f"x\n{rows}", ("x",), three, ("--decimal", ","))


def decimal_commas() -> Iterator[File]:
    yield File("semicolon", f"x;y\n{COMMA}", ("x", "y"), X)
    yield File("tab", f"\ufeffx\ty\n{COMMA.replace(';', chr(9))}", ("x", "y"), X)
    yield File("blanks", f"x y\n{COMMA.replace(';', '  ')}", ("x", "y"), X)


def thousands() -> Iterator[File]:
    money = draws(2, 2, 5e4, 3e4)
    english = "".join(",".join(f'"{a:,.2f}"' for a in row) + "\n" for row in money)
    yield File("english", f"x,y\n{english}", ("x", "y"), money)
    swap = str.maketrans(",.", ".,")
    german = "".join(";".join(f"{a:,.2f}".translate(swap) for a in row) + "\n" for row in money)
    yield File("german", f"x;y\n{german}", ("x", "y"), money)
    swiss = lines(money, ";", "{:_.2f}").replace("_", "'")
    yield File("swiss", f"x;y\n{swiss}", ("x", "y"), money)


def duplicates() -> Iterator[File]:
    yield File("two", f"x,x\n{lines(X)}", ("x (column 1)",), X[:, :1], ("--exclude", "2"))
    yield File(
        "of three", f"x,y,x\n{lines(Y)}", ("x (column 1)", "y"), Y[:, :2], ("--exclude", "3")
    )
    named = ("a (column 1)", "b")
    yield File("behind", f"# a b a\n{lines(Y, ' ')}", named, Y[:, :2], ("--exclude", "3"))


def indexed() -> Iterator[File]:
    yield File("quoted", f'"b[1,1]","b[1,2]"\n{lines(X)}', ("b[1,1]", "b[1,2]"), X)
    yield File("bare", f"b[1,1],b[1,2]\n{lines(X)}", ("b[1,1]", "b[1,2]"), X)
    yield File("points", f"theta.1,theta.2\n{lines(X)}", ("theta.1", "theta.2"), X)


def sampled() -> Iterator[File]:
    top = "# model = m\n# method = sample\nlp__,accept_stat__,theta.1,theta.2\n"
    rows = "".join(f"-7.{k},0.9,{a},{b}\n" for k, (a, b) in enumerate(X)).splitlines(True)
    middle = "# Adaptation terminated\n# Step size = 0.9\n# Diagonal:\n# 0.5, 1.0\n"
    names = ("theta.1", "theta.2")
    yield File("adapted", top + middle + "".join(rows), names, X)
    end = "# \n#  Elapsed Time: 0.01 seconds (Warm-up)\n#\n"
    yield File("timed", top + middle + "".join(rows) + end, names, X)
    cut = ROWS // 2
    halves = top + "".join(rows[:cut]) + middle + "".join(rows[cut:])
    yield File("halves", halves, names, X)


def others() -> Iterator[File]:
    yield File("bars", f"x|y\n{lines(X, '|')}", ("x", "y"), X)
    yield File("percent", f"% made by a program\n% x y\n{lines(X, ' ')}", ("x", "y"), X)
    yield File("bare", lines(X), ("1", "2"), X, ("--no-header",))


CONVENTIONS = (
    blanks, titles, headers, units, variants, savetxt, ecsv, loggers, sextractor, table_of_r,
    indexes, trailing, separators, quoted_commas, decimal_commas, thousands, duplicates, indexed,
    sampled, others,
)  # fmt: skip
FILES = {f"{make.__name__}: {file.name}": file for make in CONVENTIONS for file in make()}
