"""The layouts of data sets on disk: known names of folders, and a drawing of each layout."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from training.data.splits import Split

log = logging.getLogger(__name__)

#: OpenCV reads these formats on every supported version of Python. Files with other names are left
#: out, and `list_pictures` names their endings.
PICTURE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp"),
    *(".png", ".bmp", ".dib", ".webp", ".tif", ".tiff"),
)
#: Files that systems and tools put beside pictures, in lower case.
SYSTEM_FILES = ("thumbs.db", "desktop.ini")

#: Folders of CelebA's portraits, in which all faces are bare. Other names that begin with celeba
#: are not accepted, because data sets derived from CelebA often have drawn masks.
CELEBA_FOLDERS = ("imgalignceleba", "imgaligncelebapng", "celeba", "celebadataset")
#: Names of class folders in published data sets, in lower case without `_`, `-` and blanks.
CLASS_FOLDERS = {
    **dict.fromkeys(("mask", "withmask", "masked", "correctmask", "withmaskcorrect"), "mask"),
    **dict.fromkeys(("cmfd", "cmfddataset"), "mask"),
    **dict.fromkeys(("nomask", "withoutmask", "unmasked"), "no_mask"),
    **dict.fromkeys(CELEBA_FOLDERS, "no_mask"),
    **dict.fromkeys(
        ("incorrectmask", "maskwearedincorrect", "withmaskincorrect"), "incorrect_mask"
    ),
    **dict.fromkeys(("imfd", "imfddataset"), "incorrect_mask"),
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
#: Endings of MaskedFace-Net's file names for masks worn incorrectly, and what the mask leaves bare.
INCORRECT_KINDS = {
    "_mask_mouth_chin": "nose bare",
    "_mask_nose_mouth": "chin bare",
    "_mask_chin": "under the chin",
}

EXPECTED = (
    "expected one of: {Train,Validation,Test}/{WithMask,WithoutMask}/ as in Kaggle's"
    " face-mask-12k; class folders such as with_mask/ and without_mask/, mask/ and"
    " no_mask/, CMFD/ and IMFD/; img_align_celeba/ (CelebA); images/ with annotations/*.xml"
    " (Pascal VOC) or with boxes.jsonl; or no_mask=FOLDER for a folder whose pictures all have"
    " one label; `python -m training explore --help` draws these layouts"
)
LAYOUTS = """\
DIR has one of these layouts, or contains a single folder that has one of them:

  face-mask-12k/              a folder for each split, with class folders
    Train/      WithMask/  WithoutMask/
    Validation/ WithMask/  WithoutMask/
    Test/       WithMask/  WithoutMask/

  crops/                      class folders; the file name determines the split
    with_mask/  without_mask/  incorrect_mask/

  MaskedFace-Net/             class folders with numbered folders in them
    CMFD/00000/00001_Mask.jpg  IMFD/00000/00002_Mask_Chin.jpg

  celeba/                     all faces are bare; the list, if present, determines the split
    img_align_celeba/000001.jpg  list_eval_partition.csv (or .txt)

  scenes/                     photographs with boxed faces (Pascal VOC)
    images/a.jpg  annotations/a.xml      (or JPEGImages/ and Annotations/)

  faces/                      photographs with boxed faces, one line a photograph
    images/a.jpg  boxes.jsonl            (`python -m training label --help` draws a line)

  no_mask=portraits/          any folder of pictures that all have the given label:
    1.jpg  2.jpg              mask, no_mask or incorrect_mask

Case, blanks, - and _ in the names of class folders do not matter.
"""


def label_of_folder(folder: Path) -> str | None:
    """Return the label that a class folder's name stands for, or None."""
    return CLASS_FOLDERS.get(normalised_name(folder.name))


def normalised_name(name: str) -> str:
    """Return `name` in lower case without `_`, `-` and blanks, as `CLASS_FOLDERS` spells names."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def subfolders(root: Path) -> list[Path]:
    """Return the folders in `root` by name, without hidden ones and those that macOS adds to
    archives.
    """
    return sorted(
        path
        for path in root.iterdir()
        if path.is_dir() and not path.name.startswith((".", "__MACOSX"))
    )


def class_folders(root: Path) -> list[tuple[Path, str]]:
    """Return the folders in `root` that are named after a class, each with its label."""
    named = ((path, label_of_folder(path)) for path in subfolders(root))
    return [(path, label) for path, label in named if label is not None]


def split_folders(root: Path) -> list[tuple[Path, Split]]:
    """Return the folders in `root` that are named after a split and contain class folders."""
    named = ((path, SPLIT_FOLDERS.get(path.name.lower())) for path in subfolders(root))
    return [(path, split) for path, split in named if split is not None and class_folders(path)]


def list_pictures(folder: Path) -> list[Path]:
    """Return every picture in `folder` and below, by name, without hidden files.

    The endings of all other files are named in the log, because pictures may be among them.
    """
    others = other_files(folder)
    if others:
        log.warning(
            "%s: left out files whose names are not those of pictures (%s): %s; convert pictures of"
            " other formats to JPEG or PNG",
            folder,
            " ".join(PICTURE_SUFFIXES),
            others,
        )
    return sorted(_pictures(folder))


def no_picture(folder: Path) -> str:
    """Return the error message for a `folder` without pictures, which names the files in it."""
    others = other_files(folder)
    found = f", only {others}: convert them to JPEG or PNG" if others else ""
    return f"holds no picture ({', '.join(PICTURE_SUFFIXES)}){found}"


def other_files(folder: Path) -> str:
    """Return the number of files in `folder` and below that are not pictures by their names, by
    their endings, such as `3 .gif, 1 .heic`.
    """
    counts = Counter(
        path.suffix.lower() or "without an ending"
        for path in _files(folder)
        if path.suffix.lower() not in PICTURE_SUFFIXES
    )
    return ", ".join(f"{count} {ending}" for ending, count in counts.most_common())


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = path.name.startswith(".") or path.name.lower() in SYSTEM_FILES
        if not hidden and path.is_file():
            yield path


def _pictures(folder: Path) -> Iterator[Path]:
    return (path for path in _files(folder) if path.suffix.lower() in PICTURE_SUFFIXES)


def holds_pictures(folder: Path) -> bool:
    """Return whether there is a picture in `folder` or below."""
    return next(_pictures(folder), None) is not None


def incorrect_kind(file_name: str) -> str | None:
    """Return what a mask leaves bare, from MaskedFace-Net's file name, or None for other names."""
    stem = file_name.rsplit(".", 1)[0].lower()
    return next(
        (description for mark, description in INCORRECT_KINDS.items() if stem.endswith(mark)), None
    )
