"""`make audit`: report the known vulnerabilities of the packages that devices get.

pip-audit asks the advisory service of PyPI about each version in `systemd/lock/`. It also reports
success if the service says nothing about a package; here, such a package counts as not checked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bundle.errors import BundleError
from bundle.wheels import PYTHONS, Target, plain_requirements, read_lock

#: Exit codes: vulnerabilities are known; some packages could not be checked.
VULNERABLE, NOT_CHECKED = 1, 2


@dataclass(frozen=True)
class Report:
    """What is known about the packages of one lock file."""

    #: One line for each known vulnerability.
    vulnerabilities: tuple[str, ...]
    checked: int
    not_checked: tuple[str, ...]


def parse_report(output: str) -> Report:
    """Return the report in pip-audit's JSON; raises BundleError if `output` is something else."""
    try:
        packages = json.loads(output)["dependencies"]
    except (ValueError, LookupError, TypeError):
        raise BundleError("pip-audit has not printed a report") from None
    found = [
        f"{package['name']} {package['version']}: {known['id']}"
        f" ({', '.join(known['aliases']) or 'no other name'});"
        f" corrected in {', '.join(known['fix_versions']) or 'no version'}"
        for package in packages
        for known in package.get("vulns", [])
    ]
    skipped = tuple(package["name"] for package in packages if "skip_reason" in package)
    return Report(tuple(found), len(packages) - len(skipped), skipped)


def audit(lock: Path) -> Report:
    """Return the report about a lock file.

    Raises BundleError if pip-audit or the advisory service cannot be reached.
    """
    with plain_requirements(read_lock(lock)) as file:
        result = subprocess.run(
            [
                sys.executable, "-m", "pip_audit", "--format=json", "--progress-spinner=off",
                "--require-hashes", "--disable-pip", f"--requirement={file}",
            ],
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
    if not result.stdout.strip():
        reason = (result.stderr.strip().splitlines() or ["pip-audit has printed nothing"])[-1]
        raise BundleError(f"pip-audit cannot ask the advisory service of PyPI: {reason:.200}")
    return parse_report(result.stdout)


def summary(reports: dict[str, Report]) -> tuple[list[str], int]:
    """Return the lines that describe the reports of each Python, and the exit code."""
    lines = [f"{python}: {line}" for python, r in reports.items() for line in r.vulnerabilities]
    checked = sum(report.checked for report in reports.values())
    missing = sorted({name for report in reports.values() for name in report.not_checked})
    if missing:
        some = ", ".join(missing[:5]) + (", …" if missing[5:] else "")
        lines.append(
            "not checked, because the package index has no advisories about them:"
            f" {len(missing)} of the pinned packages ({some});"
            " run make audit where pypi.org itself can be reached"
        )
    if any(report.vulnerabilities for report in reports.values()):
        return lines, VULNERABLE
    if missing:
        return lines, NOT_CHECKED
    return [f"no vulnerability is known in {checked} pinned packages"], 0


def main() -> int:
    """Print the summary for all lock files; return the exit code."""
    try:
        reports = {python: audit(Target(python, "aarch64").lock) for python in PYTHONS}
    except BundleError as error:
        sys.stderr.write(f"make audit: {error}\n")
        return NOT_CHECKED
    except KeyboardInterrupt:
        return 130
    lines, code = summary(reports)
    for line in lines:
        (sys.stderr if code else sys.stdout).write(f"make audit: {line}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
