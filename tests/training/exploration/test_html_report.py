"""The HTML report: self-contained and private."""

from __future__ import annotations

import re
from pathlib import Path

import cv2

from tests.support.training.patterns import explore, pattern_folders


def test_page_is_self_contained_and_private(tmp_path: Path) -> None:
    root = pattern_folders(tmp_path / "a & b", {"mask": 30, "no_mask": 30})
    out = tmp_path / "deep" / "out"
    explore(out, root, more=("--classes", "2"))
    page = (out / "report.html").read_text(encoding="utf-8")
    linked = set(re.findall(r'(?:src|href)="([^"]*)"', page))
    files = {path.name for path in out.iterdir()}
    assert linked == files - {"report.html", "explore.json", ".gitignore"}
    assert {"balance.png", "sizes.png", "style.png", "told-by-style.png"} <= linked
    assert "a &amp; b" in page
    assert "do not publish" in page
    assert 'name="viewport"' in page
    assert (out / ".gitignore").read_text() == "*\n"
    for name in linked:
        assert cv2.imread(str(out / name)) is not None
