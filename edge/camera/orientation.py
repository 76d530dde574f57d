"""How the picture of a camera is turned: rotated in steps of 90 degrees, and mirrored."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.common.arrays import Pixels
from edge.config.settings import CameraSettings


@dataclass(frozen=True)
class Orientation:
    """A clockwise rotation by `quarter_turns` (0 to 3) times 90 degrees, then an optional mirror.

    `mirror` exchanges left and right of the rotated picture.
    """

    quarter_turns: int = 0
    mirror: bool = False

    @classmethod
    def of(cls, settings: CameraSettings) -> Orientation:
        """Return what `camera.rotate` and `camera.mirror` ask for."""
        return cls(settings.rotate // 90, settings.mirror)

    @property
    def swaps_sides(self) -> bool:
        """Whether the width of the picture becomes its height."""
        return self.quarter_turns % 2 == 1

    def since(self, earlier: Orientation) -> Orientation:
        """Return what remains to be done to a picture to which `earlier` was applied already."""
        turns = self.quarter_turns - earlier.quarter_turns
        return Orientation(
            (-turns if earlier.mirror else turns) % 4, self.mirror is not earlier.mirror
        )

    def apply(self, image: Pixels) -> Pixels:
        """Return `image`, (height, width) or (height, width, 3) uint8, turned; may be `image`."""
        turned: cv2.typing.MatLike
        match self.quarter_turns, self.mirror:
            case 0, False:
                return image
            case 0, True:
                turned = cv2.flip(image, 1)
            case 1, False:
                turned = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)
            case 1, True:
                turned = cv2.transpose(image)
            case 2, False:
                turned = cv2.flip(image, -1)
            case 2, True:
                turned = cv2.flip(image, 0)
            case 3, False:
                turned = cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE)
            case _:
                turned = cv2.flip(cv2.transpose(image), -1)
        return np.asarray(turned, np.uint8)


#: The orientation of a picture as the camera delivers it.
UNTURNED = Orientation()


def describe(orientation: Orientation) -> str:
    """Return a phrase that follows the size of a picture; empty if it is not turned."""
    parts = []
    if orientation.quarter_turns:
        parts.append(f"rotated by {90 * orientation.quarter_turns} degrees")
    if orientation.mirror:
        parts.append("mirrored")
    return f", {' and '.join(parts)}" if parts else ""
