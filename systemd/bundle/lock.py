"""`make lock`: write the lock files in `systemd/lock/` again, after each change of the
dependencies in pyproject.toml.

uv resolves the versions, because pip cannot resolve for another Python and another architecture:
it evaluates the markers of this machine. The digests are those of the wheels that devices get.
"""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict

from bundle.errors import BundleError
from bundle.wheels import MACHINES, PYTHONS, ROOT, Target, download, sha256

#: The extras that are installed on a device. The extra `broker`, an embedded broker for first
#: trials, is not installed.
EXTRAS = ("metrics", "dashboard", "notify", "gpio")
#: Further requirements. A device may have no pip, so the bundle includes it. uv ignores upper
#: bounds on the Python version, and backports-strenum 1.3 only supports Python up to 3.10.
FURTHER_REQUIREMENTS = "pip\nbackports-strenum<1.3\n"


def resolve(python: str) -> dict[str, tuple[str, ...]]:
    """Return the machines that need each `name==version` for `python`.

    Raises BundleError, also when the versions differ between the machines.
    """
    version = f"{python[2]}.{python[3:]}"
    machines: dict[str, tuple[str, ...]] = {}
    for machine in MACHINES:
        command = [
            sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate",
            f"--python-version={version}", f"--python-platform={machine}-manylinux_2_36",
            "--only-binary=:all:", *(f"--extra={extra}" for extra in EXTRAS),
            "pyproject.toml", "-",
        ]  # fmt: skip
        result = subprocess.run(
            command,
            cwd=ROOT,
            input=FURTHER_REQUIREMENTS,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise BundleError(f"uv cannot resolve for {python}: {result.stderr.strip()}")
        for pin in result.stdout.split():
            machines[pin] = (*machines.get(pin, ()), machine)
    names = [pin.partition("==")[0] for pin in machines]
    if len(set(names)) < len(names):
        raise BundleError(f"{python} would get different versions on {' and '.join(MACHINES)}")
    return dict(sorted(machines.items(), key=lambda item: item[0].split("==")))


def lock_text(python: str) -> str:
    """Return the content of the lock file of `python`.

    Downloads each wheel to calculate its digest.
    """
    pins = resolve(python)
    digests: dict[str, list[str]] = defaultdict(list)
    for machine in MACHINES:
        target = Target(python, machine)
        target.folder.mkdir(parents=True, exist_ok=True)
        for pin in (pin for pin, machines in pins.items() if machine in machines):
            download([pin], target, target.folder)
            name, version = pin.replace("-", "_").split("==")
            (wheel,) = (
                path
                for path in target.folder.glob("*.whl")
                if path.name.lower().startswith(f"{name}-{version}-")
            )
            if (digest := sha256(wheel)) not in digests[pin]:
                digests[pin].append(digest)
    only = {pin: machines[0] for pin, machines in pins.items() if len(machines) < len(MACHINES)}
    return format_lock(python, digests, only)


def format_lock(python: str, digests: dict[str, list[str]], only: dict[str, str]) -> str:
    """Return a lock file for `python` with the digests of each `name==version`.

    `only` contains the machine of those that one machine alone needs.
    """
    lines = [
        f"# Python {python[2]}.{python[3:]} on {', '.join(MACHINES)}: `make lock` writes this."
    ]
    for pin, accepted in digests.items():
        marked = f'{pin} ; platform_machine == "{only[pin]}"' if pin in only else pin
        lines.append(" \\\n    ".join([marked, *(f"--hash=sha256:{each}" for each in accepted)]))
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write all lock files, or none if an error occurs; return the exit code."""
    try:
        texts = {}
        for python in PYTHONS:
            sys.stdout.write(f"Resolving and downloading for {python} …\n")
            sys.stdout.flush()
            texts[python] = lock_text(python)
    except BundleError as error:
        sys.stderr.write(f"make lock: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    for python, text in texts.items():
        Target(python, "aarch64").lock.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
