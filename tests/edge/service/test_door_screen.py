"""The address of the screen for the display of the device, and the page to start with."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from edge.cli.main import main
from edge.common.errors import UserError
from edge.config.settings import Settings, load_settings
from edge.service.door_screen import screen_address, start_page, write_page

LINK = "https://desk.lan:8443/door/door1?token=</script>"


def settings(tmp_path: Path, text: str = "") -> Settings:
    (tmp_path / "door.toml").write_text(f'device = "door1"\n{text}\n')
    return load_settings(tmp_path / "door.toml")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", "http://127.0.0.1:8080/door/door1"),
        ('[dashboard]\nhost = "0.0.0.0"\nport = 80', "http://127.0.0.1:80/door/door1"),
        (f'[dashboard]\ncert_file = "x"\n[door_screen]\naddress = "{LINK}"', LINK),
    ],
)
def test_address_is_that_of_the_screen(tmp_path: Path, text: str, address: str) -> None:
    assert screen_address(settings(tmp_path, text)) == address


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('cert_file = "x"', "its certificate is not for 127.0.0.1"),
        ('host = "192.0.2.1"', "it listens on 192.0.2.1 only"),
    ],
)
def test_dashboard_that_cannot_be_opened_is_reported(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(UserError, match=f"{reason}; make a link"):
        start_page(settings(tmp_path, f"[dashboard]\n{text}"))


def test_start_page_shows_texts_and_no_token(tmp_path: Path) -> None:
    text = f'[door_screen]\nlanguages = ["de", "ar"]\naddress = "{LINK}"'
    page = start_page(settings(tmp_path, text))
    assert '<h1 lang="de" dir="auto">Außer Betrieb</h1>' in page
    shown = page.partition("<script>")[0]
    assert "waiting for desk.lan:8443" in shown
    assert "token" not in shown
    assert page.count("</script>") == 1


def test_page_replaces_a_link_and_is_readable(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "start.html"
    other.write_text("kept")
    path.symlink_to(other)
    write_page("page", path)
    assert (path.read_text(), other.read_text()) == ("page", "kept")
    assert stat.S_IMODE(path.lstat().st_mode) == 0o644
    with pytest.raises(UserError, match="cannot write"):
        write_page("page", tmp_path / "missing" / "start.html")


def test_command_prints_the_address_or_writes_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(tmp_path)
    config = ("--config", str(tmp_path / "door.toml"))
    assert main(["screen", *config]) == 0
    assert capsys.readouterr().out == "http://127.0.0.1:8080/door/door1\n"
    assert main(["screen", *config, "--page", str(tmp_path / "start.html")]) == 0
    assert "Not watching" in (tmp_path / "start.html").read_text()
