"""The daemon over a long time: memory, descriptors, threads and the outbox must not grow.

`make soak` plays two hours of footage; `make test` plays three minutes.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from edge.common.paths import demo_clip
from tests.support.cli_process import command, environment
from tests.support.mqtt.brokers import Mosquitto, Subscriber

DEMO_S = 28.0
SAMPLE_S = 0.5
#: Growth is measured after the first tenth of the run, because Python's allocator and OpenCV's
#: buffers take a while to reach their full size. In a short run, `NOISE_KB` more growth is allowed.
MAX_GROWTH, NOISE_KB = 1.05, 2048


@dataclass(frozen=True)
class Sample:
    memory_kb: int
    descriptors: int
    threads: int
    outbox_bytes: int


def take_sample(process: subprocess.Popen[str], state: Path) -> Sample | None:
    """Return the resources that the process uses now, or None if the process has ended."""
    proc = Path(f"/proc/{process.pid}")
    try:
        fields = dict(
            line.split(":", 1) for line in (proc / "status").read_text().splitlines() if ":" in line
        )
        return Sample(
            int(fields["VmRSS"].split()[0]),
            sum(1 for _ in (proc / "fd").iterdir()),
            int(fields["Threads"]),
            sum(path.stat().st_size for path in state.glob("outbox.sqlite3*")),
        )
    except (OSError, KeyError):
        return None


def write_loops(path: Path, times: int) -> Path:
    """Write `times` copies of the demo clip in a row to `path`, as a transport stream."""
    demo = cv2.VideoCapture(str(demo_clip()))
    ok, frame = demo.read()
    size = (frame.shape[1], frame.shape[0])
    fps = demo.get(cv2.CAP_PROP_FPS)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MPG2"), fps, size)
    while ok:
        writer.write(frame)
        ok, frame = demo.read()
    writer.release()
    once = path.read_bytes()
    with path.open("wb") as file:
        for _ in range(times):
            file.write(once)
    return path


@pytest.mark.parametrize(
    "hours",
    [0.05, pytest.param(2.0, marks=[pytest.mark.soak, pytest.mark.timeout(3 * 3600)])],
)
def test_resources_do_not_grow(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, hours: float
) -> None:
    loops = round(hours * 3600 / DEMO_S)
    clip = write_loops(tmp_path / "long.ts", loops)
    state = tmp_path / "state"
    log = tmp_path / "events.jsonl"
    arguments = ("run", "--source", clip, "--pace", "fast", "--events", log)
    process = subprocess.Popen(
        command((*arguments, "--broker", mosquitto.broker.address)),
        env=environment(state),
        stderr=subprocess.PIPE,
        text=True,
    )
    samples: list[Sample] = []
    while process.poll() is None:
        if (taken := take_sample(process, state)) is not None and log.exists():
            samples.append(taken)
        try:
            process.wait(SAMPLE_S)
        except subprocess.TimeoutExpired:
            continue
    assert process.stderr is not None
    assert (process.returncode, process.stderr.read()) == (0, "")
    assert len(log.read_text().splitlines()) == 4 * loops
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 4 * loops, "every event")
    tenth = len(samples) // 10 + 1
    early, late = samples[:tenth], samples[-tenth:]
    report = f"{loops} loops, {len(samples)} samples, first tenth {early[-1]}, end {late[0]}"
    print(report)
    allowed_kb = MAX_GROWTH * max(s.memory_kb for s in early) + (0 if hours > 1 else NOISE_KB)
    assert max(s.memory_kb for s in late) < allowed_kb, report
    assert max(s.descriptors for s in late) <= max(s.descriptors for s in early) + 1, report
    assert max(s.threads for s in late) <= max(s.threads for s in early), report
    assert max(s.outbox_bytes for s in late) <= max(s.outbox_bytes for s in early) * 2, report
