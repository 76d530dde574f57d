"""Scores as percentages, as pictures, pages and the command line show them."""

from __future__ import annotations


def format_percent(share: float) -> str:
    """Return `share`, 0 to 1, as a whole percentage, such as `74%`.

    A model is never certain: instead of 100% and 0% the text is `>99%` and `<1%`. The same as
    `percent` in common.js.
    """
    percent = round(100 * share)
    return ">99%" if percent >= 100 else "<1%" if percent <= 0 else f"{percent}%"
