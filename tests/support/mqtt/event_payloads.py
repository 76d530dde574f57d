"""Events as a daemon would publish them."""

START = {
    "event_type": "no_mask_start",
    "id": "door1-00000000010000000000ABCDEF",
    "seq": 7,
    "device": "door1",
    "camera": "entrance",
    "time": "2026-03-01T08:15:03.218Z",
    "score": 0.934,
    "replayed": False,
}
END = {**START, "event_type": "no_mask_end", "seq": 8, "ended_by": "left", "duration_s": 4.25}
