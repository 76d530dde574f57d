"""The software that runs on the Raspberry Pi: from camera frames to no-mask events."""

__version__ = "0.1.0"
