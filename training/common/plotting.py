"""The style that all plots share; plots are drawn without a display."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Colours that colour-blind people can distinguish as well (Okabe and Ito, 2008).
LABEL_COLOURS = {"mask": "#0072B2", "no_mask": "#D55E00", "incorrect_mask": "#CC79A7"}
OTHER_COLOURS = ("#009E73", "#E69F00", "#56B4E9", "#000000", "#999999")
STYLE = {
    "font.size": 11,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "axes.axisbelow": True,
    "legend.frameon": False,
}
DOTS_PER_INCH = 144


@contextlib.contextmanager
def plot(
    path: Path, width_in: float = 7.0, height_in: float = 4.5, rows: int = 1, columns: int = 1
) -> Iterator[Any]:
    """Yield the axes of a new figure, or an array of them if there are several, and save it to
    `path`.

    The PNG file is written when the block ends without an error. The same drawing gives the same
    bytes.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure.subplots(rows, columns)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
