"""Draws the README's picture from a real run: annotated frames above the terminal's output."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from edge.common.arrays import Pixels
from tests.support.footage.demo_frames import demo_frame

FRAMES_AT_S = (
    4.5,
    13.0,
    24.0,
)  # without a mask, with a mask, mask just put on
WIDTH_PX, PAD_PX, LETTER_PX, LINE_PX = 1320, 24, 20, 28
BACKGROUND, PLAIN, ALERT, CALM, FAINT = "#14181d", "#d7dde4", "#ff6b60", "#7ddc84", "#8b96a3"
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSansMono.ttf"


def main() -> int:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("edge/assets/first-run.jpg"))
    out: Path = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        frames = checked_frames(Path(folder))
    lines = ["$ make run", *terminal_output()]
    draw(frames, lines).save(out, quality=88, subsampling=0, optimize=True)
    sys.stdout.write(f"{out}: {out.stat().st_size / 1000:.0f} kB\n")
    return 0


def checked_frames(folder: Path) -> list[Pixels]:
    """Return frames of the demo clip, in RGB, as `mask-patrol detect --out` draws them."""
    names = []
    for at_s in FRAMES_AT_S:
        name = folder / f"{at_s:04.1f}.png"
        cv2.imwrite(str(name), demo_frame(at_s))
        names.append(str(name))
    command = [sys.executable, "-m", "edge", "detect", "--out", str(folder / "out"), *names]
    subprocess.run(command, check=True, capture_output=True)
    pictures = [cv2.imread(str(path)) for path in sorted((folder / "out").iterdir())]
    return [np.asarray(picture[:, :, ::-1], np.uint8) for picture in pictures]


def terminal_output() -> list[str]:
    """Return what `mask-patrol run --watch` prints at the clip's own speed."""
    command = [sys.executable, "-m", "edge", "run", "--watch"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def draw(frames: list[Pixels], lines: list[str]) -> Image.Image:
    """Draw `frames` side by side above `lines`, which are in the font of a terminal."""
    width = (WIDTH_PX - PAD_PX * (len(frames) + 1)) // len(frames)
    height = width * frames[0].shape[0] // frames[0].shape[1]
    canvas = Image.new("RGB", (WIDTH_PX, height + 3 * PAD_PX + LINE_PX * len(lines)), BACKGROUND)
    for index, frame in enumerate(frames):
        small = Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS)
        canvas.paste(small, (PAD_PX + index * (width + PAD_PX), PAD_PX))
    pen, font = ImageDraw.Draw(canvas), ImageFont.truetype(str(FONT), LETTER_PX)
    for number, line in enumerate(lines):
        colour = FAINT if line.startswith("stage") else PLAIN
        colour = ALERT if "●" in line else CALM if "○" in line else colour
        top = height + 2 * PAD_PX + number * LINE_PX
        pen.text((PAD_PX, top), line, fill=colour, font=font)
    return canvas


if __name__ == "__main__":
    sys.exit(main())
