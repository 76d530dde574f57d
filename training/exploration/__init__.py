"""Data exploration: statistics, near-duplicates, and a report, before training."""
