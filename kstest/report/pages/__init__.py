"""Pages: one file of HTML each, which needs nothing else: no network, styles and script inside.

The templates of this folder are filled by Jinja, an optional extra that is imported only when a
page is made. It escapes whatever comes from outside, `printable` shows control characters, and a
policy in the page forbids browsers to load anything or to run another script, whatever happens.
"""

from __future__ import annotations

import base64
import hashlib
import os.path
from functools import cache
from typing import TYPE_CHECKING, Any

from ...errors import UsageError, printable

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = os.path.dirname(__file__)
# Characters of a text, and of a cell of a table.
LONGEST, SHORT = 2000, 400


def require() -> None:
    """Refuse to begin where the library is missing, before anything is computed.

    Raises
    ------
    UsageError
    """
    try:
        import jinja2  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"html: pages are made by jinja2, which cannot be imported ({error}); install it with: "
            "python3 -m pip install 'kstest[html]'"
        ) from None


def rendered(template: str, **values: Any) -> str:
    """Fill a template of this folder.

    Parameters
    ----------
    template : str
    **values
        What it names. Strings are text and never markup, except for those made by `markup`.

    Raises
    ------
    UsageError
        Without the library.
    """
    require()
    text: str = _environment().get_template(template).render(**values)
    return text.rstrip("\n") + "\n"


def markup(text: str) -> Any:
    """Markup of our own, such as a drawing, that is not escaped again."""
    require()
    from markupsafe import Markup

    return Markup(text)


def _beside(name: str) -> str:
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = _beside("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    made.globals |= {
        "style": markup(_beside("style.css")),
        "script": markup(script),
        "policy": f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
    }
    made.filters["short"] = lambda value: cut(value, SHORT)
    return made


def cut(value: Any, longest: int) -> Any:
    """Cut long text, which a file may hold."""
    if isinstance(value, str) and not hasattr(value, "__html__") and len(value) > longest:
        return value[:longest] + "…"
    return value


def _text(value: Any) -> Any:
    """What is printed of a value: control characters are shown, long text is cut."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return cut(printable(value), LONGEST)
    return value
