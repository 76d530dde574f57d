"""MQTT: the broker connection, delivery of the outbox, commands, and message formats."""
