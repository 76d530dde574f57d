"""`python -m training frontier`: what it counts, what it calls best, what it says."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bench.alert_agreement import agreement
from edge.camera.recordings import VideoFile
from edge.classification.classifier import Classifier
from edge.common.arrays import Box, Pixels
from edge.common.errors import UserError
from edge.common.paths import demo_clip, shipped_model
from edge.config.settings import DetectorSettings
from edge.detection.face_detector import HaarDetector
from tests.support import datasets
from training.cli import main
from training.common.intervals import Estimate
from training.data.detector_simulation import intersection_over_union
from training.detector_sweep.clips import play_clips
from training.detector_sweep.grid import (
    Configuration,
    Search,
    grid,
    reference_configuration,
    shipped,
)
from training.detector_sweep.scenes import (
    MIN_IOU,
    Scene,
    draw_scenes,
    filter_by_support,
    match_boxes,
    read_scenes,
    search_scenes,
)
from training.detector_sweep.sweep_metrics import (
    ConfigurationMetrics,
    configuration_metrics,
    contenders,
    pareto_front,
)

coordinates = st.floats(0, 100)
boxes = st.lists(
    st.tuples(coordinates, coordinates, st.floats(5, 60), st.floats(5, 60)), max_size=6
)


def demo_frames(every: int, at_most: int) -> list[Pixels]:
    source, frames = VideoFile(demo_clip()), []
    while (frame := source.read()) is not None and len(frames) < at_most:
        if frame.index % every == 0:
            frames.append(frame.image_bgr)
    source.close()
    return frames


def faces_of(image: Pixels) -> list[Box]:
    return [face.box_px for face in HaarDetector(DetectorSettings()).find(image)]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames of the demo, each face that the shipped detector finds boxed; in every picture also
    a box where there is none, and one too narrow to be counted."""
    root = tmp_path_factory.mktemp("data") / "scenes"
    (root / "annotations").mkdir(parents=True)
    for index, image in enumerate(f for f in demo_frames(12, 20) if faces_of(f)):
        datasets.save(root / "images" / f"{index}.png", np.ascontiguousarray(image[:, :, ::-1]))
        there: list[tuple[str, Box]] = [("without_mask", box) for box in faces_of(image)]
        there += [("with_mask", (2.0, 2.0, 60.0, 60.0)), ("with_mask", (80.0, 2.0, 30.0, 30.0))]
        objects = "".join(
            datasets.OBJECT.format(label, x, y, x + w, y + h) for label, (x, y, w, h) in there
        )
        (root / "annotations" / f"{index}.xml").write_text(f"<annotation>{objects}</annotation>")
    return root


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of the demo, in which somebody comes in bare-faced."""
    folder = tmp_path_factory.mktemp("clips")
    writer = cv2.VideoWriter(
        str(folder / "hall.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 15.0, (640, 480)
    )
    for image in demo_frames(1, 90)[45:]:
        writer.write(image)
    writer.release()
    return folder


@given(boxes, boxes)
def test_a_face_is_found_by_one_box_and_a_box_finds_one_face(a: list[Box], b: list[Box]) -> None:
    joined = match_boxes(a, b)
    assert len(set(joined.values())) == len(joined)
    assert set(joined) <= set(range(len(a)))
    for i, j in joined.items():
        assert intersection_over_union(a[i], b[j]) > MIN_IOU
    free = [i for i in range(len(a)) if i not in joined]
    unseen = [j for j in range(len(b)) if j not in joined.values()]
    assert all(intersection_over_union(a[i], b[j]) <= MIN_IOU for i in free for j in unseen)


def test_the_better_of_two_boxes_is_the_faces() -> None:
    face, near, exact, far = (
        (10.0, 10.0, 50.0, 50.0),
        (20.0, 10.0, 50.0, 50.0),
        (11.0, 10.0, 50.0, 50.0),
        (200.0, 10.0, 50.0, 50.0),
    )
    assert match_boxes([near, exact, far], [face]) == {1: 0}
    # A shifted box that shares just under three tenths of both is no face.
    assert match_boxes([(10.0 + 50 * 0.55, 10.0, 50.0, 50.0)], [face]) == {}


@pytest.mark.parametrize("cascade", ["alt2", "default"])
def test_more_neighbours_only_take_boxes_away(cascade: str) -> None:
    search = Search(cascade, 1.1, 320, 0.07)
    loose = Configuration(search, 1).detector()
    for image in demo_frames(40, 6):
        found = loose.find(image)
        for count in (2, 3, 5, 8):
            asked = Configuration(search, count).detector().find(image)
            assert filter_by_support(found, count, 1) == asked


def test_the_grid_holds_what_ships_and_leaves_out_what_is_the_same() -> None:
    tried = grid(["default"], [1.2], [160, 320], [0.05, 0.07, 0.1], [5])
    assert shipped() in tried
    assert {each.min_neighbors for each in tried} == {3, 5}
    default = [each.search for each in tried if each.search.cascade == "default"]
    # 24 px is the least that it knows: 15% of 160 px, 7.5% of 320.
    assert {(s.width_px, s.min_face) for s in default} == {(160, 0.1), (320, 0.07), (320, 0.1)}
    assert len({each.name for each in tried}) == len(tried)
    assert shipped().settings() == DetectorSettings(cascade=shipped().settings().cascade)


def test_the_most_thorough_asks_for_more_hits_where_it_looks_more_often() -> None:
    tried = grid(["default"], [1.05, 1.2], [240, 480], [0.05, 0.1], [2])
    search = Search(shipped().search.cascade, 1.05, 480, 0.05)
    assert reference_configuration(tried).search == search
    assert reference_configuration(tried).min_neighbors > shipped().min_neighbors
    assert reference_configuration([shipped()]) == shipped()


def test_what_is_found_and_what_is_false_is_counted(scenes: Path) -> None:
    usual = shipped()
    blind = dataclasses.replace(usual, search=dataclasses.replace(usual.search, min_face=0.9))
    searched = search_scenes(read_scenes([scenes]), [usual, blind], 1)
    saw, blinded = configuration_metrics(searched)
    counts = {label: each.count for label, each in saw.found.items() if each is not None}
    bare = sum(len(faces_of(f)) for f in demo_frames(12, 20))
    assert counts == {"no_mask": bare, "mask": searched.pictures}  # without the narrow ones
    assert (saw.bare, blinded.bare) == (1.0, 0.0)
    assert saw.found["mask"] is not None
    assert saw.found["mask"].value == 0.0
    assert (saw.false_boxes.value, blinded.false_boxes.value) == (0.0, 0.0)
    assert saw.false_boxes.high > 0.0  # so few pictures rule nothing out
    assert saw.time.value == 1.0
    assert blinded.gain is not None
    assert blinded.gain.value == -1.0
    assert sum(there for _, there in saw.by_size.values()) == bare


def test_boxes_that_nobody_drew_are_false(scenes: Path) -> None:
    bare = [Scene(s.path, s.boxes[-2:], s.labels[-2:]) for s in read_scenes([scenes])]
    (saw,) = configuration_metrics(search_scenes(bare, [shipped()], 1))
    faces = sum(len(faces_of(f)) for f in demo_frames(12, 20))
    assert saw.false_boxes.value == pytest.approx(100 * faces / len(bare))
    assert saw.found["no_mask"] is None


def test_pictures_are_drawn_the_same_for_one_seed(scenes: Path) -> None:
    everything = read_scenes([scenes])
    first, rest = draw_scenes(everything, 4, 3)
    assert (first, rest) == draw_scenes(everything, 4, 3)
    assert len(first) == 4
    assert sorted(s.path for s in [*first, *rest]) == [s.path for s in everything]
    assert draw_scenes(everything, None, 3) == (everything, [])


def outcome(
    bare: float, false_boxes: float, time: float, configuration: Configuration | None = None
) -> ConfigurationMetrics:
    def sure(value: float) -> Estimate:
        return Estimate(value, value, value, 1)

    found = {"no_mask": sure(bare)}
    return ConfigurationMetrics(
        configuration or shipped(), found, None, sure(false_boxes), sure(time), 1.0, {}
    )


def test_nothing_on_the_front_is_beaten_and_all_else_is() -> None:
    cheap, good = outcome(0.5, 3, 0.3), outcome(0.8, 9, 2.0)
    clean, beaten = outcome(0.5, 1, 1.0), outcome(0.5, 3, 0.6)
    hardly_slower = outcome(0.6, 3, 0.301)
    assert pareto_front([good, beaten, clean, cheap]) == [cheap, clean, good]
    # A time that is the same but for noise saves nobody who finds less.
    assert pareto_front([cheap, hardly_slower]) == [hardly_slower]
    assert pareto_front([good, good]) == [good, good]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 4)), min_size=1))
def test_a_front_is_never_empty(values: list[tuple[int, int, int]]) -> None:
    tried = [outcome(b / 4, f, float(t)) for b, f, t in values]
    best = pareto_front(tried)
    assert best
    for each in tried:
        assert each in best or any(
            b.bare >= each.bare
            and b.false_boxes.value <= each.false_boxes.value
            and b.time.value <= each.time.value
            for b in best
        )


def test_contenders_are_the_best_at_their_time_that_err_seldom_enough() -> None:
    other = Configuration(Search("alt", 1.2, 320, 0.1), 4)
    usual = outcome(0.6, 5, 1.0)
    fast, fast_too = outcome(0.4, 4, 0.5, other), outcome(0.5, 6, 0.5, other)
    wild, slow = outcome(0.9, 50, 1.0, other), outcome(0.8, 10, 3.0, other)
    tried = [usual, fast, fast_too, wild, slow]
    assert contenders(pareto_front(tried), tried) == [fast_too, usual, slow]
    # The shipped one is there though it is beaten.
    better = outcome(0.7, 4, 1.0, other)
    several = contenders(pareto_front([usual, better]), [usual, better])
    assert usual in several
    assert better in several


def test_alerts_that_run_at_the_same_time_are_one() -> None:
    assert agreement([(1.2, 3.0), (8.0, 9.0)], [(1.0, 3.0), (5.0, 6.0)]) == (pytest.approx(0.2),)
    assert agreement([], [(1.0, 2.0)]) == ()
    # One long alert is not two short ones.
    assert len(agreement([(1.0, 9.0)], [(1.0, 3.0), (5.0, 9.0)])) == 1


def test_who_the_demo_shows_is_seen_and_a_blind_detector_sees_nobody() -> None:
    usual = shipped()
    blind = dataclasses.replace(usual, search=dataclasses.replace(usual.search, min_face=0.9))
    classifier = Classifier(shipped_model())
    played, (thorough,) = play_clips([demo_clip()], [usual, blind], usual, classifier, 5.0)
    (saw,), (blinded,) = played[usual], played[blind]
    assert len(thorough.sights) == 3  # one bare, one masked, one who puts a mask on
    assert (thorough.starts, thorough.lost, thorough.added, thorough.false_boxes) == (2, 0, 0, 0)
    assert all(s.late_s == 0.0 and s.share == 1.0 for s in thorough.sights)
    assert (saw.starts, saw.lost, saw.added) == (2, 0, 0)
    assert all(s.late_s is not None and 0 <= s.late_s <= 0.4 for s in saw.sights)
    assert all(s.share == 1.0 for s in saw.sights)
    assert (blinded.starts, blinded.lost, blinded.added) == (0, 2, 0)
    assert {(s.late_s, s.share) for s in blinded.sights} == {(None, 0.0)}
    assert cv2.getNumThreads() > 0


def test_the_command_prints_and_writes_what_it_measured(
    scenes: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "expected.json").write_text('{"hall.avi": 7}')
    small = ("--cascades", "alt2", "--scales", "1.3", "--neighbors", "3", "--min-faces", "0.1")
    out = ("--json", str(tmp_path / "all.json"), "--plot", str(tmp_path / "front.png"))
    counts = ("--limit", "3", "--confirm", "2", "--widths", "240")
    command = ("frontier", "--data", str(scenes), "--clips", str(clip), *small, *counts, *out)
    assert main([*command, "--expected", str(tmp_path / "expected.json")]) == 0
    printed = capsys.readouterr().out
    assert f"| {shipped().name} |" in printed
    assert f"**{shipped().name}**" in printed
    assert "| hall.avi, 1 |" in printed
    assert "| hall.avi |" in printed  # one alert, where seven are expected
    found: dict[str, Any] = json.loads((tmp_path / "all.json").read_text())
    assert {each["name"] for each in found["configurations"]} == {
        shipped().name,
        "alt2 1.3/3, 240 px, from 10%",
    }
    assert found["shipped"] == shipped().name
    assert len(found["confirmed"]) >= 1
    assert found["clips"][shipped().name][0]["starts"] == 1
    assert cv2.imread(str(tmp_path / "front.png")) is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--cascades", "nothing"), "no such cascade: nothing"),
        (("--scales", "0.9"), "scale_factor"),
        (("--clips", "nowhere.mp4"), "no such clip or folder: nowhere.mp4"),
        (("--json", "."), "cannot write ."),
        (("--expected", "nowhere.json"), "cannot read nowhere.json"),
        (("--limit", "500", "--confirm", "3", "--cascades", "alt2", "--scales", "1.3",
          "--widths", "240", "--min-faces", "0.1"), "--confirm needs photographs"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(
    scenes: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert main(["frontier", "--data", str(scenes), *arguments]) != 0
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert said in line


def test_pictures_without_boxes_are_refused(tmp_path: Path) -> None:
    crops = datasets.classes(
        tmp_path / "crops", {"with_mask": "mask", "without_mask": "no_mask"}, 1
    )
    with pytest.raises(UserError, match="holds no boxes"):
        read_scenes([crops])
