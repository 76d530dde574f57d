"""The chart: stacked bars of the processor time for one minute of footage, by stage."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from edge.bench.results import Result, SceneFigures, between_ms
from edge.common.errors import UserError

NAME = "bench.png"
#: Okabe and Ito's colours, which colour-blind people can tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")


def write_chart(result: Result, folder: Path) -> Path:
    """Draw `result` as PNG in `folder` and return the file's path.

    Raises UserError when matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise UserError(
            "the chart needs matplotlib: pip install '.[bench]' in a clone of the repository"
        )
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    colours = _colours(result)
    bars = sum(len(scene.contenders) for scene in result.scenes)
    figure = Figure(
        figsize=(9.0, 1.2 + 0.5 * bars + 0.5 * len(result.scenes)), layout="constrained"
    )
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(result.scenes), 1, squeeze=False)[:, 0]
    for axes, scene in zip(panels, result.scenes, strict=True):
        _draw(axes, scene, colours)
    handles: dict[str, Any] = {}
    for axes in panels:
        drawn, labels = axes.get_legend_handles_labels()
        handles |= dict(zip(labels, drawn, strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))
    figure.suptitle(f"Processor time for a minute of footage: {result.machine['processor']}")
    path = folder / NAME
    figure.savefig(path, dpi=120)
    return path


def _draw(axes: Any, scene: SceneFigures, colours: dict[str, str]) -> None:
    for contender, figures in scene.contenders.items():
        stages = between_ms(figures)
        # Scaled to one minute of footage: the contenders process different numbers of frames.
        s_per_ms = figures.cpu_s_per_minute.median / max(sum(stages.values()), 1e-9)
        reached_s = 0.0
        for stage, ms in stages.items():
            axes.barh(contender, ms * s_per_ms, left=reached_s, color=colours[stage], label=stage)
            reached_s += ms * s_per_ms
        axes.text(reached_s, contender, f" {reached_s:.3g} s", va="center")
    ratio = f": {scene.ratio.median:.1f} times less" if scene.ratio else ""
    axes.set_title(f"{scene.name}{ratio}", loc="left", fontsize="medium")
    axes.set_xlabel("s")
    axes.margins(x=0.12)
    axes.invert_yaxis()


def _colours(result: Result) -> dict[str, str]:
    stages = dict.fromkeys(
        stage
        for scene in result.scenes
        for contender in scene.contenders.values()
        for stage in between_ms(contender)
    )
    return {stage: COLOURS[n % len(COLOURS)] for n, stage in enumerate(stages)}
