"""The shipped classifier with other scores under which a reading is unsure."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edge.classification.model_card import Unsure, attach_card, read_card
from edge.common.paths import shipped_model
from edge.inference.card_archive import read_attached


def write_model(path: Path, scores: dict[str, float] | None) -> Path:
    """Write the shipped 2-class model to `path` with these scores by label, or with a card of an
    earlier version for None; return `path`.
    """
    model = shipped_model().read_bytes()
    unsure = None if scores is None else Unsure(scores=scores, chosen="by hand")
    card = msgspec.structs.replace(read_card(model, shipped_model()), unsure=unsure)
    path.write_bytes(attach_card(read_attached(model, path).flatbuffer, card))
    return path
