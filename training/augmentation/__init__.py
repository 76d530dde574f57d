"""Augmentation of training faces: framing, camera, light, occlusion, and synthetic masks."""
