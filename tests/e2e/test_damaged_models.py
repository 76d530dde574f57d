"""Damaged model files are refused with one line: by the loaders, by `check`, and at SIGHUP.

A digest detects each flipped bit. Files without one may run, if they do so without a crash.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from edge.common.paths import shipped_detector, shipped_model
from edge.detection.haar_detector import default_cascade
from tests.support.camera.mjpeg_server import MjpegCamera
from tests.support.cli_process import command, environment, mask_patrol
from tests.support.footage.visit_clip import BARE_S, frame_at
from tests.support.models.mutations import mutated, without_digest
from tests.support.models.tiny_yunet import tiny_yunet
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.systemd.notify_receiver import Systemd
from tests.support.waiting import wait_until

#: Maximum duration of loading one file; usually a trial takes less than a second.
MAX_LOAD_S = 20
IMMEDIATE_ALERTS = "[events]\nmin_readings = 1\nconfirm_s = 0.0\n"
NOT_RELOADED = "the configuration is not reloaded, the old one stays in force"


def undamaged(name: str) -> tuple[str, str, bytes]:
    """Return the kind and the suffix of the file `name`, and its content.

    The classifier and the network have a digest in their cards, unless they are old.
    """
    match name:
        case "classifier":
            return name, ".tflite", shipped_model().read_bytes()
        case "network":
            return name, ".tflite", shipped_detector().read_bytes()
        case "old classifier":
            return "classifier", ".tflite", without_digest(shipped_model().read_bytes())
        case "old network":
            return "network", ".tflite", without_digest(shipped_detector().read_bytes())
        case "cascade":
            return name, ".xml", default_cascade().read_bytes()
        case _:
            return "yunet", ".onnx", tiny_yunet()


WITH_DIGEST = ("classifier", "network")
WITHOUT_DIGEST = ("old classifier", "old network", "cascade", "yunet")


def errors_of_mutations(folder: Path, name: str, seeds: range) -> list[str]:
    """Load a mutation of the file `name` for each seed, all in one process that must survive.

    Returns the errors, of which each is one line; an empty error is that of a file that was used.
    """
    kind, suffix, content = undamaged(name)
    arguments = []
    for seed in seeds:
        path = folder / f"{seed}{suffix}"
        path.write_bytes(mutated(content, seed))
        arguments += [kind, str(path)]
    result = subprocess.run(
        [sys.executable, "-m", "tests.support.models.load_models", *arguments],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=MAX_LOAD_S * len(seeds),
        check=False,
    )
    errors = [json.loads(line)["error"] for line in result.stdout.splitlines()]
    after = f"{name}, seed {seeds[0] + len(errors)}"
    assert result.returncode == 0, f"{after}: {result.stderr}"
    assert result.stderr == ""
    assert len(errors) == len(seeds)
    assert not any("\n" in error for error in errors)
    print(name, Counter("used" if not error else "refused" for error in errors))
    return errors


@pytest.mark.parametrize("name", WITH_DIGEST)
def test_each_mutation_is_refused_by_the_digest(tmp_path: Path, name: str) -> None:
    assert all(errors_of_mutations(tmp_path, name, range(60)))


@pytest.mark.parametrize("name", WITHOUT_DIGEST)
def test_mutation_without_a_digest_is_used_or_refused(tmp_path: Path, name: str) -> None:
    errors = errors_of_mutations(tmp_path, name, range(12))
    assert any(errors)


@pytest.mark.soak
def test_1000_mutations_are_refused_by_the_digest(tmp_path: Path) -> None:
    for name in WITH_DIGEST:
        assert all(errors_of_mutations(tmp_path, name, range(500)))


@pytest.mark.soak
def test_1000_mutations_without_a_digest_end_no_process(tmp_path: Path) -> None:
    for name in WITHOUT_DIGEST:
        errors = errors_of_mutations(tmp_path, name, range(250))
        assert any(errors)
        assert not all(errors)


def check_mutations(folder: Path, name: str, seeds: range) -> None:
    """Run `check` with a mutation of the file `name` for each seed."""
    kind, suffix, content = undamaged(name)
    for seed in seeds:
        path = folder / f"damaged{suffix}"
        path.write_bytes(mutated(content, seed))
        config = write_config(folder, kind, path)
        result = mask_patrol(folder, "check", "--config", config)
        assert result.returncode in (0, 1), (seed, result.stderr)
        assert result.stderr == "", seed
        (line,) = (
            line
            for line in result.stdout.splitlines()
            if line.split()[1] == ("model" if kind == "classifier" else "detector")
        )
        if name in WITH_DIGEST:
            assert line.split()[0] == "FAIL", seed


def write_config(folder: Path, kind: str, path: Path) -> Path:
    """Write a configuration that uses `path`, and return the configuration's path."""
    quoted = json.dumps(str(path))
    config = folder / "door.toml"
    config.write_text(
        {
            "classifier": f"[classifier]\nmodel = {quoted}\n",
            "network": f"[detector]\nmodel = {quoted}\n",
            "yunet": f"[detector]\nmodel = {quoted}\n",
            "cascade": f"[detector]\ncascade = {quoted}\n",
        }[kind]
    )
    return config


@pytest.mark.parametrize("name", ["classifier", "old classifier", "old network"])
def test_check_reports_damaged_models(tmp_path: Path, name: str) -> None:
    check_mutations(tmp_path, name, range(2, 4))


@pytest.mark.soak
@pytest.mark.parametrize("name", WITH_DIGEST + WITHOUT_DIGEST)
def test_1000_checks_report_damaged_models(tmp_path: Path, name: str) -> None:
    check_mutations(tmp_path, name, range(170))


def reload_mutations(
    folder: Path, name: str, seeds: range, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    """Reload a running daemon with a mutation of the file `name` for each seed.

    The daemon must survive each reload. At the end it reloads the undamaged file. If the file has a
    digest, this must be the only change.
    """
    kind, suffix, content = undamaged(name)
    path = folder / f"mine{suffix}"
    path.write_bytes(content)
    broker = f"[mqtt]\nhost = '127.0.0.1'\nport = {mosquitto.port}\n{IMMEDIATE_ALERTS}"
    config = write_config(folder, kind, path)
    config.write_text(f"device = 'door1'\n{broker}{config.read_text()}")
    systemd = Systemd(str(folder / "notify"))
    messages: list[str] = []

    def ready(times: int) -> bool:
        messages.extend(systemd.received())
        assert process.poll() is None, (name, times, log.read_text())
        return sum(message.startswith("READY=1") for message in messages) >= times

    log = folder / "log"
    pictures = [frame_at(BARE_S), frame_at(BARE_S + 0.5)]  # a camera with one picture is frozen
    with MjpegCamera(pictures) as camera, log.open("w") as out:
        process = subprocess.Popen(
            command(("run", "--config", config, "--source", camera.url)),
            env={**environment(folder), "NOTIFY_SOCKET": str(folder / "notify")},
            stderr=out,
        )
        try:
            wait_until(lambda: ready(1), "the start")
            if kind != "yunet":  # the tiny network finds no faces
                subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the alert")
            for count, seed in enumerate(seeds, start=2):
                path.write_bytes(mutated(content, seed))
                process.send_signal(signal.SIGHUP)
                wait_until(lambda count=count: ready(count), f"the reload, seed {seed}", MAX_LOAD_S)
            path.write_bytes(content)
            config.write_text(config.read_text() + "[tracker]\nwindow_s = 2.0\n")
            last = subscriber.bodies("info")[0]["configuration"]
            process.send_signal(signal.SIGHUP)
            subscriber.wait_for(
                lambda: subscriber.bodies("info")[-1]["configuration"] != last, "the last reload"
            )
            process.terminate()
            assert process.wait(MAX_LOAD_S) == 0
        finally:
            process.kill()
            process.wait()
            systemd.close()
    assert "Traceback" not in log.read_text()
    if name in WITH_DIGEST:
        assert NOT_RELOADED in log.read_text()
        assert len(subscriber.bodies("info")) == 2


@pytest.mark.parametrize("name", ["classifier", "old classifier", "old network"])
def test_reload_of_a_damaged_model_ends_no_daemon(
    tmp_path: Path, name: str, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    reload_mutations(tmp_path, name, range(6), mosquitto, subscriber)


@pytest.mark.soak
@pytest.mark.parametrize("name", WITH_DIGEST + WITHOUT_DIGEST)
def test_1000_reloads_of_damaged_models_end_no_daemon(
    tmp_path: Path, name: str, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    reload_mutations(tmp_path, name, range(170), mosquitto, subscriber)
