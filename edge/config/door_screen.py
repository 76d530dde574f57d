"""The settings of the screen at the door: what it says, in which languages and colours."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import msgspec

from edge.config.door_texts import DOOR_TEXTS, DoorTexts
from edge.config.toml_schema import Section, text_rule

Colour = Annotated[
    str, text_rule(r"^#[0-9a-fA-F]{6}\Z", 'a colour of six hexadecimal digits, such as "#b3141c"')
]
#: A language as in HTML: two or three letters, perhaps with a script or a country.
Language = Annotated[
    str,
    text_rule(
        r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}\Z", 'the code of a language, such as "de" or "pt-BR"'
    ),
]
Text = Annotated[str, msgspec.Meta(max_length=80)]
#: The address of a screen, or empty.
Link = Annotated[
    str,
    text_rule(
        r"^(https?://[!-~]+)?\Z",
        'the link of a screen from the dashboard, such as "https://desk/door/door1?token=…"',
    ),
]
Period = Annotated[float, msgspec.Meta(ge=1.0, le=600.0)]


class DoorColours(Section, frozen=True, kw_only=True):
    """The background in each state. The text is black or white, whichever is more legible."""

    calm: Colour = "#0f3557"
    alert: Colour = "#b3141c"
    thanks: Colour = "#126b32"
    off: Colour = "#30363d"


class OwnDoorTexts(Section, frozen=True, kw_only=True):
    """The user's own texts in one language; an empty text is replaced by that of Mask Patrol."""

    language: Language
    calm: Text = ""
    no_mask: Text = ""
    incorrect_mask: Text = ""
    thanks: Text = ""
    off: Text = ""


class DoorScreenSettings(Section, frozen=True, kw_only=True):
    """The pages `/door/NAME` of the dashboard, and the screen on the display of this device."""

    languages: tuple[Language, ...] = ("en",)
    language_s: Period = 4.0
    thanks_s: Period = 5.0
    speak: bool = False
    colours: DoorColours = DoorColours()
    texts: tuple[OwnDoorTexts, ...] = ()
    address: Link = ""

    def __post_init__(self) -> None:
        """Raise ValueError if there is no language, or a language without all texts."""
        if not self.languages:
            raise ValueError('`languages` is empty: give at least one, such as ["en"]')
        for language in self.languages:
            missing = [name for name, text in asdict(self.texts_in(language)).items() if not text]
            if missing:
                raise ValueError(
                    f"there are no texts in the language {language}: write {', '.join(missing)}"
                    f' into a table [[door_screen.texts]] with language = "{language}", or use'
                    f" one of {', '.join(DOOR_TEXTS)}"
                )

    def texts_in(self, language: str) -> DoorTexts:
        """Return the texts in `language`: the user's own, and for the others those of Mask Patrol.

        A text that neither has is empty.
        """
        shipped = DOOR_TEXTS.get(language) or DOOR_TEXTS.get(language.partition("-")[0])
        unchanged = OwnDoorTexts(language=language)
        own = next((texts for texts in self.texts if texts.language == language), unchanged)
        names = DoorTexts.__dataclass_fields__
        return DoorTexts(**{n: getattr(own, n) or getattr(shipped, n, "") for n in names})


def ink_on(background: str) -> str:
    """Return black or white, whichever has more contrast with a colour such as `#b3141c`."""
    parts = [int(background[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    # The relative luminance of WCAG 2; at 0.18, black and white have the same contrast.
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    luminance = sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"
