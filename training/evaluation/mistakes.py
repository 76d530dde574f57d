"""The worst mistakes of a model: contact sheets of the faces, and a list of the files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edge.common.arrays import Pixels
from edge.common.errors import UsageError, UserError
from edge.common.file_access import write_problem
from training.common.contact_sheet import contact_sheet
from training.common.metrics import Ints
from training.data.crops import evaluation_crop, read_picture
from training.evaluation.predictions import Predictions

CHECKOUT = Path(__file__).resolve().parents[2]
#: Folders of the checkout that git ignores; pictures of people must not be anywhere else in it.
IGNORED_FOLDERS = ("runs", "data", ".cache", "build")
FACES_PER_SHEET, MAX_SHEETS = 100, 3
#: The number of letters that fit into a cell of a contact sheet, even if all are wide.
MAX_CAPTION_LETTERS = 15


def refuse_project_folder(folder: Path, option: str) -> None:
    """Raise UsageError, which names `option`, if `folder` is in the checkout and git does not
    ignore it.
    """
    resolved = folder.resolve()
    ignored = any(resolved.is_relative_to(CHECKOUT / name) for name in IGNORED_FOLDERS)
    if resolved.is_relative_to(CHECKOUT) and not ignored:
        raise UsageError(
            f"{option} {folder} is in the project, and pictures of people must stay out of it:"
            " give a folder elsewhere, or one in runs/"
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{option} {folder} is not a folder")


def make_ignored_folder(folder: Path) -> None:
    """Create `folder` if it does not exist, with a .gitignore, because it will show people.

    Raises UserError if it cannot be created.
    """
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True)
            (folder / ".gitignore").write_text("*\n")
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {write_problem(error)}") from None


def write_mistakes(folder: Path, predictions: Predictions) -> list[Path]:
    """Write `mistakes.txt`, and the worst mistakes to `mistakes-1.png` and so on; return these
    files.

    Mistakes are ordered by the score of the wrong label, highest first. Sheets of an earlier run in
    `folder` are removed; a new folder gets a .gitignore. Raises UserError if the folder cannot be
    written.
    """
    known = predictions.with_known_label()
    order = most_confident_mistakes(known)
    make_ignored_folder(folder)
    try:
        for number in range(1, MAX_SHEETS + 1):
            (folder / f"mistakes-{number}.png").unlink(missing_ok=True)
        listed = folder / "mistakes.txt"
        listed.write_text("\n".join(_lines(known, order)) + "\n")
        return [listed, *_sheets(folder, known, order[: MAX_SHEETS * FACES_PER_SHEET])]
    except OSError as error:
        raise UserError(f"cannot write the mistakes to {folder}: {write_problem(error)}") from None


def most_confident_mistakes(predictions: Predictions) -> Ints:
    """Return the wrong predictions, (m,) indices into `predictions`, by the wrong label's score."""
    wrong = np.flatnonzero(predictions.scores.argmax(axis=1) != predictions.truth)
    sure = predictions.scores[wrong].max(axis=1)
    return np.asarray(wrong[np.argsort(-sure, kind="stable")], np.int64)


def _lines(predictions: Predictions, order: Ints) -> Iterator[str]:
    yield "score\ttrue\tpredicted\tdata set\tbox\tfile"
    for index in order:
        sample, (predicted, score) = predictions.samples[index], _predicted(predictions, index)
        box = "" if sample.box_px is None else ",".join(f"{side:g}" for side in sample.box_px)
        source = predictions.sources[predictions.source[index]]
        yield f"{score:.4f}\t{sample.label}\t{predicted}\t{source}\t{box}\t{sample.path}"


def _sheets(folder: Path, predictions: Predictions, order: Ints) -> Iterator[Path]:
    for number, start in enumerate(range(0, len(order), FACES_PER_SHEET), start=1):
        chosen = order[start : start + FACES_PER_SHEET]
        pictures = [_crop(predictions, index) for index in chosen]
        sheet = contact_sheet(pictures, [_caption(predictions, index) for index in chosen])
        path = folder / f"mistakes-{number}.png"
        _, code = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
        path.write_bytes(code.tobytes())
        yield path


def _crop(predictions: Predictions, index: int) -> Pixels:
    sample = predictions.samples[index]
    image = read_picture(sample.path)
    crop = None if image is None else evaluation_crop(sample, image)
    assert crop is not None  # the picture was decoded before, to compute the score
    return crop


def _caption(predictions: Predictions, index: int) -> list[str]:
    sample, (predicted, score) = predictions.samples[index], _predicted(predictions, index)
    return [
        f"{_short_name(sample.label)} -> {_short_name(predicted)}",
        f"{score:.3f}",
        predictions.sources[predictions.source[index]][:MAX_CAPTION_LETTERS],
        sample.path.stem[-MAX_CAPTION_LETTERS:],
    ]


def _predicted(predictions: Predictions, index: int) -> tuple[str, float]:
    scores = predictions.scores[index]
    return predictions.labels[int(scores.argmax())], float(scores.max())


def _short_name(label: str) -> str:
    return {"no_mask": "bare", "incorrect_mask": "wrong"}.get(label, label)
