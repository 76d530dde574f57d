from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera.source_address import (
    display_address,
    full_spec,
    is_device,
    picamera2_number,
)
from edge.common.hidden_passwords import without_password
from edge.config.settings import CameraSettings

#: Passwords consist of these characters and contain one of the letters Q, X and Z, which occur
#: nowhere else in an address.
SECRETS = st.text("QXZ@:=%+.!~", min_size=1).filter(lambda text: any(c in "QXZ" for c in text))
KEYS = st.sampled_from(
    [
        "pass",
        "passwd",
        "password",
        "pwd",
        "pw",
        "token",
        "access_token",
        "key",
        "auth",
        "secret",
        "loginpas",
        "psw",
        "passphrase",
        "p",
        "-pwd",
        "credentials",
        "Signature",
        "pwd1",
        "jsessionid",
    ]
).flatmap(lambda key: st.sampled_from([key, key.upper(), key.title()]))
HARMLESS = st.sampled_from(["user=admin", "channel=1", "stream=0.sdp", "live", "w=640"])


def is_hidden(shown: str) -> bool:
    return not any(letter in shown.lower() for letter in "qxz")


@pytest.mark.slow
@given(
    login=st.one_of(st.just(""), SECRETS.map(lambda secret: f"me:{secret}@")),
    parts=st.lists(st.one_of(HARMLESS, st.tuples(KEYS, SECRETS).map("=".join)), max_size=5),
    separators=st.lists(st.sampled_from("&;/?"), min_size=5, max_size=5),
)
def test_password_is_never_shown(login: str, parts: list[str], separators: list[str]) -> None:
    rest = "".join(separator + part for separator, part in zip(separators, parts, strict=False))
    url = f"rtsp://{login}cam:554/{rest}"
    shown = display_address(CameraSettings(source=url))
    assert shown.startswith("rtsp://")
    assert is_hidden(shown), shown


@given(secret=st.text("QXZ @:=%/?#&;.1", min_size=1), host=st.sampled_from(["cam", "10.0.0.1:80"]))
def test_password_that_is_not_encoded_is_never_shown(secret: str, host: str) -> None:
    for scheme in ("rtsp://", "http://", "rtsp:/", ""):
        assert is_hidden(without_password(f"{scheme}me:{secret}@{host}/live"))


@given(secret=st.text("QXZ/?:=%+.!~@", min_size=1), after=st.sampled_from(["", "&w=1", ";w=1"]))
def test_password_in_a_query_may_contain_a_slash(secret: str, after: str) -> None:
    assert is_hidden(without_password(f"http://cam/snap?user=admin&token={secret}{after}"))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://me:p@ss@cam/1", "rtsp://cam/1"),
        ("http://cam/snap?user=admin&password=geheim", "http://cam/snap?user=admin&password=***"),
        ("http://cam/?PWD=geheim&size=2", "http://cam/?PWD=***&size=2"),
        (
            "rtsp://host:554/user=admin&password=geheim&channel=1_stream=0.sdp?real_stream",
            "rtsp://host:554/user=admin&password=***&channel=1_stream=0.sdp?real_stream",
        ),
        ("rtsp://me:top/key=geheim@cam/1", "rtsp://"),
        ("http://cam/snap?channel=1&passage=2", "http://cam/snap?channel=1&passage=2"),
        ("http://cam/snap?pwd=two words;x&size=2", "http://cam/snap?pwd=***&size=2"),
        ("rtsp://cam/user=me&password=a/b&channel=1", "rtsp://cam/user=me&password=***&channel=1"),
        ("http://10.0.0.1/snap?pwd=p@ss", "http://10.0.0.1/snap?pwd=***@"),
        ("http://me:p@ss/w@10.0.0.1:80/snap", "http://10.0.0.1:80/snap"),
        ("me:pw@rtsp://cam/1", "rtsp://cam/1"),
        ("me:pw@cam/1", "***@cam/1"),
        ("a:b.mp4", "a:b.mp4"),
        ("/mnt/10:30@door.mp4", "/mnt/10:30@door.mp4"),
        (" rtsp://me:pw@cam/1\n", "rtsp://cam/1"),
        ("http://cam/?loginuse=me&loginpas=geheim", "http://cam/?loginuse=me&loginpas=***"),
        ("http://cam/?u=me&p=geheim&step=2", "http://cam/?u=me&p=***&step=2"),
        ("cam/snap?user=me&pwd=geheim", "cam/snap?user=me&pwd=***"),
        ("rtsp://me:geheim", "rtsp://me:***"),
        ("rtsp://me:ge/heim?x=1", "rtsp://me:***"),
        ("rtsp://cam:554/1", "rtsp://cam:554/1"),
        ("rtsp://cam:/1", "rtsp://cam:/1"),
        ("rtsp://cam", "rtsp://cam"),
        ("rtsp://fd00::1/live", "rtsp://fd00::1/live"),
        ("rtsp://[fd00::1]:554/live", "rtsp://[fd00::1]:554/live"),
        ("udp://@239.0.0.1:5000", "udp://239.0.0.1:5000"),
    ],
)
def test_address_without_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://me:pw@cam/1", "rtsp://cam/1"),
        ("demo", "the bundled demo clip"),
        ("/dev/video0", "/dev/video0"),
        ("me@home.mp4", "me@home.mp4"),
    ],
)
def test_source_is_shown_for_users(source: str, shown: str) -> None:
    assert display_address(CameraSettings(source=source)) == shown


@pytest.mark.parametrize(
    ("source", "number", "full"),
    [
        ("picamera2", 0, "picamera2:0"),
        ("picamera2:1", 1, "picamera2:1"),
        ("picamera2:x", None, "picamera2:x"),
        ("picamera2/", None, "picamera2/"),
        ("0", None, "/dev/video0"),
    ],
)
def test_abbreviated_source_is_expanded(source: str, number: int | None, full: str) -> None:
    assert picamera2_number(source) == number
    assert full_spec(source) == full


def test_device_is_recognised_by_its_path() -> None:
    assert is_device("/dev/video7")
    assert is_device("/dev/v4l/by-id/usb-camera")
    assert not is_device("/dev/shm/clip.mp4")
