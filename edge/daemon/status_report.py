"""The body of the status file, which `mask-patrol status` and the LED show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge.camera.source_address import display_address
from edge.common.clock import age_s, now
from edge.config.settings import Settings
from edge.daemon.event_writer import EventWriter
from edge.events.pipeline import Pipeline
from edge.health.health_report import HealthReport
from edge.health.reporters import InfoReporter
from edge.mqtt.delivery import Delivery


@dataclass(frozen=True)
class StatusReport:
    """Collects the daemon's status; `settings` are the settings with which the daemon started."""

    settings: Settings
    delivery: Delivery | None
    pipeline: Pipeline
    writer: EventWriter
    info: InfoReporter
    health: HealthReport

    def body(self) -> dict[str, Any]:
        """Return the present status, from any thread; it contains no secrets."""
        delivery, last_at = self.delivery, self.writer.last_at
        failure = None if delivery is None else delivery.publisher.failure
        return {
            "device": self.settings.device,
            "source": display_address(self.settings.camera),
            "broker": None if delivery is None else delivery.broker.address,
            "broker_failure": None if failure is None else str(failure),
            "people": len(self.pipeline.tracks),
            "alerting": self.pipeline.alert_count,
            "last_event": self.writer.last,
            "last_event_age_s": None if last_at is None else age_s(last_at, now()),
            "info": self.info.body,
            "health": self.health.body(),
        }
