"""Message types and rate limiting that the other dashboard packages share."""
