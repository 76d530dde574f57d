from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cli.main import _host_and_port
from edge.common.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("broker.lan", ("broker.lan", None)),
        ("192.168.1.5:8883", ("192.168.1.5", 8883)),
        ("[::1]:1884", ("::1", 1884)),
        ("[fe80::1]", ("fe80::1", None)),
    ],
)
def test_addresses_of_brokers(text: str, expected: tuple[str, int | None]) -> None:
    assert _host_and_port(text) == expected


@pytest.mark.parametrize("text", ["", ":1883", "host:", "host:port", "host:1.5", "host:-1", "a:²"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError, match="--broker is HOST, HOST:PORT or"):
        _host_and_port(text)


@given(st.text(max_size=20))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    try:
        host, _ = _host_and_port(text)
    except UsageError:
        return
    assert host


def test_help_needs_neither_opencv_nor_a_runtime() -> None:
    code = (
        "import sys; from edge.cli.main import main\n"
        "try: main(['run', '--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('cv2', 'numpy', 'paho', 'tflite_runtime') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "--source WHERE" in result.stdout
    assert result.stdout.strip().endswith("[]")


def test_the_edge_never_imports_the_other_stages() -> None:
    code = (
        "import pkgutil, importlib, sys, edge\n"
        "for m in pkgutil.walk_packages(edge.__path__, 'edge.'):\n"
        "    if not m.name.endswith('__main__'): importlib.import_module(m.name)\n"
        "print([m for m in ('tensorflow', 'keras', 'training', 'convert') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
