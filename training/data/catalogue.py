"""The public data sets that this project can read: where they are and on what terms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PublicDataSet:
    """A data set as its publisher offers it. `kaggle`: its handle there; None: not on Kaggle.

    `licence` is what the publisher states, not an opinion on who owns the pictures.
    """

    name: str
    description: str
    url: str
    licence: str
    layout: str
    companion: str | None = None  # a set that has what this one lacks
    classes: int = 2
    kaggle: str | None = None

    def use(self, out: Path) -> str:
        """The command that trains on it."""
        if self.companion is None:
            return f"make train DATA={self.path(out)}"
        more = "" if self.classes == 2 else f" TRAIN_ARGS='--classes {self.classes}'"
        return f"make train DATA='{out / self.companion} {self.path(out)}'{more}"

    def path(self, out: Path) -> Path:
        """Where it belongs below `out`."""
        return out / self.name


PUBLIC_DATA_SETS = (
    PublicDataSet(
        "face-mask-12k",
        "11,792 face crops: masked ones from the web, bare ones from CelebA (330 MB)",
        "https://www.kaggle.com/datasets/ashishjangra27/face-mask-12k-images-dataset",
        "CC0 as stated there",
        "Face Mask Dataset/{Train,Validation,Test}/{WithMask,WithoutMask}/*.png",
        kaggle="ashishjangra27/face-mask-12k-images-dataset",
    ),
    PublicDataSet(
        "face-mask-detection",
        "853 photographs, every face boxed: masked, bare, mask worn incorrectly (400 MB)",
        "https://www.kaggle.com/datasets/andrewmvd/face-mask-detection",
        "CC0 as stated there",
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
        "137,016 portraits with masks drawn on, worn correctly and not (39 GB)",
        "https://github.com/cabani/MaskedFace-Net",
        "CC BY-NC-SA 4.0: not for weights that others get or that earn money",
        "CMFD/ and IMFD/, each with number folders of *.jpg",
        companion="celeba",
        classes=3,
    ),
)


def catalogue_lines(out: Path) -> Iterator[str]:
    """The list for a person, a paragraph each."""
    for each in PUBLIC_DATA_SETS:
        yield f"{each.name}  {each.description}"
        yield f"    from     {each.url}"
        yield f"    licence  {each.licence}"
        if each.kaggle is None:
            yield f"    get it   by hand (links on that page), unpacked into {each.path(out)}/"
        else:
            yield f"    get it   make dataset DATASET={each.name}"
        yield f"    holds    {each.layout}"
        yield f"    use it   {each.use(out)}"
