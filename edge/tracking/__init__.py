"""Tracking: joins the faces of single frames into tracks, one per person, each with a label."""
