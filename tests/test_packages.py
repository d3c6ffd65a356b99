"""What ships: metadata, recipes, image, hooks, manual page and completions."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from manual import PAGE, page
from ruamel.yaml import YAML

from kstest.about import __version__

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def yaml(path):
    return YAML(typ="safe").load((ROOT / path).read_text())


def conda():
    text = (ROOT / "recipe" / "meta.yaml").read_text()
    version = re.search(r'set version = "(.*)"', text)
    assert version
    text = re.sub(r"{%.*%}\n", "", text)
    return version[1], YAML(typ="safe").load(re.sub(r"{{ (\w+) }}", r"\1", text))


def test_all_say_the_same_version_and_licence():
    cff = yaml("CITATION.cff")
    version, recipe = conda()
    assert {cff["version"], version, __version__} == {__version__}
    licences = {cff["license"], recipe["about"]["license"], PROJECT["license"]}
    assert licences == {"BSD-3-Clause"}
    assert cff["authors"] == PROJECT["authors"]


def test_the_citation_has_what_its_format_asks_for():
    """Citation File Format 1.2.0; cffconvert --validate says the same where it is installed."""
    cff = yaml("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(cff)
    assert cff["cff-version"] == "1.2.0"
    assert cff["type"] == "software"


def tagged(tag, root):
    script = root / ".ci" / "tagged.py"
    done = subprocess.run([sys.executable, script, tag], capture_output=True, text=True)
    return done.returncode, done.stderr.splitlines()


def test_a_release_is_refused_until_all_say_its_version(tmp_path):
    """What the workflow of a release asks first."""
    for name in (".ci/tagged.py", "kstest/about.py", "CITATION.cff", "recipe/meta.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    changes = tmp_path / "CHANGELOG.md"
    changes.write_text("## [0.0.9] - 2026-01-31\n\n## [Unreleased]\n")
    tag = f"v{__version__}"
    assert tagged(tag, tmp_path) == (1, [f"CHANGELOG.md: has 0.0.9, the tag is {tag}"])
    changes.write_text("## [Unreleased]\n")
    assert tagged(tag, tmp_path) == (1, [f"CHANGELOG.md: has no version, the tag is {tag}"])
    changes.write_text(
        f"## [0.0.9] - 2026-01-31\n\n## [{__version__}] - 2026-11-30\n\n## [Unreleased]\n"
    )
    assert tagged(tag, tmp_path) == (0, [])
    code, lines = tagged("v99.0.0", tmp_path)
    assert (code, len(lines)) == (1, 4)
    for bad in ("1.2", "v1.2.3rc1", "release"):
        assert tagged(bad, tmp_path)[0] == 1


def test_a_release_may_do_no_more_than_it_has_to():
    release = yaml(".github/workflows/release.yml")
    assert release["permissions"] == {}
    wanted = {job: about["permissions"] for job, about in release["jobs"].items()
              if "permissions" in about}  # fmt: skip
    assert wanted == {
        "build": {"contents": "read"},
        "publish": {"id-token": "write"},
        "announce": {"contents": "write"},
    }
    first = next(s["run"] for s in release["jobs"]["build"]["steps"] if "run" in s)
    assert first == 'python3 .ci/tagged.py "$GITHUB_REF_NAME"'
    assert "password" not in str(release["jobs"]["publish"]["steps"])


def test_a_tag_names_the_version():
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("no repository")
    done = subprocess.run([git, "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True,
                          text=True)  # fmt: skip
    tags = re.findall(r"^v(\d.*)$", done.stdout, re.MULTILINE)
    assert set(tags) <= {__version__}


def test_the_changelog_keeps_its_form():
    lines = (ROOT / "CHANGELOG.md").read_text().splitlines()
    versions = [line for line in lines if line.startswith("## ")]
    assert versions[-1] == "## [Unreleased]"
    for line in versions[:-1]:
        assert re.fullmatch(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", line)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert {line[4:] for line in lines if line.startswith("### ")} <= kinds


def test_conda_asks_for_what_pip_does():
    _, recipe = conda()
    wanted = {d.replace(">=", " >=") for d in PROJECT["dependencies"]}
    python = f"python {PROJECT['requires-python']}"
    assert set(recipe["requirements"]["run"]) == {*wanted, python}
    ((name, called),) = PROJECT["scripts"].items()
    assert recipe["build"]["entry_points"] == [f"{name} = {called}"]


def test_the_hook_is_one():
    (hook,) = yaml(".pre-commit-hooks.yaml")
    assert {"id", "name", "entry", "language"} <= set(hook)
    assert hook["language"] == "python"
    assert hook["pass_filenames"] is False
    for path, meant in (("a/b.csv", True), ("kstest.toml", True), ("notes.txt", False)):
        assert bool(re.search(hook["files"], path)) is meant


def test_the_image_compiles_as_root_and_runs_as_somebody_else():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    words = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    kinds = [kind for kind, _ in words]
    assert kinds.index("USER") > max(k for k, kind in enumerate(kinds) if kind == "RUN")
    assert dict(words)["USER"] not in ("0", "root")
    assert dict(words)["ENTRYPOINT"] == '["kstest"]'
    cache = re.search(r"KSTEST_CACHE_DIR=(\S+)", dict(words)["ENV"])
    assert cache
    assert f"kstest warmup --shared {cache[1]}" in "\n".join(lines)
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    for path in ("pyproject.toml", "README.md", "LICENSE", "kstest", "share"):
        assert f"!{path}" in sent
        assert (ROOT / path).exists()


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="no hadolint here")
def test_hadolint_finds_nothing_in_the_dockerfile():
    subprocess.run(["hadolint", ROOT / "Dockerfile"], check=True)


def test_the_manual_page_is_that_of_the_help():
    """After a change: python3 -m tests.manual."""
    assert PAGE.read_text() == page()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_completion_of_bash_completes_commands(tmp_path):
    script = ROOT / "share" / "bash-completion" / "completions" / "kstest"
    tool = tmp_path / "kstest"
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kstest "$@"\n')
    tool.chmod(0o755)
    ask = (
        f'export PATH="{tmp_path}:$PATH"; source "{script}"; COMP_WORDS=(kstest hs); COMP_CWORD=1; '
        '_kstest_completion kstest; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout == "hsic\n"


@pytest.mark.parametrize(
    ("line", "items"),
    [
        ("kstest mmd a.csv --columns ", ["plain,speed", "plain,lag"]),
        ("kstest mmd no.csv 'a*.csv' --columns speed,l", ["plain,speed,lag"]),
        ("kstest hsic a.csv --x sp", ["plain,speed"]),
        ("kstest ks a.csv --missing d", ["plain,drop"]),
        ("kstest mmd a", ["file,a"]),
        ("kstest dqm check a.c", ["file,a.c"]),
        ("kstest thin a.csv --plot w", ["file,w"]),
    ],
)
def test_files_columns_and_choices_are_completed(line, items, tmp_path, monkeypatch, capsys):
    from kstest.cli import run

    (tmp_path / "a.csv").write_text("speed,lag,two words\n1,2,3\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - (line[-1] != " ")))
    monkeypatch.setenv("_KSTEST_COMPLETE", "bash_complete")
    assert run([]) == 0
    assert capsys.readouterr().out.split("\n")[: len(items)] == items


def test_completions_are_those_that_the_command_prints():
    share = ROOT / "share"
    for shell, path in (
        ("zsh", "zsh/site-functions/_kstest"),
        ("fish", "fish/vendor_completions.d/kstest.fish"),
    ):
        assert f"_KSTEST_COMPLETE={shell}_complete" in (share / path).read_text()
