"""Clips give the right number of alerts, once and ten times in a row.

Besides the demo clip, one's own: `MASK_PATROL_CLIPS=DIR pytest tests/e2e/test_clips.py`, with
`DIR/expected.json` (or the file in `MASK_PATROL_EXPECTED`) saying how many alerts each has:
`{"hall.mp4": 1, "desk.mp4": 0}`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edge.common.paths import demo_clip
from tests.support.replay import Player, film

TIMES = 10
#: "Within a second of the first clear view", at the daemon's usual ten frames a second.
LATEST_S, FPS = 1.0, 10.0
DEMO = [
    ("no_mask_start", None),
    ("no_mask_end", "left"),
    ("no_mask_start", None),
    ("no_mask_end", "masked"),
]
CLIPS = os.environ.get("MASK_PATROL_CLIPS", "")


def expected() -> list[tuple[Path, int]]:
    """The user's clips, or else the demo, and how many alerts each has."""
    if not CLIPS:
        return [(demo_clip(), 2)]
    folder = Path(CLIPS)
    told = Path(os.environ.get("MASK_PATROL_EXPECTED") or folder / "expected.json")
    starts: dict[str, int] = json.loads(told.read_text(encoding="utf-8"))
    return [(folder / name, count) for name, count in starts.items()]


@pytest.fixture(scope="module")
def player() -> Player:
    return Player()


@pytest.mark.parametrize("fps", [None, FPS, 5.0])
def test_the_demo_ten_times_in_a_row_has_ten_times_the_alerts(
    player: Player, fps: float | None
) -> None:
    once = player.play(film([demo_clip()], fps))
    assert once.kinds == DEMO
    many = player.play(film([demo_clip()] * TIMES, fps))
    assert many.kinds == DEMO * TIMES
    assert len({event.episode for event in many.events}) == 2 * TIMES
    assert len(many.latencies_s) == 2 * TIMES
    assert max(many.latencies_s) <= LATEST_S
    counted = {k: v for k, v in once.pipeline.people_counts["hour"].items() if k != "from"}
    assert {k: v for k, v in many.pipeline.people_counts["hour"].items() if k != "from"} == {
        label: TIMES * count for label, count in counted.items()
    }


@pytest.mark.parametrize(
    ("clip", "starts"), expected(), ids=lambda value: getattr(value, "name", "")
)
@pytest.mark.parametrize("fps", [None, FPS])
def test_own_clips(player: Player, clip: Path, starts: int, fps: float | None) -> None:
    """Ten runs of the clip, and one of ten times the clip, have the same number each time.

    That one clip is over and another begins is said, not seen: in one room, with the same
    person in the same place, no picture shows it, and who stays is one person.
    """
    runs = [player.play(film([clip], fps)) for _ in range(TIMES)]
    assert [run.starts for run in runs] == [starts] * TIMES
    assert max([0.0, *runs[0].latencies_s]) <= LATEST_S
    assert player.play(film([clip] * TIMES, fps), seams=True).starts == TIMES * starts
