"""Splits by file name: fixed for ever, and the same for copies."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.layouts import INCORRECT_KINDS
from training.data.splits import Split, family_of, split_of

#: The splits of 0.jpg to 11.jpg. Each letter is the second of a split's name: train, validation or
#: test. The splits must never change.
SPLITS_OF_0_TO_11 = "rrrrarrreear"


def test_split_of_a_name_never_changes() -> None:
    names = [f"{i}.jpg" for i in range(12)]
    letters = "".join(split_of(name).value[1] for name in names)
    assert letters == SPLITS_OF_0_TO_11
    shares = Counter(split_of(f"picture-{i}.jpg") for i in range(4000))
    assert shares[Split.TEST] / 4000 == pytest.approx(0.20, abs=0.03)
    assert shares[Split.VALIDATION] / 4000 == pytest.approx(0.10, abs=0.03)


@given(
    st.text("abc019_", min_size=1), st.sampled_from([" copy", " copy 12", " (3)", " - Copy (2)"])
)
def test_copy_is_in_split_of_original(stem: str, mark: str) -> None:
    assert family_of(f"{stem}{mark}.png") == family_of(f"{stem}.jpg") == stem
    assert split_of(f"{stem}{mark}.jpg") is split_of(f"{stem}.jpg")


@given(
    st.integers(0, 69999).map("{:05}".format),
    st.sampled_from(["_Mask", *INCORRECT_KINDS]),
    st.sampled_from([".jpg", ".png", " (1).jpg"]),
)
def test_all_masks_of_a_face_are_in_one_split(number: str, mark: str, suffix: str) -> None:
    assert family_of(f"{number}{mark}{suffix}") == number
    assert split_of(f"{number}{mark}{suffix}") is split_of(f"{number}.png")
