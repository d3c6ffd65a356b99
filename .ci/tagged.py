"""Refuse a tag that is not the version of the package, its citation, its recipe and its changes.

Run as ``python3 .ci/tagged.py v1.2.3``, with nothing installed, by the workflow of a release.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

# Where a version stands; of the changelog the last one that has a day.
PLACES = {
    "kstest/about.py": r'^__version__ = "(.*)"$',
    "CITATION.cff": r"^version: (.*)$",
    "recipe/meta.yaml": r'^{% set version = "(.*)" %}$',
    "CHANGELOG.md": r"^## \[(\d.*)\] - \d{4}-\d\d-\d\d$",
}


def disagreements(tag: str, root: Path) -> list[str]:
    """Say where another version stands than that of the tag."""
    if not re.fullmatch(r"v\d+\.\d+\.\d+", tag):
        return [f"{tag}: a release is called v and three numbers, such as v1.2.3"]
    found = {
        name: re.findall(pattern, (root / name).read_text(encoding="utf-8"), re.MULTILINE)[-1:]
        for name, pattern in PLACES.items()
    }
    return [
        f"{name}: has {versions[0] if versions else 'no version'}, the tag is {tag}"
        for name, versions in found.items()
        if versions != [tag[1:]]
    ]


if __name__ == "__main__":
    sys.exit("\n".join(disagreements(sys.argv[1], Path(__file__).parent.parent)) or None)
