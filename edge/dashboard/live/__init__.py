"""The current state of all devices, and the websocket that sends it to browsers."""
