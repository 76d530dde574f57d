"""CelebA's own parts: `list_eval_partition.csv` or `.txt`, as published beside its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edge.common.errors import UsageError
from training.data.splits import Split, split_of

NAMES = ("list_eval_partition.csv", "list_eval_partition.txt")
SPLITS = {"0": Split.TRAIN, "1": Split.VALIDATION, "2": Split.TEST}


def find_partition(folder: Path) -> Path | None:
    """The list for the pictures in `folder`: in it, or in one of the two folders above it
    (Kaggle nests img_align_celeba/ twice) or their Eval/, where its authors keep it."""
    near = [folder, *folder.resolve().parents[:2]]
    places = [place / inner / name for place in near for inner in ("", "Eval") for name in NAMES]
    return next((place for place in places if place.is_file()), None)


def read_partition(path: Path) -> dict[str, Split]:
    """Each picture's part by its name without suffix (.jpg and .png copies share the list).

    Lines are `000001.jpg 0` or `000001.jpg,0` (0 train, 1 validation, 2 test), after a
    heading or not. Raises UsageError naming the file and line that says neither.
    """
    parts: dict[str, Split] = {}
    for number, line in enumerate(_lines(path), start=1):
        fields = line.replace(",", " ").split()
        if len(fields) == 2 and fields[1] in SPLITS:
            parts[fields[0].rsplit(".", 1)[0]] = SPLITS[fields[1]]
        elif fields and number > 1:
            raise UsageError(
                f"{path}, line {number}: wanted a picture's name and 0, 1 or 2, not {line[:60]!r}"
            )
    return parts


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the list of parts {path} cannot be read: {error}") from None


def split_in_partition(parts: Mapping[str, Split], file_name: str) -> Split:
    """The listed part of a picture; one that is not listed is parted by its name."""
    listed = parts.get(file_name.rsplit(".", 1)[0])
    return split_of(file_name) if listed is None else listed
