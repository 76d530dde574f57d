"""The command line of `make image`, `make flash` and `make firstrun`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.common.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code; shows no traceback for what a user can mend."""
    options = _parser().parse_args(arguments)
    try:
        options.do(options)
    except UserError as error:
        for line in str(error).splitlines():
            sys.stderr.write(f"make {options.command}: {line}\n")
        return error.exit_code
    except OSError as error:
        where = error.filename or "a file"
        sys.stderr.write(f"make {options.command}: {where}: {error.strerror or error}\n")
        return UserError.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sdcard", epilog="Exit codes: 0 fine, 1 failed, 2 wrong usage or site.toml."
    )
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")

    image = commands.add_parser("image", help="make an image for a site")
    image.add_argument("--base", type=Path, required=True, help="Raspberry Pi OS Lite (64-bit)")
    image.add_argument("--config", type=Path, required=True, help="site.toml")
    image.add_argument("--bundle", type=Path, required=True, help="as make bundle makes it")
    image.add_argument("--out", type=Path, default=Path("mask-patrol.img"))
    image.set_defaults(do=_image)

    flash = commands.add_parser("flash", help="write an image onto a card, and verify it")
    flash.add_argument("--device", type=Path, required=True, help="the whole disk, /dev/sdX")
    flash.add_argument("--image", type=Path, default=Path("mask-patrol.img"))
    flash.add_argument(
        "--yes",
        action="store_true",
        help="do not ask; a disk that is hardly a card is asked for nonetheless",
    )
    flash.set_defaults(do=_flash)

    firstrun = commands.add_parser("firstrun", help="files for a card with the stock image")
    firstrun.add_argument("--config", type=Path, required=True, help="site.toml")
    firstrun.add_argument(
        "--boot", type=Path, required=True, help="the card's boot partition, mounted"
    )
    firstrun.add_argument("--release", choices=("bookworm", "trixie"), required=True)
    firstrun.add_argument("--bundle", type=Path, help="as make bundle makes it")
    firstrun.set_defaults(do=_firstrun)
    return parser


# Each command imports what it needs when it is called.


def _image(options: argparse.Namespace) -> None:
    from sdcard.image import make_image
    from sdcard.site import load_site

    site = load_site(options.config)
    made = make_image(options.base, site, options.bundle, options.out)
    packages = f", {made.debs} Debian packages" if made.debs else ""
    size = f"{made.size_bytes / 1e9:.1f} GB{packages}"
    sys.stdout.write(
        f"{made.image}: {made.release.title()} for {site.file.hostname}, {size}\n"
        "It holds your passwords. Write it with make flash DEVICE=/dev/sdX, or with Raspberry Pi"
        " Imager (Use custom; no customisation).\n"
    )


def _flash(options: argparse.Namespace) -> None:
    from sdcard.flash import agree, ask_on_terminal, flash

    flash(options.image, options.device, agree if options.yes else ask_on_terminal)


def _firstrun(options: argparse.Namespace) -> None:
    from sdcard.firstrun import prepare
    from sdcard.site import load_site

    site = load_site(options.config)
    made = prepare(options.boot, options.release, site, options.bundle)
    how = "with the bundle on it" if made.carries_bundle else "which downloads the bundle"
    sys.stdout.write(
        f"{made.folder}: ready for {made.release.title()}, {how}. Unmount the card; it holds your"
        " passwords until the first boot takes them off the boot partition.\n"
    )
