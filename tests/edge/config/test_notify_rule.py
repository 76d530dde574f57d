"""The tables [[notify]]."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from edge.common.errors import UsageError
from edge.common.paths import PACKAGE
from edge.config.notify_rule import NotifyRule
from edge.config.settings import load_settings


def test_example_shows_every_setting_of_a_notification() -> None:
    """All of them are commented out, because there is no rule by default."""
    shown = (PACKAGE / "config.example.toml").read_text().partition("# [[notify]]\n")[2]
    values = [line[2:] for line in shown.splitlines() if re.match(r"# [a-z_]+ = ", line)]
    names = [field.name for field in msgspec.structs.fields(NotifyRule)]
    assert [value.partition(" = ")[0] for value in values] == names
    assert msgspec.convert(tomllib.loads("\n".join(values)), NotifyRule) == NotifyRule(name="guard")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nam = 'x'", "unknown setting `notify[0].nam`; did you mean `notify[0].name`?"),
        ("name = 'Guard 1'", "`notify[0].name`: expected 1 to 32 lower-case letters"),
        ("name = 'a'\nabout = ['x']", "`notify[0].about[0]`: invalid enum value"),
        ("name = 'a'\nhours = { days = ['Mon'] }", "`notify[0].hours.days[0]`"),
        ("name = 'a'\nhours = { start = '08:00' }", "`notify[0].hours`: `start` and `end`"),
        ("name = 'a'\ncooldown_min = 1\ndigest_min = 1", "`notify[0]`: `cooldown_min` and"),
        ("name = 'a'\npush = true\nurl_file = 'x'", "`notify[0]`: `push` and `url_file`"),
        (
            "name = 'a'\nurl_file = 'tgram://token/1'",
            "`notify[0]`: `url_file` is an address: write",
        ),
        ("name = 'a'\nmin_duration_s = 60\nmax_age_min = 1", "`notify[0]`: `min_duration_s` must"),
        ("name = 'a'\n[[notify]]\nname = 'a'", 'two tables [[notify]] have the name "a"'),
    ],
)
def test_mistake_in_a_notification_is_reported(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(f"[[notify]]\n{text}\n".replace("'", '"'))
    with pytest.raises(UsageError) as caught:
        load_settings(path)
    assert str(caught.value).partition(": ")[2].startswith(expected)
    assert "token" not in str(caught.value)
