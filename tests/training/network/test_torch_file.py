"""Weights are read from files of PyTorch; other files are refused, and their code is not run."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from edge.common.errors import UserError
from tests.support.training.torch_files import write_torch_file
from training.network.torch_file import MAGIC, read_torch_file

ARRAYS = {
    "conv.weight": np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5),
    "bn.bias": np.array([1.5, -2.0], np.float32),
}


def test_arrays_are_read_in_their_own_order(tmp_path: Path) -> None:
    found = read_torch_file(write_torch_file(tmp_path / "weights.pth", ARRAYS))
    assert list(found) == list(ARRAYS)
    for name, values in ARRAYS.items():
        np.testing.assert_array_equal(found[name], values)


class Harm:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        """`path` is the file that would be created."""
        self.path = path

    def __reduce__(self) -> object:
        return Path.touch, (self.path,)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "harm.pth"
    path.write_bytes(pickle.dumps(MAGIC) + pickle.dumps(Harm(tmp_path / "ran")))
    with pytest.raises(UserError, match="holds no weights"):
        read_torch_file(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"PK\3\4 not a pickle", pickle.dumps([1, 2]) * 5])
def test_other_files_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"other\.pth holds no weights"):
        read_torch_file(path)
    with pytest.raises(UserError, match=r"missing\.pth: No such file"):
        read_torch_file(tmp_path / "missing.pth")


def test_every_cut_of_a_file_is_an_error(tmp_path: Path) -> None:
    whole = write_torch_file(tmp_path / "weights.pth", ARRAYS).read_bytes()
    cut = tmp_path / "cut.pth"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        with pytest.raises(UserError, match="holds no weights"):
            read_torch_file(cut)


#: A tensor of 1000 x 1000 numbers, all of which are the only number of its storage.
EXPANDED = (
    b"}X\x01\0\0\0actorch._utils\n_rebuild_tensor_v2\n"
    b"((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01NtQ"
    b"K\0(M\xe8\x03M\xe8\x03t(K\0K\0t\x89NtRs."
)


def test_tensor_of_more_numbers_than_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.pth"
    parts = [pickle.dumps(each) for each in (MAGIC, 1001, {})]
    number = (1).to_bytes(8, "little") + bytes(4)
    path.write_bytes(b"".join([*parts, EXPANDED, pickle.dumps(["0"]), number]))
    with pytest.raises(UserError, match=r"large\.pth holds no weights"):
        read_torch_file(path)
