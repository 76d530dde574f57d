from __future__ import annotations

import json

from edge.bench.text_report import as_json, as_text
from tests.support.bench_figures import result


def test_text_report_has_every_figure() -> None:
    text = "\n".join(as_text(result()))
    for part in (
        "An Engine (4 cores, aarch64, load 0.5)",
        "throttled by the firmware: under-voltage",
        "a-runtime, one thread each, passes: 2, alternating",
        "hall.mp4: 10 frames, 1.0 s, 640x480",
        "original / ours: 6.00x (4.00 to 8.00)",
        "one event: as expected",
        "complete search of every frame: 0 alerts lost, 1 added;"
        " our alerts started: 0.10 s later, 0.25 s earlier",
        "1.23% of one core",
        "1 thread: a complete search 12.00 ms",
        "2 threads: a complete search 8.00 ms (CPU time 14.00 ms),"
        " a reading 2.50 ms (CPU time 4.50 ms)",
        "two people in view: median 20 ms, p95 45 ms (24 alerts)",
        "1920x1080: 3.00 ms of CPU time; of 640x480: 2.00 ms; ratio 1.50x",
        "20 people in view: 3.00 ms of CPU time; with 1 person in view: 2.00 ms; ratio 1.50x",
        "online 0.40 (0.40 to 0.40), first reading 0.50 (0.50 to 0.50), first alert 0.90",
        "peak memory of the daemon: 82 MiB",
        "ours 50, original 100 (2.0x)",
        "ours 100,000, original 13,000,000 (130.0x)",
        "ours 1,000, original 30,000 (30.0x)",
        "memory: not measured: no VmHWM in /proc",
    ):
        assert part in text


def test_json_report_is_one_object() -> None:
    found = json.loads(as_json(result()))
    assert found["scenes"][0]["contenders"]["ours"]["stages"]["detect"]["runs"] == 20
    assert found["start"]["online_s"]["median"] == 0.4
