"""The progress bar on a terminal and in a log."""

from __future__ import annotations

import io

from sdcard.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show_all(out: io.StringIO) -> str:
    """Show the progress from 0 to 1000 bytes, one second apart; return the output."""
    with Progress("Writing", 1000, out, iter(range(1, 10_000)).__next__) as progress:
        for done in range(0, 1001, 10):
            progress.update(done)
    return out.getvalue()


def test_terminal_shows_one_line() -> None:
    output = show_all(Terminal())
    assert output.count("\n") == 1
    assert "100%" in output


def test_log_shows_every_tenth() -> None:
    assert show_all(io.StringIO()).splitlines() == [f"Writing {10 * n}%" for n in range(1, 11)]
