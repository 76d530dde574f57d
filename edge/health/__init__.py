"""The health of the device: what is measured and reported about it."""
