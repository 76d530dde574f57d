"""The shipped classifier with other scores under which a reading is unsure."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edge.classification.model_card import Thresholds, Unsure, attach_card, read_card
from edge.common.paths import shipped_model
from edge.inference.card_archive import read_attached


def write_model(path: Path, scores: dict[str, float] | None) -> Path:
    """Write the shipped model to `path` with these scores by label, or with a card of an earlier
    version, without any such scores, for None; return `path`.

    Both answers of the model get the scores of `mask` and `no_mask`; a reading with the label
    `incorrect_mask` is always sure.
    """
    model = shipped_model().read_bytes()
    card = read_card(model, shipped_model())
    if scores is None:
        card = msgspec.structs.replace(card, unsure=None, two_labels=None)
    else:
        assert card.two_labels is not None
        unsure = Unsure(scores=scores, chosen="by hand")
        two = Thresholds(alert=card.two_labels.alert, unsure=unsure)
        three = Unsure(scores={**scores, "incorrect_mask": 0.0}, chosen="by hand")
        card = msgspec.structs.replace(card, unsure=three, two_labels=two)
    path.write_bytes(attach_card(read_attached(model, path).flatbuffer, card))
    return path
