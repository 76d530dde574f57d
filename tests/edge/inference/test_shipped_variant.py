"""Which variant of a shipped network a machine runs."""

from __future__ import annotations

import pytest

from edge.inference.shipped_variant import shipped_variant


@pytest.mark.parametrize(
    ("runtime", "machine", "variant"),
    [
        ("tflite-runtime", "x86_64", "-float16"),
        ("tflite-runtime", "AMD64", "-float16"),
        ("tflite-runtime", "aarch64", ""),
        ("ai-edge-litert", "x86_64", ""),
        ("ai-edge-litert", "aarch64", ""),
    ],
)
def test_float16_is_used_where_int8_is_slow(runtime: str, machine: str, variant: str) -> None:
    assert shipped_variant(runtime, machine) == variant
