"""Compares what the face cascade finds in the finished clip with the intended visits."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from cutouts import Pixels
from scene import FPS, Visit
from sources import DemoError

#: Settings of the daemon's detector: width of the grey frame and of the smallest face in it, in
#: pixels, scale factor, and number of neighbours.
WIDTH_PX, MIN_FACE_PX, SCALE_FACTOR, NEIGHBOURS = 320, 20, 1.1, 3
#: (width in pixels, number of neighbours) of the searches that must find only the people's faces.
LOOKS = ((320, 3), (320, 2), (480, 3), (480, 2))
#: A found box belongs to a person if the distance between its centre and the centre of the person's
#: face is less than this, in face widths.
NEAR = 0.35
MIN_SHARE, MAX_GAP_S = {"bare": 0.9, "masked": 0.7}, 0.7

Box = tuple[float, float, float, float]


def read(clip: Path) -> list[Pixels]:
    """Return all frames of `clip`, decoded by OpenCV."""
    video, frames = cv2.VideoCapture(str(clip)), []
    while True:
        good, frame = video.read()
        if not good:
            break
        frames.append(np.asarray(frame, dtype=np.uint8))
    if not frames:
        raise DemoError(f"{clip} cannot be read; make it first")
    return frames


def faces(frame: Pixels, cascade: cv2.CascadeClassifier, width: int, neighbours: int) -> list[Box]:
    """Return the boxes of the faces in `frame`, in pixels of `frame`."""
    scale = width / frame.shape[1]
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    least = round(MIN_FACE_PX * width / WIDTH_PX)
    found = cascade.detectMultiScale(small, SCALE_FACTOR, neighbours, minSize=(least, least))
    return [tuple(float(v) / scale for v in box) for box in found]


def belongs(box: Box, visit: Visit, time_s: float) -> bool:
    """Return whether `box` is the visitor's face at `time_s`."""
    x, y, face_px = visit.place(time_s - visit.start_s)
    # The detector's box extends further below the eyes than above them.
    dx, dy = box[0] + box[2] / 2 - x, box[1] + box[3] / 2 - (y + 0.12 * face_px)
    return bool(np.hypot(dx, dy) < NEAR * face_px and 0.65 < box[2] / face_px < 1.5)


def max_gap_s(seen: list[bool]) -> float:
    """Return the longest time without a detected face, in seconds."""
    longest = run = 0
    for one in seen:
        run = 0 if one else run + 1
        longest = max(longest, run)
    return longest / FPS


def _strangers(frames: list[Pixels], visits: list[Visit], width: int, neighbours: int) -> list[int]:
    """Return the numbers of the frames in which a box is not a visitor's face."""
    cascade = _cascade()
    wrong = []
    for number, frame in enumerate(frames):
        time_s = number / FPS
        here = [v for v in visits if v.start_s <= time_s < v.end_s]
        for box in faces(frame, cascade, width, neighbours):
            if not any(belongs(box, visit, time_s) for visit in here):
                wrong.append(number)
    return wrong


def _cascade() -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")


def check_clip(clip: Path, visits: list[Visit]) -> int:
    """Print the figures of `clip`; return 0 when all are within their limits, else 1."""
    frames, cascade, good, say = read(clip), _cascade(), True, sys.stdout.write
    height, width = frames[0].shape[:2]
    size_kb, length_s = clip.stat().st_size / 1000, len(frames) / FPS
    say(f"{clip}: {size_kb:.0f} KB, {length_s:.1f} s, {width}x{height}\n")
    seen = [bool(faces(frame, cascade, WIDTH_PX, NEIGHBOURS)) for frame in frames]
    for index, visit in enumerate(visits, 1):
        whole = range(round(visit.start_s * FPS), round(visit.end_s * FPS))
        at = [n / FPS for n in whole if seen[n]]
        say(
            f"person {index}: comes {visit.start_s:.1f} s, stands {visit.stands_from_s:.1f}"
            f"-{visit.leaves_s:.1f} s, gone {visit.end_s:.1f} s;"
            f" face found {at[0]:.1f}-{at[-1]:.1f} s\n"
        )
        for name, span in visit.standing():
            part = [seen[n] for n in range(*(round(s * FPS) for s in span)) if n < len(seen)]
            share, gap = sum(part) / len(part), max_gap_s(part)
            fine = share >= MIN_SHARE[name] and gap <= MAX_GAP_S
            good &= fine
            say(
                f"  standing {name} {span[0]:.1f}-{span[1]:.1f} s: found in {share:.0%} of"
                f" {len(part)} frames, longest gap {gap:.2f} s {'' if fine else '- TOO FEW'}\n"
            )
    for look_width, neighbours in LOOKS:
        wrong = _strangers(frames, visits, look_width, neighbours)
        good &= not wrong
        say(
            f"at {look_width} px, {neighbours} neighbours: {len(wrong)} boxes that are no"
            f" visitor's face {wrong if wrong else ''}\n"
        )
    return 0 if good else 1
