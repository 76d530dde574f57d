"""The settings and the texts of the screen at the door."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from edge.common.errors import UsageError
from edge.config.door_texts import DOOR_TEXTS
from edge.config.settings import Settings, load_settings


def load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "door.toml"
    path.write_text(text)
    return load_settings(path)


def test_every_language_has_all_texts() -> None:
    assert set(DOOR_TEXTS) == {"ar", "de", "en", "es", "fr", "it", "pt", "zh"}
    for language, texts in DOOR_TEXTS.items():
        values = list(asdict(texts).values())
        assert all(value.strip() == value != "" for value in values), language
        assert len(set(values)) == len(values), language


def test_own_texts_replace_those_of_the_program(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        '[door_screen]\nlanguages = ["de", "pt-BR"]\n'
        '[[door_screen.texts]]\nlanguage = "de"\nno_mask = "Maske!"\n',
    ).door_screen
    assert settings.texts_in("de").no_mask == "Maske!"
    assert settings.texts_in("de").calm == DOOR_TEXTS["de"].calm
    assert settings.texts_in("pt-BR") == DOOR_TEXTS["pt"]


def test_language_with_own_texts_is_accepted(tmp_path: Path) -> None:
    texts = "".join(f'{name} = "{name}!"\n' for name in asdict(DOOR_TEXTS["en"]))
    table = f'[[door_screen.texts]]\nlanguage = "tr"\n{texts}'
    settings = load(tmp_path, f'[door_screen]\nlanguages = ["tr"]\n{table}').door_screen
    assert settings.texts_in("tr").off == "off!"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[door_screen]\nlanguages = ["tr"]',
            "there are no texts in the language tr: write calm, no_mask, incorrect_mask, thanks,"
            ' off into a table [[door_screen.texts]] with language = "tr", or use one of ar, de,',
        ),
        ("[door_screen]\nlanguages = []", "`languages` is empty: give at least one"),
        ('[door_screen]\nlanguages = ["Deutsch"]', "expected the code of a language, such as"),
        ('[door_screen.colours]\ncalm = "red"', "expected a colour of six hexadecimal digits"),
        ('[door_screen]\naddress = "desk"', "expected the link of a screen from the dashboard"),
        ('[[door_screen.texts]]\nlanguage = "de"\nalert = "x"', "unknown setting"),
    ],
)
def test_mistakes_are_explained(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(UsageError) as error:
        load(tmp_path, text)
    assert expected in str(error.value)
