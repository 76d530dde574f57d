"""`mask-patrol check`: every part tried for real before it has to work."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.camera.source_address import display_address
from edge.camera.source_factory import open_source
from edge.classification.classifier import (
    CHANNELS,
    Classifier,
    alert_labels,
    alert_threshold,
    load_classifier,
)
from edge.common.errors import UserError
from edge.config.settings import Settings, change, load_settings
from edge.detection.face_detector import DEFAULT_CASCADE, HaarDetector
from edge.mqtt.broker import (
    Broker,
    closed_before_connack_error,
    connack_error,
    new_client,
    no_connack_error,
    unreachable_error,
)
from edge.mqtt.delivery import open_outbox, outbox_path
from edge.mqtt.embedded_broker import embedded_broker
from edge.mqtt.payloads import Topics
from edge.outbox.tables import LockedError
from edge.tracking.zone import Zone

#: The broker has this long to hand a message back; on a network that works it takes
#: milliseconds.
ECHO_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Finding:
    """What one part turned out to be."""

    part: str
    ok: bool
    text: str


def preflight(config: Path | None, overrides: Callable[[Settings], Settings]) -> Iterator[Finding]:
    """Try each part in turn; `overrides` lays the command line over the configuration.

    Later parts are tried even if earlier ones failed, except that nothing can be
    tried without a valid configuration.
    """
    try:
        settings = overrides(load_settings(config))
    except UserError as error:
        yield Finding("configuration", False, str(error))
        return
    yield Finding("configuration", True, str(config or "defaults, no file given"))
    classifier: list[Classifier] = []
    attempts: tuple[tuple[str, Callable[[], str]], ...] = (
        ("model", lambda: _model(settings, classifier)),
        ("inference", lambda: _inference(classifier)),
        ("cascade", lambda: _cascade(settings)),
        ("source", lambda: _source(settings)),
        ("outbox", lambda: _outbox(settings)),
        ("broker", lambda: _broker(settings)),
    )
    for part, attempt in attempts:
        try:
            yield Finding(part, True, attempt())
        except (UserError, OSError) as error:
            yield Finding(part, False, str(error))


def _model(settings: Settings, loaded: list[Classifier]) -> str:
    classifier = load_classifier(settings.classifier)
    loaded.append(classifier)
    alert_labels(settings.events, classifier)
    card = classifier.card
    return (
        f"{card.name} ({', '.join(card.labels)}; {card.quantisation}; {card.input.width}x"
        f"{card.input.height}), alert at {alert_threshold(settings.events, card):.2f}"
    )


def _inference(loaded: list[Classifier]) -> str:
    if not loaded:
        raise UserError("not tried: there is no model")
    card = loaded[0].card
    grey = np.full((card.input.height, card.input.width, CHANNELS), 128, np.uint8)
    total = sum(loaded[0].classify_crop(grey).by_label.values())
    if not 0.9 <= total <= 1.1:
        raise UserError(f"the model's scores sum to {total:.2f} instead of 1; convert it anew")
    return f"ran in {loaded[0].runtime}"


def _cascade(settings: Settings) -> str:
    HaarDetector(settings.detector).find(np.zeros((120, 160, CHANNELS), np.uint8))
    detector = settings.detector
    return (
        f"{detector.cascade or f'{DEFAULT_CASCADE} of OpenCV'}; searches at {detector.width_px} px"
        f" for faces from {100.0 * detector.min_face:.1f}% of the width on"
    )


def _source(settings: Settings) -> str:
    Zone(settings.camera.zone)
    source = open_source(settings.camera)
    try:
        frame = source.read()
    finally:
        source.close()
    if frame is None:
        raise UserError(
            f"{display_address(settings.camera)} delivers no frame; is it the right one?"
        )
    height, width = frame.size_px
    return f"{display_address(settings.camera)} delivers frames of {width}x{height}"


def _outbox(settings: Settings) -> str:
    try:
        outbox = open_outbox(settings)
    except LockedError:
        return f"{outbox_path(settings)}, in use by a mask-patrol that runs"
    try:
        if outbox.warning:
            raise UserError(f"{outbox.warning}; mend it, or choose a place with `outbox.path`")
        return f"{outbox.path}, {outbox.depth()} events wait"
    finally:
        outbox.close()


def _broker(settings: Settings) -> str:
    mqtt = settings.mqtt
    embedded = not mqtt.host
    with embedded_broker(mqtt) if embedded else nullcontext() as server:
        if server is not None:
            mqtt = change(settings, mqtt=server.settings).mqtt
        broker = Broker.from_settings(mqtt)
        _echo(broker, Topics(mqtt.base, settings.device)["check"])
    if embedded:
        return "none configured; the embedded one on loopback works, for trying out only"
    return f"{broker.address} accepts and echoes"


def _echo(broker: Broker, topic: str) -> None:
    """Publish a nonce and get it back; raises UserError saying where that stopped."""
    nonce = secrets.token_hex(8).encode()
    done = threading.Event()
    silent = str(no_connack_error(broker))
    step = [silent]

    def stop_at(problem: str) -> None:
        step[0] = problem
        done.set()

    def on_connect(client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            stop_at(str(connack_error(broker, reason)))
        else:
            step[0] = f"{broker.address} lets us in, but does not let us read {topic}"
            client.subscribe(topic, qos=1)

    def on_subscribe(client: Any, _data: Any, _mid: Any, reasons: Any, _properties: Any) -> None:
        if reasons[0].is_failure:
            done.set()
        else:
            step[0] = (
                f"{broker.address} lets us in, but {topic} does not come back: may we write it?"
            )
            client.publish(topic, nonce, qos=1)

    def on_message(_client: Any, _data: Any, message: Any) -> None:
        if message.payload == nonce:
            stop_at("")

    def on_disconnect(*_: Any) -> None:
        if step[0] == silent:
            stop_at(str(closed_before_connack_error(broker)))

    client = new_client(broker)
    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.on_disconnect = on_disconnect
    try:
        client.connect(broker.host, broker.port, broker.keepalive_s)
    except (OSError, ValueError) as error:
        raise unreachable_error(broker, error) from None
    client.loop_start()
    done.wait(ECHO_TIMEOUT_S)
    client.disconnect()
    client.loop_stop()
    if step[0]:
        raise UserError(step[0])
