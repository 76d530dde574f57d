from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera.frame_rate_limit import FrameRateBudget, FrameRateLimit
from edge.camera.opencv_live import LiveSource
from edge.camera.recordings import PictureFolder, VideoFile
from edge.camera.source_factory import frame_rate_limit, open_source
from edge.config.settings import CameraSettings
from tests.support.pictures import flat, write_clip


@pytest.mark.parametrize(
    ("source_fps", "expected"), [(30, 10), (25, 10), (15, 10), (10, 10), (5, 5)]
)
def test_at_most_ten_a_second(source_fps: int, expected: int) -> None:
    ceiling = FrameRateLimit(10.0)
    wanted = [n / source_fps for n in range(60 * source_fps) if ceiling(n / source_fps)]
    assert wanted[0] == 0.0
    assert len(wanted) == pytest.approx(60 * expected, abs=1)


@given(
    st.lists(st.floats(0.0, 2.0), min_size=1, max_size=300),
    st.floats(0.5, 60.0),
    st.floats(0.3, 1.0),
)
def test_never_faster_on_average_and_never_without_end(
    gaps_s: list[float], fps: float, share: float
) -> None:
    allowance = FrameRateBudget(lambda: share)
    ceiling, now_s, wanted = FrameRateLimit(fps, allowance), 0.0, []
    for gap_s in gaps_s:
        now_s += gap_s
        if ceiling(now_s):
            wanted.append(now_s)
        else:
            assert now_s - wanted[-1] < 2.0 / (fps * share)
    assert wanted
    assert allowance.left_out == len(gaps_s) - len(wanted)
    assert len(wanted) <= (wanted[-1] - wanted[0]) * fps * share + 2


def test_less_while_the_allowance_is_smaller() -> None:
    share = [1.0]
    ceiling = FrameRateLimit(10.0, FrameRateBudget(lambda: share[0]))
    assert sum(ceiling(n / 30) for n in range(300)) == 100
    share[0] = 0.3
    assert sum(ceiling(n / 30) for n in range(300, 600)) == pytest.approx(30, abs=1)
    share[0] = 1.0
    assert sum(ceiling(n / 30) for n in range(600, 900)) == pytest.approx(100, abs=4)


def test_a_live_source_is_not_left_alone_until_it_passes_for_one_that_stalls() -> None:
    settings = CameraSettings(source="rtsp://127.0.0.1:1/x", fps=0.01, timeout_s=4.0)
    ceiling = frame_rate_limit(settings, FrameRateBudget())
    assert [n for n in range(20) if ceiling(float(n))] == list(range(0, 20, 2))


def test_of_a_burst_the_newest_comes_through_and_the_rate_holds() -> None:
    """Ten frames a second that a radio link delivers in threes."""
    settings = CameraSettings(source="rtsp://127.0.0.1:1/x", fps=10.0)
    ceiling = frame_rate_limit(settings, FrameRateBudget())
    times_s = [0.3 * n + 0.002 * k for n in range(100) for k in range(3)]
    wanted = [at_s for at_s in times_s if ceiling(at_s)]
    assert len(wanted) == pytest.approx(300, abs=3)
    assert sum(round(at_s % 0.3, 3) == 0.004 for at_s in wanted) == pytest.approx(100, abs=2)
    fast = frame_rate_limit(settings, FrameRateBudget())
    times_s = [0.3 * n + 0.002 * k for n in range(100) for k in range(9)]  # thirty a second
    assert sum(fast(at_s) for at_s in times_s) == pytest.approx(300, abs=6)


def test_a_clip_is_thinned_and_keeps_its_times(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", list(range(0, 200, 5)), fps=20.0)
    source = VideoFile(clip, FrameRateLimit(10.0))
    frames = list(iter(source.read, None))
    assert [frame.index for frame in frames] == list(range(0, 40, 2))
    assert [frame.captured_at_s for frame in frames] == pytest.approx([n / 10 for n in range(20)])
    assert frames[5].image_bgr.mean() == pytest.approx(50, abs=5)


def test_pictures_that_are_not_wanted_are_not_read(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.jpg").write_bytes(b"no picture")
    assert PictureFolder(tmp_path, 10.0, lambda at_s: False).read() is None


def test_the_settings_say_how_fast(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [100] * 40, fps=20.0)
    settings = CameraSettings(source=str(clip), fps=5.0)
    source = open_source(settings, frame_rate_limit(settings, FrameRateBudget()))
    assert len(list(iter(source.read, None))) == 10
    source.close()
    assert len(list(iter(open_source(settings).read, None))) == 40


class Capture:
    """What `cv2.VideoCapture` does for a camera of thirty frames a second."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.grabbed = self.decoded = 0
        self.fails_every: int | None = None

    def grab(self) -> bool:
        self.now_s += 1 / 30
        self.grabbed += 1
        return self.fails_every is None or self.grabbed % self.fails_every != 0

    def retrieve(self) -> tuple[bool, object]:
        self.decoded += 1
        return True, flat(100)

    def release(self) -> None:
        pass


def test_a_camera_that_is_too_fast_is_not_decoded_for_nothing() -> None:
    capture = Capture()
    source = LiveSource(capture, "camera", 5.0, lambda: capture.now_s, FrameRateLimit(10.0))  # type: ignore[arg-type]
    times_s = [frame.captured_at_s for _ in range(20) if (frame := source.read())]
    assert capture.decoded == 20
    assert times_s == pytest.approx([1 / 30 + n / 10 for n in range(20)])


def test_failures_between_good_frames_that_are_not_wanted_do_not_add_up() -> None:
    capture = Capture()
    capture.fails_every = 5
    source = LiveSource(capture, "camera", 60.0, lambda: capture.now_s, FrameRateLimit(0.5))  # type: ignore[arg-type]
    times_s = [frame.captured_at_s for _ in range(10) if (frame := source.read())]
    assert len(times_s) == 10
