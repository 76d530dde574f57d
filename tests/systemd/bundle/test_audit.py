"""`make audit` reports known vulnerabilities; a package that was not checked is not safe."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from bundle.audit import NOT_CHECKED, VULNERABLE, parse_report, summary
from bundle.errors import BundleError

from tests.support.cli_process import ROOT, error_line

#: As pip-audit 2.10 prints them.
SAFE = {"name": "idna", "version": "3.20", "vulns": []}
SKIPPED = {"name": "numpy", "skip_reason": "Dependency not found on PyPI and could not be audited"}
VULNERABILITY = {"id": "PYSEC-1", "fix_versions": ["3.1.6"], "aliases": ["CVE-1"]}
KNOWN = {"name": "jinja2", "version": "3.1.5", "vulns": [VULNERABILITY]}


def outcome(*packages: object) -> tuple[list[str], int]:
    return summary({"cp311": parse_report(json.dumps({"dependencies": packages, "fixes": []}))})


def test_safe_packages_are_counted() -> None:
    assert outcome(SAFE, SAFE) == (["no vulnerability is known in 2 pinned packages"], 0)


def test_vulnerability_is_reported_with_its_correction() -> None:
    lines, code = outcome(SAFE, KNOWN, SKIPPED)
    assert lines[0] == "cp311: jinja2 3.1.5: PYSEC-1 (CVE-1); corrected in 3.1.6"
    assert (len(lines), code) == (2, VULNERABLE)


def test_package_without_advisories_is_not_safe() -> None:
    (line,), code = outcome(SAFE, SKIPPED)
    assert "1 of the pinned packages (numpy)" in line
    assert code == NOT_CHECKED


@pytest.mark.parametrize("output", ["", "no JSON", "[]", "{}"])
def test_other_output_is_no_report(output: str) -> None:
    with pytest.raises(BundleError, match="has not printed a report"):
        parse_report(output)


def test_failure_is_one_line() -> None:
    """Without site packages there is no pip-audit; an unreachable service ends in the same way."""
    result = subprocess.run(
        [sys.executable, "-S", "-m", "bundle.audit"],
        env={"PYTHONPATH": f"{ROOT}/systemd:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert error_line(result, NOT_CHECKED).startswith("make audit: pip-audit cannot ask")
