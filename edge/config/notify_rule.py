"""The tables `[[notify]]`: which messages the dashboard sends, when, and to whom."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from edge.config.hours import Hours
from edge.config.toml_schema import Section, text_rule

#: What a message can be about.
Topic = Literal["alert", "device_offline", "camera_stalled", "events_lost"]
#: Identifies a rule in the database, in the names of credentials and environment variables, and in
#: addresses of pages.
RuleName = Annotated[
    str,
    text_rule(
        r"^[a-z0-9][a-z0-9-]{0,31}\Z",
        '1 to 32 lower-case letters from a to z, digits and the character -, such as "guard-phone"',
    ),
]
#: The name of a device, or a pattern in which `*` stands for any characters.
DevicePattern = Annotated[
    str,
    text_rule(
        r"^[A-Za-z0-9._*-]{1,64}\Z",
        'the name of a device, or a pattern with the character *, such as "hall-*"',
    ),
]
Minutes = Annotated[float, msgspec.Meta(ge=0.0, le=1440.0)]


class NotifyRule(Section, frozen=True, kw_only=True):
    """One rule. All conditions must be met; an empty list is no condition."""

    name: RuleName
    about: Annotated[tuple[Topic, ...], msgspec.Meta(min_length=1)] = ("alert",)
    doors: tuple[DevicePattern, ...] = ()
    labels: tuple[Literal["no_mask", "incorrect_mask"], ...] = ()
    hours: Hours = Hours()
    min_duration_s: Annotated[float, msgspec.Meta(ge=0.0, le=3600.0)] = 0.0
    cooldown_min: Minutes = 0.0
    digest_min: Minutes = 0.0
    max_age_min: Annotated[float, msgspec.Meta(ge=1.0, le=10_080.0)] = 60.0
    url_file: str = ""
    push: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError if settings exclude each other, or `url_file` is no path."""
        for one, other in (("cooldown_min", "digest_min"), ("push", "url_file")):
            if getattr(self, one) and getattr(self, other):
                raise ValueError(f"`{one}` and `{other}` exclude each other: remove one of them")
        # Messages contain the path of a file that cannot be read, and must not contain an address.
        if "://" in self.url_file:
            raise ValueError(
                "`url_file` is an address: write the address into a file, and the path of that file"
                " here"
            )
        if self.min_duration_s >= 60.0 * self.max_age_min:
            raise ValueError("`min_duration_s` must be shorter than `max_age_min`")


def require_different_names(rules: tuple[NotifyRule, ...]) -> None:
    """Raise ValueError if two rules have the same name."""
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f'two tables [[notify]] have the name "{name}": rename one of them')
