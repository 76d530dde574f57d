"""The file of the Camera page: what is saved, and how its values replace those of the settings."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.config.settings import load_settings
from edge.daemon.camera_file import MAX_CORNERS, MAX_EXCLUDED, CameraFile, Drawing

ZONE = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))
OTHER_ZONE = ((0.2, 0.2), (0.9, 0.1), (0.9, 0.9))
POSTER = (0.4, 0.4, 0.2, 0.1)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The settings file, in a folder to which nobody may write."""
    path = tmp_path / "etc" / "door.toml"
    path.parent.mkdir()
    path.write_text(f"[camera]\nzone = {[list(corner) for corner in ZONE]}\n")
    return path


@pytest.fixture
def camera_file(tmp_path: Path, config: Path) -> CameraFile:
    return CameraFile(tmp_path / "state" / "camera.toml", config)


def test_saved_values_replace_the_settings(camera_file: CameraFile, config: Path) -> None:
    before = config.read_text()
    drawing = Drawing(zone=OTHER_ZONE, excluded=(POSTER,), min_face=0.2, rotate=90, mirror=True)
    saved = camera_file.save(drawing)
    assert Drawing.of(saved) == drawing
    assert camera_file.load() == saved
    # Values that are not given stay as they were saved.
    camera_file.save(Drawing(zone=()))
    assert Drawing.of(camera_file.load()) == Drawing(
        zone=(), excluded=(POSTER,), min_face=0.2, rotate=90, mirror=True
    )
    assert config.read_text() == before
    assert [path.name for path in config.parent.iterdir()] == [config.name]
    assert [path.name for path in camera_file.path.parent.iterdir()] == ["camera.toml"]


@pytest.mark.parametrize(
    "drawing", [Drawing(zone=OTHER_ZONE), Drawing(zone=ZONE, excluded=(POSTER,))]
)
def test_zone_that_was_drawn_in_a_picture_turned_otherwise_is_warned_of(
    camera_file: CameraFile, config: Path, drawing: Drawing, caplog: pytest.LogCaptureFixture
) -> None:
    camera_file.save(drawing)
    camera_file.load()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    config.write_text(config.read_text() + "rotate = 90\n")
    assert camera_file.load().camera.rotate == 90
    assert "were drawn with `camera.rotate = 0` and `camera.mirror = false`" in caplog.text
    caplog.clear()
    camera_file.save(drawing)
    camera_file.load()
    assert "were drawn with" not in caplog.text


def test_zone_that_was_removed_is_not_warned_of(
    camera_file: CameraFile, config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    camera_file.save(Drawing(zone=()))
    config.write_text(config.read_text() + "rotate = 90\n")
    settings = camera_file.load()
    assert (settings.camera.zone, settings.camera.rotate) == ((), 90)
    assert "were drawn with" not in caplog.text


def test_deleting_the_file_returns_to_the_settings(camera_file: CameraFile, config: Path) -> None:
    camera_file.save(Drawing(zone=OTHER_ZONE))
    camera_file.path.unlink()
    assert camera_file.load() == load_settings(config)


def test_only_differences_are_saved(camera_file: CameraFile, config: Path) -> None:
    """A value that was not changed on the page follows the settings file."""
    camera_file.save(Drawing(zone=ZONE, excluded=(POSTER,)))
    assert "zone" not in camera_file.path.read_text().partition("[camera]")[2]
    config.write_text("[detector]\nmin_face = 0.3\n")
    loaded = camera_file.load()
    assert (loaded.camera.zone, loaded.camera.excluded) == ((), (POSTER,))
    assert loaded.detector.min_face == 0.3
    camera_file.save(Drawing.of(load_settings(config)))
    assert not camera_file.path.exists()


def test_origin_of_the_values_is_logged(
    camera_file: CameraFile, config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "edge.daemon.camera_file")
    camera_file.load()
    assert caplog.messages == []
    camera_file.save(Drawing(zone=OTHER_ZONE, min_face=0.2))
    camera_file.load()
    saved, loaded = caplog.messages
    assert saved.endswith(f"saved camera.zone, detector.min_face to {camera_file.path}")
    assert loaded.startswith(f"`camera.zone`, `detector.min_face`: from {camera_file.path}")
    assert str(config) in loaded


def test_file_of_other_settings_is_ignored(camera_file: CameraFile, config: Path) -> None:
    camera_file.save(Drawing(zone=OTHER_ZONE))
    other = config.with_name("other.toml")
    other.write_text(config.read_text())
    loaded = CameraFile(camera_file.path, other).read()
    assert loaded.settings == load_settings(other)
    assert str(config) in loaded.notes[0]
    assert CameraFile(camera_file.path, None).read().settings == load_settings(None)
    link = config.with_name("link.toml")
    link.symlink_to(config)
    assert CameraFile(camera_file.path, link).load().camera.zone == OTHER_ZONE


def test_drawing_without_a_settings_file_is_saved(tmp_path: Path) -> None:
    camera_file = CameraFile(tmp_path / "camera.toml", None)
    camera_file.save(Drawing(zone=ZONE))
    assert camera_file.load().camera.zone == ZONE


@pytest.mark.parametrize(
    "damage",
    [
        b"zone = [",
        b"\xff",
        b"",
        b"settings_file = '%s'\n[camera]\nzone = [[0.1, 0.1]]\n",
        b"settings_file = '%s'\n[camera]\nsource = '/dev/video1'\n",
        b"settings_file = '%s'\n[detector]\nmin_face = 7\n",
    ],
)
def test_damaged_file_is_reported_and_ignored(
    camera_file: CameraFile, config: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The daemon must watch the door, and the page must be able to save again."""
    camera_file.path.parent.mkdir()
    camera_file.path.write_bytes(damage.replace(b"%s", os.fsencode(config)))
    assert camera_file.load() == load_settings(config)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert f"delete {camera_file.path}, or save on the Camera page again" in record.getMessage()
    camera_file.save(Drawing(zone=OTHER_ZONE))
    assert camera_file.load().camera.zone == OTHER_ZONE


def test_more_areas_than_the_page_allows_can_be_saved(
    camera_file: CameraFile, config: Path
) -> None:
    """A settings file may have any number of excluded areas and corners."""
    areas = [[0.001 * number, 0.1, 0.001, 0.1] for number in range(MAX_EXCLUDED + 1)]
    corners = [[0.001 * number, 0.01] for number in range(MAX_CORNERS)] + [[0.9, 0.9]]
    config.write_text(f"[camera]\nexcluded = {areas}\nzone = {corners}\n")
    drawing = Drawing.of(load_settings(config))
    assert drawing.excluded is not None
    more = Drawing(zone=drawing.zone, excluded=(*drawing.excluded, POSTER))
    with pytest.raises(UserError, match=f"at most {MAX_EXCLUDED + 1} can be saved"):
        camera_file.save(more)
    moved = Drawing(zone=((0.0, 0.02), *drawing.zone[1:]), excluded=(POSTER, *drawing.excluded[1:]))
    camera_file.save(moved)
    loaded = camera_file.load().camera
    assert (loaded.zone, loaded.excluded) == (moved.zone, moved.excluded)


def test_invalid_drawing_changes_nothing(camera_file: CameraFile, config: Path) -> None:
    camera_file.save(Drawing(zone=OTHER_ZONE))
    before = camera_file.path.read_text()
    many = tuple((0.001 * number, 0.01) for number in range(MAX_CORNERS + 1))
    for drawing, message in (
        (Drawing(zone=ZONE[:2]), "at least 3 corners"),
        (Drawing(zone=(), excluded=((0.5, 0.5, 0.9, 0.1),)), "not a rectangle inside"),
        (Drawing(zone=many), f"at most {MAX_CORNERS} can be saved"),
    ):
        with pytest.raises(UserError, match=message):
            camera_file.save(drawing)
    config.write_text("[camera]\nzoom = 2\n")
    with pytest.raises(UserError, match=r"unknown setting `camera\.zoom`"):
        camera_file.save(Drawing(zone=ZONE))
    assert camera_file.path.read_text() == before


def test_smallest_face_follows_the_distance(camera_file: CameraFile, config: Path) -> None:
    camera_file.save(Drawing(zone=ZONE, min_face=0.3))
    config.write_text("[detector]\nfarthest_m = 3.0\n")
    loaded = camera_file.read()
    assert loaded.settings == load_settings(config)
    assert "`detector.farthest_m`" in loaded.notes[0]
    with pytest.raises(UserError, match=r"derived from `detector\.farthest_m`"):
        camera_file.save(Drawing(zone=ZONE, min_face=0.4))
    camera_file.save(Drawing(zone=ZONE))
    assert "min_face" not in camera_file.path.read_text()


def test_file_that_cannot_be_written_is_reported(
    tmp_path: Path, config: Path, camera_file: CameraFile
) -> None:
    (tmp_path / "state").write_text("a file in the place of the folder")
    expected = r"cannot write .*; write into the settings file: zone = \[\] under \[camera\]"
    with pytest.raises(UserError, match=expected):
        CameraFile(tmp_path / "state" / "more" / "camera.toml", config).save(Drawing(zone=()))
    (tmp_path / "state").unlink()
    camera_file.path.mkdir(parents=True)
    with pytest.raises(UserError, match="cannot write"):
        camera_file.save(Drawing(zone=()))
    assert [path.name for path in camera_file.path.parent.iterdir()] == ["camera.toml"]
    assert camera_file.load() == load_settings(config)


def test_planted_link_is_replaced(tmp_path: Path, camera_file: CameraFile) -> None:
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    camera_file.path.parent.mkdir()
    camera_file.path.symlink_to(victim)
    camera_file.save(Drawing(zone=OTHER_ZONE))
    assert victim.read_text() == "theirs"
    assert stat.S_IMODE(camera_file.path.lstat().st_mode) == 0o600


def test_turning_derives_the_smallest_face_again(camera_file: CameraFile, config: Path) -> None:
    """The turned picture shows a narrower part of the scene, in which a face is wider."""
    config.write_text("[detector]\nfarthest_m = 2.0\n")
    upright = camera_file.load()
    turned = camera_file.save(Drawing(zone=(), rotate=90))
    assert "min_face" not in camera_file.path.read_text()
    assert turned.detector.min_face == pytest.approx(4 / 3 * upright.detector.min_face, rel=1e-3)
    assert camera_file.load() == turned
    # What the page sends for the smallest face has to be the derived value.
    with pytest.raises(UserError, match=r"derived from `detector\.farthest_m`"):
        camera_file.save(Drawing(zone=(), rotate=0, min_face=turned.detector.min_face))
    assert Drawing.of(camera_file.save(Drawing(zone=(), rotate=0))) == Drawing.of(upright)
    assert not camera_file.path.exists()


def test_turning_that_contradicts_the_distance_is_refused(
    camera_file: CameraFile, config: Path
) -> None:
    config.write_text("[camera]\nwidth_px = 480\nheight_px = 640\n[detector]\nfarthest_m = 8.0\n")
    with pytest.raises(UserError, match=r"`detector\.farthest_m`: with a field of view of 77.4"):
        camera_file.save(Drawing(zone=(), rotate=90))
    assert not camera_file.path.exists()
