"""Face detection: where faces are in a frame, and which parts of it need to be searched."""
