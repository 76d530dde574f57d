"""`unpack` of a bundle: what it extracts, and what it refuses."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from bundle.build import SUMS, checksums
from bundle.build import pack as pack_folder

from edge.common.errors import UserError
from edge.service.bundle import unpack
from tests.support.models.mutations import mutated
from tests.support.systemd.bundles import write_small_bundle


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """The folder of a complete bundle, with tiny files instead of wheels."""
    return write_small_bundle(tmp_path / "mask-patrol-9")


def packed(top: Path, sums: bool = True) -> Path:
    """Pack the folder; with `sums`, update the file of checksums first."""
    if sums:
        (top / SUMS).write_text(checksums(top))
    path = top.parent / "bundle.tar"
    pack_folder(top, path)
    return path


def refusal(path: Path, into: Path) -> str:
    """Return the error message of `unpack`."""
    into.mkdir()
    with pytest.raises(UserError) as error:
        unpack(path, into, "cp311")
    return str(error.value)


def test_unpack_returns_version_and_machine(top: Path, tmp_path: Path) -> None:
    bundle = unpack(packed(top), tmp_path / "into", "cp311")
    assert (bundle.version, bundle.machine) == ("9.0+aa", "aarch64")
    assert (tmp_path / "into/install.sh").stat().st_mode & 0o111


def test_only_wheels_of_given_python_are_unpacked(top: Path, tmp_path: Path) -> None:
    unpack(packed(top), tmp_path / "into", "cp313")
    assert [path.name for path in (tmp_path / "into/wheels").iterdir()] == ["cp313"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda top: (top / "wheels/cp311/a.whl").write_text("b"),
            "has a damaged wheels/cp311/a.whl",
        ),
        (lambda top: (top / "wheels/cp311/a.whl").unlink(), "lacks wheels/cp311/a.whl"),
        (lambda top: (top / "more").write_text("b"), "has a damaged more"),
        (lambda top: (top / "SHA256SUMS").unlink(), "it has no SHA256SUMS"),
        (lambda top: (top / "SHA256SUMS").write_text("no sums"), "has a damaged"),
    ],
)
def test_damaged_bundle_is_refused(
    top: Path, tmp_path: Path, change: Callable[[Path], object], expected: str
) -> None:
    packed(top)
    change(top)
    assert expected in refusal(packed(top, sums=False), tmp_path / "into")


@pytest.mark.parametrize("version", ["", "../../etc", "two words", "9" * 70, "é"])
def test_version_that_is_no_folder_name_is_refused(top: Path, tmp_path: Path, version: str) -> None:
    (top / "VERSION").write_text(version)
    assert "invalid VERSION in the bundle" in refusal(packed(top), tmp_path / "into")


def test_bundle_without_wheels_for_this_python_is_refused(top: Path, tmp_path: Path) -> None:
    (top / "wheels/cp311/a.whl").rename(top / "a.whl")
    assert "has no wheels for this Python (cp311)" in refusal(packed(top), tmp_path / "into")


@pytest.mark.parametrize("name", ["/etc/passwd", "top/../../etc/passwd", ".."])
def test_path_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    assert "is not a bundle of mask-patrol: it contains" in refusal(path, tmp_path / "into")


def test_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo("top/link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(entry)
    assert "it contains 'top/link'" in refusal(path, tmp_path / "into")


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_compressed_archive_is_refused(top: Path, tmp_path: Path, mode: str) -> None:
    path = tmp_path / "bundle.tar"
    with tarfile.open(path, mode) as archive:
        archive.add(top, top.name)
    message = refusal(path, tmp_path / "into")
    assert "is not a bundle, or is damaged" in message
    assert "\n" not in message


def test_sparse_file_is_refused(tmp_path: Path) -> None:
    """A sparse file of a few bytes could fill the disk."""
    entry = tarfile.TarInfo("top/VERSION")
    entry.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"77777777777\0"  # the size of the unpacked file
    path = tmp_path / "sparse.tar"
    path.write_bytes(with_checksum(header, 0) + bytes(1024))
    assert "'top/VERSION' has no size" in refusal(path, tmp_path / "into")


@pytest.mark.parametrize("kind", [b"0", b"L", b"K", b"x", b"g", b"S", b"V", b"5"])
def test_negative_size_is_refused(top: Path, tmp_path: Path, kind: bytes) -> None:
    """Without a check, `tarfile` returns the same members forever."""
    content = bytearray(packed(top).read_bytes())
    second = 512  # the header after that of the folder
    content[second + 124 : second + 136] = b"\xff" * 10 + b"\xfe\0"
    content[second + 156 : second + 157] = kind
    path = tmp_path / "negative.tar"
    path.write_bytes(with_checksum(content, second))
    assert "\n" not in refusal(path, tmp_path / "into")


def with_checksum(content: bytearray, header: int) -> bytes:
    """Return `content` with the checksum of the 512 bytes from `header` on written again."""
    content[header + 148 : header + 156] = b" " * 8
    content[header + 148 : header + 156] = b"%06o\0 " % sum(content[header : header + 512])
    return bytes(content)


@pytest.mark.parametrize("kept", [1, 0.5, 0.9, -1024, -1])
def test_bundle_without_its_end_is_refused(top: Path, tmp_path: Path, kept: float) -> None:
    """`tarfile` takes the end of the file for the end of the archive."""
    path = packed(top)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if 0 < kept < 1 else int(kept)])
    assert "damaged" in refusal(path, tmp_path / "into")
    path.write_bytes(content + b"more")
    with pytest.raises(UserError, match="is incomplete or damaged"):
        unpack(path, tmp_path / "into", "cp311")


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return the content and the permission to execute of each file, by path."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode & 0o111)
        for path in folder.rglob("*")
        if path.is_file()
    }


def assert_mutations_are_harmless(top: Path, folder: Path, seeds: range) -> None:
    """Unpack damaged copies of a bundle: each is refused, or gives the undamaged files."""
    bundle = packed(top)
    content = bundle.read_bytes()
    unpack(bundle, folder / "undamaged", "cp311")
    undamaged = contents(folder / "undamaged")
    messages = []
    for seed in seeds:
        damaged = folder / "damaged.tar"
        damaged.write_bytes(mutated(content, seed))
        with tempfile.TemporaryDirectory(dir=folder) as into:
            try:
                unpack(damaged, Path(into), "cp311")
            except UserError as error:
                messages.append(str(error))
            else:
                assert contents(Path(into)) == undamaged, seed
    assert len(messages) > len(seeds) / 4
    assert not any("\n" in message for message in messages)


def test_100_damaged_bundles(top: Path, tmp_path: Path) -> None:
    assert_mutations_are_harmless(top, tmp_path, range(100))


@pytest.mark.soak
def test_5000_damaged_bundles(top: Path, tmp_path: Path) -> None:
    assert_mutations_are_harmless(top, tmp_path, range(5000))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_full_disk_is_reported_as_such(top: Path, tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    (into / "VERSION").symlink_to("/dev/full")
    with pytest.raises(UserError) as caught:
        unpack(packed(top), into, "cp311")
    assert caught.value.exit_code == 1
    assert str(caught.value).startswith(
        f"cannot unpack the bundle to {into}/VERSION: No space left"
    )
