"""Folders of pictures, as they are published, read as labelled samples."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from edge.common.arrays import Box
from edge.common.errors import UsageError
from training.data.boxes_jsonl import is_jsonl, read_lines
from training.data.celeba_partition import find_partition, read_partition, split_in_partition
from training.data.layouts import (
    CELEBA_FOLDERS,
    CLASS_FOLDERS,
    EXPECTED,
    SPLIT_FOLDERS,
    class_folders,
    holds_pictures,
    label_of_folder,
    list_pictures,
    no_picture,
    normalised_name,
    split_folders,
    subfolders,
)
from training.data.pascal_voc import is_voc, read_faces
from training.data.splits import Split, split_of

log = logging.getLogger(__name__)

#: The layouts of pictures in which every face is boxed.
BOXED = ("jsonl", "voc")
LABELS = {2: ("mask", "no_mask"), 3: ("mask", "no_mask", "incorrect_mask")}


@dataclass(frozen=True)
class Sample:
    """One labelled face: a whole picture (`box_px` None) or an annotated box in a picture.

    `found_px` is the box in which the daemon's network finds the only face of a whole picture, or
    None. `training.data.crops.decode_samples` looks for it.
    """

    path: Path
    label: str
    split: Split
    box_px: Box | None = None
    found_px: Box | None = None


@dataclass(frozen=True)
class DataSet:
    """The content of one folder.

    `framed`: the pictures are face crops without a scene around the face. `boxes`: all annotated
    boxes of each picture, whatever their labels, as x, y, width, height in pixels. `argument`: the
    argument of `read_dataset` that reads this folder again: `root`, or LABEL=root. `pictures`: the
    number of pictures in the folder, whatever their labels. `unreadable`: those that could not be
    decoded so far, in any part of the data set; `training.data.crops.decode_samples` adds to it.
    """

    name: str
    root: Path
    layout: str
    samples: tuple[Sample, ...]
    framed: bool
    boxes: Mapping[Path, tuple[Box, ...]] = field(default_factory=dict)
    argument: Path | None = None
    pictures: int = 0
    unreadable: set[Path] = field(default_factory=set, compare=False, repr=False)

    def in_split(self, split: Split) -> list[Sample]:
        """Return the samples of one split."""
        return [sample for sample in self.samples if sample.split is split]


def read_dataset(root: Path, labels: tuple[str, ...]) -> DataSet:
    """Return the samples below `root` that have one of `labels`, in a fixed order.

    `root` may also be `LABEL=FOLDER`, which gives every picture in FOLDER this label. Raises
    UsageError naming the folder if it does not exist, has an unknown layout, or has an empty class
    folder.
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
    elif layout in BOXED:
        annotated = dict(read_faces(inner) if layout == "voc" else _read_jsonl(inner))
        samples = list(_boxed_samples(annotated))
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
        hint = "; `python -m training label` gives boxes of class face a label"
        raise UsageError(
            f"the data folder {root} has pictures of {found}, but of none of {', '.join(labels)}"
            + hint * (layout == "jsonl")
        )
    pictures = len({sample.path for sample in samples} | boxes.keys())
    return DataSet(
        _data_set_name(root), root, layout, kept, layout == "splits", boxes, argument, pictures
    )


def read_datasets(roots: list[Path], labels: tuple[str, ...]) -> list[DataSet]:
    """Read each of `roots` with `read_dataset`; also raises UsageError if two are the
    same folder.
    """
    check_distinct(roots)
    return [read_dataset(root, labels) for root in roots]


def check_distinct(roots: list[Path]) -> None:
    """Raise UsageError if two of `roots` are the same folder, whose faces would count twice."""
    places = Counter(_split_label(root)[1].resolve() for root in roots)
    for folder, times in places.items():
        if times > 1:
            raise UsageError(f"the data folder {folder} is given {times} times: give it once")


def check_classes(datasets: list[DataSet], split: Split, labels: tuple[str, ...]) -> None:
    """Raise UsageError if `split` of all `datasets` together has no picture of one of `labels`."""
    count = Counter(sample.label for data in datasets for sample in data.in_split(split))
    missing = [label for label in labels if not count[label]]
    if missing:
        places = ", ".join(str(data.root) for data in datasets)
        raise UsageError(
            f"the {split} split of {places} has no picture of {', '.join(missing)}:"
            f" a model needs examples of each of {', '.join(labels)}"
        )


def _data_set_name(root: Path) -> str:
    path = root.resolve()
    if path.name.lower() in SPLIT_FOLDERS:
        return f"{path.parent.name}/{path.name}"
    return path.name


def _split_label(root: Path) -> tuple[str | None, Path]:
    """Return the label and the folder in `no_mask=FOLDER`, or None and `root` if `root` is the
    path of a folder.
    """
    label, is_said, folder = str(root).partition("=")
    if root.is_dir() or not is_said:
        return None, root
    if label not in LABELS[3]:
        raise UsageError(f"{root}: the label before = must be one of {', '.join(LABELS[3])}")
    return label, Path(folder)


def _layout(root: Path) -> str | None:
    """Return `jsonl`, `voc`, `splits` or `classes`, or None for an unknown layout.

    A folder of pictures that is itself named after a class has the layout `classes`.
    """
    if is_jsonl(root):
        return "jsonl"
    if is_voc(root):
        return "voc"
    if split_folders(root):
        return "splits"
    if class_folders(root) or (label_of_folder(root) is not None and holds_pictures(root)):
        return "classes"
    return None


def _unwrap(root: Path) -> Path:
    """Return `root`, or the only folder in it, at most two levels deep: archives often wrap their
    content.
    """
    for _ in range(2):
        inside = subfolders(root)
        if _layout(root) is not None or len(inside) != 1:
            return root
        root = inside[0]
    return root


def _unknown_layout(root: Path) -> str:
    known = [path for path in subfolders(root) if _layout(_unwrap(path)) is not None]
    if known:
        paths = " ".join(str(path) for path in known)
        return f"the data folder {root} holds several data sets: give each, as --data {paths}"
    return f"the data folder {root} has an unknown layout; {EXPECTED}"


def _class_samples(root: Path, split: Split | None) -> Iterator[Sample]:
    """Yield the samples of all class folders in `root`, or of `root` itself if it is a class
    folder.
    """
    found = class_folders(root)
    for folder, label in found or [(root, str(label_of_folder(root)))]:
        inside = list_pictures(folder)
        if not inside:
            raise UsageError(f"the class folder {folder} {no_picture(folder)}; {EXPECTED}")
        split_of_name = _split_rule(folder)
        for path in inside:
            yield Sample(path, label, split or split_of_name(path.name))
    if found:
        _check_other_folders(root, {folder for folder, _ in found})


def _check_other_folders(root: Path, used: set[Path]) -> None:
    """Raise UsageError if a data set is beside the class folders; name other folders in the log."""
    others = [path for path in subfolders(root) if path not in used]
    if any(_layout(_unwrap(path)) is not None for path in others):
        raise UsageError(_unknown_layout(root))
    if others:
        names = ", ".join(path.name for path in others)
        log.warning("%s: folders that are not named after a class are ignored: %s", root, names)


def _split_rule(folder: Path) -> Callable[[str], Split]:
    """Return the function that gives the split of a picture in a class folder, from its file name.

    The function uses CelebA's partition list where there is one, and the hash of the name
    elsewhere.
    """
    listed = find_partition(folder) if normalised_name(folder.name) in CELEBA_FOLDERS else None
    return split_of if listed is None else partial(split_in_partition, read_partition(listed))


def _flat_samples(folder: Path, label: str, inner: Path) -> Iterator[Sample]:
    named = {found for _, found in class_folders(inner)} | {label_of_folder(folder) or label}
    if _layout(inner) in (*BOXED, "splits") or named != {label}:
        raise UsageError(
            f"the folders in {folder} define the labels of its pictures: give --data {folder},"
            f" not {label}={folder}"
        )
    inside = list_pictures(folder)
    if not inside:
        raise UsageError(f"the folder {folder} {no_picture(folder)}")
    split_of_name = _split_rule(folder)
    for path in inside:
        yield Sample(path, label, split_of_name(path.name))


def _read_jsonl(root: Path) -> Iterator[tuple[Path, list[tuple[str, Box]]]]:
    for line in read_lines(root):
        yield line.path, list(line.boxes)


def _boxed_samples(annotated: Mapping[Path, list[tuple[str, Box]]]) -> Iterator[Sample]:
    for picture, faces in annotated.items():
        for name, box_px in faces:
            label = CLASS_FOLDERS.get(normalised_name(name))
            if label is not None:
                yield Sample(picture, label, split_of(picture.name), box_px)
