from __future__ import annotations

import json
import logging
import sys
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cli.main import main
from edge.common.errors import UserError
from edge.common.hidden_passwords import hide_in_all_messages, hide_passwords
from edge.common.logging_setup import FORMATS, LogFormat, set_up

#: An address in the forms that users write. The passwords contain `Geheim`, or parts of it.
ADDRESSES = [
    "rtsp://me:Geheim@cam/x",
    "rtsp://me:Geh eim@cam/x",
    "rtsp://me:Geh/e@im@10.0.0.1:554/x",
    "rtsp://me:Geh'eim@cam/x",
    "http://cam/snap.jpg?user=me&password=Geheim",
    "me:Geheim@cam/x",
    "me:Geh eim@cam/x",
]


def shows_password(text: str) -> bool:
    return any(part in text for part in ("Geh", "eim"))


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "message", ["`{}` is unknown", "'{}' is unknown", 'not "{}"', "unknown setting `camera.{}`"]
)
def test_quoted_address_has_no_password(message: str, address: str) -> None:
    shown = hide_passwords(message.format(address))
    assert not shows_password(shown)
    assert shown.startswith(message.partition("{")[0].removesuffix("camera."))


@pytest.mark.parametrize("address", [a for a in ADDRESSES if not a.startswith("me:Geh ")])
@pytest.mark.parametrize("message", ["no such file: {}", "{}: no such file", "source={} is wrong"])
def test_plain_address_has_no_password(message: str, address: str) -> None:
    assert not shows_password(hide_passwords(message.format(address)))
    assert not shows_password(hide_passwords(message.format(Path(address).absolute())))


@given(
    secret=st.text("XYZ:@/ ?#'\"", min_size=1).filter(lambda text: any(c in "XYZ" for c in text)),
    text=st.sampled_from(["{}", "unrecognized arguments: --sourse {}", "a {} b", "x='{}'"]),
)
def test_argument_has_no_password_in_any_message(secret: str, text: str) -> None:
    address = f"rtsp://me:{secret}@10.0.0.1/live"
    hide_in_all_messages([address])
    shown = hide_passwords(text.format(address))
    hide_in_all_messages([])
    assert not set("XYZ") & set(shown)


@pytest.mark.parametrize(
    "message",
    [
        "write them into the address: rtsp://user:password@host/path",
        "the source looks like an address, but has no scheme: begin it with rtsp:// or http://",
        "no video stream at http://10.0.0.1/a@b: it answers 404",
        "udp://@239.0.0.1:5000 stopped delivering frames = lost",
        "no video stream at http://10.0.0.1:80/video?token=***: it answers 404",
        "lost (rtsp://cam/user=me&password=***), and reopened",
        "12:30 door@home",
        "run `mask-patrol run --source /dev/video0 --broker 192.168.1.5`; name = value",
        "no video stream at rtsp://cam:554/x: it refuses the user name @ cam",
    ],
)
def test_other_text_stays(message: str) -> None:
    assert hide_passwords(message).replace("udp://239", "udp://@239") == message


def test_every_error_hides_passwords() -> None:
    assert str(UserError("cannot read rtsp:/me:Geheim@cam/x")) == "cannot read ***@cam/x"


@pytest.mark.parametrize("log_format", [f for f in FORMATS if f != "auto"])
def test_log_hides_passwords(log_format: LogFormat) -> None:
    stream = StringIO()
    handlers = logging.getLogger().handlers[:]
    level = logging.getLogger().level
    set_up("info", log_format, stream)
    try:
        raise ValueError("rtsp://me:Geheim")
    except ValueError:
        logging.getLogger("test").exception("lost %s", "rtsp://me:Geheim@cam/x")
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
    assert "rtsp://cam/x" in stream.getvalue()
    assert "Geheim" not in stream.getvalue().replace('rtsp://me:Geheim")', "").partition("raise")[0]
    if log_format == "json":
        json.loads(stream.getvalue())


COMMANDS = [
    ["run", "--sourse", "{}"],
    ["run", "--sourse={}"],
    ["run", "{}"],
    ["{}"],
    ["run", "--pace", "{}"],
    ["run", "--config", "{}"],
    ["run", "--no-mqtt", "--events", "{}/events.jsonl"],
    ["run", "--no-mqtt", "--source", "{}", "--log-level", "{}"],
    ["check", "--broker", "{}"],
    ["check", "--config", "{}"],
    ["watch", "--broker", "{}"],
    ["detect", "{}"],
    ["detect", "--model", "{}", "x.jpg"],
    ["bench", "--config", "{}"],
    ["bench", "{}"],
    ["update", "{}"],
    ["dashboard", "--config", "{}"],
    ["status", "{}"],
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_no_command_shows_a_password_of_its_arguments(
    arguments: list[str],
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        sys.exit(main([argument.format(address) for argument in arguments]))
    printed = capfd.readouterr()
    assert caught.value.code != 0
    assert printed.out + printed.err
    assert not shows_password(printed.out + printed.err)


SETTINGS = [
    '"{}" = 1',
    'camera."{}" = 1',
    '["{}"]\nx = 1',
    'device = "{}"',
    '[camera]\nname = "{}"',
    '[camera]\nsource_file = "{}"',
    '[camera]\nrotate = "{}"',
    '[camera.controls]\nmetering = "{}"',
    '[detector]\nkind = "{}"',
    '[detector]\ncascade = "{}"',
    '[classifier]\nmodel = "{}"',
    '[mqtt]\nhost = "{}"',
    '[mqtt]\npassword_file = "{}"\nusername = "x"',
    '[mqtt]\nca_file = "{}"\ntls = true\nhost = "127.0.0.1"',
    '[outbox]\npath = "{}"',
    '"{}"',
]


@pytest.mark.slow
@pytest.mark.parametrize("address", ["rtsp://me:Geh eim@cam/x", "me:Geheim@cam/x"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_no_setting_is_shown_with_a_password(
    setting: str,
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    config = tmp_path / "door.toml"
    config.write_text(setting.format(address))
    main(["check", "--config", str(config)])
    printed = capfd.readouterr()
    assert not shows_password(printed.out + printed.err)
