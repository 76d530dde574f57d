"""Networks in the runtimes: every error is one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.common.errors import UserError
from edge.common.paths import shipped_model
from edge.inference.network import Network, Tensor, require_model_trial
from tests.support.runtimes import INSTALLED_RUNTIMES

PATH = Path("model.tflite")


@pytest.mark.parametrize("runtime", INSTALLED_RUNTIMES)
def test_network_computes_outputs(runtime: str) -> None:
    network = Network(shipped_model().read_bytes(), PATH, 1, runtime)
    assert (network.input.shape, network.input.dtype) == ((1, 96, 96, 3), np.uint8)
    network.run(np.zeros((1, 96, 96, 3), np.uint8))
    (tensor,) = network.outputs
    assert tensor.real(network.output(tensor)).sum() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("runtime", INSTALLED_RUNTIMES)
def test_error_of_the_runtime_is_one_line(runtime: str) -> None:
    network = Network(shipped_model().read_bytes(), PATH, 1, runtime)
    unknown = Tensor(10_000, (1,), np.dtype(np.uint8), 0.0, 0)
    for use in (
        lambda: network.run(np.zeros((1, 5, 5, 3), np.uint8)),
        lambda: network.run(np.zeros((1, 96, 96, 3), np.float64)),
        lambda: network.output(unknown),
    ):
        with pytest.raises(UserError, match=rf"^{runtime} cannot run model\.tflite: .+$") as error:
            use()
        assert "\n" not in str(error.value)


def test_file_that_no_runtime_loads_is_named() -> None:
    with pytest.raises(UserError, match=r"^model\.tflite: no TFLite runtime could load"):
        Network(b"\0" * 2000, PATH)


def test_integers_stand_for_real_numbers() -> None:
    quantised = Tensor(0, (2,), np.dtype(np.int8), 0.5, 10)
    assert quantised.real(np.array([10, 12], np.int8)).tolist() == [0.0, 1.0]
    plain = Tensor(0, (2,), np.dtype(np.float32), 0.0, 0)
    assert plain.real(np.array([0.25, 3.0], np.float32)).tolist() == [0.25, 3.0]


@pytest.mark.parametrize("runtime", INSTALLED_RUNTIMES)
def test_trial_accepts_a_model_and_refuses_damage(runtime: str) -> None:
    model = shipped_model().read_bytes()
    assert require_model_trial(model, PATH, 1, runtime) == runtime
    with pytest.raises(UserError, match=r"model\.tflite") as error:
        require_model_trial(model[:8] + b"\xff" * 100 + model[108:], PATH, 1, runtime)
    assert "\n" not in str(error.value)
