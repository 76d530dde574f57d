from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge.common.errors import UsageError
from edge.config.toml_schema import Section, format_error, load_toml


class Lamp(Section, frozen=True, kw_only=True):
    """The table `lamp` in the description of a house."""

    colour: str = "white"
    watts: int = 5


class Room(Section, frozen=True, kw_only=True):
    """One of the tables `room`."""

    name: str
    doors: int = 1

    def __post_init__(self) -> None:
        """Raise ValueError for a room without a door."""
        if not self.doors:
            raise ValueError("a room needs a door")


class House(Section, frozen=True, kw_only=True):
    """A schema for these tests: the description of a house."""

    address: str
    colour: str = "red"
    lamp: Lamp = Lamp()
    room: tuple[Room, ...] = ()


def load(tmp_path: Path, text: str) -> House:
    path = tmp_path / "house.toml"
    path.write_text(text)
    return load_toml(path, House, "the description of the house")[0]


def test_file_is_returned_as_struct_and_as_values(tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    path.write_text("address = 'x'\n[lamp]\nwatts = 7\n")
    house, raw = load_toml(path, House, "the description of the house")
    assert house == House(address="x", lamp=Lamp(watts=7))
    assert raw == {"address": "x", "lamp": {"watts": 7}}


def test_missing_file_is_reported_with_its_description(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the description of the house"):
        load_toml(tmp_path / "none.toml", House, "the description of the house")


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("adress = 'x'", "`adress`; did you mean `address`?"),
        ("watts = 3", "`watts`; did you mean `lamp.watts`?"),
        ("[lamp]\naddress = 'x'", "`lamp.address`; did you mean `address`?"),
        ("[lamp]\ncolor = 'x'", "`lamp.color`; did you mean `lamp.colour`?"),
        ("color = 'x'", "`color`; did you mean `colour`?"),
    ],
)
def test_unknown_key_is_reported_with_the_nearest_setting(
    tmp_path: Path, text: str, suggestion: str
) -> None:
    with pytest.raises(UsageError, match="unknown setting") as caught:
        load(tmp_path, text)
    assert suggestion in str(caught.value)


def test_unknown_key_unlike_any_setting_has_no_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, "zzzz = 1")
    assert str(caught.value).endswith("unknown setting `zzzz`")


def test_all_wrong_values_are_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, "address = 1\ncolour = 2\n[lamp]\nwatts = 'x'\n")
    lines = str(caught.value).splitlines()
    assert [line.partition(": ")[2].partition(":")[0] for line in lines] == [
        "`address`",
        "`colour`",
        "`lamp.watts`",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nam = 'hall'", "unknown setting `room[1].nam`; did you mean `room[1].name`?"),
        ("name = 1", "`room[1].name`: expected `str`, got `int`"),
        ("name = 'a\\u0000'", "`room[1].name`: text with the control character U+0000"),
        ("doors = 2", "`room[1]`: object missing required field `name`"),
        ("name = 'hall'\ndoors = 0", "`room[1]`: a room needs a door"),
    ],
)
def test_mistake_in_a_repeated_table_names_the_table(
    tmp_path: Path, text: str, expected: str
) -> None:
    text = text.replace("'", '"')
    with pytest.raises(UsageError) as caught:
        load(tmp_path, f"address = 'x'\n[[room]]\nname = 'kitchen'\n[[room]]\n{text}\n")
    (line,) = str(caught.value).splitlines()
    assert line.partition(": ")[2].startswith(expected)


def test_repeated_table_with_one_bracket_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"`room`: write \[\[room\]\], with two brackets"):
        load(tmp_path, "address = 'x'\n[room]\nname = 'hall'\n")


def test_missing_required_setting_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="missing required field `address`"):
        load(tmp_path, "")


def test_error_message_begins_with_the_setting() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"address": "x", "lamp": {"watts": "y"}}, House)
    assert format_error(caught.value) == "`lamp.watts`: expected `int`, got `str`"


def test_control_character_is_refused_in_each_text(tmp_path: Path) -> None:
    """A path of Windows contains them unintentionally, and the system refuses null characters."""
    with pytest.raises(UsageError) as caught:
        load(tmp_path, "address = 'D:\\new'\n[lamp]\ncolour = '\\u0000'\n".replace("'", '"'))
    assert [line.partition(": ")[2] for line in str(caught.value).splitlines()] == [
        f"`{name}`: text with the control character U+{code}, which no setting can contain;"
        " write paths with / or in single quotation marks"
        for name, code in (("address", "000A"), ("lamp.colour", "0000"))
    ]


@pytest.mark.parametrize(
    "text", ['"a\\nb" = 1', '"\\u001b[2J" = 1', 'address = "\\u001b"\n[lamp]\n"\\u0085" = 1']
)
def test_control_characters_of_the_file_are_escaped(tmp_path: Path, text: str) -> None:
    """They could control the terminal, or look like another message."""
    with pytest.raises(UsageError, match="unknown setting") as caught:
        load(tmp_path, text)
    assert str(caught.value).isprintable()


def test_file_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    path.write_bytes("\ufeffaddress = 'Tür'\r\n[lamp]\r\nwatts = 7\r\n".encode())
    house, _ = load_toml(path, House, "the description of the house")
    assert house == House(address="Tür", lamp=Lamp(watts=7))


@pytest.mark.parametrize(("encoding", "name"), [("utf-16", "UTF-16"), ("cp1252", "Windows-1252")])
def test_other_encoding_is_named(tmp_path: Path, encoding: str, name: str) -> None:
    path = tmp_path / "house.toml"
    path.write_bytes("# Tür\r\naddress = 'x'\r\n".encode(encoding))
    with pytest.raises(
        UsageError, match=rf"house\.toml is not valid TOML: .*{name}.* save it as UTF-8"
    ):
        load_toml(path, House, "the description of the house")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("address = \u201cx\u201d", "use straight quotation marks"),
        ("[lamp]\ncolour = \u2018x\u2019", "use straight quotation marks"),
        ('address = "C:\\Users\\me"', "write paths with / or in single quotation marks"),
        ("address = `x`", "use straight quotation marks"),
        ("address\u00a0= 'x'", r"the character U\+00A0 in this line, which is invisible"),
        ("\u200baddress = 'x'", r"the character U\+200B in this line"),
        ("\ufeff\ufeffaddress = 'x'", r"the character U\+FEFF in this line"),
        ("address = 'x'\n\x1a", r"the character U\+001A in this line"),
        ("address = 'x'\n[lamp]\nwatts = 7,5", "write numbers with a decimal point"),
        ('address = "C:\\me"', "write paths with / or in single quotation marks"),
    ],
)
def test_mistake_that_editors_cause_gets_a_hint(tmp_path: Path, text: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"not valid TOML: .*line.*{hint}"):
        load(tmp_path, text)


def test_other_syntax_error_gets_no_hint(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"not valid TOML: [^;]*$"):
        load(tmp_path, "# \u201cx\u201d\naddress = x")
