"""Configuration files: each gives valid settings, or a UsageError with one line per mistake."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from sdcard.site import SiteFile, load_site

from edge.common.errors import UsageError
from edge.common.paths import PACKAGE
from edge.config.settings import Settings, load_settings
from edge.config.toml_schema import Section
from tests.support.cli_process import ROOT
from tests.support.fuzz.damage import damaged
from tests.support.fuzz.fuzzer import Fuzzer
from tests.support.fuzz.refusals import refusal

CORPUS = Path(__file__).parent / "corpus" / "toml"
EXAMPLES = {
    Settings: PACKAGE / "config.example.toml",
    SiteFile: ROOT / "systemd" / "site.example.toml",
}
TEXTS = (
    "",
    "~",
    "~nobody-has-this-name/x",
    "..",
    "a b",
    "é",
    "\0",
    "\x1b[2J",
    "a\nb",
    "rtsp://u:p@h",
    "::1",
    "/",
)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats()
values = st.recursive(
    st.booleans() | numbers | st.sampled_from(TEXTS) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(TEXTS), inner, max_size=2)
    ),
    max_leaves=6,
)


def assert_loads_or_is_refused(load: Callable[[Path], Any], path: Path, content: bytes) -> None:
    path.write_bytes(content)
    error = refusal(lambda: load(path), lines=None)
    if error is not None:
        assert isinstance(error, UsageError)
        assert all(line.startswith(f"{path}") for line in str(error).split("\n")), str(error)


def setting_names(schema: type[Section], prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the names of all sections and settings of `schema`, as the keys that lead to them."""
    names = []
    for field in msgspec.structs.fields(schema):
        name = (*prefix, field.name)
        names.append(name)
        if isinstance(field.type, type) and issubclass(field.type, Section):
            names += setting_names(field.type, name)
    return names


def tables(schema: type[Section]) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for files that give some settings of `schema`, and others, any value."""
    names = st.sampled_from(setting_names(schema)) | st.sampled_from(TEXTS).map(lambda key: (key,))
    return st.lists(st.tuples(names, values), max_size=6).map(_nested)


def _nested(pairs: list[tuple[tuple[str, ...], Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for name, value in pairs:
        table = whole
        for key in name[:-1]:
            inner = table.setdefault(key, {})
            if not isinstance(inner, dict):
                inner = table[key] = {}
            table = inner
        table[name[-1]] = value
    return whole


def as_toml(table: dict[str, Any]) -> str:
    """Return `table` as TOML, in which each inner table is an inline table."""
    return "".join(f"{json.dumps(key)} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value).lower() if isinstance(value, float) else json.dumps(value)


@pytest.mark.parametrize("schema", [Settings, SiteFile])
def test_file_is_loaded_or_refused(fuzzer: Fuzzer, schema: type[Section], tmp_path: Path) -> None:
    load = load_settings if schema is Settings else load_site
    samples = [EXAMPLES[schema].read_bytes(), *(p.read_bytes() for p in sorted(CORPUS.iterdir()))]
    fuzzer.run(
        lambda content: assert_loads_or_is_refused(load, tmp_path / "a.toml", content),
        damaged(samples) | tables(schema).map(lambda table: as_toml(table).encode()),
        samples,
        share=0.5,
    )
