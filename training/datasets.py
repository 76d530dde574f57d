"""Folders of pictures as they are published ──► labelled samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import UsageError
from edge.framing import Box
from training.splits import Split, split_of
from training.voc import is_voc, read_faces

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")

#: Class folders as published data sets name them, in lower case without `_`, `-` and blanks.
CLASS_FOLDERS = {
    **dict.fromkeys(("mask", "withmask", "cmfd", "masked", "correctmask"), "mask"),
    **dict.fromkeys(("nomask", "withoutmask", "unmasked"), "no_mask"),
    **dict.fromkeys(("incorrectmask", "imfd", "maskwearedincorrect"), "incorrect_mask"),
}
SPLIT_FOLDERS = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "validation": Split.VALIDATION,
    "val": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "test": Split.TEST,
    "testing": Split.TEST,
}
LABELS = {2: ("mask", "no_mask"), 3: ("mask", "no_mask", "incorrect_mask")}
EXPECTED = (
    "expected one of: {Train,Validation,Test}/{WithMask,WithoutMask}/ as Kaggle's"
    " face-mask-12k ships; class folders such as with_mask/ and without_mask/, mask/ and"
    " no_mask/, CMFD/ and IMFD/; images/ with annotations/*.xml (Pascal VOC)"
)


@dataclass(frozen=True)
class Sample:
    """One labelled face: a whole picture (`box_px` None) or an annotated box in one."""

    path: Path
    label: str
    split: Split
    box_px: Box | None = None


@dataclass(frozen=True)
class DataSet:
    """What one folder holds.

    `framed`: its pictures are crops with no scene around the face. `boxes`: every box that
    is annotated in a picture, whatever its label, x, y, width, height in pixels.
    """

    name: str
    root: Path
    layout: str
    samples: tuple[Sample, ...]
    framed: bool
    boxes: Mapping[Path, tuple[Box, ...]] = field(default_factory=dict)

    def part(self, split: Split) -> list[Sample]:
        """The samples of one split."""
        return [sample for sample in self.samples if sample.split is split]


def read_dataset(root: Path, labels: tuple[str, ...]) -> DataSet:
    """The samples under `root` whose label is one of `labels`, in a fixed order.

    Raises UsageError naming the folder when it is missing, its layout unknown or a
    class folder empty.
    """
    if not root.is_dir():
        raise UsageError(f"the data folder {root} does not exist")
    boxes: dict[Path, tuple[Box, ...]] = {}
    if is_voc(root):
        annotated = dict(read_faces(root))
        layout, framed, samples = "voc", False, list(_voc_samples(annotated))
        boxes = {path: tuple(box for _, box in faces) for path, faces in annotated.items()}
    elif _split_folders(root):
        layout, framed, samples = "splits", True, list(_split_samples(root))
    elif _class_folders(root):
        layout, framed, samples = "classes", False, list(_class_samples(root, None))
    else:
        raise UsageError(f"the data folder {root} has no layout that is known here; {EXPECTED}")
    kept = tuple(sample for sample in samples if sample.label in labels)
    if not kept:
        found = ", ".join(sorted({sample.label for sample in samples})) or "nothing"
        raise UsageError(f"the data folder {root} holds {found}, but none of {', '.join(labels)}")
    return DataSet(_name(root), root, layout, kept, framed, boxes)


def check_classes(datasets: list[DataSet], split: Split, labels: tuple[str, ...]) -> None:
    """Raises UsageError when `split` of all `datasets` together lacks one of `labels`."""
    count = Counter(sample.label for data in datasets for sample in data.part(split))
    missing = [label for label in labels if not count[label]]
    if missing:
        places = ", ".join(str(data.root) for data in datasets)
        raise UsageError(
            f"the {split} part of {places} has no picture of {', '.join(missing)}:"
            f" a model needs examples of each of {', '.join(labels)}"
        )


def _name(root: Path) -> str:
    path = root.resolve()
    if path.name.lower() in SPLIT_FOLDERS:
        return f"{path.parent.name}/{path.name}"
    return path.name


def _key(folder: Path) -> str:
    return folder.name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir())


def _class_folders(root: Path) -> list[tuple[Path, str]]:
    named = ((path, CLASS_FOLDERS.get(_key(path))) for path in _folders(root))
    return [(path, label) for path, label in named if label is not None]


def _split_folders(root: Path) -> list[tuple[Path, Split]]:
    named = ((path, SPLIT_FOLDERS.get(path.name.lower())) for path in _folders(root))
    return [(path, split) for path, split in named if split is not None and _class_folders(path)]


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)


def _class_samples(root: Path, split: Split | None) -> Iterator[Sample]:
    for folder, label in _class_folders(root):
        pictures = _pictures(folder)
        if not pictures:
            raise UsageError(
                f"the class folder {folder} holds no picture ({', '.join(PICTURES)}); {EXPECTED}"
            )
        for path in pictures:
            yield Sample(path, label, split or split_of(path.name))


def _split_samples(root: Path) -> Iterator[Sample]:
    for folder, split in _split_folders(root):
        yield from _class_samples(folder, split)


def _voc_samples(annotated: Mapping[Path, list[tuple[str, Box]]]) -> Iterator[Sample]:
    for picture, faces in annotated.items():
        for name, box_px in faces:
            label = CLASS_FOLDERS.get(name.lower().replace("_", "").replace("-", ""))
            if label is not None:
                yield Sample(picture, label, split_of(picture.name), box_px)
