"""Runs under qemu with the plugin `count.c`: counts the instructions of each stage of a frame."""

from __future__ import annotations

import json
import mmap
import struct
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from edge.bench.footage import people
from edge.bench.measure import one_opencv_thread
from edge.bench.our_pipeline import Ours
from edge.bench.stage_costs import WHOLE, StageCosts
from edge.common.paths import shipped_detector
from edge.config.settings import change, load_settings


def main(counted: str, frames: int, detectors: list[str]) -> None:
    """Print a JSON object for each of `detectors`, one per line.

    `counted` is the plugin's file. A detector is a value of `detector.kind`, to which the variant
    of the network's file can be appended, as in `learned-float16`.
    """
    with Path(counted).open("rb") as file:
        memory = mmap.mmap(file.fileno(), 8, mmap.MAP_SHARED, mmap.PROT_READ)

    def executed() -> float:
        return float(struct.unpack("<Q", memory[:8])[0])

    with one_opencv_thread():
        for detector in detectors:
            sys.stdout.write(json.dumps(measured(detector, frames, executed)) + "\n")


def measured(detector: str, frames: int, executed: Callable[[], float]) -> dict[str, Any]:
    """Return the numbers of `detector`; `executed` returns the instructions executed so far."""
    kind, dash, variant = detector.partition("-")
    model = str(shipped_detector(dash + variant)) if variant else ""
    settings = change(load_settings(None), detector={"kind": kind, "model": model})
    ours = Ours(settings)
    costs = StageCosts(wall=executed, cpu=executed)
    ours.begin(costs)
    # Decode all frames in advance: the decoder's threads must not be counted.
    shown = list(filter(ours.wants, islice(people(settings).frames(), frames)))
    for frame in shown:
        with costs.measure(WHOLE):
            ours.process(frame)
    return {
        "detector": detector,
        "runtime": ours.runtime,
        "frames": len(shown),
        "instructions": {name: round(count) for name, count in costs.cpu_s.items()},
        "passes": {name: len(counts) for name, counts in costs.durations_s.items()},
    }


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
