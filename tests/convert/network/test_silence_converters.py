"""The output of the converters is suppressed; if they fail, that of their C++ code is shown."""

from __future__ import annotations

import os
import sys
import warnings

import pytest

from convert.network.silence_converters import quiet

pytestmark = pytest.mark.slow


def write_everywhere() -> None:
    """Write to standard output and standard error, both as Python code and as C++ code does."""
    print("by Python")
    sys.stderr.write("by Python\n")
    os.write(2, b"by C++\n")
    warnings.warn("a warning", stacklevel=1)


def test_output_of_success_is_suppressed(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        write_everywhere()
    assert capfd.readouterr() == ("", "")


def test_output_after_the_block_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        write_everywhere()
    print("later")
    os.write(2, b"later\n")
    assert capfd.readouterr() == ("later\n", "later\n")


@quiet()
def fail() -> None:
    write_everywhere()
    raise ValueError("the conversion failed")


def test_native_output_of_failure_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="the conversion failed"):
        fail()
    assert "by C++\n" in capfd.readouterr().err
