"""`mask-patrol status`: one screen on how the device is, for who comes by SSH."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge.common.clock import Moment, now
from edge.common.errors import UserError
from edge.common.paths import STATUS_INTERVAL_S, STATUS_NAME
from edge.service.read_only_root import root_is_read_only
from edge.service.systemd_unit import RUNTIME, ServiceState, release, service_state

#: What is older was not written for a reason: the daemon hangs.
STALE_S = 5 * STATUS_INTERVAL_S
MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0


@dataclass(frozen=True)
class Report:
    """What systemd says of the service, and the daemon of itself, `age_s` seconds ago."""

    service: ServiceState | None
    status: dict[str, Any] | None
    age_s: float | None
    version: str | None
    previous: str | None
    root_read_only: bool = False

    @property
    def fresh(self) -> bool:
        """Whether the daemon tells how it is."""
        return self.age_s is not None and self.age_s <= STALE_S

    @property
    def well(self) -> bool:
        """Whether nothing is wrong that the daemon knows of."""
        if not self.fresh or self.status is None:
            return False
        health = self.status["health"]
        return bool(
            health.get("camera") in ("ok", "starting")
            and health.get("connected", True)
            and health.get("outbox_on_disk", True)
        )


def report(folder: Path | None = None) -> Report:
    """How this device is; `folder` is the daemon's RuntimeDirectory. Raises UserError when what
    lies there cannot be read."""
    folder = folder or Path(os.environ.get("RUNTIME_DIRECTORY", RUNTIME))
    status = _read(folder / STATUS_NAME)
    age_s = None if status is None else _age_s(status, now())
    return Report(
        service_state(),
        status,
        age_s,
        release("current"),
        release("previous"),
        root_is_read_only(),
    )


def as_json(told: Report) -> str:
    """The same for programs, on one line."""
    return json.dumps({**asdict(told), "well": told.well})


def lines(told: Report) -> Iterator[str]:
    """The screen."""
    version = told.version or (told.status or {}).get("info", {}).get("version")
    before = f" (before: {told.previous})" if told.previous else ""
    device = f", device {told.status.get('device', '?')}" if told.status else ""
    yield f"Mask Patrol {version or ''}{before}{device}".rstrip()
    yield _row("service", _service(told))
    if told.root_read_only:
        yield _row("root", "read-only: what is changed is gone after the next start")
    if told.status is None:
        return
    if not told.fresh:
        yield _row("", f"it has said nothing for {span(told.age_s)}: this is what it said last")
    try:
        yield from list(_parts(told.status, told.age_s or 0.0))
    except (KeyError, TypeError, ValueError, AttributeError):
        yield _row("", "it tells how it is as another version does; --json shows that as it is")


def _parts(status: dict[str, Any], age_s: float) -> Iterator[str]:
    health, info = status["health"], status["info"]
    model = info["model"]
    yield _row("camera", f"{health['camera']}: {status['source']}, {_frames(health, age_s)}")
    watched = f"{status['people']} in view, {status['alerting']} of them bare-faced"
    yield _row("", "paused: nobody is watched" if health["paused"] else watched)
    yield _row(
        "model",
        f"{model['name']} ({', '.join(model['labels'])}), alert at {info['alert_threshold']:.2f},"
        f" in {info['runtime']}",
    )
    yield _row("broker", _broker(status))
    if "outbox_depth" in health:
        kept = "on disk" if health["outbox_on_disk"] else "in MEMORY only"
        lost = f", {health['events_dropped']} lost so far" if health["events_dropped"] else ""
        yield _row("outbox", f"{health['outbox_depth']} events wait, {kept}{lost}")
    yield _row("board", ", ".join(_board(health)))
    event, then_s = status["last_event"], status["last_event_age_s"]
    yield _row("last event", _event(event, None if then_s is None else then_s + age_s))
    for warning in health["warnings"]:
        yield _row("warning", warning)


def _service(told: Report) -> str:
    service = told.service
    if service is None:
        process = f"; process {told.status['pid']} told this" if told.status else ""
        return f"no systemd answers here{process}"
    if not service.installed:
        return "not installed as a service here: sudo make install, or install.sh of a bundle"
    times = "once" if service.restarts == 1 else f"{service.restarts} times"
    restarts = f", started again {times}" if service.restarts else ""
    if service.running:
        silent = "" if told.status else "; it has not told how it is yet"
        return f"running for {span(service.since_s)}{restarts}{silent}"
    if service.fell:
        again = ", will be started again" if service.detail == "auto-restart" else ""
        return f"failed ({service.result}){again}{restarts}: journalctl -u mask-patrol says why"
    if service.state == "activating":
        return f"starting{restarts}"
    return f"not running ({service.state}): sudo systemctl start mask-patrol"


def _frames(health: dict[str, Any], age_s: float) -> str:
    if health["frame_age_s"] is None:
        return "no frame yet"
    newest = span(health["frame_age_s"] + age_s)
    return f"{health['fps']:.1f} frames/s, the newest {newest} ago"


def _broker(status: dict[str, Any]) -> str:
    health = status["health"]
    if status["broker"] is None:
        return "none: nothing is published"
    if health["connected"]:
        return (
            f"connected to {status['broker']} (MQTT {health['mqtt_version']}),"
            f" {health['events_acknowledged']} events delivered since the start"
        )
    return f"NOT connected to {status['broker']}: {status['broker_failure'] or 'trying'}"


def _board(health: dict[str, Any]) -> Iterator[str]:
    if health["temperature_c"] is not None:
        yield f"{health['temperature_c']:.0f} °C"
    if health["throttled"] is not None:
        yield "held back" if health["throttled"] else "not held back"
    yield f"{health['memory_mb']:.0f} MB of memory"
    if health["written_bytes_per_day"] is not None:
        yield f"{health['written_bytes_per_day'] / 1e6:.1f} MB a day to the card"
    if health["card_bytes_per_day"] is not None:
        yield f"{health['card_bytes_per_day'] / 1e6:.0f} MB a day with all others"


def _event(event: dict[str, Any] | None, age_s: float | None) -> str:
    if event is None:
        return "none since the start"
    more = f", {event['ended_by']}" if event["ended_by"] else f", score {event['score']:.2f}"
    return f"{event['event_type']} {span(age_s)} ago, at {event['time']}{more}, seq {event['seq']}"


def span(seconds: float | None) -> str:
    """A duration as people say it."""
    if seconds is None:
        return "an unknown time"
    if seconds < MINUTE_S:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    if seconds < HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min"
    if seconds < DAY_S:
        return f"{int(seconds // HOUR_S)} h {int(seconds % HOUR_S // MINUTE_S)} min"
    return f"{int(seconds // DAY_S)} d {int(seconds % DAY_S // HOUR_S)} h"


def _row(name: str, text: str) -> str:
    return f"{name:<11} {text}"


def _read(file: Path) -> dict[str, Any] | None:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None
    except ValueError:
        raise UserError(f"{file} is none of ours: it is no JSON") from None
    kinds: dict[str, type | tuple[type, ...]] = {
        "health": dict,
        "info": dict,
        "boot_s": (int, float),
        "pid": int,
    }
    if not isinstance(told, dict) or not all(
        isinstance(told.get(key), kind) for key, kind in kinds.items()
    ):
        raise UserError(f"{file} is of another version of mask-patrol")
    return told


def _age_s(status: dict[str, Any], at: Moment) -> float | None:
    """The file lies in memory, so it is of this start of the machine."""
    return max(0.0, at.boot_s - float(status["boot_s"]))
