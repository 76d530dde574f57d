"""The laptop of README.md: its terminal, SSH to the Raspberry Pi, and its browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.pi.device import ROOT
from tests.pi.lan import OWN
from tests.support.camera.mjpeg_server import MjpegCamera
from tests.support.dashboard.dashboards import chromium, playwright
from tests.support.dashboard.http_client import PASSWORD
from tests.support.footage.visit_clip import BARE_S, EMPTY_S, frame_at
from tests.support.multicast_dns import address_of
from tests.support.waiting import wait_until

#: Time limit for a first boot with an installation, which takes half an hour on a busy computer.
SETUP_S = 3600.0
REPORTS = ROOT / "runs" / "pi"
#: Output that shows that a command waits for an answer.
PROMPT = re.compile(r"(?:^|\n)([^\n]*): $")
#: What the installer and the dashboard print for the first log-in.
FIRST_LOG_IN = re.compile(r"No password is set yet: open (\S+) and enter the code (\S+?)\r?\n")
#: Of the scenes: an empty doorway, and a person without a mask.
NOBODY, SOMEBODY = ([frame_at(at_s), frame_at(at_s + 0.3)] for at_s in (EMPTY_S, BARE_S))


class Laptop:
    """Runs what README.md says, and reports each step with its duration.

    The report is printed, and written to `runs/pi/NAME.txt`; the output of the commands is written
    to `runs/pi/NAME.log`. The load of this computer, on which the durations depend, is reported,
    too.
    """

    def __init__(self, name: str, key: Path) -> None:
        """`key` is the private SSH key of the user `pi`."""
        self._key = key
        REPORTS.mkdir(parents=True, exist_ok=True)
        self._report = REPORTS / f"{name}.txt"
        for suffix in (".txt", ".log"):
            self._report.with_suffix(suffix).write_text("")
        self.address = ""

    def note(self, step: str, seconds: float) -> None:
        """Report a step."""
        line = f"{seconds:7.1f} s  (load {os.getloadavg()[0]:4.1f})  {step}\n"
        with self._report.open("a") as file:
            file.write(line)
        sys.stdout.write(line)

    def find(self, name: str, since_s: float) -> None:
        """Wait until the local network knows `name`, and its SSH accepts the key."""
        self.address = address_of(name, OWN, SETUP_S)
        self.note(f"the network answers for {name}", time.monotonic() - since_s)

        def is_up() -> bool:
            return (
                subprocess.run(self._ssh("true"), capture_output=True, check=False).returncode == 0
            )

        wait_until(is_up, f"ssh pi@{name}", SETUP_S)
        self.note(f"$ ssh pi@{name}", time.monotonic() - since_s)

    def run(self, command: str, cwd: Path) -> str:
        """Run a command on the laptop, whose Python has no packages; return its output."""
        bare = ["env", "-u", "PYTHONPATH", f"PATH={sys.base_prefix}/bin:/usr/bin:/bin"]
        return self._timed(command, [*bare, "bash", "-c", command], {}, "", cwd)

    def ssh(
        self,
        command: str,
        answers: Mapping[str, str] | None = None,
        until: str = "",
        folder: str = ".",
    ) -> str:
        """Run a command on the Raspberry Pi, in `folder`; return its output.

        The command has a terminal, and gets the answer to each question in `answers`. With
        `until`, the command is ended when its output contains a match of this expression. Raises
        AssertionError with the output if the command fails.
        """
        line = self._ssh(f"cd {folder} && {command}")
        return self._timed(command, line, dict(answers or {}), until, None)

    def _ssh(self, command: str) -> list[str]:
        return [
            "ssh", "-tt", "-q", "-i", str(self._key), "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "ConnectTimeout=60", f"pi@{self.address}", command,
        ]  # fmt: skip

    def _timed(
        self, shown: str, command: list[str], answers: dict[str, str], until: str, cwd: Path | None
    ) -> str:
        began_s = time.monotonic()
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        seen, output = "", ""
        while part := os.read(process.stdout.fileno(), 4096):
            output += part.decode(errors="replace").replace("\r\n", "\n")
            if until and re.search(until, output):
                process.terminate()
                break
            question = PROMPT.search(output[len(seen) :])
            if question and question[1] in answers:
                seen = output
                process.stdin.write(answers.pop(question[1]).encode() + b"\n")
                process.stdin.flush()
        code = process.wait()
        with self._report.with_suffix(".log").open("a") as log:
            log.write(f"$ {shown}\n{output}\n")
        self.note(f"$ {shown}", time.monotonic() - began_s)
        assert code == 0 or until, f"{shown}: {code}\n{output}"
        assert not answers, f"{shown} did not ask: {answers}\n{output}"
        return output

    def see_an_alert(self, printed: str, camera: MjpegCamera) -> None:
        """Open the printed address in a browser, log in, and wait for an alert on the page."""
        found = FIRST_LOG_IN.search(printed)
        assert found is not None, printed
        address, code = found.groups()
        host = re.sub(r"^https?://([^:/]+).*", r"\1", address)
        # The browser cannot ask by multicast DNS; the system of a laptop does that for it.
        known = f"--host-resolver-rules=MAP {host} {address_of(host, OWN, SETUP_S)}"
        camera.show(NOBODY)
        began_s = time.monotonic()
        with playwright() as driver, chromium(driver, known) as browser:
            page = browser.new_page()
            page.set_default_timeout(1000.0 * SETUP_S)
            page.goto(address)
            for field, text in (("code", code), ("password", PASSWORD), ("again", PASSWORD)):
                page.fill(f"#{field}", text)
            page.keyboard.press("Enter")
            page.wait_for_url(re.compile(f"^{address.removesuffix('setup')}$"))
            page.wait_for_selector("#devices .name")
            self.note(f"the browser at {address}, up to the Live page", time.monotonic() - began_s)
            page.wait_for_function("() => known.online && known.link.connected")
            began_s = time.monotonic()
            camera.show(SOMEBODY)
            page.wait_for_selector("#alerts li.open >> text=no mask")
            self.note(
                "a person without a mask, up to the alert on the page", time.monotonic() - began_s
            )
            page.screenshot(path=self._report.with_suffix(".png"))
