"""Which bundles `mask-patrol update` accepts, with signatures of the real ssh-keygen."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.cli.main import main
from edge.common.errors import UserError
from edge.service import release_key, releases, update
from edge.service.release_key import HOW_TO_PIN, pinned_keys
from tests.support.systemd.bundles import pack_small_bundle, write_small_bundle
from tests.support.systemd.release_keys import SigningKey
from tests.support.systemd.releases import installed_releases


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey(tmp_path_factory.mktemp("maker"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey(tmp_path_factory.mktemp("stranger"), "stranger", "ecdsa")


class Device:
    """The releases 1 and 2, which runs; no key is pinned. Installing is only recorded."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.key = folder / "release-key.pub"
        self.installed: list[str] = []
        self.releases = folder / "releases"
        self.releases.mkdir()
        installed_releases(self.releases, monkeypatch)
        shutil.rmtree(self.releases / "3")
        monkeypatch.setattr(update, "RELEASES", self.releases)
        monkeypatch.setattr(update, "RELEASE_KEY", self.key)
        monkeypatch.setattr(update, "_require_installation", lambda: None)
        monkeypatch.setattr(releases, "require_free_space", lambda: None)
        monkeypatch.setattr(
            releases, "install_release", lambda _, version: self.installed.append(version)
        )
        monkeypatch.setattr(releases, "check_release", lambda *_: True)
        monkeypatch.setattr(update, "_switch", lambda *_: 0)

    def bundle(self, version: str = "2.1+aa") -> Path:
        """Return a bundle that is not signed."""
        top = write_small_bundle(self.folder / "mask-patrol", version, platform.machine())
        return pack_small_bundle(top, self.folder / "bundle.tar")

    def altered(self, maker: SigningKey) -> Path:
        """Return a signed bundle with another program in it, whose digest is listed."""
        bundle = maker.sign(self.bundle())
        good = bundle.read_bytes()
        top = self.folder / "mask-patrol"
        (top / "wheels/cp311/a.whl").write_text("A")
        changed = pack_small_bundle(top, bundle).read_bytes()
        # The members of both have the same places; the last is the signature.
        signature = good.index(b"mask-patrol.sig")
        bundle.write_bytes(changed[:signature] + good[signature:])
        return bundle

    def files(self) -> dict[str, str]:
        """Return the installed releases and links, by name."""
        return {path.name: os.path.realpath(path) for path in self.releases.iterdir()}


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    return Device(tmp_path, monkeypatch)


def cut(bundle: Path, bytes_left: int) -> Path:
    os.truncate(bundle, bytes_left)
    return bundle


def flipped(bundle: Path, text: bytes) -> Path:
    """Change one bit of the last byte of `text` in a bundle."""
    content = bytearray(bundle.read_bytes())
    content[content.rindex(text) + len(text) - 1] ^= 1
    bundle.write_bytes(content)
    return bundle


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda d, m, s: d.bundle(), ["is not signed", HOW_TO_PIN]),
        (lambda d, m, s: s.sign(d.bundle()), ["is signed with another key (SHA256:", HOW_TO_PIN]),
        (lambda d, m, s: d.altered(m), ["its signature does not fit"]),
        (lambda d, m, s: m.sign(d.bundle(), "file"), ["its signature does not fit"]),
        (lambda d, m, s: flipped(m.sign(d.bundle()), b"#!/bin/sh\n"), ["a damaged install.sh"]),
        (lambda d, m, s: flipped(m.sign(d.bundle()), b"U1NIU0lH"), ["its signature does not fit"]),
        (lambda d, m, s: cut(m.sign(d.bundle()), 4000), ["incomplete or damaged"]),
        (lambda d, m, s: cut(m.sign(d.bundle()), 4300), ["is not a bundle, or is damaged"]),
        (lambda d, m, s: m.sign(d.bundle("1.9+aa")), ["1.9+aa is older than 2", "--allow-downgr"]),
        (lambda d, m, s: m.sign(d.bundle("two")), ["unknown whether two is older than 2"]),
    ],
)
def test_bundle_is_refused_with_one_line(
    device: Device,
    maker: SigningKey,
    stranger: SigningKey,
    capsys: pytest.CaptureFixture[str],
    made: Callable[[Device, SigningKey, SigningKey], Path],
    expected: list[str],
) -> None:
    bundle = made(device, maker, stranger)
    device.key.write_bytes(maker.public.read_bytes())
    before = device.files()
    assert main(["update", str(bundle)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert all(text in line for text in expected), line
    assert device.files() == before
    assert not device.installed


def test_signed_bundle_is_installed(
    device: Device, maker: SigningKey, stranger: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    device.key.write_bytes(maker.public.read_bytes())
    assert main(["update", str(maker.sign(device.bundle()))]) == 0
    older = ["update", str(maker.sign(device.bundle("1.9+aa"))), "--allow-downgrade"]
    assert main(older) == 0
    # While the maker changes the key, both are pinned.
    device.key.write_bytes(b"# new\n" + stranger.public.read_bytes() + maker.public.read_bytes())
    for key, version in ((maker, "2.2+aa"), (stranger, "2.3+aa")):
        assert main(["update", str(key.sign(device.bundle(version)))]) == 0
    assert device.installed == ["2.1+aa", "1.9+aa", "2.2+aa", "2.3+aa"]
    assert HOW_TO_PIN not in capsys.readouterr().out


def test_device_without_a_pinned_key_says_how_to_pin_one(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["update", str(device.bundle())]) == 0
    assert device.installed == ["2.1+aa"]
    output = capsys.readouterr().out
    assert "No release key is pinned" in output
    assert HOW_TO_PIN in output


@pytest.mark.parametrize("content", [b"", b"# none\n", b"-----BEGIN OPENSSH", b"\xff\xfe", None])
def test_damaged_file_of_the_key_does_not_turn_the_check_off(
    device: Device, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    if content is None:
        device.key.symlink_to("nowhere")
    else:
        device.key.write_bytes(content)
    assert main(["update", str(device.bundle())]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(device.key) in line
    assert HOW_TO_PIN in line
    assert not device.installed


def test_missing_ssh_keygen_is_reported(
    device: Device, maker: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.key.write_bytes(maker.public.read_bytes())
    monkeypatch.setattr(release_key.shutil, "which", lambda *_, **__: None)
    with pytest.raises(UserError, match="sudo apt install openssh-client"):
        update.update(maker.sign(device.bundle()), 5.0)
    assert not device.installed


def test_folder_of_the_key_may_be_a_link_of_root(tmp_path: Path, maker: SigningKey) -> None:
    (tmp_path / "etc").symlink_to(maker.public.parent)
    assert pinned_keys(tmp_path / "etc" / "maker.pub") == (
        " ".join(maker.public.read_text().split()[:2]),
    )


def test_tabs_separate_the_parts_of_a_key_as_for_ssh_keygen(
    tmp_path: Path, maker: SigningKey
) -> None:
    key_type, key = maker.public.read_text().split()[:2]
    (tmp_path / "key.pub").write_text(f"{key_type}\t{key}\tmine\n")
    assert pinned_keys(tmp_path / "key.pub") == (f"{key_type} {key}",)
