"""The option `--data` of the commands that take pictures with boxed faces."""

from __future__ import annotations

import argparse

from training.data.command_options import add_folders_option
from training.face_detector.pictures.read_pictures import BOXED_LAYOUTS


def add_boxed_data_option(parser: argparse.ArgumentParser) -> None:
    """Add the required option `--data`; `--help` ends with a drawing of the layouts."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = BOXED_LAYOUTS + (parser.epilog or "")
    add_folders_option(
        parser,
        "folders of pictures in which every face is boxed, each in one of the layouts drawn below;"
        " the option may be repeated",
    )
