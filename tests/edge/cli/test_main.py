from __future__ import annotations

import argparse
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cli.main import _host_and_port, _parser
from edge.common.errors import UsageError


def command_parsers() -> dict[str, argparse.ArgumentParser]:
    for action in _parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("there are no commands")


def run_python(code: str) -> str:
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return process.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("broker.lan", ("broker.lan", None)),
        ("192.168.1.5:8883", ("192.168.1.5", 8883)),
        ("[::1]:1884", ("::1", 1884)),
        ("[fe80::1]", ("fe80::1", None)),
    ],
)
def test_broker_address_is_split(text: str, expected: tuple[str, int | None]) -> None:
    assert _host_and_port(text) == expected


@pytest.mark.parametrize("text", ["", ":1883", "host:", "host:port", "host:1.5", "host:-1", "a:²"])
def test_invalid_broker_address_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="--broker must be HOST, HOST:PORT or"):
        _host_and_port(text)


@given(st.text(max_size=20))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    try:
        host, _ = _host_and_port(text)
    except UsageError:
        return
    assert host


@pytest.mark.parametrize("name", ["run", "detect", "check", "watch", "status", "update"])
def test_every_option_of_a_command_is_explained(name: str) -> None:
    parser = command_parsers()[name]
    assert all(action.help for action in parser._actions)
    assert parser.epilog is not None
    assert parser.epilog.count("mask-patrol ") >= 1


@pytest.mark.parametrize("name", ["run", "detect", "check", "watch", "status", "update"])
def test_examples_in_the_help_are_valid(name: str) -> None:
    epilog = command_parsers()[name].epilog or ""
    for example in re.findall(r"mask-patrol (.+)", epilog):
        assert _parser().parse_args(example.split()).do


def test_help_imports_neither_opencv_nor_a_runtime() -> None:
    output = run_python(
        "import sys; from edge.cli.main import main\n"
        "try: main(['run', '--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('cv2', 'numpy', 'paho', 'tflite_runtime') if m in sys.modules])"
    )
    assert "--source SOURCE" in output
    assert output.strip().endswith("[]")


@pytest.mark.slow
def test_edge_imports_no_other_stage() -> None:
    output = run_python(
        "import pkgutil, importlib, sys, edge\n"
        "for m in pkgutil.walk_packages(edge.__path__, 'edge.'):\n"
        "    if not m.name.endswith('__main__'): importlib.import_module(m.name)\n"
        "print([m for m in ('tensorflow', 'keras', 'training', 'convert') if m in sys.modules])"
    )
    assert output.strip() == "[]"
