"""The systemd service on a device: status, updates, and installed releases."""
