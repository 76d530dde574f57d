"""Each mistake that a user can make is reported in one clear line, with a non-zero exit code."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.common.paths import shipped_model
from edge.inference.card_archive import attach_files, read_attached
from edge.inference.model_file import CARD_NAME
from tests.support.cli_process import mask_patrol, mask_patrol_error
from tests.support.footage.pictures import write_picture
from tests.support.models.mutations import without_digest
from tests.support.models.two_label_model import write_two_label_model
from tests.support.mqtt.brokers import Mosquitto


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def model_with_card(path: Path, **changes: object) -> Path:
    """Write the shipped model with `changes` to its card; return its path."""
    shipped = read_attached(shipped_model().read_bytes(), shipped_model())
    card = {**json.loads(shipped.files[CARD_NAME]), **changes}
    files = {**shipped.files, CARD_NAME: json.dumps(card).encode()}
    path.write_bytes(attach_files(shipped.flatbuffer, files))
    return path


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "--source", "none.mp4"], "no such video file: none.mp4"),
        (["run", "--source", "{empty}"], "contains no readable video frame"),
        (["run", "--source", "{text}"], "contains no readable video frame"),
        (["run", "--source", "{folder}"], "no pictures in"),
        (["run", "--source", "/dev/video77", "--config", "{at_once}"], "no such camera"),
        (["run", "--source", "rtsp://127.0.0.1:1", "--config", "{at_once}"], "no video stream at"),
        (["run", "--source", "/dev/null"], "/dev/null is not a camera"),
        (["run", "--source", "gopher://cam/1"], "unsupported address scheme gopher://"),
        (["run", "--config", "none.toml"], "cannot read the configuration none.toml"),
        (
            ["run", "--config", "{typo}"],
            "unknown setting `camera.soruce`; did you mean `camera.source`?",
        ),
        (["run", "--config", "{with_port}"], 'set `host = "192.168.1.5"` and `port = 1883`'),
        (["run", "--broker", "host:port"], "--broker must be HOST, HOST:PORT or [IPV6]:PORT"),
        (["run", "--broker", "host:99999"], "`mqtt.port`"),
        (["run", "--source", ""], "`camera.source`"),
        (["run", "--source", "b\udcff.mp4"], "cannot be used as a path"),
        (["run", "--source", "x" * 300], "File name too long"),
        (["run", "--source", "~nobody-of-that-name/x.mp4"], "cannot be used as a path"),
        (["run", "--no-mqtt", "--source", "{broken}"], "is not a picture that can be read"),
        (["run", "--broker", "a..b"], "is not a valid host name"),
        (["run", "--broker", "host:0"], "`mqtt.port`"),
        (["run", "--broker", ""], "--broker must be HOST"),
        (["run", "--no-mqtt", "--watch"], "cannot be combined with"),
        (["detect", "x" * 300], "File name too long"),
        (["detect", "--out", "{folder}", "{wide}"], "too large for .jpg"),
        (["run", "--events", "/nowhere/events.jsonl"], "cannot write the events file"),
        (["run", "--no-mqtt", "--config", "{no_card}"], "has no model card"),
        (["run", "--no-mqtt", "--config", "{no_model}"], "cannot read the model"),
        (
            ["run", "--no-mqtt", "--config", "{alert}"],
            "contains incorrect_mask, but the labels of the model are",
        ),
        (["run", "--no-mqtt", "--config", "{classes}"], "`classifier.classes` is 3, but"),
        (
            ["run", "--no-mqtt", "--config", "{line}"],
            "`camera.zone` needs at least 3 corners, but has 2",
        ),
        (["run", "--no-mqtt", "--config", "{bow}"], "`camera.zone` crosses or touches itself"),
        (["detect", "none.jpg"], "no such picture: none.jpg"),
        (["detect", "{text}"], "is not a picture that can be read"),
        (["detect", "{folder}"], "no pictures in"),
        (["detect", "--model", "{text}", "{picture}"], "has no model card"),
        (["detect", "--out", "{text}/x", "{picture}"], "cannot create the folder"),
        (["watch", "--broker", "127.0.0.1:1"], "no broker at 127.0.0.1:1"),
    ],
)
def test_mistake_is_one_line(tmp_path: Path, arguments: list[str], expected: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken").mkdir()
    write(tmp_path / "broken" / "a.jpg", b"junk")
    wide = np.zeros((4, 70_000, 3), np.uint8)  # a JPEG is at most 65,535 px wide
    write(tmp_path / "wide.jpg", cv2.imencode(".png", wide)[1].tobytes())
    text = write(tmp_path / "text.mp4", "not a video at all\n" * 50)
    two_labels = write_two_label_model(tmp_path / "two.tflite")
    paths = {
        "empty": write(tmp_path / "empty.mp4", b""),
        "text": text,
        "folder": tmp_path / "folder",
        "broken": tmp_path / "broken",
        "wide": tmp_path / "wide.jpg",
        "picture": write_picture(tmp_path / "grey.png", 100),
        "typo": write(tmp_path / "typo.toml", "[camera]\nsoruce = 'demo'\n"),
        "with_port": write(tmp_path / "g.toml", "[mqtt]\nhost = '192.168.1.5:1883'\n"),
        "no_card": write(tmp_path / "a.toml", f"[classifier]\nmodel = '{text}'\n"),
        "alert": write(
            tmp_path / "c.toml",
            f"[events]\nalert_on = ['incorrect_mask']\n[classifier]\nmodel = '{two_labels}'\n",
        ),
        "classes": write(
            tmp_path / "h.toml", f"[classifier]\nclasses = 3\nmodel = '{two_labels}'\n"
        ),
        "line": write(tmp_path / "d.toml", "[camera]\nzone = [[0, 0], [1, 1]]\n"),
        "bow": write(tmp_path / "e.toml", "[camera]\nzone = [[0, 0], [1, 1], [1, 0], [0, 1]]\n"),
        "at_once": write(tmp_path / "f.toml", "[camera]\nreopen_for_s = 0\n"),
        "no_model": write(tmp_path / "b.toml", "[classifier]\nmodel = '/none.tflite'\n"),
    }
    result = mask_patrol(tmp_path, *(argument.format(**paths) for argument in arguments))
    assert expected in mask_patrol_error(result)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"input": {"height": 64, "width": 64, "colour": "RGB"}},
            "`input` the tensor must",
        ),
        ({"input": {"height": 96, "width": 96, "colour": "CMYK"}}, "`input.colour` is 'CMYK'"),
        (
            {"labels": ["mask", "no_mask"], "unsure": None, "two_labels": None},
            "but labels.txt contains",
        ),
        ({"unsure": {"scores": {"mask": 0.9}, "chosen": "by hand"}}, "`unsure.scores` has the"),
        ({"labels": ["cat", "dog"]}, "`labels` is ['cat', 'dog']"),
        ({"card_version": 9}, "`card_version` is 9"),
        ({"framing": {}}, "missing required field `margin`"),
        ({"alert": {"threshold": 7, "chosen": ""}}, "$.alert.threshold"),
    ],
)
def test_model_with_an_invalid_card_is_reported(
    tmp_path: Path, changes: dict[str, object], expected: str
) -> None:
    model = model_with_card(tmp_path / "model.tflite", **changes)
    picture = write_picture(tmp_path / "grey.png", 100)
    result = mask_patrol(tmp_path, "detect", "--model", model, picture)
    assert expected in mask_patrol_error(result)


def test_model_with_an_unchanged_card_works(tmp_path: Path) -> None:
    """The models of the previous test are refused only because of the changes to their cards."""
    model = model_with_card(tmp_path / "model.tflite")
    picture = write_picture(tmp_path / "grey.png", 100)
    result = mask_patrol(tmp_path, "detect", "--model", model, picture)
    assert (result.returncode, result.stderr) == (0, "")


def test_damaged_model_is_reported(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "grey.png", 100)
    model = shipped_model().read_bytes()
    for whole, expected in (
        (model, "model.tflite is damaged"),
        (without_digest(model), "model.tflite: no TFLite runtime could load the model"),
    ):
        path = write(tmp_path / "model.tflite", b"\0" * 2000 + whole[2000:])
        result = mask_patrol(tmp_path, "detect", "--model", path, picture)
        assert expected in mask_patrol_error(result)


def test_port_in_use_is_reported(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        config = write(tmp_path / "taken.toml", f"[mqtt]\nport = {port}\n")
        result = mask_patrol(tmp_path, "run", "--config", config)
    assert f"port {port} on 127.0.0.1 is in use" in mask_patrol_error(result)


def test_refused_password_is_reported(tmp_path: Path) -> None:
    server = Mosquitto(tmp_path, password="right").start()
    secret = write(tmp_path / "secret", "wrong-password")
    config = write(
        tmp_path / "door.toml",
        f"[mqtt]\nhost = '127.0.0.1'\nport = {server.port}\nusername = 'door'\n"
        f"password_file = '{secret}'\n",
    )
    check = mask_patrol(tmp_path, "check", "--config", config)
    assert check.returncode == 1
    assert "refuses user 'door'" in check.stdout
    watch = mask_patrol(tmp_path, "watch", "--config", config)
    assert "refuses user 'door'" in mask_patrol_error(watch)
    run = mask_patrol(tmp_path, "run", "--config", config, "--pace", "fast")
    assert run.returncode == 3
    warnings = [line for line in run.stderr.splitlines() if "refuses user 'door'" in line]
    assert len(warnings) == 2  # a line at the refusal, and the last line
    assert "wrong-password" not in run.stderr + check.stdout + watch.stderr
    server.stop()


def test_all_configuration_mistakes_are_reported_together(tmp_path: Path) -> None:
    config = write(tmp_path / "bad.toml", "[mqtt]\nport = 0\n[camera]\nfps = 'x'\n")
    result = mask_patrol(tmp_path, "run", "--config", config)
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 2


def test_damaged_picture_does_not_stop_the_others(tmp_path: Path) -> None:
    good = write_picture(tmp_path / "grey.png", 100)
    bad = write(tmp_path / "bad.jpg", b"junk")
    result = mask_patrol(tmp_path, "detect", "--json", bad, good)
    assert "bad.jpg is not a picture" in mask_patrol_error(result)
    assert [json.loads(line)["image"] for line in result.stdout.splitlines()] == [str(good)]


def test_port_without_mqtt_is_reported(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        result = mask_patrol(tmp_path, "watch", "--broker", f"127.0.0.1:{port}")
    assert "does not answer like an MQTT broker" in mask_patrol_error(result)


def test_wrong_arguments_show_the_usage(tmp_path: Path) -> None:
    for arguments in ([], ["fly"], ["run", "--pace", "slow"]):
        result = mask_patrol(tmp_path, *arguments)
        assert result.returncode == 2
        assert result.stderr.startswith("usage: mask-patrol")
