"""Lock files, and the cache of wheels."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from bundle.errors import BundleError
from bundle.wheels import MACHINES, PYTHONS, Target, cached_wheels, read_lock


def test_lock_with_unpinned_line_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "cp311.txt"
    lock.write_text("numpy>=1.26\n")
    with pytest.raises(BundleError, match=r"not name==version with a hash: 'numpy>=1\.26'; make l"):
        read_lock(lock)


def test_cached_wheels_are_found_by_digest(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    digest = hashlib.sha256(b"wheel").hexdigest()
    lock.write_text(f"# made\na==1 \\\n    --hash=sha256:{digest}\nb==2 --hash=sha256:{'0' * 64}\n")
    (tmp_path / "a-1-py3-none-any.whl").write_bytes(b"wheel")
    (tmp_path / "b-2-py3-none-any.whl").write_bytes(b"another")
    pins = read_lock(lock)
    assert cached_wheels(pins, tmp_path) == {pins[0]: tmp_path / "a-1-py3-none-any.whl"}


def test_both_architectures_are_locked() -> None:
    assert set(MACHINES) == {"aarch64", "x86_64"}
    for python in PYTHONS:
        for pin in read_lock(Target(python, "aarch64").lock):
            assert 1 <= len(pin.hashes) <= len(MACHINES)


def test_pip_options_select_target_and_glibc() -> None:
    options = Target("cp313", "aarch64").pip_options()
    assert "--python-version=313" in options
    assert "--platform=manylinux_2_36_aarch64" in options
    assert "--platform=manylinux_2_37_aarch64" not in options
