from __future__ import annotations

from pathlib import Path

from tests.support.cli_process import mask_patrol
from tests.support.models.two_label_model import write_two_label_model
from tests.support.mqtt.brokers import Mosquitto
from tests.support.ports import free_port

PARTS = ["configuration", "model", "inference", "detector", "source", "outbox", "broker"]


def results_by_part(stdout: str) -> dict[str, tuple[str, str]]:
    """Return the result (`ok` or `FAIL`) and the text of each part, in the order of the output."""
    rows = [line.split(maxsplit=2) for line in stdout.splitlines()]
    return {part: (result, text) for result, part, text in rows}


def test_working_parts_are_ok(tmp_path: Path, mosquitto: Mosquitto) -> None:
    process = mask_patrol(tmp_path, "check", "--broker", mosquitto.broker.address)
    results = results_by_part(process.stdout)
    assert list(results) == PARTS
    assert {result for result, _ in results.values()} == {"ok"}
    assert process.returncode == 0
    assert "accepts a message and returns it" in results["broker"][1]
    assert "640x480" in results["source"][1]
    assert results["model"][1].startswith("mask-96 (mask, no_mask; int8")


def test_without_a_broker_the_embedded_one_is_tested(tmp_path: Path) -> None:
    process = mask_patrol(tmp_path, "check")
    assert process.returncode == 0
    assert "the embedded one works" in results_by_part(process.stdout)["broker"][1]


def test_each_part_is_tested_despite_other_faults(tmp_path: Path) -> None:
    config = tmp_path / "bad.toml"
    config.write_text(
        f"[classifier]\nmodel = '/none.tflite'\n[detector]\ncascade = '/none.xml'\n"
        f"[camera]\nsource = '/none.mp4'\n[outbox]\npath = '/proc/none/outbox'\n"
        f"[mqtt]\nhost = '127.0.0.1'\nport = {free_port()}\n"
        f"[[output]]\nname = 'say'\ncommand = ['/none']\n"
    )
    process = mask_patrol(tmp_path, "check", "--config", config)
    results = results_by_part(process.stdout)
    assert process.returncode == 1
    assert [results[part][0] for part in (*PARTS, "outputs")] == ["ok"] + ["FAIL"] * 7
    assert "cannot read the model" in results["model"][1]
    assert "cannot read the cascade file" in results["detector"][1]
    assert "no such video" in results["source"][1]
    assert "cannot use the outbox" in results["outbox"][1]
    assert "no broker at" in results["broker"][1]
    assert results["outputs"][1].startswith("say: /none is no program")


def test_alert_labels_and_zone_are_tested(tmp_path: Path) -> None:
    config, model = tmp_path / "door.toml", write_two_label_model(tmp_path / "own.tflite")
    wanted = "[events]\nalert_on = ['no_mask', 'incorrect_mask']\n"
    config.write_text(
        f"{wanted}[classifier]\nmodel = '{model}'\n[camera]\nzone = [[0, 0], [1, 1]]\n"
    )
    results = results_by_part(mask_patrol(tmp_path, "check", "--config", config).stdout)
    assert results["model"][0] == results["source"][0] == "FAIL"
    assert "the labels of the model are mask, no_mask" in results["model"][1]
    assert "`camera.zone` needs at least 3 corners, but has 2" in results["source"][1]


def test_missing_right_to_publish_is_found(tmp_path: Path) -> None:
    server = Mosquitto(tmp_path, acl="topic read maskpatrol/#\n").start()
    process = mask_patrol(tmp_path, "check", "--broker", server.broker.address)
    server.stop()
    assert process.returncode == 1
    result, text = results_by_part(process.stdout)["broker"]
    assert result == "FAIL"
    assert "accepts the login" in text
    assert "allowed to write to the topic?" in text


def test_broker_with_fewer_features_is_ok(tmp_path: Path) -> None:
    server = Mosquitto(tmp_path, more=("max_qos 0", "retain_available false")).start()
    process = mask_patrol(tmp_path, "check", "--broker", server.broker.address)
    server.stop()
    assert results_by_part(process.stdout)["broker"][0] == "ok"


def test_invalid_configuration_ends_the_check(tmp_path: Path) -> None:
    config = tmp_path / "bad.toml"
    config.write_text("[mqtt]\nprot = 1\n")
    process = mask_patrol(tmp_path, "check", "--config", config)
    assert process.returncode == 1
    assert "did you mean `mqtt.port`?" in process.stdout
    assert len(process.stdout.splitlines()) == 1
