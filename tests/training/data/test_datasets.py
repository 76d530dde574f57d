"""Data sets read from each layout, and the errors for folders that are not data sets."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edge.common.errors import UsageError
from tests.support.training import datasets
from training.data.datasets import LABELS, DataSet, check_classes, read_dataset
from training.data.splits import Split

TWO, THREE = LABELS[2], LABELS[3]


def test_split_folders_keep_their_splits(tmp_path: Path) -> None:
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
def test_class_folders_have_known_names(tmp_path: Path, folders: dict[str, str]) -> None:
    data = read_dataset(datasets.classes(tmp_path, folders, 4), TWO)
    assert Counter(s.label for s in data.samples) == {"mask": 4, "no_mask": 4}
    assert all(folders[s.path.parent.name] == s.label for s in data.samples)


def test_reads_numbered_folders_of_maskedface_net(tmp_path: Path) -> None:
    datasets.classes(tmp_path, {"CMFD/00000": "mask", "IMFD/01000": "no_mask"}, 2)
    three = read_dataset(tmp_path, THREE)
    assert Counter(s.label for s in three.samples) == {"mask": 2, "incorrect_mask": 2}
    assert {s.label for s in read_dataset(tmp_path, TWO).samples} == {"mask"}


def test_voc_faces_have_boxes_and_their_pictures_split(tmp_path: Path) -> None:
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


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere does not exist"):
        read_dataset(tmp_path / "nowhere", TWO)


def test_unknown_layout_lists_expected_ones(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    with pytest.raises(UsageError, match=r"WithMask.*annotations") as caught:
        read_dataset(tmp_path, TWO)
    assert str(tmp_path) in str(caught.value)


def test_empty_class_folder_is_named(tmp_path: Path) -> None:
    datasets.classes(tmp_path, {"with_mask": "mask"}, 2)
    (tmp_path / "without_mask").mkdir()
    with pytest.raises(UsageError, match=r"without_mask holds no picture"):
        read_dataset(tmp_path, TWO)


def test_missing_class_is_named(tmp_path: Path) -> None:
    data = read_dataset(datasets.classes(tmp_path, {"with_mask": "mask"}, 30), TWO)
    with pytest.raises(UsageError, match=r"has no picture of no_mask"):
        check_classes([data], Split.TRAIN, TWO)


def test_boxes_of_other_labels_are_kept(tmp_path: Path) -> None:
    """Boxes whose labels the model lacks are kept, so that no empty box is sampled there."""
    worn_wrong, masked, other = (10, 10, 40, 48), (80, 9, 40, 41), (9, 90, 40, 41)
    faces = [("mask_weared_incorrect", worn_wrong), ("with_mask", masked), ("dog", other)]
    data = read_dataset(datasets.voc(tmp_path, {"mixed": faces}), TWO)
    assert [sample.box_px for sample in data.samples] == [masked]
    assert list(data.boxes.values()) == [(worn_wrong, masked, other)]


def labels_of(data: DataSet) -> dict[str, int]:
    return dict(Counter(sample.label for sample in data.samples))


@pytest.mark.parametrize(
    ("root", "folder"),
    [
        ("celeba", "celeba/img_align_celeba/img_align_celeba"),  # as on Kaggle
        ("celeba", "celeba/img_align_celeba"),
        ("CelebA", "CelebA/Img/img_align_celeba"),  # as CelebA's authors publish it
        ("x/img_align_celeba", "x/img_align_celeba"),
        ("celeba-dataset", "celeba-dataset"),
    ],
)
def test_celeba_faces_are_bare(tmp_path: Path, root: str, folder: str) -> None:
    datasets.portraits(tmp_path / folder, 3)
    (tmp_path / root / "list_attr_celeba.csv").write_text("image_id,Bald\n000001.jpg,-1\n")
    data = read_dataset(tmp_path / root, TWO)
    assert labels_of(data) == {"no_mask": 3}
    assert (data.name, data.root, data.framed) == (Path(root).name, tmp_path / root, False)


def test_wrapped_face_mask_12k_is_read(tmp_path: Path) -> None:
    root = tmp_path / "face-mask-12k"
    datasets.kaggle(root / "Face Mask Dataset", 2)
    for other in (".complete", "__MACOSX"):
        (root / other).mkdir()
    data = read_dataset(root, TWO)
    assert (data.name, data.layout, data.framed) == ("face-mask-12k", "splits", True)
    assert labels_of(data) == {"mask": 6, "no_mask": 6}


@pytest.mark.parametrize("wrapped", ["", "MaskedFace-Net"])
@pytest.mark.parametrize("names", [("CMFD", "IMFD"), ("CMFD_dataset", "IMFD_dataset")])
def test_maskedface_net_is_read_as_published(
    tmp_path: Path, wrapped: str, names: tuple[str, str]
) -> None:
    correct, wrong = (tmp_path / "mfn" / wrapped / name for name in names)
    rng = np.random.default_rng(0)
    for number in (0, 1001, 2002):
        inner = f"{number // 1000:02}000"
        datasets.save(correct / inner / f"{number:05}_Mask.jpg", datasets.face("mask", rng, 24))
        datasets.save(wrong / inner / f"{number:05}_Mask_Chin.jpg", datasets.face("mask", rng, 24))
    assert labels_of(read_dataset(tmp_path / "mfn", THREE)) == {"mask": 3, "incorrect_mask": 3}
    # A class folder alone is a data set as well.
    assert labels_of(read_dataset(correct, THREE)) == {"mask": 3}


def test_celeba_may_be_beside_maskedface_net(tmp_path: Path) -> None:
    datasets.classes(tmp_path, {"CMFD": "mask", "IMFD": "mask", "celeba": "no_mask"}, 2)
    assert labels_of(read_dataset(tmp_path, THREE)) == dict.fromkeys(THREE, 2)


@pytest.mark.parametrize("label", THREE)
def test_flat_folder_has_the_given_label(tmp_path: Path, label: str) -> None:
    datasets.portraits(tmp_path / "portraits" / "00000", 2)
    data = read_dataset(Path(f"{label}={tmp_path / 'portraits'}"), THREE)
    assert labels_of(data) == {label: 2}
    assert (data.name, data.root, data.layout) == ("portraits", tmp_path / "portraits", "classes")
    assert data.argument is not None
    assert read_dataset(data.argument, THREE) == data


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("no_mask={}/nowhere", "nowhere does not exist"),
        ("bare={}/portraits", "one of mask, no_mask, incorrect_mask"),
        ("no_mask={}/with_mask", "define the labels"),
        ("no_mask={}/kaggle", "define the labels"),
        ("no_mask={}/wrapped", "define the labels"),
        ("no_mask={}/empty", "empty holds no picture"),
        ("{}/portraits", "no_mask=FOLDER"),
        ("{}/celeba_masked", "no_mask=FOLDER"),
    ],
)
def test_label_of_flat_folder_is_never_guessed(tmp_path: Path, argument: str, message: str) -> None:
    for name in ("portraits", "with_mask", "celeba_masked"):
        datasets.portraits(tmp_path / name, 1)
    datasets.kaggle(tmp_path / "kaggle", 1)
    datasets.kaggle(tmp_path / "wrapped" / "Face Mask Dataset", 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=message):
        read_dataset(Path(argument.format(tmp_path)), TWO)


def test_folder_of_several_data_sets_is_refused(tmp_path: Path) -> None:
    datasets.kaggle(tmp_path / "face-mask-12k", 1)
    datasets.voc(tmp_path / "scenes", {"a": [("with_mask", (1, 1, 40, 48))]})
    with pytest.raises(UsageError, match=r"several data sets: .*face-mask-12k .*scenes"):
        read_dataset(tmp_path, TWO)
    # `celeba` is a class folder, but the other folders are data sets
    datasets.portraits(tmp_path / "celeba", 1)
    with pytest.raises(UsageError, match=r"several data sets: .*celeba .*face-mask-12k .*scenes"):
        read_dataset(tmp_path, TWO)


def test_other_folders_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    datasets.classes(tmp_path, {"mask": "mask", "no_mask": "no_mask", "unsure": "mask"}, 1)
    assert len(read_dataset(tmp_path, TWO).samples) == 2
    assert "unsure" in caplog.text
