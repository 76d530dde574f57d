from __future__ import annotations

import argparse

import pytest

from edge.cli.command_parser import WIDTH, add_command


@pytest.mark.parametrize(
    ("examples", "heading"), [(["do it"], "example:"), (["do it", "do more"], "examples:")]
)
def test_help_keeps_the_lines_of_examples(examples: list[str], heading: str) -> None:
    commands = argparse.ArgumentParser(prog="program").add_subparsers()
    parser = add_command(commands, "do", "do something", "word " * 40, examples)
    text = parser.format_help()
    assert "\n".join([heading, *(f"  {example}" for example in examples)]) in text
    assert max(len(line) for line in text.splitlines()) <= WIDTH
