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
from tests.support.shared_files import made_once
from tests.support.training.datasets import python, python_process

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
target.write_bytes(float_flatbuffer(load_keras(source)))
"""


@pytest.fixture(scope="session")
def float_flatbuffer(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The float flatbuffer of the shipped Keras model, before it is quantised.

    The process that makes it starts anew, and so has an order of sets of its own.
    """

    def make(folder: Path) -> None:
        source = shipped_model().with_suffix(".keras")
        done = python_process("-c", FLOAT_FLATBUFFER, source, folder / "mask.tflite")
        assert done.returncode == 0, done.stderr

    return (made_once(tmp_path_factory, "float", make) / "mask.tflite").read_bytes()


@pytest.fixture(scope="session")
def converted_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shipped face detector, converted again, and what the command printed.

    The files are face.tflite, face-float16.tflite, face-float32.tflite and face.output.json.
    """

    def make(folder: Path) -> None:
        source = shipped_detector().with_suffix(".keras")
        options = ("--out", folder / "face.tflite", "--variants", "float32", "--json")
        done = python("-m", "convert", "--model", source, *options)
        assert done.returncode == 0, done.stderr
        (folder / "face.output.json").write_text(done.stdout)

    return made_once(tmp_path_factory, "detector", make)


@pytest.fixture(scope="session")
def stored_ranges() -> StoredRanges:
    """The stored activation ranges of the shipped model."""
    path = shipped_model().with_suffix(".ranges.json")
    return msgspec.json.decode(path.read_bytes(), type=StoredRanges)
