"""Renew the pins in `lock/`: `make lock`, whenever dependencies change in pyproject.toml.

uv resolves for a Python and a machine that are not ours, which pip cannot (it looks at this
machine's markers); the digests are those of the wheels that devices will get, and no others.
"""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict

from wheels import MACHINES, PYTHONS, ROOT, BundleError, Target, download, sha256

#: What a device gets beside the daemon itself: all but the broker for trying out.
EXTRAS = ("metrics", "dashboard")
#: pip itself, which installs the others on a device that has none; and what uv gets wrong: it takes
#: no notice of upper bounds on Python, and 1.3 of this one is for Python up to 3.10.
BESIDE = "pip\nbackports-strenum<1.3; python_version >= '3.12'\n"


def resolve(python: str) -> list[str]:
    """`name==version` of everything for `python`, alike on all machines; raises BundleError."""
    version = f"{python[2]}.{python[3:]}"
    found = []
    for machine in MACHINES:
        command = [
            sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate",
            f"--python-version={version}", f"--python-platform={machine}-manylinux_2_36",
            "--only-binary=:all:", *(f"--extra={extra}" for extra in EXTRAS),
            "pyproject.toml", "-",
        ]  # fmt: skip
        result = subprocess.run(
            command, cwd=ROOT, input=BESIDE, capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise BundleError(f"uv cannot resolve for {python}: {result.stderr.strip()}")
        found.append(result.stdout.split())
    if any(other != found[0] for other in found):
        raise BundleError(f"{python} would get other versions on {' and '.join(MACHINES)}")
    return found[0]


def lock(python: str) -> str:
    """The text of the lock file of `python`."""
    pins = resolve(python)
    digests: dict[str, list[str]] = defaultdict(list)
    for machine in MACHINES:
        target = Target(python, machine)
        target.folder.mkdir(parents=True, exist_ok=True)
        for pin in pins:
            download([pin], target, target.folder)
            name, version = pin.replace("-", "_").split("==")
            (wheel,) = (
                path
                for path in target.folder.glob("*.whl")
                if path.name.lower().startswith(f"{name}-{version}-")
            )
            if (digest := sha256(wheel)) not in digests[pin]:
                digests[pin].append(digest)
    lines = [
        f"# Python {python[2]}.{python[3:]} on {', '.join(MACHINES)}: `make lock` writes this."
    ]
    for pin in pins:
        lines.append(" \\\n    ".join([pin, *(f"--hash=sha256:{d}" for d in digests[pin])]))
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write all lock files, or none."""
    try:
        texts = {}
        for python in PYTHONS:
            sys.stdout.write(f"Resolving and fetching for {python} …\n")
            sys.stdout.flush()
            texts[python] = lock(python)
    except BundleError as error:
        sys.stderr.write(f"make lock: {error}\n")
        return 1
    for python, text in texts.items():
        Target(python, "aarch64").lock.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
