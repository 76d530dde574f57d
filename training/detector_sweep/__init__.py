"""A sweep over the face detector's settings: faces found against cost."""
