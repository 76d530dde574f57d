"""Data sets: layouts on disk, splits, corrections, face crops, and near-duplicates."""
