"""The daemon: builds the parts, runs the loop, and handles signals, commands, and reloads."""
