from __future__ import annotations

from pathlib import Path

import pytest

from edge.camera.private_source import with_private_source, with_source
from edge.common.errors import UsageError, UserError
from edge.config.settings import Settings, change

FROM_FILE, FROM_CREDENTIAL, FROM_VARIABLE = "rtsp://a:1@h/", "rtsp://b:2@h/", "rtsp://c:3@h/"


def settings_with_file(folder: Path, content: bytes = f"{FROM_FILE}\n".encode()) -> Settings:
    (folder / "source").write_bytes(content)
    return change(Settings(), camera={"source_file": str(folder / "source")})


def test_environment_precedes_credential_and_file(tmp_path: Path) -> None:
    settings = settings_with_file(tmp_path)
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path), "MASK_PATROL_CAMERA_SOURCE": ""}
    found = with_private_source(settings, environment).camera
    assert (found.source, found.source_file) == (FROM_FILE, "")
    (tmp_path / "mask-patrol_camera-source").write_text(f"{FROM_CREDENTIAL}\n")
    assert with_private_source(settings, environment).camera.source == FROM_CREDENTIAL
    environment["MASK_PATROL_CAMERA_SOURCE"] = FROM_VARIABLE
    assert with_private_source(settings, environment).camera.source == FROM_VARIABLE


def test_settings_without_private_source_are_unchanged(tmp_path: Path) -> None:
    settings = change(Settings(), camera={"source": "/dev/video0"})
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert with_private_source(settings, environment) is settings


def test_option_replaces_the_file(tmp_path: Path) -> None:
    assert with_source(settings_with_file(tmp_path), "demo").camera == Settings().camera


def test_source_is_given_only_once() -> None:
    with pytest.raises(UsageError, match="`source` and `source_file` exclude each other"):
        change(Settings(), camera={"source": "/dev/video0", "source_file": "/etc/source"})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b" \n", "is empty: write the address of the camera into it"),
        (b"hush\xff", "it is not UTF-8 text"),
        (b"rtsp://a:hush@h/\nrtsp://b:hush@h/\n", "more than one line"),
    ],
)
def test_unusable_file_is_refused_without_its_content(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    settings = settings_with_file(tmp_path, content)
    with pytest.raises(UserError, match=expected) as raised:
        with_private_source(settings, {})
    assert "hush" not in str(raised.value)


def test_missing_file_is_refused() -> None:
    settings = change(Settings(), camera={"source_file": "/none"})
    with pytest.raises(UserError, match=r"cannot read camera\.source_file /none: No such file"):
        with_private_source(settings, {})


@pytest.mark.parametrize(
    "address", ["rtsp://me:geheim@cam/1", "me:geheim@cam/1", "cam/?pwd=geheim" * 50]
)
def test_address_in_the_place_of_its_file_is_not_shown(address: str) -> None:
    settings = change(Settings(), camera={"source_file": address})
    with pytest.raises(UserError, match="must be the path of a file that contains") as caught:
        with_private_source(settings, {})
    assert "geheim" not in str(caught.value)
