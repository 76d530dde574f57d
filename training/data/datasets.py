"""Folders of pictures as they are published ──► labelled samples."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from edge.common.arrays import Box
from edge.common.errors import UsageError
from training.data.celeba_partition import find_partition, read_partition, split_in_partition
from training.data.layouts import (
    CELEBA_FOLDERS,
    CLASS_FOLDERS,
    EXPECTED,
    PICTURE_SUFFIXES,
    SPLIT_FOLDERS,
    class_folders,
    holds_pictures,
    label_of_folder,
    list_pictures,
    normalised_name,
    split_folders,
    subfolders,
)
from training.data.pascal_voc import is_voc, read_faces
from training.data.splits import Split, split_of

log = logging.getLogger(__name__)

LABELS = {2: ("mask", "no_mask"), 3: ("mask", "no_mask", "incorrect_mask")}


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
    is annotated in a picture, whatever its label, x, y, width, height in pixels. `argument`:
    what `read_dataset` was called with, to read it again: `root`, or LABEL=root.
    """

    name: str
    root: Path
    layout: str
    samples: tuple[Sample, ...]
    framed: bool
    boxes: Mapping[Path, tuple[Box, ...]] = field(default_factory=dict)
    argument: Path | None = None

    def in_split(self, split: Split) -> list[Sample]:
        """The samples of one split."""
        return [sample for sample in self.samples if sample.split is split]


def read_dataset(root: Path, labels: tuple[str, ...]) -> DataSet:
    """The samples under `root` whose label is one of `labels`, in a fixed order.

    `root` may also be `LABEL=FOLDER`: every picture in FOLDER bears that label. Raises
    UsageError naming the folder when it is missing, its layout unknown or a class folder
    empty.
    """
    argument = root
    label, root = _split_label(argument)
    if not root.is_dir():
        raise UsageError(f"the data folder {root} does not exist")
    inner = _unwrap(root)
    layout = _layout(inner)
    boxes: dict[Path, tuple[Box, ...]] = {}
    if label is not None:
        samples = list(_flat_samples(root, label, inner))
        layout = "classes"
    elif layout == "voc":
        annotated = dict(read_faces(inner))
        samples = list(_voc_samples(annotated))
        boxes = {path: tuple(box for _, box in faces) for path, faces in annotated.items()}
    elif layout == "splits":
        samples = [
            s for folder, split in split_folders(inner) for s in _class_samples(folder, split)
        ]
    elif layout == "classes":
        samples = list(_class_samples(inner, None))
    else:
        raise UsageError(_unknown_layout(root))
    kept = tuple(sample for sample in samples if sample.label in labels)
    if not kept:
        found = ", ".join(sorted({sample.label for sample in samples})) or "nothing"
        raise UsageError(f"the data folder {root} holds {found}, but none of {', '.join(labels)}")
    return DataSet(_data_set_name(root), root, layout, kept, layout == "splits", boxes, argument)


def read_datasets(roots: list[Path], labels: tuple[str, ...]) -> list[DataSet]:
    """Each of `roots` as `read_dataset` reads it; raises UsageError too when two are one."""
    check_distinct(roots)
    return [read_dataset(root, labels) for root in roots]


def check_distinct(roots: list[Path]) -> None:
    """Raises UsageError when one folder stands in `roots` twice: its faces would count double."""
    places = Counter(_split_label(root)[1].resolve() for root in roots)
    for folder, times in places.items():
        if times > 1:
            raise UsageError(f"the data folder {folder} is named {times} times: name it once")


def check_classes(datasets: list[DataSet], split: Split, labels: tuple[str, ...]) -> None:
    """Raises UsageError when `split` of all `datasets` together lacks one of `labels`."""
    count = Counter(sample.label for data in datasets for sample in data.in_split(split))
    missing = [label for label in labels if not count[label]]
    if missing:
        places = ", ".join(str(data.root) for data in datasets)
        raise UsageError(
            f"the {split} part of {places} has no picture of {', '.join(missing)}:"
            f" a model needs examples of each of {', '.join(labels)}"
        )


def _data_set_name(root: Path) -> str:
    path = root.resolve()
    if path.name.lower() in SPLIT_FOLDERS:
        return f"{path.parent.name}/{path.name}"
    return path.name


def _split_label(root: Path) -> tuple[str | None, Path]:
    """The label and the folder in `no_mask=FOLDER`; an existing folder is itself."""
    label, is_said, folder = str(root).partition("=")
    if root.is_dir() or not is_said:
        return None, root
    if label not in LABELS[3]:
        raise UsageError(f"{root}: before = stands one of {', '.join(LABELS[3])}")
    return label, Path(folder)


def _layout(root: Path) -> str | None:
    """`voc`, `splits` or `classes`; a folder of pictures named after a class is the latter."""
    if is_voc(root):
        return "voc"
    if split_folders(root):
        return "splits"
    if class_folders(root) or (label_of_folder(root) is not None and holds_pictures(root)):
        return "classes"
    return None


def _unwrap(root: Path) -> Path:
    """`root`, or the one folder in it, or in that: archives often wrap what they hold."""
    for _ in range(2):
        inside = subfolders(root)
        if _layout(root) is not None or len(inside) != 1:
            return root
        root = inside[0]
    return root


def _unknown_layout(root: Path) -> str:
    known = [path for path in subfolders(root) if _layout(_unwrap(path)) is not None]
    if known:
        named = " ".join(str(path) for path in known)
        return f"the data folder {root} holds several data sets: name each, as --data {named}"
    return f"the data folder {root} has no layout that is known here; {EXPECTED}"


def _class_samples(root: Path, split: Split | None) -> Iterator[Sample]:
    """All class folders in `root`, or `root` itself where that is one."""
    found = class_folders(root)
    for folder, label in found or [(root, str(label_of_folder(root)))]:
        inside = list_pictures(folder)
        if not inside:
            raise UsageError(
                f"the class folder {folder} holds no picture ({', '.join(PICTURE_SUFFIXES)});"
                f" {EXPECTED}"
            )
        split_of_name = _split_rule(folder)
        for path in inside:
            yield Sample(path, label, split or split_of_name(path.name))
    if found:
        _check_other_folders(root, {folder for folder, _ in found})


def _check_other_folders(root: Path, used: set[Path]) -> None:
    """What stands beside class folders: a data set of its own is an error, the rest is named."""
    others = [path for path in subfolders(root) if path not in used]
    if any(_layout(_unwrap(path)) is not None for path in others):
        raise UsageError(_unknown_layout(root))
    if others:
        names = ", ".join(path.name for path in others)
        log.warning("%s: not named after a class, so not used: %s", root, names)


def _split_rule(folder: Path) -> Callable[[str], Split]:
    """What parts the pictures of a class folder: CelebA's own list, or their names."""
    listed = find_partition(folder) if normalised_name(folder.name) in CELEBA_FOLDERS else None
    return split_of if listed is None else partial(split_in_partition, read_partition(listed))


def _flat_samples(folder: Path, label: str, inner: Path) -> Iterator[Sample]:
    named = {found for _, found in class_folders(inner)} | {label_of_folder(folder) or label}
    if _layout(inner) in ("voc", "splits") or named != {label}:
        raise UsageError(
            f"{folder} says by its folders which pictures are what: give --data {folder},"
            f" not {label}={folder}"
        )
    inside = list_pictures(folder)
    if not inside:
        raise UsageError(f"the folder {folder} holds no picture ({', '.join(PICTURE_SUFFIXES)})")
    split_of_name = _split_rule(folder)
    for path in inside:
        yield Sample(path, label, split_of_name(path.name))


def _voc_samples(annotated: Mapping[Path, list[tuple[str, Box]]]) -> Iterator[Sample]:
    for picture, faces in annotated.items():
        for name, box_px in faces:
            label = CLASS_FOLDERS.get(normalised_name(name))
            if label is not None:
                yield Sample(picture, label, split_of(picture.name), box_px)
