"""Numbers in a cascade that would make OpenCV read outside its memory or hang."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from edge.common.errors import UserError
from edge.detection.cascade_check import require_sound_cascade
from edge.detection.haar_detector import default_cascade, load_cascade

#: Cascades of OpenCV in the format of OpenCV 1, which are not for faces.
OLD_FORMAT = {"haarcascade_license_plate_rus_16stages.xml"}
HAAR = """<?xml version="1.0"?>
<opencv_storage><cascade type_id="opencv-cascade-classifier">
  <stageType>BOOST</stageType><featureType>HAAR</featureType>
  <height>20</height><width>24</width>
  <stageParams><maxWeakCount>1</maxWeakCount></stageParams>
  <featureParams><maxCatCount>0</maxCatCount></featureParams><stageNum>1</stageNum>
  <stages><_><maxWeakCount>1</maxWeakCount><stageThreshold>0.</stageThreshold>
    <weakClassifiers><_>
      <internalNodes>1 0 0 0.5 -1 -2 1 0.25</internalNodes>
      <leafValues>0.1 0.2 0.3</leafValues></_></weakClassifiers></_></stages>
  <features>
    <_><rects><_>2 7 16 4 -1.</_><_>2 9 16 2 2.</_></rects></_>
    <_><rects><_>10 8 4 8 -1.</_></rects><tilted>1</tilted></_></features>
</cascade></opencv_storage>
"""
#: OpenCV itself refuses some of the cascades; which of them depends on its version.
REFUSED = r"cascade\.xml is (damaged: a number|not a Haar cascade that OpenCV can read$)"
LBP = """<?xml version="1.0"?>
<opencv_storage><cascade type_id="opencv-cascade-classifier">
  <stageType>BOOST</stageType><featureType>LBP</featureType>
  <height>20</height><width>24</width>
  <stageParams><maxWeakCount>1</maxWeakCount></stageParams>
  <featureParams><maxCatCount>256</maxCatCount></featureParams><stageNum>1</stageNum>
  <stages><_><maxWeakCount>1</maxWeakCount><stageThreshold>0.</stageThreshold>
    <weakClassifiers><_>
      <internalNodes>0 -1 0 0 1 2 3 4 5 6 7</internalNodes>
      <leafValues>0.1 0.2</leafValues></_></weakClassifiers></_></stages>
  <features><_><rect>3 2 7 6</rect></_></features>
</cascade></opencv_storage>
"""


def checked(folder: Path, text: str) -> Path:
    """Write a cascade that OpenCV loads, check it, and return its path."""
    path = folder / "cascade.xml"
    path.write_text(text)
    load_cascade(path)
    require_sound_cascade(path)
    return path


def test_cascades_of_opencv_are_sound() -> None:
    for path in default_cascade().parent.glob("*.xml"):
        if path.name not in OLD_FORMAT:
            require_sound_cascade(path)


@pytest.mark.parametrize("text", [HAAR, LBP])
def test_small_cascade_is_sound(tmp_path: Path, text: str) -> None:
    checked(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (HAAR, "1 0 0 0.5", "1 0 2 0.5"),  # there are two features
        (HAAR, "1 0 0 0.5", "1 0 -1 0.5"),
        (HAAR, "1 0 0 0.5", "2 0 0 0.5"),  # there are two nodes
        (HAAR, "1 0 0 0.5", "1 -3 0 0.5"),  # there are three leaves
        (HAAR, "-1 -2 1 0.25", "1 -2 1 0.25"),  # the node is its own child
        (HAAR, "1 0 0 0.5 -1 -2 1 0.25", "1 0 0 0.5"),
        (HAAR, "0.1 0.2 0.3", "0.1 0.2"),
        (HAAR, "2 7 16 4 -1.", "9 7 16 4 -1."),  # to the right of the window
        (HAAR, "2 7 16 4 -1.", "2 17 16 4 -1."),
        (HAAR, "2 7 16 4 -1.", "-1 7 16 4 -1."),
        (HAAR, "2 7 16 4 -1.", "2 7 16 -4 -1."),
        (HAAR, "10 8 4 8 -1.", "10 9 4 8 -1."),  # tilted: below the window
        (HAAR, "10 8 4 8 -1.", "10 8 4 8.6 -1."),  # which OpenCV rounds to 9
        (HAAR, "10 8 4 8 -1.", "7 8 4 8 -1."),
        (HAAR, "<height>20", "<height>2"),
        (HAAR, "<width>24", "<width>100000"),
        (HAAR, "<maxCatCount>0", "<maxCatCount>64"),
        (LBP, "3 2 7 6", "4 2 7 6"),
        (LBP, "3 2 7 6", "3 3 7 6"),
        (LBP, "0 -1 0 0 1", "0 -1 1 0 1"),
        (LBP, "0 -1 0 0 1", "0 -2 0 0 1"),
        (LBP, "<maxCatCount>256", "<maxCatCount>512"),
    ],
)
def test_number_outside_its_range_is_refused(tmp_path: Path, text: str, old: str, new: str) -> None:
    assert text.count(old) == 1
    with pytest.raises(UserError, match=REFUSED):
        checked(tmp_path, text.replace(old, new))


def test_format_of_opencv_1_is_refused() -> None:
    for name in OLD_FORMAT:
        path = default_cascade().with_name(name)
        assert not cv2.CascadeClassifier(str(path)).empty()
        with pytest.raises(UserError, match="the format of OpenCV 1"):
            require_sound_cascade(path)
