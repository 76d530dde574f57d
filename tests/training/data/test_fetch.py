"""Public data sets: the real kagglehub against a service on loopback, or against nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.common.errors import UserError
from tests.support import datasets, kaggle_server
from tests.support.kaggle_server import Kaggle
from training.cli import main
from training.data.catalogue import PUBLIC_DATA_SETS
from training.data.datasets import LABELS, read_dataset
from training.data.fetch import fetch

TWELVE_K = PUBLIC_DATA_SETS[0]
CLOSED = "http://127.0.0.1:9"  # the discard port: nothing listens there


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Kaggle]:
    with kaggle_server.serving() as server:
        server.folder = tmp_path / "published"
        datasets.kaggle(server.folder / "Face Mask Dataset", 2)
        yield server


def dataset(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m training dataset …` of a user without Kaggle's credentials."""
    kept = {name: value for name, value in os.environ.items() if "KAGGLE" not in name.upper()}
    kept = {name: value for name, value in kept.items() if not name.lower().endswith("_proxy")}
    return subprocess.run(
        [sys.executable, "-m", "training", "dataset", *arguments],
        cwd=datasets.ROOT,
        env={**kept, "HOME": str(home), **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_set_is_fetched_read_and_not_fetched_again(tmp_path: Path, service: Kaggle) -> None:
    out = tmp_path / "data"
    arguments = (TWELVE_K.name, "--out", str(out))
    done = dataset(tmp_path, *arguments, **service.environment())
    assert done.returncode == 0, done.stderr
    place = out / TWELVE_K.name
    assert f"{place}: 12 faces (6 mask, 6 no_mask); make train DATA={place}" in done.stdout
    assert "CC0" in done.stdout
    assert [path.name for path in out.iterdir()] == [TWELVE_K.name]
    assert len(read_dataset(place, LABELS[2]).samples) == 12
    again = dataset(tmp_path, *arguments, https_proxy=CLOSED)
    assert again.returncode == 0, again.stderr
    assert "exists already" in again.stdout


@pytest.mark.parametrize(
    ("answer", "said"),
    [(403, "Kaggle requires an account"), (401, "requires an account"), (500, "500 Server Error")],
)
def test_a_refusal_says_how_to_do_it_by_hand(
    tmp_path: Path, service: Kaggle, answer: int, said: str
) -> None:
    service.answer = answer
    out = tmp_path / "data"
    done = dataset(tmp_path, TWELVE_K.name, "--out", str(out), **service.environment())
    datasets.assert_one_line(
        done, said, TWELVE_K.url, f"unpack it into {out}/face-mask-12k", code=1
    )
    assert not list(out.glob("*"))


def test_without_a_network_the_real_client_fails_in_one_line(tmp_path: Path) -> None:
    done = dataset(
        tmp_path, "celeba", "--out", str(tmp_path), https_proxy=CLOSED, http_proxy=CLOSED
    )
    datasets.assert_one_line(done, "cannot be reached", "jessicali9530/celeba-dataset", code=1)
    assert not (tmp_path / "celeba").exists()


def test_without_kagglehub_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "kagglehub.py").write_text("raise ImportError('not here')\n")
    done = dataset(tmp_path, TWELVE_K.name, "--out", "data", PYTHONPATH=str(tmp_path))
    datasets.assert_one_line(done, "pip install kagglehub", TWELVE_K.url, code=1)


def test_a_download_that_stands_still_is_given_up_and_leaves_nothing(
    tmp_path: Path, service: Kaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.stalls = True
    for name, value in {**service.environment(), "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"no data arrived from Kaggle for 1 s.*by hand"):
        fetch(TWELVE_K, tmp_path / "data", timeout_s=1)
    assert not (tmp_path / "data" / TWELVE_K.name).exists()


def test_what_is_not_on_kaggle_is_fetched_by_hand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset", "maskedface-net", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "github.com/cabani/MaskedFace-Net" in said
    assert f"{tmp_path}/maskedface-net/" in said
    datasets.classes(tmp_path / "maskedface-net", {"CMFD/00000": "mask", "IMFD/00000": "mask"}, 1)
    assert main(["dataset", "maskedface-net", "--out", str(tmp_path)]) == 0
    assert "(1 mask, 1 incorrect_mask)" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["--list"], ["--list", "celeba"]])
def test_the_list_says_where_on_what_terms_and_how_to_use_it(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset", *arguments]) == 0
    said = capsys.readouterr().out
    for each in PUBLIC_DATA_SETS:
        assert all(part in said for part in (each.url, each.licence, each.layout))
    assert "make train DATA=data/face-mask-12k\n" in said
    assert "DATA='data/celeba data/maskedface-net' TRAIN_ARGS='--classes 3'" in said


def test_an_unknown_name_is_told_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "mnist"]) == 2
    assert "the data sets are face-mask-12k," in capsys.readouterr().err
