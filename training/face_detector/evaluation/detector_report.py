"""The figures of detectors as text, JSON and plots, and a contact sheet of the missed faces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.camera.pictures.image_files import read_image
from edge.classification.face_crop import crop_face
from edge.common.arrays import Pixels
from edge.common.errors import UserError
from edge.common.file_access import write_problem
from edge.detection.boxes import box_of, sizes
from training.common.contact_sheet import contact_sheet
from training.common.intervals import Estimate
from training.common.plotting import OTHER_COLOURS, plot
from training.face_detector.evaluation.detection_metrics import FALSE_BOXES
from training.face_detector.evaluation.detector_evaluation import (
    ALL,
    IOU_LIMITS,
    RECALL_IOU,
    DetectorEvaluation,
    EvaluationPicture,
)

#: A contact sheet shows at most this many faces, each with its surroundings.
MAX_MISSES, MISS_MARGIN = 100, 0.6
COLUMNS = {
    **{f"ap_{limit:g}": f"AP at IoU {limit:g}" for limit in IOU_LIMITS},
    **{f"recall_at_{number}": f"recall, {number} false" for number in FALSE_BOXES},
}


def report_lines(evaluation: DetectorEvaluation) -> list[str]:
    """Return the figures of one detector as a table."""
    thresholds = ", ".join(
        f"{number} at {threshold:.3g}" for number, threshold in evaluation.thresholds.items()
    )
    heading = "".join(f"{title:>20}" for title in COLUMNS.values())
    lines = [
        f"{evaluation.detector}: {evaluation.pictures} pictures; AP: average precision; recall at"
        f" IoU {RECALL_IOU:g}, with 1, 3 and 10 false boxes in 100 pictures",
        f"  false boxes in 100 pictures, and the score that gives them: {thresholds}",
        f"  {'faces':<22}{'count':>6}{heading}",
    ]
    for name, group in evaluation.groups.items():
        cells = "".join(f"{_interval(group.figures[column]):>20}" for column in COLUMNS)
        lines.append(f"  {name:<22}{group.faces:>6}{cells}")
    return lines


def _interval(each: Estimate | None) -> str:
    if each is None:
        return "-"
    return f"{each.value:.3f} {each.low:.3f}-{each.high:.3f}"


def report_record(evaluation: DetectorEvaluation) -> dict[str, Any]:
    """Return the figures of one detector as JSON; a value that is not defined is null."""
    return {
        "detector": evaluation.detector,
        "pictures": evaluation.pictures,
        "thresholds": {str(n): _number(value) for n, value in evaluation.thresholds.items()},
        "groups": {
            name: {
                "faces": group.faces,
                **{key: _estimate(value) for key, value in group.figures.items()},
            }
            for name, group in evaluation.groups.items()
        },
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _estimate(each: Estimate | None) -> dict[str, Any] | None:
    if each is None:
        return None
    return {"value": each.value, "low": _number(each.low), "high": _number(each.high)}


def write_plots(folder: Path, evaluations: Sequence[DetectorEvaluation]) -> list[Path]:
    """Draw `precision_recall.png`, `false_boxes.png` and `face_size.png` into `folder`."""
    paths = [folder / f"{name}.png" for name in ("precision_recall", "false_boxes", "face_size")]
    _draw_precision(paths[0], evaluations)
    _draw_false_boxes(paths[1], evaluations)
    _draw_sizes(paths[2], evaluations)
    return paths


def _draw_precision(path: Path, evaluations: Sequence[DetectorEvaluation]) -> None:
    with plot(path, width_in=10, columns=2) as axes:
        for limit, each_axes in zip(IOU_LIMITS, axes, strict=True):
            for colour, each in zip(_colours(), evaluations, strict=False):
                curve, found = each.curves[limit], each.groups[ALL].figures[f"ap_{limit:g}"]
                precision = float("nan") if found is None else found.value
                each_axes.plot(
                    curve.recall,
                    curve.precision,
                    color=colour,
                    label=f"{each.detector}: {precision:.3f}",
                )
            each_axes.set(
                title=f"IoU {limit:g}",
                xlabel="recall",
                ylabel="precision",
                xlim=(0, 1),
                ylim=(0, 1),
            )
            each_axes.legend(title="average precision", loc="lower left")


def _draw_false_boxes(path: Path, evaluations: Sequence[DetectorEvaluation]) -> None:
    with plot(path) as axes:
        for colour, each in zip(_colours(), evaluations, strict=False):
            curve = each.curves[RECALL_IOU]
            false_boxes = np.maximum(100 * curve.false_boxes, 0.1)
            axes.plot(false_boxes, curve.recall, color=colour, label=each.detector)
        for number in FALSE_BOXES:
            axes.axvline(number, color="#999999", linestyle=":")
        axes.set(
            title=f"Faces found, IoU {RECALL_IOU:g}",
            xlabel="false boxes in 100 pictures",
            ylabel="recall",
            xscale="log",
            xlim=(0.1, 300),
            ylim=(0, 1),
        )
        axes.legend()


def _draw_sizes(path: Path, evaluations: Sequence[DetectorEvaluation]) -> None:
    with plot(path) as axes:
        names: list[str] = []
        for colour, each in zip(_colours(), evaluations, strict=False):
            groups = {name: g for name, g in each.groups.items() if name.endswith(" px")}
            names = names or list(groups)
            found = {name: group.figures[f"ap_{RECALL_IOU:g}"] for name, group in groups.items()}
            values = {name: value for name, value in found.items() if value is not None}
            axes.plot(
                [names.index(name) for name in values],
                [value.value for value in values.values()],
                color=colour,
                marker="o",
                label=each.detector,
            )
        axes.set_xticks(range(len(names)), names)
        axes.set(
            title="By size of the face in the picture that is searched",
            ylabel=f"average precision, IoU {RECALL_IOU:g}",
            ylim=(0, 1),
        )
        axes.legend()


def _colours() -> list[str]:
    return ["#0072B2", "#D55E00", *OTHER_COLOURS]


def write_misses(
    path: Path,
    missed: Sequence[tuple[int, int]],
    pictures: Sequence[EvaluationPicture],
) -> None:
    """Write a contact sheet of up to `MAX_MISSES` faces, evenly spread over those in `missed`.

    `missed` holds (picture, face) indices. Raises UserError if the file cannot be written.
    """
    count = min(MAX_MISSES, len(missed))
    chosen = [missed[i * len(missed) // count] for i in range(count)]
    crops = [_crop(pictures[index], face) for index, face in chosen]
    captions = [_caption(pictures[index], face) for index, face in chosen]
    sheet = contact_sheet(crops, captions)
    _, code = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    try:
        path.write_bytes(code.tobytes())
    except OSError as error:
        raise UserError(f"cannot write {path}: {write_problem(error)}") from None


def _crop(each: EvaluationPicture, face: int) -> Pixels:
    image = np.asarray(cv2.cvtColor(read_image(each.picture.path), cv2.COLOR_BGR2RGB), np.uint8)
    return crop_face(image, box_of(each.faces[face]), MISS_MARGIN, (112, 112))


def _caption(each: EvaluationPicture, face: int) -> list[str]:
    side = float(sizes(each.faces[face : face + 1])[0]) * each.scale
    return [f"{side:.0f} px {each.labels[face] or ''}", each.picture.path.stem[-16:]]
