"""The results of a face detector's conversion as a readable table, or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from convert.classifier.table import aligned
from convert.face_detector.detector_conversion import DetectorOutcome

HEAD = ("variant", "runtime", "kB", "scores off", "on faces", "box IoU", "ms a search")


def detector_dict(outcome: DetectorOutcome) -> dict[str, Any]:
    """For JSON: sizes in bytes, single-thread times in ms; `figures` are empty without data."""
    return {
        "model": str(outcome.job.model),
        "check_set": outcome.check.description,
        "pictures": len(outcome.check.pixels),
        "keras": {
            "bytes": outcome.job.model.stat().st_size,
            "figures": outcome.keras_figures,
        },
        "rows": [{**asdict(run), "path": str(run.path)} for run in outcome.runs],
    }


def detector_text(outcome: DetectorOutcome) -> Iterator[str]:
    """Return the results as a readable table."""
    for path, variant, size in dict.fromkeys(
        (run.path, run.variant, run.size_bytes) for run in outcome.runs
    ):
        yield f"{path} agrees with Keras: {variant}, {size / 1000:.0f} kB"
    yield f"on {outcome.check.description}:"
    yield ""
    names = {"score": "average precision", "recall_at_3": "recall, 3 false"}
    keras = outcome.keras_figures
    rows = [
        [*HEAD, *names.values()],
        [
            *("Keras", "", f"{outcome.job.model.stat().st_size / 1000:.0f}", "", "", "", ""),
            *_figures(keras, names),
        ],
    ]
    for run in outcome.runs:
        rows.append(
            [
                run.variant,
                run.runtime,
                f"{run.size_bytes / 1000:.0f}",
                f"{run.parity.background:.4f}",
                f"{run.parity.distance:.4f}",
                f"{run.parity.iou:.3f}",
                f"{run.latency_ms:.2f}",
                *_figures(run.figures, names),
            ]
        )
    yield from aligned(rows)


def _figures(found: dict[str, float], names: dict[str, str]) -> list[str]:
    return [f"{found[name]:.4f}" if name in found else "needs --data" for name in names]
