"""Frame sources (cameras, streams, recordings) and the feed that returns the newest frame."""
