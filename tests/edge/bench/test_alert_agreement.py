from __future__ import annotations

from edge.bench.results import (
    Sparing,
    sparing_figures,
)
from edge.events.alert_machine import Event


def alert(episode: str, start_s: float, end_s: float) -> list[Event]:
    rest = {"score": 0.9, "readings": 5, "box": (0.1, 0.1, 0.2, 0.2), "label": "no_mask"}
    return [
        Event("no_mask_start", episode, start_s, **rest),
        Event("no_mask_end", episode, end_s, **rest, duration_s=end_s - start_s, ended_by="left"),
    ]


def test_alerts_are_compared_with_a_complete_search() -> None:
    complete = [*alert("a", 1.0, 5.0), *alert("b", 8.0, 9.0)]
    ours = [*alert("x", 1.25, 5.0), *alert("y", 20.0, 21.0), *alert("z", 30.0, 31.0)]
    assert sparing_figures(ours, complete) == Sparing(1, 2, (0.25,))
    assert sparing_figures(complete, complete) == Sparing(0, 0, (0.0, 0.0))
