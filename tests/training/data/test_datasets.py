from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.common.errors import UsageError
from tests.support import datasets
from training.data.datasets import LABELS, check_classes, read_dataset
from training.data.splits import Split, family_of, split_of

TWO, THREE = LABELS[2], LABELS[3]
#: The second letters of train, validation, test: recorded once, they may never change.
SPLITS_OF_0_TO_11 = "rrrrarrreear"


def test_kaggle_folders_keep_their_splits(tmp_path: Path) -> None:
    data = read_dataset(datasets.kaggle(tmp_path / "face-mask-12k", 3), TWO)
    found = Counter((s.split, s.label) for s in data.samples)
    assert found == {(split, label): 3 for split in Split for label in TWO}
    assert (data.name, data.layout, data.framed) == ("face-mask-12k", "splits", True)


@pytest.mark.parametrize(
    "folders",
    [
        {"with_mask": "mask", "without_mask": "no_mask"},
        {"WithMask": "mask", "WithoutMask": "no_mask"},
        {"mask": "mask", "no_mask": "no_mask"},
        {"Mask": "mask", "No Mask": "no_mask"},
    ],
)
def test_class_folders_by_their_known_names(tmp_path: Path, folders: dict[str, str]) -> None:
    data = read_dataset(datasets.classes(tmp_path, folders, 4), TWO)
    assert Counter(s.label for s in data.samples) == {"mask": 4, "no_mask": 4}
    assert all(folders[s.path.parent.name] == s.label for s in data.samples)


def test_maskedface_net_nests_numbered_folders(tmp_path: Path) -> None:
    datasets.classes(tmp_path, {"CMFD/00000": "mask", "IMFD/01000": "no_mask"}, 2)
    three = read_dataset(tmp_path, THREE)
    assert Counter(s.label for s in three.samples) == {"mask": 2, "incorrect_mask": 2}
    assert {s.label for s in read_dataset(tmp_path, TWO).samples} == {"mask"}


def test_voc_gives_each_face_its_box_and_its_pictures_split(tmp_path: Path) -> None:
    scenes = {
        f"scene{i}": [("with_mask", (10.0, 20.0, 40.0, 50.0)), ("without_mask", (90, 20, 40, 44))]
        for i in range(12)
    }
    scenes["mixed"] = [("mask_weared_incorrect", (10, 10, 40, 48)), ("with_mask", (80, 9, 40, 41))]
    data = read_dataset(datasets.voc(tmp_path, scenes), TWO)
    assert len(data.samples) == 25
    assert data.samples[1].box_px == (10.0, 20.0, 40.0, 50.0)
    by_picture: dict[Path, set[Split]] = {}
    for sample in data.samples:
        by_picture.setdefault(sample.path, set()).add(sample.split)
    assert all(len(splits) == 1 for splits in by_picture.values())
    assert len({s for splits in by_picture.values() for s in splits}) > 1


def test_split_of_a_name_never_changes() -> None:
    names = [f"{i}.jpg" for i in range(12)]
    letters = "".join(split_of(name).value[1] for name in names)
    assert letters == SPLITS_OF_0_TO_11
    shares = Counter(split_of(f"picture-{i}.jpg") for i in range(4000))
    assert shares[Split.TEST] / 4000 == pytest.approx(0.20, abs=0.03)
    assert shares[Split.VALIDATION] / 4000 == pytest.approx(0.10, abs=0.03)


@given(
    st.text("abc019_", min_size=1), st.sampled_from([" copy", " copy 12", " (3)", " - Copy (2)"])
)
def test_a_copy_goes_where_its_original_goes(stem: str, mark: str) -> None:
    assert family_of(f"{stem}{mark}.png") == family_of(f"{stem}.jpg") == stem
    assert split_of(f"{stem}{mark}.jpg") is split_of(f"{stem}.jpg")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere does not exist"):
        read_dataset(tmp_path / "nowhere", TWO)


def test_an_unknown_layout_says_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    with pytest.raises(UsageError, match=r"WithMask.*annotations") as caught:
        read_dataset(tmp_path, TWO)
    assert str(tmp_path) in str(caught.value)


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    datasets.classes(tmp_path, {"with_mask": "mask"}, 2)
    (tmp_path / "without_mask").mkdir()
    with pytest.raises(UsageError, match=r"without_mask holds no picture"):
        read_dataset(tmp_path, TWO)


def test_a_single_class_is_not_enough(tmp_path: Path) -> None:
    data = read_dataset(datasets.classes(tmp_path, {"with_mask": "mask"}, 30), TWO)
    with pytest.raises(UsageError, match=r"has no picture of no_mask"):
        check_classes([data], Split.TRAIN, TWO)


@pytest.mark.parametrize(
    ("annotation", "complaint"),
    [
        ("<annotation><object>", "cannot be read"),
        ("<annotation><object><name>with_mask</name></object></annotation>", "bndbox"),
        (f"<annotation>{datasets.OBJECT.format('with_mask', 9, 9, 9, 20)}</annotation>", "no area"),
    ],
)
def test_a_broken_annotation_is_named(tmp_path: Path, annotation: str, complaint: str) -> None:
    datasets.voc(tmp_path, {"one": [("with_mask", (10, 10, 40, 48))]})
    (tmp_path / "annotations" / "one.xml").write_text(annotation)
    with pytest.raises(UsageError, match=rf"one\.xml.*{complaint}"):
        read_dataset(tmp_path, TWO)


def test_an_annotation_without_its_picture_is_named(tmp_path: Path) -> None:
    datasets.voc(tmp_path, {"one": [("with_mask", (10, 10, 40, 48))]})
    (tmp_path / "images" / "one.png").unlink()
    with pytest.raises(UsageError, match=r"one\.xml has no picture"):
        read_dataset(tmp_path, TWO)


def test_every_annotated_box_is_known_whatever_its_label(tmp_path: Path) -> None:
    """A face that this model is not taught is still no place without a face."""
    worn_wrong, masked, other = (10, 10, 40, 48), (80, 9, 40, 41), (9, 90, 40, 41)
    faces = [("mask_weared_incorrect", worn_wrong), ("with_mask", masked), ("dog", other)]
    data = read_dataset(datasets.voc(tmp_path, {"mixed": faces}), TWO)
    assert [sample.box_px for sample in data.samples] == [masked]
    assert list(data.boxes.values()) == [(worn_wrong, masked, other)]
