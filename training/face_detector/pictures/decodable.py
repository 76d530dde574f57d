"""Pictures that cannot be decoded: a few are left out, many are an error."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from edge.camera.pictures.image_files import read_image
from edge.common.errors import UserError
from training.data.crops import CORRUPT_SHARE
from training.face_detector.pictures.boxed_pictures import BoxedPicture

log = logging.getLogger(__name__)


def decodable(
    pictures: Iterable[BoxedPicture], everything: Sequence[BoxedPicture]
) -> list[BoxedPicture]:
    """Return those of `pictures` that can be decoded, and name the others in the log.

    `everything`: all pictures of the data sets, of which `pictures` may be a part. Raises UserError
    if more than `CORRUPT_SHARE` of a data set cannot be decoded, or if none of `pictures` can.
    """
    kept = []
    reasons: dict[str, list[str]] = defaultdict(list)
    for picture in pictures:
        try:
            read_image(picture.path)
        except UserError as error:
            reasons[picture.source].append(str(error))
        else:
            kept.append(picture)
    totals = Counter(picture.source for picture in everything)
    for source, of_source in reasons.items():
        check_unreadable(source, of_source, totals[source])
    if reasons and not kept:
        raise UserError(f"none of the pictures can be decoded: {next(iter(reasons.values()))[0]}")
    return kept


def check_unreadable(source: str, reasons: Sequence[str], total: int) -> None:
    """Log `reasons`, one for each unreadable picture of a data set of `total` pictures.

    Raises UserError instead if these are more than `CORRUPT_SHARE` of the pictures.
    """
    if len(reasons) > CORRUPT_SHARE * total:
        raise UserError(
            f"{reasons[0]}; {len(reasons)} of {total} pictures of {source} cannot be decoded, and"
            f" more than {CORRUPT_SHARE:.0%} means that the download is broken: download it again"
        )
    for reason in reasons:
        log.warning("left out a picture that cannot be decoded: %s", reason)
