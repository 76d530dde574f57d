"""Searched scenes: matching boxes, filtering boxes by support, and drawing random scenes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.common.arrays import Box
from edge.common.errors import UsageError, UserError
from tests.support.footage.demo_frames import demo_frames
from tests.support.training import datasets
from training.data.detector_simulation import intersection_over_union
from training.data.splits import Split, split_of
from training.detector_sweep.grid import (
    CascadeConfiguration,
    Search,
)
from training.detector_sweep.scenes import (
    MIN_IOU,
    draw_scenes,
    match_boxes,
    read_scenes,
)

coordinates = st.floats(0, 100)
boxes = st.lists(
    st.tuples(coordinates, coordinates, st.floats(5, 60), st.floats(5, 60)), max_size=6
)


@given(boxes, boxes)
def test_matching_is_one_to_one_and_complete(a: list[Box], b: list[Box]) -> None:
    joined = match_boxes(a, b)
    assert len(set(joined.values())) == len(joined)
    assert set(joined) <= set(range(len(a)))
    for i, j in joined.items():
        assert intersection_over_union(a[i], b[j]) > MIN_IOU
    free = [i for i in range(len(a)) if i not in joined]
    unseen = [j for j in range(len(b)) if j not in joined.values()]
    assert all(intersection_over_union(a[i], b[j]) <= MIN_IOU for i in free for j in unseen)


def test_better_overlap_is_matched() -> None:
    face, near, exact, far = (
        (10.0, 10.0, 50.0, 50.0),
        (20.0, 10.0, 50.0, 50.0),
        (11.0, 10.0, 50.0, 50.0),
        (200.0, 10.0, 50.0, 50.0),
    )
    assert match_boxes([near, exact, far], [face]) == {1: 0}
    # A box whose IoU with the face is slightly below the minimum does not match it.
    assert match_boxes([(10.0 + 50 * 0.55, 10.0, 50.0, 50.0)], [face]) == {}


@pytest.mark.slow
@pytest.mark.parametrize("cascade", ["alt2", "default"])
def test_support_filter_equals_more_neighbours(cascade: str) -> None:
    search = Search(cascade, 1.1, 320, 0.07)
    loose = CascadeConfiguration(search, 1).detector()
    for image in demo_frames(40, 6):
        found = loose.find(image)
        for count in (2, 3, 5, 8):
            configuration = CascadeConfiguration(search, count)
            kept = [face for face in found if configuration.keeps(face)]
            assert kept == configuration.detector().find(image)


def test_same_seed_draws_same_scenes(scenes: Path) -> None:
    everything = read_scenes([scenes], None)
    first, rest = draw_scenes(everything, 4, 3)
    assert (first, rest) == draw_scenes(everything, 4, 3)
    assert len(first) == 4
    assert sorted(s.path for s in [*first, *rest]) == [s.path for s in everything]
    assert draw_scenes(everything, None, 3) == (everything, [])


def test_pictures_without_boxes_are_refused(tmp_path: Path) -> None:
    crops = datasets.classes(
        tmp_path / "crops", {"with_mask": "mask", "without_mask": "no_mask"}, 1
    )
    with pytest.raises(UserError, match="holds no boxes"):
        read_scenes([crops], None)


def test_only_pictures_of_the_split_are_used(scenes: Path) -> None:
    everything = read_scenes([scenes], None)
    parts = []
    for split in Split:
        expected = [each.path for each in everything if split_of(each.path.name) is split]
        if expected:
            parts += expected
            assert [each.path for each in read_scenes([scenes], split)] == expected
        else:
            with pytest.raises(UsageError, match="has no picture: give --split all"):
                read_scenes([scenes], split)
    assert len(parts) == len(everything)
