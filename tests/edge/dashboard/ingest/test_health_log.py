"""Which problems and which health figures are passed on to be stored."""

from __future__ import annotations

from edge.dashboard.base.messages import Health, Message
from edge.dashboard.ingest.health_log import (
    MAX_PROBLEMS,
    MAX_TEXT_LENGTH,
    PROBLEM_BURST,
    FigureSampler,
    ProblemBuffer,
)
from edge.dashboard.live.device_state import DeviceState


def reporting(name: str, *reported_s: float) -> DeviceState:
    """A device that sent a health report at each of these times."""
    device = DeviceState(name, 0.0)
    for at_s in reported_s:
        device.apply(Message(name, Health(fps=at_s), at_s), at_s)
    return device


def test_problems_are_taken_once() -> None:
    buffer = ProblemBuffer()
    buffer.add("door1", "hot", 0.0)
    buffer.add("door2", "x" * 1000, 0.0)
    assert buffer.take_rows(9.0) == [
        {"device": "door1", "at_s": 9.0, "text": "hot"},
        {"device": "door2", "at_s": 9.0, "text": "x" * MAX_TEXT_LENGTH},
    ]
    assert buffer.take_rows(10.0) == []


def test_problems_of_one_device_are_limited() -> None:
    buffer = ProblemBuffer()
    for _ in range(100):
        buffer.add("door1", "hot", 0.0)
    buffer.add("door2", "hot", 0.0)
    assert len(buffer.take_rows(0.0)) == PROBLEM_BURST + 1
    buffer.prune(10.0)
    buffer.add("door1", "hot", 10.0)
    assert buffer.take_rows(10.0) == []
    buffer.add("door1", "hot", 30.0)
    assert len(buffer.take_rows(30.0)) == 1


def test_problems_in_total_are_limited() -> None:
    buffer = ProblemBuffer()
    for number in range(MAX_PROBLEMS + 50):
        buffer.add(f"d{number}", "hot", 0.0)
    assert len(buffer.take_rows(0.0)) == MAX_PROBLEMS


def test_figures_are_sampled_once_a_minute() -> None:
    sampler, device = FigureSampler(), reporting("door1")
    assert sampler.take_rows([device]) == []
    taken = []
    for at_s in range(1000, 1200, 20):
        device.apply(Message("door1", Health(), float(at_s)), at_s)
        taken += sampler.take_rows([device])
    assert [row["at_s"] for row in taken] == [1000.0, 1060.0, 1120.0, 1180.0]


def test_many_devices_are_sampled_less_often() -> None:
    sampler = FigureSampler()
    devices = [reporting(f"d{number}", 1000.0) for number in range(90)]
    assert len(sampler.take_rows(devices)) == 90
    for device in devices:
        device.apply(Message(device.name, Health(), 1089.0), 1089.0)
    assert sampler.take_rows(devices) == []
    devices[0].apply(Message("d0", Health(), 1090.0), 1090.0)
    assert [row["device"] for row in sampler.take_rows(devices)] == ["d0"]


def test_pruned_device_is_sampled_anew() -> None:
    sampler, device = FigureSampler(), reporting("door1", 1000.0)
    assert len(sampler.take_rows([device])) == 1
    sampler.prune(["door1"])
    assert sampler.take_rows([device]) == []
    sampler.prune([])
    assert len(sampler.take_rows([device])) == 1
