"""Installed releases in a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.service import releases, systemd_unit, update


def installed_releases(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create the releases 1, 2 (current), and 3 in `folder`; make edge.service use this folder.

    The previous release is 1. Returns `folder`.
    """
    for version in ("1", "2", "3"):
        (folder / version).mkdir()
        (folder / version / ".complete").touch()
    (folder / "current").symlink_to("2")
    (folder / "previous").symlink_to("1")
    for module in (releases, systemd_unit):
        monkeypatch.setattr(module, "RELEASES", folder)
    linked_release = systemd_unit.linked_release
    for user in (releases, update):
        monkeypatch.setattr(user, "linked_release", lambda name: linked_release(name, folder))
    monkeypatch.setattr(releases, "LOCK", folder / ".lock")
    monkeypatch.setattr(releases, "TRIAL", folder / "trial")
    return folder
