"""Tables, JSON and plot of the detector sweep."""

from __future__ import annotations

import json
from pathlib import Path

import cv2

from training.common.intervals import Estimate
from training.detector_sweep.clips import ClipResult, PersonSighting
from training.detector_sweep.grid import CascadeConfiguration, Configuration, Search, shipped
from training.detector_sweep.sweep_metrics import SIZE_BANDS, ConfigurationMetrics
from training.detector_sweep.sweep_report import (
    clips_table,
    draw_front,
    front_table,
    people_table,
    size_table,
    sweep_record,
    sweep_table,
)

OTHER = CascadeConfiguration(Search("alt", 1.2, 320, 0.1), 4)


def metrics(configuration: Configuration, bare: float, bare_faces: int = 4) -> ConfigurationMetrics:
    def exact(value: float) -> Estimate:
        return Estimate(value, value, value, 8)

    sizes = dict.fromkeys(SIZE_BANDS, (0, 0))
    sizes["25% on"] = round(bare * bare_faces), bare_faces
    found = {"no_mask": exact(bare), "mask": exact(0.25), "incorrect_mask": None}
    return ConfigurationMetrics(
        configuration, found, exact(0.0), exact(3.0), exact(1.0), 12.0, sizes
    )


def clip(sightings: list[PersonSighting], alerts: int) -> ClipResult:
    return ClipResult("hall.mp4", tuple(sightings), alerts, (0.5,), 1, 0, 2, 30, 0.1)


def test_front_and_shipped_configuration_are_marked() -> None:
    tried = [metrics(OTHER, 0.75), metrics(shipped(), 0.5)]
    other, own = list(sweep_table(tried, tried[:1]))[2:]
    assert other.startswith(f"| * | {OTHER.name} | 75.0% | 25.0% |")
    assert own.startswith(f"| < | {shipped().name} | 50.0% |")
    (row,) = list(front_table(tried[1:]))[2:]
    assert row.startswith(f"| **{shipped().name}** | 50.0% (50 to 50) | +0.0 (+0.0 to +0.0) |")


def test_size_table_has_only_bands_with_faces() -> None:
    heads, _, row = size_table([metrics(OTHER, 0.75)])
    assert heads == "| configuration | 25% on (4) |"
    assert row == f"| {OTHER.name} | 75% |"
    assert list(size_table([metrics(OTHER, 0.0, bare_faces=0)])) == [
        "There is no bare face in these pictures."
    ]


def test_clips_with_a_wrong_number_of_alerts_are_named() -> None:
    sighted, never = PersonSighting(0.25, 0.5), PersonSighting(None, 0.0)
    played = {shipped(): [clip([sighted, never], alerts=1)]}
    reference = [clip([sighted, sighted], alerts=2)]
    rows = list(clips_table(played, reference, {"hall.mp4": 2}))[2:]
    assert "| hall.mp4 | 1.00 |" in rows[0]
    assert rows[0].startswith(f"| **{shipped().name}** | 1 | 0.25, at most 0.25 | 25% |")
    assert "| none |" in rows[1]
    people = list(people_table(played, reference))[2:]
    assert people == ["| hall.mp4, 1 | +0.25 s, 50% |", "| hall.mp4, 2 | never |"]


def test_record_and_plot_contain_every_configuration(tmp_path: Path) -> None:
    tried = [metrics(OTHER, 0.75), metrics(shipped(), 0.5)]
    record = json.loads(json.dumps(sweep_record(tried, tried[:1], [], {}, [])))
    assert record["shipped"] == shipped().name
    assert [each["front"] for each in record["configurations"]] == [True, False]
    assert record["configurations"][0]["configuration"]["min_neighbors"] == 4
    draw_front(tmp_path / "front.png", tried, tried[:1])
    assert cv2.imread(str(tmp_path / "front.png")) is not None
