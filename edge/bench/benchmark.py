"""`mask-patrol bench`: measures in a fixed order, then prints and writes the figures."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge import __version__
from edge.bench import chart, footage
from edge.bench.alert_latency import VISITS, alert_figures
from edge.bench.instruction_count import counter, instructions_per_frame
from edge.bench.isolated_run import measure_isolated
from edge.bench.machine import machine
from edge.bench.measure import Contender, Pass, one_opencv_thread, play
from edge.bench.original_pipeline import Original
from edge.bench.our_pipeline import CompleteSearch, Ours
from edge.bench.results import (
    AlertFigures,
    Result,
    SceneFigures,
    SizeFigures,
    Spread,
    StartFigures,
    contender_figures,
    sparing_figures,
)
from edge.bench.settings_file import as_toml
from edge.bench.startup import start_figures
from edge.bench.text_report import as_json, as_text
from edge.bench.threads import thread_figures
from edge.common.errors import UserError
from edge.common.file_access import write_problem
from edge.common.terminal import Terminal
from edge.config.settings import Settings, change

RESULT_NAME = "bench.json"
#: Frames that a process plays when its peak memory is measured.
MEMORY_FRAMES = 30
#: Numbers of people in view that are compared.
CROWD_SIZES = (1, 20)
#: The frame rate for the CPU share of an empty scene: the default of `camera.fps`.
USUAL_FPS = 10.0


@dataclass(frozen=True)
class BenchOptions:
    """The options of the command line.

    `clips`: sources as in `camera.source`, empty for the demo. `against_original`: also play the
    original's pipeline. `passes`: how often each scene is played. `seconds`: at most this many
    seconds of each scene are played. `valgrind`: count instructions with valgrind if perf cannot.
    `out`: the folder for the figures and the chart.
    """

    clips: Sequence[str] = ()
    against_original: bool = False
    passes: int = 3
    seconds: float | None = None
    valgrind: bool = False
    out: Path | None = None
    json: bool = False


def bench(settings: Settings, options: BenchOptions) -> int:
    """Measure, print, and write the figures; return the exit code 0.

    Raises UserError when nothing can be measured. A part that cannot be measured is reported.
    """
    if options.out is not None:
        _make_folder(options.out)
    screen = Terminal(sys.stderr)
    try:
        with one_opencv_thread():
            result = _Bench(settings, options, screen).measure()
    finally:
        screen.status("")  # clear the status line, so that an error starts on a line of its own
    lines = [as_json(result)] if options.json else list(as_text(result))
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    if options.out is not None:
        _write(result, options.out, screen)
    return 0


class _Bench:
    """One run of the bench."""

    def __init__(self, settings: Settings, options: BenchOptions, screen: Terminal) -> None:
        # The classifier has one thread, whatever is configured, as the original has one thread.
        self._settings = change(settings, classifier={"threads": 1})
        self._options, self._screen = options, screen
        self._missing: dict[str, str] = {}

    def measure(self) -> Result:
        settings, options = self._settings, self._options
        seconds = options.seconds
        clips = [footage.clip(name, settings, seconds) for name in options.clips or [footage.DEMO]]
        for scene in clips:
            footage.checked(scene)  # report a wrong name now, not after minutes of measuring
        here = machine()  # the machine is described before the bench adds to its load
        ours = Ours(settings)
        contenders: list[Contender] = [ours]
        if options.against_original:
            contenders.append(Original())
        complete = CompleteSearch(settings)
        empty = footage.empty(settings, seconds)
        played = [
            *(self._scene(scene, ours, contenders, complete) for scene in clips),
            self._scene(empty, ours, contenders),
        ]
        names = [contender.name for contender in contenders]
        small = footage.people(settings, seconds)
        sizes = self._compare(ours, small, footage.larger(small))
        crowd = self._compare(ours, *(footage.crowd(settings, count) for count in CROWD_SIZES))
        self._show_step("threads")
        watched = list(footage.people(settings, seconds).frames())
        threads = thread_figures(settings, watched)
        start = self._start()
        alert = self._alert()
        with tempfile.TemporaryDirectory(prefix="mask-patrol-bench-") as folder:
            config = Path(folder) / "bench.toml"
            config.write_text(as_toml(settings), encoding="utf-8")
            memory = self._memory(names, config)
            instructions = self._instructions(names, config)
        quiet = played[-1].contenders[ours.name].cpu_s_per_minute.median
        quiet_frames = 60.0 * played[-1].frames / played[-1].footage_s
        return Result(
            version=__version__,
            machine=here,
            passes=options.passes,
            runtimes={contender.name: contender.runtime for contender in contenders},
            scenes=played,
            empty_core_share=round(quiet / quiet_frames * USUAL_FPS, 6),
            sizes=sizes,
            crowd=crowd,
            threads=threads,
            start=start,
            alert=alert,
            memory_mb=memory,
            model_bytes={contender.name: contender.model_bytes for contender in contenders},
            instructions=instructions,
            missing=self._missing,
        )

    def _scene(
        self,
        scene: footage.Scene,
        ours: Ours,
        contenders: Sequence[Contender],
        complete: CompleteSearch | None = None,
    ) -> SceneFigures:
        passes: list[list[Pass]] = []
        for number in range(self._options.passes):
            line = f"{scene.name}: pass {number + 1} of {self._options.passes}"
            self._show_step(line)
            passes.append(play(scene.frames(), contenders, partial(self._show_position, line)))
        by_contender = list(zip(*passes, strict=True))
        figures = {}
        for contender, own in zip(contenders, by_contender, strict=True):
            events = None
            if contender is ours:
                events = tuple((round(e.at_s, 3), e.event_type, e.ended_by) for e in ours.events)
            figures[contender.name] = contender_figures(
                own, contender.found, events, scene.expected
            )
        ratio = None
        if len(contenders) > 1:
            ratio = Spread.of([b.total_cpu_s / a.total_cpu_s for a, b in passes])
        sparing = None
        if complete is not None:
            line = f"{scene.name}: complete search of every frame"
            self._show_step(line)
            play(scene.frames(), [complete], partial(self._show_position, line))
            sparing = sparing_figures(ours.events, complete.events)
        frames = [frame.size_px for frame in scene.frames()]
        return SceneFigures(
            scene.name, len(frames), passes[0][0].footage_s, frames[0], figures, ratio, sparing
        )

    def _compare(self, ours: Ours, small: footage.Scene, large: footage.Scene) -> SizeFigures:
        pairs = []
        for number in range(self._options.passes):
            self._show_step(f"{large.name}: pass {number + 1} of {self._options.passes}")
            pairs.append(
                [play(each.frames(), [ours])[0].cpu_ms_per_frame for each in (small, large)]
            )
        small_ms, large_ms = (Spread.of(each).median for each in zip(*pairs, strict=True))
        ratio = Spread.of([b / a for a, b in pairs])
        return SizeFigures(small.name, large.name, small_ms, large_ms, ratio)

    def _start(self) -> StartFigures | None:
        try:
            return start_figures(self._settings, self._options.passes, self._show_step)
        except UserError as error:
            self._missing["start-up"] = str(error)
            return None

    def _alert(self) -> AlertFigures | None:
        self._show_step("alerts")
        try:
            # With --seconds one visit is enough for a rough figure.
            return alert_figures(self._settings, VISITS if self._options.seconds is None else 1)
        except UserError as error:
            self._missing["alerts"] = str(error)
            return None

    def _memory(self, names: Sequence[str], config: Path) -> dict[str, float]:
        self._show_step("memory")
        found: dict[str, float] = {}
        try:
            for name in names:
                peak = measure_isolated(name, config, MEMORY_FRAMES)["peak_mb"]
                if peak is None:
                    raise UserError("the system does not report it (no VmHWM in /proc)")
                found[name] = round(peak, 1)
        except UserError as error:
            self._missing["memory"] = str(error)
            return {}
        return found

    def _instructions(self, names: Sequence[str], config: Path) -> dict[str, int] | None:
        try:
            tool = counter(self._options.valgrind)
            self._show_step(f"instructions, by {tool}")
            return instructions_per_frame(names, config, tool)
        except UserError as error:
            self._missing["instructions"] = str(error)
            return None

    def _show_position(self, line: str, at_s: float) -> None:
        """Show how much footage a pass has played; on a terminal only."""
        self._screen.status(f"{line}, {at_s:.0f} s of footage …")

    def _show_step(self, line: str) -> None:
        """Show what is being measured: a status line on a terminal, else one line for each step."""
        if sys.stderr.isatty():
            self._screen.status(f"{line} …")
        else:
            self._screen.show(f"{line} …")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Found before the measurements, which take minutes.
        with tempfile.TemporaryFile(dir=folder):
            pass
        for name in (RESULT_NAME, chart.NAME):
            if (folder / name).exists():
                with (folder / name).open("ab"):
                    pass
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {write_problem(error)}") from None


def _write(result: Result, folder: Path, screen: Terminal) -> None:
    try:
        (folder / RESULT_NAME).write_text(as_json(result) + "\n", encoding="utf-8")
        written = [folder / RESULT_NAME]
        try:
            written.append(chart.write_chart(result, folder))
        except UserError as error:
            screen.show(str(error))
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {write_problem(error)}") from None
    screen.show(f"written: {', '.join(map(str, written))}")
