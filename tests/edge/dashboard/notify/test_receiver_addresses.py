from __future__ import annotations

from pathlib import Path

import pytest

from edge.common.errors import UsageError, UserError
from edge.config.notify_rule import NotifyRule
from edge.dashboard.notify.receiver_addresses import find_addresses

RULE = NotifyRule(name="guard-1")


def test_environment_comes_before_the_credential_and_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("json://file\n")
    (tmp_path / "mask-patrol_notify-guard-1").write_text("json://credential\n")
    rule = NotifyRule(name="guard-1", url_file=str(file))
    environment = {
        "MASK_PATROL_NOTIFY_GUARD_1": "json://variable",
        "CREDENTIALS_DIRECTORY": str(tmp_path),
    }
    assert find_addresses([rule], environment) == {"guard-1": ("json://variable",)}
    del environment["MASK_PATROL_NOTIFY_GUARD_1"]
    assert find_addresses([rule], environment) == {"guard-1": ("json://credential",)}
    assert find_addresses([rule], {}) == {"guard-1": ("json://file",)}


def test_each_line_is_a_receiver() -> None:
    text = "# the guard\n\n json://a \njson://b\n"
    found = find_addresses([RULE], {"MASK_PATROL_NOTIFY_GUARD_1": text})
    assert found == {"guard-1": ("json://a", "json://b")}


def test_rule_with_push_needs_no_address() -> None:
    assert find_addresses([NotifyRule(name="a", push=True)], {}) == {"a": ()}


@pytest.mark.parametrize("text", ["# nothing\n", "json://secret\n" * 21])
def test_number_of_receivers_is_limited(text: str) -> None:
    with pytest.raises(UsageError, match='the rule "guard-1"') as caught:
        find_addresses([RULE], {"MASK_PATROL_NOTIFY_GUARD_1": text})
    assert "secret" not in str(caught.value)


def test_missing_and_empty_files_are_reported(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="MASK_PATROL_NOTIFY_GUARD_1 or the credential notify-guard-1"
    ):
        find_addresses([RULE], {})
    empty = tmp_path / "empty"
    empty.touch()
    for path in (empty, tmp_path / "none"):
        with pytest.raises(UserError, match='of the rule "guard-1"'):
            find_addresses([NotifyRule(name="guard-1", url_file=str(path))], {})
