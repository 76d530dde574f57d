"""The limits of the values in each type of message."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from edge.dashboard.base.messages import Health, Info, Model, State


def test_missing_fields_have_defaults() -> None:
    assert msgspec.convert({}, Health) == Health()
    assert msgspec.convert({"model": {}}, Info) == Info(model=Model())
    assert msgspec.convert({"no_mask": False, "people": 0}, State).since is None


def test_unknown_fields_are_ignored() -> None:
    assert msgspec.convert({"fps": 9.5, "new_in_later_versions": [1]}, Health) == Health(fps=9.5)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (State, {"no_mask": True}),
        (State, {"no_mask": True, "people": -1}),
        (State, {"no_mask": True, "people": 10_001}),
        (Health, {"fps": 1e13}),
        (Health, {"restarts": 2**53 + 1}),
        (Health, {"camera": "x" * 101}),
        (Health, {"warnings": ["hot"] * 21}),
        (Health, {"stages_ms": {str(n): {"p50": 1, "p95": 2} for n in range(21)}}),
        (Info, {"model": {"name": "x" * 101}}),
    ],
)
def test_values_out_of_bounds_are_rejected(kind: type[Any], body: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, kind)
