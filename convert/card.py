"""The card of a converted model, from what training wrote beside the Keras file."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from edge.card import Alert, Card, Framing, Input
from edge.errors import UserError
from training.report import Report

QUANTISATION = (
    "int8: weights per channel, activations per tensor; input uint8 RGB pixels, output int8"
)


def card_of(report: Report, keras_sha256: str, report_path: Path) -> Card:
    """Raises UserError when `report` is another model's."""
    if report.keras_sha256 != keras_sha256:
        raise UserError(f"{report_path} belongs to another Keras model than the one beside it")
    return Card(
        name=report.name,
        input=Input(height=report.size_px, width=report.size_px),
        framing=Framing(margin=report.margin),
        labels=report.labels,
        quantisation=QUANTISATION,
        alert=Alert(threshold=report.threshold, chosen=report.threshold_chosen),
        keras_sha256=keras_sha256,
        training_data=report.training_data,
        figures=report.figures,
        licence=report.licence,
        versions={**report.versions, "ai-edge-quantizer": version("ai-edge-quantizer")},
    )
