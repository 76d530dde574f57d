"""Downloads with the real kagglehub from a server on loopback, and without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.common.errors import UserError
from tests.support.cli_process import error_line
from tests.support.training import datasets, kaggle_server
from tests.support.training.kaggle_server import Kaggle
from training.cli import main
from training.data.catalogue import PUBLIC_DATA_SETS
from training.data.datasets import LABELS, read_dataset
from training.data.fetch import fetch

TWELVE_K = PUBLIC_DATA_SETS[0]
CLOSED = "http://127.0.0.1:9"  # The discard port, on which nothing listens.


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Kaggle]:
    with kaggle_server.serving() as server:
        server.folder = tmp_path / "published"
        datasets.kaggle(server.folder / "Face Mask Dataset", 2)
        yield server


def dataset(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m training dataset …` without credentials for Kaggle."""
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


@pytest.mark.slow
def test_data_set_is_downloaded_once(tmp_path: Path, service: Kaggle) -> None:
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "message"),
    [(403, "Kaggle requires an account"), (401, "requires an account"), (500, "500 Server Error")],
)
def test_refusal_gives_manual_instructions(
    tmp_path: Path, service: Kaggle, status: int, message: str
) -> None:
    service.answer = status
    out = tmp_path / "data"
    done = dataset(tmp_path, TWELVE_K.name, "--out", str(out), **service.environment())
    line = error_line(done, code=1)
    assert message in line
    assert TWELVE_K.url in line
    assert f"unpack it into {out}/face-mask-12k" in line
    assert not list(out.glob("*"))


def test_no_network_is_one_line(tmp_path: Path) -> None:
    done = dataset(
        tmp_path, "celeba", "--out", str(tmp_path), https_proxy=CLOSED, http_proxy=CLOSED
    )
    line = error_line(done, code=1)
    assert "cannot be reached" in line
    assert "jessicali9530/celeba-dataset" in line
    assert not (tmp_path / "celeba").exists()


def test_missing_kagglehub_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "kagglehub.py").write_text("raise ImportError('not here')\n")
    done = dataset(tmp_path, TWELVE_K.name, "--out", "data", PYTHONPATH=str(tmp_path))
    line = error_line(done, code=1)
    assert "pip install kagglehub" in line
    assert TWELVE_K.url in line


@pytest.mark.slow
def test_stalled_download_is_given_up(
    tmp_path: Path, service: Kaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.stalls = True
    for name, value in {**service.environment(), "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"no data arrived from Kaggle for 1 s.*by hand"):
        fetch(TWELVE_K, tmp_path / "data", timeout_s=1)
    assert not (tmp_path / "data" / TWELVE_K.name).exists()


def test_data_set_not_on_kaggle_gives_instructions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset", "maskedface-net", "--out", str(tmp_path)]) == 1
    printed = capsys.readouterr().err
    assert "github.com/cabani/MaskedFace-Net" in printed
    assert f"{tmp_path}/maskedface-net/" in printed
    datasets.classes(tmp_path / "maskedface-net", {"CMFD/00000": "mask", "IMFD/00000": "mask"}, 1)
    assert main(["dataset", "maskedface-net", "--out", str(tmp_path)]) == 0
    assert "(1 mask, 1 incorrect_mask)" in capsys.readouterr().out


def test_unknown_name_lists_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "mnist"]) == 2
    assert "the data sets are face-mask-12k," in capsys.readouterr().err
