"""Cameras that are read over HTTP: streams of pictures, and addresses of single pictures."""
