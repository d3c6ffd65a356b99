"""The site of the manual: built without a warning, whole, without network, and readable on a phone.

Skipped where mkdocs is absent: `pip install 'kstest[docs]'`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import pytest
from chromium import BROWSER, FAINT, tab

ROOT = Path(__file__).parent.parent

SEARCH = """
    document.querySelector("#__search").click();
    const field = document.querySelector("[data-md-component=search-query]");
    field.focus();
    field.value = "permutation";
    field.dispatchEvent(new Event("keyup"));
"""
FOUND = "document.querySelectorAll('.md-search-result__link').length"

pytestmark = pytest.mark.skipif(find_spec("material") is None, reason="no mkdocs-material here")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


class Links(HTMLParser):
    """What a page loads, what it leads to, and its anchors."""

    def __init__(self, page):
        super().__init__()
        self.loads, self.leads, self.anchors = [], [], set()
        self.feed(page.read_text())

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors.add(found.get("id"))
        if tag == "a":
            self.leads.append(found.get("href"))
        elif tag == "link" and found.get("rel") in ("canonical", "prev", "next"):
            pass
        elif tag in ("link", "script", "img", "iframe"):
            self.loads.append(found.get("href") or found.get("src"))


def test_nothing_is_loaded_from_elsewhere_and_no_link_is_broken(site):
    pages = {page: Links(page) for page in site.rglob("*.html") if page.name != "404.html"}
    assert len(pages) >= 25
    for page, links in pages.items():
        for target in filter(None, links.loads):
            assert not re.match(r"(https?:)?//", target), f"{page.name}: {target}"
            assert (page.parent / target.partition("?")[0]).is_file(), f"{page.name}: {target}"
        for target in filter(None, links.leads):
            if re.match(r"https?://|javascript:", target):
                continue
            name, _, anchor = target.partition("#")
            there = (page.parent / name).resolve() if name else page
            assert there in pages, f"{page.name}: {target}"
            assert not anchor or anchor in pages[there].anchors, f"{page.name}: {target}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", sheet.read_text()), sheet.name


def test_reference_has_every_command_option_and_function(site):
    import click

    import kstest
    from kstest.cli import cli

    text = (site / "commands.html").read_text()
    context = click.Context(cli, info_name="kstest")
    for name in cli.list_commands(context):
        assert f">kstest {name}<" in text
        for option in cli.get_command(context, name).params:
            assert isinstance(option, click.Argument) or option.hidden or option.opts[0] in text
    text = (site / "api.html").read_text()
    for name in filter(lambda name: callable(getattr(kstest, name)), kstest.__all__):
        assert f'id="kstest{name.lower()}"' in text, name


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")
def test_pages_fit_a_phone_and_say_nothing_to_the_console(site):
    names = (
        "index",
        "which-test",
        "two-samples",
        "right",
        "commands",
        "api",
        "faq",
        "batches",
        "gallery",
    )
    with tab() as browser:
        for name in names:
            browser.open(site / f"{name}.html", width=380, height=800)
            width = browser.evaluate("document.documentElement.scrollWidth")
            assert width <= 380, f"{name}: {width} px"
            assert browser.evaluate(FAINT) == {}, name
            browser.open(site / f"{name}.html", scheme="dark")
            assert browser.evaluate("document.body.dataset.mdColorScheme") == "slate"
            assert browser.evaluate(FAINT) == {}, name
        browser.open(site / "index.html", scheme="dark")
        browser.evaluate(SEARCH)
        until = time.monotonic() + 30
        while not (found := browser.evaluate(FOUND)) and time.monotonic() < until:
            time.sleep(0.1)
        assert found
        assert browser.evaluate("document.body.dataset.mdColorScheme") == "slate"
        assert not browser.said
