"""From MQTT to the database: subscription, validation, and batched writing."""
