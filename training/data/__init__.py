"""Data sets: layouts on disk, splits, corrections, and face crops."""
