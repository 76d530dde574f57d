from __future__ import annotations

import tomllib

import pytest

from edge.config.toml_edit import with_values
from tests.edge.config.test_settings import EXAMPLE

VALUES = {"host": "localhost", "tls": True, "port": 8883}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "device = 'x'",
        "[mqtt]\n",
        "[ mqtt ] # the broker\nhost = ''\n\n[camera]\nhost = 1\n",
        "[camera]\nzone = [\n  [0, 0],\n]\n[mqtt]\n  host='a' # mine\ntls=false\nbase = 'b'\n",
        "# [mqtt]\n[dashboard]\nhost = 'x'\n",
        EXAMPLE.read_text(encoding="utf-8"),
    ],
)
def test_only_the_named_values_change(text: str) -> None:
    edited = with_values(text, "mqtt", VALUES)
    assert edited is not None
    expected = tomllib.loads(text)
    expected["mqtt"] = {**expected.get("mqtt", {}), **VALUES}
    assert tomllib.loads(edited) == expected
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert [line for line in edited.splitlines() if line.startswith("#")] == comments
    assert with_values(edited, "mqtt", VALUES) == edited


@pytest.mark.parametrize(
    "text", ["", "[mqtt]\nhost = 'a'\n", "device = ''\n[mqtt]\ndevice = 'a'\n"]
)
def test_values_of_the_top_level_precede_the_tables(text: str) -> None:
    edited = with_values(text, "", {"device": "door1"})
    assert edited is not None
    assert tomllib.loads(edited) == {**tomllib.loads(text), "device": "door1"}


@pytest.mark.parametrize(
    "text", ["mqtt = {host = 'a'}\n", "mqtt.host = 'a'\n", 'a = """\n[mqtt]\n"""']
)
def test_other_arrangements_are_left_to_the_user(text: str) -> None:
    assert with_values(text, "mqtt", VALUES) is None


@pytest.mark.parametrize("old", ['"a # b"', "'a'", '""'])
def test_comment_behind_a_value_stays(old: str) -> None:
    edited = with_values(f"[mqtt]\nhost={old}   # the broker\ntls = false # yet\n", "mqtt", VALUES)
    assert edited is not None
    assert 'host = "localhost"   # the broker\ntls = true # yet\n' in edited
