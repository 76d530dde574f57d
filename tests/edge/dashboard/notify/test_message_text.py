from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edge.config.title import DIRECTION_CONTROLS
from edge.dashboard.notify.message_text import inert, place, render

#: What each of these would do in HTML, Markdown, or a chat program.
HOSTILE = (
    "<script>alert(1)</script>", "**bold** _it_ ~~gone~~ `code`", "[pay](https://evil.example/x)",
    "![i](x)", "@everyone", "<!channel>", "<@U123>", "www.evil.example", "evil.example/x",
    "http://evil.example", "x\r\nBcc: all@example.org", "| a | b |", "\u2028new", "{{7*7}}",
    "mailto:a@b.c", "tel:+491234",
    "\u202egnp.exe", "a\u2069b\u2066",
)  # fmt: skip


def row(topic: str = "alert", **more: Any) -> Any:
    fields = {
        "topic": topic, "rule": "guard", "key": "k", "device": "door_1", "title": "", "total": 1,
        "label": "no_mask", "detail": "", "first_s": 1_790_000_000.0, "last_s": 1_790_000_000.0,
    }  # fmt: skip
    return SimpleNamespace(**{**fields, **more})


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_device_has_no_meaning_in_any_channel(text: str) -> None:
    shown = inert(text)
    assert not set("<>[]*_~`|\\@{}") & set(shown)
    assert len(shown.splitlines()) == 1
    assert "://" not in shown
    assert "evil.example" not in shown
    assert "mailto:" not in shown
    assert not DIRECTION_CONTROLS & set(shown)
    assert len(shown) == len(text)


@pytest.mark.parametrize(
    "text", ["Main entrance", "Tür 2, links (hinten)", "入口", "08:15", "a & b"]
)
def test_usual_title_is_unchanged(text: str) -> None:
    assert inert(text) == text


def test_title_stands_before_the_name() -> None:
    assert place("door1", "") == place("door1", "door1") == "door1"
    assert place("door1", "Main entrance") == "Main entrance (door1)"
    hebrew = "\u05db\u05e0\u05d9\u05e1\u05d4"
    assert place("door1", hebrew) == f"\u2068{hebrew}\u2069 (door1)"
    assert f": \u2068{hebrew}\u2069. It" in render(row("camera_stalled", detail=hebrew)).body


def test_impossible_time_has_a_text() -> None:
    """A device with a wrong clock may have sent it."""
    assert " 9892-" in render(row(first_s=1e18)).body


def test_alert_names_label_place_and_time() -> None:
    message = render(row(title="Hall"))
    assert message.title == "No mask at Hall (door_1)"
    assert message.body.startswith("A person without a mask at Hall (door_1), 2026-09-21 ")
    assert render(row(label="incorrect_mask")).title == "Mask worn incorrectly at door_1"
    assert "<" not in render(row(label="<b>")).title + render(row(label="<b>")).body


@pytest.mark.parametrize(
    ("topic", "more", "title", "body"),
    [
        ("device_offline", {"detail": "offline"}, "Device offline: door_1", "not connected"),
        ("device_offline", {"detail": "stalled"}, "Device offline: door_1", "no messages"),
        (
            "camera_stalled",
            {"detail": "camera: <b>"},
            "Camera problem: door_1",
            "camera: \uff1cb\uff1e",
        ),
        ("events_lost", {"total": 3}, "Events lost: door_1", "3 events of the device"),
        ("events_lost", {}, "Events lost: door_1", "1 event of the device"),
        ("test", {}, "Test of the rule guard", "Notifications of the rule guard arrive"),
        (
            "alert",
            {"total": 5, "last_s": 1_790_000_570.0, "detail": "5x no mask"},
            "5 alerts at door_1 in 10 minutes",
            "5x no mask",
        ),
    ],
)
def test_each_topic_has_a_text(topic: str, more: dict[str, Any], title: str, body: str) -> None:
    message = render(row(topic, **more))
    assert message.title == title
    assert body in message.body
    assert message.tag == "guard/k"
