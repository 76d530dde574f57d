"""`mask-patrol check`: tests every part by using it, before the daemon depends on it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.camera.orientation import Orientation, describe
from edge.camera.source_address import display_address
from edge.camera.source_factory import open_source
from edge.classification.answer import Answer
from edge.classification.classifier import (
    CHANNELS,
    Classifier,
    alert_labels,
    alert_threshold,
    load_classifier,
)
from edge.classification.model_card import describe_scores
from edge.common.errors import UserError
from edge.common.file_access import access_problem
from edge.config.settings import Settings, change
from edge.daemon.camera_file import CameraFile
from edge.detection.load_detector import load_detector
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
from edge.outbox.file_place import files_of
from edge.outbox.tables import LockedError
from edge.outputs.check_outputs import check_outputs
from edge.tracking.zone import Zone

#: How long the broker may take to return a message; in a working network it takes milliseconds.
ROUND_TRIP_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class CheckResult:
    """The result of testing one part; `text` describes the part, or the fault."""

    part: str
    ok: bool
    text: str


def run_checks(
    config: Path | None, override: Callable[[Settings], Settings]
) -> Iterator[CheckResult]:
    """Test each part in turn, with the settings of `config` after `override` was applied.

    Every part is tested even if an earlier one failed, except that nothing is tested without a
    valid configuration.
    """
    try:
        found = CameraFile.in_state_directory(config).read()
        settings = override(found.settings)
    except UserError as error:
        yield CheckResult("configuration", False, str(error))
        return
    text = "\n".join((str(config or "defaults, no file given"), *found.notes, *found.warnings))
    yield CheckResult("configuration", not found.problem, found.problem or text)
    loaded: list[Classifier] = []  # the test of the model adds the classifier
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("model", lambda: _check_model(settings, loaded)),
        ("inference", lambda: _check_inference(loaded)),
        ("detector", lambda: _check_detector(settings)),
        ("source", lambda: _check_source(settings)),
        ("outbox", lambda: _check_outbox(settings)),
        ("broker", lambda: _check_broker(settings)),
    )
    if settings.output:
        checks += (("outputs", lambda: check_outputs(settings.output, _daemon_runs(settings))),)
    for part, check in checks:
        try:
            yield CheckResult(part, True, check())
        except (UserError, OSError) as error:
            yield CheckResult(part, False, str(error))


def _check_model(settings: Settings, loaded: list[Classifier]) -> str:
    classifier = load_classifier(settings)
    loaded.append(classifier)
    alert_labels(settings.events, classifier)
    card, answer = classifier.card, classifier.answer
    return (
        f"{card.name} ({', '.join(answer.labels)}; {card.quantisation}; {card.input.width}x"
        f"{card.input.height}), alert at {alert_threshold(settings.events, answer):.2f}"
        f"{_unsure(answer)}"
    )


def _unsure(answer: Answer) -> str:
    if answer.unsure is None:
        return ""
    return f", unsure below {describe_scores(answer.unsure.scores)}"


def _check_inference(loaded: list[Classifier]) -> str:
    if not loaded:
        raise UserError("not tested: no model could be loaded")
    card = loaded[0].card
    grey = np.full((card.input.height, card.input.width, CHANNELS), 128, np.uint8)
    total = sum(loaded[0].classify_crop(grey).by_label.values())
    if not 0.9 <= total <= 1.1:
        raise UserError(
            f"the model's scores sum to {total:.2f} instead of 1; convert the model again"
        )
    return f"ran in {loaded[0].runtime}"


def _check_detector(settings: Settings) -> str:
    detector = load_detector(settings.detector)
    detector.finder.find(np.zeros((120, 160, CHANNELS), np.uint8))
    return (
        f"{settings.detector.kind}: {detector.name}; searches frames"
        f" {settings.detector.width_px} px wide for faces of at least"
        f" {100.0 * settings.detector.min_face:.1f}% of the width"
    )


def _check_source(settings: Settings) -> str:
    Zone.of(settings.camera)
    source = open_source(settings.camera)
    try:
        frame = source.read()
    finally:
        source.close()
    if frame is None:
        raise UserError(
            f"{display_address(settings.camera)} delivers no frame; is the source correct?"
        )
    height, width = frame.size_px
    turned = describe(Orientation.of(settings.camera))
    return f"{display_address(settings.camera)} delivers frames of {width}x{height}{turned}"


def _check_outbox(settings: Settings) -> str:
    try:
        outbox = open_outbox(settings)
    except LockedError:
        return f"{outbox_path(settings)}, in use by a running mask-patrol"
    try:
        if outbox.warning:
            advice = "repair the disk, or set `outbox.path` to another place"
            if access_problem(files_of(outbox.path)):  # the warning says what to do
                advice = "or set `outbox.path` to another place"
            raise UserError(f"{outbox.warning}; {advice}")
        return f"{outbox.path}, {outbox.depth()} events waiting"
    finally:
        outbox.close()


def _daemon_runs(settings: Settings) -> bool:
    """Whether a daemon with the same outbox runs, which then has the pins."""
    try:
        open_outbox(settings).close()
    except LockedError:
        return True
    except (UserError, OSError):
        return False
    return False


def _check_broker(settings: Settings) -> str:
    mqtt = settings.mqtt
    embedded = not mqtt.host
    with embedded_broker(mqtt) if embedded else nullcontext() as server:
        if server is not None:
            mqtt = change(settings, mqtt=server.settings).mqtt
        broker = Broker.from_settings(mqtt)
        check_round_trip(broker, Topics(mqtt.base, settings.device)["check"])
    if embedded:
        return (
            "no broker is configured; the embedded one works, but is meant only for trials on this"
            " machine"
        )
    return f"{broker.address} accepts a message and returns it"


def check_round_trip(broker: Broker, topic: str) -> None:
    """Publish a nonce and receive it; raises UserError naming the step that failed.

    paho calls the callbacks in its network thread. `failure` holds the error that applies if
    the exchange goes no further than the present step.
    """
    nonce = secrets.token_hex(8).encode()
    done = threading.Event()
    no_answer = str(no_connack_error(broker))
    failure = [no_answer]

    def finish(error: str) -> None:
        failure[0] = error
        done.set()

    def on_connect(client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            finish(str(connack_error(broker, reason, broker.client_id)))
        else:
            failure[0] = (
                f"{broker.address} accepts the login, but does not let this device read {topic}"
            )
            client.subscribe(topic, qos=1)

    def on_subscribe(client: Any, _data: Any, _mid: Any, reasons: Any, _properties: Any) -> None:
        if not reasons or reasons[0].is_failure:
            done.set()
        else:
            failure[0] = (
                f"{broker.address} accepts the login, but a message to {topic} does not come back:"
                " is this device allowed to write to the topic?"
            )
            client.publish(topic, nonce, qos=0)  # which every broker supports

    def on_message(_client: Any, _data: Any, message: Any) -> None:
        if message.payload == nonce:
            finish("")

    def on_disconnect(*_: Any) -> None:
        if failure[0] == no_answer:
            finish(str(closed_before_connack_error(broker)))

    client = new_client(broker, broker.client_id)
    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.on_disconnect = on_disconnect
    try:
        client.connect(broker.host, broker.port, broker.keepalive_s)
    except (OSError, ValueError) as error:
        raise unreachable_error(broker, error) from None
    client.loop_start()
    done.wait(ROUND_TRIP_TIMEOUT_S)
    client.disconnect()
    client.loop_stop()
    if failure[0]:
        raise UserError(failure[0])
