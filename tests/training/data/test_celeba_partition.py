"""CelebA's partition list: finding and reading it, and refusing an invalid one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.common.errors import UsageError
from tests.support.encodings import save_with_mark
from tests.support.training import datasets
from training.data.celeba_partition import read_partition, split_in_partition
from training.data.datasets import LABELS, read_dataset
from training.data.splits import Split, split_of

TWO, THREE = LABELS[2], LABELS[3]


@pytest.mark.parametrize(
    ("list_name", "text"),
    [
        ("list_eval_partition.csv", "image_id,partition\n{0}.jpg,0\n{1}.jpg,1\n{2}.jpg,2\n"),
        ("list_eval_partition.txt", "{0}.jpg 0\n{1}.jpg 1\n{2}.jpg 2\n\n"),
        ("Eval/list_eval_partition.txt", "{0}.png 0\r\n{1}.png 1\r\n{2}.png 2\r\n"),
    ],
)
@pytest.mark.parametrize("given_folder", ["", "img_align_celeba", "img_align_celeba/inner"])
def test_celebas_own_splits_are_used(
    tmp_path: Path, list_name: str, text: str, given_folder: str
) -> None:
    inner = "img_align_celeba" if given_folder.endswith("inner") else ""
    datasets.portraits(tmp_path / "celeba" / "img_align_celeba" / inner, 4)
    listed = tmp_path / "celeba" / list_name
    listed.parent.mkdir(exist_ok=True)
    listed.write_text(text.format("000001", "000002", "000003"))
    data = read_dataset(tmp_path / "celeba" / given_folder.replace("inner", inner), TWO)
    parts = {sample.path.stem: sample.split for sample in data.samples}
    assert parts == {
        "000001": Split.TRAIN,
        "000002": Split.VALIDATION,
        "000003": Split.TEST,
        "000004": split_of("000004.jpg"),  # is not in the list
    }


def test_invalid_line_is_named(tmp_path: Path) -> None:
    datasets.portraits(tmp_path / "celeba", 2)
    (tmp_path / "celeba" / "list_eval_partition.csv").write_text(
        "a,b\n000001.jpg,0\n000002.jpg,7\n"
    )
    with pytest.raises(UsageError, match=r"list_eval_partition\.csv, line 3: .*'000002\.jpg,7'"):
        read_dataset(tmp_path / "celeba", TWO)


@given(parts=st.dictionaries(st.from_regex(r"[0-9]{6}", fullmatch=True), st.sampled_from("012")))
def test_list_is_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, parts: dict[str, str]
) -> None:
    path = tmp_path_factory.mktemp("list") / "list_eval_partition.csv"
    lines = [f"{name}.jpg,{part}\n" for name, part in parts.items()]
    path.write_text("".join(["image_id,partition\n", *lines]))
    read = read_partition(path)
    assert read == {name: list(Split)[int(part)] for name, part in parts.items()}
    assert all(split_in_partition(read, f"{name}.png") is split for name, split in read.items())


def test_list_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    path = tmp_path / "list_eval_partition.txt"
    path.write_text("000001.jpg 2\n")
    assert read_partition(save_with_mark(path)) == {"000001": Split.TEST}
    path.write_bytes("000001.jpg 2\r\n".encode("utf-16"))
    with pytest.raises(UsageError, match="UTF-16: save it as UTF-8"):
        read_partition(path)
