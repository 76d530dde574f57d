"""The state machine of a source: its states and events, and the function of the next state.

    state                event             next state
    Opening              Opened            Reading
    Opening              Lost, Suspended   Waiting
    Reading, live        Lost, Suspended   Waiting
    Reading, recorded    RecordingEnded    Ended
    Waiting              RetryStarted      Opening
    not Ended or Failed  GaveUp            Failed

Only a live source can be `Waiting` or `Failed`; only a recorded one can have `Ended`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from edge.camera.frame_check import Verdict

#: Why a live source has to be opened again; also the `CameraState` that is reported for it.
Fault = Literal["stalled", "frozen", "black"]


@dataclass(frozen=True)
class History:
    """What is known about a source from its earlier states.

    `opened`: the source has been open at least once. `failed`: the source was lost at least once;
    an error while it is opened is then regarded as temporary. `frozen`: the picture of the source
    froze and has not changed since. `black_openings`: how often in a row the source was closed
    because its picture was black.
    """

    opened: bool = False
    failed: bool = False
    frozen: bool = False
    black_openings: int = 0


@dataclass(frozen=True)
class Opening:
    """A reader is opening the source. `active_s`: when the reader began."""

    active_s: float
    history: History = History()
    live = True  # the source is regarded as live until it is open
    lived_s = 0.0


@dataclass(frozen=True)
class Reading:
    """The source is open, and a reader is reading it.

    `active_s`: when it was opened or delivered its newest picture. `good_since_s`: when it first
    delivered, since it was opened, a picture that proves that it works. `garbage`: the newest frame
    was no picture.
    """

    live: bool
    active_s: float
    history: History = History()
    good_since_s: float | None = None
    garbage: bool = False

    @property
    def lived_s(self) -> float:
        """Seconds for which the source has worked since it was opened."""
        return 0.0 if self.good_since_s is None else self.active_s - self.good_since_s


@dataclass(frozen=True)
class Waiting:
    """A live source is closed, and will be opened again.

    `lived_s`: seconds for which the source had worked before it was closed.
    """

    lived_s: float
    history: History
    live = True


@dataclass(frozen=True)
class Ended:
    """A recorded source has ended: with `error`, or normally if `error` is None."""

    error: Exception | None
    live = False
    lived_s = 0.0
    history = History()


@dataclass(frozen=True)
class Failed:
    """A live source was given up because of `error`."""

    error: Exception
    live = True
    lived_s = 0.0
    history = History()


State = Opening | Reading | Waiting | Ended | Failed


@dataclass(frozen=True)
class TimerRestarted:
    """The time-out starts again, because a reader on hold may read from now on."""

    at_s: float


@dataclass(frozen=True)
class Opened:
    """The source is open."""

    at_s: float
    live: bool


@dataclass(frozen=True)
class GarbageArrived:
    """The source delivered a frame that is no picture."""


@dataclass(frozen=True)
class PictureArrived:
    """The source delivered a picture; pictures of a recording are not checked (no `verdict`)."""

    at_s: float
    verdict: Verdict | None = None


@dataclass(frozen=True)
class RecordingEnded:
    """A recorded source ended: with `error`, or normally if `error` is None."""

    error: Exception | None


@dataclass(frozen=True)
class Lost:
    """A live source has to be closed and opened again, because of `fault`."""

    fault: Fault


@dataclass(frozen=True)
class Suspended:
    """A live source is closed on purpose, so that its device can be opened with other settings."""


@dataclass(frozen=True)
class RetryStarted:
    """A live source is opened again."""

    at_s: float


@dataclass(frozen=True)
class GaveUp:
    """A live source is not opened again, because of `error`."""

    error: Exception


Event = (
    TimerRestarted
    | Opened
    | GarbageArrived
    | PictureArrived
    | RecordingEnded
    | Lost
    | Suspended
    | RetryStarted
    | GaveUp
)


def transition(state: State, event: Event) -> State:  # noqa: PLR0911 (one return for each rule)
    """Return the state that follows `state` after `event`.

    An event that does not apply to `state` has no effect.
    """
    match state, event:
        case ((Opening() | Reading()), TimerRestarted(at_s)):
            return replace(state, active_s=at_s)
        case Opening(), Opened(at_s, live):
            return Reading(live, at_s, replace(state.history, opened=True))
        case Reading(), GarbageArrived():
            return replace(state, garbage=True)
        case Reading(), PictureArrived(at_s, verdict):
            return _after_picture(state, at_s, verdict)
        case Reading(live=False), RecordingEnded(error):
            return Ended(error)
        case ((Opening() | Reading(live=True) | Waiting()), Lost(fault)):
            return Waiting(state.lived_s, _after_loss(state.history, fault))
        case ((Opening() | Reading(live=True) | Waiting()), Suspended()):
            return Waiting(state.lived_s, state.history)
        case Waiting(), RetryStarted(at_s):
            return Opening(at_s, state.history)
        case ((Opening() | Reading(live=True) | Waiting()), GaveUp(error)):
            return Failed(error)
    return state


def _after_picture(state: Reading, at_s: float, verdict: Verdict | None) -> Reading:
    state = replace(state, active_s=at_s, garbage=False)
    if verdict is None or verdict.frozen:
        return state
    history = state.history
    if history.frozen and not (verdict.changed or verdict.dark):
        return state  # a picture that has not changed is no proof that the source works again
    return replace(
        state,
        good_since_s=at_s if state.good_since_s is None else state.good_since_s,
        history=replace(
            history,
            frozen=False,
            black_openings=history.black_openings if verdict.dark else 0,
        ),
    )


def _after_loss(history: History, fault: Fault) -> History:
    return replace(
        history,
        failed=True,
        frozen=history.frozen or fault == "frozen",
        black_openings=history.black_openings + (fault == "black"),
    )
