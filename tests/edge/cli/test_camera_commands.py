from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli_process import mask_patrol, mask_patrol_error


@pytest.mark.skipif(Path("/opt/mask-patrol").exists(), reason="mask-patrol is installed here")
@pytest.mark.parametrize(
    "arguments", [("add", "door2", "--source", "/dev/video0"), ("list",), ("remove", "door2")]
)
def test_cameras_need_the_installed_service(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = mask_patrol(tmp_path, "camera", *arguments)
    assert result.returncode == 2
    assert "install.sh of a bundle installs it" in mask_patrol_error(result)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ((), "the following arguments are required: --source"),
        (("--source", "x", "--within", "0"), "--within must be 1 to 3600 seconds"),
    ],
)
def test_mistakes_of_the_command_line_are_named(
    tmp_path: Path, more: tuple[str, ...], expected: str
) -> None:
    result = mask_patrol(tmp_path, "camera", "add", "door2", *more)
    assert result.returncode == 2
    assert expected in result.stderr
