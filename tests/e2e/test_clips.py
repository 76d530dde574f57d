"""Clips give the right number of alerts, played once and ten times in a row.

To test other clips than the demo clip, run `MASK_PATROL_CLIPS=DIR pytest tests/e2e/test_clips.py`.
`DIR/expected.json`, or the file named in `MASK_PATROL_EXPECTED`, contains the number of alerts of
each clip: `{"hall.mp4": 1, "desk.mp4": 0}`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from edge.camera.source import Frame
from edge.common.paths import demo_clip
from tests.support.footage.replay import Player, frames_of, joined_frames

TIMES = 10
#: An alert must follow the first clear view within this time, at the default frame rate.
MAX_LATENCY_S, FPS = 1.0, 10.0
DEMO = [
    ("no_mask_start", None),
    ("no_mask_end", "left"),
    ("no_mask_start", None),
    ("no_mask_end", "masked"),
]
CLIPS = os.environ.get("MASK_PATROL_CLIPS", "")


def expected() -> list[tuple[Path, int]]:
    """The clips in `MASK_PATROL_CLIPS`, or else the demo clip, and their numbers of alerts."""
    if not CLIPS:
        return [(demo_clip(), 2)]
    folder = Path(CLIPS)
    expected_file = Path(os.environ.get("MASK_PATROL_EXPECTED") or folder / "expected.json")
    starts: dict[str, int] = json.loads(expected_file.read_text(encoding="utf-8"))
    return [(folder / name, count) for name, count in starts.items()]


Read = Callable[[Path], Iterable[Frame]]


@pytest.fixture(scope="module")
def player() -> Player:
    return Player()


@pytest.fixture(scope="module")
def read() -> Read:
    """Return a function that returns the frames of a clip; it decodes the demo clip only once.

    The frames of the demo clip are kept in 400 MB of memory.
    """
    demo: list[Frame] = []

    def frames(clip: Path) -> Iterable[Frame]:
        if clip != demo_clip():
            return frames_of(clip)
        if not demo:
            demo.extend(frames_of(clip))
            for frame in demo:
                frame.image_bgr.setflags(write=False)
        return demo

    return frames


@pytest.mark.parametrize("fps", [None, FPS, 5.0])
def test_ten_demo_clips_have_ten_times_the_alerts(
    player: Player, read: Read, fps: float | None
) -> None:
    once = player.play(joined_frames([demo_clip()], fps, read))
    assert once.kinds == DEMO
    many = player.play(joined_frames([demo_clip()] * TIMES, fps, read))
    assert many.kinds == DEMO * TIMES
    assert len({event.episode for event in many.events}) == 2 * TIMES
    assert len(many.latencies_s) == 2 * TIMES
    assert max(many.latencies_s) <= MAX_LATENCY_S
    counted = {k: v for k, v in once.pipeline.people_counts["hour"].items() if k != "from"}
    assert {k: v for k, v in many.pipeline.people_counts["hour"].items() if k != "from"} == {
        label: TIMES * count for label, count in counted.items()
    }


@pytest.mark.parametrize(
    ("clip", "starts"), expected(), ids=lambda value: getattr(value, "name", "")
)
@pytest.mark.parametrize("fps", [None, FPS])
def test_clip_has_expected_alerts(
    player: Player, read: Read, clip: Path, starts: int, fps: float | None
) -> None:
    """Two runs have the expected number of alerts; ten joined copies have ten times that number.

    Where one copy ends and the next copy begins, the tracks are reset explicitly: if the same
    person stands in the same place before and after, no scene cut can be detected.
    """
    first, again = (player.play(joined_frames([clip], fps, read)) for _ in range(2))
    assert first.starts == again.starts == starts
    assert max([0.0, *first.latencies_s]) <= MAX_LATENCY_S
    many = player.play(joined_frames([clip] * TIMES, fps, read), seams=True)
    assert many.starts == TIMES * starts
