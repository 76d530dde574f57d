from __future__ import annotations

from pathlib import Path

from tests.support.brokers import Mosquitto, free_port
from tests.support.cli_process import mask_patrol

PARTS = ["configuration", "model", "inference", "cascade", "source", "outbox", "broker"]


def table(stdout: str) -> dict[str, tuple[str, str]]:
    rows = [line.split(maxsplit=2) for line in stdout.splitlines()]
    return {part: (verdict, text) for verdict, part, text in rows}


def test_all_is_well(tmp_path: Path, mosquitto: Mosquitto) -> None:
    result = mask_patrol(tmp_path, "check", "--broker", mosquitto.broker.address)
    rows = table(result.stdout)
    assert list(rows) == PARTS
    assert {verdict for verdict, _ in rows.values()} == {"ok"}
    assert result.returncode == 0
    assert "accepts and echoes" in rows["broker"][1]
    assert "640x480" in rows["source"][1]


def test_without_a_broker_the_embedded_one_is_tried(tmp_path: Path) -> None:
    result = mask_patrol(tmp_path, "check")
    assert result.returncode == 0
    assert "embedded one on loopback works" in table(result.stdout)["broker"][1]


def test_each_part_is_judged_for_itself(tmp_path: Path) -> None:
    config = tmp_path / "bad.toml"
    config.write_text(
        f"[classifier]\nmodel = '/none.tflite'\n[detector]\ncascade = '/none.xml'\n"
        f"[camera]\nsource = '/none.mp4'\n[outbox]\npath = '/proc/none/outbox'\n"
        f"[mqtt]\nhost = '127.0.0.1'\nport = {free_port()}\n"
    )
    result = mask_patrol(tmp_path, "check", "--config", config)
    rows = table(result.stdout)
    assert result.returncode == 1
    assert [rows[part][0] for part in PARTS] == ["ok"] + ["FAIL"] * 6
    assert "cannot read the model" in rows["model"][1]
    assert "no such cascade" in rows["cascade"][1]
    assert "no such video" in rows["source"][1]
    assert "cannot use the outbox" in rows["outbox"][1]
    assert "no broker at" in rows["broker"][1]


def test_what_alerts_and_where_faces_count_are_checked(tmp_path: Path) -> None:
    config = tmp_path / "door.toml"
    config.write_text(
        "[events]\nalert_on = ['no_mask', 'incorrect_mask']\n[camera]\nzone = [[0, 0], [1, 1]]\n"
    )
    rows = table(mask_patrol(tmp_path, "check", "--config", config).stdout)
    assert rows["model"][0] == rows["source"][0] == "FAIL"
    assert "models/mask3.tflite has incorrect_mask" in rows["model"][1]
    assert "`camera.zone` has 2 of at least 3 corners" in rows["source"][1]


def test_a_broker_that_lets_us_in_but_not_speak(tmp_path: Path) -> None:
    server = Mosquitto(tmp_path, acl="topic read maskpatrol/#\n").start()
    result = mask_patrol(tmp_path, "check", "--broker", server.broker.address)
    server.stop()
    assert result.returncode == 1
    verdict, text = table(result.stdout)["broker"]
    assert verdict == "FAIL"
    assert "lets us in" in text
    assert "may we write it?" in text


def test_a_wrong_configuration_ends_it(tmp_path: Path) -> None:
    config = tmp_path / "bad.toml"
    config.write_text("[mqtt]\nprot = 1\n")
    result = mask_patrol(tmp_path, "check", "--config", config)
    assert result.returncode == 1
    assert "did you mean `mqtt.port`?" in result.stdout
    assert len(result.stdout.splitlines()) == 1
