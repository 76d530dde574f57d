"""Strategies that damage bytes, as a mutating fuzzer does."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

#: Values of bytes and integers at which parsers fail.
ODD_BYTES = (0, 1, 0x0A, 0x1B, 0x22, 0x2F, 0x5C, 0x7F, 0x80, 0xC3, 0xFF)
ODD_NUMBERS = (0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**64 - 1)
MAX_CHANGES = 6
MAX_INSERTED_BYTES = 64


def damaged(
    samples: Sequence[bytes], spans: Sequence[tuple[int, int]] = ()
) -> SearchStrategy[bytes]:
    """Return damaged copies of `samples`, some of which are whole.

    With `spans`, given as start and end, the damage is in these parts of the sample; a negative
    number counts from its end.
    """

    @st.composite
    def changed(draw: st.DrawFn) -> bytes:
        data = bytearray(samples[draw(st.integers(0, len(samples) - 1))])
        for _ in range(draw(st.integers(0, MAX_CHANGES))):
            low, high = _bounds(draw(st.sampled_from(spans)) if spans else (0, len(data)), data)
            _change(draw, data, draw(st.integers(low, high)), samples)
        return bytes(data)

    return changed()


def _bounds(span: tuple[int, int], data: bytearray) -> tuple[int, int]:
    low, high = (max(0, len(data) + end) if end < 0 else min(end, len(data)) for end in span)
    return (low, high) if low <= high else (0, len(data))


def _change(draw: st.DrawFn, data: bytearray, place: int, samples: Sequence[bytes]) -> None:
    """Change `data` in one way at or after `place`."""
    kind = draw(st.integers(0, 7))
    if kind == 0 and place < len(data):
        data[place] ^= 1 << draw(st.integers(0, 7))
    elif kind == 1:
        data[place : place + 1] = bytes([draw(st.sampled_from(ODD_BYTES))])
    elif kind == 2:
        width = draw(st.sampled_from((2, 4, 8)))
        order = draw(st.sampled_from(("big", "little")))
        number = draw(st.sampled_from(ODD_NUMBERS)) % (1 << 8 * width)
        data[place : place + width] = number.to_bytes(width, order)
    elif kind == 3:
        del data[place:]
    elif kind == 4:
        del data[place : place + draw(st.integers(1, MAX_INSERTED_BYTES))]
    elif kind == 5:
        data[place:place] = draw(st.binary(min_size=1, max_size=MAX_INSERTED_BYTES))
    elif kind == 6:
        block = bytes(data[place : place + draw(st.integers(1, MAX_INSERTED_BYTES))])
        data[place:place] = block * draw(st.sampled_from((1, 2, 20)))
    else:
        other = samples[draw(st.integers(0, len(samples) - 1))]
        start = draw(st.integers(0, len(other)))
        data[place:place] = other[start : start + MAX_INSERTED_BYTES]
