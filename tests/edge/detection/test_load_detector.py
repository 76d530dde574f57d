"""The face detector that the settings describe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.common.errors import UserError
from edge.common.paths import shipped_detector, shipped_model
from edge.config.settings import DetectorSettings
from edge.detection import face_network
from edge.detection.haar_detector import HaarDetector
from edge.detection.learned_detector import LearnedDetector
from edge.detection.load_detector import load_detector
from edge.inference import interpreter
from edge.inference.shipped_variant import shipped_variant
from tests.support.models.mutations import without_digest
from tests.support.models.tiny_yunet import tiny_yunet
from tests.support.runtimes import INSTALLED_RUNTIMES


def test_haar_does_everything() -> None:
    found = load_detector(DetectorSettings(kind="haar"))
    assert isinstance(found.finder, HaarDetector)
    assert found.finder is found.regions is found.follower


def test_network_alone_has_no_follower() -> None:
    found = load_detector(DetectorSettings(kind="learned"))
    assert isinstance(found.finder, LearnedDetector)
    assert (found.regions, found.follower) == (None, None)


def test_network_finds_and_cascade_follows_by_default() -> None:
    found = load_detector(DetectorSettings())
    assert isinstance(found.finder, LearnedDetector)
    assert found.regions is None
    assert isinstance(found.follower, HaarDetector)


@pytest.mark.parametrize("runtime", INSTALLED_RUNTIMES)
def test_variant_is_that_of_the_runtime(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    only = tuple(each for each in interpreter.RUNTIMES if each[0] == runtime)
    monkeypatch.setattr(interpreter, "RUNTIMES", only)
    finder = load_detector(DetectorSettings()).finder
    assert isinstance(finder, LearnedDetector)
    assert finder.runtime == runtime
    wanted = "float16" if shipped_variant(runtime) else "int8:"
    assert finder.card.quantisation.split()[0] == wanted


def test_configured_file_is_used(tmp_path: Path) -> None:
    copy = tmp_path / "mine.tflite"
    copy.write_bytes(shipped_detector().read_bytes())
    assert load_detector(DetectorSettings(kind="learned", model=str(copy))).name.startswith("face")
    with pytest.raises(UserError, match=r"cannot read the face detector .*leave detector\.model"):
        load_detector(DetectorSettings(model=str(tmp_path / "none.tflite")))
    with pytest.raises(UserError, match=r"the card of .* is invalid"):
        load_detector(DetectorSettings(model=str(shipped_model())))


def test_file_that_is_no_yunet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read the face detector .*No such file"):
        load_detector(DetectorSettings(model=str(tmp_path / "none.onnx")))
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not an ONNX file")
    with pytest.raises(UserError, match=r"OpenCV cannot run .*broken\.onnx as YuNet"):
        load_detector(DetectorSettings(model=str(broken)))


def test_yunet_file_is_used(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_yunet())
    found = load_detector(DetectorSettings(kind="learned", model=str(path)))
    assert found.name == "tiny.onnx in OpenCV"
    assert found.finder.find(np.zeros((240, 320, 3), np.uint8)) == []


def test_network_without_a_digest_is_tried_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.tflite"
    path.write_bytes(without_digest(shipped_detector().read_bytes()))
    settings = DetectorSettings(kind="learned", model=str(path))
    assert load_detector(settings).name.startswith("face")
    monkeypatch.setattr(face_network, "require_model_trial", _refuse)
    with pytest.raises(UserError, match="the trial"):
        load_detector(settings)
    load_detector(DetectorSettings(kind="learned"))  # the shipped network needs no trial


def _refuse(*_: object) -> None:
    raise UserError("the trial")
