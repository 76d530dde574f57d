"""Video from files, network streams and V4L2 cameras."""
