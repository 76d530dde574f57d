"""The grid of configurations."""

from __future__ import annotations

from edge.config.settings import DetectorSettings
from training.detector_sweep.grid import (
    CascadeConfiguration,
    NetworkSearch,
    grid,
    reference_configuration,
    shipped,
    shipped_cascade,
)


def test_grid_has_shipped_and_no_equivalents() -> None:
    tried = grid(["default"], [1.2], [160, 320], [0.05, 0.07, 0.1], [5], [0.4, 0.7])
    assert shipped() in tried
    assert shipped_cascade() in tried
    cascades = [each for each in tried if isinstance(each, CascadeConfiguration)]
    assert {each.min_neighbors for each in cascades} == {3, 5}
    default = [each.search for each in cascades if each.search.cascade == "default"]
    # This cascade finds faces of at least 24 px, which is 15% of 160 px and 7.5% of 320 px.
    assert {(s.width_px, s.min_face) for s in default} == {(160, 0.1), (320, 0.07), (320, 0.1)}
    assert len({each.name for each in tried}) == len(tried)
    # Two scores at two widths and three sizes of the narrowest face, and the shipped one.
    assert len(tried) - len(cascades) == 2 * 2 * 3 + 1


def test_shipped_configurations_have_the_default_settings() -> None:
    own = shipped().settings()
    assert own == DetectorSettings(kind="learned", min_score=own.min_score)
    cascade = shipped_cascade().settings()
    assert cascade == DetectorSettings(kind="haar", cascade=cascade.cascade)


def test_reference_is_the_network_in_the_widest_picture() -> None:
    tried = grid(["default"], [1.05, 1.2], [240, 480], [0.04, 0.1], [2], [0.4])
    search = NetworkSearch(shipped().search.min_score, 480, 0.04)
    assert reference_configuration(tried).search == search
    assert reference_configuration([shipped()]) == shipped()
