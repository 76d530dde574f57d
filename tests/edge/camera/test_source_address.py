from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera.source_address import display_address, without_password
from edge.config.settings import CameraSettings

#: Nothing else in an address below is written in these letters.
SECRETS = st.text("QXZ@:=%+.!~", min_size=1).filter(lambda text: any(c in "QXZ" for c in text))
KEYS = st.sampled_from(
    ["pass", "passwd", "password", "pwd", "pw", "token", "access_token", "key", "auth", "secret"]
).flatmap(lambda key: st.sampled_from([key, key.upper(), key.title()]))
HARMLESS = st.sampled_from(["user=admin", "channel=1", "stream=0.sdp", "live", "w=640"])


def is_hidden(shown: str) -> bool:
    return not any(letter in shown.lower() for letter in "qxz")


@given(
    login=st.one_of(st.just(""), SECRETS.map(lambda secret: f"me:{secret}@")),
    parts=st.lists(st.one_of(HARMLESS, st.tuples(KEYS, SECRETS).map("=".join)), max_size=5),
    separators=st.lists(st.sampled_from("&;/?"), min_size=5, max_size=5),
)
def test_no_password_is_ever_shown(login: str, parts: list[str], separators: list[str]) -> None:
    rest = "".join(separator + part for separator, part in zip(separators, parts, strict=False))
    url = f"rtsp://{login}cam:554/{rest}"
    shown = display_address(CameraSettings(source=url))
    assert shown.startswith("rtsp://")
    assert is_hidden(shown), shown


@given(secret=st.text("QXZ/?:=%+.!~@", min_size=1), after=st.sampled_from(["", "&w=1", ";w=1"]))
def test_in_a_query_a_slash_belongs_to_the_password(secret: str, after: str) -> None:
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
        ("rtsp://me:top/key=geheim@cam/1", "rtsp:///1"),
        ("http://cam/snap?channel=1&passage=2", "http://cam/snap?channel=1&passage=2"),
    ],
)
def test_what_is_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
