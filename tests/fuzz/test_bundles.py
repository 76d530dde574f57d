"""Bundles: each is unpacked as its checksums say, or refused, and nothing is written elsewhere."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import strategies as st

from edge.service.bundle import unpack
from tests.support.fuzz.damage import ODD_NUMBERS, damaged
from tests.support.fuzz.fuzzer import Fuzzer
from tests.support.fuzz.refusals import refusal

TOP = "mask-patrol-9/"
FILES = {
    "wheels/cp311/a.whl": b"a" * 700,
    "wheels/cp313/a.whl": b"b",
    "VERSION": b"9.0+aa\n",
    "MACHINE": b"aarch64\n",
    "install.sh": b"#!/bin/sh\n",
}
NAMES = (
    *(TOP + name for name in (*FILES, "SHA256SUMS", "x\n\x1b[2J", "é" * 60, "wheels", "VERSION/x")),
    "/etc/x", "../x", "top/../../x", "..", ".", "", "a" * 300, "a\0b",
)  # fmt: skip
#: The types of members that `tarfile` knows, and one that it does not.
KINDS = [bytes([kind]) for kind in b"0\x001234567LKgxXVMDS~"]
HEADERS = ("size", "uid", "mtime", "path", "linkpath", "GNU.sparse.map", "GNU.sparse.size",
           "GNU.sparse.major", "hdrcharset", "", "a\n")  # fmt: skip
values = st.sampled_from(["", "0", "-1", "9" * 30, "1,2,3", "BINARY", "\udcff", *NAMES])


def sums(files: dict[str, bytes]) -> bytes:
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "".join(lines).encode()


def archive(members: list[tuple[tarfile.TarInfo, bytes]], kind: int = tarfile.GNU_FORMAT) -> bytes:
    """Return an archive; the size of a member may differ from that of its content."""
    out = io.BytesIO()
    for entry, content in members:
        try:
            out.write(entry.tobuf(kind, "utf-8", "surrogateescape"))
        except ValueError:  # the format cannot express it
            continue
        out.write(content + bytes(-len(content) % tarfile.BLOCKSIZE))
    out.write(bytes(2 * tarfile.BLOCKSIZE))
    return out.getvalue() + bytes(-out.tell() % tarfile.RECORDSIZE)


def member(name: str, content: bytes, size: int | None = None) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.size = len(content) if size is None else size
    return entry, content


def whole() -> list[tuple[tarfile.TarInfo, bytes]]:
    files = {**FILES, "SHA256SUMS": sums(FILES)}
    return [member(TOP + name, content) for name, content in files.items()]


@st.composite
def odd_archives(draw: st.DrawFn) -> bytes:
    """Return a strategy for archives with odd members and correct checksums in their headers."""
    members = whole()
    for _ in range(draw(st.integers(1, 3))):
        content = draw(st.binary(max_size=40) | st.sampled_from([sums(FILES), *FILES.values()]))
        size = draw(st.none() | st.sampled_from(ODD_NUMBERS) | st.integers(-600, 2000))
        entry, content = member(draw(st.sampled_from(NAMES)), content, size)
        entry.type = draw(st.sampled_from(KINDS))
        entry.linkname = draw(st.sampled_from(NAMES))
        entry.mode = draw(st.sampled_from([0, 0o7777, 0o644]))
        entry.pax_headers = draw(st.dictionaries(st.sampled_from(HEADERS), values, max_size=2))
        place = draw(st.integers(0, len(members)))
        members[place : place + draw(st.integers(0, 1))] = [(entry, content)]
    return archive(members, draw(st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])))


def test_bundle_is_unpacked_or_refused(fuzzer: Fuzzer, tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar"

    def check(content: bytes) -> None:
        path.write_bytes(content)
        # Ten minutes unpack so many bundles that deleting their files at the end would take longer.
        with TemporaryDirectory(dir=tmp_path) as around:
            check_unpacked(content, Path(around))

    def check_unpacked(content: bytes, around: Path) -> None:
        into = around / "into"
        into.mkdir()
        error = refusal(lambda: unpack(path, into, "cp311"))
        assert list(around.iterdir()) == [into]
        assert not Path("/etc/x").exists()
        found = [file for file in into.rglob("*") if not file.is_dir()]
        assert all(file.is_file() and not file.is_symlink() for file in found)
        assert sum(file.stat().st_size for file in found) <= len(content)
        if error is None:
            listed = (into / "SHA256SUMS").read_bytes()
            names = [file for file in found if file.name != "SHA256SUMS"]
            for file in names:
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                line = f"{digest}  {file.relative_to(into)}\n"
                assert line.encode("utf-8", "surrogateescape") in listed

    good = archive(whole())
    fuzzer.run(check, odd_archives() | damaged([good]), [good])
