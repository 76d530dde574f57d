"""The public data sets that this project can read, with their sources and licences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PublicDataSet:
    """A data set as its publisher offers it.

    `kaggle`: its handle on Kaggle, or None if Kaggle does not have the data set. `licence`: what
    the publisher states, not an opinion on who owns the pictures. `layout`: the folders that it
    contains. `companion`: the name of a data set that provides the labels that this one lacks, or
    None.
    """

    name: str
    description: str
    url: str
    licence: str
    layout: str
    companion: str | None = None
    classes: int = 2
    kaggle: str | None = None

    def use(self, out: Path) -> str:
        """Return the command that trains on the data set."""
        if self.companion is None:
            return f"make train DATA={self.path(out)}"
        more = "" if self.classes == 2 else f" TRAIN_ARGS='--classes {self.classes}'"
        return f"make train DATA='{out / self.companion} {self.path(out)}'{more}"

    def path(self, out: Path) -> Path:
        """Return the folder of the data set below `out`."""
        return out / self.name


PUBLIC_DATA_SETS = (
    PublicDataSet(
        "face-mask-12k",
        "11,792 face crops: masked faces from the web, bare faces from CelebA (330 MB)",
        "https://www.kaggle.com/datasets/ashishjangra27/face-mask-12k-images-dataset",
        "CC0, as its publisher states on Kaggle",
        "Face Mask Dataset/{Train,Validation,Test}/{WithMask,WithoutMask}/*.png",
        kaggle="ashishjangra27/face-mask-12k-images-dataset",
    ),
    PublicDataSet(
        "face-mask-detection",
        "853 photographs, every face boxed: masked, bare, or incorrectly masked (400 MB)",
        "https://www.kaggle.com/datasets/andrewmvd/face-mask-detection",
        "CC0, as its publisher states on Kaggle",
        "images/*.png with annotations/*.xml (Pascal VOC)",
        kaggle="andrewmvd/face-mask-detection",
    ),
    PublicDataSet(
        "celeba",
        "202,599 portraits of well-known people, all bare (1.4 GB)",
        "https://www.kaggle.com/datasets/jessicali9530/celeba-dataset",
        "non-commercial research only (CelebA's agreement, mmlab.ie.cuhk.edu.hk)",
        "img_align_celeba/img_align_celeba/*.jpg with list_eval_partition.csv",
        companion="face-mask-12k",
        kaggle="jessicali9530/celeba-dataset",
    ),
    PublicDataSet(
        "maskedface-net",
        "137,016 portraits with drawn masks, worn correctly and incorrectly (39 GB)",
        "https://github.com/cabani/MaskedFace-Net",
        "CC BY-NC-SA 4.0: not for models that are passed on or used commercially",
        "CMFD/ and IMFD/, each with numbered folders of *.jpg",
        companion="celeba",
        classes=3,
    ),
)


def catalogue_lines(out: Path) -> Iterator[str]:
    """Yield the lines of a list for a terminal, several lines for each data set."""
    for each in PUBLIC_DATA_SETS:
        yield f"{each.name}  {each.description}"
        yield f"    from     {each.url}"
        yield f"    licence  {each.licence}"
        if each.kaggle is None:
            yield (
                "    get it   download it from the links on that page and unpack it into"
                f" {each.path(out)}/"
            )
        else:
            yield f"    get it   make dataset DATASET={each.name}"
        yield f"    holds    {each.layout}"
        yield f"    use it   {each.use(out)}"
