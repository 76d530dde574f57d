"""How data sets lie on disk: the names that folders bear, and a drawing of each layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training.data.splits import Split

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")

#: Folders of CelebA's portraits as they are published: bare faces, all of them. No other
#: name that begins so: what others made from CelebA often has masks drawn on it.
CELEBA_FOLDERS = ("imgalignceleba", "imgaligncelebapng", "celeba", "celebadataset")
#: Class folders as published data sets name them, in lower case without `_`, `-` and blanks.
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
#: What MaskedFace-Net's file names say of a mask worn wrongly, and what it leaves bare.
INCORRECT_KINDS = {
    "_mask_mouth_chin": "nose bare",
    "_mask_nose_mouth": "chin bare",
    "_mask_chin": "under the chin",
}

EXPECTED = (
    "expected one of: {Train,Validation,Test}/{WithMask,WithoutMask}/ as Kaggle's"
    " face-mask-12k ships; class folders such as with_mask/ and without_mask/, mask/ and"
    " no_mask/, CMFD/ and IMFD/; img_align_celeba/ (CelebA); images/ with annotations/*.xml"
    " (Pascal VOC); or no_mask=FOLDER for a folder of pictures that are all of one class;"
    " `python -m training explore --help` draws them"
)
LAYOUTS = """\
DIR is a folder in one of these layouts, or a folder that holds nothing but one:

  face-mask-12k/              train, validation and test in folders of their own
    Train/      WithMask/  WithoutMask/
    Validation/ WithMask/  WithoutMask/
    Test/       WithMask/  WithoutMask/

  crops/                      class folders; the file's name decides on the part
    with_mask/  without_mask/  incorrect_mask/

  MaskedFace-Net/             number folders may stand between
    CMFD/00000/00001_Mask.jpg  IMFD/00000/00002_Mask_Chin.jpg

  celeba/                     bare faces, all of them; parts as in the list, if it is there
    img_align_celeba/000001.jpg  list_eval_partition.csv (or .txt)

  scenes/                     photographs with boxed faces (Pascal VOC)
    images/a.jpg  annotations/a.xml      (or JPEGImages/ and Annotations/)

  no_mask=portraits/          any folder of pictures of one class, which you name:
    1.jpg  2.jpg              mask=, no_mask= or incorrect_mask=

Capitals, blanks, - and _ in the names of class folders do not matter.
"""


def label_of_folder(folder: Path) -> str | None:
    """The label that a class folder's name stands for."""
    return CLASS_FOLDERS.get(normalised_name(folder.name))


def normalised_name(name: str) -> str:
    """`name` as the tables above spell it."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def subfolders(root: Path) -> list[Path]:
    """The folders in `root` by name, without hidden ones and what macOS adds to archives."""
    return sorted(
        path
        for path in root.iterdir()
        if path.is_dir() and not path.name.startswith((".", "__MACOSX"))
    )


def class_folders(root: Path) -> list[tuple[Path, str]]:
    """The folders in `root` that are named after a class, each with its label."""
    named = ((path, label_of_folder(path)) for path in subfolders(root))
    return [(path, label) for path, label in named if label is not None]


def split_folders(root: Path) -> list[tuple[Path, Split]]:
    """The folders in `root` that are named after a part and hold class folders."""
    named = ((path, SPLIT_FOLDERS.get(path.name.lower())) for path in subfolders(root))
    return [(path, split) for path, split in named if split is not None and class_folders(path)]


def list_pictures(folder: Path) -> list[Path]:
    """Every picture in `folder` and below, by name, hidden files left out."""
    return sorted(_pictures(folder))


def _pictures(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith("."):
            yield path


def holds_pictures(folder: Path) -> bool:
    """Whether `folder`, or one below it, has a picture."""
    return next(_pictures(folder), None) is not None


def incorrect_kind(file_name: str) -> str | None:
    """What a mask leaves bare, as MaskedFace-Net's file names say it; None: it does not say."""
    stem = file_name.rsplit(".", 1)[0].lower()
    return next(
        (description for mark, description in INCORRECT_KINDS.items() if stem.endswith(mark)), None
    )
