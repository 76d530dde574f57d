"""CelebA's own splits: `list_eval_partition.csv` or `.txt`, as published with CelebA."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edge.common.errors import UsageError
from edge.common.text_files import EncodingError, read_text
from training.data.splits import Split, split_of

NAMES = ("list_eval_partition.csv", "list_eval_partition.txt")
SPLITS = {"0": Split.TRAIN, "1": Split.VALIDATION, "2": Split.TEST}


def find_partition(folder: Path) -> Path | None:
    """Return the partition list for the pictures in `folder`, or None.

    The list may be in `folder`, in one of the two folders above it (Kaggle nests img_align_celeba/
    twice), or in the folder Eval/ of one of these, where CelebA's authors keep it.
    """
    folders = [folder, *folder.resolve().parents[:2]]
    candidates = [
        folder / inner / name for folder in folders for inner in ("", "Eval") for name in NAMES
    ]
    return next((folder for folder in candidates if folder.is_file()), None)


def read_partition(path: Path) -> dict[str, Split]:
    """Return the split of each picture, by its name without suffix, so that one list
    serves .jpg and .png copies.

    Lines are `000001.jpg 0` or `000001.jpg,0` (0 train, 1 validation, 2 test); the first line may
    be a heading. Raises UsageError naming the file and the first line that is invalid.
    """
    parts: dict[str, Split] = {}
    for number, line in enumerate(_lines(path), start=1):
        fields = line.replace(",", " ").split()
        if len(fields) == 2 and fields[1] in SPLITS:
            parts[fields[0].rsplit(".", 1)[0]] = SPLITS[fields[1]]
        elif fields and number > 1:
            raise UsageError(
                f"{path}, line {number}: expected a picture's name and 0, 1 or 2, not {line[:60]!r}"
            )
    return parts


def _lines(path: Path) -> list[str]:
    try:
        return read_text(path).splitlines()
    except (OSError, EncodingError) as error:
        raise UsageError(f"the partition list {path} cannot be read: {error}") from None


def split_in_partition(parts: Mapping[str, Split], file_name: str) -> Split:
    """Return the listed split of a picture, or the split of its file name if it is not listed."""
    listed = parts.get(file_name.rsplit(".", 1)[0])
    return split_of(file_name) if listed is None else listed
