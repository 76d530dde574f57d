"""The grid of configurations."""

from __future__ import annotations

from edge.config.settings import DetectorSettings
from training.detector_sweep.grid import (
    Search,
    grid,
    reference_configuration,
    shipped,
)


def test_grid_has_shipped_and_no_equivalents() -> None:
    tried = grid(["default"], [1.2], [160, 320], [0.05, 0.07, 0.1], [5])
    assert shipped() in tried
    assert {each.min_neighbors for each in tried} == {3, 5}
    default = [each.search for each in tried if each.search.cascade == "default"]
    # This cascade finds faces of at least 24 px, which is 15% of 160 px and 7.5% of 320 px.
    assert {(s.width_px, s.min_face) for s in default} == {(160, 0.1), (320, 0.07), (320, 0.1)}
    assert len({each.name for each in tried}) == len(tried)
    assert shipped().settings() == DetectorSettings(cascade=shipped().settings().cascade)


def test_reference_has_more_neighbours_at_finer_scale() -> None:
    tried = grid(["default"], [1.05, 1.2], [240, 480], [0.05, 0.1], [2])
    search = Search(shipped().search.cascade, 1.05, 480, 0.05)
    assert reference_configuration(tried).search == search
    assert reference_configuration(tried).min_neighbors > shipped().min_neighbors
    assert reference_configuration([shipped()]) == shipped()
