"""Somebody who uses a page with the keys of a keyboard alone."""

from __future__ import annotations

from typing import Any

#: Whether the focus is marked, on a control that is inside the window.
FOCUS_IS_VISIBLE = """
(() => {
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  const box = document.activeElement.getBoundingClientRect();
  return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2
    && box.left >= 0 && box.width > 0 && box.top < innerHeight && box.bottom > 0;
})()
"""


class Keyboard:
    """Presses keys on a page of Playwright, whose focus they move."""

    def __init__(self, page: Any) -> None:
        self._page = page

    def go_to(self, control: Any, max_steps: int = 60) -> None:
        """Press Tab until `control` (a locator) has the focus; fail if the focus is not visible."""
        for _ in range(max_steps):
            self.press("Tab")
            if control.first.evaluate("(element) => element === document.activeElement"):
                assert self._page.evaluate(FOCUS_IS_VISIBLE), control
                return
        raise AssertionError(f"{control} is not within {max_steps} steps of the Tab key")

    def go_to_link(self, name: str) -> None:
        self.go_to(self._page.get_by_role("link", name=name, exact=True))

    def go_to_button(self, name: str) -> None:
        self.go_to(self._page.get_by_role("button", name=name, exact=True))

    def press(self, *keys: str) -> None:
        for key in keys:
            self._page.keyboard.press(key)

    def type(self, text: str) -> None:
        """Replace the text in the field that has the focus."""
        self.press("Control+a")
        self._page.keyboard.type(text)

    def enter(self, address: str) -> None:
        """Press Enter, which must lead to `address` (a pattern), and wait for that page."""
        with self._page.expect_navigation(url=address):
            self.press("Enter")
