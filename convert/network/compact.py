"""Removes from a flatbuffer what no runtime uses: long names, and the converter's notes."""

from __future__ import annotations

from typing import Any

from convert.network.flatbuffer import packed, parsed

#: Metadata in which the converter describes itself; the card records the versions instead.
SUPERFLUOUS_METADATA = (b"CONVERSION_METADATA",)


def compact(flatbuffer: bytes) -> bytes:
    """Return a smaller `flatbuffer` that gives the same results, bit for bit, in every runtime.

    A tensor that a signature names gets that name (`pixels`, `output_0`), and other inputs and
    outputs keep their names. The tensors between them, which have the names of Keras layers, are
    renamed to their number.
    """
    model = parsed(flatbuffer)
    for index, graph in enumerate(model.subgraphs):
        _rename(graph, _names_of_signatures(model, index))
    _drop_metadata(model)
    return packed(model)


def _names_of_signatures(model: Any, subgraph: int) -> dict[int, bytes]:
    """Return the names that signatures give the tensors of `subgraph`, by index."""
    return {
        int(each.tensorIndex): bytes(each.name)
        for signature in model.signatureDefs or []
        if signature.subgraphIndex == subgraph
        for each in (*signature.inputs, *signature.outputs)
    }


def _rename(graph: Any, names: dict[int, bytes]) -> None:
    outside = {int(index) for index in (*graph.inputs, *graph.outputs)}
    for index, tensor in enumerate(graph.tensors):
        if index in names:
            tensor.name = names[index]
        elif index not in outside:
            tensor.name = str(index).encode()


def _drop_metadata(model: Any) -> None:
    """Remove superfluous metadata; its buffers are emptied but kept, so that no index changes."""
    kept = []
    for entry in model.metadata or []:
        if bytes(entry.name) in SUPERFLUOUS_METADATA:
            model.buffers[entry.buffer].data = None
        else:
            kept.append(entry)
    model.metadata = kept or None
