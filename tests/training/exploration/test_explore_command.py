"""`python -m training explore`: what is planted in the data is found and said."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.common.arrays import Pixels
from edge.common.errors import UserError
from tests.support import datasets
from training.cli import main
from training.data.datasets import LABELS, read_dataset
from training.data.picture_style import (
    COMBINED_MEASURES,
    MEASURES,
    MIN_SAMPLES,
    Style,
    separabilities,
    separability,
    style_of,
)
from training.exploration.dataset_stats import FACES_PER_SHEET, DataSetStats, collect_stats
from training.exploration.near_duplicates import count_pairs, find_pairs

TWO, THREE = LABELS[2], LABELS[3]
values = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30)


def smooth(seed: int, size_px: int = 48, darker: float = 1.0) -> Pixels:
    """A blurred pattern that no other seed comes near to."""
    grey = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    enlarged = cv2.resize(grey, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged * darker, np.uint8)


def folders(root: Path, counts: dict[str, int], darker: dict[str, float] | None = None) -> Path:
    """`counts` pictures in each folder, all different."""
    seed = zlib.crc32(root.name.encode())
    for folder, count in counts.items():
        for index in range(count):
            seed += 1
            picture = smooth(seed, darker=(darker or {}).get(folder, 1.0))
            datasets.save(root / folder / f"{Path(folder).name}-{index}.png", picture)
    return root


def seen_of(root: Path, limit: int | None = None, seed: int = 1) -> DataSetStats:
    return collect_stats(read_dataset(root, THREE), limit, seed)


@settings(deadline=None)  # the first call imports scikit-learn
@given(values, values)
def test_separation_is_the_area_under_the_roc_curve(a: list[float], b: list[float]) -> None:
    from sklearn.metrics import roc_auc_score

    area = roc_auc_score([1] * len(a) + [0] * len(b), a + b)
    assert separability(a, b) == pytest.approx(max(area, 1 - area))
    assert separability(a, b) == pytest.approx(separability(b, a))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [([1, 2], [3, 4], 1), ([3, 4], [1, 2], 1), ([1, 1], [1, 1], 0.5), ([1, 3], [2, 4], 0.75)],
)
def test_separation_of_a_few(a: list[float], b: list[float], expected: float) -> None:
    assert separability(a, b) == expected


def test_nothing_cannot_be_told_apart() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        separability([], [1.0])


def test_style_measures_light_colour_and_blur() -> None:
    rng = np.random.default_rng(0)
    plain = np.asarray(np.clip(smooth(1, 96) + rng.normal(0, 9, (96, 96, 3)), 0, 255), np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(plain, (0, 0), 4), np.uint8)
    grey = np.repeat(plain.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    of, dark, soft, pale = (
        style_of(picture, 80, 100) for picture in (plain, plain // 2, blurred, grey)
    )
    assert dark.brightness == pytest.approx(of.brightness / 2, abs=1)
    assert soft.sharpness < of.sharpness / 1.5
    assert (pale.colour, of.colour > 20) == (0, True)
    assert (of.side_px, of.aspect) == (80, 0.8)


def test_a_mask_is_no_part_of_the_style() -> None:
    bare = smooth(1, 96)
    masked = bare.copy()
    masked[48:] = 250
    assert style_of(masked, 96, 96) == style_of(bare, 96, 96)


def test_measures_together_tell_what_each_alone_cannot() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, len(MEASURES)))
    alike, opposed = (
        [Style(*row) for row in rows if (row[0] * row[1] > 0) == same] for same in (True, False)
    )
    found = separabilities(alike, opposed)
    assert set(found) == {*MEASURES, *COMBINED_MEASURES}
    assert max(found[measure] for measure in MEASURES) < 0.6
    assert min(found[name] for name in COMBINED_MEASURES) > 0.9
    assert separabilities(alike[: MIN_SAMPLES - 1], opposed) == {}


def test_all_is_looked_at_and_unreadable_pictures_are_listed(tmp_path: Path) -> None:
    root = folders(tmp_path / "d", {"mask": 6, "no_mask": 4})
    (root / "mask" / "mask-2.png").write_bytes(b"no picture")
    seen = seen_of(root)
    assert [face.sample.label for face in seen.faces].count("mask") == 5
    assert seen.unreadable == [root / "mask" / "mask-2.png"]
    assert {label: len(shown) for label, shown in seen.sheet_faces.items()} == {
        "mask": 5,
        "no_mask": 4,
    }


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    root = folders(tmp_path / "d", {"mask": 1})
    (root / "mask" / "mask-0.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"none of the 1 pictures of .*d can be decoded"):
        seen_of(root)


def test_a_sheet_is_spread_over_the_set_and_drawn_by_the_seed(tmp_path: Path) -> None:
    root = folders(tmp_path / "d", {"mask": 100})
    names = [
        [name for _, name in seen_of(root, seed=seed).sheet_faces["mask"]] for seed in (1, 1, 2)
    ]
    assert names[0] == names[1] != names[2]
    order = [sample.path.name for sample in read_dataset(root, THREE).samples]
    places = [order.index(name) for name in names[0]]
    assert len(places) == FACES_PER_SHEET
    assert all(0 < b - a <= 5 for a, b in itertools.pairwise(places))


def test_the_limit_spreads_over_the_set(tmp_path: Path) -> None:
    seen = seen_of(folders(tmp_path / "d", {"mask": 9, "no_mask": 9}), limit=6)
    assert [face.sample.label for face in seen.faces] == ["mask"] * 3 + ["no_mask"] * 3
    assert seen.left_out == 12


def kaggle_like(root: Path) -> Path:
    inner = {f"{part}/{name}": 3 for part in ("Train", "Test") for name in ("WithMask", "NoMask")}
    return folders(root, inner)


def test_planted_copies_are_found_once_and_those_across_parts_come_first(tmp_path: Path) -> None:
    root = kaggle_like(tmp_path / "d")
    train, test = root / "Train" / "WithMask", root / "Test" / "NoMask"
    shutil.copy(train / "WithMask-0.png", train / "again.png")
    picture = cv2.imread(str(train / "WithMask-1.png"))
    assert cv2.imwrite(str(test / "leak.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 70])
    pairs = find_pairs(seen_of(root).fingerprints)
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


def test_scenes_are_compared_whole_and_face_by_face(tmp_path: Path) -> None:
    """Two scenes share a face; a third is a copy of the first; no scene pairs with itself."""
    face, other = smooth(5, 60), smooth(6, 60)
    scenes = {name: smooth(seed, 200) for name, seed in (("a", 7), ("b", 8))}
    for scene in scenes.values():
        scene[20:80, 20:80] = face
        scene[20:80, 120:180] = face if scene is scenes["a"] else other
    root = datasets.voc(
        tmp_path / "v",
        {n: [("with_mask", (20, 20, 60, 60)), ("without_mask", (120, 20, 60, 60))] for n in "abc"},
    )
    for name, scene in {**scenes, "c": scenes["a"]}.items():
        datasets.save(root / "images" / f"{name}.png", scene)
    pairs = find_pairs(seen_of(root).fingerprints)
    named = {frozenset((p.one.path.stem, p.two.path.stem)) for p in pairs}
    assert len(pairs) == len(named)
    assert frozenset("ac") in named
    assert frozenset("a") not in named


def explored(out: Path, *roots: Path, more: tuple[str, ...] = ()) -> dict[str, Any]:
    assert main(["explore", "--data", *map(str, roots), "--out", str(out), *more]) == 0
    found: dict[str, Any] = json.loads((out / "explore.json").read_bytes())
    return found


def test_the_report_says_what_was_planted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    styled = folders(tmp_path / "styled", {"mask": 60, "no_mask": 30}, {"mask": 0.4})
    even = folders(tmp_path / "even" / "pictures", {"mask": 40, "no_mask": 40})  # wrapped
    lone = folders(tmp_path / "lone", {"IMFD/00000": 2})
    (lone / "IMFD" / "00000" / "00000-0.png").rename(lone / "IMFD" / "00001_Mask_Chin.png")
    shutil.copy(styled / "mask" / "mask-3.png", even / "no_mask" / "no_mask-3.png")
    (styled / "no_mask" / "no_mask-9.png").write_bytes(b"broken")
    found = explored(tmp_path / "out", styled, even.parent, lone)
    told = {row["of"]: row for row in found["told_by_style"]}
    assert told["styled: mask / no_mask"]["brightness"] > 0.95
    assert told["even: mask / no_mask"]["look"] < 0.7
    (pair,) = found["first_pairs"]
    assert sorted(Path(pair[side]).name for side in ("one", "two")) == [
        "mask-3.png",
        "no_mask-3.png",
    ]
    data = {each["name"]: each for each in found["data"]}
    assert data["styled"]["unreadable"] == [str(styled / "no_mask" / "no_mask-9.png")]
    assert data["styled"]["labels"] == {"mask": 60, "no_mask": 29}
    assert data["lone"]["incorrect_kinds"] == {"under the chin": 1}
    said = "\n".join(found["findings"])
    for part in (
        "styled: mask / no_mask: style reveals the label",
        "styled: 1 pictures (1.1%) are unreadable; training will stop",
        "lone: all faces are incorrect_mask",
        "1 pair of near-duplicates between even and styled",
        "1 pair of near-duplicates with different labels",
    ):
        assert part in said
    assert "even: mask / no_mask" not in said
    shown = capsys.readouterr().out
    assert all(finding in shown for finding in found["findings"])
    assert f"report: {tmp_path / 'out' / 'report.html'}" in shown


def test_the_page_opens_by_itself_and_is_kept_private(tmp_path: Path) -> None:
    root = folders(tmp_path / "a & b", {"mask": 30, "no_mask": 30})
    out = tmp_path / "deep" / "out"
    explored(out, root, more=("--classes", "2"))
    page = (out / "report.html").read_text(encoding="utf-8")
    linked = set(re.findall(r'(?:src|href)="([^"]*)"', page))
    files = {path.name for path in out.iterdir()}
    assert linked == files - {"report.html", "explore.json", ".gitignore"}
    assert {"balance.png", "sizes.png", "style.png", "told-by-style.png"} <= linked
    assert "a &amp; b" in page
    assert "do not publish" in page
    assert 'name="viewport"' in page
    assert (out / ".gitignore").read_text() == "*\n"
    for name in linked:
        assert cv2.imread(str(out / name)) is not None


def test_faces_too_small_to_judge_are_still_counted(tmp_path: Path) -> None:
    root = datasets.voc(tmp_path / "v", {"a": [("with_mask", (1, 1, 12, 14))]})
    found = explored(tmp_path / "out", root)
    assert found["data"][0]["too_narrow_share"] == 1
    assert found["data"][0]["annotated_face_width_px"]["median"] == 12
    assert not (tmp_path / "out" / "style.png").exists()


def test_the_same_data_gives_the_same_report(tmp_path: Path) -> None:
    root = folders(tmp_path / "d", {"mask": 30, "no_mask": 30})
    explored(tmp_path / "one", root)
    explored(tmp_path / "two", root)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--data", "nowhere"], 2, "nowhere does not exist"),
        (["--data", "tests"], 2, "expected one of"),
        (["--data", "{}/d", "--out", "{}/d/mask/mask-0.png"], 1, "cannot write to"),
    ],
)
def test_a_users_mistake_is_one_line(
    tmp_path: Path,
    arguments: list[str],
    code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folders(tmp_path / "d", {"mask": 1})
    assert main(["explore", *(text.format(tmp_path) for text in arguments)]) == code
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    assert says in error
