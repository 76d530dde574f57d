"""Face crops, which are equal in evaluation, in training and on the Pi; and unreadable pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.classification.face_crop import crop_face, resize_crop
from edge.common.arrays import Box, Pixels
from edge.common.errors import UserError
from tests.support.footage.pictures import frames_without_mask
from tests.support.training import datasets
from training.data.crops import (
    decode_samples,
    detector_box,
    evaluation_crop,
    read_picture,
    training_face,
)
from training.data.datasets import LABELS, DataSet, Sample, read_dataset
from training.data.detector_simulation import (
    MARGIN,
    box_of_annotation,
)
from training.data.splits import Split

SIZE = (96, 96)


def test_evaluation_crop_equals_crop_on_pi() -> None:
    image = datasets.pattern(300)
    sample = Sample(Path("a.png"), "mask", Split.TEST, (120.0, 90.0, 50.0, 62.0))
    crop = evaluation_crop(sample, image)
    assert crop is not None
    box = box_of_annotation((120.0, 90.0, 50.0, 62.0))
    np.testing.assert_array_equal(crop, crop_face(image, box, MARGIN, SIZE))


def test_too_narrow_face_has_no_crop() -> None:
    sample = Sample(Path("a.png"), "mask", Split.TEST, (120.0, 90.0, 27.9, 40.0))
    assert evaluation_crop(sample, datasets.pattern(300)) is None


@pytest.mark.parametrize("box", [(120.0, 90.0, 50.0, 62.0), (2.0, 1.0, 150.0, 180.0)])
def test_training_face_keeps_the_face_visible(box: Box) -> None:
    image = datasets.pattern(400)
    data = DataSet("d", Path(), "voc", (), framed=False)
    sample = Sample(Path("a.png"), "mask", Split.TRAIN, box)
    face = training_face(data, sample, image)
    expected = evaluation_crop(sample, image)
    assert face is not None
    assert expected is not None
    assert max(face.image.shape) <= 250
    shown = crop_face(face.image, face.box_px, MARGIN, SIZE)
    assert np.abs(shown.astype(int) - expected).mean() < 3


def class_folders(root: Path, picture: Pixels, folders: tuple[str, ...]) -> DataSet:
    for folder in folders:
        (root / folder).mkdir(parents=True)
        assert cv2.imwrite(str(root / folder / "a.png"), picture)
    return read_dataset(root, LABELS[2])


def test_face_in_a_class_folder_is_cropped_where_the_network_finds_it(tmp_path: Path) -> None:
    """The person in the demo clip takes a sixth of the width: the whole picture is no face crop."""
    picture = frames_without_mask()[0]
    data = class_folders(tmp_path, picture, ("mask", "no_mask"))
    ((sample, image),) = decode_samples(data, data.samples[:1], list)
    box = detector_box(sample)
    assert box is not None
    assert 0.05 < box[2] / picture.shape[1] < 0.4
    np.testing.assert_array_equal(
        evaluation_crop(sample, image), crop_face(image, box, MARGIN, SIZE)
    )
    face = training_face(data, sample, image)
    assert face is not None
    assert not face.annotated
    assert np.isclose(face.box_px[2] / face.box_px[3], 1.0)
    assert max(face.image.shape) <= 250


def test_face_crops_are_taken_whole(tmp_path: Path) -> None:
    """A data set with split folders consists of face crops, and in noise there is no face."""
    splits = ("Train/mask", "Train/no_mask", "Validation/mask", "Test/mask")
    framed = class_folders(tmp_path / "framed", frames_without_mask()[0], splits)
    noise = np.random.default_rng(1).integers(0, 255, (120, 120, 3), np.uint8)
    empty = class_folders(tmp_path / "empty", noise, ("mask", "no_mask"))
    for data in (framed, empty):
        ((sample, image),) = decode_samples(data, data.samples[:1], list)
        assert detector_box(sample) is None
        np.testing.assert_array_equal(evaluation_crop(sample, image), resize_crop(image, SIZE))


def corrupt(tmp_path: Path, pictures: int, broken: int) -> DataSet:
    root = datasets.classes(tmp_path, {"mask": "mask", "no_mask": "no_mask"}, pictures)
    for index in range(broken):
        (root / "mask" / f"mask{index}.jpg").write_bytes(b"\xff\xd8 not a picture")
    return read_dataset(root, LABELS[2])


def test_few_corrupt_pictures_are_logged_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = corrupt(tmp_path, 60, 1)
    assert len(list(decode_samples(data, data.samples, list))) == 119
    assert "mask0.jpg" in caplog.text


def test_many_corrupt_pictures_are_an_error(tmp_path: Path) -> None:
    data = corrupt(tmp_path, 60, 2)
    with pytest.raises(UserError, match=r"2 of 120 .*mask0\.jpg"):
        list(decode_samples(data, data.samples, list))


def test_unreadable_pictures_count_over_the_data_set(tmp_path: Path) -> None:
    """One of 240 is few, though it is one of only 24 in its split; three are many in any split."""
    root = datasets.classes(tmp_path, {"mask": "mask", "no_mask": "no_mask"}, 120)
    data = read_dataset(root, LABELS[2])
    parts = [data.in_split(split) for split in Split]
    broken = [part[0].path for part in parts]
    assert all(0.01 * len(part) < 1 for part in parts[1:])
    broken[1].write_bytes(b"\xff\xd8 not a picture")
    for part in parts:
        read = len(list(decode_samples(data, part, list)))
        assert read == len(part) - sum(sample.path in broken[1:2] for sample in part)
    for path in broken:
        path.write_bytes(b"\xff\xd8 not a picture")
    data = read_dataset(root, LABELS[2])
    for part in parts[:2]:
        list(decode_samples(data, part, list))
    with pytest.raises(UserError, match="3 of 240"):
        list(decode_samples(data, parts[2], list))


def test_pictures_with_other_labels_count(tmp_path: Path) -> None:
    folders = {"mask": "mask", "no_mask": "no_mask", "incorrect_mask": "incorrect_mask"}
    root = datasets.classes(tmp_path, folders, 70)
    for index in range(2):
        (root / "mask" / f"mask{index}.jpg").write_bytes(b"")
    data = read_dataset(root, LABELS[2])
    assert len(list(decode_samples(data, data.samples, list))) == 138  # 2 of 210, not of 140


def test_sample_without_any_readable_picture_is_an_error(tmp_path: Path) -> None:
    data = corrupt(tmp_path, 200, 1)
    (broken,) = (s for s in data.samples if s.path.name == "mask0.jpg")
    with pytest.raises(UserError, match=r"none of the 1 pictures .*mask0\.jpg"):
        list(decode_samples(data, [broken], list))


@pytest.mark.slow
def test_picture_with_too_many_pixels_is_left_out(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "bomb.png"), np.zeros((20_000, 20_000), np.uint8))
    assert read_picture(tmp_path / "bomb.png") is None


TWO, THREE = LABELS[2], LABELS[3]


def test_portrait_without_detection_is_taken_whole(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    datasets.save(tmp_path / "celeba" / "000001.png", rng.integers(0, 256, (218, 178, 3), np.uint8))
    data = read_dataset(tmp_path / "celeba", TWO)
    image = read_picture(data.samples[0].path)
    assert image is not None
    face = training_face(data, data.samples[0], image)
    assert face is not None
    assert (face.label, face.annotated) == ("no_mask", False)


@pytest.mark.parametrize(
    "corner", [(250.0, 50.0), (-90.0, 50.0), (50.0, 250.0), (50.0, -90.0)], ids=str
)
def test_annotated_face_outside_its_picture_is_named(
    corner: tuple[float, float], tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), datasets.pattern(200))
    inside, outside, narrow = (
        Sample(tmp_path / "a.png", "mask", Split.TRAIN, (*at, side, side))
        for at, side in (((50.0, 50.0), 40.0), (corner, 40.0), (corner, 10.0))
    )
    data = DataSet("d", tmp_path, "voc", (inside, outside, narrow), framed=False)
    assert len(list(decode_samples(data, [inside, narrow], list))) == 2
    left, top = (f"{value:g}" for value in corner)
    with pytest.raises(UserError, match=rf"a\.png is invalid: box {left},{top} to .*200x200"):
        list(decode_samples(data, [outside], list))
