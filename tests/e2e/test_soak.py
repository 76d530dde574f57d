"""Left alone for long: memory, descriptors, threads and the outbox do not grow.

`make soak` plays two hours of footage; the ordinary tests a few minutes of it.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from edge.common.paths import demo_clip
from tests.support.brokers import Mosquitto, Subscriber
from tests.support.cli_process import command, environment

DEMO_S = 28.0
SAMPLE_S = 0.5
#: Python's allocator and OpenCV's own buffers take a while to reach their size: what is
#: measured is the growth after the first tenth, and so much more is noise on a short run.
GROWTH, NOISE_KB = 1.05, 2048


@dataclass(frozen=True)
class Sample:
    memory_kb: int
    descriptors: int
    threads: int
    outbox_bytes: int


def sample(process: subprocess.Popen[str], state: Path) -> Sample | None:
    """None once the process is gone."""
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


def looped(path: Path, times: int) -> Path:
    """The demo clip `times` in a row: an MPEG transport stream may simply be repeated."""
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
def test_nothing_grows(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, hours: float
) -> None:
    loops = round(hours * 3600 / DEMO_S)
    clip = looped(tmp_path / "long.ts", loops)
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
        if (taken := sample(process, state)) is not None and log.exists():
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
    most = max(s.memory_kb for s in late)
    assert most < GROWTH * max(s.memory_kb for s in early) + (0 if hours > 1 else NOISE_KB), report
    assert max(s.descriptors for s in late) <= max(s.descriptors for s in early) + 1, report
    assert max(s.threads for s in late) <= max(s.threads for s in early), report
    assert max(s.outbox_bytes for s in late) <= max(s.outbox_bytes for s in early) * 2, report
