"""EfficientNet-Lite0 takes its weights from a file of PyTorch, and its first blocks from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli_process import error_line
from tests.support.training import datasets
from training.cli import main

pytestmark = pytest.mark.slow

LOAD = """
import dataclasses
import json
import sys
from pathlib import Path
import numpy as np
from edge.common.errors import UserError
from tests.support.training.torch_files import write_torch_file
from training.common.train_config import TrainConfig
from training.data.datasets import LABELS
from training.fit.training_run import load_start
from training.network.grow import net_of
from training.network.model import build_model

path = Path(sys.argv[1]) / "weights.pth"
rng = np.random.default_rng(1)
arrays, layers = {}, {}
for layer in build_model(3, "efficientnet-lite0").layers:
    parts = layer.name.split(".")
    name = ".".join(part if part.isdigit() else "_" + part for part in parts)
    if not layer.weights or layer.name == "shares":
        continue
    layers[layer.name] = name
    if parts[-1].startswith("bn"):
        for value in ("weight", "bias", "running_mean", "running_var"):
            arrays[f"{name}.{value}"] = rng.random(layer.weights[0].shape).astype(np.float32)
    else:
        height, width, inputs, outputs = layer.weights[0].shape
        shape = (outputs, inputs, height, width)
        if parts[-1] == "depthwise_conv":
            shape = (inputs, outputs, height, width)
        arrays[name + ".weight"] = rng.random(shape).astype(np.float32)
write_torch_file(path, arrays)
config = dataclasses.replace(TrainConfig(), classes=3, net="efficientnet-lite0")
model = load_start(path, config, LABELS[3])
stem = model.get_layer("conv_stem").get_weights()[0]
depthwise = model.get_layer("blocks.3.depthwise_conv").get_weights()[0]
mean = model.get_layer("blocks.3.bn1").get_weights()[2]
keras_file = path.with_suffix(".keras")
model.save(keras_file)
parts = [
    load_start(start, dataclasses.replace(config, net="efficientnet-lite0-8"), LABELS[3])
    for start in (path, keras_file)
]
same = [
    all(
        bool((a == b).all())
        for layer in part.layers
        if layer.weights and layer.name != "shares"
        for a, b in zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True)
    )
    for part in parts
]
del arrays["_conv_head.weight"]
write_torch_file(path, arrays)
try:
    load_start(path, config, LABELS[3])
except UserError as error:
    refusal = str(error)
print(json.dumps({
    "net": net_of(model),
    "parts": [net_of(part) for part in parts],
    "same": same,
    "right": [
        bool((stem[2, 1, 0, 5] == arrays["_conv_stem.weight"][5, 0, 2, 1]).all()),
        bool((depthwise[4, 1, 7, 0] == arrays["_blocks.3._depthwise_conv.weight"][7, 0, 4, 1])),
        bool((mean == arrays["_blocks.3._bn1.running_mean"]).all()),
    ],
    "layers": len(layers),
    "kept": sorted(n for n in layers if not model.get_layer(n).trainable and "project" in n),
    "refusal": refusal,
}))
"""


def test_weights_of_pytorch_get_to_their_layers(tmp_path: Path) -> None:
    done = datasets.python("-c", LOAD, tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["net"] == "efficientnet-lite0"
    assert found["parts"] == ["efficientnet-lite0-8"] * 2
    assert found["same"] == [True, True]
    assert found["right"] == [True, True, True]
    assert found["layers"] == 98
    assert found["kept"] == [f"blocks.{number}.project_conv" for number in range(5)]
    assert "does not hold the weights of EfficientNet-Lite0" in found["refusal"]


@pytest.mark.parametrize(
    ("net", "has_weights", "message"),
    [
        ("efficientnet-lite0", False, "--net efficientnet-lite0 needs --start"),
        ("efficientnet-lite0-8", False, "--net efficientnet-lite0-8 needs --start"),
        ("medium", True, "a .pth file can only start a model of --net efficientnet-lite0 or"),
    ],
)
def test_only_efficientnet_has_weights_of_pytorch(
    net: str,
    has_weights: bool,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"")
    start = ("--start", str(weights)) if has_weights else ()
    command = ["train", "--net", net, *start, "--data", str(tmp_path)]
    assert main([*command, "--run-folder", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err


def test_wrong_weights_are_answered_with_one_line(tmp_path: Path) -> None:
    data = datasets.kaggle(tmp_path / "crops", 2)
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"PK")
    done = datasets.python_process(
        *("-m", "training", "train", "--net", "efficientnet-lite0", "--start", weights),
        *("--data", data, "--run-folder", tmp_path / "run"),
    )
    assert "weights.pth holds no weights" in error_line(done, code=1)
