from __future__ import annotations

from pathlib import Path

from edge.bench.settings_file import as_toml
from edge.config.settings import Settings, change, load_settings

SETTINGS = Settings(device="door1")


def test_settings_survive_writing_and_reading(tmp_path: Path) -> None:
    settings = change(
        SETTINGS,
        camera={
            "source": 'Café "hall" \\ \U0001f3a5.mp4',
            "zone": [[0, 0], [1, 0], [0.5, 1]],
            "rotate": 90,
            "controls": {"gain": 2.0, "white_balance": "daylight", "anti_flicker": 50},
        },
        events={"alert_threshold": 0.25, "alert_on": ["no_mask", "incorrect_mask"]},
        snapshot={"enabled": True},
    )
    path = tmp_path / "bench.toml"
    path.write_text(as_toml(settings), encoding="utf-8")
    assert load_settings(path) == settings
