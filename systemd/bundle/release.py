"""`make release`: build what users download, with checksums and their signature.

The files depend on the commit only: wheels of other packages are pinned by their digests, and times
are those of the commit.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from bundle.build import (
    SIGNATURE_SUFFIX,
    SUMS,
    build_wheel,
    checksums,
    fill_folder,
    pack,
    print_progress,
    project_version,
)
from bundle.commit import read_commit
from bundle.errors import BundleError
from bundle.sbom import sbom
from bundle.signing import fingerprint, require_key, sign
from bundle.wheels import MACHINES, PYTHONS, ROOT

CHANGELOG = ROOT / ".github" / "CHANGELOG.md"


def make_release(
    machines: Iterable[str], pythons: Sequence[str], out: Path, key: Path | None
) -> None:
    """Put the release of the present commit into the folder `out`.

    It consists of the wheel, a bundle and its bill of materials for each of `machines`, SHA256SUMS,
    and, if a private key is given, the signatures of the bundles and of SHA256SUMS. Raises
    BundleError.
    """
    commit, version = read_commit(), project_version()
    require_changelog(version)
    if key is not None:
        require_key(key)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="release-", dir=out) as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        print_progress(f"Building mask-patrol {version} of commit {commit.digest[:12]} …")
        wheel = build_wheel(made, commit.time_s)
        for machine in machines:
            top = Path(temporary) / machine / f"mask-patrol-{version}"
            top.mkdir(parents=True)
            fill_folder(top, machine, pythons, wheel)
            signature = None if key is None else sign((top / SUMS).read_bytes(), key)
            name = f"mask-patrol-{version}-{MACHINES[machine]}"
            pack(top, made / f"{name}.tar", commit.time_s, signature)
            text = sbom(top / "wheels", wheel, machine, commit)
            (made / f"{name}.cdx.json").write_text(text, encoding="utf-8")
            shutil.rmtree(top)
        sums, signature_file = made / SUMS, made / f"{SUMS}{SIGNATURE_SUFFIX}"
        sums.write_text(checksums(made), encoding="ascii")
        signer = None
        if key is not None:
            signature_file.write_bytes(sign(sums.read_bytes(), key))
            signer = fingerprint(sums.read_bytes(), signature_file)
        _replace_files(made, out)
    if signer is None:
        print_progress("Not signed: make release SIGN_KEY=KEY signs with a key of ssh-keygen.")
    else:
        print_progress(f"Signed with {signer}.")


def require_changelog(version: str) -> None:
    """Raise BundleError unless the list of changes has a section for `version`."""
    if not re.search(rf"(?m)^## {re.escape(version)}$", CHANGELOG.read_text(encoding="utf-8")):
        raise BundleError(f"{CHANGELOG} has no section for version {version}: add one")


def _replace_files(made: Path, out: Path) -> None:
    """Move the files in `made` to `out`, and print their names.

    The checksums come last: an interrupted release has none.
    """
    for name in (SUMS, f"{SUMS}{SIGNATURE_SUFFIX}"):
        (out / name).unlink(missing_ok=True)
    for path in sorted(made.iterdir(), key=lambda path: (path.name.startswith(SUMS), path.name)):
        path.replace(out / path.name)
        print_progress(str(out / path.name))


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a release; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="make release",
        description="Build the wheel, the bundle, its bill of materials and the checksums of the"
        " present commit.",
    )
    parser.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="sign with this private key of ssh-keygen (default: do not sign)",
    )
    parser.add_argument(
        "--machine",
        choices=MACHINES,
        action="append",
        help="make a bundle for this architecture; may be repeated (default: aarch64)",
    )
    parser.add_argument(
        "--python",
        choices=PYTHONS,
        action="append",
        help="include the wheels for this Python only (default: for all)",
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "dist", help="output folder (default: dist)"
    )
    options = parser.parse_args(arguments)
    try:
        key = None if options.key is None else options.key.expanduser()
        machines = dict.fromkeys(options.machine or ["aarch64"])
        make_release(machines, options.python or PYTHONS, options.out, key)
    except (BundleError, OSError) as error:
        sys.stderr.write(f"make release: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
