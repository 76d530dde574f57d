"""`make release`: what it builds, from small lock files, and that a commit gives the same bytes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from bundle.build import SOURCES
from bundle.wheels import Target, read_lock, sha256

import edge
from edge.common.errors import UserError
from edge.service.bundle import read_checksums, unpack
from edge.service.release_key import pinned_keys, require_signature
from tests.support.cli_process import ROOT
from tests.support.systemd.release_keys import SigningKey

pytestmark = pytest.mark.slow
COMMITTED_AT_S = 1_700_000_001
PYTHON = "cp311"
#: Packages without dependencies: all that the bundles of these tests contain beside the own wheel.
PACKAGES = ("pip", "paho-mqtt")
#: Where a clone keeps the wheels that it has downloaded.
CACHED = Target(PYTHON, "aarch64").folder.relative_to(ROOT)
NAME = f"mask-patrol-{edge.__version__}"
WHEEL = f"mask_patrol-{edge.__version__}-py3-none-any.whl"
BUILT = {f"{NAME}-arm64.tar", f"{NAME}-arm64.cdx.json", WHEEL, "SHA256SUMS"}


class Clone:
    """A clone of the repository with a short lock file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of_this_checkout(cls, folder: Path) -> Clone:
        """Commit the present files of this checkout into a new repository."""
        listed = subprocess.run(
            ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard",
             "--", *SOURCES, "systemd", ".github", ".gitignore"],
            capture_output=True,
            text=True,
            check=True,
        )  # fmt: skip
        for name in filter(None, listed.stdout.split("\0")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        lock = Target(PYTHON, "aarch64").lock
        pins = [pin for pin in read_lock(lock) if pin.name in PACKAGES]
        (folder / lock.relative_to(ROOT)).write_text(
            "".join(
                f"{pin.name}=={pin.version} "
                + " ".join(f"--hash=sha256:{digest}" for digest in sorted(pin.hashes))
                + "\n"
                for pin in pins
            )
        )
        clone = cls(folder)
        clone.fill_cache(Target(PYTHON, "aarch64").folder)
        clone.git("init", "--quiet")
        clone.git("add", ".")
        clone.git("commit", "--quiet", "--message=All")
        return clone

    def clone(self, folder: Path) -> Clone:
        self.git("clone", "--quiet", ".", str(folder))
        made = Clone(folder)
        made.fill_cache(self.folder / CACHED)
        return made

    def fill_cache(self, wheels: Path) -> None:
        """Copy cached wheels, if there are any: others are downloaded."""
        (self.folder / CACHED).mkdir(parents=True)
        for package in PACKAGES:
            for wheel in wheels.glob(f"{package.replace('-', '_')}-*.whl"):
                shutil.copy(wheel, self.folder / CACHED)

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=maker", "-c", "user.email=maker@localhost")
        date = f"{COMMITTED_AT_S} +0000"
        subprocess.run(
            ["git", *who, "-C", self.folder, *arguments],
            env={**os.environ, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date},
            check=True,
        )

    def release(self, *arguments: str | Path, umask: int = -1, **variables: str) -> str:
        """Make a release; return its output. Raises CalledProcessError."""
        result = subprocess.run(
            [sys.executable, "-m", "bundle.release", "--python", PYTHON, *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(self.folder / "systemd"),
                "PYTHONDONTWRITEBYTECODE": "1",
                **variables,
            },
            umask=umask,
            capture_output=True,
            text=True,
            check=True,
        )
        return result.stdout

    def built(self) -> dict[str, Path]:
        return {path.name: path for path in (self.folder / "dist").iterdir()}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which an unsigned release was made."""
    pytest.importorskip("cyclonedx", reason="the extra `release` is not installed")
    clone = Clone.of_this_checkout(tmp_path_factory.mktemp("unsigned"))
    output = clone.release()
    assert "Not signed: make release SIGN_KEY=KEY signs" in output
    return clone


@pytest.fixture(scope="module")
def signed(unsigned: Clone, key: SigningKey, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Another clone, in which a signed release was made, with another umask and time zone."""
    clone = unsigned.clone(tmp_path_factory.mktemp("signed") / "elsewhere")
    output = clone.release("--key", key.private, umask=0o077, TZ="Asia/Tokyo", LC_ALL="C")
    assert re.search(r"^Signed with SHA256:\S+\.$", output, re.MULTILINE)
    return clone


def test_same_commit_gives_same_bytes(unsigned: Clone, signed: Clone) -> None:
    before, after = unsigned.built(), signed.built()
    assert before.keys() == BUILT
    assert after.keys() == {*BUILT, "SHA256SUMS.sig"}
    for name in (WHEEL, f"{NAME}-arm64.cdx.json"):
        assert before[name].read_bytes() == after[name].read_bytes()
    # The signature is the last member of the bundle; all before it is the same.
    with tarfile.open(after[f"{NAME}-arm64.tar"]) as archive:
        (*members, signature) = archive.getmembers()
    assert signature.name == f"{NAME}.sig"
    content = before[f"{NAME}-arm64.tar"].read_bytes()[: signature.offset]
    assert content == after[f"{NAME}-arm64.tar"].read_bytes()[: signature.offset]
    assert {member.mtime for member in members} == {COMMITTED_AT_S}
    with zipfile.ZipFile(after[WHEEL]) as wheel:
        times = {entry.date_time for entry in wheel.infolist()}
    assert times == {(*time.gmtime(COMMITTED_AT_S)[:5], COMMITTED_AT_S % 60 // 2 * 2)}


def test_signatures_are_valid(signed: Clone, key: SigningKey, tmp_path: Path) -> None:
    built = signed.built()
    sums = built["SHA256SUMS"]
    # The commands in the documentation, with the public key under the name that it has there.
    download = shutil.copytree(sums.parent, tmp_path / "download")
    shutil.copy(key.public, download / "maker.pub")
    text = (ROOT / "systemd/README.md").read_text()
    (commands,) = re.findall(r"(?m)^```\n(echo [^`]+ allowed-signers\n[^`]+)```$", text)
    subprocess.run(["bash", "-euc", commands], cwd=download, check=True)
    listed = {line.split("  ")[1] for line in sums.read_text().splitlines()}
    assert listed == BUILT - {"SHA256SUMS"}
    assert built["SHA256SUMS.sig"].read_bytes() == key.signature(sums.read_bytes())

    bundle = built[f"{NAME}-arm64.tar"]
    keys = pinned_keys(key.public)
    assert keys is not None
    checksums = read_checksums(bundle)
    require_signature(bundle, checksums, keys)
    into = tmp_path / "into"
    into.mkdir()
    assert unpack(bundle, into, PYTHON, checksums).version.startswith(f"{edge.__version__}+")
    stranger = pinned_keys(SigningKey(tmp_path).public)
    assert stranger is not None
    with pytest.raises(UserError, match="is signed with another key"):
        require_signature(bundle, checksums, stranger)


def test_bill_of_materials_lists_packages_and_models(signed: Clone) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    built = signed.built()
    text = built[f"{NAME}-arm64.cdx.json"].read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    own = bill["metadata"]["component"]
    assert (own["name"], own["version"]) == ("mask-patrol", edge.__version__)
    assert own["hashes"] == [{"alg": "SHA-256", "content": sha256(built[WHEEL])}]
    assert {"license": {"id": "MIT"}} in own["licenses"]
    parts = {part["name"]: part for part in bill["components"]}
    assert parts.keys() >= {*PACKAGES, "models/mask.tflite", "models/face.tflite"}
    assert parts["models/mask.tflite"]["hashes"][0]["content"] == sha256(
        signed.folder / "models/mask.tflite"
    )
    (pin,) = (p for p in read_lock(Target(PYTHON, "aarch64").lock) if p.name == "paho-mqtt")
    assert parts["paho-mqtt"]["version"] == pin.version
    assert parts["paho-mqtt"]["hashes"][0]["content"] in pin.hashes
    assert parts["paho-mqtt"]["licenses"]


def test_release_needs_a_commit_a_change_entry_and_the_key(signed: Clone, tmp_path: Path) -> None:
    clone = signed.clone(tmp_path / "clone")

    def refusal(*arguments: str | Path) -> str:
        with pytest.raises(subprocess.CalledProcessError) as caught:
            clone.release(*arguments)
        assert not (clone.folder / "dist").exists()
        (line,) = caught.value.stderr.splitlines()
        return str(line)

    assert "ssh-keygen -t ed25519 -f" in refusal("--key", tmp_path / "none")
    (clone.folder / "edge/more.py").touch()
    assert "this clone has changes" in refusal()
    (clone.folder / "edge/more.py").unlink()
    changelog = clone.folder / ".github/CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace(f"## {edge.__version__}", "## 0.0.1"))
    clone.git("commit", "--quiet", "--all", "--message=No entry")
    assert f"has no section for version {edge.__version__}" in refusal()
    shutil.rmtree(clone.folder / ".git")
    assert "a release is built from a clone" in refusal()
