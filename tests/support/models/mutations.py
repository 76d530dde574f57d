"""Damaged copies of a file, and model files as earlier versions wrote them."""

from __future__ import annotations

import json
import random

from edge.inference.card_archive import attach_files, read_attached
from edge.inference.model_file import CARD_NAME
from tests.support.cli_process import ROOT

#: Bytes at the end of a model file that contain the archive with the card.
ARCHIVE_BYTES = 6000
#: Bytes at the start of a flatbuffer that contain its description of the graph.
GRAPH_BYTES = 3000


def mutated(content: bytes, seed: int) -> bytes:
    """Return `content` with one flipped bit, or with another kind of damage; never `content`.

    The seed chooses the kind of damage in turn, and the place at random: anywhere, near the start,
    or near the end.
    """
    generator = random.Random(seed)
    low, high = generator.choice(
        (
            (0, len(content)),
            (0, min(GRAPH_BYTES, len(content))),
            (max(0, len(content) - ARCHIVE_BYTES), len(content)),
        )
    )
    data = bytearray(content)
    place = generator.randrange(low, high)
    length = generator.randrange(1, 500)
    match seed % 6:
        case 0 | 1:
            data[place] ^= 1 << generator.randrange(8)
        case 2:
            for _ in range(generator.choice((3, 10, 100))):
                data[generator.randrange(low, high)] = generator.randrange(256)
        case 3:
            del data[place:]
        case 4:
            data[place:place] = generator.randbytes(length)
        case 5:
            block = slice(place, place + length)
            data[block] = generator.choice((bytes(length), generator.randbytes(length)))
    return bytes(data) if data != content else mutated(content, seed + 1_000_003)


def without_digest(model: bytes) -> bytes:
    """Return `model` as earlier versions wrote it: its card has no digest."""
    attached = read_attached(model, ROOT)
    card = json.loads(attached.files[CARD_NAME])
    del card["flatbuffer_sha256"]
    files = {**attached.files, CARD_NAME: json.dumps(card, indent=2).encode()}
    return attach_files(attached.flatbuffer, files)
