"""`mask-patrol status NAME`: the state of one camera's service and daemon on one screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edge.classification.model_card import describe_scores
from edge.common.clock import Moment, now
from edge.common.errors import UserError, printable
from edge.common.paths import STATUS_INTERVAL_S, STATUS_NAME, runtime_directory
from edge.common.regular_file import read_regular_file
from edge.config.installed_camera import FIRST_CAMERA, InstalledCamera
from edge.service.read_only_root import root_is_read_only
from edge.service.systemd_unit import ServiceState, linked_release, service_state

#: The daemon writes its status every STATUS_INTERVAL_S; if it is older than this, the daemon hangs.
STALE_S = 5 * STATUS_INTERVAL_S
#: A status is a few thousand bytes long.
MAX_STATUS_BYTES = 1 << 20
MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0


@dataclass(frozen=True)
class DeviceReport:
    """The state of the service as systemd reports it, and the daemon's own status.

    `status` is the content of the daemon's status file, written `age_s` seconds ago; both are None
    without the file. `version` and `previous` are the current and the previous release.
    """

    service: ServiceState | None
    status: dict[str, Any] | None
    age_s: float | None
    version: str | None
    previous: str | None
    root_read_only: bool = False
    #: The name of the unit as one types it.
    unit: str = FIRST_CAMERA.service

    @property
    def fresh(self) -> bool:
        """Whether the daemon has written its status recently."""
        return self.age_s is not None and self.age_s <= STALE_S

    @property
    def healthy(self) -> bool:
        """Whether the daemon reports no problem."""
        if not self.fresh or self.status is None:
            return False
        health = self.status["health"]
        return bool(
            health.get("camera") in ("ok", "starting")
            and health.get("connected", True)
            and health.get("outbox_on_disk", True)
            and not any(output.get("problem") for output in health.get("outputs", ()))
        )


def read_report(folder: Path | None = None, camera: InstalledCamera = FIRST_CAMERA) -> DeviceReport:
    """Return the report of `camera`; `folder` is its daemon's RuntimeDirectory.

    Raises UserError if the status file exists but cannot be read.
    """
    if folder is None and camera.is_first:
        folder = runtime_directory()
    folder = folder or camera.runtime
    status = _read_status(folder / STATUS_NAME)
    age_s = None if status is None else _age_s(status, now())
    return replace(report_without_status(camera), status=status, age_s=age_s)


def report_without_status(camera: InstalledCamera) -> DeviceReport:
    """Return the report of `camera` without what its daemon has written."""
    return DeviceReport(
        service_state(camera.unit),
        None,
        None,
        linked_release("current"),
        linked_release("previous"),
        root_is_read_only(),
        camera.service,
    )


def report_json(report: DeviceReport) -> str:
    """Return the report as a JSON object on one line."""
    return json.dumps({**asdict(report), "well": report.healthy})


def screen_lines(report: DeviceReport) -> Iterator[str]:
    """Yield the lines of the screen.

    The account of the daemon writes the texts that root's terminal shows here.
    """
    return map(printable, _lines(report))


def _lines(report: DeviceReport) -> Iterator[str]:
    device = f", device {device_name(report.status)}" if report.status else ""
    yield f"{release_line(report)}{device}"
    yield _row("service", _service(report))
    if report.root_read_only:
        yield _row("root", "read-only: changes are lost at the next boot")
    if report.status is None:
        return
    if not report.fresh:
        yield _row("", f"no status for {duration(report.age_s)}: the last one follows")
    try:
        yield from list(_status_rows(report.status, report.age_s or 0.0))
    except (KeyError, TypeError, ValueError, AttributeError):
        yield _row("", "the status is that of another version; --json shows it unchanged")


def release_line(report: DeviceReport) -> str:
    """Return the name of the program with the present and the previous release."""
    version = report.version or (report.status or {}).get("info", {}).get("version")
    previous = f" (previous: {report.previous})" if report.previous else ""
    return f"Mask Patrol {version or ''}{previous}".rstrip()


def device_name(status: dict[str, Any]) -> str:
    """Return the name of the device, and its title if it has one."""
    name, title = status.get("device", "?"), status["info"].get("title")
    return f"{title} ({name})" if title else str(name)


def _status_rows(status: dict[str, Any], age_s: float) -> Iterator[str]:
    health, info = status["health"], status["info"]
    model = info["model"]
    yield _row("camera", f"{health['camera']}: {status['source']}, {_frames(health, age_s)}")
    people = f"{status['people']} people in view, {status['alerting']} of them without a mask"
    yield _row("", "paused: no frame is analysed" if health["paused"] else people)
    yield _row(
        "model",
        f"{model['name']} ({', '.join(model['labels'])}), alert threshold"
        f" {info['alert_threshold']:.2f}{_unsure(info)}, {info['runtime']}",
    )
    yield _row("detector", f"{info['detector']['kind']}: {info['detector']['name']}")
    yield _row("broker", _broker(status))
    if "outbox_depth" in health:
        storage = "on disk" if health["outbox_on_disk"] else "in MEMORY only"
        lost = f", {health['events_dropped']} lost so far" if health["events_dropped"] else ""
        yield _row("outbox", f"{health['outbox_depth']} events queued, {storage}{lost}")
    for number, output in enumerate(health.get("outputs", ())):
        yield _row("" if number else "outputs", _output(output))
    yield _row("board", ", ".join(_board(health)))
    event, event_age_s = status["last_event"], status["last_event_age_s"]
    yield _row("last event", _event(event, None if event_age_s is None else event_age_s + age_s))
    for warning in health["warnings"]:
        yield _row("warning", warning)


def _unsure(info: dict[str, Any]) -> str:
    scores = info.get("unsure")  # a daemon of an earlier version does not report them
    return f", unsure below {describe_scores(scores)}" if scores else ""


def _service(report: DeviceReport) -> str:
    service = report.service
    if service is None:
        process = f"; the status is from process {report.status['pid']}" if report.status else ""
        return f"systemd does not reply{process}"
    if not service.installed:
        return "not installed: sudo make install, or install.sh of a bundle, installs it"
    times = "once" if service.restarts == 1 else f"{service.restarts} times"
    restarts = f", restarted {times}" if service.restarts else ""
    if service.running:
        no_status = "" if report.status else "; no status yet"
        return f"running for {duration(service.since_s)}{restarts}{no_status}"
    if service.failed:
        again = ", will be restarted" if service.detail == "auto-restart" else ""
        failure = f"failed ({service.result}){again}{restarts}"
        return f"{failure}: journalctl -u {report.unit} shows the reason"
    if service.state == "activating":
        return f"starting{restarts}"
    return f"not running ({service.state}): sudo systemctl start {report.unit}"


def _frames(health: dict[str, Any], age_s: float) -> str:
    if health["frame_age_s"] is None:
        return "no frame yet"
    newest = duration(health["frame_age_s"] + age_s)
    return f"{health['fps']:.1f} frames/s, newest frame {newest} ago"


def _broker(status: dict[str, Any]) -> str:
    health = status["health"]
    if status["broker"] is None:
        return "none: nothing is published"
    if health["connected"]:
        return (
            f"connected to {status['broker']} (MQTT {health['mqtt_version']}),"
            f" {health['events_acknowledged']} events delivered since the start"
        )
    return f"NOT connected to {status['broker']}: {status['broker_failure'] or 'connecting'}"


def _output(output: dict[str, Any]) -> str:
    if "pin" in output:
        state = output["problem"] or ("on" if output["on"] else "off")
        return f"{output['name']}: {output['pin']}, {state}"
    text = f"{output['name']}: {output['program']}, started {output['started']} times"
    for key, words in (("failed", "failed"), ("left_out", "left out because of max_running")):
        if output[key]:
            text += f", {output[key]} {words}"
    return f"{text}; the last one failed: {output['problem']}" if output["problem"] else text


def _board(health: dict[str, Any]) -> Iterator[str]:
    if health["temperature_c"] is not None:
        yield f"{health['temperature_c']:.0f} °C"
    if health["throttled"] is not None:
        yield "throttled" if health["throttled"] else "not throttled"
    yield f"{health['memory_mb']:.0f} MB of memory"
    if health["written_bytes_per_day"] is not None:
        yield f"{health['written_bytes_per_day'] / 1e6:.1f} MB per day written by the daemon"
    if health["card_bytes_per_day"] is not None:
        yield f"{health['card_bytes_per_day'] / 1e6:.0f} MB per day written to the card in total"


def _event(event: dict[str, Any] | None, age_s: float | None) -> str:
    if event is None:
        return "none since the start"
    more = f", {event['ended_by']}" if event["ended_by"] else f", score {event['score']:.2f}"
    age = duration(age_s)
    return f"{event['event_type']} {age} ago, at {event['time']}{more}, seq {event['seq']}"


def duration(seconds: float | None) -> str:
    """Return a duration as text, in two units at most."""
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


def _read_status(file: Path) -> dict[str, Any] | None:
    try:
        # The daemon's account owns the folder, and root reads the status, too.
        status = json.loads(read_regular_file(file, MAX_STATUS_BYTES))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None
    except ValueError:
        raise UserError(f"{file} was not written by mask-patrol: it is not JSON") from None
    kinds: dict[str, type | tuple[type, ...]] = {
        "health": dict,
        "info": dict,
        "boot_s": (int, float),
        "pid": int,
    }
    if not isinstance(status, dict) or not all(
        isinstance(status.get(key), kind) for key, kind in kinds.items()
    ):
        raise UserError(f"{file} was written by another version of mask-patrol")
    return status


def _age_s(status: dict[str, Any], at: Moment) -> float | None:
    """Return the age of the status.

    The file is on a tmpfs, so it was written since the last boot and its `boot_s` can be compared.
    """
    return max(0.0, at.boot_s - float(status["boot_s"]))
