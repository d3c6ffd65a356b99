"""Hook of mkdocs: pages of the reference, written from the code at every build.

`commands.md` is made of the click commands, `api.md` of the signatures and numpydoc docstrings of
what `import kstest` offers, `gallery.md` and its pictures by `gallery.py`, kept in `build/gallery`
until the package changes. None of them is a file of this folder. Pages that `mkdocs.yml` does not
name are put under "Guides".
"""

from __future__ import annotations

import hashlib
import html
import importlib.util
import inspect
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

GUIDES = "Guides"
ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "build" / "gallery"
# Sections of names with types.
FIELDS = ("Parameters", "Other Parameters", "Returns", "Raises", "Attributes", "Yields", "Warns")
SHIM = "https://unpkg.com/iframe-worker/shim"  # what the theme loads, in place of `worker.js`


def on_config(config: Any) -> Any:
    """Give every page of the folder a place in the navigation."""
    named = str(config.nav)
    folder = Path(config.docs_dir)
    more = [page.name for page in sorted(folder.glob("*.md")) if f"'{page.name}'" not in named]
    (guides,) = (entry[GUIDES] for entry in config.nav if GUIDES in entry)
    guides.extend(name for name in more if name not in guides)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of the reference."""
    from mkdocs.structure.files import File

    for name, text in (("commands.md", commands()), ("api.md", api())):
        files.append(File.generated(config, name, content=text))
    gallery = _gallery()
    files.append(File.generated(config, "gallery.md", content=gallery.page("gallery/")))
    for entry in gallery.ENTRIES:
        path = str(PICTURES / entry.file)
        files.append(File.generated(config, f"gallery/{entry.file}", abs_src_path=path))
    return files


def _gallery() -> Any:
    """The module `gallery`, after it has drawn what is not yet there."""
    specification = importlib.util.spec_from_file_location(
        "gallery", Path(__file__).parent / "gallery.py"
    )
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["gallery"] = module  # where a class of it looks for its names
    specification.loader.exec_module(module)
    sources = [Path(__file__).parent / "gallery.py", *(ROOT / "kstest").rglob("*.py")]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(sources))).hexdigest()
    stamp = PICTURES / "made-of.txt"
    if not stamp.exists() or stamp.read_text() != digest:
        shutil.rmtree(PICTURES, ignore_errors=True)
        module.draw(module.ENTRIES, PICTURES)
        stamp.write_text(digest)
    return module


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Name files of the source that are no pages, without a link."""
    return re.sub(r"\[([^\]]*)\]\(\.\./[^)]*\)", r"\1", markdown)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Load nothing from elsewhere."""
    return output.replace(SHIM, "worker.js")


def commands() -> str:
    """The page of all commands."""
    from kstest.cli import cli

    lines = [
        "# Command reference",
        "",
        "Made from the commands themselves. `kstest COMMAND -h` shows the options that most "
        "people use, `--help` all of them.",
    ]
    context = click.Context(cli, info_name="kstest")
    for name in cli.list_commands(context):
        lines += _command(cli.get_command(context, name), context, name, 2)
    return "\n".join(lines) + "\n"


def _command(
    command: click.Command | None, parent: click.Context, name: str, level: int
) -> Iterator[str]:
    assert command is not None
    context = click.Context(command, info_name=name, parent=parent)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    text = (command.help or "").replace("\b\n", "")
    yield from ("", f"{'#' * level} {context.command_path}", "", "```text", usage, "```", "")
    yield from _plain(text)
    sections: dict[str, list[tuple[str, str]]] = {}
    for option in command.get_params(context):
        record = option.get_help_record(context)
        if record is not None and isinstance(option, click.Option):
            sections.setdefault(getattr(option, "section", "Options"), []).append(record)
    for section, records in sorted(sections.items(), key=lambda found: found[0] == "Options"):
        yield from ("", f"**{section}**", "")
        for words, said in records:
            yield from (f"`{words}`", f":   {_escaped(said)}", "")
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            yield from _command(command.get_command(context, inner), context, inner, level + 1)


def api() -> str:
    """The page of all functions and classes."""
    import kstest

    lines = [
        "# API reference",
        "",
        "Made from the signatures and docstrings: `help(kstest.mmd)` shows the same. Arguments "
        "that every test has (`columns`, `missing`, `where`, ...) are those of the command line.",
    ]
    for name in kstest.__all__:
        found = getattr(kstest, name)
        if callable(found):
            lines += _object(f"kstest.{name}", found, 2)
            if inspect.isclass(found):
                for method, function in vars(found).items():
                    if inspect.isfunction(function) and method[0] != "_" and function.__doc__:
                        lines += _object(f"{name}.{method}", function, 3)
    import kstest.testing

    lines += _object("kstest.testing.assert_same", kstest.testing.assert_same, 2)
    return "\n".join(lines) + "\n"


def _object(name: str, found: Any, level: int) -> Iterator[str]:
    yield from ("", f"{'#' * level} {name}", "")
    if not inspect.isclass(found):
        yield from ("```python", f"{name}{_signature(found)}", "```", "")
    sections = re.split(r"^([A-Z][\w ]+)\n-{3,}\n", inspect.getdoc(found) or "", flags=re.M)
    yield from _plain(sections[0])
    for title, text in zip(sections[1::2], sections[2::2], strict=True):
        yield from ("", f"**{title}**", "")
        if title == "Examples":
            yield from ("```pycon", text.strip(), "```")
        elif title in FIELDS:
            yield from _fields(text)
        else:
            yield from _plain(text)


def _signature(found: Any) -> str:
    """The names and defaults; types stand with the parameters."""
    signature = inspect.signature(found)
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    words = [str(p) for p in bare]
    shown = str(signature.replace(parameters=bare, return_annotation=signature.empty))
    if len(shown) < 70:
        return shown
    kinds = [p.kind for p in bare]
    if inspect.Parameter.KEYWORD_ONLY in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
        words.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    if inspect.Parameter.POSITIONAL_ONLY in kinds:
        words.insert(kinds.count(inspect.Parameter.POSITIONAL_ONLY), "/")
    return "(\n" + "".join(f"    {word},\n" for word in words) + ")"


def _fields(text: str) -> Iterator[str]:
    """Names with types, and what is indented below them."""
    for part in re.split(r"\n(?=\S)", text.strip()):
        head, _, said = part.partition("\n")
        yield from (f"`{head}`", f":   {_escaped(inspect.cleandoc(said)) or '(see above)'}", "")


def _plain(text: str) -> Iterator[str]:
    """Paragraphs; indented ones, and those after `::`, are code."""
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        if paragraph.startswith("    "):
            yield from ("", "```text", inspect.cleandoc(paragraph), "```", "")
        else:
            yield from ("", _escaped(paragraph).replace("::", ":"), "")


def _escaped(text: str) -> str:
    """Text in which only backquotes mean anything."""
    parts = re.split(r"(``?[^`]+``?)", " ".join(text.split()))
    for k, part in enumerate(parts):
        if not part.startswith("`"):
            parts[k] = re.sub(r"([\\*_\[\]#|])", r"\\\1", html.escape(part, quote=False))
    return "".join(parts)
