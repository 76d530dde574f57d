"""A network that a TFLite runtime has loaded, with one input, and runs on one array at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.common.errors import UserError, first_line
from edge.inference.interpreter import load_interpreter
from edge.inference.trial import require_trial

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Tensor:
    """The description of an input or an output.

    A value v of the tensor stands for (v - `zero_point`) * `scale`; if `scale` is 0, for itself.
    """

    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int

    def real(self, values: Array) -> npt.NDArray[np.float32]:
        """Return the real numbers for which `values` of this tensor stand."""
        reals = values.astype(np.float32)
        if not self.scale:
            return reals
        return (reals - np.float32(self.zero_point)) * np.float32(self.scale)


class Network:
    """A flatbuffer in a runtime. Every exception of the runtime becomes a UserError of one line."""

    def __init__(
        self, model: bytes, path: Path, threads: int = 1, runtime: str | None = None
    ) -> None:
        """Load `model`, the content of `path`; `runtime` is as in `load_interpreter`.

        The runtimes do not verify a model, and a damaged one can crash the process: only pass a
        model whose digest was checked, or that passed `require_model_trial`.

        Raises UserError if no runtime can load it, or if it has more inputs than one.
        """
        self._path = path
        try:
            self._interpreter, self.runtime = load_interpreter(model, threads, runtime)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        try:
            (self.input,) = map(_tensor, self._interpreter.get_input_details())
            self.outputs = tuple(map(_tensor, self._interpreter.get_output_details()))
        except Exception as error:  # the bindings of the runtimes document no exceptions
            raise self._failure(error) from None

    def run(self, values: Array) -> None:
        """Compute the outputs for `values`, which have the shape and type of the input.

        Raises UserError if the runtime fails.
        """
        try:
            self._interpreter.set_tensor(self.input.index, values)
            self._interpreter.invoke()
        except Exception as error:
            raise self._failure(error) from None

    def output(self, tensor: Tensor) -> Array:
        """Return a copy of the values of an output after `run`; raises UserError."""
        try:
            values: Array = self._interpreter.get_tensor(tensor.index)
        except Exception as error:
            raise self._failure(error) from None
        return values

    def _failure(self, error: Exception) -> UserError:
        return UserError(f"{self.runtime} cannot run {self._path}: {first_line(error)}")


def require_model_trial(model: bytes, path: Path, threads: int, runtime: str | None) -> str:
    """Load and run `model`, the content of `path`, in a child process; the arguments are those of
    `Network`.

    Returns the name of the runtime that ran it, with which it must be loaded. Raises UserError if
    the process crashes or fails.
    """
    arguments = [str(path), str(threads), runtime or ""]
    return require_trial("edge.inference.network_trial", arguments, path, model)


def _tensor(details: dict[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    return Tensor(
        int(details["index"]),
        tuple(int(side) for side in details["shape"]),
        np.dtype(details["dtype"]),
        float(scale),
        int(zero_point),
    )
