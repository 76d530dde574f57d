"""The systemd service on a device: its status, updates, and the installed releases."""
