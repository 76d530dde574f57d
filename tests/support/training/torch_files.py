"""Files of weights as PyTorch before 1.6 writes them, written without PyTorch."""

from __future__ import annotations

import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from training.network.torch_file import MAGIC


class FloatStorage:
    """Stands for the class of PyTorch in the file."""

    __module__ = "torch"

    def __init__(self, key: str, numbers: npt.NDArray[np.float32]) -> None:
        """`numbers` are those of the tensor `key`, in its order in memory."""
        self.key, self.numbers = key, numbers


def _rebuild_tensor_v2() -> None:
    """Stand for the function of PyTorch in the file."""


_rebuild_tensor_v2.__module__ = "torch._utils"


class _Tensor:
    def __init__(self, name: str, values: npt.NDArray[Any]) -> None:
        """The numbers are stored with the last axis first, as weights from TensorFlow are."""
        self.storage = FloatStorage(name, np.ascontiguousarray(values.T, np.float32).ravel())
        self.shape = values.shape
        self.steps = tuple(int(n) for n in np.cumprod((1, *values.shape))[:-1])

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_tensor_v2, (self.storage, 0, self.shape, self.steps, False, OrderedDict())


class _Pickler(pickle._Pickler):  # the one in Python, whose method can be overridden
    modules: ClassVar[dict[str, types.ModuleType]] = {}

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, FloatStorage):
            return ("storage", FloatStorage, obj.key, "cpu", len(obj.numbers), None)
        return None


def write_torch_file(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> Path:
    """Write `arrays` as float32, as `torch.save` of a state dictionary does; return `path`."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch.FloatStorage, utils._rebuild_tensor_v2 = FloatStorage, _rebuild_tensor_v2  # type: ignore[attr-defined]
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": utils})
    tensors = OrderedDict((name, _Tensor(name, values)) for name, values in arrays.items())
    try:
        with path.open("wb") as file:
            for part in (MAGIC, 1001, {"little_endian": True}, tensors, list(tensors)):
                _Pickler(file, protocol=2).dump(part)
            for tensor in tensors.values():
                numbers = tensor.storage.numbers
                file.write(len(numbers).to_bytes(8, "little") + numbers.tobytes())
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    return path
