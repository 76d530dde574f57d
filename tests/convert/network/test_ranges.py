"""The file of activation ranges and figures beside a Keras model."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.network.ranges import StoredRanges, ranges_path, read_ranges, write_ranges
from edge.common.errors import UserError
from tests.support.encodings import save_with_mark

pytestmark = pytest.mark.slow
STORED = StoredRanges(
    "sha256:01", 900, {"pixels": (-1.0, 127 / 128), "sum": (0.0, 0.1)}, {"int8": {"faces": 12}}
)


def test_ranges_file_is_beside_the_model() -> None:
    assert ranges_path(Path("models/mask.keras")) == Path("models/mask.ranges.json")


def test_written_ranges_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "mask.ranges.json"
    path.write_bytes(b"the old content")
    write_ranges(path, STORED)
    assert read_ranges(path, STORED.keras_sha256) == STORED
    assert list(tmp_path.iterdir()) == [path]


def test_missing_ranges_are_named(tmp_path: Path) -> None:
    path = tmp_path / "mask.ranges.json"
    with pytest.raises(UserError) as caught:
        read_ranges(path, STORED.keras_sha256)
    assert str(caught.value) == (
        f"cannot read the activation ranges {path}: No such file or directory;"
        " --data DIR computes them from pictures"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no JSON", "malformed"),
        (b'{"keras_sha256": "sha256:01", "crops": 1}', "ranges"),
        (b'{"keras_sha256": "sha256:01", "crops": 1, "ranges": {"sum": [0]}}', "length 2"),
        (b'{"keras_sha256": "sha256:01", "crops": 1, "ranges": {}, "extra": 1}', "extra"),
    ],
)
def test_invalid_ranges_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "mask.ranges.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"mask\.ranges\.json are invalid: .*{reason}"):
        read_ranges(path, STORED.keras_sha256)


def test_ranges_of_another_model_raise_an_error(tmp_path: Path) -> None:
    path = tmp_path / "mask.ranges.json"
    write_ranges(path, STORED)
    with pytest.raises(UserError, match=r"belong to another Keras model; --data DIR"):
        read_ranges(path, "sha256:02")


def test_file_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mask.ranges.json"
    write_ranges(path, STORED)
    assert read_ranges(save_with_mark(path), STORED.keras_sha256) == STORED
