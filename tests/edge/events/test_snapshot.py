from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.source import Frame
from edge.common.errors import UserError
from edge.config.settings import SnapshotSettings
from edge.events.snapshot import BLURRED_WIDTH_PX, MARGIN, Snapshots, blur_except
from tests.support.clock import Clock
from tests.support.disks import tiny


def noisy(height: int = 240, width: int = 320) -> Frame:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Frame(pixels, 0.0, 0)


def sharpness(picture: np.ndarray) -> float:
    return float(cv2.Laplacian(picture, cv2.CV_64F).var())


def test_everything_but_the_alert_face_is_blurred() -> None:
    frame = noisy()
    box = (0.4, 0.4, 0.2, 0.2)
    picture = blur_except(frame.image_bgr, [box], 320)
    assert picture.shape == frame.image_bgr.shape
    inside = picture[96:144, 128:192]
    np.testing.assert_array_equal(inside, frame.image_bgr[96:144, 128:192])
    margin = round(MARGIN * 0.2 * 320) + 1
    outside = picture[:, : 128 - margin]
    assert sharpness(outside) < sharpness(frame.image_bgr) / 100
    # The blurred part contains only the information of the few pixels that it is made from.
    tiny = cv2.resize(frame.image_bgr, (BLURRED_WIDTH_PX, 18), interpolation=cv2.INTER_AREA)
    again = cv2.resize(tiny, (320, 240), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(outside, again[:, : 128 - margin])


@pytest.mark.parametrize(
    "box", [(-0.5, -0.5, 0.2, 0.2), (0.9, 0.9, 0.5, 0.5), (2.0, 2.0, 1.0, 1.0)]
)
def test_boxes_beyond_the_frame_are_accepted(box: tuple[float, float, float, float]) -> None:
    assert blur_except(noisy().image_bgr, [box], 160).shape == (120, 160, 3)


def test_number_size_and_age_are_limited(tmp_path: Path) -> None:
    settings = SnapshotSettings(
        enabled=True, path=str(tmp_path / "pictures"), width_px=160, max_files=3, max_age_days=1
    )
    clock = Clock(1_000_000.0)
    snapshots = Snapshots(settings, clock)
    for n in range(5):
        path = snapshots.save(f"door1-{n}", noisy(), [])
        os.utime(path, (clock.now_s, clock.now_s))
        clock.advance(60.0)
    assert cv2.imread(str(path)).shape == (120, 160, 3)
    (tmp_path / "pictures" / "mine.png").write_text("a file of the user")
    snapshots.delete_expired()
    kept = sorted(p.name for p in (tmp_path / "pictures").iterdir())
    assert kept == ["door1-2.jpg", "door1-3.jpg", "door1-4.jpg", "mine.png"]
    clock.advance(86_400.0)
    snapshots.delete_expired()
    assert [p.name for p in (tmp_path / "pictures").iterdir()] == ["mine.png"]


def test_clock_set_back_deletes_no_new_snapshot(tmp_path: Path) -> None:
    settings = SnapshotSettings(path=str(tmp_path), width_px=160, max_files=3)
    now_s = 1_000_000.0
    snapshots = Snapshots(settings, lambda: now_s)
    for n in range(3):
        path = snapshots.save(f"before-{n}", noisy(), [])
        os.utime(path, (now_s + 9e6 + n, now_s + 9e6 + n))
    for n in range(2):
        path = snapshots.save(f"now-{n}", noisy(), [])
        os.utime(path, (now_s - 9.0 + n, now_s - 9.0 + n))
    assert sorted(p.stem for p in tmp_path.iterdir()) == ["before-2", "now-0", "now-1"]


def test_snapshots_are_private_to_the_user(tmp_path: Path) -> None:
    settings = SnapshotSettings(enabled=True, path=str(tmp_path / "pictures"))
    path = Snapshots(settings).save("../door/1", noisy(), [])
    assert path == tmp_path / "pictures" / "..-door-1.jpg"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_unwritable_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    snapshots = Snapshots(SnapshotSettings(path=str(tmp_path / "file")))
    with pytest.raises(UserError, match="cannot write the snapshot"):
        snapshots.save("x", noisy(), [])


def test_abandoned_file_is_deleted(tmp_path: Path) -> None:
    clock = Clock(1_000_000.0)
    settings = SnapshotSettings(path=str(tmp_path))
    names = ("a.unfinished", "b.unfinished", "c.unfinished")
    abandoned, being_written, ahead = (tmp_path / name for name in names)
    # The last file was left before the clock was set back by a day.
    for path, age_s in ((abandoned, 100.0), (being_written, 1.0), (ahead, -86_400.0)):
        path.write_bytes(b"part of a snapshot")
        os.utime(path, (clock.now_s - age_s, clock.now_s - age_s))
    Snapshots(settings, clock).delete_expired()
    assert [path.name for path in tmp_path.iterdir()] == ["b.unfinished"]


def test_full_disk_leaves_no_partial_snapshot(tmp_path: Path) -> None:
    with tiny(tmp_path / "card", kilobytes=16):
        snapshots = Snapshots(SnapshotSettings(path=str(tmp_path / "card")))
        with pytest.raises(UserError, match="No space left"):
            snapshots.save("x", noisy(), [(0.0, 0.0, 1.0, 1.0)])
        assert list((tmp_path / "card").iterdir()) == []
