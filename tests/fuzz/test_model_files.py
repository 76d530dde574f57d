"""Model files and their cards: each is used or refused with one line, and ends no process.

Cards are read in this process, because no native code is involved. A model is loaded as the daemon
loads it, in a process of its own, which must survive every file: the daemon tries a model without a
digest in a child process first, and one with a digest runs only if the digest fits.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from edge.classification.model_card import KNOWN_LABELS, LABELS_NAME, Card, read_card
from edge.common.paths import shipped_detector, shipped_model
from edge.detection.detector_card import DetectorCard, read_detector_card
from edge.inference.card_archive import attach_files, read_attached
from edge.inference.model_file import CARD_NAME
from tests.support.fuzz.child_process import ChildProcess
from tests.support.fuzz.damage import damaged
from tests.support.fuzz.fuzzer import Fuzzer
from tests.support.fuzz.refusals import refusal
from tests.support.models.mutations import ARCHIVE_BYTES, GRAPH_BYTES, without_digest

PATH = Path("model.tflite")
SHIPPED = {"classifier": shipped_model(), "network": shipped_detector()}
READERS: dict[str, Callable[[bytes, Path], Card | DetectorCard]] = {
    "classifier": read_card,
    "network": read_detector_card,
}
LABELS = "".join(f"{label}\n" for label in KNOWN_LABELS).encode()
#: A flatbuffer for tests of the card, which does not depend on it.
FLATBUFFER = b"flatbuffer" * 20
#: The memory that the process that loads models may need at most; it loads both runtimes.
MAX_LOADER_MB = 700
TEXTS = ("", "RGB", "no_mask", "mask", "\x1b[2J", "a\nb", "\0", "\ud800", "x" * 3000)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(TEXTS) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(TEXTS), inner, max_size=3)
    ),
    max_leaves=8,
)


def card_of(kind: str) -> dict[str, Any]:
    files = read_attached(SHIPPED[kind].read_bytes(), PATH).files
    card: dict[str, Any] = json.loads(files[CARD_NAME])
    del card["flatbuffer_sha256"]
    return card


@st.composite
def changed_cards(draw: st.DrawFn, kind: str) -> bytes:
    """Return a strategy for models with a card in which some values are others."""
    card = card_of(kind)
    for _ in range(draw(st.integers(0, 3))):
        table = card
        key = draw(st.sampled_from([*card, *TEXTS]))
        if isinstance(table.get(key), dict) and draw(st.booleans()):
            table = table[key]
            key = draw(st.sampled_from([*table, *TEXTS]))
        if draw(st.booleans()) or key not in table:
            table[key] = draw(values)
        else:
            del table[key]
    labels = draw(st.sampled_from([LABELS, b"mask\nno_mask\n", b"", b"\xff\x1b[2J"]) | st.binary())
    names = draw(st.sampled_from([(LABELS_NAME, CARD_NAME), (CARD_NAME,), ("a\n\x1b", CARD_NAME)]))
    raw = json.dumps(card).encode()
    return attach_files(FLATBUFFER, {n: raw if n == CARD_NAME else labels for n in names})


@pytest.mark.parametrize("kind", READERS)
def test_card_is_read_or_refused(fuzzer: Fuzzer, kind: str) -> None:
    files = {CARD_NAME: json.dumps(card_of(kind)).encode(), LABELS_NAME: LABELS}
    good = attach_files(FLATBUFFER, files)
    fuzzer.run(
        lambda model: refusal(lambda: READERS[kind](model, PATH)),
        changed_cards(kind) | damaged([good], [(0, len(good)), (-400, len(good))]),
        [good, SHIPPED[kind].read_bytes()],
        share=0.2,
    )


@pytest.mark.parametrize("kind", READERS)
def test_model_is_used_or_refused(fuzzer: Fuzzer, kind: str, tmp_path: Path) -> None:
    content = SHIPPED[kind].read_bytes()
    old = without_digest(content)
    path = tmp_path / "damaged.tflite"
    loader = ChildProcess("tests.support.models.load_models", tmp_path, MAX_LOADER_MB)

    def check(model: bytes) -> None:
        path.write_bytes(model)
        error = loader.ask(json.dumps([kind, str(path)]))["error"]
        assert error.isprintable(), ascii(error)

    spans = [(0, GRAPH_BYTES), (-ARCHIVE_BYTES, len(old)), (0, len(old))]
    try:
        fuzzer.run(check, damaged([old, content], spans), [old, content], examples=5, share=0.3)
    finally:
        loader.close()
