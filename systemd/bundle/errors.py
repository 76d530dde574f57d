"""The error that ends a command of this package."""

from __future__ import annotations


class BundleError(Exception):
    """A reason why a bundle cannot be made: one line that says what to do."""
