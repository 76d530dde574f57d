"""The password file and the setup code."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.dashboard.access.password import MAX_LENGTH, MIN_LENGTH, Password

PASSWORD = "correct horse battery"


@pytest.fixture
def password(tmp_path: Path) -> Password:
    return Password(tmp_path / "state" / "dashboard-password")


def test_only_the_password_matches(password: Password) -> None:
    assert not password.is_set
    assert not password.matches(PASSWORD)
    password.set(PASSWORD)
    assert password.is_set
    assert password.matches(PASSWORD)
    assert not password.matches("wrong horse battery")
    assert not password.matches(PASSWORD + "x" * MAX_LENGTH)


def test_file_holds_a_hash_for_the_owner_only(password: Password, tmp_path: Path) -> None:
    password.set(PASSWORD)
    file = tmp_path / "state" / "dashboard-password"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().startswith("$argon2id$")
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_tag_changes_with_the_password(password: Password) -> None:
    tags = [password.tag]
    for new in (PASSWORD, "another password"):
        password.set(new)
        tags.append(password.tag)
    assert len(set(tags)) == 3
    assert password.tag == password.tag


@pytest.mark.parametrize("length", [MIN_LENGTH - 1, MAX_LENGTH + 1])
def test_length_is_limited(password: Password, length: int) -> None:
    with pytest.raises(UserError, match="characters or"):
        password.set("x" * length)
    assert not password.is_set


def test_setup_code_ignores_case_and_dashes(password: Password, tmp_path: Path) -> None:
    code = password.setup_code
    assert password.setup_code_matches(code)
    assert password.setup_code_matches(code.lower().replace("-", " "))
    assert not password.setup_code_matches(code[:-1])
    assert not password.setup_code_matches("")
    assert Password(tmp_path).setup_code != code


def test_unreadable_or_damaged_file_is_reported(password: Password, tmp_path: Path) -> None:
    file = tmp_path / "state" / "dashboard-password"
    password.set(PASSWORD)
    file.write_text("not a hash\n")
    assert not password.matches(PASSWORD)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot read"):
        password.matches(PASSWORD)
    file.unlink()
    file.mkdir()
    with pytest.raises(UserError, match="cannot store the password"):
        password.set(PASSWORD)
