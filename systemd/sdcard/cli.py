"""The command line of `make image`, `make flash` and `make firstrun`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.common.errors import UsageError, UserError


def main(arguments: Sequence[str] | None = None, program: str = "make") -> int:
    """Run a command; return its exit code. Errors that the user can fix are printed in one line.

    `program` is the program that the user has called; the command is its argument, if it has one.
    """
    options = _parser().parse_args(arguments)
    name = f"{program} {options.command}".strip()
    try:
        if options.needs_linux and sys.platform != "linux":
            raise UsageError(
                "needs Linux; on Windows and macOS, let Raspberry Pi Imager write the card, and"
                " prepare it with python3 systemd/firstrun.py"
            )
        options.do(options)
    except UserError as error:
        for line in str(error).splitlines():
            sys.stderr.write(f"{name}: {line}\n")
        return error.exit_code
    except OSError as error:
        path = error.filename or "a file"
        sys.stderr.write(f"{name}: {path}: {error.strerror or error}\n")
        return UserError.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sdcard",
        epilog="Exit codes: 0 success, 1 failure, 2 wrong usage or an error in site.toml.",
    )
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")

    image = commands.add_parser("image", help="make an image for a site (needs Linux)")
    image.add_argument("--base", type=Path, required=True, help="Raspberry Pi OS Lite (64-bit)")
    image.add_argument("--config", type=Path, required=True, help="site.toml")
    image.add_argument("--bundle", type=Path, required=True, help="bundle made by make bundle")
    image.add_argument("--out", type=Path, default=Path("mask-patrol.img"))
    image.set_defaults(do=_image, needs_linux=True)

    flash = commands.add_parser(
        "flash", help="write an image to a card and verify it (needs Linux)"
    )
    flash.add_argument("--device", type=Path, required=True, help="the whole disk, /dev/sdX")
    flash.add_argument("--image", type=Path, default=Path("mask-patrol.img"))
    flash.add_argument(
        "--yes",
        action="store_true",
        help="do not ask for confirmation, unless the disk is probably not an SD card",
    )
    flash.set_defaults(do=_flash, needs_linux=True)

    firstrun = commands.add_parser("firstrun", help="prepare a card with the stock image")
    firstrun.add_argument("--config", type=Path, required=True, help="site.toml")
    firstrun.add_argument(
        "--boot", type=Path, required=True, help="mount point of the card's boot partition"
    )
    firstrun.add_argument("--release", choices=("bookworm", "trixie"), required=True)
    firstrun.add_argument("--bundle", type=Path, help="bundle made by make bundle")
    firstrun.set_defaults(do=_firstrun, needs_linux=False)
    return parser


# Each command imports its modules when it runs, so that `make flash` does not need tomli-w.


def _image(options: argparse.Namespace) -> None:
    from sdcard.image import make_image
    from sdcard.site import load_site

    site = load_site(options.config)
    made = make_image(options.base, site, options.bundle, options.out)
    packages = f", {made.debs} Debian packages" if made.debs else ""
    size = f"{made.size_bytes / 1e9:.1f} GB{packages}"
    sys.stdout.write(
        f"{made.image}: {made.release.title()} for {site.file.hostname}, {size}\n"
        "The image contains your passwords. Write it with make flash DEVICE=/dev/sdX, or with"
        " Raspberry Pi Imager (Use custom; no customisation).\n"
    )


def _flash(options: argparse.Namespace) -> None:
    from sdcard.flash import confirm_in_advance, confirm_on_terminal, flash

    confirm = confirm_in_advance if options.yes else confirm_on_terminal
    flash(options.image, options.device, confirm)


def _firstrun(options: argparse.Namespace) -> None:
    from sdcard.firstrun import prepare
    from sdcard.site import load_site

    site = load_site(options.config)
    made = prepare(options.boot, options.release, site, options.bundle)
    bundle = "contains the bundle" if made.carries_bundle else "will download the bundle"
    sys.stdout.write(
        f"{made.folder}: ready for {made.release.title()}; the card {bundle}. Unmount the card. Its"
        " boot partition contains your passwords until the first boot deletes them.\n"
    )
