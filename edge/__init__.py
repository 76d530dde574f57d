"""The daemon and everything that runs on the Pi: frames in, no-mask events out."""

__version__ = "0.1.0"
