"""Frame sources: cameras, streams, recordings, and the feed that keeps the newest frame."""
