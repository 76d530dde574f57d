"""The figures of the bench as readable text, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from edge.bench.original_pipeline import Original
from edge.bench.our_pipeline import Ours
from edge.bench.results import (
    ContenderFigures,
    Result,
    SceneFigures,
    Sparing,
    Spread,
    StartFigures,
)
from edge.bench.stage_costs import WHOLE

#: The remark after the events of a scene, by `ContenderFigures.as_expected`.
JUDGEMENT = {None: "", True: ": as expected", False: ": NOT AS EXPECTED"}


def as_json(result: Result) -> str:
    """Return the figures as one JSON object."""
    return json.dumps(asdict(result))


def as_text(result: Result) -> Iterator[str]:
    """Yield the lines of the tables."""
    yield from _machine(result)
    for scene in result.scenes:
        yield ""
        yield from _scene(scene)
    yield ""
    yield from _rest(result)
    for what, why in result.missing.items():
        yield f"{what}: not measured: {why}"


def _machine(result: Result) -> Iterator[str]:
    here = result.machine
    yield (
        f"mask-patrol {result.version} on {here['processor']} ({here['cores']} cores,"
        f" {here['architecture']}, load {here['load']}), Python {here['python']},"
        f" OpenCV {here['opencv']}"
    )
    if "throttled" in here:
        yield f"throttled by the firmware: {here['throttled']}; times are longer than normal"
    runtimes = ", ".join(sorted(set(result.runtimes.values())))
    alternating = ", alternating" if len(result.runtimes) > 1 else ""
    yield (
        f"{runtimes}, one thread each, passes: {result.passes}{alternating}; quartiles in brackets"
    )


def _scene(scene: SceneFigures) -> Iterator[str]:
    height, width = scene.size_px
    yield f"{scene.name}: {scene.frames} frames, {scene.footage_s:.1f} s, {width}x{height}"
    yield f"  {'':10}{'stage':<10}{'median':>10}{'p95':>10}{'runs':>8}{'CPU ms/frame':>14}"
    for name, contender in scene.contenders.items():
        yield from _stages(name, contender)
    for name, contender in scene.contenders.items():
        cpu = contender.cpu_s_per_minute
        yield (
            f"  {name:<10}{cpu.median:.2f} s of CPU time per minute of footage"
            f" ({cpu.lower_quartile:.2f} to {cpu.upper_quartile:.2f}),"
            f" {contender.frames_per_s:.1f} frames/s without a pause"
        )
    for name, contender in scene.contenders.items():
        yield f"  {name:<10}{contender.found}{JUDGEMENT[contender.as_expected]}"
    if scene.sparing is not None:
        yield f"  compared with a complete search of every frame: {_sparing(scene.sparing)}"
    if scene.ratio is not None:
        yield f"  {Original.name} / {Ours.name}: {_times(scene.ratio)}"


def _sparing(sparing: Sparing) -> str:
    text = f"{sparing.lost} alerts lost, {sparing.added} added"
    if sparing.late_s:
        text += f"; our alerts started: {', '.join(map(_signed_s, sparing.late_s))}"
    return text


def _signed_s(late_s: float) -> str:
    if round(late_s, 2) == 0.0:
        return "same time"
    return f"{abs(late_s):.2f} s {'later' if late_s > 0.0 else 'earlier'}"


def _stages(name: str, contender: ContenderFigures) -> Iterator[str]:
    for stage, figures in contender.stages.items():
        whole = stage == WHOLE
        cpu_ms = (
            sum(each.cpu_ms_per_frame for each in contender.stages.values())
            if whole
            else figures.cpu_ms_per_frame
        )
        yield (
            f"  {name:<10}{stage:<10}{figures.p50_ms:>7.2f} ms{figures.p95_ms:>7.2f} ms"
            f"{figures.runs:>8}{cpu_ms:>14.3f}"
        )


def _rest(result: Result) -> Iterator[str]:
    sizes = result.sizes
    share = 100.0 * result.empty_core_share
    yield f"the empty scene at ten frames per second: {share:.2f}% of one core"
    yield (
        f"a frame of {sizes.large}: {sizes.large_ms:.2f} ms of CPU time; of {sizes.small}:"
        f" {sizes.small_ms:.2f} ms; ratio {_times(sizes.ratio)}"
    )
    crowd = result.crowd
    yield (
        f"a frame with {crowd.large}: {crowd.large_ms:.2f} ms of CPU time; with {crowd.small}:"
        f" {crowd.small_ms:.2f} ms; ratio {_times(crowd.ratio)}"
    )
    for each in result.threads:
        yield (
            f"{each.threads} {'thread' if each.threads == 1 else 'threads'}: a complete search"
            f" {each.detect_ms:.2f} ms (CPU time {each.detect_cpu_ms:.2f} ms), a reading"
            f" {each.classify_ms:.2f} ms (CPU time {each.classify_cpu_ms:.2f} ms)"
        )
    if result.start is not None:
        yield from _start(result.start)
    if result.alert is not None:
        yield (
            f"from capture to the broker's acknowledgement, two people in view:"
            f" median {result.alert.p50_ms:.0f} ms, p95 {result.alert.p95_ms:.0f} ms"
            f" ({result.alert.alerts} alerts)"
        )
    if result.memory_mb:
        yield f"peak memory of the pipeline alone (MiB): {_each(result.memory_mb, '.0f')}"
    yield f"size of the model (bytes): {_each(result.model_bytes, ',')}"
    if result.instructions:
        yield f"instructions per frame with people: {_each(result.instructions, ',')}"


def _start(start: StartFigures) -> Iterator[str]:
    yield (
        f"seconds from the start of the process: online {_seconds(start.online_s)},"
        f" first reading {_seconds(start.reading_s)}, first alert {_seconds(start.alert_s)}"
    )
    if start.peak_mb is not None:
        yield f"peak memory of the daemon: {start.peak_mb:.0f} MiB"


def _each(values: Mapping[str, float], how: str) -> str:
    text = ", ".join(f"{name} {value:{how}}" for name, value in values.items())
    if {Ours.name, Original.name} <= values.keys() and values[Ours.name]:
        ratio = values[Original.name] / values[Ours.name]
        text += f" ({ratio:.1f}x)"
    return text


def _seconds(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.lower_quartile:.2f} to {spread.upper_quartile:.2f})"


def _times(ratio: Spread) -> str:
    return f"{ratio.median:.2f}x ({ratio.lower_quartile:.2f} to {ratio.upper_quartile:.2f})"
