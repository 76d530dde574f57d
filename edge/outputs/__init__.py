"""What an alert switches and runs on the device itself: pins, and programs."""
