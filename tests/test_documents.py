"""The documents: every link leads to a file and a heading that exist; the README is short; the list
of changes has a section for each version.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

import edge
from edge.service.release_version import require_not_older
from tests.support.cli_process import ROOT

FOLDERS = ("edge", "convert", "training", "models", "systemd", "tests", ".github")
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for path in (ROOT / "README.md", *(p for f in FOLDERS for p in (ROOT / f).rglob("*.md")))
)
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
MAX_README_LINES = 240


def _without_code(text: str) -> str:
    """Return `text` without fenced blocks and inline code, where nothing is a link."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "code", text)


def _links(document: Path) -> Iterator[str]:
    text = _without_code((ROOT / document).read_text(encoding="utf-8"))
    for target in LINK.findall(text.replace("\n", " ")):
        if not re.match(r"[a-z]+:", target):
            yield unquote(target)


def _anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub makes of a document's headings.

    The rule: letters become lower case, spaces become hyphens, and all other characters except
    digits, hyphens and underscores are dropped (github.com/gjtorikian/html-pipeline,
    TableOfContentsFilter).
    """
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.S | re.M)
    anchors: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.*?) *$", text, re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower().replace(" ", "-")
        slug = "".join(c for c in plain if c in "-_" or unicodedata.category(c)[0] in "LN")
        number, name = 0, slug
        while name in anchors:
            number += 1
            name = f"{slug}-{number}"
        anchors.add(name)
    return anchors


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_to_files_and_headings(document: Path) -> None:
    broken = []
    for target in _links(document):
        name, _, anchor = target.partition("#")
        path = (ROOT / document).parent / name if name else ROOT / document
        if not path.exists() or (anchor and anchor not in _anchors(path)):
            broken.append(target)
    assert broken == []


def test_there_are_links_to_check() -> None:
    assert sum(len(list(_links(document))) for document in DOCUMENTS) > 50


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MAX_README_LINES


def test_each_version_has_a_section_in_the_list_of_changes() -> None:
    text = (ROOT / ".github" / "CHANGELOG.md").read_text(encoding="utf-8")
    unreleased, *versions = re.findall(r"(?m)^## (.+)$", text)
    assert unreleased == "Unreleased"
    assert versions[0] == edge.__version__
    for newer, older in itertools.pairwise(versions):
        assert newer != older
        require_not_older(newer, older)
    # All versions that this clone knows of.
    log = ["git", "-C", ROOT, "log", "--format=", "--patch", "--", "edge/__init__.py"]
    history = subprocess.run(log, capture_output=True, text=True, check=False).stdout
    assert set(re.findall(r'(?m)^\+__version__ = "(.+)"$', history)) <= set(versions)


def test_version_is_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "edge.__version__"}
