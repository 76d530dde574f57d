"""The dashboard: what the devices say, kept and shown; and a page to check a picture."""
