"""Saving to the daemon's configuration: what is told, and what becomes of the file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from edge.config import load_settings
from edge.web.local_camera import LocalCamera

ZONE = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9)]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "door.toml"
    path.write_text(f'[camera]\npreview = true\npreview_socket = "{tmp_path}/eye"\n')
    path.chmod(0o640)
    return path


def test_what_is_saved_while_the_daemon_is_away_counts_as_saved(config: Path) -> None:
    why = LocalCamera(load_settings(config), config).save(ZONE, 0.2)
    assert "the daemon does not answer" in why
    assert [list(corner) for corner in load_settings(config).camera.zone] == [
        list(corner) for corner in ZONE
    ]


def test_a_link_stays_a_link_and_the_rights_are_kept(config: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(config, 1000, 1000)
    before = config.stat()
    link = tmp_path / "link.toml"
    link.symlink_to(config)
    LocalCamera(load_settings(link), link).save(ZONE, None)
    assert link.is_symlink()
    after = config.stat()
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert "zone" in config.read_text()
