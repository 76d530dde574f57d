"""The original's network, and how it is timed beside ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from convert.compare import speed
from convert.latency import PairedTimes, paired_times
from edge.interpreter import RUNTIMES
from tests.training.made import ROOT, assert_one_line, python

pytestmark = pytest.mark.timeout(600)
OURS = ROOT / "models" / "mask.tflite"


def test_the_original_is_built_as_published() -> None:
    code = (
        "from training.keras_quietly import import_keras; import_keras();"
        "from training.original import build_original; import json;"
        "nets = [build_original(labels) for labels in (2, 3)];"
        "print(json.dumps([(n.count_params(), n.input_shape, n.output_shape) for n in nets]))"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    two, three = json.loads(done.stdout)
    assert two == [3_453_121, [None, 150, 150, 3], [None, 1]]
    assert three == [3_454_147, [None, 150, 150, 3], [None, 3]]


def test_both_are_timed_in_every_runtime() -> None:
    done = python("-m", "convert.compare", "--model", OURS, "--runs", "10", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["original"]["parameters"] == 3_453_121
    assert 13.7e6 < said["original"]["bytes"] < 13.9e6
    assert said["ours"]["bytes"] == OURS.stat().st_size
    ran = {each["runtime"] for each in said["speeds"]}
    assert ran
    assert ran | set(said["not_run"]) == {name for name, _ in RUNTIMES}
    for each in said["speeds"]:
        assert each["ratio_lower_quartile"] <= each["ratio"] <= each["ratio_upper_quartile"]
        assert each["ratio"] > 1


def test_ratios_are_of_pairs() -> None:
    ours = np.array([1.0, 2.0, 1.0, 4.0, 1.0])
    found = speed("a runtime", PairedTimes(ours * [10, 20, 30, 40, 50], ours))
    assert (found.ratio_lower_quartile, found.ratio, found.ratio_upper_quartile) == (20, 30, 40)
    assert (found.ours_median_ms, found.ours_p95_ms) == pytest.approx((1.0, 3.6))
    assert found.original_median_ms == 40


def test_a_missing_model_is_named() -> None:
    done = python("-m", "convert.compare", "--model", "none.tflite")
    assert_one_line(done, "cannot read the model none.tflite", "make convert", code=1)


@pytest.mark.parametrize("runtime", [name for name, _ in RUNTIMES])
def test_what_cannot_be_run_gives_a_reason(tmp_path: Path, runtime: str) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no flatbuffer at all")
    reason = paired_times(runtime, 10, OURS, broken)
    assert isinstance(reason, str)
    assert runtime in reason
