from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera.source import SourceError
from edge.camera.stream_address import Login, StreamAddress, parse_stream_address

ODD = "aé1 :@/?#%&=+;.!"
TEXTS = st.text(ODD, min_size=1, max_size=8)


@given(user=TEXTS, password=st.text(ODD, max_size=8), host=st.sampled_from(["cam", "[fd00::1]"]))
def test_encoded_login_is_decoded(user: str, password: str, host: str) -> None:
    url = f"http://{quote(user, safe='')}:{quote(password, safe='')}@{host}:81/a?b=c"
    login = Login(user.encode(), password.encode())
    assert parse_stream_address(url) == StreamAddress("http", login, host.strip("[]"), 81, "/a?b=c")


@given(
    user=st.text(ODD.replace(":", "").replace("%", ""), min_size=1, max_size=8),
    password=TEXTS.filter(lambda text: unquote(text) == text and ":/" not in text),
    host=st.sampled_from(["192.168.1.5", "192.168.1.5:8554", "[fd00::1]:80", "localhost"]),
    target=st.sampled_from(["", "/", "/live/0?x=1", "?a=b"]),
)
def test_login_in_front_of_an_ip_address_needs_no_encoding(
    user: str, password: str, host: str, target: str
) -> None:
    address = parse_stream_address(f"rtsp://{user}:{password}@{host}{target}")
    assert address.login == Login(user.encode(), password.encode())
    assert address.url.endswith(f"@{host}{target}")
    assert parse_stream_address(address.url) == address


@pytest.mark.parametrize(
    ("url", "login", "host"),
    [
        ("rtsp://me:p#ss@cam/1", (b"me", b"p#ss"), "cam"),
        ("rtsp://me:p/ss@cam/1", (b"me", b"p/ss"), "cam"),
        ("rtsp://me:p@s:s?s@door.example:8554/1", (b"me", b"p@s:s?s"), "door.example"),
        ("rtsp://me:100%@cam/1", (b"me", b"100%"), "cam"),
        ("rtsp://me:p%40ss@cam/1", (b"me", b"p@ss"), "cam"),
        ("rtsp://me:p%E9@cam/1", (b"me", b"p\xe9"), "cam"),
        ("rtsp://me@cam/1", (b"me", b""), "cam"),
        (" HTTP://me:pw@Cam.local./1\n", (b"me", b"pw"), "Cam.local."),
        ("http://me:pw@tür/1", (b"me", b"pw"), "xn--tr-xka"),
        ("http://cam/snap@2x.jpg", None, "cam"),
        ("http://192.168.1.5:80/a:b@10.0.0.1/x", None, "192.168.1.5"),
        ("http://cam:8080/snap?user=me@example.org&x=1", None, "cam"),
        ("http://me:pw@cam/snap?to=me@example.org", (b"me", b"pw"), "cam"),
        ("http://cam:1984/stream.mjpeg?src=rtsp://me:pw@10.0.0.1/1", None, "cam"),
        ("http://cam/snap?user=me&password=p@ss", None, "cam"),
    ],
)
def test_login_is_found(url: str, login: tuple[bytes, bytes] | None, host: str) -> None:
    address = parse_stream_address(url)
    assert address.login == (None if login is None else Login(*login))
    assert address.host == host


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("rtsp://cam", ""),
        ("http://cam", "/"),
        ("http://cam?action=stream", "/?action=stream"),
        ("http://cam/snap shot.jpg", "/snap%20shot.jpg"),
        ("http://cam/tür?a=%20b", "/t%C3%BCr?a=%20b"),
        ("http://cam/snap?user=me&pwd=p#ss", "/snap?user=me&pwd=p%23ss"),
        ("http://cam/snap?pwd=100%", "/snap?pwd=100%25"),
        ("rtsp://cam/1#backchannel=0|{100%}", "/1#backchannel=0|{100%}"),
        ("rtsp://cam/Tür 1", "/T%C3%BCr%201"),
        ("http://cam/\r\nX: y", "/%0D%0AX:%20y"),
    ],
)
def test_path_and_query_are_encoded_and_never_cut(url: str, target: str) -> None:
    assert parse_stream_address(url).target == target


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://me:12/QX@door.example/1",
        "rtsp://me:p@QX/ss@cam/1",
        "rtsp://me:p/s@QX/s@cam",
        "rtsp://me:QX/@",
        "rtsp://me:QX",
        "rtsp://me:QX@cam:99999/",
        "rtsp://me:QX@fd00::1/",
        "rtsp://me:QX@/1",
        "rtsp://me:QX@" + "ü" * 70 + "/",
        "http://",
    ],
)
def test_unclear_address_is_an_error_that_does_not_show_it(url: str) -> None:
    with pytest.raises(SourceError, match="address of the camera") as caught:
        parse_stream_address(url)
    assert "QX" not in str(caught.value)


@given(st.text(ODD + "[]\udce9\ud800\0\n$") | st.text())
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    try:
        address = parse_stream_address(f"http://{text}")
    except SourceError:
        return
    assert address.url.isascii()
    assert address.url.isprintable()
    assert parse_stream_address(address.url) == address


def test_bytes_of_an_argument_that_are_not_utf_8_remain() -> None:
    address = parse_stream_address("http://me:\udce9@cam/\udce9")
    assert address.login == Login(b"me", b"\xe9")
    assert address.target == "/%E9"


def test_message_on_an_unclear_address_says_how_to_encode_it() -> None:
    with pytest.raises(SourceError, match=r"more than one meaning.*/ as %2F"):
        parse_stream_address("rtsp://me:12/3@cam/1")
    with pytest.raises(SourceError, match="IPv6 address in brackets"):
        parse_stream_address("rtsp://fd00::1/live")


def test_password_is_not_in_the_representation() -> None:
    assert "QX" not in repr(parse_stream_address("rtsp://me:QX@cam/1"))
