"""Measuring face detectors on boxed pictures."""
