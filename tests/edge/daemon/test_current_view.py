from __future__ import annotations

import numpy as np

from edge.camera.source import Frame
from edge.daemon.current_view import CurrentView, View


def test_newest_view_is_held_until_cleared() -> None:
    current = CurrentView()
    assert current.get() is None
    views = [View(Frame(np.zeros((4, 4, 3), np.uint8), float(n), n), ()) for n in range(2)]
    for view in views:
        current.show(view)
    assert current.get() is views[1]
    current.clear()
    assert current.get() is None
