"""The broker on this device: mosquitto, with TLS, an account for each client, and access rules."""
