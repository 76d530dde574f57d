"""A face detector that runs our network, which finds turned, tilted, masked and small faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.common.arrays import Pixels
from edge.config.settings import DetectorSettings
from edge.detection.boxes import Bools, Corners, non_maximum_suppression
from edge.detection.face_detector import Face, without_overlaps
from edge.detection.face_network import FaceNetwork
from edge.detection.luma import Luma
from edge.detection.luma_detector import LumaDetector
from edge.detection.point_grid import MAX_IOU, Detections
from edge.detection.tight_boxes import face_of, threshold_from, wide_enough
from edge.detection.tiles import Tile, tiles

#: A box that comes this close to the edge of a part may be that of a face that the edge cuts.
CUT_PX = 2.0


class LearnedDetector(LumaDetector):
    """A network with its card. Every search takes the same time, however many faces there are."""

    def __init__(
        self,
        path: Path,
        settings: DetectorSettings,
        runtime: str | None = None,
        sure: bool = False,
    ) -> None:
        """Load the model file; raises UserError as `FaceNetwork` does.

        Without `detector.min_score` the smallest score of a face, `min_score`, is that of the card;
        with `sure` it is the one from which on the card calls a box sure.
        """
        self._network = FaceNetwork(path, runtime)
        super().__init__(settings)
        self.card = self._network.card
        default = self.card.threshold.sure if sure else self.card.threshold.score
        self.min_score = default if settings.min_score is None else settings.min_score
        self._threshold = threshold_from(self.card.threshold, self.min_score)
        self.runtime = self._network.runtime
        self.name = f"{self.card.name} in {self._network.runtime}"

    def search(self, luma: Luma) -> list[Face]:
        """Return all faces that are at least `min_face` of the frame's width wide."""
        found = self._found(luma.pixels)
        faces = [
            face_of(tuple(corners), score, luma, self.card.box, self._threshold)
            for corners, score in zip(found.corners.tolist(), found.scores.tolist(), strict=True)
        ]
        min_px = self._settings.min_face * luma.pixels.shape[1] / luma.scale
        return without_overlaps(wide_enough(faces, min_px))

    def _found(self, grey: Pixels) -> Detections:
        """Return the faces of all parts of the picture, each once."""
        height, width = grey.shape
        size = self._network.size
        parts = [
            self._found_in(grey, tile) for tile in tiles(width, height, size.width, size.height)
        ]
        if len(parts) == 1:
            return parts[0]
        corners = np.concatenate([part.corners for part in parts])
        scores = np.concatenate([part.scores for part in parts])
        kept = non_maximum_suppression(corners, scores, MAX_IOU)
        return Detections(corners[kept], scores[kept])

    def _found_in(self, grey: Pixels, tile: Tile) -> Detections:
        height, width = grey.shape
        if tile.scale < 1.0:
            scaled = (max(1, round(width * tile.scale)), max(1, round(height * tile.scale)))
            grey = np.asarray(cv2.resize(grey, scaled, interpolation=cv2.INTER_AREA), np.uint8)
        part = grey[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
        found = self._network.find(part, self.min_score)
        whole = (found.corners[:, 3] - found.corners[:, 1]) <= tile.max_face_px
        whole &= ~_touches_cut(found.corners, tile, (grey.shape[1], grey.shape[0]))
        corners = (found.corners[whole] + np.tile((tile.left, tile.top), 2)) / tile.scale
        return Detections(corners.astype(np.float32), found.scores[whole])


def _touches_cut(corners: Corners, tile: Tile, size: tuple[int, int]) -> Bools:
    """Return which boxes reach an edge of the part that is not an edge of the picture.

    `size` is the width and height of the scaled picture.
    """
    right, bottom = tile.left + tile.width, tile.top + tile.height
    cuts = (tile.left > 0, tile.top > 0, right < size[0], bottom < size[1])
    reaches = np.stack(
        [
            corners[:, 0] < CUT_PX,
            corners[:, 1] < CUT_PX,
            corners[:, 2] > tile.width - CUT_PX,
            corners[:, 3] > tile.height - CUT_PX,
        ]
    )
    return np.asarray(reaches[list(cuts)].any(axis=0), np.bool_)
