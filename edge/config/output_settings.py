"""The tables `[[output]]`: pins that are switched, and programs that are run, at alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

import msgspec

from edge.config.hours import Hours
from edge.config.toml_schema import Section, text_rule

#: A Raspberry Pi has 28 pins; `health` reports on each output.
MAX_OUTPUTS = 12
PinNumber = Annotated[int, msgspec.Meta(ge=0, le=53)]
PinName = Annotated[
    str,
    text_rule(
        r"^((GPIO|BOARD)[0-9]{1,2}|J8:[0-9]{1,2})\Z",
        'the number of a GPIO, such as 17, or a name such as "GPIO17" or "BOARD11"',
    ),
]
OutputName = Annotated[
    str,
    text_rule(
        r"^[A-Za-z0-9._-]{0,32}\Z",
        "at most 32 letters from A to Z or a to z, digits and the characters . _ -, such as"
        ' "light"',
    ),
]
AlertLabel = Literal["no_mask", "incorrect_mask"]
EventName = Literal["no_mask_start", "no_mask_end"]
#: A duration that a pin can follow. Shorter ones would wear a relay out and show nothing.
SwitchSeconds = Annotated[float, msgspec.Meta(ge=0.05, le=3600.0)]
#: A program and its arguments, each of which the system can pass on.
Command = tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=4096)], ...]


class OutputSettings(Section, frozen=True, kw_only=True):
    """One output: a pin that is switched at alerts, or a program that is run at their events."""

    #: An error about an unknown setting of this table lists those that are known.
    lists_known: ClassVar[bool] = True

    name: OutputName = ""
    pin: PinNumber | PinName | None = None
    active: Literal["high", "low"] = "high"
    mode: Literal["on", "pulse", "blink"] = "on"
    on_s: SwitchSeconds = 0.5
    off_s: SwitchSeconds = 0.5
    min_on_s: Annotated[float, msgspec.Meta(ge=0.0, le=3600.0)] = 0.0
    command: Command = ()
    timeout_s: Annotated[float, msgspec.Meta(gt=0.0, le=3600.0)] = 10.0
    max_running: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1
    events: Annotated[tuple[EventName, ...], msgspec.Meta(min_length=1)] = ("no_mask_start",)
    labels: tuple[AlertLabel, ...] = ()
    hours: Hours = Hours()

    def __post_init__(self) -> None:
        """Raise ValueError if the output is incomplete, or if settings contradict each other."""
        if not self.name:
            raise ValueError('`name` is missing: give the output a name, such as "light"')
        if (self.pin is None) is not bool(self.command):
            raise ValueError("set `pin` or `command`, one of the two")
        for setting, needed in self._unused():
            raise ValueError(f"`{setting}` has no effect without {needed}: remove it")

    def _unused(self) -> Iterator[tuple[str, str]]:
        """Yield each setting that is given and has no effect, with what gives it an effect."""
        rules: dict[str, tuple[str, bool]] = {
            "active": ("`pin`", self.pin is not None),
            "mode": ("`pin`", self.pin is not None),
            "on_s": ('`mode = "pulse"` or "blink"', self.mode != "on"),
            "off_s": ('`mode = "blink"`', self.mode == "blink"),
            "min_on_s": (
                'a `pin` with `mode = "on"` or "blink"',
                self.pin is not None and self.mode != "pulse",
            ),
            "timeout_s": ("`command`", bool(self.command)),
            "max_running": ("`command`", bool(self.command)),
            "events": ('`command` or `mode = "pulse"`', bool(self.command) or self.mode == "pulse"),
        }
        defaults = {field.name: field.default for field in msgspec.structs.fields(type(self))}
        for setting, (needed, has_effect) in rules.items():
            if not has_effect and getattr(self, setting) != defaults[setting]:
                yield setting, needed

    @property
    def pin_name(self) -> str:
        """The name of the pin, such as `GPIO17`; empty for a program."""
        if self.pin is None:
            return ""
        return f"GPIO{self.pin}" if isinstance(self.pin, int) else self.pin


def require_distinct(outputs: Sequence[OutputSettings]) -> None:
    """Raise ValueError if two outputs have the same name or the same pin."""
    names: set[str] = set()
    pins: dict[str, str] = {}
    for output in outputs:
        if output.name in names:
            raise ValueError(f'two outputs are called "{output.name}": rename one of them')
        names.add(output.name)
        if (pin := output.pin_name) in pins:
            raise ValueError(
                f'the outputs "{pins[pin]}" and "{output.name}" have the same pin, {pin}'
            )
        if pin:
            pins[pin] = output.name


def require_raised(outputs: Sequence[OutputSettings], alert_on: Sequence[str]) -> None:
    """Raise ValueError if an output is for a label that is not in `alert_on`."""
    for output in outputs:
        for label in output.labels:
            if label not in alert_on:
                raise ValueError(
                    f'the output "{output.name}" is for {label}, which `events.alert_on` does not'
                    " contain"
                )
