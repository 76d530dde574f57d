"""Prepare a card that Raspberry Pi Imager wrote, on Windows, macOS or Linux, with Python alone.

    python3 systemd/firstrun.py --config site.toml --boot E: --release trixie

The first call installs two small packages into .cache/firstrun, and downloads the wheels for the
device; it needs the internet for that.
"""

# Users have all kinds of Python: until `main` has checked the version, nothing newer than 3.7.
from __future__ import annotations

import argparse
import importlib.util
import io
import os
import re
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
ENVIRONMENT = ROOT / ".cache" / "firstrun"
#: What is needed to prepare a card, as pyproject.toml names it.
PACKAGES = ("msgspec", "tomli-w")
#: The Python of each release of Raspberry Pi OS, whose wheels the bundle needs.
PYTHONS = {"bookworm": "cp311", "trixie": "cp313"}


def main() -> int:
    """Prepare the card; return the exit code."""
    if sys.version_info[:2] < OLDEST:
        own = ".".join(map(str, sys.version_info[:2]))
        needed = ".".join(map(str, OLDEST))
        return fail(
            f"Python {needed} or later is needed, and this is {own}: https://www.python.org"
        )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # unencodable characters become ?
    options = parse_arguments()
    try:
        if missing_packages():
            return run_in_environment()
        sys.path[:0] = [str(ROOT), str(HERE)]
        return prepare(options)
    except KeyboardInterrupt:
        return 130


def parse_arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="firstrun.py",
        description="Prepare a card that Raspberry Pi Imager wrote, without customisation, so that"
        " a Raspberry Pi sets itself up with Mask Patrol at its first boot.",
        epilog="Exit codes: 0 success, 1 failure, 2 wrong usage or an error in site.toml.",
    )
    parser.add_argument(
        "--config",
        required=True,
        metavar="FILE",
        help="the description of the device: a copy of systemd/site.example.toml",
    )
    parser.add_argument(
        "--boot",
        required=True,
        metavar="FOLDER",
        help="the boot partition of the card: a drive such as E: on Windows, /Volumes/bootfs on"
        " macOS, /media/you/bootfs on Linux",
    )
    parser.add_argument(
        "--release", required=True, choices=sorted(PYTHONS), help="that of Raspberry Pi OS"
    )
    parser.add_argument(
        "--bundle", metavar="FILE", help="a bundle that exists already (default: make one)"
    )
    return parser.parse_args()


def missing_packages() -> list[str]:
    """Return the packages that this Python cannot import."""
    return [name for name in PACKAGES if importlib.util.find_spec(name.replace("-", "_")) is None]


def requirements() -> list[str]:
    """Return the requirements of the packages, as pyproject.toml states them."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    stated = [*project["dependencies"], *project["optional-dependencies"]["image"]]
    return [line for line in stated if re.split("[^A-Za-z0-9-]", line)[0] in PACKAGES]


def run_in_environment() -> int:
    """Run this program again, with a Python that has the packages; return its exit code."""
    import venv

    if Path(sys.prefix).resolve() == ENVIRONMENT:
        return fail(f"{ENVIRONMENT} is incomplete: delete it, and run this again")
    is_windows = os.name == "nt"
    python = ENVIRONMENT / ("Scripts/python.exe" if is_windows else "bin/python")
    sys.stdout.write(f"Installing {' and '.join(PACKAGES)} into {ENVIRONMENT} …\n")
    sys.stdout.flush()
    try:
        venv.create(ENVIRONMENT, with_pip=True, symlinks=not is_windows)
    except (OSError, subprocess.CalledProcessError):
        return fail(f"{ENVIRONMENT} cannot be made: is the module venv of Python installed?")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.call([*pip, *requirements()]):
        return fail(
            "the packages cannot be installed (see above): is there an internet connection?"
        )
    return subprocess.call([str(python), __file__, *sys.argv[1:]])


def prepare(options: argparse.Namespace) -> int:
    """Make a bundle, unless there is one, and write the card; return the exit code."""
    from bundle.build import make_bundle
    from bundle.errors import BundleError
    from sdcard.cli import main as card_command
    from sdcard.site import load_site

    from edge.common.errors import UserError

    bundle = options.bundle
    try:
        if not bundle and not load_site(Path(options.config)).file.download.url:
            python = PYTHONS[options.release]
            bundle = make_bundle("aarch64", [python], ROOT / "dist", unpacked=False)
    except UserError as error:
        return fail(str(error), error.exit_code)
    except (BundleError, OSError) as error:
        return fail(str(error))
    arguments = ["firstrun", "--config", options.config, "--boot", whole_drive(options.boot)]
    arguments += ["--release", options.release]
    return card_command(arguments + (["--bundle", str(bundle)] if bundle else []), program="")


def whole_drive(folder: str) -> str:
    """Return the path of a drive's root: `E:` alone is the present folder on that drive."""
    return folder + os.sep if os.name == "nt" and re.fullmatch("[A-Za-z]:", folder) else folder


def fail(text: str, code: int = 1) -> int:
    """Report an error, with the name of this program before each line; return the exit code."""
    for line in text.splitlines():
        sys.stderr.write(f"firstrun: {line}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
