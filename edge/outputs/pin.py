"""A pin that is switched: an interface, and its implementation by gpiozero.

gpiozero uses lgpio, which opens the kernel's /dev/gpiochip*. With GPIOZERO_PIN_FACTORY=mock in the
environment it uses pins without hardware.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from edge.common.errors import UsageError, UserError, first_line
from edge.config.output_settings import OutputSettings
from edge.outputs.lgpio_import import import_lgpio

#: The variable with which gpiozero is told to use other pins than those of lgpio.
FACTORY_VARIABLE = "GPIOZERO_PIN_FACTORY"
CHIPS = "gpiochip*"
INSTALL = (
    "sudo apt install python3-gpiozero python3-lgpio, or pip install '.[gpio]' in a clone of the"
    " repository"
)
GRANT = (
    "for the installed service: sudo mask-patrol outputs setup; for yourself: sudo usermod -aG gpio"
    " $USER, then log in again"
)


class Pin(Protocol):
    """A pin that is an output while it is open."""

    def switch(self, on: bool) -> None:
        """Switch on or off; raises UserError when that fails."""

    def close(self) -> None:
        """Switch off, and make the pin an input that its resistor keeps at the level of off.

        Raises UserError when that fails. Calling it again has no effect.
        """


class PinBusyError(UserError):
    """Another program uses the pin."""


class GpioPin:
    """A pin of gpiozero; switched off when it is opened."""

    def __init__(self, settings: OutputSettings) -> None:
        """Open the pin of `settings`.

        Raises UsageError if gpiozero is missing, or if the board has no such pin, or if the pin
        would be on without the daemon; PinBusyError if another program uses the pin; and UserError
        if it cannot be used for another reason.
        """
        gpiozero = _gpiozero()
        factory = _pin_factory()
        self._name = settings.pin_name
        #: The resistor that keeps the pin at the level of off.
        self._pull = "down" if settings.active == "high" else "up"
        try:
            self._pin: Any = factory.pin(settings.pin)
            self._require_safe()
            self._device: Any = gpiozero.DigitalOutputDevice(
                settings.pin, active_high=settings.active == "high", pin_factory=factory
            )
        except gpiozero.PinInvalidPin:
            raise UsageError(
                f"{self._name} is no pin of this board that can be switched: correct `pin`"
            ) from None
        except UserError:
            raise
        except Exception as error:  # lgpio and gpiozero raise many kinds
            raise _pin_error(self._name, error) from None

    def switch(self, on: bool) -> None:
        """Switch on or off; raises UserError when that fails."""
        try:
            self._device.value = on
        except Exception as error:  # lgpio and gpiozero raise many kinds
            raise _pin_error(self._name, error) from None

    def close(self) -> None:
        """Switch off, and make the pin an input that its resistor keeps at the level of off.

        Raises UserError when that fails. Calling it again has no effect.
        """
        if self._device.closed:
            return
        try:
            self._device.off()
            # gpiozero leaves an input without a resistor, whose level floats: the transistor of a
            # relay may conduct then.
            self._device.close()
            self._pin.pull = self._pull
        except Exception as error:  # lgpio and gpiozero raise many kinds
            raise _pin_error(self._name, error) from None

    def _require_safe(self) -> None:
        """Raise UsageError if a resistor on the board keeps the pin at the level of on."""
        fixed = self._pin.info.pull
        if fixed and fixed != self._pull:
            active = "low" if fixed == "up" else "high"
            raise UsageError(
                f"{self._name} has a pull-{fixed} resistor on the board, which would switch this"
                f' output on while the daemon does not run: use another pin, or active = "{active}"'
            )


def _pin_error(name: str, error: Exception) -> UserError:
    """Return what to tell the user about an `error` of the libraries at the pin called `name`."""
    text = first_line(error).strip("'\"")
    if type(error).__name__ == "GPIOPinInUse":  # by this process; the same pin has several names
        return PinBusyError(
            f"{name} is in use by another output of this daemon: give each output a pin of its own"
        )
    if "busy" in text.lower():
        return PinBusyError(
            f"{name} is in use by another program, or by the kernel (dtoverlay and dtparam in"
            " /boot/firmware/config.txt): free it, or use another pin"
        )
    return UserError(f"{name} cannot be used: {text}")


def _gpiozero() -> Any:
    """Return the module gpiozero; raises UsageError if it is missing."""
    try:
        import gpiozero
    except ImportError as error:
        raise _missing(error) from None
    return gpiozero


@cache
def _pin_factory() -> Any:
    """Return gpiozero's access to the pins; raises UsageError or UserError.

    It is lgpio unless the environment names another one. What gpiozero itself uses without lgpio
    writes into the memory of the processor, or does not work on a Raspberry Pi 5.
    """
    gpiozero = _gpiozero()
    if (os.environ.get(FACTORY_VARIABLE) or "lgpio") != "lgpio":
        try:
            gpiozero.Device.ensure_pin_factory()
        except Exception as error:  # each of these libraries raises other kinds
            raise UsageError(f"{FACTORY_VARIABLE}: {first_line(error)}") from None
        return gpiozero.Device.pin_factory
    try:
        import_lgpio()
        from gpiozero.pins.lgpio import LGPIOFactory
    except ImportError as error:
        raise _missing(error) from None
    try:
        return LGPIOFactory()
    except gpiozero.PinUnknownPi:
        raise UserError("pins need a Raspberry Pi, and this machine is none") from None
    except Exception as error:  # the class of lgpio's errors is not public
        raise UserError(_chip_problem() or f"no pin can be used: {first_line(error)}") from None


def _missing(error: ImportError) -> UsageError:
    return UsageError(f"pins need the libraries gpiozero and lgpio ({error}): {INSTALL}")


def _chip_problem(devices: Path = Path("/dev")) -> str:
    """Return why the kernel's GPIO devices in `devices` cannot be opened; empty if they can."""
    chips = sorted(devices.glob(CHIPS))
    if not chips:
        return (
            f"there is no {devices / CHIPS}: this machine has no pins, or its kernel lacks their"
            " driver"
        )
    for chip in chips:
        try:
            with chip.open("r+b", buffering=0):
                pass
        except OSError as error:
            return f"{chip} cannot be opened ({error.strerror}); {GRANT}"
    return ""
