"""The outbox: a durable queue of events that have not been delivered yet."""
