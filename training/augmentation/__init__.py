"""Augmentation: cameras, light, occlusion, and synthetic masks."""
