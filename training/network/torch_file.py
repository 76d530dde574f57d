"""Weights from a file that PyTorch wrote, without PyTorch.

A file of `torch.save` before PyTorch 1.6 is a sequence of pickles, followed by the numbers of each
storage. The reader creates nothing but numbers, texts, dictionaries and arrays: no code that the
file names is run.
"""

from __future__ import annotations

import collections
import math
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from edge.common.errors import UserError

#: The content of the first pickle.
MAGIC = 0x1950A86A20F9469CFC6C
DTYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
COUNT_BYTES = 8

Arrays = dict[str, npt.NDArray[Any]]


def read_torch_file(path: Path) -> Arrays:
    """Return the arrays of a state dictionary by their names.

    Raises UserError if the file cannot be read or has another format.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except OSError as error:
        raise UserError(f"cannot read the weights in {path}: {error.strerror}") from None
    except (
        pickle.UnpicklingError,
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,
        TypeError,
        ValueError,
    ):
        raise UserError(
            f"{path} holds no weights that can be read: expected a file that torch.save of PyTorch"
            " before 1.6 wrote"
        ) from None


@dataclass(frozen=True)
class _View:
    """A tensor: a part of a storage, with the steps along its axes in numbers."""

    storage: tuple[str, str]
    offset: int
    shape: tuple[int, ...]
    steps: tuple[int, ...]


class _Reader(pickle.Unpickler):
    """An unpickler that knows the classes of a state dictionary and refuses all others."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, steps, *_: _View(storage, offset, shape, steps)
        if module == "torch" and name in DTYPES:
            return name
        raise pickle.UnpicklingError(f"{module}.{name} is not part of a state dictionary")

    def persistent_load(self, identity: Any) -> tuple[str, str]:
        """Return the key and the type of the storage that a tensor refers to."""
        _, kind, key, *_ = identity
        return str(key), str(kind)


def _read(file: IO[bytes]) -> Arrays:
    magic, _, _, views, keys = (_Reader(file).load() for _ in range(5))
    if magic != MAGIC:
        raise ValueError("not a file of torch.save")
    kinds = dict(view.storage for view in views.values())
    numbers = {}
    for key in keys:
        dtype = DTYPES[kinds[key]]
        count = int.from_bytes(file.read(COUNT_BYTES), "little")
        numbers[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype, count)
    return {name: _array(numbers[view.storage[0]], view) for name, view in views.items()}


def _array(numbers: npt.NDArray[Any], view: _View) -> npt.NDArray[Any]:
    last = sum((size - 1) * step for size, step in zip(view.shape, view.steps, strict=True))
    if (
        min((view.offset, *view.shape, *view.steps)) < 0
        or view.offset + last >= len(numbers)
        or math.prod(view.shape) > len(numbers)  # steps of 0 could ask for any amount of memory
    ):
        raise ValueError("a tensor reaches beyond its storage")
    part = numbers[view.offset :]
    steps = [step * numbers.itemsize for step in view.steps]
    return np.lib.stride_tricks.as_strided(part, view.shape, steps).copy()
