"""A warning about labels that are much rarer than others."""

from __future__ import annotations

import logging
from collections import Counter

from training.data.datasets import DataSet

log = logging.getLogger(__name__)

#: A label with less than this share of the faces of the most frequent label is reported. The weight
#: of a face is at most 3, so even with the weights such a label counts far less than the other.
MIN_SHARE = 0.2


def warn_about_rare_labels(datasets: list[DataSet], labels: tuple[str, ...]) -> None:
    """Log a warning for each of `labels` that is rare in all `datasets` together."""
    counts = Counter(sample.label for data in datasets for sample in data.samples)
    frequent = max(labels, key=lambda label: counts[label])
    for label in labels:
        if counts[label] < MIN_SHARE * counts[frequent]:
            log.warning(
                "warning: there are only %d faces with the label %s, but %d with %s: a model that"
                " is trained on them will rarely be right about %s; add pictures of it",
                counts[label],
                label,
                counts[frequent],
                frequent,
                label,
            )
