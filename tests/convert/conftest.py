"""Models that the tests share; without the extra `train` the tests cannot even be imported."""

from __future__ import annotations

import io
import shutil
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from edge.common.paths import shipped_model

collect_ignore_glob = [] if find_spec("ai_edge_quantizer") else ["test_*.py"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the shipped Keras model and the files beside it."""
    for suffix in (".keras", ".json", ".ranges.json"):
        shutil.copy(shipped_model().with_suffix(suffix), tmp_path)
    return tmp_path / "mask.keras"


@pytest.fixture(scope="session")
def flatbuffer() -> bytes:
    """The flatbuffer of the shipped model, without its card."""
    content = shipped_model().read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return content[: min(entry.header_offset for entry in archive.infolist())]
