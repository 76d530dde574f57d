"""Models that the tests of `convert` share. The tests are not collected if the optional
dependencies `train` are missing.
"""

from __future__ import annotations

import io
import shutil
import zipfile
from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest

from convert.network.ranges import StoredRanges
from edge.common.paths import shipped_detector, shipped_model
from tests.support.training.datasets import python

collect_ignore_glob = [] if find_spec("ai_edge_quantizer") else ["test_*.py", "*/test_*.py"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the shipped Keras model and the files beside it."""
    for suffix in (".keras", ".json", ".ranges.json"):
        shutil.copy(shipped_model().with_suffix(suffix), tmp_path)
    return tmp_path / "mask.keras"


@pytest.fixture(scope="session")
def flatbuffer() -> bytes:
    """The flatbuffer of the shipped model, without its model card."""
    content = shipped_model().read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return content[: min(entry.header_offset for entry in archive.infolist())]


FLOAT_FLATBUFFER = """
import sys
from pathlib import Path
from convert.network.from_keras import float_flatbuffer, load_keras

source, target = map(Path, sys.argv[1:])
target.write_bytes(float_flatbuffer(load_keras(source), reshapes=source.stem == "face"))
"""


@pytest.fixture(scope="session")
def float_flatbuffer(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The float flatbuffer of the shipped Keras model, before it is quantised."""
    target = tmp_path_factory.mktemp("float") / "mask.tflite"
    done = python("-c", FLOAT_FLATBUFFER, shipped_model().with_suffix(".keras"), target)
    assert done.returncode == 0, done.stderr
    return target.read_bytes()


@pytest.fixture(scope="session")
def detector_flatbuffer(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The float flatbuffer of the shipped face detector, before it is quantised."""
    target = tmp_path_factory.mktemp("float") / "face.tflite"
    source = shipped_detector().with_suffix(".keras")
    done = python("-c", FLOAT_FLATBUFFER, source, target)
    assert done.returncode == 0, done.stderr
    return target.read_bytes()


@pytest.fixture(scope="session")
def stored_ranges() -> StoredRanges:
    """The stored activation ranges of the shipped model."""
    path = shipped_model().with_suffix(".ranges.json")
    return msgspec.json.decode(path.read_bytes(), type=StoredRanges)
