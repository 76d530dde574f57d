from __future__ import annotations

import pytest

from edge.bench.our_pipeline import CompleteSearch, Ours
from edge.bench.stage_costs import StageCosts
from edge.camera.source import Frame
from edge.common.errors import UserError
from edge.common.paths import shipped_model
from edge.config.settings import Settings, change
from tests.support.footage.pictures import frames_without_mask

SETTINGS = Settings(device="door1")


def test_each_clip_starts_with_a_new_pipeline() -> None:
    ours = Ours(SETTINGS)
    shown = [Frame(image, index * 0.1, index) for index, image in enumerate(frames_without_mask())]
    for _ in range(2):
        costs = StageCosts()
        ours.begin(costs)
        for frame in shown:
            ours.process(frame)
        ours.end()
        assert [(e.event_type, e.ended_by) for e in ours.events] == [
            ("no_mask_start", None),
            ("no_mask_end", "shutdown"),
        ]
        assert "no_mask_end (shutdown)" in ours.found
        assert costs.durations_s.keys() >= {"detect", "classify", "track"}
    assert ours.model_bytes == shipped_model().stat().st_size


def test_frame_rate_is_limited_as_in_the_daemon() -> None:
    shown = [
        Frame(image, index / 30.0, index) for index, image in enumerate(frames_without_mask() * 2)
    ]
    ours, complete = Ours(SETTINGS), CompleteSearch(SETTINGS)
    assert [frame.index for frame in shown if ours.wants(frame)] == list(range(0, 30, 3))
    assert all(complete.wants(frame) for frame in shown)


def test_complete_search_searches_every_frame() -> None:
    complete = CompleteSearch(SETTINGS)
    complete.begin(StageCosts())
    for index, image in enumerate(frames_without_mask()[:5]):
        complete.process(Frame(image, index * 0.1, index))
    assert complete.work["full"] == 5


def test_missing_model_is_reported() -> None:
    with pytest.raises(UserError, match=r"none\.tflite"):
        Ours(change(SETTINGS, classifier={"model": "/none.tflite"}))
