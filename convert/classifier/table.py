"""The results of a conversion as a readable table, or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convert.classifier.conversion import Outcome
from convert.classifier.figures import accuracies

HEAD = ("variant", "runtime", "kB", "labels differ", "scores off", "ms a face")


def as_dict(outcome: Outcome) -> dict[str, Any]:
    """For JSON: sizes in bytes, shares and distances 0 to 1, single-thread times in ms.

    `accuracy`: by data set, empty when no data was given.
    """
    rows = [
        {
            "variant": each.variant,
            "path": str(each.path),
            "bytes": each.size_bytes,
            "runtime": run.runtime,
            "labels_differ": run.parity.differ,
            "clear_labels_agree": run.parity.agreement,
            "scores_distance": run.parity.distance,
            "latency_ms": run.latency_ms,
            "accuracy": accuracies(outcome.check, run.scores),
        }
        for each in outcome.converted
        for run in each.runs.ran
    ]
    return {
        "model": str(outcome.job.model),
        "check_set": outcome.check.description,
        "pictures": len(outcome.check.pixels),
        "keras": {
            "bytes": outcome.job.model.stat().st_size,
            "accuracy": accuracies(outcome.check, outcome.keras_scores),
        },
        "rows": rows,
        "not_run": {each.variant: each.runs.missing for each in outcome.converted},
    }


def as_text(outcome: Outcome) -> Iterator[str]:
    """Return the results as a readable table."""
    found = as_dict(outcome)
    for each in outcome.converted:
        yield f"{each.path} agrees with Keras: {each.variant}, {each.size_bytes / 1000:.0f} kB"
    shares = "; the columns named after data sets show accuracy" if outcome.check.parts else ""
    yield f"on {found['check_set']}{shares}:"
    yield ""
    names = list(outcome.check.parts)
    keras = found["keras"]
    size = f"{keras['bytes'] / 1000:.0f}"
    rows = [
        [*HEAD, *(names or ["accuracy"])],
        ["Keras", "", size, "", "", "", *_accuracy(keras["accuracy"], names)],
    ]
    for row in found["rows"]:
        rows.append(
            [
                row["variant"],
                row["runtime"],
                f"{row['bytes'] / 1000:.0f}",
                f"{row['labels_differ']:.2%}",
                f"{row['scores_distance']:.4f}",
                f"{row['latency_ms']:.2f}",
                *_accuracy(row["accuracy"], names),
            ]
        )
    yield from aligned(rows)
    for variant, missing in found["not_run"].items():
        for reason in missing.values():
            yield f"{variant}: not run ({reason})"


def _accuracy(by_name: dict[str, float], names: list[str]) -> list[str]:
    return [f"{by_name[name]:.4f}" for name in names] or ["needs --data"]


def aligned(rows: list[list[str]]) -> Iterator[str]:
    """Return the lines of a table whose first two columns are text and whose others are numbers."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        words = [f"{cell:{width}}" for cell, width in zip(row[:2], widths[:2], strict=True)]
        numbers = [f"{cell:>{width}}" for cell, width in zip(row[2:], widths[2:], strict=True)]
        yield "  ".join(words + numbers).rstrip()
