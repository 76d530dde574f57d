"""Switches the pins in their own thread, as their schedules say."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.common.clock import local_time
from edge.common.errors import UsageError, UserError
from edge.common.stage_times import HUNG_S
from edge.config.output_settings import OutputSettings
from edge.events.alert_machine import Event
from edge.outputs.pin import GpioPin, Pin
from edge.outputs.pin_schedule import PinSchedule
from edge.outputs.state import PinState

log = logging.getLogger(__name__)

#: Seconds until a pin that could not be used is opened again.
RETRY_S = 30.0
#: How often the hours, and whether the loop hangs, are looked at while a pin is or will be on.
TICK_S = 0.5
#: Longest wait for the thread to switch all pins off. It may hang in a driver.
STOP_TIMEOUT_S = 1.0


@dataclass
class _Output:
    settings: OutputSettings
    schedule: PinSchedule
    pin: Pin | None = None
    on: bool = False
    problem: str = ""
    retry_at_s: float = 0.0

    @property
    def state(self) -> PinState:
        return PinState(self.settings.name, self.settings.pin_name, self.on, self.problem)


class PinController:
    """Switches pins on and off from `start` until `stop`, which switches all of them off.

    One thread, that of the loop, calls the methods. `update` and `change` only hand over, and never
    wait for a pin. All pins are off while the loop
    hangs: an alert whose end cannot be noticed must not keep a siren on.
    """

    def __init__(
        self,
        idle_s: Callable[[], float],
        open_pin: Callable[[OutputSettings], Pin] = GpioPin,
        clock: Callable[[], float] = time.monotonic,
        local: Callable[[], tuple[int, int]] = local_time,
    ) -> None:
        """`idle_s` returns the time since the loop last completed a turn; `clock` never goes
        backwards; `local` returns the day of the week (0: Monday) and the minute of the day."""
        self._idle_s = idle_s
        self._open_pin = open_pin
        self._clock = clock
        self._local = local
        self._handed_over = threading.Condition()
        self._inbox: list[Event | tuple[OutputSettings, ...]] = []
        self._stopping = False
        self._thread: threading.Thread | None = None
        # The thread alone uses what follows, once it runs; others read the reference `states`.
        self._outputs: list[_Output] = []
        self._running: dict[str, str] = {}
        self._hangs = False
        #: The states of all pins.
        self.states: tuple[PinState, ...] = ()

    def start(self, outputs: Sequence[OutputSettings]) -> None:
        """Open the pins of `outputs`, all off, and begin to switch them.

        A pin that cannot be used now is reported in the log and in `states`, and is tried again.
        Raises UsageError, with all pins closed, if one can never be used.
        """
        try:
            for settings in outputs:
                self._add(settings)
        except UsageError:
            self._close_all()
            raise
        self._report()
        if self._outputs:
            self._run_in_thread()

    def check(self, outputs: Sequence[OutputSettings]) -> None:
        """Open and close each pin that is not open yet; raises UserError if one cannot be used."""
        known = {state.pin for state in self.states}
        for settings in outputs:
            if settings.pin_name not in known:
                self._open_pin(settings).close()

    def update(self, event: Event) -> None:
        """Take the start or the end of an alert into account."""
        if self._thread is None:  # there are no pins; a reload may add some
            self._note(event)
        else:
            self._hand_over(event)

    def change(self, outputs: Sequence[OutputSettings]) -> None:
        """Replace the outputs. Those that are the same keep their state; the pins of all others are
        switched off first, and on again if an alert runs for which they are to be on."""
        if self._thread is not None or outputs:
            self._hand_over(tuple(outputs))
        if self._thread is None and outputs:
            self._run_in_thread()

    def stop(self) -> None:
        """Switch all pins off and close them; waits for at most `STOP_TIMEOUT_S`."""
        with self._handed_over:
            self._stopping = True
            self._handed_over.notify()
        if self._thread is not None:
            self._thread.join(STOP_TIMEOUT_S)
            if self._thread.is_alive():
                log.error("a pin does not respond: the outputs may not be off")

    def _hand_over(self, item: Event | tuple[OutputSettings, ...]) -> None:
        with self._handed_over:
            self._inbox.append(item)
            self._handed_over.notify()

    def _run_in_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name="outputs", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            wait_s = 0.0
            while True:
                with self._handed_over:
                    self._handed_over.wait_for(lambda: self._inbox or self._stopping, wait_s)
                    items, self._inbox = self._inbox, []
                    if self._stopping:
                        return
                for item in items:
                    self._take(item)
                wait_s = self._switch_all()
        except Exception:  # a fault here must not end the daemon
            log.exception("the outputs failed: all pins are off until the next start of the daemon")
            for output in self._outputs:
                output.problem = "the outputs failed; see the daemon's log"
        finally:
            self._close_all()

    def _take(self, item: Event | tuple[OutputSettings, ...]) -> None:
        if isinstance(item, Event):
            self._note(item)
            for output in self._outputs:
                output.schedule.update(item, self._clock())
            return
        kept = [output for output in self._outputs if output.settings in item]
        for output in self._outputs:
            if output not in kept:
                self._close(output)
        self._outputs = kept
        for settings in item:
            if all(settings != output.settings for output in kept):
                try:
                    self._add(settings)
                except UsageError as error:
                    log.error("the output %s is not used: %s", settings.name, error)

    def _note(self, event: Event) -> None:
        """Keep which alerts run."""
        if event.event_type == "no_mask_start":
            self._running[event.episode] = event.label
        else:
            self._running.pop(event.episode, None)

    def _add(self, settings: OutputSettings) -> None:
        """Add an output; raises UsageError if its pin can never be used."""
        schedule = PinSchedule(settings, self._running, self._clock())
        output = _Output(settings, schedule)
        self._outputs.append(output)
        try:
            output.pin = self._open_pin(settings)
        except UsageError as error:
            output.problem, output.retry_at_s = str(error), math.inf
            raise
        except UserError as error:
            self._fail(output, error)

    def _switch_all(self) -> float:
        """Switch each pin as its schedule says; return for how many seconds that holds."""
        now_s, hangs = self._clock(), self._idle_s() > HUNG_S
        if hangs is not self._hangs:
            self._hangs = hangs
            if hangs and any(output.on for output in self._outputs):
                log.error("the loop hangs: all outputs are switched off until it continues")
        until_s = math.inf
        for output in self._outputs:
            until_s = min(until_s, self._switch(output, now_s))
        self._report()
        return min(max(0.0, until_s - self._clock()), threading.TIMEOUT_MAX)

    def _switch(self, output: _Output, now_s: float) -> float:
        """Switch one pin; return the time until which that holds."""
        if output.pin is None:
            if now_s < output.retry_at_s:
                return output.retry_at_s
            self._open_again(output)
        level = output.schedule.level(now_s)
        on = level.on and not self._hangs and output.settings.hours.include(*self._local())
        if on is not output.on and output.pin is not None:
            try:
                output.pin.switch(on)
                output.on = on
            except UserError as error:
                self._close(output)
                self._fail(output, error)
        if output.pin is None:
            return output.retry_at_s
        if level.on or level.until_s < math.inf:
            return min(level.until_s, now_s + TICK_S)
        return math.inf

    def _open_again(self, output: _Output) -> None:
        try:
            output.pin = self._open_pin(output.settings)
        except UserError as error:
            self._fail(output, error)
            return
        output.problem = ""
        log.warning("the output %s works again", output.settings.name)

    def _fail(self, output: _Output, error: UserError) -> None:
        """Report that a pin cannot be used, once, and have it opened again later."""
        level = logging.DEBUG if output.problem == str(error) else logging.ERROR
        log.log(level, "the output %s does not work: %s", output.settings.name, error)
        output.problem, output.retry_at_s = str(error), self._clock() + RETRY_S

    def _close(self, output: _Output) -> None:
        pin, output.pin, output.on = output.pin, None, False
        if pin is None:
            return
        try:
            pin.close()
        except UserError as error:
            log.error("the output %s may not be off: %s", output.settings.name, error)

    def _close_all(self) -> None:
        for output in self._outputs:
            self._close(output)
        self._report()

    def _report(self) -> None:
        self.states = tuple(output.state for output in self._outputs)
