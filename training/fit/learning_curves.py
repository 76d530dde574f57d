"""Learning curves: the training loss and the validation accuracy of a run over its epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.common.plotting import OTHER_COLOURS, plot


def write_learning_curves(path: Path, history: list[dict[str, Any]]) -> None:
    """Draw `history`, which `training.fit.training_loop` made with one entry for each epoch, as
    PNG.
    """
    epochs = [entry["epoch"] for entry in history]
    with plot(path, width_in=10, height_in=4, columns=2) as (left, right):
        left.plot(epochs, [entry["loss"] for entry in history], color="black", marker=".")
        left.set(title="Training loss", xlabel="epoch", ylabel="cross-entropy")
        names = list(history[-1]["accuracy"])
        for index, name in enumerate(names):
            colour = OTHER_COLOURS[index % len(OTHER_COLOURS)]
            values = [100 * entry["accuracy"][name] for entry in history]
            right.plot(epochs, values, color=colour, marker=".", label=name)
        best = max(range(len(history)), key=lambda i: (history[i]["score"], i))
        right.axvline(epochs[best], color="#999999", linestyle=":", label="kept")
        right.set(title="Validation accuracy", xlabel="epoch", ylabel="%")
        right.legend(loc="lower right")
        for axes in (left, right):
            axes.xaxis.get_major_locator().set_params(integer=True)
