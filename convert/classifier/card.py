"""Builds the card of a converted model from the report beside the Keras file."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from edge.classification.model_card import Alert, Card, Framing, Input
from edge.common.errors import UserError
from training.network.model_report import Report


def check_belongs(report: Report, keras_sha256: str, report_path: Path) -> None:
    """Raise UserError when `report` belongs to another model."""
    if report.keras_sha256 != keras_sha256:
        raise UserError(f"{report_path} belongs to another Keras model, not to the one beside it")


def card_of(report: Report, quantisation: str, measured: dict[str, Any]) -> Card:
    """Return the card of a converted model: the Keras model's figures and those in `measured`."""
    return Card(
        name=report.name,
        input=Input(height=report.size_px, width=report.size_px),
        framing=Framing(margin=report.margin),
        labels=report.labels,
        quantisation=quantisation,
        alert=Alert(threshold=report.threshold, chosen=report.threshold_chosen),
        unsure=report.unsure,
        two_labels=report.two_labels,
        keras_sha256=report.keras_sha256,
        training_data=report.training_data,
        figures={**report.figures, **measured},
        licence=report.licence,
        versions={**report.versions, "ai-edge-quantizer": version("ai-edge-quantizer")},
    )
