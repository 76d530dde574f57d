from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from tests.support.cli_process import mask_patrol
from tests.support.footage.demo_frames import demo_frame


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    """Frames of the demo clip with a bare face, with a masked face, and without a person."""
    times_s = {"bare": 4.5, "masked": 13.0, "empty": 0.5}
    for name, at_s in times_s.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), demo_frame(at_s))
    return {name: tmp_path / f"{name}.png" for name in times_s}


def test_json_output_has_a_line_per_picture(tmp_path: Path, pictures: dict[str, Path]) -> None:
    result = mask_patrol(tmp_path, "detect", "--json", *pictures.values())
    assert (result.returncode, result.stderr) == (0, "")
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [r["image"] for r in records] == [str(p) for p in pictures.values()]
    assert [[f["label"] for f in r["faces"]] for r in records] == [["no_mask"], ["mask"], []]
    for record in records:
        assert (record["width"], record["height"]) == (640, 480)
        for face in record["faces"]:
            assert set(face) == {"box", "label", "score", "scores"}
            assert face["score"] == max(face["scores"].values()) > 0.7
            assert sum(face["scores"].values()) == pytest.approx(1.0, abs=0.02)
            x, y, w, h = face["box"]
            assert 0 <= x < x + w <= 640
            assert 0 <= y < y + h <= 480


def test_text_output_has_a_line_per_picture(tmp_path: Path, pictures: dict[str, Path]) -> None:
    result = mask_patrol(tmp_path, "detect", *pictures.values())
    bare, masked, empty = result.stdout.splitlines()
    assert bare.startswith(f"{pictures['bare']}: NO MASK ")
    assert masked.startswith(f"{pictures['masked']}: mask ")
    assert empty == f"{pictures['empty']}: no face found"


def test_crop_option_skips_detection(tmp_path: Path, pictures: dict[str, Path]) -> None:
    found = mask_patrol(tmp_path, "detect", "--json", pictures["bare"]).stdout
    x, y, w, h = json.loads(found)["faces"][0]["box"]
    crop = tmp_path / "crop.png"
    cv2.imwrite(str(crop), demo_frame(4.5)[y : y + h, x : x + w])
    result = mask_patrol(tmp_path, "detect", "--crop", "--json", crop)
    (face,) = json.loads(result.stdout)["faces"]
    assert face["box"] == [0, 0, w, h]
    assert face["label"] == "no_mask"


def test_annotated_copies_are_written_to_folder(tmp_path: Path, pictures: dict[str, Path]) -> None:
    out = tmp_path / "out"
    before = pictures["bare"].read_bytes()
    elsewhere = tmp_path / "other" / "bare.png"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(pictures["masked"].read_bytes())
    arguments = ["detect", "--out", out, pictures["bare"], elsewhere]
    assert mask_patrol(tmp_path, *arguments).returncode == 0
    assert sorted(p.name for p in out.iterdir()) == ["bare-2.png", "bare.png"]
    changed = cv2.imread(str(out / "bare.png")) != cv2.imread(str(pictures["bare"]))
    assert changed.any(axis=2).sum() > 200
    # The originals are not overwritten even if they are in the output folder.
    assert mask_patrol(tmp_path, "detect", "--out", tmp_path, pictures["bare"]).returncode == 0
    assert pictures["bare"].read_bytes() == before
    assert (tmp_path / "bare-2.png").exists()


def test_no_original_is_overwritten_in_any_order(tmp_path: Path, pictures: dict[str, Path]) -> None:
    other = tmp_path / "other" / "bare.png"
    other.parent.mkdir()
    other.write_bytes(pictures["masked"].read_bytes())
    before = pictures["bare"].read_bytes()
    mask_patrol(tmp_path, "detect", "--out", tmp_path, other, pictures["bare"])
    assert pictures["bare"].read_bytes() == before
    assert {p.name for p in tmp_path.glob("bare-*.png")} == {"bare-2.png", "bare-3.png"}
