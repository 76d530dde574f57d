from __future__ import annotations

import io

from edge.common.stage_times import Quantiles
from edge.common.terminal import CLEAR_LINE, Terminal, stage_table


class FakeTty(io.StringIO):
    """Text output that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def test_status_line_stays_below_permanent_lines() -> None:
    out = FakeTty()
    terminal = Terminal(out)
    terminal.show("first")
    terminal.status("10 frames")
    terminal.show("second")
    assert out.getvalue() == (f"first\n{CLEAR_LINE}10 frames{CLEAR_LINE}second\n10 frames")


def test_empty_status_removes_the_status_line() -> None:
    out = FakeTty()
    terminal = Terminal(out)
    terminal.status("")
    terminal.status("10 frames")
    terminal.status("")
    terminal.show("last")
    assert out.getvalue() == f"{CLEAR_LINE}10 frames{CLEAR_LINE}last\n"


def test_status_line_is_not_written_to_a_file() -> None:
    out = io.StringIO()
    terminal = Terminal(out)
    terminal.status("10 frames")
    terminal.show("line")
    assert out.getvalue() == "line\n"


def test_stage_table_has_a_line_per_stage() -> None:
    table = stage_table({"detect": Quantiles(1.234, 5.678, 42), "other": Quantiles(1.0, 2.0, 3)})
    assert table == [
        "stage         median       p95    runs",
        "detect       1.23 ms   5.68 ms      42   find faces",
        "other        1.00 ms   2.00 ms       3",
    ]
