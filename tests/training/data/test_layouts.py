"""Data sets in the layouts in which they are published, and what is said of all others."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.common.errors import UsageError
from tests.support import datasets
from training.cli import main
from training.data.celeba_partition import read_partition, split_in_partition
from training.data.crops import read_picture, training_face
from training.data.datasets import LABELS, DataSet, read_dataset
from training.data.layouts import INCORRECT_KINDS, incorrect_kind, normalised_name
from training.data.splits import Split, family_of, split_of

TWO, THREE = LABELS[2], LABELS[3]


def flat(folder: Path, count: int, suffix: str = ".jpg") -> Path:
    """`count` portraits named as CelebA names them, from 000001 on."""
    rng = np.random.default_rng(4)
    for number in range(1, count + 1):
        datasets.save(folder / f"{number:06}{suffix}", datasets.face("no_mask", rng, 24))
    return folder


def labels_of(data: DataSet) -> dict[str, int]:
    return dict(Counter(sample.label for sample in data.samples))


@pytest.mark.parametrize(
    ("root", "folder"),
    [
        ("celeba", "celeba/img_align_celeba/img_align_celeba"),  # as Kaggle ships it
        ("celeba", "celeba/img_align_celeba"),
        ("CelebA", "CelebA/Img/img_align_celeba"),  # as its authors do
        ("x/img_align_celeba", "x/img_align_celeba"),
        ("celeba-dataset", "celeba-dataset"),
    ],
)
def test_celeba_is_bare_faces(tmp_path: Path, root: str, folder: str) -> None:
    flat(tmp_path / folder, 3)
    (tmp_path / root / "list_attr_celeba.csv").write_text("image_id,Bald\n000001.jpg,-1\n")
    data = read_dataset(tmp_path / root, TWO)
    assert labels_of(data) == {"no_mask": 3}
    assert (data.name, data.root, data.framed) == (Path(root).name, tmp_path / root, False)


def test_a_portrait_of_celebas_shape_is_trained_on_though_no_face_is_found_in_it(
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
    ("list_name", "text"),
    [
        ("list_eval_partition.csv", "image_id,partition\n{0}.jpg,0\n{1}.jpg,1\n{2}.jpg,2\n"),
        ("list_eval_partition.txt", "{0}.jpg 0\n{1}.jpg 1\n{2}.jpg 2\n\n"),
        ("Eval/list_eval_partition.txt", "{0}.png 0\r\n{1}.png 1\r\n{2}.png 2\r\n"),
    ],
)
@pytest.mark.parametrize("given_folder", ["", "img_align_celeba", "img_align_celeba/inner"])
def test_celebas_own_parts_are_kept(
    tmp_path: Path, list_name: str, text: str, given_folder: str
) -> None:
    inner = "img_align_celeba" if given_folder.endswith("inner") else ""
    flat(tmp_path / "celeba" / "img_align_celeba" / inner, 4)
    listed = tmp_path / "celeba" / list_name
    listed.parent.mkdir(exist_ok=True)
    listed.write_text(text.format("000001", "000002", "000003"))
    data = read_dataset(tmp_path / "celeba" / given_folder.replace("inner", inner), TWO)
    parts = {sample.path.stem: sample.split for sample in data.samples}
    assert parts == {
        "000001": Split.TRAIN,
        "000002": Split.VALIDATION,
        "000003": Split.TEST,
        "000004": split_of("000004.jpg"),  # not listed
    }


def test_a_list_of_parts_that_says_something_else_is_named(tmp_path: Path) -> None:
    flat(tmp_path / "celeba", 2)
    (tmp_path / "celeba" / "list_eval_partition.csv").write_text(
        "a,b\n000001.jpg,0\n000002.jpg,7\n"
    )
    with pytest.raises(UsageError, match=r"list_eval_partition\.csv, line 3: .*'000002\.jpg,7'"):
        read_dataset(tmp_path / "celeba", TWO)


@settings(deadline=None)  # it writes files
@given(parts=st.dictionaries(st.from_regex(r"[0-9]{6}", fullmatch=True), st.sampled_from("012")))
def test_a_list_of_parts_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, parts: dict[str, str]
) -> None:
    path = tmp_path_factory.mktemp("list") / "list_eval_partition.csv"
    lines = [f"{name}.jpg,{part}\n" for name, part in parts.items()]
    path.write_text("".join(["image_id,partition\n", *lines]))
    read = read_partition(path)
    assert read == {name: list(Split)[int(part)] for name, part in parts.items()}
    assert all(split_in_partition(read, f"{name}.png") is split for name, split in read.items())


def test_face_mask_12k_may_stay_in_the_folder_that_kaggle_wraps_it_in(tmp_path: Path) -> None:
    root = tmp_path / "face-mask-12k"
    datasets.kaggle(root / "Face Mask Dataset", 2)
    for other in (".complete", "__MACOSX"):
        (root / other).mkdir()
    data = read_dataset(root, TWO)
    assert (data.name, data.layout, data.framed) == ("face-mask-12k", "splits", True)
    assert labels_of(data) == {"mask": 6, "no_mask": 6}


@pytest.mark.parametrize("wrapped", ["", "MaskedFace-Net"])
@pytest.mark.parametrize("names", [("CMFD", "IMFD"), ("CMFD_dataset", "IMFD_dataset")])
def test_maskedface_net_as_published(tmp_path: Path, wrapped: str, names: tuple[str, str]) -> None:
    correct, wrong = (tmp_path / "mfn" / wrapped / name for name in names)
    rng = np.random.default_rng(0)
    for number in (0, 1001, 2002):
        inner = f"{number // 1000:02}000"
        datasets.save(correct / inner / f"{number:05}_Mask.jpg", datasets.face("mask", rng, 24))
        datasets.save(wrong / inner / f"{number:05}_Mask_Chin.jpg", datasets.face("mask", rng, 24))
    assert labels_of(read_dataset(tmp_path / "mfn", THREE)) == {"mask": 3, "incorrect_mask": 3}
    assert labels_of(read_dataset(correct, THREE)) == {"mask": 3}  # one of its parts alone


def test_bare_faces_may_stand_beside_maskedface_nets_folders(tmp_path: Path) -> None:
    datasets.classes(tmp_path, {"CMFD": "mask", "IMFD": "mask", "celeba": "no_mask"}, 2)
    assert labels_of(read_dataset(tmp_path, THREE)) == dict.fromkeys(THREE, 2)


@given(
    st.integers(0, 69999).map("{:05}".format),
    st.sampled_from(["_Mask", *INCORRECT_KINDS]),
    st.sampled_from([".jpg", ".png", " (1).jpg"]),
)
def test_a_face_is_in_one_part_however_maskedface_net_masked_it(
    number: str, mark: str, suffix: str
) -> None:
    assert family_of(f"{number}{mark}{suffix}") == number
    assert split_of(f"{number}{mark}{suffix}") is split_of(f"{number}.png")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("00042_Mask_Mouth_Chin.jpg", "nose bare"),
        ("00042_Mask_Nose_Mouth.jpg", "chin bare"),
        ("00042_Mask_Chin.jpg", "under the chin"),
        ("00042_Mask.jpg", None),
        ("portrait.jpg", None),
    ],
)
def test_maskedface_nets_names_say_how_the_mask_is_worn(name: str, kind: str | None) -> None:
    assert incorrect_kind(name) == kind


@pytest.mark.parametrize("label", THREE)
def test_a_flat_folder_bears_the_label_that_is_said(tmp_path: Path, label: str) -> None:
    flat(tmp_path / "portraits" / "00000", 2)
    data = read_dataset(Path(f"{label}={tmp_path / 'portraits'}"), THREE)
    assert labels_of(data) == {label: 2}
    assert (data.name, data.root, data.layout) == ("portraits", tmp_path / "portraits", "classes")
    assert data.argument is not None
    assert read_dataset(data.argument, THREE) == data


@pytest.mark.parametrize(
    ("said", "complaint"),
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
def test_a_flat_folder_is_never_labelled_by_guessing(
    tmp_path: Path, said: str, complaint: str
) -> None:
    for name in ("portraits", "with_mask", "celeba_masked"):
        flat(tmp_path / name, 1)
    datasets.kaggle(tmp_path / "kaggle", 1)
    datasets.kaggle(tmp_path / "wrapped" / "Face Mask Dataset", 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=complaint):
        read_dataset(Path(said.format(tmp_path)), TWO)


def test_a_folder_of_data_sets_is_not_one(tmp_path: Path) -> None:
    datasets.kaggle(tmp_path / "face-mask-12k", 1)
    datasets.voc(tmp_path / "scenes", {"a": [("with_mask", (1, 1, 40, 48))]})
    with pytest.raises(UsageError, match=r"several data sets: .*face-mask-12k .*scenes"):
        read_dataset(tmp_path, TWO)
    flat(tmp_path / "celeba", 1)  # named after a class, yet not all that there is
    with pytest.raises(UsageError, match=r"several data sets: .*celeba .*face-mask-12k .*scenes"):
        read_dataset(tmp_path, TWO)


def test_folders_that_no_class_is_named_after_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    datasets.classes(tmp_path, {"mask": "mask", "no_mask": "no_mask", "unsure": "mask"}, 1)
    assert len(read_dataset(tmp_path, TWO).samples) == 2
    assert "unsure" in caplog.text


@pytest.mark.parametrize("names", [("images", "annotations"), ("JPEGImages", "Annotations")])
def test_both_names_of_vocs_folders(tmp_path: Path, names: tuple[str, str]) -> None:
    datasets.voc(tmp_path / "v", {"a": [("with_mask", (1, 1, 40, 48))]})
    for old, new in zip(("images", "annotations"), names, strict=True):
        (tmp_path / "v" / old).rename(tmp_path / "v" / new)
    (sample,) = read_dataset(tmp_path / "v", TWO).samples
    assert (sample.path, sample.box_px) == (tmp_path / "v" / names[0] / "a.png", (1, 1, 40, 48))


def many_scenes(root: Path, count: int) -> Path:
    datasets.voc(root, {"s000": [("with_mask", (1, 1, 40, 48))]}, size_px=50)
    for number in range(1, count):
        shutil.copy(root / "images" / "s000.png", root / "images" / f"s{number:03}.png")
        shutil.copy(root / "annotations" / "s000.xml", root / "annotations" / f"s{number:03}.xml")
    return root


def test_a_few_broken_annotations_are_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = many_scenes(tmp_path / "v", 200)
    (root / "images" / "s007.png").unlink()
    (root / "annotations" / "s009.xml").write_text("<annotation>")
    with caplog.at_level(logging.WARNING):
        assert len(read_dataset(root, TWO).samples) == 198
    assert "s007.xml has no picture" in caplog.text
    assert "s009.xml cannot be read" in caplog.text
    (root / "images" / "s011.png").unlink()
    with pytest.raises(UsageError, match=r"s007\.xml has no picture.*3 of 200.*more than 1%"):
        read_dataset(root, TWO)


@given(st.text(" -_aB", max_size=8))
def test_a_name_is_known_however_it_is_spelt(name: str) -> None:
    assert (
        normalised_name(name)
        == normalised_name(normalised_name(name))
        == normalised_name(name.upper())
    )
    assert not set(normalised_name(name)) & set(" -_B")


@pytest.mark.parametrize("command", ["explore", "train", "evaluate"])
def test_help_draws_the_layouts(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "\n    Train/      WithMask/  WithoutMask/\n" in capsys.readouterr().out
