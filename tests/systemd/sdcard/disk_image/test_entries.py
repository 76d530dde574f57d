"""Entries of a file system: their parents, their size, and no secrets in their representation."""

from __future__ import annotations

from pathlib import Path

from sdcard.disk_image.entries import File, Folder, Link, parents, size_of


def test_parents_are_listed_from_the_top() -> None:
    assert list(parents("/etc/mask-patrol/a.toml")) == ["/etc", "/etc/mask-patrol"]
    assert list(parents("/etc")) == []


def test_size_counts_whole_blocks(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(10_000))
    entries = [File("/a", b"x"), File("/b", source=source), Folder("/c"), Link("/d", "a")]
    assert size_of(entries) == 4096 * (2 + 4 + 2 + 2)


def test_representation_of_a_file_has_no_content() -> None:
    assert "secret" not in repr(File("/a", b"secret"))
