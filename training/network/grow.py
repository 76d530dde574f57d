"""A larger network that starts from the weights of a smaller one and gives nearly its outputs.

The method is that of Net2Net (Chen, Goodfellow and Shlens, 2016): a layer becomes wider by copies
of its channels, whose outgoing weights are divided among the copies, and a network becomes deeper
by blocks that change little at first.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from training.network.model import NET_NAMES, NETS, build_model

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

#: The spread of the weights of a copy around the original, relative to the spread of all weights of
#: the layer. Equal copies would receive equal gradients, and stay equal.
COPY_SPREAD = 0.03
#: The scale of what an added block adds to its input. With 0 its ReLU would have no gradient.
ADDED_SCALE = 0.1


def net_of(model: Any) -> str | None:
    """Return the `--net` whose weights have the shapes of those of `model`, or None."""
    shapes = [weight.shape for weight in model.weights]
    labels = model.output_shape[-1]
    for name in NET_NAMES:
        if [weight.shape for weight in build_model(labels, name).weights] == shapes:
            return name
    return None


def can_grow(small: str, large: str) -> bool:
    """Return whether each stage of `large` is at least as wide and as deep as that of `small`, and
    both are keys of `NETS`.
    """
    if not {small, large} <= NETS.keys():
        return False
    (stem, blocks), (large_stem, large_blocks) = NETS[small], NETS[large]
    stages, large_stages = _stages(blocks), _stages(large_blocks)
    return (
        len(stem) == len(large_stem)
        and len(stages) == len(large_stages)
        and all(a[0] <= b[0] and a[1:] == b[1:] for a, b in zip(stem, large_stem, strict=True))
        and all(
            a[0] <= b[0] and a[1] == b[1] and a[2] <= b[2]
            for a, b in zip(stages, large_stages, strict=True)
        )
    )


def grow(model: Any, small: str, large: str, seed: int) -> Any:
    """Return a `large` network that starts from the weights of `model`, a `small` network.

    Both are keys of `NETS` for which `can_grow` holds. `seed` determines which channels are copied,
    and the spread of the copies; the weights of added blocks come from Keras's generator.
    """
    grown = build_model(model.output_shape[-1], large)
    layers = _Layers(model, grown, np.random.default_rng(seed))
    (stem, blocks), (large_stem, large_blocks) = NETS[small], NETS[large]
    copies: Indices = np.arange(3)  # the original of each channel of the grown network
    for (old_width, *_), (width, *_) in zip(stem, large_stem, strict=True):
        copies = layers.copy_convolution(copies, layers.copies(old_width, width))
    for (old_width, _, old_depth), (width, _, depth) in zip(
        _stages(blocks), _stages(large_blocks), strict=True
    ):
        for _ in range(old_depth):
            layers.copy_depthwise(copies)
            copies = layers.copy_convolution(copies, layers.copies(old_width, width))
        for _ in range(depth - old_depth):
            layers.quieten_block()
    layers.copy_dense(copies)
    return grown


class _Layers:
    """The layers with weights of a model and of the network grown from it, in their order."""

    def __init__(self, model: Any, grown: Any, rng: np.random.Generator) -> None:
        self._old = iter(layer.get_weights() for layer in model.layers if layer.weights)
        self._new = iter(layer for layer in grown.layers if layer.weights)
        self._rng = rng
        self._copies: dict[tuple[int, int], Indices] = {}

    def copies(self, old_width: int, width: int) -> Indices:
        """Return which of `old_width` channels each of `width` channels copies.

        Layers of the same widths copy the same channels, because residual connections add them.
        """
        more = self._rng.choice(old_width, width - old_width, replace=False)
        return self._copies.setdefault(
            (old_width, width), np.concatenate([np.arange(old_width), more])
        )

    def copy_convolution(self, inputs: Indices, outputs: Indices) -> Indices:
        """Copy a convolution with its batch normalisation; return `outputs`."""
        (kernel,) = next(self._old)
        next(self._new).set_weights([self._spread(_divided(kernel, inputs)[..., outputs])])
        self._copy_normalisation(outputs)
        return outputs

    def copy_depthwise(self, channels: Indices) -> None:
        """Copy a depthwise convolution with its batch normalisation."""
        (kernel,) = next(self._old)
        next(self._new).set_weights([self._spread(kernel[:, :, channels])])
        self._copy_normalisation(channels)

    def copy_dense(self, inputs: Indices) -> None:
        """Copy the last layer."""
        kernel, offsets = next(self._old)
        next(self._new).set_weights([_divided(kernel, inputs), offsets])

    def quieten_block(self) -> None:
        """Let an added block, which has random weights, change its input only a little."""
        next(self._new), next(self._new), next(self._new)
        normalisation = next(self._new)
        scale, *others = normalisation.get_weights()
        normalisation.set_weights([np.full_like(scale, ADDED_SCALE), *others])

    def _copy_normalisation(self, channels: Indices) -> None:
        next(self._new).set_weights([values[channels] for values in next(self._old)])

    def _spread(self, kernel: Floats) -> Floats:
        noise = self._rng.standard_normal(kernel.shape, np.float32)
        return np.asarray(kernel + COPY_SPREAD * kernel.std() * noise, np.float32)


def _divided(kernel: Floats, inputs: Indices) -> Floats:
    """Return `kernel`, (..., inputs, outputs), with its input channels copied and divided among
    the copies.
    """
    times = np.bincount(inputs)[inputs].astype(np.float32)
    return np.asarray(kernel[..., inputs, :] / times[:, None], np.float32)


def _stages(blocks: tuple[tuple[int, int], ...]) -> list[tuple[int, int, int]]:
    """Return the channels, the stride of the first block, and the number of blocks of each stage,
    which are the blocks in a row with the same number of channels.
    """
    runs = [list(run) for _, run in groupby(blocks, key=lambda block: block[0])]
    return [(run[0][0], run[0][1], len(run)) for run in runs]
