"""The state of an output, as `health` and the status file report it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PinState:
    """A pin: whether it is on, and why it cannot be used (empty if it can)."""

    name: str
    pin: str
    on: bool
    problem: str = ""

    def body(self) -> dict[str, Any]:
        """Return the state as an object of `health.outputs`."""
        return {"name": self.name, "pin": self.pin, "on": self.on, "problem": self.problem}


@dataclass(frozen=True)
class ProgramState:
    """A program: how many of its processes run, and since the start of the daemon, how many were
    started, failed (among them those that the time-out killed), and were left out.

    `problem` says why the last one failed; it is empty if that succeeded.
    """

    name: str
    program: str
    running: int
    started: int
    failed: int
    left_out: int
    problem: str = ""

    def body(self) -> dict[str, Any]:
        """Return the state as an object of `health.outputs`."""
        return {
            "name": self.name,
            "program": self.program,
            "running": self.running,
            "started": self.started,
            "failed": self.failed,
            "left_out": self.left_out,
            "problem": self.problem,
        }


OutputState = PinState | ProgramState
