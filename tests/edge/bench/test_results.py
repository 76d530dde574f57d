from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.bench import chart
from edge.bench.chart import write_chart
from edge.bench.results import (
    Sparing,
    Spread,
    between_ms,
    contender_figures,
    sparing_figures,
)
from edge.bench.text_report import as_json, as_text
from edge.common.errors import UserError
from edge.events.alert_machine import Event
from tests.support.bench_figures import one_pass, result, scene_figures


def test_a_spread_is_that_of_the_passes() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.5, 2.5, (3.0, 1.0, 2.0))


def test_ratios_are_of_pairs() -> None:
    ratio = scene_figures().ratio
    assert ratio is not None
    assert ratio.each == (10.0, 2.0)


def test_the_stages_add_up_to_the_frame() -> None:
    figures = contender_figures([one_pass(1.5), one_pass(1.5)], "nothing")
    assert between_ms(figures) == {"detect": 150.0, "between": 50.0}
    assert figures.stages["detect"].p50_ms == 150.0
    assert figures.stages["frame"].p50_ms == 200.0
    assert figures.stages["frame"].runs == 20
    assert figures.cpu_s_per_minute.median == 120.0
    assert (figures.events, figures.as_expected) == (None, None)


@pytest.mark.parametrize(("kind", "right"), [("no_mask_start", True), ("no_mask_end", False)])
def test_events_are_held_against_what_is_known(kind: str, right: bool) -> None:
    events = ((2.7, "no_mask_start", None),)
    figures = contender_figures([one_pass(1.0)], "", events, [(kind, None)])
    assert figures.as_expected is right
    assert contender_figures([one_pass(1.0)], "", events, ()).as_expected is False


def alert(episode: str, start_s: float, end_s: float) -> list[Event]:
    rest = {"score": 0.9, "readings": 5, "box": (0.1, 0.1, 0.2, 0.2), "label": "no_mask"}
    return [
        Event("no_mask_start", episode, start_s, **rest),
        Event("no_mask_end", episode, end_s, **rest, duration_s=end_s - start_s, ended_by="left"),
    ]


def test_alerts_are_held_against_those_of_a_search_that_spares_nothing() -> None:
    thorough = [*alert("a", 1.0, 5.0), *alert("b", 8.0, 9.0)]
    ours = [*alert("x", 1.25, 5.0), *alert("y", 20.0, 21.0), *alert("z", 30.0, 31.0)]
    assert sparing_figures(ours, thorough) == Sparing(1, 2, (0.25,))
    assert sparing_figures(thorough, thorough) == Sparing(0, 0, (0.0, 0.0))


def test_the_text_says_it_all() -> None:
    text = "\n".join(as_text(result()))
    for part in (
        "An Engine (4 cores, aarch64, load 0.5)",
        "held back by the firmware: under-voltage",
        "a-runtime, one thread each, passes: 2, in turn",
        "hall.mp4: 10 frames, 1.0 s, 640x480",
        "original / ours: 6.00x (4.00 to 8.00)",
        "one event: as expected",
        "every frame searched wholly: 0 alerts lost, 1 added, starts later by +0.10, -0.25 s",
        "1.23% of one core",
        "on 2 threads: a whole search 8.00 ms (14.00 of CPU), a reading 2.50 ms (4.50)",
        "two people in view: median 20 ms, 95% 45 ms (24 alerts)",
        "1920x1080: 3.00 ms of CPU, of 640x480: 2.00 ms: 1.50x",
        "online 0.40 (0.40 to 0.40), first reading 0.50 (0.50 to 0.50), first alert 0.90",
        "peak memory of the daemon: 82 MiB",
        "ours 50, original 100 (2.0x)",
        "ours 100,000, original 13,000,000 (130.0x)",
        "ours 1,000, original 30,000 (30.0x)",
        "tea: not measured: nobody made any",
    ):
        assert part in text


def test_the_json_is_one_object() -> None:
    found = json.loads(as_json(result()))
    assert found["scenes"][0]["contenders"]["ours"]["stages"]["detect"]["runs"] == 20
    assert found["start"]["online_s"]["median"] == 0.4


def test_the_chart_is_a_picture(tmp_path: Path) -> None:
    assert write_chart(result(), tmp_path).read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chart.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'mask-patrol\[bench\]'"):
        write_chart(result(), tmp_path)
    assert list(tmp_path.iterdir()) == []
