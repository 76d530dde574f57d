"""The plots in the report on data sets: counts, sizes, and styles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from training.common.plotting import LABEL_COLOURS, OTHER_COLOURS, plot
from training.data.crops import MIN_EVALUATED_WIDTH_PX, MIN_TRAINED_WIDTH_PX
from training.data.datasets import LABELS
from training.data.picture_style import COMBINED_MEASURES, MEASURES, Style
from training.data.splits import Split
from training.exploration.dataset_stats import DataSetStats, FaceStats

ROW_IN = 0.32  # height that each row of text adds to a plot
AXES = {
    "brightness": "brightness (0 to 255)",
    "colour": "saturation (0 to 255)",
    "sharpness": "sharpness (log)",
    "side_px": "shorter side, px (log)",
    "aspect": "width / height",
}
LOGARITHMIC = ("sharpness", "side_px")


def draw_balance(path: Path, all_stats: list[DataSetStats]) -> None:
    """Draw the number of faces of each label in each split of each data set."""
    rows = [
        (f"{stats.data.name}  {split}", [_count(stats, split, label) for label in LABELS[3]])
        for stats in all_stats
        for split in Split
        if any(face.sample.split is split for face in stats.faces)
    ]
    with plot(path, 7.5, 1.4 + ROW_IN * len(rows)) as axes:
        left = np.zeros(len(rows))
        for column, label in enumerate(LABELS[3]):
            counts = np.array([row[column] for _, row in rows], float)
            if counts.any():
                axes.barh(range(len(rows)), counts, 0.7, left, color=LABEL_COLOURS[label])
                axes.plot([], [], "s", color=LABEL_COLOURS[label], label=label)
            left += counts
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.invert_yaxis()
        axes.margins(x=0.03)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("faces")
        axes.set_title("Faces by label, data set and split", loc="left", pad=30)
        _legend_above(axes)


def draw_sizes(path: Path, all_stats: list[DataSetStats]) -> None:
    """Draw histograms of the pictures' longer sides and of the annotated faces' widths."""
    boxed = [stats for stats in all_stats if any(f.sample.box_px for f in stats.faces)]
    colours = {
        stats.data.name: OTHER_COLOURS[number % len(OTHER_COLOURS)]
        for number, stats in enumerate(all_stats)
    }
    with plot(path, 7.5, 6.4 if boxed else 3.6, rows=2 if boxed else 1) as drawn:
        pictures, *rest = np.atleast_1d(drawn)
        _histogram(pictures, all_stats, _longer_sides, colours)
        pictures.set_title("Pictures: longer side", loc="left", pad=30)
        for axes in rest:
            _histogram(axes, boxed, _box_widths, colours)
            axes.set_ylim(top=axes.get_ylim()[1] * 1.15)  # room for the labels of the lines
            axes.set_title("Annotated faces: width", loc="left", pad=30)
            for width, used in (
                (MIN_TRAINED_WIDTH_PX, "narrower: not trained on"),
                (MIN_EVALUATED_WIDTH_PX, "wider: evaluated"),
            ):
                axes.axvline(width, color="#444444", linestyle=":")
                side = {"ha": "right", "x": width * 0.96} if "not" in used else {"x": width * 1.04}
                axes.text(y=0.97, s=used, va="top", transform=axes.get_xaxis_transform(), **side)


def draw_style(path: Path, all_stats: list[DataSetStats]) -> None:
    """Draw a box for each measure, data set and label, from the 25th to the 75th percentile.

    The whiskers extend from the 5th to the 95th percentile.
    """
    rows = [
        (f"{stats.data.name}  {label}", label, styles)
        for stats in all_stats
        for label in LABELS[3]
        if (styles := styles_of(stats, label))
    ]
    with plot(path, 13, 1.5 + ROW_IN * len(rows), columns=len(MEASURES)) as drawn:
        for axes, measure in zip(drawn, MEASURES, strict=True):
            boxes = axes.boxplot(
                [[getattr(style, measure) for style in styles] for _, _, styles in rows],
                orientation="horizontal",
                whis=(5, 95),
                showfliers=False,
                patch_artist=True,
                widths=0.65,
                medianprops={"color": "black"},
            )
            for box, (_, label, _) in zip(boxes["boxes"], rows, strict=True):
                box.set_facecolor(LABEL_COLOURS[label])
            if measure in LOGARITHMIC:
                axes.set_xscale("log")
                _plain_ticks(axes)
            axes.set_xlabel(AXES[measure])
            axes.invert_yaxis()
            axes.set_yticks(range(1, len(rows) + 1), [name for name, _, _ in rows])
            axes.tick_params(axis="y", labelleft=axes is drawn[0])
        title = "Style by label: the upper half of each face, and its size"
        drawn[0].figure.suptitle(title, x=0.01, ha="left", weight="bold")


def draw_separations(path: Path, rows: list[tuple[str, dict[str, float]]]) -> None:
    """Draw a heat map of how well each measure separates two labels without any mask in view."""
    names = [*MEASURES, *COMBINED_MEASURES]
    table = np.array([[values[name] for name in names] for _, values in rows])
    with plot(path, 8.5, 1.6 + ROW_IN * len(rows)) as axes:
        axes.imshow(table, vmin=0.5, vmax=1, cmap="OrRd", aspect="auto")
        for (row, column), value in np.ndenumerate(table):
            colour = "white" if value > 0.85 else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour)
        axes.set_xticks(
            range(len(names)),
            [name.replace("_px", "").replace(" and ", "\nand ") for name in names],
        )
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.grid(visible=False)
        axes.tick_params(length=0)
        axes.axvline(len(MEASURES) - 0.5, color="white", linewidth=4)
        axes.set_title("Does style alone reveal the label?  0.5: no, 1: always", loc="left")


def styles_of(stats: DataSetStats, label: str) -> list[Style]:
    """Return the styles of the faces of one label that are large enough to be evaluated."""
    return [f.style for f in stats.faces if f.sample.label == label and f.style is not None]


def _count(stats: DataSetStats, split: Split, label: str) -> int:
    return sum(f.sample.split is split and f.sample.label == label for f in stats.faces)


def _longer_sides(faces: list[FaceStats]) -> list[float]:
    sides = {face.sample.path: float(max(face.picture_px)) for face in faces}
    return list(sides.values())


def _box_widths(faces: list[FaceStats]) -> list[float]:
    return [face.face_px[0] for face in faces if face.sample.box_px is not None]


def _histogram(
    axes: Any,
    all_stats: list[DataSetStats],
    values: Callable[[list[FaceStats]], list[float]],
    colours: dict[str, str],
) -> None:
    """Draw the share of each data set in each bin, because the sizes of data sets differ a
    hundredfold.
    """
    by_data_set = [(stats.data.name, values(stats.faces)) for stats in all_stats]
    everything = np.concatenate([each for _, each in by_data_set])
    bins = np.geomspace(max(1, everything.min() * 0.95), everything.max() * 1.05, 45)
    for name, each in by_data_set:
        share = np.full(len(each), 100 / len(each))
        axes.hist(each, bins, weights=share, histtype="step", color=colours[name], lw=1.8)
        axes.plot([], [], color=colours[name], lw=1.8, label=name)
    axes.set_xscale("log")
    _plain_ticks(axes)
    axes.set_xlabel("pixels (log)")
    axes.set_ylabel("% of the data set")
    _legend_above(axes)


def _legend_above(axes: Any) -> None:
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2, columnspacing=1.2
    )


def _plain_ticks(axes: Any) -> None:
    """Set ticks at 20, 50, 100 and so on, instead of at powers of ten."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
