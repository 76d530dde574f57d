"""Near-duplicates: each planted pair is found once, and the pairs are sorted."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2

from tests.support.training import datasets
from tests.support.training.patterns import pattern_folders, stats_of
from training.data.datasets import LABELS
from training.exploration.near_duplicates import count_pairs, find_pairs

TWO, THREE = LABELS[2], LABELS[3]


def kaggle_like(root: Path) -> Path:
    inner = {f"{part}/{name}": 3 for part in ("Train", "Test") for name in ("WithMask", "NoMask")}
    return pattern_folders(root, inner)


def test_pairs_between_splits_come_first(tmp_path: Path) -> None:
    root = kaggle_like(tmp_path / "d")
    train, test = root / "Train" / "WithMask", root / "Test" / "NoMask"
    shutil.copy(train / "WithMask-0.png", train / "again.png")
    picture = cv2.imread(str(train / "WithMask-1.png"))
    assert cv2.imwrite(str(test / "leak.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 70])
    pairs = find_pairs(stats_of(root).fingerprints)
    assert [(pair.one.path.name, pair.two.path.name) for pair in pairs] == [
        ("leak.jpg", "WithMask-1.png"),
        ("WithMask-0.png", "again.png"),
    ]
    across, within = count_pairs(pairs)
    assert (across.places, across.pairs, across.pictures, across.labels_differ) == (
        ("d test", "d train"),
        1,
        2,
        1,
    )
    assert (within.places, within.labels_differ) == (("d train", "d train"), 0)


def test_scenes_are_compared_as_wholes_and_by_face(tmp_path: Path) -> None:
    """Two scenes contain the same face, a third scene is a copy of the first, and no scene is
    paired with itself.
    """
    face, other = datasets.pattern(60, 5), datasets.pattern(60, 6)
    scenes = {name: datasets.pattern(200, seed) for name, seed in (("a", 7), ("b", 8))}
    for scene in scenes.values():
        scene[20:80, 20:80] = face
        scene[20:80, 120:180] = face if scene is scenes["a"] else other
    root = datasets.voc(
        tmp_path / "v",
        {n: [("with_mask", (20, 20, 60, 60)), ("without_mask", (120, 20, 60, 60))] for n in "abc"},
    )
    for name, scene in {**scenes, "c": scenes["a"]}.items():
        datasets.save(root / "images" / f"{name}.png", scene)
    pairs = find_pairs(stats_of(root).fingerprints)
    named = {frozenset((p.one.path.stem, p.two.path.stem)) for p in pairs}
    assert len(pairs) == len(named)
    assert frozenset("ac") in named
    assert frozenset("a") not in named
