"""Tracking: faces of single frames are joined to people, each with a label over time."""
