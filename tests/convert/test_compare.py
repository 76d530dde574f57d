"""The comparison with the network of the original Mask Patrol: its architecture and timing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from convert.compare import main, speed
from convert.latency import PairedTimes
from edge.common.paths import shipped_model
from tests.support.cli_process import error_line
from tests.support.runtimes import INSTALLED_RUNTIMES
from tests.support.training.datasets import python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ORIGINAL = """
from training.network.original_network import build_original
network = build_original()
print(network.count_params(), network.input_shape, network.output_shape)
"""


@pytest.mark.slow
def test_original_network_has_its_parameter_count() -> None:
    done = python("-c", ORIGINAL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == "3453121 (None, 150, 150, 3) (None, 1)"


@pytest.mark.slow
def test_both_networks_are_timed_in_every_runtime() -> None:
    done = python("-m", "convert.compare", "--runs", "10", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [each["runtime"] for each in found["speeds"]] == INSTALLED_RUNTIMES
    assert found["original"]["parameters"] == 3_453_121
    assert 13_800_000 < found["original"]["bytes"] < 13_900_000
    assert found["ours"]["bytes"] == shipped_model().stat().st_size
    for each in found["speeds"]:
        assert each["ratio_lower_quartile"] <= each["ratio"] <= each["ratio_upper_quartile"]
        assert 0 < each["ours_median_ms"] <= each["ours_p95_ms"]
        assert 0 < each["original_median_ms"] <= each["original_p95_ms"]


def test_ratio_is_the_median_over_pairs() -> None:
    ours = np.array([1.0, 1.0, 1.0, 10.0, 1.0])  # one slow run, as when another program runs
    found = speed(
        "a runtime", PairedTimes(first_ms=np.array([4.0, 5.0, 6.0, 50.0, 5.0]), second_ms=ours)
    )
    assert (found.ratio_lower_quartile, found.ratio, found.ratio_upper_quartile) == (5, 5, 5)
    assert (found.original_median_ms, found.ours_median_ms) == (5, 1)
    assert found.ours_p95_ms == pytest.approx(np.percentile(ours, 95))


def test_missing_model_is_reported_in_one_line() -> None:
    done = python("-m", "convert.compare", "--model", "nowhere.tflite")
    line = error_line(done, code=1)
    assert "nowhere.tflite" in line
    assert "make convert" in line


@pytest.mark.parametrize("runs", ["9", "-1", "many"])
def test_too_few_runs_are_refused(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--runs", runs])
    assert caught.value.code == 2
    assert runs in capsys.readouterr().err
