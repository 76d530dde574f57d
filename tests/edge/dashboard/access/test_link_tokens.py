"""The tokens in the links of screens."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.dashboard.access.link_tokens import MAX_TOKEN_LENGTH, LinkTokens


def tokens(folder: Path) -> LinkTokens:
    return LinkTokens(folder / "links", lambda: 1000.0)


def test_token_is_valid_for_its_door_until_it_is_revoked(tmp_path: Path) -> None:
    token = tokens(tmp_path).create("door1")
    stored = tokens(tmp_path)  # after a restart
    assert stored.is_valid(token, "door1")
    for wrong in ("", token[:-1], token + "x", "x" * (MAX_TOKEN_LENGTH + 1), "é"):
        assert not stored.is_valid(wrong, "door1")
    assert not stored.is_valid(token, "door2")
    other = stored.create("door1")
    (entry, _) = stored.of("door1")
    assert entry.created_s == 1000.0
    stored.revoke("door2", entry.name)
    assert stored.is_valid(token, "door1")
    stored.revoke("door1", entry.name)
    assert not stored.is_valid(token, "door1")
    assert stored.is_valid(other, "door1")


def test_file_is_private_and_holds_no_token(tmp_path: Path) -> None:
    token = tokens(tmp_path).create("door1")
    path = tmp_path / "links"
    assert token not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["links"]


def test_number_of_tokens_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.dashboard.access.link_tokens.MAX_TOKENS", 1)
    tokens(tmp_path).create("door1")
    with pytest.raises(UserError, match="revoke some"):
        tokens(tmp_path).create("door1")


@pytest.mark.parametrize("content", ["", "{", "[1]", '[{"screen": "x"}]', b"\xff"])
def test_damaged_file_gives_no_access(tmp_path: Path, content: str | bytes) -> None:
    (tmp_path / "links").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match="delete it to revoke all"):
        tokens(tmp_path).is_valid("x", "door1")
