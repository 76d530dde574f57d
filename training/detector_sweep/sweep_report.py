"""The results of the sweep as Markdown tables, JSON and a plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from training.common.intervals import Estimate
from training.common.plotting import LABEL_COLOURS, OTHER_COLOURS, plot
from training.detector_sweep.clips import ClipResult
from training.detector_sweep.grid import Configuration, shipped
from training.detector_sweep.sweep_metrics import SIZE_BANDS, ConfigurationMetrics


def sweep_table(
    tried: Sequence[ConfigurationMetrics], front: Sequence[ConfigurationMetrics]
) -> Iterator[str]:
    """Yield a row for each configuration; `*` marks the Pareto front, and `<` the shipped
    configuration.
    """
    yield "|  | configuration | bare | masked | false per 100 pictures | time |"
    yield "|---|---|---|---|---|---|"
    for each in tried:
        yield (
            f"| {_mark(each, front)} | {each.configuration.name}"
            f" | {_format_share(each.found['no_mask'])}"
            f" | {_format_share(each.found['mask'])} | {each.false_boxes.value:.1f}"
            f" | {each.time.value:.2f} |"
        )


def front_table(front: Sequence[ConfigurationMetrics]) -> Iterator[str]:
    """Yield a row for each configuration of `front`, with 95% intervals."""
    yield (
        "| configuration | bare | gain over the shipped, points | masked | worn incorrectly"
        " | false per 100 pictures | time |"
    )
    yield "|---|---|---|---|---|---|---|"
    for each in front:
        cells = (
            _name(each.configuration),
            _format_share(each.found["no_mask"], ends=True),
            _format_points(each.gain),
            _format_share(each.found["mask"], ends=True),
            _format_share(each.found["incorrect_mask"], ends=True),
            _format_number(each.false_boxes, ".0f"),
            _format_number(each.time, ".2f"),
        )
        yield f"| {' | '.join(cells)} |"


def size_table(front: Sequence[ConfigurationMetrics]) -> Iterator[str]:
    """Yield the share of bare faces found, by the share of the picture's width that they take.

    Without any bare faces, yield a line that says so.
    """
    faces_in_band = {name: front[0].by_size[name][1] for name in SIZE_BANDS}
    named = [name for name in SIZE_BANDS if faces_in_band[name]]
    if not named:
        yield "There is no bare face in these pictures."
        return
    heads = (f"{name} ({faces_in_band[name]})" for name in named)
    yield f"| configuration | {' | '.join(heads)} |"
    yield f"|---{'|---' * len(named)}|"
    for each in front:
        cells = (f"{each.by_size[name][0] / faces_in_band[name]:.0%}" for name in named)
        yield f"| {_name(each.configuration)} | {' | '.join(cells)} |"


def clips_table(
    played: Mapping[Configuration, Sequence[ClipResult]],
    reference_results: Sequence[ClipResult],
    expected: Mapping[str, int],
) -> Iterator[str]:
    """Yield a row for each configuration over all clips, with times relative to the shipped
    configuration.

    `expected`: the right number of alerts by clip; a clip that is not in `expected` is not judged.
    """
    people = sum(len(each.sights) for each in reference_results)
    yield (
        f"| configuration | found of {people} people | first found, s later | share of frames"
        " | false boxes | alerts | lost / added | alerts, s later | clips with wrong number"
        " | time |"
    )
    yield f"|{'---|' * 10}"
    usual_s = sum(each.cpu_s for each in played[shipped()])
    for configuration, clips in played.items():
        times = f"{sum(each.cpu_s for each in clips) / usual_s:.2f}" if usual_s else ""
        yield _clips_row(_name(configuration), clips, expected, times)
    # The reference searches more frames, so its time is not comparable.
    yield _clips_row("reference, every frame", reference_results, expected, "")


def _clips_row(
    name: str, clips: Sequence[ClipResult], expected: Mapping[str, int], times: str
) -> str:
    sights = [sight for each in clips for sight in each.sights]
    found_s = [sight.late_s for sight in sights if sight.late_s is not None]
    late = [late_s for each in clips for late_s in each.late_s]
    wrong = [e.clip for e in clips if e.clip in expected and e.starts != expected[e.clip]]
    shares = f"{sum(s.share for s in sights) / len(sights):.0%}" if sights else ""
    cells = (
        name,
        str(len(found_s)),
        _median_and_max(found_s),
        shares,
        str(sum(each.false_boxes for each in clips)),
        str(sum(each.starts for each in clips)),
        f"{sum(each.lost for each in clips)} / {sum(each.added for each in clips)}",
        _median_and_max(late),
        ", ".join(wrong) or ("none" if expected else ""),
        times,
    )
    return f"| {' | '.join(cells)} |"


def people_table(
    played: Mapping[Configuration, Sequence[ClipResult]], reference_results: Sequence[ClipResult]
) -> Iterator[str]:
    """Yield a row for each person in each clip, with a cell for each configuration.

    A cell says how much later than the reference the configuration first finds the person, and in
    which share of the frames it finds the person.
    """
    yield f"| person | {' | '.join(_name(each) for each in played)} |"
    yield f"|---{'|---' * len(played)}|"
    for index, clip in enumerate(reference_results):
        for number in range(len(clip.sights)):
            sights = [clips[index].sights[number] for clips in played.values()]
            cells = (
                "never" if s.late_s is None else f"{s.late_s:+.2f} s, {s.share:.0%}" for s in sights
            )
            yield f"| {clip.clip}, {number + 1} | {' | '.join(cells)} |"


def sweep_record(
    tried: Sequence[ConfigurationMetrics],
    front: Sequence[ConfigurationMetrics],
    confirmed: Sequence[ConfigurationMetrics],
    played: Mapping[Configuration, Sequence[ClipResult]],
    reference_results: Sequence[ClipResult],
) -> dict[str, Any]:
    """Return all measurements. Shares are 0 to 1; times are ratios unless the name has a unit."""
    return {
        "shipped": shipped().name,
        "configurations": [_record(each, each in front) for each in tried],
        "confirmed": [_record(each, True) for each in confirmed],
        "clips": {
            configuration.name: [asdict(each) for each in clips]
            for configuration, clips in played.items()
        },
        "reference": [asdict(each) for each in reference_results],
    }


def _record(each: ConfigurationMetrics, is_best: bool) -> dict[str, Any]:
    record = asdict(each)
    record["configuration"] = {**record["configuration"].pop("search"), **record["configuration"]}
    return {"name": each.configuration.name, "front": is_best, **record}


def draw_front(
    path: Path, tried: Sequence[ConfigurationMetrics], front: Sequence[ConfigurationMetrics]
) -> None:
    """Draw bare faces found against CPU time, with the false boxes of the front, as PNG."""
    from matplotlib.ticker import LogLocator

    shipped_metrics = next(each for each in tried if each.configuration == shipped())
    with plot(path, 9.0, 6.0) as axes:
        axes.scatter(*_plot_points(tried), s=10, color=OTHER_COLOURS[4], label="tried")
        dots = axes.scatter(
            *_plot_points(front),
            s=60,
            c=[each.false_boxes.value for each in front],
            cmap="viridis",
            edgecolor="black",
            label="front",
        )
        axes.scatter(
            *_plot_points([shipped_metrics]),
            s=200,
            marker="x",
            color=LABEL_COLOURS["no_mask"],
            label="shipped",
        )
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.set_xlabel("CPU time relative to the shipped configuration")
        axes.set_ylabel("share of bare faces found")
        axes.set_title("The Haar detector on annotated photographs")
        axes.legend(loc="lower right")
        axes.figure.colorbar(dots, label="false boxes per 100 pictures")


def _plot_points(several: Sequence[ConfigurationMetrics]) -> tuple[list[float], list[float]]:
    return [each.time.value for each in several], [each.bare for each in several]


def _mark(each: ConfigurationMetrics, front: Sequence[ConfigurationMetrics]) -> str:
    return "*" * (each in front) + "<" * (each.configuration == shipped())


def _name(configuration: Configuration) -> str:
    return f"**{configuration.name}**" if configuration == shipped() else configuration.name


def _format_share(each: Estimate | None, ends: bool = False) -> str:
    if each is None:
        return ""
    interval = f" ({100 * each.low:.0f} to {100 * each.high:.0f})" if ends else ""
    return f"{each.value:.1%}{interval}"


def _format_points(each: Estimate | None) -> str:
    if each is None:
        return ""
    return f"{100 * each.value:+.1f} ({100 * each.low:+.1f} to {100 * each.high:+.1f})"


def _format_number(each: Estimate, form: str) -> str:
    return f"{each.value:{form}} ({each.low:{form}} to {each.high:{form}})"


def _median_and_max(seconds: Sequence[float]) -> str:
    return f"{median(seconds):.2f}, at most {max(seconds):.2f}" if seconds else ""
