"""The footage that the bench plays: clips, part of the demo with people, and an empty scene."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

import cv2
import numpy as np

from edge.camera.source import Frame
from edge.camera.source_address import display_address
from edge.camera.source_factory import is_recorded, open_source
from edge.common.errors import UsageError, UserError
from edge.config.settings import Settings, change

DEMO = "demo"
#: The events of the whole demo: one person leaves without a mask, one puts a mask on.
DEMO_EVENTS = (
    ("no_mask_start", None),
    ("no_mask_end", "left"),
    ("no_mask_start", None),
    ("no_mask_end", "masked"),
)
EMPTY = "empty, still"
#: Length in seconds and frames per second of the empty scene: long enough for several of the
#: searches that a still scene gets every 15 s.
EMPTY_S, EMPTY_FPS = 60.0, 10.0
#: Standard deviation in grey levels: the noise of a small sensor in an evenly lit hall.
NOISE_SIGMA = 2.0
#: The noise of each frame is cut from a field that is larger by this many pixels.
NOISE_PLAY_PX = 64
SEED = 11
#: The part of the demo in which a person without a mask is in view in every frame.
PEOPLE_FROM_S, PEOPLE_UNTIL_S = 2.5, 5.5
#: Height and width of the larger frame size.
LARGE_PX = (1080, 1920)
#: Left, top, width and height of the head and its surroundings from this time of the demo on, in
#: pixels of its frames of 640x480.
HEAD_FROM_S, HEAD_PX = 3.4, (170, 110, 240, 225)
#: Columns and rows of the largest crowd.
CROWD = (5, 4)


@dataclass(frozen=True)
class Scene:
    """Footage that can be played repeatedly."""

    name: str
    frames: Callable[[], Iterator[Frame]]
    #: Type and `ended_by` of the expected events; None where they are not known.
    expected: tuple[tuple[str, str | None], ...] | None = None


def clip(name: str, settings: Settings, seconds: float | None = None) -> Scene:
    """Return the first `seconds` of a video file, a folder of pictures, or `demo`.

    The user's own clips are turned like the pictures of the camera; the demo stands upright.
    Raises UsageError when `name` is not a recording. Playing the scene raises the exceptions of
    the frame source.
    """
    camera: dict[str, object] = {"source": name, "source_file": "", "controls": {}, "night": {}}
    if name == DEMO:
        camera |= {"rotate": 0, "mirror": False}
    settings = change(settings, camera=camera)
    if not is_recorded(settings.camera):
        raise UsageError(
            f"the bench plays video files and folders of pictures, not"
            f" {display_address(settings.camera)}"
        )

    def frames() -> Iterator[Frame]:
        source = open_source(settings.camera)
        try:
            yield from _until(seconds, iter(source.read, None))
        finally:
            source.close()

    whole_demo = name == DEMO and seconds is None
    return Scene(name, frames, DEMO_EVENTS if whole_demo else None)


def empty(settings: Settings, seconds: float | None = None) -> Scene:
    """Return the demo's first picture, which is empty, repeated with the noise of a sensor."""

    def frames() -> Iterator[Frame]:
        first = next(clip(DEMO, settings).frames())
        height, width = first.size_px
        rng = np.random.default_rng(SEED)
        shape = (height + NOISE_PLAY_PX, width + NOISE_PLAY_PX, 3)
        noise = rng.normal(0.0, NOISE_SIGMA, shape).round().astype(np.int16)
        picture = first.image_bgr.astype(np.int16)
        for index in range(round(EMPTY_S * EMPTY_FPS)):
            y, x = rng.integers(0, NOISE_PLAY_PX, 2)
            noisy = picture + noise[y : y + height, x : x + width]
            image = noisy.clip(0, 255).astype(np.uint8)
            yield Frame(image, index / EMPTY_FPS, index)

    return Scene(EMPTY, lambda: _until(seconds, frames()), ())


def people(settings: Settings, seconds: float | None = None) -> Scene:
    """Return the part of the demo with a person in view; its times start at 0."""

    def frames() -> Iterator[Frame]:
        for frame in clip(DEMO, settings, PEOPLE_UNTIL_S).frames():
            if frame.captured_at_s >= PEOPLE_FROM_S:
                yield replace(frame, captured_at_s=frame.captured_at_s - PEOPLE_FROM_S)

    return Scene("640x480", lambda: _until(seconds, frames()))


def crowd(settings: Settings, count: int) -> Scene:
    """Return the demo's empty picture with the head of its first person at `count` places, at most
    20; each face is about 60 px wide.

    The person moves as in the demo, then backwards, and both once more: about eight seconds.
    """
    columns, rows = CROWD

    def pictures() -> Iterator[Frame]:
        left, top, width, height = HEAD_PX
        background: Frame | None = None
        for frame in clip(DEMO, settings, PEOPLE_UNTIL_S).frames():
            background = background or frame
            if frame.captured_at_s < HEAD_FROM_S:
                continue
            image = background.image_bgr.copy()
            cell = (image.shape[1] // columns, image.shape[0] // rows)
            head = frame.image_bgr[top : top + height, left : left + width]
            small = cv2.resize(head, cell, interpolation=cv2.INTER_AREA)
            for index in range(count):
                x, y = index % columns * cell[0], index // columns * cell[1]
                image[y : y + cell[1], x : x + cell[0]] = small
            yield replace(frame, image_bgr=image, captured_at_s=frame.captured_at_s - HEAD_FROM_S)

    def frames() -> Iterator[Frame]:
        once = list(pictures())
        if len(once) < 2:
            return
        period_s = once[1].captured_at_s - once[0].captured_at_s
        for number, frame in enumerate((*once, *once[::-1]) * 2):
            yield replace(frame, captured_at_s=number * period_s)

    return Scene(f"{count} {'person' if count == 1 else 'people'} in view", frames)


def larger(scene: Scene) -> Scene:
    """Return `scene` at 1920x1080 with the same people in it.

    Frames are enlarged to that height, and their edge pixels are repeated to both sides.
    """
    height, width = LARGE_PX

    def frames() -> Iterator[Frame]:
        for frame in scene.frames():
            scale = height / frame.size_px[0]
            inner = min(width, round(frame.size_px[1] * scale))
            image = cv2.resize(frame.image_bgr, (inner, height), interpolation=cv2.INTER_LINEAR)
            left = (width - inner) // 2
            padded = cv2.copyMakeBorder(
                image, 0, 0, left, width - inner - left, cv2.BORDER_REPLICATE
            )
            yield replace(frame, image_bgr=np.asarray(padded, np.uint8))

    return Scene(f"{width}x{height}", frames)


def checked(scene: Scene) -> Scene:
    """Return `scene`; raises UserError when it has no frame."""
    frames = scene.frames()
    if next(frames, None) is None:
        raise UserError(f"there is no frame in {scene.name}")
    return scene


def _until(seconds: float | None, frames: Iterator[Frame]) -> Iterator[Frame]:
    if seconds is None:
        return frames
    return takewhile(lambda frame: frame.captured_at_s < seconds, frames)
