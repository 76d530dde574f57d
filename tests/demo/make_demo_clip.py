"""Make and check Mask Patrol's bundled demo clip, edge/assets/demo.mp4.

The people in it come from two public-domain photographs (see LICENCES.md), which
are taken from packages of PyPI; everything else is drawn. With the same ffmpeg,
OpenCV and NumPy the clip has the same bytes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import cutouts
import cv2
import hands
import masks
import numpy as np
import scene
import sources
from check import check_clip
from sources import DemoError

HERE = Path(__file__).resolve().parent
CLIP = HERE.parents[1] / "edge" / "assets" / "demo.mp4"
CACHE = Path.home() / ".cache" / "mask-patrol-demo"
#: The quality for ffmpeg. With this value, the clip has about 700 KB and keeps the picture noise.
CRF = 21

EMPTY_FIRST_S, EMPTY_S, EMPTY_LAST_S = 2.0, 2.5, 2.0
BARE_S, MASKED_S = 3.2, 2.8
#: How long person 3 stands without a mask, takes to put the mask on, and stands with the mask.
BEFORE_S, RAISE_S, AFTER_S = 2.5, 0.6, 3.0
#: How long the hands of person 3 then stay at the ears, and how long they take to go down.
HOLD_S, LOWER_S = 0.2, 0.4
#: The mask starts RAISE_FROM eye distances below its place; RAISE_EASE slows it down as it rises.
RAISE_FROM, RAISE_EASE = 4.5, 1.2

BLUE_COAT, GREEN_COAT = (0.45, 0.30, 0.18), (0.30, 0.33, 0.30)
BLUE = masks.Mask((0.90, 0.80, 0.62), seed=2)
WHITE = masks.Mask((0.93, 0.93, 0.92), seed=3)


def cast(collins: cutouts.Pixels, obama: cutouts.Pixels) -> list[scene.Visit]:
    """Return the three visits: the people with their clothes, paths and times."""
    start = EMPTY_FIRST_S
    guest = cutouts.cut_out(obama, cutouts.OBAMA, 0.45)
    first = scene.Visit(
        start_s=start,
        stay_s=BARE_S,
        looks=lambda t: guest,
        from_x=50,
        stand_x=300,
        leave_x=860,
        face_px=104,
        light=1.25,
        warmth=-0.01,
        phase=1.0,
        lower_px=22,
    )
    plain = cutouts.without_badges(collins)
    blue = cutouts.dressed(plain, BLUE_COAT, hair=0.62)
    second_looks = masks.masked(cutouts.cut_out(blue, cutouts.COLLINS, 2), BLUE)
    start = first.end_s + EMPTY_S
    # This path was found by trial: on other paths, the detector takes coat and door for a face.
    second = scene.Visit(
        start_s=start,
        stay_s=MASKED_S,
        looks=lambda t: second_looks,
        from_x=576,
        stand_x=385,
        leave_x=-260,
        face_px=103,
        light=0.93,
        phase=6.0,
        lower_px=15,
        bare_until_s=0,
        masked_from_s=start,
    )
    green = cutouts.dressed(plain, GREEN_COAT, hair=1.0)
    bare = cutouts.mirrored(cutouts.cut_out(green, cutouts.COLLINS, 2))
    start = second.end_s + EMPTY_S
    looks = dressing(bare, GREEN_COAT)
    stay_s = BEFORE_S + RAISE_S + AFTER_S
    raises_s = start + scene.ENTER_S + BEFORE_S
    third = scene.Visit(
        start_s=start,
        stay_s=stay_s,
        looks=looks,
        from_x=50,
        stand_x=290,
        leave_x=900,
        face_px=110,
        warmth=0.03,
        phase=4.0,
        bare_until_s=raises_s,
        masked_from_s=raises_s + RAISE_S,
    )
    return [first, second, third]


def dressing(bare: cutouts.Cutout, coat_bgr: tuple[float, float, float]) -> scene.Looks:
    """Return how person 3 looks over time: bare, raising the mask, masked, lowering the hands."""
    begin, frame_s = scene.ENTER_S + BEFORE_S, 1 / scene.FPS
    rising, holding, sinking = (round(s * scene.FPS) for s in (RAISE_S, HOLD_S, LOWER_S))
    worn = masks.masked(bare, WHITE)
    steps = []
    for n in range(rising + holding + sinking):
        drop = RAISE_FROM * max(0.0, 1 - (n + 1) / rising) ** RAISE_EASE
        away = np.clip((n + 1 - rising - holding) / sinking, 0, 1) ** 1.3
        arms = []
        for side in (-1, 1):
            grip = side * (0.95 + 0.7 * float(away)), 0.75 + drop + 5.5 * float(away)
            arms += hands.arm(side, grip, coat_bgr)
        steps.append(masks.masked(bare, WHITE, drop, arms))

    def looks(t: float) -> cutouts.Cutout:
        step = int((t - begin) / frame_s + 1e-6)
        if t < begin:
            return bare
        return steps[step] if step < len(steps) else worn

    return looks


def encode(visits: list[scene.Visit], clip: Path) -> None:
    """Compose all frames and write `clip`."""
    command = [
        *("ffmpeg", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "bgr24"),
        *("-s", f"{scene.WIDTH}x{scene.HEIGHT}", "-r", str(scene.FPS), "-i", "-"),
        *("-c:v", "libx264", "-preset", "slow", "-crf", str(CRF), "-pix_fmt", "yuv420p"),
        *("-profile:v", "main", "-g", str(4 * scene.FPS), "-threads", "1"),
        *("-fflags", "+bitexact", "-flags:v", "+bitexact", "-map_metadata", "-1"),
        *("-movflags", "+faststart", str(clip)),
    ]
    try:
        clip.parent.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError:
        raise DemoError("ffmpeg is not installed (Debian: apt install ffmpeg)") from None
    except OSError as error:
        raise DemoError(f"cannot write {clip}: {error.strerror}") from None
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        for frame in scene.frames(visits, visits[-1].end_s + EMPTY_LAST_S):
            process.stdin.write(frame.tobytes())
        process.stdin.close()
    except BrokenPipeError:
        pass
    reason = process.stderr.read().decode(errors="replace").strip().splitlines()
    if process.wait():
        raise DemoError(f"ffmpeg failed: {reason[-1] if reason else process.returncode}")


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog="See README.md beside it.")
    parser.add_argument("--output", type=Path, default=CLIP, help="the clip (%(default)s)")
    parser.add_argument(
        "--scikit-image", type=Path, help="wheel of scikit-image 0.26.0, or a folder of its files"
    )
    parser.add_argument(
        "--face-recognition",
        type=Path,
        help="source archive of face_recognition 1.3.0, or that archive unpacked",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=CACHE,
        help="the folder for downloaded packages (default: %(default)s)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="only print what a face cascade finds in the clip",
    )
    return parser.parse_args()


def main() -> int:
    """Make the clip or check it; return 0 on success."""
    options = arguments()
    cv2.setNumThreads(1)  # more threads are not faster, and may change the order of sums
    try:
        collins = sources.load(sources.COLLINS, options.scikit_image, options.cache)
        obama = sources.load(sources.OBAMA, options.face_recognition, options.cache)
        visits = cast(collins, obama)
        if options.check:
            return check_clip(options.output, visits)
        encode(visits, options.output)
    except DemoError as error:
        sys.stderr.write(f"make_demo_clip: {error}\n")
        return 1
    sys.stdout.write(f"{options.output}: {options.output.stat().st_size / 1000:.0f} KB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
